/* musl's internal syscall.h, with shorter ways to what it offers. Shadows the file of the same name.
 *
 * A result is looked at where the call is made: an error is the rare case. And a cancellation point is a
 * call like any other while nobody cancels. musl needs a routine with known addresses for it, because with
 * a trap a signal may come between the test of the flag and the call. Here signals are taken at the edge of
 * a call only: one that comes after the test makes the call return -EINTR instead of sleeping. */
#include_next "syscall.h"
#ifndef TRAPLESS_SYSCALL_H
#define TRAPLESS_SYSCALL_H

/* Offset of `cancel` in struct pthread (pthread_cancel.c checks it); FS points to that structure. */
#define LIBOS_PTHREAD_CANCEL 60

/* What a cancellation point returns whose call ended with -EINTR, and with any error, for musl's callers
 * and for the program. */
hidden long __syscall_cp_interrupted(long n), __syscall_cp_failed(long n, long r);

#define LIBOS_FAILED(r) __builtin_expect((unsigned long)(r) > -4096UL, 0)
#define LIBOS_INLINE static __inline __attribute__((always_inline))

LIBOS_INLINE int __libos_cancelled(void)
{
	int cancelled;
	__asm__ volatile ("cmpl $0, %%fs:%c1" : "=@ccne"(cancelled) : "i"(LIBOS_PTHREAD_CANCEL));
	return __builtin_expect(cancelled, 0);
}

LIBOS_INLINE long __libos_ret(unsigned long r)
{
	return LIBOS_FAILED(r) ? __syscall_ret(r) : r;
}

/* A cancellation point with N arguments: its raw result, and what the program gets. */
#define LIBOS_CP(N, parameters, arguments, padded) \
LIBOS_INLINE long __libos_cp##N parameters \
{ \
	if (__libos_cancelled()) return (__syscall_cp) padded; \
	long r = __syscall##N arguments; \
	return __builtin_expect(r == -EINTR, 0) ? __syscall_cp_interrupted(n) : r; \
} \
LIBOS_INLINE long __libos_cp_ret##N parameters \
{ \
	if (__libos_cancelled()) return __syscall_ret((__syscall_cp) padded); \
	long r = __syscall##N arguments; \
	return LIBOS_FAILED(r) ? __syscall_cp_failed(n, r) : r; \
}

LIBOS_CP(0, (long n), (n), (n, 0, 0, 0, 0, 0, 0))
LIBOS_CP(1, (long n, long a), (n, a), (n, a, 0, 0, 0, 0, 0))
LIBOS_CP(2, (long n, long a, long b), (n, a, b), (n, a, b, 0, 0, 0, 0))
LIBOS_CP(3, (long n, long a, long b, long c), (n, a, b, c), (n, a, b, c, 0, 0, 0))
LIBOS_CP(4, (long n, long a, long b, long c, long d), (n, a, b, c, d), (n, a, b, c, d, 0, 0))
LIBOS_CP(5, (long n, long a, long b, long c, long d, long e), (n, a, b, c, d, e), (n, a, b, c, d, e, 0))
LIBOS_CP(6, (long n, long a, long b, long c, long d, long e, long f), (n, a, b, c, d, e, f), (n, a, b, c, d, e, f))

#undef __syscall_cp0
#undef __syscall_cp1
#undef __syscall_cp2
#undef __syscall_cp3
#undef __syscall_cp4
#undef __syscall_cp5
#undef __syscall_cp6
#define __syscall_cp0 __libos_cp0
#define __syscall_cp1(n,a) __libos_cp1(n,__scc(a))
#define __syscall_cp2(n,a,b) __libos_cp2(n,__scc(a),__scc(b))
#define __syscall_cp3(n,a,b,c) __libos_cp3(n,__scc(a),__scc(b),__scc(c))
#define __syscall_cp4(n,a,b,c,d) __libos_cp4(n,__scc(a),__scc(b),__scc(c),__scc(d))
#define __syscall_cp5(n,a,b,c,d,e) __libos_cp5(n,__scc(a),__scc(b),__scc(c),__scc(d),__scc(e))
#define __syscall_cp6(n,a,b,c,d,e,f) __libos_cp6(n,__scc(a),__scc(b),__scc(c),__scc(d),__scc(e),__scc(f))

#define __libos_scp0 __libos_cp_ret0
#define __libos_scp1(n,a) __libos_cp_ret1(n,__scc(a))
#define __libos_scp2(n,a,b) __libos_cp_ret2(n,__scc(a),__scc(b))
#define __libos_scp3(n,a,b,c) __libos_cp_ret3(n,__scc(a),__scc(b),__scc(c))
#define __libos_scp4(n,a,b,c,d) __libos_cp_ret4(n,__scc(a),__scc(b),__scc(c),__scc(d))
#define __libos_scp5(n,a,b,c,d,e) __libos_cp_ret5(n,__scc(a),__scc(b),__scc(c),__scc(d),__scc(e))
#define __libos_scp6(n,a,b,c,d,e,f) __libos_cp_ret6(n,__scc(a),__scc(b),__scc(c),__scc(d),__scc(e),__scc(f))

#undef syscall_cp
#define syscall_cp(...) __SYSCALL_DISP(__libos_scp,__VA_ARGS__)
#define __syscall_ret(r) __libos_ret(r)

/* No socketcall(2) on x86_64. */
#undef __socketcall
#undef __socketcall_cp
#undef socketcall_cp
#define __socketcall(nm,a,b,c,d,e,f) __syscall6(SYS_##nm,a,b,c,d,e,f)
#define __socketcall_cp(nm,a,b,c,d,e,f) __syscall_cp6(SYS_##nm,a,b,c,d,e,f)
#define socketcall_cp(nm,a,b,c,d,e,f) __libos_scp6(SYS_##nm,a,b,c,d,e,f)

#endif
