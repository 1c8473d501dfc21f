/* What a program may and may not do at the boundary of the library OS. `tests/tests/boundary.rs` runs it, one deed a boot.
 *
 * Compiled with TRAPS where system calls are the syscall instruction, with RING_3 where the program runs in ring 3. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the linker put the library OS (link/image.ld). */
extern char __libos_text_start[], __libos_data_start[], __rootfs_section_start[], __image_end[];

static void fails(const char *what, const void *address)
{
	if (write(1, address, 1) != -1 || errno != EFAULT) printf("%s can be written from\n", what);
	if (getrandom((void *)address, 1, 0) != -1 || errno != EFAULT) printf("%s can be written to\n", what);
}

/* The address of memory that is not the program's means nothing in a system call. */
static void pointers(void)
{
	fails("text", __libos_text_start);
	fails("data", __libos_data_start);
	fails("rootfs", __rootfs_section_start);
	fails("heap", __image_end + (8 << 20));
	fails("stacks", (void *)0xffffa0000001f000);
	puts("pointers end");
}

/* What a spinning thread has in its registers, and around its stack pointer, which points at `live`. */
struct spin {
	uint64_t below[64], live[2], put[14], got[14], vectors_put[32], vectors_got[32], turns, flags_put, flags_got, rsp;
} __attribute__((aligned(64)));

/* Loads everything, spins, and stores what is there then. */
void spin(struct spin *block);
__asm__(
	".text\n"
	"spin:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov %rsp, 1288(%rdi)\n"
	"lea 512(%rdi), %rax\n"
	"push 760(%rax)\n popf\n"
	"mov %rax, %rsp\n"
	"movaps 240(%rsp), %xmm0\n movaps 256(%rsp), %xmm1\n movaps 272(%rsp), %xmm2\n movaps 288(%rsp), %xmm3\n"
	"movaps 304(%rsp), %xmm4\n movaps 320(%rsp), %xmm5\n movaps 336(%rsp), %xmm6\n movaps 352(%rsp), %xmm7\n"
	"movaps 368(%rsp), %xmm8\n movaps 384(%rsp), %xmm9\n movaps 400(%rsp), %xmm10\n movaps 416(%rsp), %xmm11\n"
	"movaps 432(%rsp), %xmm12\n movaps 448(%rsp), %xmm13\n movaps 464(%rsp), %xmm14\n movaps 480(%rsp), %xmm15\n"
	"mov 752(%rsp), %rcx\n"
	"mov 16(%rsp), %rax\n mov 24(%rsp), %rbx\n mov 32(%rsp), %rdx\n mov 40(%rsp), %rsi\n"
	"mov 48(%rsp), %rdi\n mov 56(%rsp), %rbp\n mov 64(%rsp), %r8\n mov 72(%rsp), %r9\n"
	"mov 80(%rsp), %r10\n mov 88(%rsp), %r11\n mov 96(%rsp), %r12\n mov 104(%rsp), %r13\n"
	"mov 112(%rsp), %r14\n mov 120(%rsp), %r15\n"
	"1: lea -1(%rcx), %rcx\n jrcxz 2f\n jmp 1b\n"
	"2:\n"
	"mov %rax, 128(%rsp)\n mov %rbx, 136(%rsp)\n mov %rdx, 144(%rsp)\n mov %rsi, 152(%rsp)\n"
	"mov %rdi, 160(%rsp)\n mov %rbp, 168(%rsp)\n mov %r8, 176(%rsp)\n mov %r9, 184(%rsp)\n"
	"mov %r10, 192(%rsp)\n mov %r11, 200(%rsp)\n mov %r12, 208(%rsp)\n mov %r13, 216(%rsp)\n"
	"mov %r14, 224(%rsp)\n mov %r15, 232(%rsp)\n"
	"movaps %xmm0, 496(%rsp)\n movaps %xmm1, 512(%rsp)\n movaps %xmm2, 528(%rsp)\n movaps %xmm3, 544(%rsp)\n"
	"movaps %xmm4, 560(%rsp)\n movaps %xmm5, 576(%rsp)\n movaps %xmm6, 592(%rsp)\n movaps %xmm7, 608(%rsp)\n"
	"movaps %xmm8, 624(%rsp)\n movaps %xmm9, 640(%rsp)\n movaps %xmm10, 656(%rsp)\n movaps %xmm11, 672(%rsp)\n"
	"movaps %xmm12, 688(%rsp)\n movaps %xmm13, 704(%rsp)\n movaps %xmm14, 720(%rsp)\n movaps %xmm15, 736(%rsp)\n"
	"mov %rsp, %rdi\n"
	"mov 776(%rdi), %rsp\n"
	"pushf\n pop 768(%rdi)\n"
	"push $0x202\n popf\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n");
_Static_assert(offsetof(struct spin, live) == 512 && offsetof(struct spin, rsp) == 1288, "as spin() has it");

/* IF is always on; CF, PF, AF, ZF, SF, OF and DF are anybody's. */
enum { ALWAYS = 0x202, ARITHMETIC = 0x8d5, DF = 0x400 };
enum { SPINNERS = 6, ROUNDS = 400 };
static int spinning;

static void *spinner(void *unused)
{
	struct spin block, before;
	pthread_t self = pthread_self();
	for (int round = 0; round < ROUNDS; round++) {
		if (getrandom(&block, sizeof block, 0) != sizeof block) puts("no random numbers");
		block.turns = block.turns % 40000 + 1;
		block.flags_put = (block.flags_put & (ARITHMETIC | DF)) | ALWAYS;
		before = block;
		spin(&block);
		int same = !memcmp(block.below, before.below, 512 + 16) && !memcmp(block.got, before.put, sizeof block.put)
			&& !memcmp(block.vectors_got, before.vectors_put, 256) && block.flags_got == before.flags_put;
		if (!same || pthread_self() != self) puts("something has changed");
	}
	__atomic_sub_fetch(&spinning, 1, __ATOMIC_SEQ_CST);
	return unused;
}

/* Threads whose registers are full, and one that makes interrupts and page faults. */
static void spinners(void)
{
	spinning = SPINNERS;
	for (int i = 0; i < SPINNERS; i++) {
		pthread_t thread;
		if (pthread_create(&thread, 0, spinner, 0)) puts("no thread");
	}
	while (__atomic_load_n(&spinning, __ATOMIC_SEQ_CST)) {
		char *pages = mmap(0, 16 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(pages, 1, 16 << 12);
		munmap(pages, 16 << 12);
		usleep(500);
	}
	puts("spinners end");
}

#ifdef TRAPS
struct registers {
	uint64_t rbx, rbp, rdi, rsi, rdx, r8, r9, r10, r12, r13, r14, r15, rflags, rax;
};

/* getppid with these registers and flags; what is in them afterwards. A function of assembly: the compiler knows of no register. */
void call(const struct registers *in, struct registers *out);
__asm__(
	".text\n"
	"call:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"push %rsi\n"
	"mov %rdi, %rax\n"
	"push 96(%rax)\n"
	"mov (%rax), %rbx\n mov 8(%rax), %rbp\n mov 16(%rax), %rdi\n mov 24(%rax), %rsi\n mov 32(%rax), %rdx\n"
	"mov 40(%rax), %r8\n mov 48(%rax), %r9\n mov 56(%rax), %r10\n"
	"mov 64(%rax), %r12\n mov 72(%rax), %r13\n mov 80(%rax), %r14\n mov 88(%rax), %r15\n"
	"mov $110, %eax\n"
	"popf\n"
	"syscall\n"
	"pushf\n"
	"cld\n"
	"xchg %rax, 8(%rsp)\n"
	"mov %rbx, (%rax)\n mov %rbp, 8(%rax)\n mov %rdi, 16(%rax)\n mov %rsi, 24(%rax)\n mov %rdx, 32(%rax)\n"
	"mov %r8, 40(%rax)\n mov %r9, 48(%rax)\n mov %r10, 56(%rax)\n"
	"mov %r12, 64(%rax)\n mov %r13, 72(%rax)\n mov %r14, 80(%rax)\n mov %r15, 88(%rax)\n"
	"pop 96(%rax)\n"
	"pop 104(%rax)\n"
	"push $0x202\n popf\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n");

/* AC means nothing here, and NT nothing in ring 3. */
enum { NT = 0x4000, AC = 0x40000 };

static void keeps(uint64_t rflags)
{
	struct registers in, out;
	getrandom(&in, sizeof in, 0);
	in.rflags = rflags;
	call(&in, &out);
	in.rax = getppid();
	if (out.rflags != in.rflags) printf("flags %#lx became %#lx\n", in.rflags, out.rflags);
	in.rflags = out.rflags;
	if (memcmp(&in, &out, sizeof in)) puts("a register was lost");
}

/* A system call changes RAX, RCX and R11, whatever the flags are. */
static void registers(void)
{
	for (int i = 0; i < 1000; i++) {
		keeps(ALWAYS);
		keeps(ALWAYS | ARITHMETIC);
		keeps(ALWAYS | DF);
		keeps(ALWAYS | AC);
#ifdef RING_3
		keeps(ALWAYS | NT);
		keeps(ALWAYS | ARITHMETIC | DF | NT | AC);
#endif
	}
	puts("registers end");
}
#endif

#ifdef RING_3
static int has_fsgsbase(void)
{
	unsigned a = 7, b, c = 0, d;
	__asm__ ("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b & 1;
}

/* Long enough for interrupts to come, with flags and a GS base that would harm the library OS. */
static void hostile(void)
{
	for (unsigned long i = 0; i < 3000; i++) {
		/* As the library OS's own block might lie: low and aligned; and values that look like nothing. */
		uint64_t base = (uint64_t[]){ 0, (uint64_t)__libos_data_start, 0xffffa00000000000, 64 }[i % 4];
		if (has_fsgsbase()) __asm__ volatile ("wrgsbase %0" : : "r"(base));
		__asm__ volatile ("push %0\n popf\n mov $20000, %%ecx\n 1: dec %%ecx\n jnz 1b\n push $0x202\n popf"
			: : "r"((uint64_t)(ALWAYS | DF | NT | AC)) : "ecx", "cc", "memory");
		if (getppid() < 0) puts("getppid failed");
	}
	/* IOPL and IF are not the program's to change. */
	uint64_t flags;
	__asm__ volatile ("push $0x3002\n popf\n pushf\n pop %0" : "=r"(flags) : : "cc", "memory");
	if ((flags & 0x3200) != 0x200) printf("flags are %#lx\n", flags);
	puts("hostile end");
}

/* Each of these is the program's end. */
static void forbidden(const char *deed)
{
	volatile char *text = __libos_text_start, *data = __libos_data_start;
#define DEED(name, ...) if (!strcmp(deed, name)) { __VA_ARGS__; }
	DEED("load-text", (void)*text)
	DEED("load-data", (void)*data)
	DEED("load-rootfs", (void)*(volatile char *)__rootfs_section_start)
	DEED("load-heap", (void)*(volatile char *)(__image_end + (8 << 20)))
	DEED("load-stacks", (void)*(volatile char *)0xffffa0000001f000)
	DEED("load-registers", (void)*(volatile char *)0xffff900000000000)
	DEED("store-data", *data = 1)
	DEED("jump-text", ((void (*)(void))__libos_text_start)())
	DEED("cli", __asm__ volatile ("cli"))
	DEED("hlt", __asm__ volatile ("hlt"))
	DEED("out", __asm__ volatile ("out %%al, $0x80" : : "a"(0)))
	DEED("swapgs", __asm__ volatile ("swapgs"))
	DEED("read-cr3", uint64_t value; __asm__ volatile ("mov %%cr3, %0" : "=r"(value)))
	DEED("wrmsr", __asm__ volatile ("wrmsr" : : "c"(0xc0000102), "a"(0), "d"(0)))
	DEED("int3", __asm__ volatile ("int3"))
	DEED("int-page-fault", __asm__ volatile ("int $14"))
	DEED("stack-pointer", __asm__ volatile ("mov %0, %%rsp\n push %0" : : "r"(__libos_data_start + 4096)))
	DEED("trap-flag", __asm__ volatile ("push $0x302\n popf\n mov $110, %%eax\n syscall" : : : "rax", "rcx", "r11"))
	printf("%s went unpunished\n", deed);
}
#endif

int main(int argc, char **argv)
{
	const char *deed = argc > 1 ? argv[1] : "";
	if (!strcmp(deed, "pointers")) pointers();
	else if (!strcmp(deed, "spinners")) spinners();
#ifdef TRAPS
	else if (!strcmp(deed, "registers")) registers();
#endif
#ifdef RING_3
	else if (!strcmp(deed, "hostile")) hostile();
	else forbidden(deed);
#endif
	return 0;
}
