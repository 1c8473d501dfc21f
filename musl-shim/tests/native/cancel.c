/* pthread_cancel: before a call, during one, in a condition wait, while disabled, and asynchronously. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <time.h>
#include "check.h"

static int ends[2];
static volatile int started, cleaned;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void clean(void *amount)
{
	cleaned += *(int *)amount;
}

static void *blocked_read(void *unused)
{
	char byte;
	int one = 1;
	pthread_cleanup_push(clean, &one);
	started = 1;
	read(ends[0], &byte, 1);
	pthread_cleanup_pop(0);
	return unused;
}

static void *late_read(void *unused)
{
	char byte;
	while (started != 2) /* until the cancel is known to be pending */
		;
	read(ends[0], &byte, 1);
	return unused;
}

static void unlock(void *unused)
{
	(void)unused;
	CHECK(pthread_mutex_trylock(&lock) == EBUSY); /* the wait has taken the lock again */
	pthread_mutex_unlock(&lock);
	cleaned++;
}

static void *blocked_wait(void *unused)
{
	pthread_mutex_lock(&lock);
	pthread_cleanup_push(unlock, 0);
	started = 1;
	for (;;)
		pthread_cond_wait(&never, &lock);
	pthread_cleanup_pop(0);
	return unused;
}

static void *disabled(void *unused)
{
	int old;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	started = 1;
	while (started != 2)
		;
	getppid();
	usleep(1000); /* would be a cancellation point */
	cleaned++;
	pthread_setcancelstate(old, 0);
	pthread_testcancel();
	return unused;
}

static void *asynchronous(void *unused)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0);
	started = 1;
	for (;;)
		;
	return unused;
}

static void must_be_cancelled(void *(*body)(void *), int delay_us, int cancel_first)
{
	pthread_t id;
	void *result;
	started = cleaned = 0;
	CHECK(pthread_create(&id, 0, body, 0) == 0);
	while (!cancel_first && !started)
		;
	usleep(delay_us);
	CHECK(pthread_cancel(id) == 0);
	started = 2;
	CHECK(pthread_join(id, &result) == 0);
	CHECK(result == PTHREAD_CANCELED);
}

int main(void)
{
	alarm(20); /* a thread that is not cancelled would hang the join */
	CHECK(pipe(ends) == 0);

	must_be_cancelled(blocked_read, 20000, 0);
	CHECK(cleaned == 1);

	/* No delay: the signal arrives anywhere between the flag's test and the sleep in the kernel. */
	for (int i = 0; i < 500; i++)
		must_be_cancelled(blocked_read, 0, 0);

	/* Data is there, but the call must not begin: the byte stays in the pipe. */
	char byte = 'x';
	CHECK(write(ends[1], &byte, 1) == 1);
	must_be_cancelled(late_read, 0, 1);
	byte = 0;
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');

	must_be_cancelled(blocked_wait, 20000, 0);
	CHECK(cleaned == 1);
	must_be_cancelled(disabled, 0, 0);
	CHECK(cleaned == 1);
	must_be_cancelled(asynchronous, 1000, 0);
	return 0;
}
