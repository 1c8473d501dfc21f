/* musl's system calls by the `syscall` instruction. Shadows the file of the same name in musl's arch folder.
 *
 * The difference to that: the library OS is compiled code that uses vector registers like any other, so they
 * are lost in a call, as in a function call. Saying so costs nothing, since hardly any are in use at a call;
 * to save them in each call would. The x87 registers are named because naming them tells the compiler to have
 * none in use. General registers survive as on Linux.
 *
 * VDSO_USEFUL and the VDSO_*_SYM names are left out: there is no vdso. */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

#define LIBOS_LOST "rcx", "r11", "memory", \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", \
	"st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

static __inline long __syscall0(long n)
{
	long ret;
	__asm__ __volatile__ ("syscall" : "=a"(ret) : "a"(n) : LIBOS_LOST);
	return ret;
}

static __inline long __syscall1(long n, long a1)
{
	long ret;
	__asm__ __volatile__ ("syscall" : "=a"(ret) : "a"(n), "D"(a1) : LIBOS_LOST);
	return ret;
}

static __inline long __syscall2(long n, long a1, long a2)
{
	long ret;
	__asm__ __volatile__ ("syscall" : "=a"(ret) : "a"(n), "D"(a1), "S"(a2) : LIBOS_LOST);
	return ret;
}

static __inline long __syscall3(long n, long a1, long a2, long a3)
{
	long ret;
	__asm__ __volatile__ ("syscall" : "=a"(ret) : "a"(n), "D"(a1), "S"(a2), "d"(a3) : LIBOS_LOST);
	return ret;
}

static __inline long __syscall4(long n, long a1, long a2, long a3, long a4)
{
	long ret;
	register long r10 __asm__("r10") = a4;
	__asm__ __volatile__ ("syscall" : "=a"(ret) : "a"(n), "D"(a1), "S"(a2), "d"(a3), "r"(r10) : LIBOS_LOST);
	return ret;
}

static __inline long __syscall5(long n, long a1, long a2, long a3, long a4, long a5)
{
	long ret;
	register long r10 __asm__("r10") = a4;
	register long r8 __asm__("r8") = a5;
	__asm__ __volatile__ ("syscall" : "=a"(ret)
		: "a"(n), "D"(a1), "S"(a2), "d"(a3), "r"(r10), "r"(r8) : LIBOS_LOST);
	return ret;
}

static __inline long __syscall6(long n, long a1, long a2, long a3, long a4, long a5, long a6)
{
	long ret;
	register long r10 __asm__("r10") = a4;
	register long r8 __asm__("r8") = a5;
	register long r9 __asm__("r9") = a6;
	__asm__ __volatile__ ("syscall" : "=a"(ret)
		: "a"(n), "D"(a1), "S"(a2), "d"(a3), "r"(r10), "r"(r8), "r"(r9) : LIBOS_LOST);
	return ret;
}

/* The argument form of the System V IPC calls: no legacy flag on x86_64. */
#define IPC_64 0
