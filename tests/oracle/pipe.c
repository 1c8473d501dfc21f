/* pipe(7). */
#include "oracle.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static int fds[2];

static void done(void)
{
	close(fds[0]);
	close(fds[1]);
}

TEST(bytes_through)
{
	char buffer[16] = { 0 };
	CALL(pipe(fds));
	CALL(write(fds[1], "hello", 5));
	CALL(read(fds[0], buffer, 2));
	CALL(read(fds[0], buffer + 2, sizeof buffer - 2));
	say("'%s'", buffer);
	CALL(write(fds[1], "", 0));
	CALL(write(fds[0], "x", 1));
	CALL(read(fds[1], buffer, 1));
	CALL(lseek(fds[0], 0, SEEK_CUR));
	CALL(pread(fds[0], buffer, 1, 0));
	CALL(pwrite(fds[1], buffer, 1, 0));
	CALL(ftruncate(fds[1], 0));
	CALL(fsync(fds[1]));
	done();
}

TEST(ends)
{
	char buffer[8];
	CALL(pipe(fds));
	CALL(write(fds[1], "last", 4));
	close(fds[1]);
	CALL(read(fds[0], buffer, 8));
	CALL(read(fds[0], buffer, 8));
	CALL(read(fds[0], buffer, 8));
	close(fds[0]);
	CALL(pipe(fds));
	signal(SIGPIPE, SIG_IGN);
	close(fds[0]);
	CALL(write(fds[1], "x", 1));
	CALL(write(fds[1], "", 0));
	close(fds[1]);
	signal(SIGPIPE, SIG_DFL);
}

TEST(nonblocking)
{
	static char block[65536];
	CALL(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	CALL(fcntl(fds[0], F_GETFL));
	CALL(fcntl(fds[1], F_GETFL));
	CALL(fcntl(fds[0], F_GETFD));
	CALL(read(fds[0], block, 1));
	CALL(write(fds[1], block, sizeof block));
	CALL(write(fds[1], block, 1));
	CALL(read(fds[0], block, 1));
	/* A page must be free before the next write. */
	CALL(read(fds[0], block, 4095));
	CALL(write(fds[1], block, 4096));
	CALL(write(fds[1], block, 1));
	int waiting = -1;
	CALL(ioctl(fds[0], FIONREAD, &waiting));
	VALUE(waiting);
	CALL(ioctl(fds[1], FIONREAD, &waiting));
	VALUE(waiting);
	done();
	CALL(pipe2(fds, 0x1234567));
}

/* At most PIPE_BUF bytes: all or nothing. More: as much as fits. */
TEST(short_writes)
{
	static char block[65536];
	CALL(pipe2(fds, O_NONBLOCK));
	CALL(write(fds[1], block, 65536 - 4096));
	CALL(write(fds[1], block, 8192));
	CALL(write(fds[1], block, 4096));
	CALL(read(fds[0], block, 65536));
	CALL(read(fds[0], block, 65536));
	done();
}


static void *writes_blocks(void *letter)
{
	char block[PIPE_BUF];
	memset(block, (int)(intptr_t)letter, sizeof block);
	for (int i = 0; i < 100; i++)
		if (write(fds[1], block, sizeof block) != sizeof block) return (void *)1;
	return 0;
}

/* Blocks of PIPE_BUF bytes of several writers never mix. */
TEST(atomic_blocks)
{
	char block[PIPE_BUF];
	long torn = 0, total = 0;
	pthread_t threads[4];
	CALL(pipe(fds));
	for (int i = 0; i < 4; i++) threads[i] = start(writes_blocks, (void *)(intptr_t)('a' + i));
	while (total < 400L * PIPE_BUF) {
		long got = 0;
		while (got < PIPE_BUF) {
			long n = read(fds[0], block + got, PIPE_BUF - got);
			if (n <= 0) break;
			got += n;
		}
		for (int i = 1; i < PIPE_BUF; i++) torn += block[i] != block[0];
		total += got;
	}
	for (int i = 0; i < 4; i++) VALUE(join(threads[i]));
	VALUE(torn);
	VALUE(total == 400L * PIPE_BUF);
	done();
}

static void *writes_much(void *unused)
{
	static char block[1 << 20];
	for (size_t i = 0; i < sizeof block; i++) block[i] = (char)(i * 7 >> 3);
	long n = write(fds[1], block, sizeof block);
	close(fds[1]);
	return (void *)(n + (unused != 0));
}

/* One write larger than the pipe, against reads of odd sizes. */
TEST(large_write)
{
	static char block[7777];
	long total = 0, wrong = 0, n;
	CALL(pipe(fds));
	pthread_t thread = start(writes_much, 0);
	while ((n = read(fds[0], block, sizeof block)) > 0) {
		for (long i = 0; i < n; i++) wrong += block[i] != (char)((total + i) * 7 >> 3);
		total += n;
	}
	VALUE(join(thread));
	VALUE(total);
	VALUE(wrong);
	close(fds[0]);
}

static void *reads_one(void *unused)
{
	char byte;
	return (void *)(read(fds[0], &byte, 1) + (unused != 0));
}

TEST(closing_wakes)
{
	CALL(pipe(fds));
	pthread_t thread = start(reads_one, 0);
	let_it_block();
	close(fds[1]);
	VALUE(join(thread));
	close(fds[0]);
}

TEST(vectors)
{
	char a[4] = { 0 }, b[8] = { 0 };
	struct iovec out[3] = { { "one", 3 }, { 0, 0 }, { "two!", 4 } }, in[2] = { { a, 3 }, { b, 7 } };
	CALL(pipe(fds));
	CALL(writev(fds[1], out, 3));
	CALL(readv(fds[0], in, 2));
	say("'%s' '%s'", a, b);
	CALL(writev(fds[1], out, -1));
	CALL(writev(fds[1], out, IOV_MAX + 1));
	CALL(writev(fds[1], out, 0));
	done();
}

TEST(status)
{
	struct stat s;
	CALL(pipe(fds));
	CALL(fstat(fds[0], &s));
	say("fifo %d mode %o size %ld", S_ISFIFO(s.st_mode), s.st_mode & 0777, (long)s.st_size);
	done();
}

AREA(pipe)
	T(bytes_through) T(ends) T(nonblocking) T(short_writes) T(atomic_blocks) T(large_write) T(closing_wakes) T(vectors)
	T(status)
END
