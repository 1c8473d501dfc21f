//! The first stack of a program: argument count, argument and environment pointers, auxiliary vector, and the bytes they point to
//! (System V ABI for x86-64, section 3.4.1; getauxval(3)).

use alloc::vec::Vec;

/// Keys of the auxiliary vector (getauxval(3), elf.h).
pub mod at {
    /// End of the vector.
    pub const NULL: u64 = 0;
    /// Address of the program headers.
    pub const PHDR: u64 = 3;
    /// Size of one program header.
    pub const PHENT: u64 = 4;
    /// Number of program headers.
    pub const PHNUM: u64 = 5;
    /// Page size.
    pub const PAGESZ: u64 = 6;
    /// Entry point.
    pub const ENTRY: u64 = 9;
    /// Real user id.
    pub const UID: u64 = 11;
    /// Effective user id.
    pub const EUID: u64 = 12;
    /// Real group id.
    pub const GID: u64 = 13;
    /// Effective group id.
    pub const EGID: u64 = 14;
    /// Frequency of times(2).
    pub const CLKTCK: u64 = 17;
    /// Whether the program gained privileges.
    pub const SECURE: u64 = 23;
    /// Address of 16 random bytes; filled in by [`super::build`].
    pub const RANDOM: u64 = 25;
    /// Address of the program's file name; filled in by [`super::build`].
    pub const EXECFN: u64 = 31;
    /// Smallest stack for a signal handler.
    pub const MINSIGSTKSZ: u64 = 51;
}

/// A stack ready to be copied to memory.
#[derive(Debug)]
pub struct StackImage {
    /// Initial stack pointer, 16-byte aligned; `bytes` belong there.
    pub sp: u64,
    /// Everything from `sp` up to the top of the stack.
    pub bytes: Vec<u8>,
}

/// Lays out a stack that ends at `top`. `auxv` lacks AT_RANDOM, AT_EXECFN and AT_NULL, which are added here.
pub fn build(top: u64, argv: &[&[u8]], envp: &[&[u8]], auxv: &[(u64, u64)], random: [u8; 16]) -> StackImage {
    // Strings first, so that their addresses are known; they go to the very top.
    let mut strings = Vec::new();
    let mut offsets = Vec::new();
    for text in argv.iter().chain(envp) {
        offsets.push(strings.len() as u64);
        strings.extend_from_slice(text);
        strings.push(0);
    }
    let random_at = strings.len() as u64;
    strings.extend_from_slice(&random);

    let words = 1 + (argv.len() + 1) + (envp.len() + 1) + 2 * (auxv.len() + 3);
    let strings_base = (top - strings.len() as u64) & !15;
    let sp = (strings_base - 8 * words as u64) & !15;

    let mut bytes = Vec::with_capacity((top - sp) as usize);
    let mut word = |w: u64| bytes.extend_from_slice(&w.to_le_bytes());
    word(argv.len() as u64);
    for (i, offset) in offsets.iter().enumerate() {
        if i == argv.len() {
            word(0);
        }
        word(strings_base + offset);
    }
    if envp.is_empty() {
        word(0);
    }
    word(0);
    let execfn = strings_base + offsets.first().copied().unwrap_or(random_at);
    for &(key, value) in
        auxv.iter().chain(&[(at::RANDOM, strings_base + random_at), (at::EXECFN, execfn), (at::NULL, 0)])
    {
        word(key);
        word(value);
    }
    bytes.resize((strings_base - sp) as usize, 0);
    bytes.extend_from_slice(&strings);
    StackImage { sp, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(image: &StackImage, n: usize) -> u64 {
        u64::from_le_bytes(image.bytes[8 * n..8 * n + 8].try_into().unwrap())
    }

    fn text(image: &StackImage, address: u64) -> &[u8] {
        let at = (address - image.sp) as usize;
        image.bytes[at..].split(|&b| b == 0).next().unwrap()
    }

    #[test]
    fn a_program_finds_its_arguments_environment_and_auxv() {
        let image = build(0x10_0000, &[b"beam", b"-S"], &[b"HOME=/"], &[(at::PAGESZ, 4096)], [7; 16]);
        assert_eq!(image.sp % 16, 0);
        assert_eq!(word(&image, 0), 2);
        assert_eq!(text(&image, word(&image, 1)), b"beam");
        assert_eq!(text(&image, word(&image, 2)), b"-S");
        assert_eq!(word(&image, 3), 0);
        assert_eq!(text(&image, word(&image, 4)), b"HOME=/");
        assert_eq!(word(&image, 5), 0);
        assert_eq!((word(&image, 6), word(&image, 7)), (at::PAGESZ, 4096));
        assert_eq!(word(&image, 8), at::RANDOM);
        assert_eq!(text(&image, word(&image, 9))[..16], [7; 16]);
        assert_eq!(word(&image, 10), at::EXECFN);
        assert_eq!(text(&image, word(&image, 11)), b"beam");
        assert_eq!(word(&image, 12), at::NULL);
        assert!(image.sp + image.bytes.len() as u64 <= 0x10_0000);
    }

    #[test]
    fn an_empty_environment_is_still_terminated() {
        let image = build(0x10_0000, &[b"x"], &[], &[], [0; 16]);
        assert_eq!((word(&image, 2), word(&image, 3)), (0, 0));
        assert_eq!(word(&image, 4), at::RANDOM);
    }
}
