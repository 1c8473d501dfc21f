/* Everything at once: what must survive preemption, migration and contention. */
#include "oracle.h"
#include <fenv.h>

static void *allocates(void *seed)
{
	enum { SLOTS = 64 };
	unsigned char *blocks[SLOTS] = { 0 };
	size_t sizes[SLOTS] = { 0 };
	unsigned state = (unsigned)(uintptr_t)seed * 2654435761u + 1;
	long wrong = 0;
	for (int i = 0; i < 4000; i++) {
		state = state * 1664525 + 1013904223;
		int slot = state >> 24 & (SLOTS - 1);
		unsigned char mark = (unsigned char)(slot * 3 + (uintptr_t)seed);
		for (size_t k = 0; k < sizes[slot]; k += 97) wrong += blocks[slot][k] != mark;
		if (sizes[slot]) wrong += blocks[slot][sizes[slot] - 1] != mark;
		size_t size = 1 + (state >> 8 & 0xfff) * (state % 31 == 0 ? 64 : 1);
		if (state & 1) {
			free(blocks[slot]);
			blocks[slot] = malloc(size);
		} else {
			blocks[slot] = realloc(blocks[slot], size);
		}
		if (!blocks[slot]) return (void *)-1;
		sizes[slot] = size;
		memset(blocks[slot], mark, size);
	}
	for (int i = 0; i < SLOTS; i++) free(blocks[i]);
	return (void *)wrong;
}

TEST(heap_of_eight)
{
	pthread_t threads[8];
	for (int i = 0; i < 8; i++) threads[i] = start(allocates, (void *)(intptr_t)(i + 1));
	for (int i = 0; i < 8; i++) VALUE(join(threads[i]));
}

/* Vector and floating point registers, rounding mode and flags are each thread's own. */
static void *computes(void *number)
{
	static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
	int mode = modes[(intptr_t)number % 4];
	long wrong = 0;
	double lanes[8];
	long double wide = 1;
	fesetround(mode);
	for (int k = 0; k < 8; k++) lanes[k] = k + (double)(intptr_t)number;
	for (int i = 0; i < 40000; i++) {
		for (int k = 0; k < 8; k++) lanes[k] += 1.0;
		wide += 0.5L;
		if (i % 64 == 0) {
			wrong += fegetround() != mode;
			sched_yield();
		}
	}
	for (int k = 0; k < 8; k++) wrong += lanes[k] != k + (double)(intptr_t)number + 40000.0;
	wrong += wide != 20001.0L;
	fesetround(FE_TONEAREST);
	return (void *)wrong;
}

TEST(floating_point)
{
	pthread_t threads[8];
	for (int i = 0; i < 8; i++) threads[i] = start(computes, (void *)(intptr_t)i);
	for (int i = 0; i < 8; i++) VALUE(join(threads[i]));
}

/* Pure computation with no call at all: only the timer can take the processor away. */
static volatile int stop;

static void *spins(void *number)
{
	unsigned long x = (unsigned long)number | 1, rounds = 0;
	while (!stop) {
		for (int i = 0; i < 1000; i++) x = x * 6364136223846793005ul + 1442695040888963407ul;
		rounds++;
	}
	/* The generator run backwards leads to where it began. */
	for (unsigned long r = 0; r < rounds; r++)
		for (int i = 0; i < 1000; i++) x = (x - 1442695040888963407ul) * 13877824140714322085ul;
	return (void *)(long)(x != ((unsigned long)number | 1));
}

TEST(preemption)
{
	pthread_t threads[6];
	stop = 0;
	for (int i = 0; i < 6; i++) threads[i] = start(spins, (void *)(intptr_t)(i * 2));
	pause_ms(100);
	stop = 1;
	for (int i = 0; i < 6; i++) VALUE(join(threads[i]));
}

/* A chain of pipes: bytes go through many threads and come out in order. */
enum { STAGES = 12 };
static int links[STAGES + 1][2];

static void *passes_on(void *stage)
{
	int i = (int)(intptr_t)stage;
	char block[257];
	long n;
	while ((n = read(links[i][0], block, sizeof block)) > 0)
		for (long at = 0; at < n;) {
			long out = write(links[i + 1][1], block + at, n - at);
			if (out <= 0) return (void *)1;
			at += out;
		}
	close(links[i + 1][1]);
	return 0;
}

static void *feeds(void *unused)
{
	for (unsigned i = 0; i < 20000; i++) {
		unsigned char byte = (unsigned char)(i * 13 >> 2);
		if (write(links[0][1], &byte, 1) != 1) return (void *)1;
	}
	close(links[0][1]);
	return unused;
}

TEST(chain)
{
	pthread_t threads[STAGES];
	for (int i = 0; i <= STAGES; i++)
		if (pipe(links[i])) return;
	for (int i = 0; i < STAGES; i++) threads[i] = start(passes_on, (void *)(intptr_t)i);
	pthread_t feeder = start(feeds, 0);
	unsigned char block[333];
	long n, total = 0, wrong = 0;
	while ((n = read(links[STAGES][0], block, sizeof block)) > 0) {
		for (long i = 0; i < n; i++) wrong += block[i] != (unsigned char)((unsigned)(total + i) * 13 >> 2);
		total += n;
	}
	VALUE(total);
	VALUE(wrong);
	VALUE(join(feeder));
	for (int i = 0; i < STAGES; i++) VALUE(join(threads[i]));
	for (int i = 0; i <= STAGES; i++) close(links[i][0]);
}

/* Threads that are made, work and end, while others do. */
static void *makes_more(void *depth)
{
	long sum = 1;
	if ((intptr_t)depth > 0) {
		pthread_t a = start(makes_more, (void *)((intptr_t)depth - 1)), b = start(makes_more, (void *)((intptr_t)depth - 1));
		sum += (long)join(a) + (long)join(b);
	}
	return (void *)sum;
}

TEST(tree_of_threads)
{
	for (int i = 0; i < 3; i++) VALUE(join(start(makes_more, (void *)6)));
}

AREA(stress)
	T(heap_of_eight) T(floating_point) T(preemption) T(chain) T(tree_of_threads)
END
