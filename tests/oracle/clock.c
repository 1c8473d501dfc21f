/* Clocks and sleeping. */
#include "oracle.h"
#include <sys/resource.h>
#include <sys/times.h>

TEST(clocks)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME };
	struct timespec a, b;
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		int error = clock_gettime(ids[i], &a);
		long backwards = 0;
		for (int k = 0; k < 1000; k++) {
			clock_gettime(ids[i], &b);
			backwards += b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec);
			a = b;
		}
		say("clock %d: %d, backwards %ld, range %d", ids[i], error, backwards, a.tv_nsec >= 0 && a.tv_nsec < 1000000000);
	}
	CALL(clock_getres(CLOCK_MONOTONIC, &a));
	VALUE(a.tv_sec * 1000000000 + a.tv_nsec <= 10 * MS);
	CALL(clock_getres(CLOCK_MONOTONIC, 0));
	CALL(syscall(SYS_clock_gettime, 99, &a));
	CALL(syscall(SYS_clock_getres, 99, &a));
}

/* Nobody sets it here: the host's clock is everybody's. */
TEST(setting_refused)
{
	struct timespec t = { 1, -1 };
	struct timeval v = { 1, 1000001 };
	CALL(clock_settime(CLOCK_REALTIME, &t));
	CALL(syscall(SYS_settimeofday, &v, 0));
	t = (struct timespec){ -1, 0 };
	CALL(clock_settime(CLOCK_REALTIME, &t));
	t = (struct timespec){ 1, 0 };
	CALL(clock_settime(CLOCK_MONOTONIC, &t));
	CALL(clock_settime(CLOCK_PROCESS_CPUTIME_ID + 1, &t));
	CALL(syscall(SYS_clock_settime, 99, &t));
	CALL(syscall(SYS_clock_settime, CLOCK_REALTIME, 0));
}

TEST(wall_clock)
{
	struct timespec t;
	struct timeval v;
	time_t s = time(0);
	clock_gettime(CLOCK_REALTIME, &t);
	CALL(gettimeofday(&v, 0));
	VALUE(labs(t.tv_sec - s) <= 1);
	VALUE(labs(v.tv_sec - s) <= 1);
	/* Later than the day this was written. */
	VALUE(s > 1763000000);
	VALUE(time(&s) == s);
}

static int64_t slept(clockid_t clock, int flags, struct timespec limit)
{
	int64_t begin = now();
	int error = clock_nanosleep(clock, flags, &limit, 0);
	if (error) say("clock_nanosleep: %s", errname(error));
	return now() - begin;
}

TEST(sleeping)
{
	struct timespec t = for_ms(15), bad = { 0, 1000000000 }, negative = { -1, 0 };
	int64_t begin = now();
	CALL(nanosleep(&t, 0));
	VALUE(now() - begin >= 15 * MS);
	VALUE(slept(CLOCK_MONOTONIC, 0, for_ms(15)) >= 15 * MS);
	VALUE(slept(CLOCK_REALTIME, 0, for_ms(15)) >= 15 * MS);
	VALUE(slept(CLOCK_MONOTONIC, TIMER_ABSTIME, in_ms(CLOCK_MONOTONIC, 15)) >= 14 * MS);
	VALUE(slept(CLOCK_REALTIME, TIMER_ABSTIME, in_ms(CLOCK_REALTIME, 15)) >= 10 * MS);
	VALUE(slept(CLOCK_MONOTONIC, TIMER_ABSTIME, for_ms(1)) < 1000 * MS);
	CALL(nanosleep(&bad, 0));
	CALL(nanosleep(&negative, 0));
	RC(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, 0));
	RC(clock_nanosleep(99, 0, &t, 0));
	RC(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, 0));
	CALL(usleep(1000));
}

static void burn(long ms)
{
	int64_t end = now() + ms * MS;
	while (now() < end) {
	}
}

static int64_t cpu(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* Processor time grows with work, and not with sleep. */
TEST(processor_time)
{
	int64_t thread = cpu(CLOCK_THREAD_CPUTIME_ID), process = cpu(CLOCK_PROCESS_CPUTIME_ID);
	burn(50);
	VALUE(cpu(CLOCK_THREAD_CPUTIME_ID) > thread);
	VALUE(cpu(CLOCK_PROCESS_CPUTIME_ID) > process);
	thread = cpu(CLOCK_THREAD_CPUTIME_ID);
	pause_ms(300);
	VALUE(cpu(CLOCK_THREAD_CPUTIME_ID) - thread < 200 * MS);
	struct rusage usage;
	CALL(getrusage(RUSAGE_SELF, &usage));
	VALUE(usage.ru_utime.tv_sec + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec > 0);
	CALL(getrusage(RUSAGE_THREAD, &usage));
	CALL(getrusage(RUSAGE_CHILDREN, &usage));
	CALL(getrusage(77, &usage));
	struct tms tms;
	VALUE(times(&tms) > 0);
	VALUE(tms.tms_utime + tms.tms_stime >= 0);
	VALUE(clock() > 0);
}

static void *sleeps_a_little(void *number)
{
	long early = 0;
	for (int i = 0; i < 20; i++) {
		struct timespec t = { 0, 1 + (i * 137 + (long)number * 311) % 3000 * 1000 };
		int64_t begin = now();
		nanosleep(&t, 0);
		early += now() - begin < t.tv_nsec;
	}
	return (void *)early;
}

TEST(many_sleepers)
{
	pthread_t threads[30];
	long early = 0;
	for (int i = 0; i < 30; i++) threads[i] = start(sleeps_a_little, (void *)(intptr_t)i);
	for (int i = 0; i < 30; i++) early += (long)join(threads[i]);
	VALUE(early);
}

/* All processors show the same monotonic clock: what is passed on is never from the future. */
static int64_t latest;

static void *looks_at_clock(void *unused)
{
	long backwards = 0;
	(void)unused;
	for (int i = 0; i < 20000; i++) {
		int64_t before = __atomic_load_n(&latest, __ATOMIC_SEQ_CST), own = now();
		backwards += own < before;
		while (before < own && !__atomic_compare_exchange_n(&latest, &before, own, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		}
	}
	return (void *)backwards;
}

TEST(one_clock)
{
	pthread_t threads[4];
	latest = 0;
	for (int i = 0; i < 4; i++) threads[i] = start(looks_at_clock, 0);
	for (int i = 0; i < 4; i++) VALUE(join(threads[i]));
}

TEST(calendar)
{
	time_t t = 1700000000;
	struct tm tm;
	char text[64];
	gmtime_r(&t, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j", &tm);
	say("%s", text);
	VALUE(timegm(&tm));
	tm.tm_mon = 25;
	VALUE(timegm(&tm));
	t = -1;
	gmtime_r(&t, &tm);
	strftime(text, sizeof text, "%c", &tm);
	say("%s", text);
}

AREA(clock)
	T(clocks) T(setting_refused) T(wall_clock) T(sleeping) T(processor_time) T(many_sleepers) T(one_clock) T(calendar)
END
