/* What a program may and may not do at the boundary of the library OS. `tests/tests/boundary.rs` runs it, one deed a boot.
 *
 * Compiled with TRAPS where system calls are the syscall instruction, with RING_3 where the program runs in ring 3. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "spinners.h"

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

/* The flags that are no matter of the call: in ring 0 it is to them what a function is. */
#ifdef RING_3
enum { LOST = 0 };
#else
enum { LOST = ARITHMETIC | DF };
#endif

static void keeps(uint64_t rflags)
{
	struct registers in, out;
	getrandom(&in, sizeof in, 0);
	in.rflags = rflags;
	call(&in, &out);
	in.rax = getppid();
	if ((out.rflags ^ in.rflags) & ~(uint64_t)LOST) printf("flags %#lx became %#lx\n", in.rflags, out.rflags);
	in.rflags = out.rflags;
	if (memcmp(&in, &out, sizeof in)) puts("a register was lost");
}

/* A system call changes RAX, RCX and R11 and LOST, whatever the flags are. */
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
