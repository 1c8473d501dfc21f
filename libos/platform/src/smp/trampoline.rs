//! From a start-up interrupt to Rust: real mode, straight into 64-bit mode, with page tables of its own.
//!
//! The code page lies below 1 MiB, where a start-up interrupt can point. It is entered with paging off and left right after paging is
//! on, so the tables it uses map the low gigabyte without restriction; the first thing in 64-bit mode is to change to the real ones.

use crate::percpu::{MAX_CPUS, PerCpu, offset};
use core::arch::{global_asm, naked_asm};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use x86_64::registers::control::Cr3;

global_asm!(
    ".section .rodata.trampoline, \"a\", @progbits",
    ".code16",
    ".balign 16",
    "trampoline_start:",
    "cli",
    "cld",
    "mov ax, cs",
    "mov ds, ax",
    // With a 32-bit operand: the 16-bit form loads 24 bits of the base only. As a byte: LLVM takes the prefix by name for a change of
    // mode that outlives the `.code64` below.
    ".byte 0x66",
    "lgdt [trampoline_gdt_offset]",
    "mov eax, cr4",
    "or eax, 0x620", // PAE, OSFXSR, OSXMMEXCPT
    "mov cr4, eax",
    "mov eax, [trampoline_cr3_offset]",
    "mov cr3, eax",
    "mov ecx, 0xc0000080", // EFER: LME, NXE
    "rdmsr",
    "or eax, 0x900",
    "wrmsr",
    "mov eax, cr0",
    "and eax, 0x9ffffff3", // CD, NW, EM, TS off
    "or eax, 0x80010023",  // PG, WP, NE, MP, PE
    "mov cr0, eax",
    // jmp far 8:trampoline_start64, with a 32-bit offset
    ".byte 0x66, 0xea",
    ".long {start64}",
    ".word 8",
    ".balign 8",
    "trampoline_gdt:",
    ".quad 0",
    ".quad 0x00209a0000000000", // 64-bit code, ring 0
    "trampoline_gdt_pointer:",
    ".word 15",
    ".long trampoline_gdt",
    ".balign 4",
    "trampoline_cr3:",
    ".long 0",
    "trampoline_end:",
    ".set trampoline_gdt_offset, trampoline_gdt_pointer - trampoline_start",
    ".set trampoline_cr3_offset, trampoline_cr3 - trampoline_start",
    ".code64",
    ".text",
    start64 = sym start64,
);

unsafe extern "C" {
    static trampoline_start: u8;
    static trampoline_end: u8;
    static trampoline_cr3: u8;
}

/// CPUs that may come, by order of announcement: local APIC ids and blocks.
static IDS: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(u32::MAX) }; MAX_CPUS];
static BLOCKS: [AtomicPtr<PerCpu>; MAX_CPUS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];
static COUNT: AtomicU32 = AtomicU32::new(0);
/// The page tables to change to.
static REAL_CR3: AtomicU64 = AtomicU64::new(0);

/// First 64-bit code of a CPU: finds its block by its APIC id (not by its turn: a CPU that is late must not take another's), and its
/// stack in that. A CPU that nobody expects halts.
#[unsafe(naked)]
unsafe extern "C" fn start64() -> ! {
    naked_asm!(
        "xor eax, eax",
        "mov ds, eax",
        "mov es, eax",
        "mov ss, eax",
        "mov fs, eax",
        "mov gs, eax",
        "mov rax, [rip + {cr3}]",
        "mov cr3, rax",
        // CPUID 0Bh knows ids beyond 8 bits.
        "xor eax, eax",
        "cpuid",
        "cmp eax, 0xb",
        "jb 2f",
        "mov eax, 0xb",
        "xor ecx, ecx",
        "cpuid",
        "test ebx, ebx",
        "jz 2f",
        "mov esi, edx",
        "jmp 3f",
        "2: mov eax, 1",
        "cpuid",
        "shr ebx, 24",
        "mov esi, ebx",
        "3: xor ecx, ecx",
        "lea r8, [rip + {ids}]",
        "lea r9, [rip + {blocks}]",
        "4: cmp ecx, [rip + {count}]",
        "jae 6f",
        "cmp [r8 + rcx * 4], esi",
        "je 5f",
        "inc ecx",
        "jmp 4b",
        "5: mov rdi, [r9 + rcx * 8]",
        "mov rsp, [rdi + {sched_top}]",
        "xor ebp, ebp",
        "call {main}",
        "6: cli",
        "hlt",
        "jmp 6b",
        cr3 = sym REAL_CR3,
        ids = sym IDS,
        blocks = sym BLOCKS,
        count = sym COUNT,
        sched_top = const offset::SCHED_TOP,
        main = sym super::ap_main,
    )
}

/// Expects the CPU with APIC id `apic_id`. By the boot CPU only.
pub(super) fn announce(apic_id: u32, block: &'static PerCpu) {
    let at = COUNT.load(Ordering::Relaxed) as usize;
    IDS[at].store(apic_id, Ordering::Relaxed);
    BLOCKS[at].store(core::ptr::from_ref(block).cast_mut(), Ordering::Relaxed);
    COUNT.store(at as u32 + 1, Ordering::Release);
}

/// The blocks of all CPUs that were announced.
pub(super) fn announced() -> impl Iterator<Item = &'static PerCpu> {
    let count = COUNT.load(Ordering::Acquire) as usize;
    // SAFETY: only 'static blocks are announced.
    BLOCKS[..count].iter().map(|block| unsafe { &*block.load(Ordering::Relaxed) })
}

/// One page table.
#[repr(C, align(4096))]
struct Table([AtomicU64; 512]);

impl Table {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 512])
    }

    fn address(&'static self) -> u64 {
        core::ptr::from_ref(self) as u64
    }
}

static ROOT: Table = Table::new();
static POINTERS: Table = Table::new();
static DIRECTORY: Table = Table::new();

const PRESENT_WRITABLE: u64 = 0b11;
const LARGE: u64 = 1 << 7;
const LARGE_PAGE: u64 = 2 << 20;

/// Copies the code to its page and fills its page tables; returns the page's number, for the start-up interrupt.
pub(super) fn install() -> u8 {
    for (i, entry) in (0..).zip(&DIRECTORY.0) {
        entry.store((i * LARGE_PAGE) | PRESENT_WRITABLE | LARGE, Ordering::Relaxed);
    }
    POINTERS.0[0].store(DIRECTORY.address() | PRESENT_WRITABLE, Ordering::Relaxed);
    ROOT.0[0].store(POINTERS.address() | PRESENT_WRITABLE, Ordering::Relaxed);
    REAL_CR3.store(Cr3::read_raw().0.start_address().as_u64(), Ordering::Relaxed);

    let page = crate::frames::trampoline_page();
    let (start, end) = (&raw const trampoline_start, &raw const trampoline_end);
    let root = u32::try_from(ROOT.address()).expect("the image lies below 4 GiB");
    // SAFETY: the page is reserved for this purpose and mapped; the code is far shorter than a page.
    unsafe {
        let to = page as *mut u8;
        core::ptr::copy_nonoverlapping(start, to, end.offset_from_unsigned(start));
        let cr3_at = (&raw const trampoline_cr3).offset_from_unsigned(start);
        to.add(cr3_at).cast::<u32>().write_unaligned(root);
    }
    u8::try_from(page >> 12).expect("the page lies below 1 MiB")
}
