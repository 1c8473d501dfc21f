# The way from the loader to Rust: 32-bit protected mode, paging off, ebx = physical address of hvm_start_info
# (Xen's "x86/HVM direct boot ABI"). Leaves in 64-bit mode with the first 4 GiB identity mapped, SSE on and a stack.

# The note that makes the image bootable: name "Xen", type 18 (XEN_ELFNOTE_PHYS32_ENTRY), 8 bytes of address.
.section .note.Xen, "a", @note
.balign 4
    .long 4
    .long 8
    .long 18
    .asciz "Xen"
    .quad pvh_start32

.section .boot.text, "ax", @progbits
.code32
.global pvh_start32
pvh_start32:
    cli
    cld
    mov esp, offset __boot_stack_top
    mov esi, ebx

    # Page directories: 2048 pages of 2 MiB, present and writable.
    mov edi, offset boot_directories
    mov eax, 0x83
    mov ecx, 2048
1:  mov [edi], eax
    add eax, 0x200000
    add edi, 8
    loop 1b

    # Four of them in the page directory pointer table, and that one in the root.
    mov edi, offset boot_pdpt
    mov eax, offset boot_directories
    or eax, 3
    mov ecx, 4
2:  mov [edi], eax
    add eax, 4096
    add edi, 8
    loop 2b
    mov eax, offset boot_pdpt
    or eax, 3
    mov [boot_pml4], eax

    mov eax, offset boot_pml4
    mov cr3, eax
    mov eax, cr4
    or eax, 0x620           # PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov ecx, 0xc0000080     # EFER: LME, NXE
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, cr0
    and eax, 0xfffffff3     # EM, TS off
    or eax, 0x80010022      # PG, WP, NE, MP
    mov cr0, eax

    lgdt [boot_gdt_pointer]
    # Far return to 64-bit code: LLVM has no spelling for a far jump to a symbol in Intel syntax.
    push 8
    mov eax, offset pvh_start64
    push eax
    retf

.code64
pvh_start64:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov esp, offset __boot_stack_top
    xor ebp, ebp
    mov edi, esi
    call trapless_boot
    ud2

.section .rodata.boot, "a", @progbits
.balign 8
boot_gdt:
    .quad 0
    .quad 0x00209a0000000000    # 64-bit code, ring 0
boot_gdt_pointer:
    .word 15
    .long boot_gdt

.section .bss.boot, "aw", @nobits
.balign 4096
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_directories:
    .skip 4 * 4096

.text
