/* Address space: mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), brk(2). */
#include "oracle.h"

enum { PAGE = 4096 };

static char *map(size_t pages, int protection, int flags)
{
	void *at = mmap(0, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	return at == MAP_FAILED ? 0 : at;
}

static int all(const char *at, size_t size, char value)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] != value) return 0;
	return 1;
}

/* Which pages have something mapped, as letters. mincore(2) says ENOMEM for a hole. */
static void show(const char *what, char *at, int pages)
{
	char letters[33] = { 0 };
	unsigned char byte;
	for (int i = 0; i < pages; i++) letters[i] = mincore(at + i * PAGE, PAGE, &byte) ? '-' : 'm';
	say("%s: %s", what, letters);
}

TEST(fresh_memory)
{
	char *at = map(16, PROT_READ | PROT_WRITE, 0);
	VALUE(all(at, 16 * PAGE, 0));
	memset(at, 7, 16 * PAGE);
	CALL(munmap(at, 16 * PAGE));
	at = map(16, PROT_READ | PROT_WRITE, 0);
	VALUE(all(at, 16 * PAGE, 0));
	CALL(munmap(at, 16 * PAGE));
	at = map(16, PROT_READ | PROT_WRITE, MAP_POPULATE);
	VALUE(all(at, 16 * PAGE, 0));
	CALL(munmap(at, 16 * PAGE));
	CALL(munmap(at, 16 * PAGE));
}

TEST(partial_unmap)
{
	char *at = map(8, PROT_READ | PROT_WRITE, 0);
	memset(at, 1, 8 * PAGE);
	CALL(munmap(at + 2 * PAGE, 3 * PAGE));
	show("middle gone", at, 8);
	VALUE(all(at, 2 * PAGE, 1) && all(at + 5 * PAGE, 3 * PAGE, 1));
	CALL(munmap(at + PAGE, 5 * PAGE));
	show("more gone", at, 8);
	CALL(munmap(at, 8 * PAGE - 100));
	show("all gone", at, 8);
}

TEST(at_a_place)
{
	char *at = map(8, PROT_READ | PROT_WRITE, 0);
	memset(at, 1, 8 * PAGE);
	char *inside = mmap(at + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	VALUE(inside == at + 2 * PAGE);
	VALUE(all(inside, 2 * PAGE, 0));
	VALUE(all(at, 2 * PAGE, 1) && all(at + 4 * PAGE, 4 * PAGE, 1));
	WORKS(mmap(at + 100, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	WORKS(mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	munmap(at, 8 * PAGE);
	inside = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	VALUE(inside == at);
	munmap(at, PAGE);
	/* A hint that is free is taken. */
	inside = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VALUE(inside == at);
	munmap(inside, PAGE);
}

TEST(reservations)
{
	size_t gigabyte = 1ul << 30;
	char *at = mmap(0, gigabyte, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	VALUE(at != MAP_FAILED);
	CALL(mprotect(at + gigabyte / 2, PAGE, PROT_READ | PROT_WRITE));
	at[gigabyte / 2] = 5;
	VALUE(at[gigabyte / 2] + at[gigabyte / 2 + 1]);
	CALL(munmap(at, gigabyte));
	/* Readable and writable, and hardly touched. */
	at = mmap(0, 4 * gigabyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	VALUE(at != MAP_FAILED);
	for (int i = 0; i < 64; i++) at[i * (4 * gigabyte / 64)] = (char)i;
	long sum = 0;
	for (int i = 0; i < 64; i++) sum += at[i * (4 * gigabyte / 64)] + at[i * (4 * gigabyte / 64) + 1];
	VALUE(sum);
	CALL(munmap(at, 4 * gigabyte));
}

TEST(refused)
{
	char *at = map(2, PROT_READ | PROT_WRITE, 0);
	CALL(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CALL(mmap(0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
	CALL(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
	CALL(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 99, 0));
	CALL(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 100));
	CALL(mmap(0, 1ul << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CALL(munmap(at + 1, PAGE));
	CALL(munmap(at, 0));
	CALL(syscall(SYS_mprotect, at + 1, PAGE, PROT_READ));
	CALL(mprotect(at, PAGE, 0x1234));
	CALL(mprotect(at, 0, PROT_READ));
	munmap(at + PAGE, PAGE);
	CALL(mprotect(at, 2 * PAGE, PROT_READ));
	CALL(madvise(at, 2 * PAGE, MADV_DONTNEED));
	CALL(madvise(at + 1, PAGE, MADV_DONTNEED));
	CALL(madvise(at, PAGE, 777));
	CALL(msync(at, PAGE, MS_SYNC | MS_ASYNC));
	CALL(msync(at, 2 * PAGE, MS_SYNC));
	munmap(at, 2 * PAGE);
}

/* The kernel honours protections too: EFAULT, not a write. */
TEST(protection)
{
	int fds[2];
	char *at = map(3, PROT_READ | PROT_WRITE, 0);
	if (pipe(fds)) return;
	CALL(write(fds[1], "abcdef", 6));
	CALL(mprotect(at, PAGE, PROT_READ));
	CALL(read(fds[0], at, 1));
	CALL(mprotect(at, PAGE, PROT_NONE));
	CALL(write(fds[1], at, 1));
	CALL(mprotect(at, PAGE, PROT_READ | PROT_WRITE));
	CALL(read(fds[0], at, 1));
	VALUE(at[0]);
	/* Contents survive. */
	memset(at, 9, 3 * PAGE);
	CALL(mprotect(at, 3 * PAGE, PROT_NONE));
	CALL(mprotect(at, 3 * PAGE, PROT_READ));
	VALUE(all(at, 3 * PAGE, 9));
	close(fds[0]);
	close(fds[1]);
	munmap(at, 3 * PAGE);
}

TEST(executable)
{
	/* mov eax, 42; ret */
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	char *at = map(1, PROT_READ | PROT_WRITE, 0);
	memcpy(at, code, sizeof code);
	CALL(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
	VALUE(((int (*)(void))(uintptr_t)at)());
	munmap(at, PAGE);
	at = map(1, PROT_READ | PROT_WRITE | PROT_EXEC, 0);
	memcpy(at, code, sizeof code);
	VALUE(((int (*)(void))(uintptr_t)at)());
	at[1] = 43;
	VALUE(((int (*)(void))(uintptr_t)at)());
	munmap(at, PAGE);
}

TEST(forgetting)
{
	char *at = map(8, PROT_READ | PROT_WRITE, 0);
	memset(at, 3, 8 * PAGE);
	CALL(madvise(at + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
	VALUE(all(at, 2 * PAGE, 3));
	VALUE(all(at + 2 * PAGE, 2 * PAGE, 0));
	VALUE(all(at + 4 * PAGE, 4 * PAGE, 3));
	at[2 * PAGE] = 1;
	VALUE(at[2 * PAGE]);
	unsigned char resident[8];
	CALL(madvise(at, 8 * PAGE, MADV_DONTNEED));
	at[PAGE] = 1;
	CALL(mincore(at, 8 * PAGE, resident));
	say("%d %d %d", resident[0] & 1, resident[1] & 1, resident[2] & 1);
	CALL(madvise(at, 8 * PAGE, MADV_WILLNEED));
	CALL(madvise(at, 8 * PAGE, MADV_HUGEPAGE) == 0 || errno == EINVAL);
	CALL(madvise(at, 0, MADV_DONTNEED));
	munmap(at, 8 * PAGE);
}

TEST(resizing)
{
	char *at = map(16, PROT_READ | PROT_WRITE, 0);
	for (int i = 0; i < 16; i++) at[i * PAGE] = (char)(i + 1);
	char *smaller = mremap(at, 16 * PAGE, 4 * PAGE, 0);
	VALUE(smaller == at);
	show("smaller", at, 16);
	char *larger = mremap(at, 4 * PAGE, 8 * PAGE, 0);
	VALUE(larger == at);
	say("%d %d %d", at[3 * PAGE], at[4 * PAGE], at[7 * PAGE]);
	/* Something is in the way. */
	char *wall = mmap(at + 8 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	WORKS(mremap(at, 8 * PAGE, 9 * PAGE, 0));
	char *moved = mremap(at, 8 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
	VALUE(moved != MAP_FAILED && moved != at);
	say("%d %d %d", moved[0], moved[3 * PAGE], moved[31 * PAGE]);
	show("old place", at, 9);
	char *place = map(64, PROT_NONE, 0);
	char *fixed = mremap(moved, 32 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	VALUE(fixed == place);
	say("%d %d", fixed[0], fixed[3 * PAGE]);
	WORKS(mremap(fixed, 16 * PAGE, 0, 0));
	WORKS(mremap(fixed + 1, PAGE, PAGE, 0));
	WORKS(mremap(fixed, 16 * PAGE, 16 * PAGE, MREMAP_FIXED, place));
	WORKS(mremap(fixed, 16 * PAGE, 16 * PAGE, 0x100));
	munmap(place, 64 * PAGE);
	munmap(wall, PAGE);
	WORKS(mremap(place, PAGE, PAGE, 0));
}

TEST(program_break)
{
	char *begin = (char *)syscall(SYS_brk, 0);
	char *end = (char *)syscall(SYS_brk, begin + 10 * PAGE);
	VALUE(end - begin == 10 * PAGE);
	VALUE(all(begin, 10 * PAGE - ((uintptr_t)begin % PAGE), 0));
	memset(begin, 1, 10 * PAGE);
	end = (char *)syscall(SYS_brk, begin + PAGE);
	VALUE(end - begin);
	VALUE((char *)syscall(SYS_brk, 1) == end);
	end = (char *)syscall(SYS_brk, begin + 10 * PAGE);
	VALUE(all(begin + 2 * PAGE, 8 * PAGE, 0));
	VALUE((char *)syscall(SYS_brk, begin) == begin);
}

TEST(files)
{
	in_empty_directory();
	char block[PAGE + 100];
	memset(block, 'f', sizeof block);
	int fd = open("file", O_CREAT | O_RDWR, 0600);
	CALL(write(fd, block, sizeof block));
	char *at = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	VALUE(at != MAP_FAILED);
	VALUE(all(at, PAGE + 100, 'f') && all(at + PAGE + 100, PAGE - 100, 0));
	at[0] = 'x';
	CALL(pread(fd, block, 1, 0));
	VALUE(block[0]);
	close(fd);
	VALUE(at[1]);
	munmap(at, 2 * PAGE);
	fd = open("file", O_RDONLY);
	at = mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	VALUE(at[99] == 'f' && at[100] == 0);
	munmap(at, PAGE);
	WORKS(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	WORKS(mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 100));
	close(fd);
	fd = open("file", O_WRONLY);
	WORKS(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
	close(fd);
	int fds[2];
	if (pipe(fds)) return;
	WORKS(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0));
	close(fds[0]);
	close(fds[1]);
}

static void *maps_and_unmaps(void *seed)
{
	long wrong = 0;
	for (int i = 0; i < 300; i++) {
		int pages = 1 + (i * 7 + (int)(intptr_t)seed) % 20;
		char *at = map(pages, PROT_READ | PROT_WRITE, 0);
		if (!at) return (void *)-1;
		wrong += !all(at, pages * PAGE, 0);
		memset(at, (int)(intptr_t)seed, pages * PAGE);
		sched_yield();
		wrong += !all(at, pages * PAGE, (char)(intptr_t)seed);
		if (i % 3) munmap(at, pages * PAGE);
		else madvise(at, pages * PAGE, MADV_DONTNEED), wrong += !all(at, pages * PAGE, 0), munmap(at, pages * PAGE);
	}
	return (void *)wrong;
}

/* A page that one thread gives back comes to another as zeros, and never to two. */
TEST(threads)
{
	pthread_t threads[6];
	for (int i = 0; i < 6; i++) threads[i] = start(maps_and_unmaps, (void *)(intptr_t)(i + 1));
	for (int i = 0; i < 6; i++) VALUE(join(threads[i]));
}

AREA(memory)
	T(fresh_memory) T(partial_unmap) T(at_a_place) T(reservations) T(refused) T(protection) T(executable) T(forgetting)
	T(resizing) T(program_break) T(files) T(threads)
END
