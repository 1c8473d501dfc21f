# void __unmapself(void *base, size_t size): the end of a detached thread, which frees its own stack.
#
# A jump and not a call: the stack it stands on is about to vanish, nothing may be kept there.

	.text
	.global __unmapself
	.type __unmapself, @function
__unmapself:
	jmp libos_unmapself
	.size __unmapself, . - __unmapself
	.section .note.GNU-stack, "", @progbits
