/* What all tests share: a test prints what it observes, and Linux says what is right. */
#ifndef ORACLE_H
#define ORACLE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*run)(void);
};

/* One file's tests, ended by a NULL name. */
struct area {
	const char *name;
	const struct test *tests;
};

#define TEST(name) static void name(void)
#define AREA(name) const struct area area_##name = { #name, (const struct test[]){
#define T(name) { #name, name },
#define END { 0, 0 } } };

/* Prints one line of the running test. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The name of an error number, such as "EINVAL". */
const char *errname(int number);

long oracle_call(const char *text, long result, int number);
void oracle_error(const char *text, int number);

/* Runs a system call; prints its source text and its result, or the error. Value: the result. */
#define CALL(expression) \
	({ errno = 0; long result_ = (long)(expression); oracle_call(#expression, result_, errno); })
/* As CALL for results that differ from system to system, such as descriptors and addresses: prints only whether it worked. */
#define WORKS(expression) \
	({ errno = 0; long result_ = (long)(expression); oracle_call(#expression, result_ == -1 ? -1 : 0, errno); result_; })
/* As CALL for functions that return an error number, as those of pthread do. */
#define RC(expression) oracle_error(#expression, (expression))
/* Prints the source text and value of an integer expression. */
#define VALUE(expression) say("%s is %ld", #expression, (long)(expression))

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t now(void);
#define MS 1000000L
/* Lets `ms` milliseconds pass. */
void pause_ms(long ms);
/* A time limit `ms` milliseconds from now, by a clock. */
struct timespec in_ms(clockid_t clock, long ms);
/* A relative time. */
struct timespec for_ms(long ms);

/* Waits until a condition holds that another thread makes true. */
#define UNTIL(condition) do { sched_yield(); } while (!(condition))

/* Waits until all threads have begun, and gives them ample time to come to where they block. */
void let_it_block(void);

/* Starts a thread; a failure ends the program. */
pthread_t start(void *(*function)(void *), void *argument);
/* Joins it, and returns its value. */
void *join(pthread_t thread);

/* An empty directory of its own, which is the current one while the test runs, and is removed behind it. */
void in_empty_directory(void);

#endif
