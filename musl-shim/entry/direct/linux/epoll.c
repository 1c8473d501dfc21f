/* epoll(7) without the fallbacks for older kernels, which need the arguments after the call. */
#include <sys/epoll.h>
#include "syscall.h"
#undef SYS_epoll_create
#undef SYS_epoll_wait
#include <src/linux/epoll.c>
