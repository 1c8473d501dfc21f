/* epoll_wait(2) without waiting, when nothing is ready, with few and many descriptors watched. */
#include "micro.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { MOST = 10000 };

static int instance, watched[MOST], count;

static void close_all(void)
{
	while (count) close(watched[--count]);
	close(instance);
}

static const char *watch(int wanted)
{
	instance = epoll_create1(0);
	if (instance < 0) return "epoll_create1";
	while (count < wanted) {
		struct epoll_event event = { .events = EPOLLIN };
		int fd = eventfd(0, EFD_NONBLOCK);
		if (fd >= 0) watched[count++] = fd;
		if (fd < 0 || epoll_ctl(instance, EPOLL_CTL_ADD, fd, &event)) {
			int error = errno;
			close_all();
			errno = error;
			return "eventfd";
		}
	}
	return 0;
}

static const char *watch_1(void)
{
	return watch(1);
}

static const char *watch_100(void)
{
	return watch(100);
}

static const char *watch_10000(void)
{
	return watch(MOST);
}

static void run_wait(unsigned long n)
{
	struct epoll_event events[16];
	for (; n; n--)
		if (epoll_wait(instance, events, 16, 0)) {
			perror("epoll_wait");
			exit(1);
		}
}

const struct operation epoll_operations[] = {
	{ "epoll_wait_1", watch_1, run_wait, close_all },
	{ "epoll_wait_100", watch_100, run_wait, close_all },
	{ "epoll_wait_10000", watch_10000, run_wait, close_all },
	{ 0 },
};
