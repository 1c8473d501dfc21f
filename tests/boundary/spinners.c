/* The corruption sentinel (libos/platform/src/sentinel.rs) as a program: in ring 3, where there is one. Threads load every register with
 * random values, fill the memory below their stack pointer, spin, and compare. `selftest=storm` makes the interrupts meanwhile. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include "spinners.h"

enum { SPINNERS = 6, ROUNDS = 300, MOST_TURNS = 20000 };

/* A set of register values. `fx` is an FXSAVE image (Intel SDM vol. 1, table 10-2). */
struct values {
	uint64_t ymm[16][4];
	uint8_t fx[512];
	uint64_t gpr[14], rflags;
} __attribute__((aligned(64)));

/* What a thread works on. While the registers are loaded, RSP points at `live`. */
struct block {
	/* A stack to push flags to, and what lies below the stack pointer: the red zone is the upper 16 words. */
	uint64_t scratch[64], below[64], live[16];
	struct values put, got;
	uint64_t turns, rsp, has_avx, has_fsgsbase, fs_put, fs_got, fs_own;
};

_Static_assert(offsetof(struct block, live) == 1024 && offsetof(struct block, put) == 1152, "as spin() has it");
_Static_assert(offsetof(struct block, got) == 2304 && offsetof(struct block, turns) == 3456, "as spin() has it");
_Static_assert(offsetof(struct values, gpr) == 1024 && offsetof(struct values, rflags) == 1136, "as spin() has it");

#define EACH(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)
#define LOAD(n) "vmovdqa 128+32*" #n "(%rsp), %ymm" #n "\n"
#define STORE(n) "vmovdqa %ymm" #n ", 1280+32*" #n "(%rdi)\n"

/* Loads everything, spins, and stores what is there then. Nothing is pushed meanwhile, and the spin changes no flag. */
void spin(struct block *block);
__asm__(
	".text\n"
	"spin:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"sub $8, %rsp\n stmxcsr (%rsp)\n fnstcw 4(%rsp)\n"
	"mov %rsp, 3464(%rdi)\n"
	"lea 1024(%rdi), %rsp\n"
	"fxrstor64 640(%rsp)\n"
	"cmpq $0, 2448(%rsp)\n je 1f\n"
	EACH(LOAD)
	"1: cmpq $0, 2456(%rsp)\n je 2f\n"
	"rdfsbase %rax\n mov %rax, 2480(%rsp)\n"
	"mov 2464(%rsp), %rax\n wrfsbase %rax\n"
	"2: mov 2432(%rsp), %rcx\n"
	"lea -512(%rsp), %rsp\n pushq 2288(%rdi)\n popfq\n lea 1024(%rdi), %rsp\n"
	"mov 1152(%rsp), %rax\n mov 1160(%rsp), %rbx\n mov 1168(%rsp), %rdx\n mov 1176(%rsp), %rsi\n"
	"mov 1184(%rsp), %rdi\n mov 1192(%rsp), %rbp\n mov 1200(%rsp), %r8\n mov 1208(%rsp), %r9\n"
	"mov 1216(%rsp), %r10\n mov 1224(%rsp), %r11\n mov 1232(%rsp), %r12\n mov 1240(%rsp), %r13\n"
	"mov 1248(%rsp), %r14\n mov 1256(%rsp), %r15\n"
	"3: lea -1(%rcx), %rcx\n jrcxz 4f\n jmp 3b\n"
	"4:\n"
	"mov %rax, 2304(%rsp)\n mov %rbx, 2312(%rsp)\n mov %rdx, 2320(%rsp)\n mov %rsi, 2328(%rsp)\n"
	"mov %rdi, 2336(%rsp)\n mov %rbp, 2344(%rsp)\n mov %r8, 2352(%rsp)\n mov %r9, 2360(%rsp)\n"
	"mov %r10, 2368(%rsp)\n mov %r11, 2376(%rsp)\n mov %r12, 2384(%rsp)\n mov %r13, 2392(%rsp)\n"
	"mov %r14, 2400(%rsp)\n mov %r15, 2408(%rsp)\n"
	"mov %rsp, %rdi\n"
	"lea -512(%rsp), %rsp\n pushfq\n pop %rax\n cld\n mov %rax, 2416(%rdi)\n"
	"fxsave64 1792(%rdi)\n"
	"cmpq $0, 2448(%rdi)\n je 5f\n"
	EACH(STORE)
	"vzeroupper\n"
	"5: cmpq $0, 2456(%rdi)\n je 6f\n"
	"rdfsbase %rax\n mov %rax, 2472(%rdi)\n"
	"mov 2480(%rdi), %rax\n wrfsbase %rax\n"
	"6: mov 2440(%rdi), %rsp\n"
	"fninit\n ldmxcsr (%rsp)\n fldcw 4(%rsp)\n add $8, %rsp\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n");

static void cpuid(unsigned leaf, unsigned *b, unsigned *c)
{
	unsigned a = leaf, d;
	*c = 0;
	__asm__("cpuid" : "+a"(a), "=b"(*b), "+c"(*c), "=d"(d));
}

static void put16(uint8_t *fx, int at, uint16_t value)
{
	memcpy(fx + at, &value, sizeof value);
}

/* Values that can be loaded: no exception unmasked, ordinary numbers in the x87 registers. As in sentinel/block.rs. */
static void fill(struct block *block)
{
	unsigned b, c;
	if (getentropy(&block->below, 256) || getentropy((char *)&block->below + 256, 256)) puts("no random numbers");
	if (getrandom(&block->live, sizeof block->live + sizeof block->put, 0) < 0) puts("no random numbers");
	uint64_t *random = block->put.gpr;
	block->turns = random[0] % MOST_TURNS + 1;
	block->fs_put = random[1] >> 17;
	block->put.rflags = (block->put.rflags & (ARITHMETIC | DF)) | ALWAYS;
	cpuid(1, &b, &c);
	block->has_avx = (c >> 27 & 1) && (c >> 28 & 1);
	cpuid(7, &b, &c);
	block->has_fsgsbase = b & 1;

	uint8_t *fx = block->put.fx;
	memset(fx, 0, 32);
	put16(fx, 0, (random[2] & 0x0f00) | 0x7f);
	fx[4] = 0xff;
	put16(fx, 24, (random[3] & 0xe07f) | 0x1f80);
	for (int i = 0; i < 8; i++) {
		fx[32 + 16 * i + 7] |= 0x80;
		put16(fx, 40 + 16 * i, 0x3fff ^ (random[4] >> i & 0x83ff));
	}
	for (int i = 0; i < 16; i++)
		memcpy(fx + 160 + 16 * i, block->put.ymm[i], 16);
}

/* Where the first difference is; null if there is none. */
static const char *difference(const struct block *now, const struct block *before)
{
	const uint8_t *put = now->put.fx, *got = now->got.fx;
	if (memcmp(now->below, before->below, sizeof now->below)) return "below the stack pointer";
	if (memcmp(now->live, before->live, sizeof now->live)) return "live stack";
	if (memcmp(now->put.gpr, now->got.gpr, sizeof now->put.gpr)) return "general registers";
	if (now->put.rflags != now->got.rflags) return "rflags";
	if (now->has_fsgsbase && now->fs_put != now->fs_got) return "fs base";
	if (memcmp(put, got, 5)) return "x87 control and status";
	if (memcmp(put + 24, got + 24, 4)) return "mxcsr";
	for (int i = 0; i < 8; i++)
		if (memcmp(put + 32 + 16 * i, got + 32 + 16 * i, 10)) return "x87 register";
	if (memcmp(put + 160, got + 160, 256)) return "xmm";
	if (now->has_avx && memcmp(now->put.ymm, now->got.ymm, sizeof now->put.ymm)) return "ymm";
	return 0;
}

static int spinning;

static void *spinner(void *unused)
{
	static _Thread_local struct block block, before;
	pthread_t self = pthread_self();
	for (int round = 0; round < ROUNDS; round++) {
		fill(&block);
		before = block;
		/* The fault that tests/tests/mutants.rs puts in looks for this name. */
		pthread_setname_np(self, "spinner");
		spin(&block);
		pthread_setname_np(self, "comparer");
		const char *where = difference(&block, &before);
		if (pthread_self() != self) where = "own thread";
		if (where) printf("mismatch: %s\n", where);
	}
	__atomic_sub_fetch(&spinning, 1, __ATOMIC_SEQ_CST);
	return unused;
}

void spinners(void)
{
	spinning = SPINNERS;
	for (int i = 0; i < SPINNERS; i++) {
		pthread_t thread;
		if (pthread_create(&thread, 0, spinner, 0)) puts("no thread");
	}
	/* Page faults and system calls beside them. */
	while (__atomic_load_n(&spinning, __ATOMIC_SEQ_CST)) {
		char *pages = mmap(0, 16 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(pages, 1, 16 << 12);
		munmap(pages, 16 << 12);
		usleep(500);
	}
	puts("spinners end");
}
