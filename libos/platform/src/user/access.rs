//! The only instructions of the libos that may fault on C memory, and where each goes on if its fault cannot be settled.
//!
//! Where the program runs in ring 3 and the CPU has supervisor mode access prevention, it is lifted here (RFLAGS.AC) and nowhere else.
//! An interrupt saves the flag with the others and clears it for its handler ([`crate::trap`]).

use crate::entry::RING_3;
use crate::percpu::offset;
use crate::trap::TrapFrame;
use core::arch::global_asm;

// Plain loads and stores: string instructions are slow where code is emulated, and no faster where it is not.
global_asm!(
    // Around the accesses.
    ".macro user_open",
    ".if {ring3}",
    "cmp dword ptr gs:[{has_smap}], 0",
    "je 8f",
    "stac",
    "8:",
    ".endif",
    ".endm",
    ".macro user_close",
    ".if {ring3}",
    "cmp dword ptr gs:[{has_smap}], 0",
    "je 9f",
    "clac",
    "9:",
    ".endif",
    ".endm",
    ".text",
    // user_copy(to: rdi, from: rsi, len: rdx) -> bytes not copied. The registers always describe what is left, so after a fault in
    // a block the same bytes are tried one by one, and the count is exact.
    ".balign 16",
    "user_copy:",
    "user_open",
    "cmp rdx, 64",
    "jb 3f",
    "2:",
    "movups xmm0, [rsi]",
    "movups xmm1, [rsi + 16]",
    "movups xmm2, [rsi + 32]",
    "movups xmm3, [rsi + 48]",
    "movups [rdi], xmm0",
    "movups [rdi + 16], xmm1",
    "movups [rdi + 32], xmm2",
    "movups [rdi + 48], xmm3",
    "add rsi, 64",
    "add rdi, 64",
    "sub rdx, 64",
    "cmp rdx, 64",
    "jae 2b",
    "3:",
    "cmp rdx, 8",
    "jb user_copy_bytes",
    "mov rax, [rsi]",
    "mov [rdi], rax",
    "add rsi, 8",
    "add rdi, 8",
    "sub rdx, 8",
    "jmp 3b",
    "user_copy_bytes:",
    "test rdx, rdx",
    "jz user_copy_end",
    "4:",
    "mov al, [rsi]",
    "mov [rdi], al",
    "inc rsi",
    "inc rdi",
    "dec rdx",
    "jnz 4b",
    "user_copy_end:",
    "user_close",
    "mov rax, rdx",
    "ret",
    // What follows up to user_word_failed does all or nothing.
    // user_load(from: rdi, to: rsi) -> whether it worked.
    "user_load:",
    "user_open",
    "mov eax, [rdi]",
    "mov [rsi], eax",
    "user_close",
    "mov eax, 1",
    "ret",
    // user_exchange(at: rdi, old: rsi, new: edx) -> whether it worked; *old is what was there.
    "user_exchange:",
    "user_open",
    "mov eax, [rsi]",
    "lock cmpxchg [rdi], edx",
    "mov [rsi], eax",
    "user_close",
    "mov eax, 1",
    "ret",
    // user_store_16(to: rdi, from: rsi) -> whether it worked.
    "user_store_16:",
    "user_open",
    "movups xmm0, [rsi]",
    "movups [rdi], xmm0",
    "user_close",
    "mov eax, 1",
    "ret",
    "user_word_failed:",
    "user_close",
    "xor eax, eax",
    "ret",
    ".text",
    ring3 = const RING_3 as u8,
    has_smap = const offset::HAS_SMAP,
);

unsafe extern "C" {
    fn user_copy(to: *mut u8, from: *const u8, len: usize) -> usize;
    fn user_copy_bytes();
    fn user_copy_end();
    fn user_load(from: *const u32, to: *mut u32) -> bool;
    fn user_exchange(at: *mut u32, old: *mut u32, new: u32) -> bool;
    fn user_store_16(to: *mut u8, from: *const [u8; 16]) -> bool;
    fn user_word_failed();
}

/// Copies `len` bytes and returns how many were not copied.
///
/// # Safety
/// One side belongs to the caller, the other is program memory, mapped or not.
pub(super) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) -> usize {
    // SAFETY: by the caller; the routine follows the C calling convention.
    unsafe { user_copy(to, from, len) }
}

/// Reads a word; false if there is none.
///
/// # Safety
/// `from` is an aligned address of program memory, mapped or not; `to` belongs to the caller.
pub(super) unsafe fn load(from: *const u32, to: *mut u32) -> bool {
    // SAFETY: by the caller.
    unsafe { user_load(from, to) }
}

/// Stores `new` if the word is `*old`, and sets `*old` to what it was; false if there is no word.
///
/// # Safety
/// `at` is an aligned address of program memory, mapped or not; `old` belongs to the caller.
pub(super) unsafe fn exchange(at: *mut u32, old: *mut u32, new: u32) -> bool {
    // SAFETY: by the caller.
    unsafe { user_exchange(at, old, new) }
}

/// Writes 16 bytes; false if they are not all there.
///
/// # Safety
/// `to` is an address of program memory, mapped or not.
pub(super) unsafe fn store_16(to: *mut u8, from: &[u8; 16]) -> bool {
    // SAFETY: by the caller.
    unsafe { user_store_16(to, from) }
}

/// Whether the code at `rip` is one of these routines.
pub(crate) fn may_fault(rip: u64) -> bool {
    (user_copy as *const () as u64..user_word_failed as *const () as u64).contains(&rip)
}

/// If the fault happened in one of these routines, lets it go on with its error and returns true.
pub(crate) fn resume_after_fault(frame: &mut TrapFrame) -> bool {
    let (copy, bytes, end) =
        (user_copy as *const () as u64, user_copy_bytes as *const () as u64, user_copy_end as *const () as u64);
    let (load, failed) = (user_load as *const () as u64, user_word_failed as *const () as u64);
    frame.rip = match frame.rip {
        rip if (copy..bytes).contains(&rip) => bytes,
        rip if (bytes..end).contains(&rip) => end,
        rip if (load..failed).contains(&rip) => failed,
        _ => return false,
    };
    true
}
