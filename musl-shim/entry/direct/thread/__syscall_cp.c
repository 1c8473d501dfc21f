/* Cancellation points whose call has failed. */
#include <src/thread/__syscall_cp.c>

hidden long __cancel();

/* In a program without pthread_cancel nothing is ever cancelled. */
static long not_cancelled()
{
	return -EINTR;
}

weak_alias(not_cancelled, __cancel);

/* As the end of musl's __syscall_cp_c: a call that was interrupted is where a thread is cancelled. */
long __syscall_cp_interrupted(long n)
{
	pthread_t self = __pthread_self();
	if (n == SYS_close || !self->cancel || self->canceldisable == PTHREAD_CANCEL_DISABLE)
		return -EINTR;
	return __cancel();
}

long __syscall_cp_failed(long n, long r)
{
	return __syscall_ret(r == -EINTR ? __syscall_cp_interrupted(n) : r);
}
