/* Cancellation of a thread that is blocked in the library OS.
 *
 * With a trap, the handler of SIGCANCEL recognises a blocked call by its program counter, which stands at
 * the syscall instruction. Here the blocked thread's counter is deep inside the library OS, where the
 * handler can do nothing but raise the signal again. But musl also treats -EINTR from a cancellation point
 * as the time to act on a cancel. So SIGCANCEL is installed without SA_RESTART: it interrupts the call,
 * which takes back its work as for any other signal, and the thread is cancelled on the way out. */
#define _GNU_SOURCE
#include <stddef.h>
#include "pthread_impl.h"
#include "syscall.h"

_Static_assert(offsetof(struct pthread, cancel) == LIBOS_PTHREAD_CANCEL, "syscall.h looks at another member");

#undef SA_RESTART
#define SA_RESTART 0

#include <src/thread/pthread_cancel.c>
