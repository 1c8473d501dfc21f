# long syscall(long n, ...)
#
# A compiled variadic function would store and load all arguments. As there it is harmless that the word where a
# sixth argument would be is read when there is none: it is on the caller's stack.

	.text
	.global syscall
	.hidden __syscall_ret
	.type syscall, @function
syscall:
	cmp $511, %rdi
	ja 1f
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %rcx
	mov %r9, %r8
	mov 8(%rsp), %r9
	sub $8, %rsp
	call *__libos_systab(,%rax,8)
	add $8, %rsp
	cmp $-4096, %rax
	ja 2f
	ret
1:	mov $-38, %rax
2:	mov %rax, %rdi
	jmp __syscall_ret
	.size syscall, . - syscall
	.section .note.GNU-stack, "", @progbits
