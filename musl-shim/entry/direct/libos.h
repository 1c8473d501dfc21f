/* What the library OS provides to the C side: every way out of musl in the direct variant.
 *
 * All of these are ordinary System V calls in one address space, made on the caller's stack, with the
 * caller's FS base. Results follow Linux: a negative errno in [-4095, -1], otherwise the value. */
#ifndef TRAPLESS_LIBOS_H
#define TRAPLESS_LIBOS_H

/* Number of rows of the table. Every syscall number that musl knows is smaller (the build checks it). */
#define LIBOS_SYSTAB_ROWS 512

/* One system call. A row reads as many arguments as the call has; the others hold whatever the caller's
 * registers held. */
typedef long libos_row(long a1, long a2, long a3, long a4, long a5, long a6);

/* The system call table, indexed by Linux's x86_64 numbers. No row is null: a call that does not exist has
 * a row that returns -ENOSYS. Not const: rows may be exchanged while running (tracing). */
extern libos_row *__libos_systab[LIBOS_SYSTAB_ROWS];

/* A system call whose number is known only at run time: syscall(2). Checks the number. It comes last so
 * that a1..a6 arrive in the registers in which a row wants them. */
extern long __libos_syscall(long a1, long a2, long a3, long a4, long a5, long a6, long n);

/* clone(2) for threads, and for posix_spawn's CLONE_VM|CLONE_VFORK child: start a thread that runs fn(arg)
 * at the top of `stack` (which the callee aligns) with a frame pointer of 0, and that exits with fn's
 * result. Returns the new thread's id to the caller, only to the caller, or a negative errno. */
extern long libos_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls, int *ctid);

/* End of a detached thread: munmap(base, size), then exit(0) of this thread. The caller stands on the very
 * stack to be unmapped, so the callee changes to a stack of its own first. */
extern void libos_unmapself(void *base, unsigned long size) __attribute__((__noreturn__));

/* vfork(2). Returns like a row. A child that shares the caller's frame cannot be had by a call: it would
 * return through a frame that its own first return has freed. */
extern long libos_vfork(void);

/* rt_sigreturn(2). `frame` is the ucontext_t of the signal frame: where RSP stands once the handler has
 * returned. Resumes what the frame says. */
extern void libos_sigreturn(void *frame) __attribute__((__noreturn__));

#endif
