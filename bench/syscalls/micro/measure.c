/* The three ways to measure an operation. */
#include "micro.h"

enum { MOST_SAMPLES = 64, YARDSTICK_CALLS = 40000, REPETITIONS = 33, SHORT = 8, LONG = 16 };

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int64_t time_of(const struct operation *o, unsigned long n, uint64_t *spent)
{
	int64_t start = now();
	uint64_t first = ticks();
	o->run(n);
	*spent = ticks() - first;
	return now() - start;
}

/* So many calls of an empty function. Loop and function lie in one line of code, wherever that is: an emulator leaves a page of code at
 * another price than a loop within one, and how compiled code lies is chance, which differs from system to system. */
void calls(unsigned long n);
__asm__(
	".text\n"
	".p2align 6\n"
	"calls:\n"
	"1: call 2f\n"
	"dec %rdi\n"
	"jnz 1b\n"
	"2: ret\n");

/* Code that enters no system and is the same everywhere: how fast the host is at this moment. Others on it can halve that for a while. */
static int64_t yardstick(void)
{
	int64_t start = now();
	calls(YARDSTICK_CALLS);
	return now() - start;
}

static void print_times(const char *field, const int64_t *values, int count)
{
	printf(" %s=", field);
	for (int i = 0; i < count; i++) printf("%s%lld", i ? "," : "", (long long)values[i]);
}

void measure_time(const struct operation *o, int samples, int64_t ns)
{
	uint64_t counted[MOST_SAMPLES];
	int64_t times[MOST_SAMPLES], yards[MOST_SAMPLES];
	if (samples > MOST_SAMPLES) samples = MOST_SAMPLES;
	/* As many operations as take about so long; this also warms everything up. */
	unsigned long n = 1;
	for (uint64_t ignored; n < 1UL << 30; n *= 2) {
		int64_t once = time_of(o, n, &ignored), again = time_of(o, n, &ignored);
		int64_t took = once < again ? once : again;
		if (took < ns / 4) continue;
		n = n * (unsigned long)ns / (unsigned long)took;
		break;
	}
	if (n == 0) n = 1;
	int64_t before = yardstick();
	for (int i = 0; i < samples; i++) {
		times[i] = time_of(o, n, &counted[i]);
		int64_t after = yardstick();
		yards[i] = before + after;
		before = after;
	}
	printf("=time name=%s operations=%lu", o->name, n);
	print_times("ns", times, samples);
	print_times("yardstick", yards, samples);
	printf(" ticks=");
	for (int i = 0; i < samples; i++) printf("%s%llu", i ? "," : "", (unsigned long long)counted[i]);
	putchar('\n');
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* What most repetitions agree on: those that a timer interrupt fell into do not agree. */
static uint64_t most_frequent(uint64_t *values, int *agreed)
{
	qsort(values, REPETITIONS, sizeof *values, ascending);
	uint64_t best = values[0];
	*agreed = 0;
	for (int i = 0, j; i < REPETITIONS; i = j) {
		for (j = i; j < REPETITIONS && values[j] == values[i]; j++) {
		}
		if (j - i > *agreed) *agreed = j - i, best = values[i];
	}
	return best;
}

static uint64_t count_of(const struct operation *o, unsigned long n, int *agreed)
{
	uint64_t counts[REPETITIONS];
	for (int i = 0; i < REPETITIONS; i++) {
		uint64_t first = ticks();
		o->run(n);
		counts[i] = ticks() - first;
	}
	return most_frequent(counts, agreed);
}

void measure_count(const struct operation *o)
{
	int agreed_short, agreed_long;
	o->run(4 * LONG);
	uint64_t of_short = count_of(o, SHORT, &agreed_short), of_long = count_of(o, LONG, &agreed_long);
	printf("=count name=%s operations=%d,%d instructions=%llu,%llu agreed=%d,%d of=%d\n", o->name, SHORT, LONG,
		(unsigned long long)of_short, (unsigned long long)of_long, agreed_short, agreed_long, REPETITIONS);
}

static void known_loop(unsigned long n)
{
	__asm__ __volatile__("1: dec %0\n\tjnz 1b" : "+r"(n)::"cc");
}

void prove_count(void)
{
	static const struct operation loop = { "known_loop", 0, known_loop, 0 };
	static const unsigned long lengths[] = { 1000, 3000, 50000 };
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		int agreed, agreed_empty;
		uint64_t all = count_of(&loop, lengths[i], &agreed), one = count_of(&loop, 1, &agreed_empty);
		printf("=proof iterations=%lu instructions=%llu\n", lengths[i] - 1, (unsigned long long)(all - one));
	}
}

void measure_path(const struct operation *o)
{
	o->run(64);
	printf("=path name=%s\n", o->name);
	for (int i = 0; i < REPETITIONS; i++) {
		path_begin();
		o->run(1);
		path_end();
	}
}
