//! Where the linker put what: the symbols that `link/image.ld` defines.

use core::ops::Range;
use trapless_abi::flags::Prot;

const R: Prot = Prot::PROT_READ;
const RW: Prot = R.union(Prot::PROT_WRITE);
const RX: Prot = R.union(Prot::PROT_EXEC);

/// A part of the image with rights of its own. The borders are page aligned.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// First byte.
    pub start: u64,
    /// First byte after it.
    pub end: u64,
    /// What may be done with it.
    pub prot: Prot,
}

/// Declares linker symbols. Of size zero, because the compiler takes two statics with a size to be at different addresses, and sections
/// may be empty.
macro_rules! symbols {
    ($($name:ident),* $(,)?) => {
        unsafe extern "C" {
            $(static $name: [u8; 0];)*
        }
    };
}

symbols! {
    __image_start, __image_end,
    __libos_text_start, __libos_text_end, __libos_rodata_start, __libos_rodata_end, __libos_data_start, __libos_data_end,
    __erts_text_start, __erts_text_end, __erts_rodata_start, __erts_rodata_end, __erts_data_start, __erts_data_end,
    __exports_start, __exports_end, __rootfs_section_start, __rootfs_section_end, __boot_stack_guard, __tls_start, __tls_file_end, __tls_size, __tls_align,
}

/// The address of a linker symbol.
macro_rules! address {
    ($name:ident) => {
        &raw const $name as u64
    };
}

/// The physical memory that the image lies in.
pub fn image_range() -> (u64, u64) {
    (address!(__image_start), address!(__image_end))
}

/// The sections that belong to the program: ERTS and musl.
pub fn program_sections() -> [Section; 3] {
    [
        Section { start: address!(__erts_text_start), end: address!(__erts_text_end), prot: RX },
        Section { start: address!(__erts_rodata_start), end: address!(__erts_rodata_end), prot: R },
        Section { start: address!(__erts_data_start), end: address!(__erts_data_end), prot: RW },
    ]
}

/// The sections of the libos, the table of exports and the root file system, which the program only sees through system calls.
pub fn libos_sections() -> [Section; 4] {
    [
        Section { start: address!(__libos_text_start), end: address!(__libos_text_end), prot: RX },
        Section { start: address!(__libos_rodata_start), end: address!(__libos_rodata_end), prot: R },
        Section { start: address!(__libos_data_start), end: address!(__libos_data_end), prot: RW },
        Section { start: address!(__rootfs_section_start), end: address!(__rootfs_section_end), prot: R },
    ]
}

/// The page below the boot stack, which must not be mapped.
pub fn boot_stack_guard() -> u64 {
    address!(__boot_stack_guard)
}

/// All of the image that belongs to the program.
pub fn program_range() -> Range<u64> {
    address!(__erts_text_start)..address!(__erts_data_end)
}

/// The table of the program's names that shared libraries may use (`trapless_logic::dl::exports`); empty if there is none.
pub fn exports() -> &'static [u8] {
    let len = address!(__exports_end) - address!(__exports_start);
    // SAFETY: both symbols enclose a section of the image that nobody writes to.
    unsafe { core::slice::from_raw_parts((&raw const __exports_start).cast(), len as usize) }
}

/// The template of a thread's TLS block, as the program header PT_TLS would describe it.
#[derive(Clone, Copy, Debug)]
pub struct Tls {
    /// Address of the initialised part.
    pub address: u64,
    /// Bytes of the initialised part.
    pub file_size: u64,
    /// Bytes of the whole block.
    pub memory_size: u64,
    /// Its alignment, bytes.
    pub align: u64,
}

/// The program's TLS template.
pub fn tls() -> Tls {
    Tls {
        address: address!(__tls_start),
        file_size: address!(__tls_file_end) - address!(__tls_start),
        memory_size: address!(__tls_size),
        align: address!(__tls_align).max(1),
    }
}

unsafe extern "C" {
    /// musl's crt1: takes the initial stack pointer, sets the C library up, calls `main`, and never returns.
    fn _start_c(stack: *const usize) -> !;
}

/// Where the program begins: a function of the initial stack pointer.
pub fn program_entry() -> u64 {
    _start_c as *const () as u64
}
