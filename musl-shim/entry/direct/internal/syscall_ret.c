/* The function behind the macro of the same name. */
#include "syscall.h"
#undef __syscall_ret
#include <src/internal/syscall_ret.c>
