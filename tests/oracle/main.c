/* Runs the tests named in argv (`area` or `area.test`), or all of them. */
#include "oracle.h"
#include <ftw.h>

#define AREAS(X) \
	X(futex) X(thread) X(sync) X(cancel) X(signal) X(interrupt) X(pipe) X(event) X(epoll) X(poll) X(unix_socket) X(unix_name) \
	X(unix_connect) X(tcp) X(tcp_edge) X(sockopt) X(udp) X(ipv6) X(interface) X(memory) X(file) X(directory) X(descriptor) X(clock) X(system) X(libc) X(stress) X(fault) X(invalid)
#define DECLARE(name) extern const struct area area_##name;
#define LIST(name) &area_##name,
AREAS(DECLARE)
static const struct area *const areas[] = { AREAS(LIST) };

static char home[PATH_MAX];
static char directory[PATH_MAX];

void say(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("  ", stdout);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
}

long oracle_call(const char *text, long result, int number)
{
	if (result == -1 && number != 0) say("%s: %s", text, errname(number));
	else say("%s = %ld", text, result);
	errno = number;
	return result;
}

void oracle_error(const char *text, int number)
{
	say("%s: %s", text, number ? errname(number) : "ok");
}

int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

struct timespec for_ms(long ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * MS };
}

struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec t;
	clock_gettime(clock, &t);
	int64_t ns = t.tv_sec * 1000000000L + t.tv_nsec + ms * MS;
	return (struct timespec){ ns / 1000000000L, ns % 1000000000L };
}

void pause_ms(long ms)
{
	struct timespec t = for_ms(ms);
	while (nanosleep(&t, &t) == -1 && errno == EINTR) {
	}
}

struct beginning {
	void *(*function)(void *);
	void *argument;
};

static int made, begun;

static void *begin(void *memory)
{
	struct beginning b = *(struct beginning *)memory;
	free(memory);
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	return b.function(b.argument);
}

void let_it_block(void)
{
	UNTIL(__atomic_load_n(&begun, __ATOMIC_SEQ_CST) == __atomic_load_n(&made, __ATOMIC_SEQ_CST));
	pause_ms(50);
}

pthread_t start(void *(*function)(void *), void *argument)
{
	pthread_t thread;
	struct beginning *b = malloc(sizeof *b);
	*b = (struct beginning){ function, argument };
	__atomic_add_fetch(&made, 1, __ATOMIC_SEQ_CST);
	int error = pthread_create(&thread, 0, begin, b);
	if (error) {
		say("pthread_create: %s", errname(error));
		exit(1);
	}
	return thread;
}

void *join(pthread_t thread)
{
	void *value = 0;
	int error = pthread_join(thread, &value);
	if (error) say("pthread_join: %s", errname(error));
	return value;
}

static int delete(const char *path, const struct stat *s, int kind, struct FTW *f)
{
	(void)s, (void)kind, (void)f;
	return remove(path);
}

void in_empty_directory(void)
{
	const char *parent = getenv("TMPDIR");
	snprintf(directory, sizeof directory, "%s/oracle-%d", parent ? parent : "/tmp", (int)getpid());
	nftw(directory, delete, 8, FTW_DEPTH | FTW_PHYS);
	if (mkdir(directory, 0755) || chdir(directory)) {
		say("no directory to work in: %s", errname(errno));
		exit(1);
	}
}

/* Puts back what a test may have changed, and tells what it left behind. */
static void tidy(void)
{
	if (directory[0]) {
		if (chdir(home)) exit(1);
		nftw(directory, delete, 8, FTW_DEPTH | FTW_PHYS);
		directory[0] = 0;
	}
	int lowest = open("/dev/null", O_RDONLY);
	if (lowest != 3) say("the lowest free descriptor is %d", lowest);
	close(lowest);
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, 0, &mask);
	for (int s = 1; s < 65; s++)
		if (sigismember(&mask, s) == 1) say("signal %d is still blocked", s);
	umask(022);
}

static void run(const struct area *area, const struct test *test)
{
	printf("%s.%s\n", area->name, test->name);
	fflush(stdout);
	test->run();
	tidy();
}

static int wanted(const struct area *area, const struct test *test, int count, char **names)
{
	char full[128];
	snprintf(full, sizeof full, "%s.%s", area->name, test->name);
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], area->name) || !strcmp(names[i], full)) return 1;
	return count == 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, 0, _IOLBF, 0);
	umask(022);
	int count = 0, rounds = 1;
	if (argc > 2 && !strcmp(argv[1], "repeat")) {
		rounds = atoi(argv[2]);
		argc -= 2, argv += 2;
	}
	if (!getcwd(home, sizeof home)) return 1;
	puts("oracle begins");
	for (int round = 0; round < rounds; round++)
		for (size_t a = 0; a < sizeof areas / sizeof *areas; a++)
			for (const struct test *t = areas[a]->tests; t->name; t++)
				if (wanted(areas[a], t, argc - 1, argv + 1)) run(areas[a], t), count++;
	printf("oracle ends, %d tests\n", count);
	return 0;
}
