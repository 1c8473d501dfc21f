/* Threads: their own stacks and thread-local data, locks, joins, and detached ones that free themselves. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>
#include "check.h"

enum { THREADS = 8, ROUNDS = 10000, DETACHED = 200 };

static _Thread_local int mine = 7;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int total, gone;

static void *add(void *argument)
{
	CHECK(mine == 7);
	for (int i = 0; i < ROUNDS; i++) {
		mine++;
		pthread_mutex_lock(&lock);
		total++;
		pthread_mutex_unlock(&lock);
	}
	CHECK(mine == 7 + ROUNDS);
	return argument;
}

static void *leave(void *unused)
{
	pthread_mutex_lock(&lock);
	gone++;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	return unused;
}

/* Kilobytes of address space in use, as the kernel sees it. */
static long size(void)
{
	FILE *status = fopen("/proc/self/statm", "r");
	long pages;
	CHECK(status && fscanf(status, "%ld", &pages) == 1);
	fclose(status);
	return pages * 4;
}

int main(void)
{
	pthread_t ids[THREADS];
	for (long i = 0; i < THREADS; i++)
		CHECK(pthread_create(&ids[i], 0, add, (void *)i) == 0);
	for (long i = 0; i < THREADS; i++) {
		void *result;
		CHECK(pthread_join(ids[i], &result) == 0 && result == (void *)i);
	}
	CHECK(total == THREADS * ROUNDS && mine == 7);

	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 1 << 20);
	long before = size();
	for (int i = 0; i < DETACHED; i++) {
		pthread_t id;
		CHECK(pthread_create(&id, &attributes, leave, 0) == 0);
		pthread_mutex_lock(&lock);
		while (gone <= i)
			pthread_cond_wait(&changed, &lock);
		pthread_mutex_unlock(&lock);
	}
	/* Each stack was 1 MiB: were they kept, there would be 200 MiB of them. */
	for (int i = 0; i < 100 && size() - before > 50000; i++)
		usleep(10000);
	CHECK(size() - before <= 50000);
	return 0;
}
