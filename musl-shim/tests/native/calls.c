/* Constant and variable numbers, all argument counts, errors, vectors of bytes, the clock. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

int main(int argc, char **argv)
{
	CHECK(argc == 2 && !strcmp(argv[1], "argument"));
	CHECK(getpid() > 0 && getpid() == syscall(SYS_getpid));
	CHECK(getppid() == syscall(SYS_getppid));

	errno = 0;
	CHECK(syscall(100000L) == -1 && errno == ENOSYS);
	CHECK(close(-1) == -1 && errno == EBADF);

	/* Six arguments, in a row and through the generic call. */
	int zero = open("/dev/zero", O_RDWR);
	CHECK(zero >= 0);
	char *a = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 4096);
	CHECK(a != MAP_FAILED && a[4095] == 0);
	char *b = (char *)syscall(SYS_mmap, 0L, 4096L, (long)(PROT_READ | PROT_WRITE), (long)MAP_PRIVATE, (long)zero, 4096L);
	CHECK(b != MAP_FAILED && b != a && b[4095] == 0);

	/* A cancellation point with five arguments: they pass through the stack. */
	int in = open("/proc/self/exe", O_RDONLY), ends[2];
	loff_t offset = 1;
	char text[4] = "";
	CHECK(in >= 0 && pipe(ends) == 0);
	CHECK(splice(in, &offset, ends[1], 0, 3, 0) == 3 && offset == 4);
	CHECK(read(ends[0], text, 3) == 3 && !strcmp(text, "ELF"));

	struct iovec parts[] = {{"to", 2}, {"gether", 6}};
	char whole[9] = "";
	CHECK(writev(ends[1], parts, 2) == 8);
	CHECK(read(ends[0], whole, 8) == 8 && !strcmp(whole, "together"));

	struct timespec t1, t2;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &t1) == 0 && syscall(SYS_clock_gettime, (long)CLOCK_MONOTONIC, &t2) == 0);
	CHECK(t2.tv_sec > t1.tv_sec || (t2.tv_sec == t1.tv_sec && t2.tv_nsec >= t1.tv_nsec));
	CHECK(time(0) > 1700000000);
	return 0;
}
