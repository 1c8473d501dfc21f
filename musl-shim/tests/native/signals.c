/* Handlers that return, an interrupted call, an alternate stack, and children of every kind. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

static volatile int seen;
static char other_stack[65536];
static jmp_buf back;

static void count(int number)
{
	seen += number == SIGUSR1;
}

static void on_other_stack(int number, siginfo_t *info, void *context)
{
	char here;
	CHECK(number == SIGSEGV && info->si_addr == (void *)8 && context);
	CHECK(&here >= other_stack && &here < other_stack + sizeof other_stack);
	siglongjmp(back, 1);
}

static int status_of(pid_t child)
{
	int status;
	CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

int main(void)
{
	struct sigaction action = {.sa_handler = count};
	CHECK(sigaction(SIGUSR1, &action, 0) == 0);
	for (int i = 0; i < 100; i++)
		raise(SIGUSR1);
	CHECK(seen == 100);

	pid_t parent = getpid(), child = fork();
	if (child == 0) {
		usleep(50000);
		kill(parent, SIGUSR1);
		_exit(3);
	}
	errno = 0;
	CHECK(pause() == -1 && errno == EINTR && seen == 101);
	CHECK(status_of(child) == 3);

	stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
	action = (struct sigaction){.sa_sigaction = on_other_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	CHECK(sigaltstack(&stack, 0) == 0 && sigaction(SIGSEGV, &action, 0) == 0);
	if (!sigsetjmp(back, 1)) {
		*(volatile int *)8 = 0;
		CHECK(0);
	}

	/* posix_spawn clones with a stack of its own; its error comes back through the shared memory. */
	char *arguments[] = {"sh", "-c", "exit 5", 0}, *environment[] = {0};
	CHECK(posix_spawn(&child, "/bin/sh", 0, 0, arguments, environment) == 0);
	CHECK(status_of(child) == 5);
	CHECK(posix_spawn(&child, "/nonexistent", 0, 0, arguments, environment) == ENOENT);

	child = vfork();
	if (child == 0)
		_exit(6);
	CHECK(status_of(child) == 6);
	return 0;
}
