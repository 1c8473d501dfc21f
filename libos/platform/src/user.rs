//! Copying from and to C memory.
//!
//! C threads change that memory while it is copied, and a pointer may be wrong: so there is never a Rust reference to it. A few
//! assembly routines ([`access`]) touch it, and a fault in one of them that nobody can settle becomes EFAULT.

mod access;
mod buffers;

pub(crate) use access::{may_fault, resume_after_fault};
pub use buffers::{UserBuf, UserIovec, read_iovec};

use crate::boot;
use crate::paging;
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use trapless_abi::{Errno, SysResult};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Whether the program may name this range at all: its own sections of the image and its mappings, never the libos's memory. What is
/// really mapped there, and with which rights, shows at the access.
#[inline]
pub(crate) fn is_program_memory(address: usize, len: usize) -> bool {
    let (start, len) = (address as u64, len as u64);
    let image = boot::program_range();
    let in_image = || start >= image.start && start.checked_add(len).is_some_and(|end| end <= image.end);
    paging::is_program_range(start, len) || in_image()
}

/// Copies bytes in from C memory. EFAULT; then the contents of `to` are undefined.
pub fn copy_in(from: usize, to: &mut [u8]) -> SysResult<()> {
    if read_some(from, to) == to.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies bytes out to C memory. EFAULT; then some may have been written.
pub fn copy_out(to: usize, from: &[u8]) -> SysResult<()> {
    if write_some(to, from) == from.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies bytes in until one is not accessible, and returns how many.
fn read_some(from: usize, to: &mut [u8]) -> usize {
    if to.is_empty() || !is_program_memory(from, to.len()) {
        return 0;
    }
    // SAFETY: `to` is ours, and the other side is memory of the program, where faults are caught.
    to.len() - unsafe { access::copy(to.as_mut_ptr(), from as *const u8, to.len()) }
}

/// Copies bytes out until one is not accessible, and returns how many.
fn write_some(to: usize, from: &[u8]) -> usize {
    if from.is_empty() || !is_program_memory(to, from.len()) {
        return 0;
    }
    // SAFETY: `from` is ours, and the other side is memory of the program (no Rust object lives there), where faults are caught.
    from.len() - unsafe { access::copy(to as *mut u8, from.as_ptr(), from.len()) }
}

/// Copies one value in. EFAULT.
pub fn read<T: FromBytes + IntoBytes>(address: usize) -> SysResult<T> {
    let mut value = T::new_zeroed();
    copy_in(address, value.as_mut_bytes())?;
    Ok(value)
}

/// Copies one value out. EFAULT.
#[inline]
pub fn write<T: IntoBytes + Immutable + ?Sized>(address: usize, value: &T) -> SysResult<()> {
    let bytes = value.as_bytes();
    match bytes.try_into() {
        Ok(pair) => write_16(address, pair),
        Err(_) => copy_out(address, bytes),
    }
}

/// [`copy_out`] for what has 16 bytes, as a time has.
#[inline]
fn write_16(address: usize, value: &[u8; 16]) -> SysResult<()> {
    // SAFETY: as in `write_some`.
    let done = is_program_memory(address, value.len()) && unsafe { access::store_16(address as *mut u8, value) };
    if done { Ok(()) } else { Err(Errno::EFAULT) }
}

/// A string of C without its NUL. EFAULT; E2BIG when there is no NUL in the first `max` bytes.
pub fn read_cstr(address: usize, max: usize) -> SysResult<Vec<u8>> {
    const STEP: usize = 64;
    let mut text = Vec::new();
    let mut chunk = [0; STEP];
    while text.len() < max {
        let at = address.checked_add(text.len()).ok_or(Errno::EFAULT)?;
        // Never across a border of 64 bytes, so never into a page that the string does not reach.
        let want = (STEP - at % STEP).min(max - text.len());
        let got = &mut chunk[..want];
        copy_in(at, got)?;
        let end = got.iter().position(|&byte| byte == 0);
        text.try_reserve(want).map_err(|_| Errno::ENOMEM)?;
        text.extend_from_slice(&got[..end.unwrap_or(want)]);
        if end.is_some() {
            return Ok(text);
        }
    }
    Err(Errno::E2BIG)
}

/// Checks a futex word's address: EINVAL if it is not aligned, EFAULT.
fn word(address: usize) -> SysResult<*mut u32> {
    if !address.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    if is_program_memory(address, 4) { Ok(address as *mut u32) } else { Err(Errno::EFAULT) }
}

/// Reads a word that C changes by atomic instructions. EINVAL (not aligned), EFAULT.
pub fn load_u32(address: usize) -> SysResult<u32> {
    let mut value = MaybeUninit::uninit();
    // SAFETY: an aligned word of program memory, where faults are caught.
    unsafe {
        if !access::load(word(address)?, value.as_mut_ptr()) {
            return Err(Errno::EFAULT);
        }
        Ok(value.assume_init())
    }
}

/// Changes a word in one atomic step and returns what it was. EINVAL (not aligned), EFAULT.
pub fn update_u32(address: usize, change: impl Fn(u32) -> u32) -> SysResult<u32> {
    let at = word(address)?;
    let mut old = load_u32(address)?;
    loop {
        let expected = old;
        // SAFETY: an aligned word of program memory, where faults are caught.
        if !unsafe { access::exchange(at, &raw mut old, change(expected)) } {
            return Err(Errno::EFAULT);
        }
        if old == expected {
            return Ok(old);
        }
    }
}
