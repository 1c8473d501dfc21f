/* Measures system calls. Linked in place of ERTS into the image, and the same object as a static program of Linux.
 *
 *   time SAMPLES NS [NAME...]   how long each operation takes: samples of about so many nanoseconds
 *   count [NAME...]             how many instructions, by a time stamp counter that counts them (QEMU: -icount shift=0)
 *   path NAME...                marks single operations for QEMU's plugin to record
 *
 * Each result is one line that begins with `=`. Without names everything is measured. */
#include "micro.h"
#include <sys/resource.h>

static const struct operation *const files[] = {
	floor_operations, call_operations, epoll_operations, memory_operations, thread_operations, socket_operations,
};

static int wanted(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], name)) return 1;
	return count == 0;
}

static void each(int count, char **names, void (*measure)(const struct operation *, char **), char **arguments)
{
	for (size_t f = 0; f < sizeof files / sizeof *files; f++)
		for (const struct operation *o = files[f]; o->name; o++) {
			if (!wanted(o->name, count, names)) continue;
			const char *reason = o->open ? o->open() : 0;
			if (reason) {
				printf("=absent name=%s reason=%s: %s\n", o->name, reason, strerror(errno));
				continue;
			}
			measure(o, arguments);
			if (o->close) o->close();
		}
}

static void one_time(const struct operation *o, char **arguments)
{
	measure_time(o, atoi(arguments[0]), atoll(arguments[1]));
}

static void one_count(const struct operation *o, char **arguments)
{
	(void)arguments;
	measure_count(o);
}

static void one_path(const struct operation *o, char **arguments)
{
	(void)arguments;
	measure_path(o);
}

/* Room for the 10,000 descriptors; where there is none, the operation that wants them says so. */
static void raise_limit(void)
{
	struct rlimit limit = { 1 << 14, 1 << 14 };
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Names of the kernel's functions by address, where the system tells them: those of Linux itself, without its modules. */
static void tell_symbols(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], name[256], kind;
	unsigned long address;
	if (!file) return;
	while (fgets(line, sizeof line, file))
		if (!strchr(line, '[') && sscanf(line, "%lx %c %255s", &address, &kind, name) == 3 && strchr("tTwW", kind))
			printf("=symbol %lx %s\n", address, name);
	fclose(file);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, 0, _IOLBF, 0);
	raise_limit();
	puts("=begin");
	if (argc >= 4 && !strcmp(argv[1], "time")) {
		each(argc - 4, argv + 4, one_time, argv + 2);
	} else if (argc >= 2 && !strcmp(argv[1], "count")) {
		prove_count();
		each(argc - 2, argv + 2, one_count, 0);
	} else if (argc >= 3 && !strcmp(argv[1], "path")) {
		each(argc - 2, argv + 2, one_path, 0);
		tell_symbols();
	} else {
		puts("=wrong arguments: time SAMPLES NS [NAME...], count [NAME...], or path NAME...");
		return 2;
	}
	puts("=end");
	return 0;
}
