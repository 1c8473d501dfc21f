# int __clone(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls, int *ctid)
#
# The argument order is libos_clone's: registers and the seventh argument on the stack stay where they are.

	.text
	.global __clone
	.hidden __clone
	.type __clone, @function
__clone:
	jmp libos_clone
	.size __clone, . - __clone
	.section .note.GNU-stack, "", @progbits
