/* Two threads that wake each other in turn. */
#include "micro.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

/* Whose turn it is: 0 the measuring thread's, 1 the other's, 2 the end. */
static int turn;
static pthread_t other;

static void pass(int to)
{
	__atomic_store_n(&turn, to, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &turn, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

/* Value: whose turn it is, once it is not `whose`. */
static int await(int whose)
{
	int now;
	while ((now = __atomic_load_n(&turn, __ATOMIC_SEQ_CST)) == whose)
		syscall(SYS_futex, &turn, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, whose, 0, 0, 0);
	return now;
}

static void *answer(void *nothing)
{
	while (await(0) == 1) pass(0);
	return nothing;
}

static const char *open_other(void)
{
	turn = 0;
	errno = pthread_create(&other, 0, answer, 0);
	return errno ? "pthread_create" : 0;
}

static void run_ping_pong(unsigned long n)
{
	for (; n; n--) {
		pass(1);
		await(1);
	}
}

static void close_other(void)
{
	pass(2);
	pthread_join(other, 0);
}

const struct operation thread_operations[] = {
	{ "futex_ping_pong", open_other, run_ping_pong, close_other },
	{ 0 },
};
