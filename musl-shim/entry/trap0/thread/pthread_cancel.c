/* Cancellation of a thread that is blocked in the library OS.
 *
 * The handler of SIGCANCEL recognises a blocked call by its program counter, which it expects back at the
 * syscall instruction for the call to start again. The library OS starts calls again by itself and tells
 * handlers no registers, as in the direct variant, and so it is dealt with as there: SIGCANCEL is installed
 * without SA_RESTART, the call ends with -EINTR, and musl acts on the cancel on the way out. */
#define _GNU_SOURCE
#include "pthread_impl.h"

#undef SA_RESTART
#define SA_RESTART 0

#include <src/thread/pthread_cancel.c>
