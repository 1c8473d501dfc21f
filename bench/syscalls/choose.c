/* The image with both measuring programs has one main: the first argument names the program, and the rest is its argv. */
#include <string.h>

int erts_main(int argc, char **argv), micro_main(int argc, char **argv);

int main(int argc, char **argv)
{
	int is_micro = argc > 1 && !strcmp(argv[1], "micro");
	return (is_micro ? micro_main : erts_main)(argc - 1, argv + 1);
}
