/* Bad descriptors, unknown flags, unknown calls. */
#include "oracle.h"
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#define RAW(name, ...) CALL(syscall(SYS_##name, __VA_ARGS__))

TEST(descriptors)
{
	char bytes[256];
	struct iovec part = { bytes, 1 };
	struct epoll_event event = { 0 };
	static const int numbers[] = { -1, 99, 2000000000 };
	for (int i = 0; i < 3; i++) {
		int fd = numbers[i];
		RAW(read, fd, bytes, 1);
		RAW(write, fd, bytes, 1);
		RAW(close, fd);
		RAW(lseek, fd, 0, SEEK_SET);
		RAW(readv, fd, &part, 1);
		RAW(pread64, fd, bytes, 1, 0);
		RAW(fstat, fd, bytes);
		RAW(fcntl, fd, F_GETFL, 0);
		RAW(ioctl, fd, FIONREAD, bytes);
		RAW(dup, fd);
		RAW(fsync, fd);
		RAW(ftruncate, fd, 0);
		RAW(fchdir, fd);
		RAW(fchmod, fd, 0600);
		RAW(getdents64, fd, bytes, 100);
		RAW(epoll_ctl, fd, EPOLL_CTL_ADD, 1, &event);
		RAW(epoll_wait, fd, &event, 1, 0);
		RAW(timerfd_gettime, fd, bytes);
		RAW(bind, fd, bytes, 16);
		RAW(listen, fd, 1);
		RAW(accept, fd, 0, 0);
		RAW(connect, fd, bytes, 16);
		RAW(sendto, fd, bytes, 1, 0, 0, 0);
		RAW(recvfrom, fd, bytes, 1, 0, 0, 0);
		RAW(shutdown, fd, 0);
		RAW(getsockname, fd, bytes, bytes);
		RAW(mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		RAW(fallocate, fd, 0, 0, 1);
		RAW(sendfile, fd, fd, 0, 1);
		RAW(flock, fd, 8);
	}
}

TEST(not_a_socket)
{
	char bytes[16] = { 0 };
	int fd = open("/dev/null", O_RDWR);
	RAW(bind, fd, bytes, 16);
	RAW(listen, fd, 1);
	RAW(accept, fd, 0, 0);
	RAW(sendto, fd, bytes, 1, 0, 0, 0);
	RAW(setsockopt, fd, 1, 1, bytes, 4);
	close(fd);
}

TEST(flags)
{
	struct timespec t = { 0, 0 };
	char bytes[64] = { 0 };
	RAW(pipe2, bytes, 0x40);
	RAW(eventfd2, 0, 0x40);
	RAW(epoll_create1, 0x40);
	RAW(timerfd_create, 1, 0x40);
	RAW(dup3, 1, 50, 0x40);
	RAW(socket, AF_UNIX, SOCK_STREAM | 0x100000, 0);
	RAW(getrandom, bytes, 1, 0x40);
	RAW(faccessat2, AT_FDCWD, "/", 0, 0x40);
	RAW(unlinkat, AT_FDCWD, "/missing", 0x40);
	RAW(linkat, AT_FDCWD, "/missing", AT_FDCWD, "/missing2", 0x40);
	RAW(newfstatat, AT_FDCWD, "/", bytes, 0x40);
	RAW(statx, AT_FDCWD, "/", 0x40, 0x7ff, bytes);
	RAW(utimensat, AT_FDCWD, "/missing", 0, 0x40);
	RAW(renameat2, AT_FDCWD, "/missing", AT_FDCWD, "/missing2", 0x40);
	RAW(mremap, 0x10000, 4096, 4096, 0x40, 0);
	RAW(madvise, 0x10000, 4096, 0x1234);
	RAW(futex, bytes, 0x40, 0, &t, 0, 0);
	RAW(rt_sigprocmask, 0, bytes, 0, 4);
	RAW(rt_sigaction, SIGUSR1, 0, 0, 4);
	RAW(lseek, 1, 0, 99);
	RAW(flock, 1, 16);
	RAW(mlockall, 0x40);
	RAW(membarrier, 0x1000000, 0, 0);
	RAW(close_range, 50, 60, 0x40);
	RAW(fallocate, 1, 0x1000, 0, 1);
	RAW(prctl, 9999, 0, 0, 0, 0);
	RAW(arch_prctl, 9999, 0);
	/* ARCH_SET_FS to what no program can have. */
	RAW(arch_prctl, 0x1002, 1L << 62);
	RAW(arch_prctl, 0x1002, -4096L);
	RAW(setpriority, 99, 0, 0);
}

TEST(unknown_calls)
{
	CALL(syscall(500));
	CALL(syscall(100000));
	CALL(syscall(-1L));
	CALL(syscall(LONG_MAX));
}

AREA(invalid)
	T(descriptors) T(not_a_socket) T(flags) T(unknown_calls)
END
