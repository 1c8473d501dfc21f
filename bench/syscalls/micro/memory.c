/* A mapping made, each of its 4 KiB pages written to, and unmapped. */
#include "micro.h"
#include <sys/mman.h>

static void map(size_t size)
{
	volatile char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	for (size_t at = 0; at < size; at += 4096) memory[at] = 1;
	munmap((void *)memory, size);
}

static void run_page(unsigned long n)
{
	for (; n; n--) map(4096);
}

static void run_large(unsigned long n)
{
	for (; n; n--) map(2 << 20);
}

const struct operation memory_operations[] = {
	{ "mmap_4k", 0, run_page, 0 },
	{ "mmap_2m", 0, run_large, 0 },
	{ 0 },
};
