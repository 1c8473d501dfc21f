//! Messages with their length in front, as ports of Erlang exchange them (option `packet` of `open_port/2`).

use super::process::Process;
use crate::platform::Platform;
use crate::time::Instant;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// Who sends a longer message has lost count, or means no harm to what it does not know.
const MOST: usize = 1 << 20;

/// What a program's input brings, cut into messages whose length is told in `N` bytes, high byte first.
pub struct Packets<const N: usize>(Vec<u8>);

impl<const N: usize> Packets<N> {
    /// Nothing has come yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The next message, waiting for it until `deadline` if there is one. None when the port is closed.
    ///
    /// # Errors
    /// EAGAIN when the time is over, EMSGSIZE for a message that is too long; those of read(2).
    pub fn next<P: Platform>(&mut self, process: &Process<P>, deadline: Option<Instant>) -> SysResult<Option<Vec<u8>>> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(Some(packet));
            }
            let bytes = process.stdin.read_until(deadline)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            self.0.try_reserve(bytes.len()).map_err(|_| Errno::ENOMEM)?;
            self.0.extend_from_slice(&bytes);
        }
    }

    /// The first message, if all of it is there.
    fn take(&mut self) -> SysResult<Option<Vec<u8>>> {
        let Some(length) = self.0.first_chunk::<N>() else { return Ok(None) };
        let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        if length > MOST {
            return Err(Errno::EMSGSIZE);
        }
        if self.0.len() < N + length {
            return Ok(None);
        }
        let rest = self.0.split_off(N + length);
        let packet = core::mem::replace(&mut self.0, rest).split_off(N);
        Ok(Some(packet))
    }

    /// Sends a message that consists of these parts.
    ///
    /// # Errors
    /// EMSGSIZE if its length cannot be told; those of write(2).
    pub fn send<P: Platform>(process: &Process<P>, parts: &[&[u8]]) -> SysResult<()> {
        let body = parts.concat();
        let length = body.len().to_be_bytes();
        let (high, low) = length.split_at(length.len() - N);
        if high.iter().any(|&byte| byte != 0) {
            return Err(Errno::EMSGSIZE);
        }
        process.stdout.write(&[low, &body].concat())
    }
}
