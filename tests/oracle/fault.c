/* Bad pointers: EFAULT from each call that takes one. */
#include "oracle.h"
#include "inet.h"
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>

/* An address with nothing mapped, as one that a program may come by. */
static void *bad;
static int fds[2];

/* Not all calls can be made through the C library, which looks at some arguments itself. */
#define RAW(name, ...) CALL(syscall(SYS_##name, __VA_ARGS__))

static void begin(void)
{
	bad = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void end(void)
{
	munmap(bad, 4096);
}

TEST(reading_and_writing)
{
	begin();
	if (pipe(fds)) return;
	RAW(write, fds[1], bad, 1);
	RAW(write, fds[1], bad, 0);
	RAW(write, fds[1], "ok", 2);
	RAW(read, fds[0], bad, 1);
	RAW(read, fds[0], 0, 1);
	RAW(read, fds[0], -1, 1);
	char bytes[2];
	RAW(read, fds[0], bytes, 2);
	RAW(writev, fds[1], bad, 1);
	struct iovec part = { bad, 1 };
	RAW(writev, fds[1], &part, 1);
	RAW(pipe2, bad, 0);
	RAW(pipe2, 0, 0);
	RAW(socketpair, AF_UNIX, SOCK_STREAM, 0, bad);
	RAW(ioctl, fds[0], FIONREAD, bad);
	RAW(fcntl, fds[0], F_GETLK, bad);
	close(fds[0]);
	close(fds[1]);
	end();
}

/* A buffer that ends in unmapped memory: what can be moved is. */
TEST(half_a_buffer)
{
	char *two = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(two + 4096, 4096);
	memset(two, 'x', 4096);
	in_empty_directory();
	int fd = open("file", O_CREAT | O_RDWR, 0600);
	CALL(write(fd, two + 4090, 6));
	CALL(write(fd, two + 4096, 6));
	CALL(pread(fd, two + 4096, 6, 0));
	CALL(getrandom(two + 4096, 10, 0));
	close(fd);
	munmap(two, 4096);
}

TEST(paths)
{
	begin();
	RAW(open, bad, O_RDONLY, 0);
	RAW(open, 0, O_RDONLY, 0);
	RAW(openat, AT_FDCWD, bad, O_RDONLY, 0);
	RAW(stat, bad, bad);
	RAW(stat, "/", bad);
	RAW(lstat, "/", bad);
	RAW(fstat, 1, bad);
	RAW(newfstatat, AT_FDCWD, "/", bad, 0);
	RAW(statx, AT_FDCWD, "/", 0, 0x7ff, bad);
	RAW(access, bad, 0);
	RAW(mkdir, bad, 0755);
	RAW(rmdir, bad);
	RAW(unlink, bad);
	RAW(rename, bad, "/tmp/x");
	RAW(rename, "/tmp", bad);
	RAW(link, bad, "/tmp/x");
	RAW(symlink, bad, "/tmp/x");
	RAW(readlink, bad, bad, 10);
	RAW(readlink, "/proc/self/exe", bad, 10);
	RAW(chdir, bad);
	RAW(chmod, bad, 0600);
	RAW(truncate, bad, 10);
	RAW(getcwd, bad, 4096);
	RAW(statfs, "/", bad);
	RAW(utimensat, AT_FDCWD, "/tmp", bad, 0);
	int fd = open("/", O_RDONLY);
	RAW(getdents64, fd, bad, 4096);
	RAW(fstatfs, fd, bad);
	close(fd);
	end();
}

TEST(events)
{
	begin();
	int epoll = epoll_create1(0);
	if (pipe(fds)) return;
	CALL(write(fds[1], "x", 1));
	struct epoll_event event = { .events = EPOLLIN };
	RAW(epoll_ctl, epoll, EPOLL_CTL_ADD, fds[0], bad);
	RAW(epoll_ctl, epoll, EPOLL_CTL_ADD, fds[0], &event);
	RAW(epoll_wait, epoll, bad, 1, 0);
	RAW(epoll_ctl, epoll, EPOLL_CTL_DEL, fds[0], bad);
	RAW(epoll_pwait, epoll, &event, 1, 0, bad, 8);
	RAW(poll, bad, 1, 0);
	RAW(poll, 0, 1, 0);
	RAW(ppoll, bad, 1, 0, 0, 8);
	RAW(ppoll, 0, 0, bad, 0, 8);
	RAW(ppoll, 0, 0, 0, bad, 8);
	RAW(select, 10, bad, 0, 0, 0);
	RAW(select, 0, 0, 0, 0, bad);
	RAW(pselect6, 10, 0, bad, 0, 0, 0);
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	RAW(timerfd_settime, timer, 0, bad, 0);
	RAW(timerfd_settime, timer, 0, 0, 0);
	struct itimerspec setting = { { 0, 0 }, { 0, 0 } };
	RAW(timerfd_settime, timer, 0, &setting, bad);
	RAW(timerfd_gettime, timer, bad);
	close(timer);
	close(epoll);
	close(fds[0]);
	close(fds[1]);
	end();
}

TEST(sockets)
{
	begin();
	char byte;
	int fd = listener(1), value = 1;
	socklen_t size = 16;
	struct sockaddr_in name = loopback(port_of(fd));
	int client = socket(AF_INET, SOCK_STREAM, 0);
	RAW(bind, client, bad, 16);
	RAW(connect, client, bad, 16);
	RAW(getsockname, fd, bad, &size);
	RAW(getsockname, fd, &name, bad);
	RAW(setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, bad, 4);
	RAW(getsockopt, fd, SOL_SOCKET, SO_TYPE, bad, &size);
	RAW(getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, bad);
	RAW(connect, client, &name, 16);
	RAW(accept, fd, bad, &size);
	/* The connection is gone with that. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	RAW(accept, fd, 0, 0);
	RAW(sendto, client, bad, 1, MSG_NOSIGNAL, 0, 0);
	RAW(sendmsg, client, bad, MSG_NOSIGNAL);
	RAW(recvmsg, client, bad, 0);
	close(client);
	close(fd);
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(send(fds[0], "xy", 2, 0));
	RAW(recvfrom, fds[1], bad, 1, 0, 0, 0);
	RAW(recvfrom, fds[1], &byte, 1, 0, 0, 0);
	close(fds[0]);
	close(fds[1]);
	end();
}

TEST(times_and_signals)
{
	begin();
	struct timespec none = { 0, 0 };
	RAW(nanosleep, bad, 0);
	RAW(nanosleep, 0, 0);
	RAW(clock_gettime, CLOCK_MONOTONIC, bad);
	RAW(clock_getres, CLOCK_MONOTONIC, bad);
	RAW(clock_nanosleep, CLOCK_MONOTONIC, 0, bad, 0);
	RAW(gettimeofday, bad, 0);
	RAW(time, bad);
	RAW(times, bad);
	RAW(getrusage, RUSAGE_SELF, bad);
	RAW(setitimer, ITIMER_REAL, bad, 0);
	RAW(getitimer, ITIMER_REAL, bad);
	RAW(rt_sigaction, SIGUSR1, bad, 0, 8);
	RAW(rt_sigaction, SIGUSR1, 0, bad, 8);
	RAW(rt_sigprocmask, SIG_BLOCK, bad, 0, 8);
	RAW(rt_sigprocmask, SIG_BLOCK, 0, bad, 8);
	RAW(rt_sigpending, bad, 8);
	RAW(rt_sigsuspend, bad, 8);
	RAW(rt_sigtimedwait, bad, 0, &none, 8);
	RAW(sigaltstack, bad, 0);
	RAW(sigaltstack, 0, bad);
	end();
}

TEST(system_calls)
{
	begin();
	RAW(uname, bad);
	RAW(sysinfo, bad);
	RAW(getrandom, bad, 10, 0);
	RAW(getrlimit, RLIMIT_NOFILE, bad);
	RAW(setrlimit, RLIMIT_NOFILE, bad);
	RAW(prlimit64, 0, RLIMIT_NOFILE, 0, bad);
	RAW(sched_getaffinity, 0, 128, bad);
	RAW(sched_setaffinity, 0, 128, bad);
	RAW(sched_getparam, 0, bad);
	RAW(getresuid, bad, bad, bad);
	RAW(mincore, bad, 4096, bad);
	RAW(futex, bad, 0, 0, 0, 0, 0);
	RAW(futex, 0, 1, 0, 0, 0, 0);
	RAW(get_robust_list, 0, bad, bad);
	RAW(getcpu, bad, 0, 0);
	end();
}

AREA(fault)
	T(reading_and_writing) T(half_a_buffer) T(paths) T(events) T(sockets) T(times_and_signals) T(system_calls)
END
