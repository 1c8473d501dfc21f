/* Mutexes, condition variables, read-write locks, barriers, semaphores. */
#include "oracle.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long shared;

static pthread_mutex_t made(int type, int robust)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;
	pthread_mutexattr_init(&attributes);
	RC(pthread_mutexattr_settype(&attributes, type));
	if (robust) RC(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
	RC(pthread_mutex_init(&mutex, &attributes));
	pthread_mutexattr_destroy(&attributes);
	return mutex;
}

TEST(mutex_types)
{
	pthread_mutex_t checks = made(PTHREAD_MUTEX_ERRORCHECK, 0), counts = made(PTHREAD_MUTEX_RECURSIVE, 0);
	RC(pthread_mutex_lock(&checks));
	RC(pthread_mutex_lock(&checks));
	RC(pthread_mutex_trylock(&checks));
	RC(pthread_mutex_unlock(&checks));
	RC(pthread_mutex_unlock(&checks));
	RC(pthread_mutex_lock(&counts));
	RC(pthread_mutex_lock(&counts));
	RC(pthread_mutex_unlock(&counts));
	RC(pthread_mutex_unlock(&counts));
	RC(pthread_mutex_unlock(&counts));
	struct timespec limit = in_ms(CLOCK_REALTIME, 20);
	pthread_mutex_lock(&mutex);
	RC(pthread_mutex_trylock(&mutex));
	RC(pthread_mutex_timedlock(&mutex, &limit));
	pthread_mutex_unlock(&mutex);
}

static void *adds(void *times)
{
	for (long i = 0; i < (long)times; i++) {
		pthread_mutex_lock(&mutex);
		shared++;
		pthread_mutex_unlock(&mutex);
	}
	return 0;
}

TEST(mutex_excludes)
{
	shared = 0;
	pthread_t threads[8];
	for (int i = 0; i < 8; i++) threads[i] = start(adds, (void *)5000);
	for (int i = 0; i < 8; i++) join(threads[i]);
	VALUE(shared);
}

static pthread_mutex_t fragile;

static void *dies_with_it(void *unused)
{
	pthread_mutex_lock(&fragile);
	return unused;
}

TEST(robust_mutex)
{
	fragile = made(PTHREAD_MUTEX_NORMAL, 1);
	join(start(dies_with_it, 0));
	RC(pthread_mutex_trylock(&fragile));
	RC(pthread_mutex_consistent(&fragile));
	RC(pthread_mutex_unlock(&fragile));
	RC(pthread_mutex_lock(&fragile));
	RC(pthread_mutex_unlock(&fragile));
	join(start(dies_with_it, 0));
	RC(pthread_mutex_lock(&fragile));
	RC(pthread_mutex_unlock(&fragile));
	RC(pthread_mutex_lock(&fragile));
	RC(pthread_mutex_destroy(&fragile));
}

static void *dies_late(void *unused)
{
	pthread_mutex_lock(&fragile);
	shared = 1;
	pause_ms(50);
	return unused;
}

/* The owner dies while another thread already sleeps on the mutex. */
TEST(robust_wakes)
{
	fragile = made(PTHREAD_MUTEX_NORMAL, 1);
	shared = 0;
	pthread_t owner = start(dies_late, 0);
	UNTIL(__atomic_load_n(&shared, __ATOMIC_SEQ_CST));
	RC(pthread_mutex_lock(&fragile));
	RC(pthread_mutex_consistent(&fragile));
	RC(pthread_mutex_unlock(&fragile));
	join(owner);
}

static int waiting, released;

static void *waits(void *unused)
{
	pthread_mutex_lock(&mutex);
	waiting++;
	while (!shared) pthread_cond_wait(&cond, &mutex);
	released++;
	pthread_mutex_unlock(&mutex);
	return unused;
}

TEST(cond_broadcast)
{
	for (int round = 0; round < 20; round++) {
		pthread_t threads[8];
		shared = waiting = released = 0;
		for (int i = 0; i < 8; i++) threads[i] = start(waits, 0);
		for (int all = 0; !all; sched_yield()) {
			pthread_mutex_lock(&mutex);
			all = waiting == 8;
			pthread_mutex_unlock(&mutex);
		}
		pthread_mutex_lock(&mutex);
		shared = 1;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
		for (int i = 0; i < 8; i++) join(threads[i]);
	}
	VALUE(released);
}

TEST(cond_limit)
{
	pthread_condattr_t attributes;
	pthread_cond_t own;
	pthread_condattr_init(&attributes);
	RC(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
	RC(pthread_cond_init(&own, &attributes));
	struct timespec limit = in_ms(CLOCK_MONOTONIC, 20);
	pthread_mutex_lock(&mutex);
	int64_t begin = now();
	RC(pthread_cond_timedwait(&own, &mutex, &limit));
	VALUE(now() - begin >= 19 * MS);
	limit = in_ms(CLOCK_REALTIME, 20);
	RC(pthread_cond_timedwait(&cond, &mutex, &limit));
	limit.tv_nsec = -1;
	RC(pthread_cond_timedwait(&cond, &mutex, &limit));
	pthread_mutex_unlock(&mutex);
	pthread_cond_destroy(&own);
}

/* A queue of one: each item is signalled, each slot is signalled back. */
static int slot;

static void *consumes(void *unused)
{
	long sum = 0;
	for (int i = 0; i < 3000; i++) {
		pthread_mutex_lock(&mutex);
		while (!slot) pthread_cond_wait(&cond, &mutex);
		sum += slot;
		slot = 0;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return (void *)(sum + (unused != 0));
}

TEST(cond_hand_over)
{
	slot = 0;
	pthread_t thread = start(consumes, 0);
	for (int i = 1; i <= 3000; i++) {
		pthread_mutex_lock(&mutex);
		while (slot) pthread_cond_wait(&cond, &mutex);
		slot = i;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	VALUE(join(thread));
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void *tries_rwlock(void *unused)
{
	struct timespec limit = in_ms(CLOCK_REALTIME, 10);
	(void)unused;
	RC(pthread_rwlock_tryrdlock(&rwlock));
	RC(pthread_rwlock_trywrlock(&rwlock));
	RC(pthread_rwlock_timedwrlock(&rwlock, &limit));
	RC(pthread_rwlock_unlock(&rwlock));
	return 0;
}

TEST(rwlock_rules)
{
	RC(pthread_rwlock_rdlock(&rwlock));
	join(start(tries_rwlock, 0));
	RC(pthread_rwlock_unlock(&rwlock));
	RC(pthread_rwlock_wrlock(&rwlock));
	RC(pthread_rwlock_tryrdlock(&rwlock));
	RC(pthread_rwlock_unlock(&rwlock));
}

static void *reads_and_writes(void *number)
{
	long torn = 0;
	for (int i = 0; i < 2000; i++) {
		if ((i + (long)number) % 4) {
			pthread_rwlock_rdlock(&rwlock);
			torn += shared % 2;
		} else {
			pthread_rwlock_wrlock(&rwlock);
			shared++;
			if (i % 50 == 0) sched_yield();
			shared++;
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return (void *)torn;
}

TEST(rwlock_excludes)
{
	shared = 0;
	pthread_t threads[6];
	for (int i = 0; i < 6; i++) threads[i] = start(reads_and_writes, (void *)(intptr_t)i);
	for (int i = 0; i < 6; i++) VALUE(join(threads[i]));
	VALUE(shared);
}

static pthread_barrier_t barrier;

static void *meets(void *unused)
{
	long serial = 0;
	(void)unused;
	for (int i = 0; i < 100; i++) serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
	return (void *)serial;
}

TEST(barriers)
{
	long serial = 0;
	pthread_t threads[5];
	RC(pthread_barrier_init(&barrier, 0, 0));
	RC(pthread_barrier_init(&barrier, 0, 5));
	for (int i = 0; i < 5; i++) threads[i] = start(meets, 0);
	for (int i = 0; i < 5; i++) serial += (long)join(threads[i]);
	VALUE(serial);
	RC(pthread_barrier_destroy(&barrier));
}

static sem_t items;

static void *takes(void *unused)
{
	for (int i = 0; i < 1000; i++) sem_wait(&items);
	return unused;
}

TEST(semaphores)
{
	int value;
	CALL(sem_init(&items, 0, 2));
	CALL(sem_trywait(&items));
	CALL(sem_wait(&items));
	CALL(sem_trywait(&items));
	struct timespec limit = in_ms(CLOCK_REALTIME, 20);
	CALL(sem_timedwait(&items, &limit));
	pthread_t threads[4];
	for (int i = 0; i < 4; i++) threads[i] = start(takes, 0);
	for (int i = 0; i < 4000; i++) sem_post(&items);
	for (int i = 0; i < 4; i++) join(threads[i]);
	CALL(sem_getvalue(&items, &value));
	VALUE(value);
}

static pthread_spinlock_t spinlock;

static void *spins(void *times)
{
	for (long i = 0; i < (long)times; i++) {
		pthread_spin_lock(&spinlock);
		shared++;
		pthread_spin_unlock(&spinlock);
	}
	return 0;
}

/* A lock that is never slept on: its holder must be preempted fairly on few processors. */
TEST(spinlocks)
{
	shared = 0;
	pthread_spin_init(&spinlock, 0);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++) threads[i] = start(spins, (void *)20000);
	for (int i = 0; i < 4; i++) join(threads[i]);
	VALUE(shared);
}

AREA(sync)
	T(mutex_types) T(mutex_excludes) T(robust_mutex) T(robust_wakes) T(cond_broadcast) T(cond_limit) T(cond_hand_over)
	T(rwlock_rules) T(rwlock_excludes) T(barriers) T(semaphores) T(spinlocks)
END
