/* What is measured, and how it is asked for: shared by all files of the program. */
#ifndef MICRO_H
#define MICRO_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One operation. */
struct operation {
	const char *name;
	/* Gets ready. Value: 0, or why this cannot be measured here. May be null. */
	const char *(*open)(void);
	/* Performs it `n` times. */
	void (*run)(unsigned long n);
	/* Gives back what `open` took. May be null. */
	void (*close)(void);
};

/* Those of one file, ended by a null name. */
extern const struct operation floor_operations[], call_operations[], epoll_operations[], memory_operations[],
	thread_operations[], socket_operations[];

/* Runs the three kinds of measurement on one operation, and prints one line. */
void measure_time(const struct operation *, int samples, int64_t ns);
void measure_count(const struct operation *);
void measure_path(const struct operation *);

/* Checks on a loop of known length that the time stamp counter counts instructions. */
void prove_count(void);

/* A function in another object file. */
long somewhere_else(long);

/* Where the instruction trace begins and ends, see bench/syscalls/path/plugin.c. In another object, so that they are really called. */
void path_begin(void);
void path_end(void);

static inline uint64_t ticks(void)
{
	uint32_t low, high;
	__asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

#endif
