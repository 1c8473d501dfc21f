/* Signals: dispositions, masks, handlers, waiting for them. */
#include "oracle.h"
#include <setjmp.h>
#include <sys/resource.h>

static volatile sig_atomic_t calls, last, code, sender_is_self, on_alternate;
static volatile unsigned long blocked_inside;
static char alternate[65536];

static unsigned long blocked(void)
{
	sigset_t mask;
	unsigned long bits = 0;
	pthread_sigmask(SIG_SETMASK, 0, &mask);
	for (int s = 1; s < 32; s++)
		if (sigismember(&mask, s) == 1) bits |= 1ul << s;
	return bits;
}

static void counts(int signal)
{
	calls++;
	last = signal;
	blocked_inside = blocked();
}

static void looks(int signal, siginfo_t *info, void *context)
{
	char here;
	calls++;
	last = signal == info->si_signo ? signal : -1;
	code = info->si_code;
	sender_is_self = info->si_pid == getpid();
	on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
	(void)context;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	sigaction(signal, &action, 0);
	calls = last = code = sender_is_self = 0;
}

static void handle_info(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = looks, .sa_flags = SA_SIGINFO | flags };
	sigaction(signal, &action, 0);
	calls = last = code = sender_is_self = on_alternate = 0;
}

static sigset_t set_of(int first, int second)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, first);
	if (second) sigaddset(&set, second);
	return set;
}

TEST(raise_and_kill)
{
	handle(SIGUSR1, counts, 0);
	CALL(raise(SIGUSR1));
	say("calls %d signal %d blocked %#lx", calls, last, blocked_inside);
	CALL(kill(getpid(), SIGUSR1));
	VALUE(calls);
	CALL(kill(0x7ffffff, SIGUSR1));
	CALL(kill(getpid(), 0));
	CALL(kill(getpid(), 65));
	CALL(kill(getpid(), -1));
	handle(SIGUSR1, SIG_DFL, 0);
}

TEST(dispositions)
{
	struct sigaction action = { .sa_handler = counts, .sa_flags = SA_RESTART }, old;
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR2);
	CALL(sigaction(SIGUSR1, &action, 0));
	CALL(sigaction(SIGUSR1, 0, &old));
	say("handler %d flags %#x mask %d %d", old.sa_handler == counts, old.sa_flags & (int)~0x4000000,
		sigismember(&old.sa_mask, SIGUSR2), sigismember(&old.sa_mask, SIGUSR1));
	raise(SIGUSR1);
	say("blocked %#lx, now %#lx", blocked_inside, blocked());
	action.sa_flags = SA_NODEFER;
	CALL(sigaction(SIGUSR1, &action, 0));
	raise(SIGUSR1);
	say("blocked %#lx, now %#lx", blocked_inside, blocked());
	action.sa_flags = SA_RESETHAND;
	CALL(sigaction(SIGUSR1, &action, 0));
	raise(SIGUSR1);
	CALL(sigaction(SIGUSR1, 0, &old));
	VALUE(old.sa_handler == SIG_DFL);
	CALL(sigaction(SIGKILL, &action, 0));
	CALL(sigaction(SIGKILL, 0, &old));
	CALL(sigaction(SIGSTOP, &action, 0));
	CALL(sigaction(0, &action, 0));
	CALL(sigaction(65, &action, 0));
}

TEST(information)
{
	handle_info(SIGUSR1, 0);
	raise(SIGUSR1);
	say("calls %d signal %d SI_TKILL %d own %d", calls, last, code == SI_TKILL, sender_is_self);
	kill(getpid(), SIGUSR1);
	say("calls %d signal %d SI_USER %d own %d", calls, last, code == SI_USER, sender_is_self);
	handle(SIGUSR1, SIG_DFL, 0);
}

TEST(masks)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2), pending, old;
	handle(SIGUSR1, counts, 0);
	handle(SIGUSR2, counts, 0);
	CALL(sigprocmask(SIG_BLOCK, &set, &old));
	raise(SIGUSR1);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR2);
	CALL(sigpending(&pending));
	say("calls %d pending %d %d %d", calls, sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2),
		sigismember(&pending, SIGTERM));
	set = set_of(SIGUSR2, 0);
	CALL(sigprocmask(SIG_UNBLOCK, &set, 0));
	say("calls %d last is SIGUSR2 %d", calls, last == SIGUSR2);
	CALL(sigprocmask(SIG_SETMASK, &old, &set));
	say("calls %d last is SIGUSR1 %d", calls, last == SIGUSR1);
	VALUE(sigismember(&set, SIGUSR1));
	VALUE(sigismember(&set, SIGUSR2));
	CALL(sigprocmask(77, &set, 0));
	CALL(sigprocmask(77, 0, &old));
	/* What cannot be blocked is not. */
	set = set_of(SIGKILL, SIGSTOP);
	CALL(sigprocmask(SIG_SETMASK, &set, 0));
	CALL(sigprocmask(SIG_SETMASK, &old, &set));
	VALUE(sigismember(&set, SIGKILL));
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
}

/* A signal that is ignored when it comes is gone; setting SIG_IGN drops one that is pending. */
TEST(ignored)
{
	sigset_t set = set_of(SIGUSR1, 0), pending;
	handle(SIGUSR1, SIG_IGN, 0);
	raise(SIGUSR1);
	CALL(sigprocmask(SIG_BLOCK, &set, 0));
	handle(SIGUSR1, counts, 0);
	raise(SIGUSR1);
	handle(SIGUSR1, SIG_IGN, 0);
	CALL(sigpending(&pending));
	VALUE(sigismember(&pending, SIGUSR1));
	handle(SIGUSR1, counts, 0);
	CALL(sigprocmask(SIG_UNBLOCK, &set, 0));
	VALUE(calls);
	handle(SIGUSR1, SIG_DFL, 0);
	/* Ignored by default. */
	CALL(raise(SIGCHLD));
	CALL(raise(SIGURG));
	CALL(raise(SIGWINCH));
}

static void nests(int signal)
{
	calls++;
	if (signal == SIGUSR1) {
		raise(SIGUSR2);
		last = calls;
	}
}

TEST(nested_handlers)
{
	handle(SIGUSR2, nests, 0);
	handle(SIGUSR1, nests, 0);
	raise(SIGUSR1);
	say("calls %d, seen by the first %d", calls, last);
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
}

TEST(alternate_stack)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate }, old;
	CALL(sigaltstack(0, &old));
	VALUE(old.ss_flags == SS_DISABLE);
	CALL(sigaltstack(&stack, 0));
	handle_info(SIGUSR1, SA_ONSTACK);
	raise(SIGUSR1);
	VALUE(on_alternate);
	handle_info(SIGUSR1, 0);
	raise(SIGUSR1);
	VALUE(on_alternate);
	CALL(sigaltstack(0, &old));
	say("same %d size %zu flags %d", old.ss_sp == alternate, old.ss_size, old.ss_flags);
	stack.ss_size = 100;
	CALL(sigaltstack(&stack, 0));
	stack.ss_size = sizeof alternate;
	stack.ss_flags = 77;
	CALL(sigaltstack(&stack, 0));
	stack.ss_flags = SS_DISABLE;
	CALL(sigaltstack(&stack, 0));
	handle(SIGUSR1, SIG_DFL, 0);
}

static volatile char *outer;

/* The second handler goes on below the first, on the same stack. */
static void both_on_alternate(int signal)
{
	volatile char here[256];
	if (signal == SIGUSR2) {
		say("on the stack %d, below the first %d", &here[0] >= &alternate[0] && here < alternate + sizeof alternate,
			here < outer);
		return;
	}
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate }, old;
	outer = here;
	memset((char *)here, 7, sizeof here);
	raise(SIGUSR2);
	int kept = 1;
	for (size_t i = 0; i < sizeof here; i++) kept &= here[i] == 7;
	VALUE(kept);
	CALL(sigaltstack(0, &old));
	VALUE(old.ss_flags == SS_ONSTACK);
	CALL(sigaltstack(&stack, 0));
	CALL(sigaltstack(&stack, &old));
}

TEST(nested_on_the_alternate_stack)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	CALL(sigaltstack(&stack, 0));
	handle(SIGUSR1, both_on_alternate, SA_ONSTACK);
	handle(SIGUSR2, both_on_alternate, SA_ONSTACK);
	raise(SIGUSR1);
	stack.ss_flags = SS_DISABLE;
	CALL(sigaltstack(&stack, 0));
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
}

static void *raises_late(void *thread)
{
	pause_ms(30);
	pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return 0;
}

TEST(waiting_for_one)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2), old;
	siginfo_t info;
	int got;
	struct timespec limit = for_ms(20), none = for_ms(0), bad = { 0, -1 };
	pthread_sigmask(SIG_BLOCK, &set, &old);
	CALL(sigtimedwait(&set, &info, &none));
	CALL(sigtimedwait(&set, &info, &limit));
	CALL(sigtimedwait(&set, &info, &bad));
	kill(getpid(), SIGUSR2);
	CALL(sigwaitinfo(&set, &info));
	say("signal %d code %d", info.si_signo, info.si_code);
	pthread_t self = pthread_self(), thread = start(raises_late, &self);
	RC(sigwait(&set, &got));
	VALUE(got);
	join(thread);
	/* The lowest number first. */
	raise(SIGUSR2);
	raise(SIGUSR1);
	CALL(sigwaitinfo(&set, 0));
	CALL(sigwaitinfo(&set, 0));
	pthread_sigmask(SIG_SETMASK, &old, 0);
}

/* One that would be ignored, but is waited for. */
TEST(waiting_for_an_ignored_one)
{
	sigset_t set = set_of(SIGCHLD, SIGUSR1), old, pending;
	siginfo_t info;
	struct timespec none = for_ms(0);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	kill(getpid(), SIGCHLD);
	CALL(sigpending(&pending));
	VALUE(sigismember(&pending, SIGCHLD));
	CALL(sigtimedwait(&set, &info, &none));
	CALL(sigtimedwait(&set, &info, &none));
	raise(SIGCHLD);
	CALL(sigtimedwait(&set, &info, &none));
	VALUE(info.si_code == SI_TKILL);
	pthread_sigmask(SIG_SETMASK, &old, 0);
}

TEST(sigsuspend_swaps)
{
	sigset_t set = set_of(SIGUSR1, 0), old;
	handle(SIGUSR1, counts, 0);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	CALL(sigsuspend(&old));
	say("calls %d, blocked again %d", calls, blocked() == 1ul << SIGUSR1);
	pthread_t self = pthread_self(), thread = start(raises_late, &self);
	CALL(sigsuspend(&old));
	VALUE(calls);
	join(thread);
	pthread_sigmask(SIG_SETMASK, &old, 0);
	handle(SIGUSR1, SIG_DFL, 0);
}


static void *takes_signals(void *flag)
{
	UNTIL(__atomic_load_n((int *)flag, __ATOMIC_SEQ_CST));
	return (void *)(intptr_t)(blocked() >> SIGUSR2 & 1);
}

static pthread_t handler_ran_in;

static void notes_thread(int signal)
{
	handler_ran_in = pthread_self();
	calls++;
	last = signal;
}

TEST(to_a_thread)
{
	int flag = 0;
	sigset_t set = set_of(SIGUSR2, 0), old;
	handle(SIGUSR1, notes_thread, 0);
	/* A mask is inherited. */
	pthread_sigmask(SIG_BLOCK, &set, &old);
	pthread_t thread = start(takes_signals, &flag);
	pthread_sigmask(SIG_SETMASK, &old, 0);
	RC(pthread_kill(thread, SIGUSR1));
	UNTIL(__atomic_load_n(&calls, __ATOMIC_SEQ_CST) == 1);
	VALUE(pthread_equal(handler_ran_in, thread) != 0);
	/* To the process, with only the other thread open for it. */
	set = set_of(SIGUSR1, 0);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	kill(getpid(), SIGUSR1);
	UNTIL(__atomic_load_n(&calls, __ATOMIC_SEQ_CST) == 2);
	VALUE(pthread_equal(handler_ran_in, thread) != 0);
	pthread_sigmask(SIG_SETMASK, &old, 0);
	__atomic_store_n(&flag, 1, __ATOMIC_SEQ_CST);
	VALUE(join(thread));
	handle(SIGUSR1, SIG_DFL, 0);
}

static sigjmp_buf back;

static void jumps(int signal)
{
	siglongjmp(back, signal);
}

TEST(leaving_by_jump)
{
	handle(SIGUSR1, jumps, 0);
	for (volatile int i = 0; i < 3; i++) {
		int signal = sigsetjmp(back, 1);
		if (signal) say("jumped with %d, blocked %#lx", signal, blocked());
		else raise(SIGUSR1);
	}
	handle(SIGABRT, jumps, 0);
	int signal = sigsetjmp(back, 1);
	if (signal) say("abort came to %d", signal);
	else abort();
	handle(SIGABRT, SIG_DFL, 0);
	handle(SIGUSR1, SIG_DFL, 0);
}

/* Whatever the kernel keeps for a handler that never returns, it does not keep for ever. */
TEST(leaving_by_jump_many_times)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	sigaltstack(&stack, 0);
	for (volatile int flags = 0; flags != -1; flags = flags == 0 ? SA_ONSTACK : -1) {
		volatile int times = 0;
		handle(SIGUSR1, jumps, flags);
		sigsetjmp(back, 1);
		if (times++ < 10000) raise(SIGUSR1);
		VALUE(times);
	}
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, 0);
	handle(SIGUSR1, SIG_DFL, 0);
}

/* Real-time signals queue, others do not. */
TEST(queueing)
{
	sigset_t set = set_of(SIGRTMIN, SIGUSR1), old;
	handle(SIGRTMIN, counts, 0);
	handle(SIGUSR1, counts, 0);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < 3; i++) raise(SIGUSR1);
	set = set_of(SIGUSR1, 0);
	pthread_sigmask(SIG_UNBLOCK, &set, 0);
	VALUE(calls);
	for (int i = 0; i < 3; i++) raise(SIGRTMIN);
	calls = 0;
	pthread_sigmask(SIG_SETMASK, &old, 0);
	VALUE(calls);
	handle(SIGRTMIN, SIG_DFL, 0);
	handle(SIGUSR1, SIG_DFL, 0);
}

static void tells(int signal, siginfo_t *info, void *context)
{
	(void)context;
	say("signal %d code %d value %d own %d", signal - (signal > 31 ? SIGRTMIN : 0), info->si_code,
		info->si_code == SI_QUEUE ? info->si_value.sival_int : 0, info->si_pid == getpid());
}

static void tell(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = tells, .sa_flags = SA_SIGINFO | flags };
	sigaction(signal, &action, 0);
}

/* Values come with the signals, in the order of sending. */
TEST(values)
{
	sigset_t set = set_of(SIGRTMIN, SIGUSR1), old;
	siginfo_t info = { .si_code = SI_QUEUE };
	union sigval value = { .sival_int = 1 };
	tell(SIGRTMIN, 0);
	tell(SIGUSR1, 0);
	CALL(sigqueue(getpid(), SIGRTMIN, value));
	pthread_sigmask(SIG_BLOCK, &set, &old);
	for (; value.sival_int < 4; value.sival_int++) {
		CALL(sigqueue(getpid(), SIGRTMIN, value));
		CALL(sigqueue(getpid(), SIGUSR1, value));
	}
	CALL(sigwaitinfo(&set, &info));
	say("code %d value %d", info.si_code, info.si_value.sival_int);
	CALL(sigwaitinfo(&set, &info) - SIGRTMIN);
	say("code %d value %d", info.si_code, info.si_value.sival_int);
	pthread_sigmask(SIG_SETMASK, &old, 0);
	CALL(sigqueue(getpid(), 0, value));
	CALL(sigqueue(getpid(), 65, value));
	CALL(sigqueue(0x7ffffff, SIGUSR1, value));
	info = (siginfo_t){ .si_code = SI_QUEUE, .si_value = { .sival_int = 9 } };
	CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &info));
	CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &info));
	CALL(syscall(SYS_rt_tgsigqueueinfo, 0, 1, SIGUSR1, &info));
	CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0x7ffffff, SIGUSR1, &info));
	info.si_code = SI_USER;
	CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &info));
	CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0x7ffffff, SIGUSR1, &info));
	CALL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, 8));
	handle(SIGRTMIN, SIG_DFL, 0);
	handle(SIGUSR1, SIG_DFL, 0);
}

/* With no room for information: standard signals come without it, real-time ones only from kill. */
TEST(queue_limit)
{
	sigset_t set = set_of(SIGRTMIN, SIGUSR1), old;
	struct rlimit before, none;
	union sigval value = { .sival_int = 1 };
	tell(SIGRTMIN, 0);
	tell(SIGUSR1, 0);
	CALL(getrlimit(RLIMIT_SIGPENDING, &before));
	none = (struct rlimit){ 0, before.rlim_max };
	CALL(setrlimit(RLIMIT_SIGPENDING, &none));
	CALL(getrlimit(RLIMIT_SIGPENDING, &none));
	VALUE(none.rlim_cur);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	CALL(sigqueue(getpid(), SIGRTMIN, value));
	CALL(raise(SIGRTMIN));
	CALL(kill(getpid(), SIGRTMIN));
	CALL(kill(getpid(), SIGRTMIN));
	CALL(raise(SIGUSR1));
	CALL(sigqueue(getpid(), SIGUSR1, value));
	pthread_sigmask(SIG_SETMASK, &old, 0);
	CALL(kill(getpid(), SIGUSR1));
	CALL(setrlimit(RLIMIT_SIGPENDING, &before));
	handle(SIGRTMIN, SIG_DFL, 0);
	handle(SIGUSR1, SIG_DFL, 0);
}

/* Several at once: each handler that does not block the next is interrupted by it before it begins. */
TEST(several_at_once)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2), old;
	sigaddset(&set, SIGRTMIN);
	tell(SIGUSR1, 0);
	tell(SIGUSR2, 0);
	tell(SIGRTMIN, SA_NODEFER);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	kill(getpid(), SIGUSR1);
	raise(SIGUSR2);
	union sigval value = { .sival_int = 1 };
	for (; value.sival_int < 4; value.sival_int++) CALL(sigqueue(getpid(), SIGRTMIN, value));
	pthread_sigmask(SIG_SETMASK, &old, 0);
	say("blocked %#lx", blocked());
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
	handle(SIGRTMIN, SIG_DFL, 0);
}

/* Who sent it: the kernel or the thread itself. */
TEST(senders)
{
	int fds[2];
	struct itimerval soon = { .it_value = { 0, 1000 } };
	sigset_t set = set_of(SIGALRM, 0), old;
	tell(SIGPIPE, 0);
	tell(SIGALRM, 0);
	if (pipe(fds)) return;
	close(fds[0]);
	CALL(write(fds[1], "x", 1));
	close(fds[1]);
	/* It may come at once, and its handler must not find the output in use. */
	pthread_sigmask(SIG_BLOCK, &set, &old);
	CALL(setitimer(ITIMER_REAL, &soon, 0));
	CALL(sigsuspend(&old));
	pthread_sigmask(SIG_SETMASK, &old, 0);
	handle(SIGPIPE, SIG_DFL, 0);
	handle(SIGALRM, SIG_DFL, 0);
}

/* A wait under another mask goes on when the signal that this lets in is ignored. */
TEST(ignored_by_a_wait)
{
	sigset_t set = set_of(SIGUSR1, 0), old, pending;
	struct timespec limit = for_ms(20);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	handle(SIGUSR1, SIG_IGN, 0);
	CALL(kill(getpid(), SIGUSR1));
	CALL(sigpending(&pending));
	VALUE(sigismember(&pending, SIGUSR1));
	CALL(ppoll(0, 0, &limit, &old));
	CALL(sigpending(&pending));
	VALUE(sigismember(&pending, SIGUSR1));
	pthread_sigmask(SIG_SETMASK, &old, 0);
	handle(SIGUSR1, SIG_DFL, 0);
}

AREA(signal)
	T(raise_and_kill) T(dispositions) T(information) T(masks) T(ignored) T(nested_handlers) T(alternate_stack)
	T(waiting_for_one) T(waiting_for_an_ignored_one) T(sigsuspend_swaps) T(to_a_thread) T(leaving_by_jump) T(queueing)
	T(leaving_by_jump_many_times) T(nested_on_the_alternate_stack) T(values) T(queue_limit) T(several_at_once) T(senders) T(ignored_by_a_wait)
END
