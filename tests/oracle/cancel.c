/* Cancellation of threads, deferred: where they block, and where they compute. */
#include "oracle.h"

static int fds[2];
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int cleaned, step;

static void cleans(void *amount)
{
	__atomic_add_fetch(&cleaned, (int)(intptr_t)amount, __ATOMIC_SEQ_CST);
}

static void *in_read(void *unused)
{
	char byte;
	pthread_cleanup_push(cleans, (void *)1);
	pthread_cleanup_push(cleans, (void *)10);
	read(fds[0], &byte, 1);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return unused;
}

static void *in_sem_wait(void *unused)
{
	pthread_cleanup_push(cleans, (void *)1);
	sem_wait(&semaphore);
	pthread_cleanup_pop(0);
	return unused;
}

static void unlocks(void *mutex)
{
	cleaned += 100;
	pthread_mutex_unlock(mutex);
}

static void *in_cond_wait(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlocks, &mutex);
	for (;;) pthread_cond_wait(&cond, &mutex);
	pthread_cleanup_pop(0);
	return unused;
}

static void *in_nanosleep(void *unused)
{
	struct timespec long_time = { 1000, 0 };
	pthread_cleanup_push(cleans, (void *)1);
	nanosleep(&long_time, 0);
	pthread_cleanup_pop(0);
	return unused;
}

static void *in_poll(void *unused)
{
	struct pollfd p = { fds[0], POLLIN, 0 };
	pthread_cleanup_push(cleans, (void *)1);
	poll(&p, 1, -1);
	pthread_cleanup_pop(0);
	return unused;
}

static void *in_join(void *other)
{
	pthread_cleanup_push(cleans, (void *)1);
	pthread_join(*(pthread_t *)other, 0);
	pthread_cleanup_pop(0);
	return 0;
}

static void cancelled(const char *where, void *(*function)(void *), void *argument, int late)
{
	cleaned = 0;
	pthread_t thread = start(function, argument);
	if (late) let_it_block();
	int error = pthread_cancel(thread);
	void *value = join(thread);
	say("%s: %s, cancelled %d, cleaned %d", where, errname(error), value == PTHREAD_CANCELED, cleaned);
}

TEST(while_blocked)
{
	if (pipe(fds)) return;
	sem_init(&semaphore, 0, 0);
	cancelled("read", in_read, 0, 1);
	cancelled("sem_wait", in_sem_wait, 0, 1);
	cancelled("cond_wait", in_cond_wait, 0, 1);
	cancelled("nanosleep", in_nanosleep, 0, 1);
	cancelled("poll", in_poll, 0, 1);
	pthread_t other = start(in_sem_wait, 0);
	cancelled("join", in_join, &other, 1);
	sem_post(&semaphore);
	join(other);
	RC(pthread_mutex_trylock(&mutex));
	pthread_mutex_unlock(&mutex);
	close(fds[0]);
	close(fds[1]);
}

/* Before, while or after it comes to block: the cancellation must not get lost in between. */
TEST(at_any_moment)
{
	if (pipe(fds)) return;
	sem_init(&semaphore, 0, 0);
	void *(*const functions[])(void *) = { in_read, in_sem_wait, in_nanosleep, in_poll };
	int seen = 0;
	for (int i = 0; i < 400; i++) {
		pthread_t thread = start(functions[i % 4], 0);
		for (int spin = 0; spin < i % 17; spin++) sched_yield();
		pthread_cancel(thread);
		seen += join(thread) == PTHREAD_CANCELED;
	}
	VALUE(seen);
	close(fds[0]);
	close(fds[1]);
}

static void *tests_itself(void *unused)
{
	for (step = 0;; step++) {
		pthread_testcancel();
		sched_yield();
	}
	return unused;
}

static void *disabled(void *unused)
{
	int old;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	__atomic_store_n(&step, 1, __ATOMIC_SEQ_CST);
	UNTIL(__atomic_load_n(&step, __ATOMIC_SEQ_CST) == 2);
	/* Disabled: this cancellation point does nothing. */
	pause_ms(1);
	__atomic_store_n(&step, 3, __ATOMIC_SEQ_CST);
	pthread_setcancelstate(old, 0);
	pthread_testcancel();
	step = 4;
	return unused;
}

TEST(while_running)
{
	cancelled("testcancel", tests_itself, 0, 1);
	step = 0;
	pthread_t thread = start(disabled, 0);
	UNTIL(__atomic_load_n(&step, __ATOMIC_SEQ_CST) == 1);
	RC(pthread_cancel(thread));
	__atomic_store_n(&step, 2, __ATOMIC_SEQ_CST);
	VALUE(join(thread) == PTHREAD_CANCELED);
	VALUE(step);
}

static void *cancels_itself(void *unused)
{
	pthread_cleanup_push(cleans, (void *)5);
	pthread_cancel(pthread_self());
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return unused;
}

static void *pops(void *unused)
{
	pthread_cleanup_push(cleans, (void *)2);
	pthread_cleanup_push(cleans, (void *)4);
	pthread_cleanup_pop(1);
	pthread_cleanup_pop(0);
	return unused;
}

static void *exits_inside(void *unused)
{
	pthread_cleanup_push(cleans, (void *)8);
	pthread_exit((void *)1);
	pthread_cleanup_pop(0);
	return unused;
}

TEST(cleanup_handlers)
{
	cleaned = 0;
	VALUE(join(start(cancels_itself, 0)) == PTHREAD_CANCELED);
	VALUE(cleaned);
	VALUE(join(start(pops, 0)));
	VALUE(cleaned);
	VALUE(join(start(exits_inside, 0)));
	VALUE(cleaned);
}

/* Data that is there wins over a cancellation that comes later. */
static void *reads_twice(void *result)
{
	char byte;
	*(long *)result = read(fds[0], &byte, 1);
	read(fds[0], &byte, 1);
	return 0;
}

TEST(effect_first)
{
	if (pipe(fds)) return;
	long result = 0;
	CALL(write(fds[1], "x", 1));
	pthread_t thread = start(reads_twice, &result);
	let_it_block();
	RC(pthread_cancel(thread));
	VALUE(join(thread) == PTHREAD_CANCELED);
	VALUE(result);
	close(fds[0]);
	close(fds[1]);
}

AREA(cancel)
	T(while_blocked) T(at_any_moment) T(while_running) T(cleanup_handlers) T(effect_first)
END
