/* Sets the thread pointer of the calling thread. Runs before there is one: the row must not need it. */
#include "pthread_impl.h"
#include "syscall.h"

#define ARCH_SET_FS 0x1002 /* arch_prctl(2) */

int __set_thread_area(void *p)
{
	return __syscall(SYS_arch_prctl, ARCH_SET_FS, p);
}
