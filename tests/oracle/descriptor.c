/* The table of descriptors. */
#include "oracle.h"
#include <sys/ioctl.h>
#include <sys/resource.h>

static int null(void)
{
	return open("/dev/null", O_RDWR);
}

TEST(lowest_first)
{
	int a = CALL(null()), b = CALL(null()), c = CALL(null());
	close(b);
	CALL(null());
	close(a);
	close(b);
	CALL(dup(c));
	CALL(dup(c));
	CALL(dup(c));
	for (int fd = a; fd < a + 4; fd++) close(fd);
	CALL(close(a));
}

TEST(duplicates)
{
	int a = null();
	CALL(dup2(a, 20));
	CALL(dup2(a, a));
	CALL(dup2(99, 21));
	CALL(dup2(99, 99));
	CALL(dup2(a, -1));
	CALL(dup2(a, 100000000));
	CALL(dup3(a, a, 0));
	CALL(dup3(a, 22, O_CLOEXEC));
	CALL(dup3(a, 22, 0x1234));
	CALL(fcntl(22, F_GETFD));
	CALL(fcntl(20, F_GETFD));
	CALL(fcntl(a, F_DUPFD, 50));
	CALL(fcntl(a, F_DUPFD, 50));
	CALL(fcntl(a, F_DUPFD_CLOEXEC, 60));
	CALL(fcntl(60, F_GETFD));
	CALL(fcntl(a, F_DUPFD, -1));
	CALL(fcntl(a, F_DUPFD, 100000000));
	CALL(fcntl(60, F_SETFD, 0));
	CALL(fcntl(60, F_GETFD));
	for (int fd = 3; fd < 70; fd++) close(fd);
}

/* The offset and the status flags belong to the open file, close-on-exec to the descriptor. */
TEST(shared_state)
{
	in_empty_directory();
	int a = open("file", O_CREAT | O_RDWR, 0600), b = dup(a), c = open("file", O_RDWR);
	CALL(write(a, "0123456789", 10));
	CALL(lseek(b, 0, SEEK_CUR));
	CALL(lseek(c, 0, SEEK_CUR));
	CALL(fcntl(a, F_SETFL, O_APPEND | O_NONBLOCK));
	CALL(fcntl(b, F_GETFL) & ~0100000);
	CALL(fcntl(c, F_GETFL) & ~0100000);
	/* The access mode and the flags of creation do not change. */
	CALL(fcntl(a, F_SETFL, O_WRONLY | O_TRUNC | O_EXCL));
	CALL(fcntl(a, F_GETFL) & ~0100000);
	CALL(close(a));
	CALL(write(b, "x", 1));
	CALL(close(b));
	CALL(close(c));
}

TEST(set_by_ioctl)
{
	int fds[2], on = 1, off = 0;
	if (pipe(fds)) return;
	CALL(ioctl(fds[0], FIONBIO, &on));
	CALL(fcntl(fds[0], F_GETFL));
	CALL(ioctl(fds[0], FIONBIO, &off));
	CALL(fcntl(fds[0], F_GETFL));
	CALL(ioctl(fds[0], FIOCLEX));
	CALL(fcntl(fds[0], F_GETFD));
	CALL(ioctl(fds[0], FIONCLEX));
	CALL(fcntl(fds[0], F_GETFD));
	struct winsize size;
	CALL(ioctl(fds[0], TIOCGWINSZ, &size));
	VALUE(isatty(fds[0]));
	CALL(ioctl(fds[0], 0x12345678, &size));
	close(fds[0]);
	close(fds[1]);
}

TEST(ranges)
{
	for (int i = 0; i < 10; i++) null();
	CALL(syscall(SYS_close_range, 5, 8, 0));
	int open_ = 0;
	for (int fd = 3; fd < 13; fd++) open_ |= (fcntl(fd, F_GETFD) != -1) << fd;
	say("open %#x", open_);
	CALL(syscall(SYS_close_range, 3, 4, 4));
	CALL(fcntl(3, F_GETFD));
	CALL(syscall(SYS_close_range, 8, 5, 0));
	CALL(syscall(SYS_close_range, 3, 4, 0x1234));
	CALL(syscall(SYS_close_range, 3, ~0u, 0));
}

TEST(too_many)
{
	struct rlimit old, low;
	CALL(getrlimit(RLIMIT_NOFILE, &old));
	low = old;
	low.rlim_cur = 30;
	CALL(setrlimit(RLIMIT_NOFILE, &low));
	int last = -1, fd;
	while ((fd = null()) >= 0) last = fd;
	VALUE(last);
	CALL(null());
	int fds[2];
	CALL(pipe(fds));
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(dup(0));
	CALL(dup2(0, 30));
	CALL(dup2(0, 29));
	CALL(fcntl(0, F_DUPFD, 30));
	close(29);
	CALL(pipe(fds));
	CALL(null());
	CALL(setrlimit(RLIMIT_NOFILE, &old));
	for (fd = 3; fd < 30; fd++) close(fd);
}

TEST(locks)
{
	in_empty_directory();
	int fd = open("file", O_CREAT | O_RDWR, 0600);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	CALL(fcntl(fd, F_SETLK, &lock));
	lock.l_type = F_RDLCK;
	CALL(fcntl(fd, F_GETLK, &lock));
	VALUE(lock.l_type == F_UNLCK);
	lock.l_type = F_UNLCK;
	CALL(fcntl(fd, F_SETLK, &lock));
	CALL(fcntl(fd, 0x7777, 0));
	close(fd);
}

static int pipes[2];

static void *reads(void *unused)
{
	char byte;
	return (void *)(read(pipes[0], &byte, 1) + (unused != 0));
}

/* A number is closed and used again while another thread reads by it: the read goes on with the old file. */
TEST(closed_in_use)
{
	if (pipe(pipes)) return;
	pthread_t thread = start(reads, 0);
	let_it_block();
	int copy = dup(pipes[0]);
	close(pipes[0]);
	CALL(null() == pipes[0]);
	CALL(write(pipes[1], "x", 1));
	VALUE(join(thread));
	close(pipes[0]);
	close(pipes[1]);
	close(copy);
}

static void *opens_and_closes(void *unused)
{
	long failed = 0;
	(void)unused;
	for (int i = 0; i < 500; i++) {
		int fds[2];
		failed += pipe(fds) != 0;
		int copy = dup(fds[0]);
		char byte = (char)i;
		failed += write(fds[1], &byte, 1) != 1;
		byte = 99;
		failed += read(copy, &byte, 1) != 1 || byte != (char)i;
		failed += close(fds[0]) + close(fds[1]) + close(copy) != 0;
	}
	return (void *)failed;
}

TEST(threads)
{
	pthread_t threads[6];
	for (int i = 0; i < 6; i++) threads[i] = start(opens_and_closes, 0);
	for (int i = 0; i < 6; i++) VALUE(join(threads[i]));
}

AREA(descriptor)
	T(lowest_first) T(duplicates) T(shared_state) T(set_by_ioctl) T(ranges) T(too_many) T(locks) T(closed_in_use)
	T(threads)
END
