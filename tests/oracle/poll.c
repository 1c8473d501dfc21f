/* poll(2), ppoll(2), select(2), pselect(2). */
#include "oracle.h"
#include <sys/select.h>

static int fds[2];

static void end(void)
{
	close(fds[0]);
	close(fds[1]);
}

static void look(const char *when, int fd, short events)
{
	struct pollfd p = { fd, events, 0x7fff };
	int count = poll(&p, 1, 0);
	say("%s: %d, %#x", when, count, p.revents);
}

TEST(pipes)
{
	char byte;
	if (pipe(fds)) return;
	look("empty", fds[0], POLLIN);
	look("writable", fds[1], POLLOUT);
	look("writable, asked for reading", fds[1], POLLIN);
	CALL(write(fds[1], "x", 1));
	look("one byte", fds[0], POLLIN | POLLRDNORM);
	look("one byte, asked for writing", fds[0], POLLOUT);
	close(fds[1]);
	look("byte and end", fds[0], POLLIN);
	CALL(read(fds[0], &byte, 1));
	look("end", fds[0], POLLIN);
	look("end, asked for nothing", fds[0], 0);
	close(fds[0]);
	if (pipe(fds)) return;
	close(fds[0]);
	look("no reader", fds[1], POLLOUT);
	close(fds[1]);
}

TEST(others)
{
	struct pollfd p[2] = { { 99, POLLIN, 0 }, { -1, POLLIN, 5 } };
	CALL(poll(p, 2, -1));
	say("%#x %#x", p[0].revents, p[1].revents);
	in_empty_directory();
	int file = open("file", O_CREAT | O_RDWR, 0600);
	look("a file", file, POLLIN | POLLOUT | POLLPRI);
	close(file);
	int null = open("/dev/null", O_RDWR);
	look("/dev/null", null, POLLIN | POLLOUT);
	close(null);
	CALL(poll(0, 0, 0));
}

TEST(limits)
{
	struct timespec limit = for_ms(20), bad = { 0, 1000000000 };
	if (pipe(fds)) return;
	struct pollfd p = { fds[0], POLLIN, 0 };
	int64_t begin = now();
	CALL(poll(&p, 1, 20));
	VALUE(now() - begin >= 20 * MS);
	begin = now();
	CALL(ppoll(&p, 1, &limit, 0));
	VALUE(now() - begin >= 20 * MS);
	CALL(ppoll(&p, 1, &bad, 0));
	begin = now();
	CALL(poll(0, 0, 20));
	VALUE(now() - begin >= 20 * MS);
	CALL(poll(&p, 1, 0));
	end();
}

static void *writes_later(void *unused)
{
	pause_ms(20);
	if (write(fds[1], "x", 1) != 1) return (void *)1;
	return unused;
}

TEST(woken)
{
	if (pipe(fds)) return;
	struct pollfd p[2] = { { fds[0], POLLIN, 0 }, { fds[0], POLLIN, 0 } };
	pthread_t thread = start(writes_later, 0);
	CALL(poll(p, 2, -1));
	say("%#x %#x", p[0].revents, p[1].revents);
	join(thread);
	end();
}

static void show(const char *what, fd_set *set)
{
	say("%s: %d %d", what, FD_ISSET(fds[0], set) != 0, FD_ISSET(fds[1], set) != 0);
}

TEST(sets)
{
	fd_set reading, writing, failing;
	struct timeval limit = { 0, 20000 }, none = { 0, 0 }, negative = { -1, 0 };
	if (pipe(fds)) return;
	int top = (fds[0] > fds[1] ? fds[0] : fds[1]) + 1;
	for (int ready = 0; ready < 2; ready++) {
		FD_ZERO(&reading);
		FD_ZERO(&writing);
		FD_ZERO(&failing);
		FD_SET(fds[0], &reading);
		FD_SET(fds[1], &writing);
		FD_SET(fds[0], &failing);
		CALL(select(top, &reading, &writing, &failing, &none));
		show("reading", &reading);
		show("writing", &writing);
		show("failing", &failing);
		CALL(write(fds[1], "x", 1));
	}
	char bytes[2];
	CALL(read(fds[0], bytes, 2));
	FD_ZERO(&reading);
	FD_SET(fds[0], &reading);
	int64_t begin = now();
	CALL(select(top, &reading, 0, 0, &limit));
	VALUE(now() - begin >= 20 * MS);
	say("left %ld %ld", (long)limit.tv_sec, (long)limit.tv_usec);
	show("reading", &reading);
	limit = (struct timeval){ 0, 10000 };
	CALL(select(0, 0, 0, 0, &limit));
	CALL(select(-1, 0, 0, 0, &none));
	CALL(select(top, &reading, 0, 0, &negative));
	FD_SET(99, &reading);
	CALL(select(100, &reading, 0, 0, &none));
	CALL(select(99, &reading, 0, 0, &none));
	close(fds[1]);
	FD_ZERO(&reading);
	FD_SET(fds[0], &reading);
	CALL(select(top, &reading, 0, 0, 0));
	show("end", &reading);
	close(fds[0]);
}

TEST(pselect_limit)
{
	fd_set reading;
	struct timespec limit = for_ms(20), bad = { 0, -1 };
	if (pipe(fds)) return;
	FD_ZERO(&reading);
	FD_SET(fds[0], &reading);
	CALL(pselect(fds[0] + 1, &reading, 0, 0, &limit, 0));
	VALUE(limit.tv_nsec);
	CALL(pselect(fds[0] + 1, &reading, 0, 0, &bad, 0));
	end();
}

AREA(poll)
	T(pipes) T(others) T(limits) T(woken) T(sets) T(pselect_limit)
END
