/* The floor, and calls that find their answer at once. */
#include "micro.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>

static int fd, ends[2];
static char byte;

static void empty_loop(unsigned long n)
{
	for (; n; n--) __asm__ __volatile__("" ::: "memory");
}

static void function_call(unsigned long n)
{
	for (; n; n--) somewhere_else(1);
}

const struct operation floor_operations[] = {
	{ "empty_loop", 0, empty_loop, 0 },
	{ "function_call", 0, function_call, 0 },
	{ 0 },
};

static const char *open_zero(void)
{
	fd = open("/dev/zero", O_RDONLY);
	return fd < 0 ? "/dev/zero" : 0;
}

static const char *open_null(void)
{
	fd = open("/dev/null", O_WRONLY);
	return fd < 0 ? "/dev/null" : 0;
}

static void close_one(void)
{
	close(fd);
}

static const char *open_pipe(void)
{
	return pipe(ends) ? "pipe" : 0;
}

static void close_pipe(void)
{
	close(ends[0]);
	close(ends[1]);
}

static void run_getppid(unsigned long n)
{
	for (; n; n--) getppid();
}

static void run_clock_gettime(unsigned long n)
{
	struct timespec t;
	for (; n; n--) clock_gettime(CLOCK_MONOTONIC, &t);
}

/* Past the vdso, where there is one. */
static void run_clock_gettime_call(unsigned long n)
{
	struct timespec t;
	for (; n; n--) syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
}

static void failed(const char *what)
{
	perror(what);
	exit(1);
}

static void run_read(unsigned long n)
{
	for (; n; n--)
		if (read(fd, &byte, 1) != 1) failed("read");
}

static void run_write(unsigned long n)
{
	for (; n; n--)
		if (write(fd, &byte, 1) != 1) failed("write");
}

/* Into the pipe and out again: two calls. */
static void run_pipe(unsigned long n)
{
	for (; n; n--)
		if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) failed("pipe");
}

static void run_futex_wake(unsigned long n)
{
	static int word;
	for (; n; n--) syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

const struct operation call_operations[] = {
	{ "getppid", 0, run_getppid, 0 },
	{ "clock_gettime", 0, run_clock_gettime, 0 },
	{ "clock_gettime_call", 0, run_clock_gettime_call, 0 },
	{ "read_zero", open_zero, run_read, close_one },
	{ "write_null", open_null, run_write, close_one },
	{ "pipe_ping", open_pipe, run_pipe, close_pipe },
	{ "futex_wake", 0, run_futex_wake, 0 },
	{ 0 },
};
