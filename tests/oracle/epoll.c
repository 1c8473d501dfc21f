/* epoll(7). */
#include "oracle.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int epoll, fds[2];

static long control(int op, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = 0x1122334455667788 };
	return epoll_ctl(epoll, op, fd, &event);
}

/* What epoll_wait(2) reports at once, as one number: count and the events of the first. */
static void look(const char *when)
{
	struct epoll_event events[8];
	memset(events, 0, sizeof events);
	int count = epoll_wait(epoll, events, 8, 0);
	if (count < 0) say("%s: %s", when, errname(errno));
	else if (count == 0) say("%s: nothing", when);
	else say("%s: %d, %#x, data %d", when, count, events[0].events, events[0].data.u64 == 0x1122334455667788);
}

static void begin(void)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (pipe(fds)) say("no pipe");
}

static void end(void)
{
	close(epoll);
	close(fds[0]);
	close(fds[1]);
}

static void put(void)
{
	if (write(fds[1], "x", 1) != 1) say("cannot write");
}

static void get(void)
{
	char byte;
	if (read(fds[0], &byte, 1) != 1) say("cannot read");
}

TEST(level_triggered)
{
	begin();
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN));
	look("empty");
	put();
	look("one byte");
	look("again");
	get();
	look("taken");
	CALL(control(EPOLL_CTL_ADD, fds[1], EPOLLOUT));
	look("writable");
	CALL(control(EPOLL_CTL_DEL, fds[1], 0));
	close(fds[1]);
	look("hung up");
	fds[1] = open("/dev/null", O_WRONLY);
	end();
}

TEST(edge_triggered)
{
	begin();
	put();
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN | EPOLLET));
	look("added ready");
	look("again");
	put();
	look("one more byte");
	get();
	look("one of two taken");
	get();
	look("both taken");
	put();
	look("new byte");
	CALL(control(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET));
	look("modified");
	look("again");
	get();
	end();
}

TEST(one_shot)
{
	begin();
	put();
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN | EPOLLONESHOT));
	look("first");
	put();
	look("second");
	CALL(control(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT));
	look("armed again");
	look("again");
	end();
}

TEST(refused)
{
	begin();
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN));
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN));
	CALL(control(EPOLL_CTL_MOD, fds[1], EPOLLIN));
	CALL(control(EPOLL_CTL_DEL, fds[1], 0));
	CALL(control(EPOLL_CTL_DEL, fds[0], 0));
	CALL(control(EPOLL_CTL_DEL, fds[0], 0));
	CALL(control(EPOLL_CTL_ADD, 99, EPOLLIN));
	CALL(control(EPOLL_CTL_ADD, epoll, EPOLLIN));
	CALL(control(77, fds[0], EPOLLIN));
	int file = open("/dev/null", O_RDONLY), directory = open("/", O_RDONLY);
	CALL(control(EPOLL_CTL_ADD, directory, EPOLLIN));
	CALL(epoll_ctl(file, EPOLL_CTL_ADD, fds[0], &(struct epoll_event){ 0 }));
	CALL(epoll_ctl(99, EPOLL_CTL_ADD, fds[0], &(struct epoll_event){ 0 }));
	struct epoll_event event;
	CALL(epoll_wait(epoll, &event, 0, 0));
	CALL(epoll_wait(epoll, &event, -1, 0));
	CALL(epoll_wait(99, &event, 1, 0));
	CALL(epoll_wait(file, &event, 1, 0));
	CALL(epoll_create1(0x1234));
	CALL(epoll_create(0));
	CALL(read(epoll, &event, 1));
	close(file);
	close(directory);
	end();
}

TEST(nested)
{
	begin();
	int outer = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN));
	CALL(epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &event));
	CALL(epoll_wait(outer, &event, 1, 0));
	put();
	CALL(epoll_wait(outer, &event, 1, -1));
	VALUE(event.events);
	struct pollfd p = { epoll, POLLIN, 0 };
	CALL(poll(&p, 1, 0));
	get();
	CALL(epoll_wait(outer, &event, 1, 0));
	CALL(poll(&p, 1, 0));
	event.events = EPOLLIN;
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, outer, &event));
	close(outer);
	end();
}

/* A descriptor is forgotten when the last one for its open file is closed, not before. */
TEST(closing)
{
	begin();
	put();
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN));
	int copy = dup(fds[0]);
	close(fds[0]);
	look("closed, a copy is open");
	CALL(control(EPOLL_CTL_DEL, fds[0], 0));
	close(copy);
	look("closed");
	fds[0] = open("/dev/null", O_RDONLY);
	end();
}

/* The same open file under two numbers is two entries; a number given to another file is another entry. */
TEST(copies)
{
	begin();
	put();
	int copy = dup(fds[0]);
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN));
	CALL(control(EPOLL_CTL_ADD, copy, EPOLLIN));
	look("two");
	CALL(control(EPOLL_CTL_DEL, copy, 0));
	look("one");
	close(copy);
	int event = eventfd(1, 0);
	CALL(event == copy);
	CALL(control(EPOLL_CTL_ADD, event, EPOLLIN));
	look("pipe and eventfd");
	close(event);
	look("pipe");
	end();
}

TEST(exceptional_always)
{
	begin();
	CALL(control(EPOLL_CTL_ADD, fds[0], 0));
	CALL(control(EPOLL_CTL_ADD, fds[1], 0));
	look("asked for nothing");
	close(fds[1]);
	look("writer gone");
	fds[1] = open("/dev/null", O_RDONLY);
	end();
	begin();
	CALL(control(EPOLL_CTL_ADD, fds[1], EPOLLIN));
	close(fds[0]);
	look("reader gone");
	fds[0] = open("/dev/null", O_RDONLY);
	end();
}

static void *writes_later(void *unused)
{
	pause_ms(20);
	put();
	return unused;
}

TEST(waiting)
{
	struct epoll_event event;
	begin();
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN));
	int64_t start_time = now();
	CALL(epoll_wait(epoll, &event, 1, 20));
	VALUE(now() - start_time >= 20 * MS);
	pthread_t thread = start(writes_later, 0);
	CALL(epoll_wait(epoll, &event, 1, -1));
	join(thread);
	get();
	struct timespec limit = for_ms(10), none = { 0, 0 };
	CALL(syscall(SYS_epoll_pwait2, epoll, &event, 1, &limit, 0, 8));
	CALL(syscall(SYS_epoll_pwait2, epoll, &event, 1, &none, 0, 8));
	end();
}

static void *adds_later(void *unused)
{
	pause_ms(20);
	return (void *)(control(EPOLL_CTL_ADD, fds[0], EPOLLIN) + (unused != 0));
}

/* What is added while another thread waits counts for it. */
TEST(added_meanwhile)
{
	struct epoll_event event;
	begin();
	put();
	pthread_t thread = start(adds_later, 0);
	CALL(epoll_wait(epoll, &event, 1, -1));
	VALUE(join(thread));
	end();
}

static int taken;

static void *takes(void *unused)
{
	struct epoll_event event;
	while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < 2000) {
		if (epoll_wait(epoll, &event, 1, 10) != 1) continue;
		char byte;
		if (read(fds[0], &byte, 1) == 1) __atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
	}
	return unused;
}

TEST(several_waiters)
{
	begin();
	taken = 0;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	CALL(control(EPOLL_CTL_ADD, fds[0], EPOLLIN));
	pthread_t threads[4];
	for (int i = 0; i < 4; i++) threads[i] = start(takes, 0);
	for (int i = 0; i < 2000; i++) put();
	for (int i = 0; i < 4; i++) join(threads[i]);
	VALUE(taken);
	end();
}

/* As a scheduler does: re-arm a one-shot entry by each read, with many entries. */
TEST(many_entries)
{
	enum { COUNT = 50 };
	int pairs[COUNT][2];
	long events = 0;
	begin();
	for (int i = 0; i < COUNT; i++) {
		if (pipe(pairs[i])) say("no pipe");
		struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u32 = i };
		epoll_ctl(epoll, EPOLL_CTL_ADD, pairs[i][0], &event);
	}
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < COUNT; i++)
			if (write(pairs[i][1], "x", 1) != 1) say("cannot write");
		for (int seen = 0; seen < COUNT;) {
			struct epoll_event found[16];
			int n = epoll_wait(epoll, found, 16, -1);
			if (n <= 0) break;
			for (int k = 0; k < n; k++) {
				char byte;
				int i = found[k].data.u32;
				events += read(pairs[i][0], &byte, 1);
				struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u32 = i };
				epoll_ctl(epoll, EPOLL_CTL_MOD, pairs[i][0], &event);
			}
			seen += n;
		}
	}
	VALUE(events);
	for (int i = 0; i < COUNT; i++) close(pairs[i][0]), close(pairs[i][1]);
	end();
}

AREA(epoll)
	T(level_triggered) T(edge_triggered) T(one_shot) T(refused) T(nested) T(closing) T(copies) T(exceptional_always)
	T(waiting) T(added_meanwhile) T(several_waiters) T(many_entries)
END
