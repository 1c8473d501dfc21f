/* Regular files. */
#include "oracle.h"
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static char buffer[65536];

static int make(const char *name, const char *contents)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);
	if (fd < 0 || write(fd, contents, strlen(contents)) != (long)strlen(contents)) say("cannot make %s", name);
	return fd;
}

static long size_of(const char *name)
{
	struct stat s;
	return stat(name, &s) ? -1 : (long)s.st_size;
}

TEST(open_flags)
{
	in_empty_directory();
	CALL(open("missing", O_RDONLY));
	CALL(open("missing/below", O_CREAT | O_RDWR, 0600));
	close(make("file", "contents"));
	CALL(open("file", O_CREAT | O_EXCL | O_RDWR, 0600));
	CALL(open("file", O_DIRECTORY | O_RDONLY));
	CALL(open("file/below", O_RDONLY));
	CALL(open("file/", O_RDONLY));
	CALL(open(".", O_RDWR));
	CALL(open(".", O_RDONLY | O_CREAT, 0600));
	CALL(open("", O_RDONLY));
	int fd = open("file", O_RDONLY);
	CALL(write(fd, "x", 1));
	close(fd);
	fd = open("file", O_WRONLY);
	CALL(read(fd, buffer, 1));
	close(fd);
	fd = open("file", O_RDWR | O_TRUNC);
	VALUE(size_of("file"));
	CALL(fcntl(fd, F_GETFL) & ~0100000);
	close(fd);
	fd = open("file", O_RDWR | O_CLOEXEC | O_NONBLOCK | O_APPEND);
	CALL(fcntl(fd, F_GETFL) & ~0100000);
	CALL(fcntl(fd, F_GETFD));
	close(fd);
	CALL(symlink("file", "link"));
	CALL(open("link", O_RDONLY | O_NOFOLLOW));
	CALL(symlink("loop", "loop"));
	CALL(open("loop", O_RDONLY));
	umask(027);
	close(open("masked", O_CREAT | O_RDWR, 0666));
	struct stat s;
	stat("masked", &s);
	say("%o", s.st_mode & 0777);
}

TEST(reading_and_writing)
{
	in_empty_directory();
	int fd = make("file", "0123456789");
	CALL(read(fd, buffer, 10));
	CALL(lseek(fd, 3, SEEK_SET));
	CALL(read(fd, buffer, 4));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(lseek(fd, -2, SEEK_END));
	CALL(read(fd, buffer, 10));
	CALL(lseek(fd, -1, SEEK_SET));
	CALL(lseek(fd, -20, SEEK_CUR));
	CALL(lseek(fd, 0, 77));
	CALL(pread(fd, buffer, 3, 8));
	CALL(pread(fd, buffer, 3, 100));
	CALL(pread(fd, buffer, 3, -1));
	CALL(pwrite(fd, "AB", 2, 4));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(pread(fd, buffer, 10, 0));
	say("'%.10s'", buffer);
	struct iovec out[2] = { { "xx", 2 }, { "yyy", 3 } }, in[2] = { { buffer, 3 }, { buffer + 3, 20 } };
	CALL(pwritev(fd, out, 2, 8));
	CALL(preadv(fd, in, 2, 0));
	say("'%.13s'", buffer);
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(writev(fd, out, 2));
	CALL(readv(fd, in, 2));
	CALL(write(fd, "", 0));
	CALL(fsync(fd));
	CALL(fdatasync(fd));
	close(fd);
}

TEST(appending)
{
	in_empty_directory();
	close(make("file", "start"));
	int fd = open("file", O_RDWR | O_APPEND), other = open("file", O_WRONLY);
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(write(fd, "-end", 4));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(lseek(other, 0, SEEK_END));
	CALL(write(other, "!!", 2));
	CALL(write(fd, "?", 1));
	/* On Linux O_APPEND wins over the offset. */
	CALL(pwrite(fd, "at", 2, 0));
	CALL(pread(fd, buffer, 100, 0));
	say("'%.14s'", buffer);
	CALL(fcntl(fd, F_SETFL, 0));
	CALL(pwrite(fd, "at", 2, 0));
	VALUE(size_of("file"));
	close(fd);
	close(other);
}

TEST(holes)
{
	in_empty_directory();
	int fd = make("file", "");
	CALL(lseek(fd, 100000, SEEK_SET));
	CALL(write(fd, "x", 1));
	VALUE(size_of("file"));
	CALL(pread(fd, buffer, 65536, 40000));
	long sum = 0;
	for (int i = 0; i < 60000; i++) sum += buffer[i];
	VALUE(sum);
	VALUE(buffer[60000]);
	CALL(ftruncate(fd, 50000));
	VALUE(size_of("file"));
	CALL(ftruncate(fd, 200000));
	CALL(pread(fd, buffer, 1, 100000));
	VALUE(buffer[0]);
	CALL(ftruncate(fd, -1));
	CALL(truncate("file", 10));
	CALL(truncate("missing", 10));
	CALL(truncate(".", 10));
	VALUE(size_of("file"));
	CALL(fallocate(fd, 0, 0, 5000));
	VALUE(size_of("file"));
	CALL(posix_fallocate(fd, 0, 6000));
	VALUE(size_of("file"));
	CALL(fallocate(fd, 0, 0, 0));
	close(fd);
	fd = open("file", O_RDONLY);
	CALL(ftruncate(fd, 10));
	close(fd);
}

TEST(unlinked_but_open)
{
	in_empty_directory();
	int fd = make("file", "still here");
	struct stat s;
	CALL(unlink("file"));
	CALL(unlink("file"));
	CALL(open("file", O_RDONLY));
	CALL(fstat(fd, &s));
	VALUE(s.st_nlink);
	CALL(pread(fd, buffer, 20, 0));
	CALL(write(fd, "more", 4));
	close(make("file", "another"));
	CALL(pread(fd, buffer, 20, 0));
	close(fd);
	VALUE(size_of("file"));
}

TEST(renaming)
{
	in_empty_directory();
	close(make("a", "a"));
	close(make("b", "bb"));
	CALL(rename("a", "b"));
	VALUE(size_of("b"));
	CALL(rename("a", "b"));
	CALL(rename("b", "b"));
	CALL(mkdir("d", 0755));
	CALL(mkdir("d/e", 0755));
	CALL(rename("b", "d"));
	CALL(rename("d", "b"));
	CALL(rename("b", "d/b"));
	CALL(rename("d", "d/e/f"));
	CALL(mkdir("full", 0755));
	close(make("full/x", "x"));
	CALL(rename("d", "full"));
	CALL(rename("full", "d/e"));
	VALUE(size_of("d/e/x"));
	CALL(rename("d/b", "missing/b"));
	CALL(rename("d/b/", "c"));
	CALL(syscall(SYS_renameat2, AT_FDCWD, "d/b", AT_FDCWD, "d/e/x", 1));
	CALL(syscall(SYS_renameat2, AT_FDCWD, "d/b", AT_FDCWD, "d/e/y", 1));
	/* Two names of one file. */
	CALL(link("d/e/y", "y"));
	CALL(rename("d/e/y", "y"));
	VALUE(size_of("d/e/y"));
}

TEST(links)
{
	in_empty_directory();
	struct stat s, t;
	close(make("file", "contents"));
	CALL(link("file", "second"));
	CALL(link("file", "second"));
	CALL(link("missing", "third"));
	CALL(link(".", "here"));
	stat("file", &s);
	stat("second", &t);
	say("same %d, links %d", s.st_ino == t.st_ino, (int)s.st_nlink);
	CALL(unlink("file"));
	VALUE(size_of("second"));
	CALL(symlink("second", "soft"));
	CALL(symlink("second", "soft"));
	CALL(symlink("", "empty"));
	memset(buffer, 0, 20);
	CALL(readlink("soft", buffer, 20));
	say("'%s'", buffer);
	CALL(readlink("soft", buffer, 3));
	CALL(readlink("soft", buffer, 0));
	CALL(readlink("second", buffer, 20));
	lstat("soft", &s);
	say("link %d, size %ld", S_ISLNK(s.st_mode), (long)s.st_size);
	stat("soft", &s);
	say("file %d, size %ld", S_ISREG(s.st_mode), (long)s.st_size);
	CALL(symlink("nowhere", "dangling"));
	CALL(stat("dangling", &s));
	CALL(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600));
	int fd = open("dangling", O_CREAT | O_RDWR, 0600);
	VALUE(fd >= 0);
	close(fd);
	VALUE(size_of("nowhere"));
}

TEST(statuses)
{
	in_empty_directory();
	struct stat s, t;
	struct statx x;
	int fd = make("file", "12345");
	CALL(fstat(fd, &s));
	say("regular %d mode %o links %d size %ld", S_ISREG(s.st_mode), s.st_mode & 07777, (int)s.st_nlink, (long)s.st_size);
	CALL(stat("file", &t));
	VALUE(s.st_ino == t.st_ino && s.st_dev == t.st_dev);
	CALL(stat("missing", &s));
	CALL(stat("", &s));
	CALL(fstatat(fd, "", &s, AT_EMPTY_PATH));
	VALUE(s.st_size);
	CALL(fstatat(AT_FDCWD, "file", &s, 0x4000));
	CALL(fstatat(AT_FDCWD, "file", &s, 0x40000));
	CALL(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &x));
	say("%d %o %ld %d", (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS, x.stx_mode & 07777, (long)x.stx_size, (int)x.stx_nlink);
	CALL(chmod("file", 0640));
	CALL(fchmod(fd, 0604));
	CALL(fstat(fd, &s));
	say("%o", s.st_mode & 07777);
	CALL(chmod("missing", 0600));
	CALL(stat("/dev/null", &s));
	VALUE(S_ISCHR(s.st_mode));
	close(fd);
}

TEST(times)
{
	in_empty_directory();
	struct stat s;
	struct timespec past[2] = { { 1000000000, 5 }, { 1100000000, 999999999 } }, half[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	struct timespec bad[2] = { { 0, 1000000001 }, { 0, 0 } };
	int fd = make("file", "");
	CALL(futimens(fd, past));
	CALL(fstat(fd, &s));
	say("%ld.%09ld %ld.%09ld", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
	CALL(write(fd, "x", 1));
	CALL(fstat(fd, &s));
	say("access %ld, change is recent %d", (long)s.st_atim.tv_sec, s.st_mtim.tv_sec > 1200000000);
	CALL(utimensat(AT_FDCWD, "file", past, 0));
	CALL(utimensat(AT_FDCWD, "file", half, 0));
	CALL(fstat(fd, &s));
	say("access %ld, change is recent %d", (long)s.st_atim.tv_sec, s.st_mtim.tv_sec > 1200000000);
	CALL(utimensat(AT_FDCWD, "file", bad, 0));
	CALL(utimensat(AT_FDCWD, "missing", past, 0));
	CALL(utimensat(AT_FDCWD, "file", 0, 0));
	struct timespec before;
	clock_gettime(CLOCK_REALTIME, &before);
	close(make("young", ""));
	CALL(stat("young", &s));
	VALUE(labs(s.st_mtim.tv_sec - before.tv_sec) <= 5);
	close(fd);
}

TEST(sending)
{
	in_empty_directory();
	int fd = make("file", "0123456789"), fds[2];
	off_t at = 2;
	if (pipe(fds)) return;
	CALL(sendfile(fds[1], fd, &at, 5));
	VALUE(at);
	CALL(read(fds[0], buffer, 100));
	say("'%.5s'", buffer);
	CALL(lseek(fd, 8, SEEK_SET));
	CALL(sendfile(fds[1], fd, 0, 100));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(sendfile(fds[1], fd, 0, 100));
	CALL(sendfile(fd, fds[0], 0, 100));
	close(fds[0]);
	close(fds[1]);
	close(fd);
}

static int shared;

static void *appends(void *letter)
{
	char line[16];
	memset(line, (int)(intptr_t)letter, 15);
	line[15] = '\n';
	for (int i = 0; i < 200; i++)
		if (write(shared, line, 16) != 16) return (void *)1;
	return 0;
}

/* Lines that several threads append never mix. */
TEST(appending_threads)
{
	in_empty_directory();
	pthread_t threads[4];
	shared = open("file", O_CREAT | O_RDWR | O_APPEND, 0600);
	for (int i = 0; i < 4; i++) threads[i] = start(appends, (void *)(intptr_t)('a' + i));
	for (int i = 0; i < 4; i++) VALUE(join(threads[i]));
	long torn = 0, n = pread(shared, buffer, sizeof buffer, 0);
	for (long i = 0; i < n; i++) torn += i % 16 == 15 ? buffer[i] != '\n' : buffer[i] != buffer[i / 16 * 16];
	VALUE(n);
	VALUE(torn);
	close(shared);
}

AREA(file)
	T(open_flags) T(reading_and_writing) T(appending) T(holes) T(unlinked_but_open) T(renaming) T(links) T(statuses)
	T(times) T(sending) T(appending_threads)
END
