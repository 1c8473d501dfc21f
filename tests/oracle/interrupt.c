/* Calls that a signal interrupts, with and without SA_RESTART; timers that send one. */
#include "oracle.h"
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/select.h>

static volatile sig_atomic_t calls;
static int fds[2];

static void counts(int signal)
{
	(void)signal;
	calls++;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	sigaction(signal, &action, 0);
	calls = 0;
}

static int interrupted;

/* Sends signals until one has come while the call was at work. */
static void *interrupts(void *thread)
{
	do {
		pause_ms(20);
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	} while (!__atomic_load_n(&interrupted, __ATOMIC_SEQ_CST));
	return 0;
}

/* Sends signals, and then lets the call end. */
static void *interrupts_and_writes(void *thread)
{
	for (int i = 0; i < 5; i++) {
		pause_ms(10);
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	}
	pause_ms(10);
	if (write(fds[1], "x", 1) != 1) return (void *)1;
	return 0;
}

#define INTERRUPTED(call) do { \
	interrupted = 0; \
	pthread_t self_ = pthread_self(), other_ = start(interrupts, &self_); \
	CALL(call); \
	__atomic_store_n(&interrupted, 1, __ATOMIC_SEQ_CST); \
	join(other_); } while (0)

TEST(without_restart)
{
	char byte;
	struct timespec long_time = { 1000, 0 }, rest;
	struct pollfd p;
	struct epoll_event event;
	fd_set set;
	sigset_t none;
	sem_t semaphore;
	int word = 0, epoll = epoll_create1(0);
	if (pipe(fds)) return;
	sigemptyset(&none);
	p = (struct pollfd){ fds[0], POLLIN, 0 };
	sem_init(&semaphore, 0, 0);
	handle(SIGUSR1, counts, 0);
	INTERRUPTED(read(fds[0], &byte, 1));
	INTERRUPTED(nanosleep(&long_time, &rest));
	VALUE(rest.tv_sec >= 900 && rest.tv_sec < 1000);
	INTERRUPTED(poll(&p, 1, -1));
	INTERRUPTED(ppoll(&p, 1, 0, &none));
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	INTERRUPTED(select(fds[0] + 1, &set, 0, 0, 0));
	INTERRUPTED(epoll_wait(epoll, &event, 1, -1));
	INTERRUPTED(syscall(SYS_futex, &word, FUTEX_WAIT, 0, 0, 0, 0));
	INTERRUPTED(pause());
	INTERRUPTED(sem_wait(&semaphore));
	VALUE(calls >= 9);
	close(fds[0]);
	close(fds[1]);
	close(epoll);
	handle(SIGUSR1, SIG_DFL, 0);
}

#define RESTARTED(call) do { \
	pthread_t self_ = pthread_self(), other_ = start(interrupts_and_writes, &self_); \
	CALL(call); \
	join(other_); } while (0)

TEST(with_restart)
{
	char byte;
	struct pollfd p;
	struct epoll_event event;
	int epoll = epoll_create1(0);
	if (pipe(fds)) return;
	p = (struct pollfd){ fds[0], POLLIN, 0 };
	event.events = EPOLLIN;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
	handle(SIGUSR1, counts, SA_RESTART);
	RESTARTED(read(fds[0], &byte, 1));
	/* These are interrupted all the same. */
	INTERRUPTED(poll(&p, 1, -1));
	INTERRUPTED(epoll_wait(epoll, &event, 1, -1));
	VALUE(calls >= 3);
	close(fds[0]);
	close(fds[1]);
	close(epoll);
	handle(SIGUSR1, SIG_DFL, 0);
}

TEST(broken_pipe)
{
	handle(SIGPIPE, counts, 0);
	if (pipe(fds)) return;
	close(fds[0]);
	CALL(write(fds[1], "x", 1));
	VALUE(calls);
	handle(SIGPIPE, SIG_IGN, 0);
	CALL(write(fds[1], "x", 1));
	close(fds[1]);
	handle(SIGPIPE, counts, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	close(fds[0]);
	CALL(send(fds[1], "x", 1, MSG_NOSIGNAL));
	VALUE(calls);
	CALL(send(fds[1], "x", 1, 0));
	VALUE(calls);
	close(fds[1]);
	handle(SIGPIPE, SIG_DFL, 0);
}

TEST(alarm_clock)
{
	sigset_t set, old;
	handle(SIGALRM, counts, 0);
	CALL(alarm(100));
	CALL(alarm(0));
	CALL(alarm(0));
	/* Blocked until it is waited for, however late that is. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	CALL(alarm(1));
	CALL(sigsuspend(&old));
	pthread_sigmask(SIG_SETMASK, &old, 0);
	VALUE(calls);
	handle(SIGALRM, SIG_DFL, 0);
}

TEST(interval_timer)
{
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } }, off = { { 0, 0 }, { 0, 0 } }, old, bad = { { 0, 0 }, { 0, 1000000 } };
	handle(SIGALRM, counts, SA_RESTART);
	CALL(setitimer(ITIMER_REAL, &every, 0));
	while (calls < 5) pause();
	CALL(getitimer(ITIMER_REAL, &old));
	say("interval %ld, %d", (long)old.it_interval.tv_usec, old.it_value.tv_sec == 0 && old.it_value.tv_usec <= 5000);
	CALL(setitimer(ITIMER_REAL, &off, &old));
	calls = 0;
	pause_ms(20);
	VALUE(calls);
	CALL(getitimer(ITIMER_REAL, &old));
	say("%ld %ld", (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
	CALL(setitimer(ITIMER_REAL, &bad, 0));
	CALL(setitimer(99, &off, 0));
	handle(SIGALRM, SIG_DFL, 0);
}

/* A blocked signal that is pending is let in by the mask of the call, and only by it. */
TEST(masks_of_calls)
{
	sigset_t set, empty;
	struct pollfd p;
	struct timespec limit = { 1000, 0 };
	struct epoll_event event;
	fd_set fdset;
	int epoll = epoll_create1(0);
	if (pipe(fds)) return;
	p = (struct pollfd){ fds[0], POLLIN, 0 };
	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	handle(SIGUSR1, counts, 0);
	pthread_sigmask(SIG_BLOCK, &set, 0);
	raise(SIGUSR1);
	FD_ZERO(&fdset);
	FD_SET(fds[0], &fdset);
	CALL(pselect(fds[0] + 1, &fdset, 0, 0, &limit, &empty));
	VALUE(calls);
	raise(SIGUSR1);
	CALL(ppoll(&p, 1, &limit, &empty));
	VALUE(calls);
	raise(SIGUSR1);
	CALL(epoll_pwait(epoll, &event, 1, -1, &empty));
	VALUE(calls);
	/* Ready and a signal: readiness is the answer, and the signal stays pending where it is still blocked. */
	raise(SIGUSR1);
	if (write(fds[1], "x", 1) != 1) return;
	CALL(ppoll(&p, 1, &limit, &set));
	VALUE(calls);
	pthread_sigmask(SIG_UNBLOCK, &set, 0);
	VALUE(calls);
	close(fds[0]);
	close(fds[1]);
	close(epoll);
	handle(SIGUSR1, SIG_DFL, 0);
}

/* Many signals while a call blocks again and again: none hangs, none is counted twice. */
static volatile int stop;

static void *fires(void *thread)
{
	for (int i = 0; i < 200; i++) {
		int before = calls;
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		UNTIL(__atomic_load_n(&calls, __ATOMIC_SEQ_CST) > before);
	}
	stop = 1;
	if (write(fds[1], "x", 1) != 1) return (void *)1;
	return 0;
}

TEST(storm)
{
	char byte;
	long got;
	if (pipe(fds)) return;
	stop = 0;
	handle(SIGUSR1, counts, 0);
	pthread_t self = pthread_self(), thread = start(fires, &self);
	do got = read(fds[0], &byte, 1);
	while (got == -1 && errno == EINTR);
	VALUE(got);
	VALUE(stop);
	join(thread);
	VALUE(calls);
	close(fds[0]);
	close(fds[1]);
	handle(SIGUSR1, SIG_DFL, 0);
}

/* A handler runs although the thread makes no call. */
static void *interrupts_soon(void *thread)
{
	pause_ms(10);
	pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return 0;
}

TEST(while_computing)
{
	handle(SIGUSR1, counts, 0);
	pthread_t self = pthread_self(), thread = start(interrupts_soon, &self);
	int64_t end = now() + 5000 * MS;
	long spins = 0;
	/* One call in a great many: the clock. */
	while (!calls && (++spins % 1000000 || now() < end)) {
	}
	VALUE(calls);
	join(thread);
	handle(SIGUSR1, SIG_DFL, 0);
}

AREA(interrupt)
	T(without_restart) T(with_restart) T(broken_pipe) T(alarm_clock) T(interval_timer) T(masks_of_calls) T(storm)
	T(while_computing)
END
