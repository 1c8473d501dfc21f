/* eventfd(2) and timerfd_create(2). */
#include "oracle.h"
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static uint64_t number;

static long add(int fd, uint64_t value)
{
	return write(fd, &value, sizeof value);
}

TEST(counter)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	CALL(read(fd, &number, 8));
	VALUE(number);
	CALL(read(fd, &number, 8));
	CALL(add(fd, 5));
	CALL(add(fd, 6));
	CALL(read(fd, &number, 100));
	VALUE(number);
	CALL(read(fd, &number, 7));
	CALL(write(fd, &number, 4));
	CALL(add(fd, UINT64_MAX));
	CALL(add(fd, UINT64_MAX - 1));
	CALL(add(fd, 1));
	CALL(add(fd, 0));
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	CALL(poll(&p, 1, 0));
	VALUE(p.revents);
	CALL(read(fd, &number, 8));
	VALUE(number == UINT64_MAX - 1);
	CALL(poll(&p, 1, 0));
	VALUE(p.revents);
	close(fd);
	CALL(eventfd(0, 0x123456));
}

TEST(semaphore)
{
	int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	CALL(fcntl(fd, F_GETFD));
	CALL(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
	CALL(read(fd, &number, 8));
	VALUE(number);
	CALL(read(fd, &number, 8));
	CALL(read(fd, &number, 8));
	close(fd);
}

static void *takes(void *fd)
{
	uint64_t value, sum = 0;
	while (sum < 1000 && read((int)(intptr_t)fd, &value, 8) == 8) sum += value;
	return (void *)sum;
}

TEST(blocking)
{
	int fd = eventfd(0, 0);
	pthread_t thread = start(takes, (void *)(intptr_t)fd);
	for (int i = 0; i < 1000; i++) add(fd, 1);
	VALUE(join(thread));
	close(fd);
}

TEST(timer_once)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct itimerspec setting = { { 0, 0 }, { 0, 20 * MS } }, old;
	int64_t begin = now();
	CALL(timerfd_settime(fd, 0, &setting, &old));
	say("before: %ld %ld", (long)old.it_value.tv_sec, old.it_value.tv_nsec);
	CALL(timerfd_gettime(fd, &old));
	VALUE(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20 * MS);
	CALL(read(fd, &number, 8));
	VALUE(number);
	VALUE(now() - begin >= 20 * MS);
	CALL(timerfd_gettime(fd, &old));
	VALUE(old.it_value.tv_nsec);
	CALL(fcntl(fd, F_SETFL, O_NONBLOCK));
	CALL(read(fd, &number, 8));
	CALL(read(fd, &number, 7));
	CALL(write(fd, &number, 8));
	close(fd);
}

TEST(timer_repeats)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec setting = { { 0, 5 * MS }, { 0, 5 * MS } }, off = { { 0, 0 }, { 0, 0 } }, old;
	struct pollfd p = { fd, POLLIN, 0 };
	CALL(timerfd_settime(fd, 0, &setting, 0));
	CALL(poll(&p, 1, -1));
	pause_ms(30);
	CALL(read(fd, &number, 8));
	VALUE(number >= 5);
	CALL(timerfd_settime(fd, 0, &off, &old));
	VALUE(old.it_interval.tv_nsec);
	CALL(poll(&p, 1, 20));
	/* Setting it again forgets expirations that nobody read. */
	CALL(timerfd_settime(fd, 0, &setting, 0));
	pause_ms(20);
	setting.it_value.tv_sec = 100;
	CALL(timerfd_settime(fd, 0, &setting, 0));
	CALL(read(fd, &number, 8));
	close(fd);
}

TEST(timer_absolute)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec setting = { { 0, 0 }, { 0, 0 } };
	setting.it_value = in_ms(CLOCK_MONOTONIC, 20);
	int64_t begin = now();
	CALL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, 0));
	CALL(read(fd, &number, 8));
	VALUE(now() - begin >= 19 * MS);
	setting.it_value = (struct timespec){ 0, 1 };
	CALL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, 0));
	CALL(read(fd, &number, 8));
	VALUE(number);
	close(fd);
	fd = timerfd_create(CLOCK_REALTIME, 0);
	setting.it_value = in_ms(CLOCK_REALTIME, 20);
	CALL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, 0));
	CALL(read(fd, &number, 8));
	VALUE(number);
	close(fd);
}

TEST(timer_refused)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec bad = { { 0, 0 }, { 0, 1000000000 } }, negative = { { 0, 0 }, { -1, 0 } };
	CALL(timerfd_settime(fd, 0, &bad, 0));
	CALL(timerfd_settime(fd, 0, &negative, 0));
	CALL(timerfd_settime(fd, 77, &negative, 0));
	CALL(timerfd_create(CLOCK_THREAD_CPUTIME_ID, 0));
	CALL(timerfd_create(CLOCK_MONOTONIC, 1));
	CALL(timerfd_create(77, 0));
	CALL(timerfd_gettime(1, &bad));
	CALL(timerfd_gettime(99, &bad));
	close(fd);
}

static void *adds_later(void *fd)
{
	pause_ms(20);
	add((int)(intptr_t)fd, 1);
	return 0;
}

/* The writer blocks while the counter is full. */
TEST(full_counter)
{
	int fd = eventfd(0, 0);
	CALL(add(fd, UINT64_MAX - 1));
	pthread_t thread = start(adds_later, (void *)(intptr_t)fd);
	pause_ms(40);
	CALL(read(fd, &number, 8));
	join(thread);
	CALL(read(fd, &number, 8));
	VALUE(number);
	close(fd);
}

AREA(event)
	T(counter) T(semaphore) T(blocking) T(full_counter) T(timer_once) T(timer_repeats) T(timer_absolute) T(timer_refused)
END
