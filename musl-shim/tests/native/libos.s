# The library OS of the tests: the names of entry/direct/libos.h, answered by the Linux kernel of the host.
# With it a program linked with the image's C library runs as a process, and Linux itself tells whether the
# calls come out right.

	.text

# One row per number, 16 bytes each.
	.balign 16
rows:
	.set n, 0
	.rept 512
	.balign 16
	mov $n, %eax
	jmp enter
	.set n, n + 1
	.endr

	.balign 16
enter:
	mov %rcx, %r10
	syscall
	ret

	.global __libos_syscall
__libos_syscall:
	mov 8(%rsp), %rax
	jmp enter

	.global libos_clone
libos_clone:
	and $-16, %rsi
	sub $16, %rsi
	mov %rdi, (%rsi)
	mov %rcx, 8(%rsi)
	mov %edx, %edi
	mov %r8, %rdx
	mov 8(%rsp), %r10
	mov %r9, %r8
	mov $56, %eax
	syscall
	test %eax, %eax
	jz 1f
	ret
1:	xor %ebp, %ebp
	pop %rax
	pop %rdi
	call *%rax
	mov %eax, %edi
	mov $60, %eax
	syscall
	ud2

	.global libos_unmapself
libos_unmapself:
	mov $11, %eax
	syscall
	xor %edi, %edi
	mov $60, %eax
	syscall
	ud2

# A fork: this stand-in cannot return twice through one frame either.
	.global libos_vfork
libos_vfork:
	mov $57, %eax
	syscall
	ret

	.global libos_sigreturn
libos_sigreturn:
	mov %rdi, %rsp
	mov $15, %eax
	syscall
	ud2

	.data
	.balign 8
	.global __libos_systab
__libos_systab:
	.set n, 0
	.rept 512
	.quad rows + 16 * n
	.set n, n + 1
	.endr

	.section .note.GNU-stack, "", @progbits
