# Where a signal handler returns to: musl gives this address to rt_sigaction as sa_restorer.
#
# The return has popped the address itself, so RSP points at the frame's ucontext, aligned to 16.

	.text
	.global __restore_rt
	.hidden __restore_rt
	.type __restore_rt, @function
__restore_rt:
	mov %rsp, %rdi
	call libos_sigreturn
	ud2
	.size __restore_rt, . - __restore_rt
	.section .note.GNU-stack, "", @progbits
