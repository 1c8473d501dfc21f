/* vfork(2): posix_spawn does not come this way (it clones), only programs that call vfork() do. */
#include <unistd.h>
#include "syscall.h"

pid_t vfork(void)
{
	return __syscall_ret(libos_vfork());
}
