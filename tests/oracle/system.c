/* The machine and the process: what they say about themselves, limits, scheduling. */
#include "oracle.h"
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

TEST(names)
{
	struct utsname names;
	char host[64];
	CALL(uname(&names));
	say("'%s' '%s'", names.sysname, names.machine);
	say("host %d release %d version %d", names.nodename[0] != 0, names.release[0] >= '4', names.version[0] == '#');
	CALL(gethostname(host, sizeof host));
	VALUE(strcmp(host, names.nodename));
}

TEST(randomness)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };
	CALL(getrandom(a, sizeof a, 0));
	CALL(getrandom(b, sizeof b, GRND_NONBLOCK));
	VALUE(memcmp(a, b, sizeof a) != 0);
	int seen = 0;
	for (int i = 0; i < 64; i++) seen += a[i] != 0;
	VALUE(seen > 40);
	CALL(getrandom(a, 0, 0));
	CALL(getrandom(a, 1, 0x1234));
	CALL(getentropy(a, 32));
	CALL(getentropy(a, 300));
	int fd = open("/dev/urandom", O_RDONLY);
	CALL(read(fd, a, 64));
	close(fd);
}

TEST(limits)
{
	struct rlimit limit, old;
	CALL(getrlimit(RLIMIT_NOFILE, &limit));
	VALUE(limit.rlim_cur >= 256 && limit.rlim_cur <= limit.rlim_max);
	CALL(getrlimit(77, &limit));
	CALL(getrlimit(RLIMIT_CORE, &old));
	limit = old;
	limit.rlim_cur = 0;
	CALL(setrlimit(RLIMIT_CORE, &limit));
	CALL(getrlimit(RLIMIT_CORE, &limit));
	VALUE(limit.rlim_cur);
	CALL(setrlimit(RLIMIT_CORE, &old));
	limit.rlim_cur = 10;
	limit.rlim_max = 5;
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	CALL(prlimit(0, RLIMIT_STACK, 0, &limit));
	VALUE(limit.rlim_cur >= 1 << 20);
	CALL(prlimit(getpid(), RLIMIT_NOFILE, 0, &limit));
	CALL(prlimit(0x7ffffff, RLIMIT_NOFILE, 0, &limit));
}

static void *bound(void *processor)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((int)(intptr_t)processor, &set);
	long failed = sched_setaffinity(0, sizeof set, &set) != 0;
	for (int i = 0; i < 200; i++) {
		failed += sched_getcpu() != (int)(intptr_t)processor;
		sched_yield();
	}
	return (void *)failed;
}

TEST(scheduling)
{
	cpu_set_t set, empty;
	CALL(sched_yield());
	VALUE(sched_getaffinity(0, sizeof set, &set));
	VALUE(CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN));
	VALUE(CPU_ISSET(sched_getcpu(), &set) != 0);
	CPU_ZERO(&empty);
	CALL(sched_setaffinity(0, sizeof empty, &empty));
	CALL(syscall(SYS_sched_getaffinity, 0, 1, &set));
	CALL(syscall(SYS_sched_getaffinity, 0x7ffffff, sizeof set, &set));
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set)) {
			VALUE(join(start(bound, (void *)(intptr_t)i)));
			break;
		}
	struct sched_param param = { 0 };
	CALL(syscall(SYS_sched_getscheduler, 0));
	CALL(syscall(SYS_sched_getparam, 0, &param));
	VALUE(param.sched_priority);
	CALL(sched_get_priority_max(SCHED_FIFO));
	CALL(sched_get_priority_min(SCHED_FIFO));
	CALL(sched_get_priority_max(SCHED_OTHER));
	CALL(sched_get_priority_max(77));
	// The value is whatever the host runs tests with.
	VALUE(getpriority(PRIO_PROCESS, 0) == getpriority(PRIO_PROCESS, getpid()));
	CALL(getpriority(77, 0));
}

TEST(identity)
{
	VALUE(getpid() > 0);
	VALUE(getpid() == getpid());
	CALL(getpgid(0) == getpgrp());
	CALL(getpgid(0x7ffffff));
	/* 0 where the session's leader is not in the PID namespace. */
	CALL(getsid(0) == getsid(getpid()));
	uid_t real, effective, saved;
	CALL(getresuid(&real, &effective, &saved));
	VALUE(real == getuid() && effective == geteuid());
	CALL(setuid(getuid()));
	CALL(setgid(getgid()));
	VALUE(getgroups(0, 0) >= 0);
}

TEST(children)
{
	int status;
	CALL(waitpid(-1, &status, 0));
	CALL(waitpid(-1, &status, WNOHANG));
	CALL(waitpid(getpid(), &status, 0));
	CALL(waitpid(-1, &status, 0x4444));
	siginfo_t info;
	CALL(waitid(P_ALL, 0, &info, WEXITED));
	CALL(waitid(77, 0, &info, WEXITED));
}

TEST(memory_figures)
{
	struct sysinfo info;
	CALL(sysinfo(&info));
	VALUE(info.totalram > info.freeram && info.freeram > 0 && info.mem_unit >= 1);
	VALUE(sysconf(_SC_PAGESIZE));
	VALUE(getpagesize());
	VALUE(sysconf(_SC_PHYS_PAGES) > 1000);
	VALUE(sysconf(_SC_NPROCESSORS_CONF) >= sysconf(_SC_NPROCESSORS_ONLN));
	VALUE(sysconf(_SC_CLK_TCK));
	VALUE(sysconf(_SC_OPEN_MAX) >= 256);
	VALUE(sysconf(_SC_IOV_MAX));
}

TEST(auxiliary)
{
	VALUE(getauxval(AT_PAGESZ));
	VALUE(getauxval(AT_RANDOM) != 0);
	VALUE(getauxval(AT_PHDR) != 0);
	VALUE(getauxval(AT_SECURE));
	/* How large a frame is depends on the processor: some need less than the 2048 that were enough for all once. */
	VALUE(getauxval(AT_MINSIGSTKSZ) > 0);
	VALUE(getenv("PATH") != 0);
}

TEST(proc)
{
	char text[256] = { 0 };
	int fd = open("/proc/self/status", O_RDONLY);
	VALUE(fd >= 0);
	VALUE(read(fd, text, 5));
	say("'%.5s'", text);
	close(fd);
	fd = open("/proc/cpuinfo", O_RDONLY);
	VALUE(read(fd, text, 9));
	say("'%.9s'", text);
	close(fd);
	fd = open("/proc/meminfo", O_RDONLY);
	VALUE(read(fd, text, 9));
	say("'%.9s'", text);
	close(fd);
	/* A descriptor's name. */
	in_empty_directory();
	fd = open("file", O_CREAT | O_RDWR, 0600);
	char name[64];
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	long n = readlink(name, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	VALUE(n > 5 && !strcmp(text + n - 5, "/file"));
	int again = open(name, O_RDWR);
	CALL(write(again, "by name", 7));
	CALL(read(fd, text, 20));
	close(again);
	close(fd);
	CALL(readlink("/proc/self/fd/99", text, 20));
}

TEST(devices)
{
	char bytes[16];
	int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR), full = open("/dev/full", O_RDWR);
	memset(bytes, 7, sizeof bytes);
	CALL(read(zero, bytes, 16));
	VALUE(bytes[0] + bytes[15]);
	CALL(write(zero, bytes, 16));
	CALL(read(null, bytes, 16));
	CALL(write(null, bytes, 16));
	CALL(write(full, bytes, 16));
	CALL(read(full, bytes, 16));
	CALL(open("/dev/missing", O_RDWR));
	close(zero);
	close(null);
	close(full);
}

AREA(system)
	T(names) T(randomness) T(limits) T(scheduling) T(identity) T(children) T(memory_figures) T(auxiliary) T(proc)
	T(devices)
END
