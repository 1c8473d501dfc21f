/* musl's system calls as calls of C functions. Shadows the file of the same name in musl's arch folder.
 *
 * They are real calls through a prototype, never a `call` inside an asm statement: so the compiler itself
 * aligns the stack, keeps its red zone out of the way and knows which registers a call destroys.
 * A number that is a compile-time constant, which is all but syscall(2), needs no dispatcher: the call goes
 * straight through its row of the table.
 *
 * VDSO_USEFUL and the VDSO_*_SYM names are left out on purpose: a call costs no more than the vdso would. */
#include "libos.h"

#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

/* Calls without arguments return no more than an int. Saying so lets the compiler make the call a jump where
 * a function, such as getppid, returns the result as it is. */
static __inline long __syscall0(long n)
{
	if (__builtin_constant_p(n))
		return ((int (*)(void))__libos_systab[n])();
	return __libos_syscall(0, 0, 0, 0, 0, 0, n);
}

static __inline long __syscall1(long n, long a1)
{
	if (__builtin_constant_p(n))
		return ((long (*)(long))__libos_systab[n])(a1);
	return __libos_syscall(a1, 0, 0, 0, 0, 0, n);
}

static __inline long __syscall2(long n, long a1, long a2)
{
	if (__builtin_constant_p(n))
		return ((long (*)(long, long))__libos_systab[n])(a1, a2);
	return __libos_syscall(a1, a2, 0, 0, 0, 0, n);
}

static __inline long __syscall3(long n, long a1, long a2, long a3)
{
	if (__builtin_constant_p(n))
		return ((long (*)(long, long, long))__libos_systab[n])(a1, a2, a3);
	return __libos_syscall(a1, a2, a3, 0, 0, 0, n);
}

static __inline long __syscall4(long n, long a1, long a2, long a3, long a4)
{
	if (__builtin_constant_p(n))
		return ((long (*)(long, long, long, long))__libos_systab[n])(a1, a2, a3, a4);
	return __libos_syscall(a1, a2, a3, a4, 0, 0, n);
}

static __inline long __syscall5(long n, long a1, long a2, long a3, long a4, long a5)
{
	if (__builtin_constant_p(n))
		return ((long (*)(long, long, long, long, long))__libos_systab[n])(a1, a2, a3, a4, a5);
	return __libos_syscall(a1, a2, a3, a4, a5, 0, n);
}

static __inline long __syscall6(long n, long a1, long a2, long a3, long a4, long a5, long a6)
{
	if (__builtin_constant_p(n))
		return __libos_systab[n](a1, a2, a3, a4, a5, a6);
	return __libos_syscall(a1, a2, a3, a4, a5, a6, n);
}

/* The argument form of the System V IPC calls: no legacy flag on x86_64. */
#define IPC_64 0
