# long __syscall_cp_asm(volatile int *cancel, long nr, long a1, long a2, long a3, long a4, long a5, long a6)
#
# A system call that is a cancellation point. Between __cp_begin and __cp_end the call has not begun, and a
# signal handler that finds the program counter there may turn it to __cp_cancel: nothing is on the stack
# yet. The row is entered by a jump, so that it returns to __syscall_cp_c and the window ends with the jump.
# A call that has begun is cancelled there instead: by its result -EINTR, see pthread_cancel.c.

	.text
	.global __syscall_cp_asm, __cp_begin, __cp_end, __cp_cancel
	.hidden __syscall_cp_asm, __cp_begin, __cp_end, __cp_cancel, __cancel
	.type __syscall_cp_asm, @function
__syscall_cp_asm:
__cp_begin:
	cmpl $0, (%rdi)
	jne __cp_cancel
	mov %rsi, %rax
	mov %rdx, %rdi
	mov %rcx, %rsi
	mov %r8, %rdx
	mov %r9, %rcx
	mov 8(%rsp), %r8
	mov 16(%rsp), %r9
	jmp *__libos_systab(,%rax,8)
__cp_end:
__cp_cancel:
	jmp __cancel
	.size __syscall_cp_asm, . - __syscall_cp_asm
	.section .note.GNU-stack, "", @progbits
