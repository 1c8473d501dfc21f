//! What the socket options of all families share (socket(7)).

use crate::platform::Platform;
use crate::sync::Lock;
use alloc::vec::Vec;
use core::time::Duration;
use trapless_abi::{Errno, SysResult};

/// SOL_SOCKET.
pub(crate) const SOL_SOCKET: i32 = 1;

/// Names at SOL_SOCKET.
pub(crate) mod so {
    pub(crate) const REUSEADDR: i32 = 2;
    pub(crate) const TYPE: i32 = 3;
    pub(crate) const ERROR: i32 = 4;
    pub(crate) const DONTROUTE: i32 = 5;
    pub(crate) const BROADCAST: i32 = 6;
    pub(crate) const SNDBUF: i32 = 7;
    pub(crate) const RCVBUF: i32 = 8;
    pub(crate) const KEEPALIVE: i32 = 9;
    pub(crate) const OOBINLINE: i32 = 10;
    pub(crate) const PRIORITY: i32 = 12;
    pub(crate) const LINGER: i32 = 13;
    pub(crate) const REUSEPORT: i32 = 15;
    pub(crate) const PASSCRED: i32 = 16;
    pub(crate) const RCVLOWAT: i32 = 18;
    pub(crate) const SNDLOWAT: i32 = 19;
    pub(crate) const RCVTIMEO: i32 = 20;
    pub(crate) const SNDTIMEO: i32 = 21;
    pub(crate) const BINDTODEVICE: i32 = 25;
    pub(crate) const TIMESTAMP: i32 = 29;
    pub(crate) const ACCEPTCONN: i32 = 30;
    pub(crate) const PROTOCOL: i32 = 38;
    pub(crate) const DOMAIN: i32 = 39;
}

/// A time limit from a `struct timeval`; zero means no limit. EINVAL, EDOM.
pub(crate) fn time_limit(value: &[u8]) -> SysResult<Option<Duration>> {
    let word = |at: usize| value.get(8 * at..8 * at + 8).and_then(|b| b.try_into().ok()).map(i64::from_ne_bytes);
    let (sec, usec) = (word(0).ok_or(Errno::EINVAL)?, word(1).ok_or(Errno::EINVAL)?);
    if !(0..1_000_000).contains(&usec) {
        return Err(Errno::EDOM);
    }
    let limit = Duration::from_secs(sec.max(0) as u64) + Duration::from_micros(usec as u64);
    Ok((!limit.is_zero()).then_some(limit))
}

/// The `struct timeval` of a time limit.
pub(crate) fn time_limit_bytes(limit: Option<Duration>) -> Vec<u8> {
    let limit = limit.unwrap_or_default();
    let words = [limit.as_secs() as i64, i64::from(limit.subsec_micros())];
    words.iter().flat_map(|w| w.to_ne_bytes()).collect()
}

/// Switches that a family without a use for them only keeps.
const SWITCHES: [i32; 7] =
    [so::REUSEADDR, so::DONTROUTE, so::BROADCAST, so::KEEPALIVE, so::OOBINLINE, so::PASSCRED, so::TIMESTAMP];

/// What setsockopt(2) sets at SOL_SOCKET for families to which it means nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kept {
    switches: [bool; SWITCHES.len()],
    priority: i32,
    /// `struct linger`.
    linger: [i32; 2],
}

impl Kept {
    /// setsockopt(2). EINVAL for a value that is too short, ENOPROTOOPT for other options.
    pub(crate) fn set(&mut self, name: i32, value: &[u8]) -> SysResult<()> {
        let word = |at: usize| value.get(4 * at..4 * at + 4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
        let first = word(0).ok_or(Errno::EINVAL)?;
        match (name, SWITCHES.iter().position(|&switch| switch == name)) {
            (_, Some(at)) => self.switches[at] = first != 0,
            (so::PRIORITY, _) => self.priority = first,
            (so::LINGER, _) => self.linger = [(first != 0).into(), word(1).ok_or(Errno::EINVAL)?],
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// getsockopt(2). ENOPROTOOPT as for [`Kept::set`].
    pub(crate) fn get(&self, name: i32) -> SysResult<Vec<u8>> {
        let number = match (name, SWITCHES.iter().position(|&switch| switch == name)) {
            (_, Some(at)) => self.switches[at].into(),
            (so::PRIORITY, _) => self.priority,
            (so::LINGER, _) => return Ok(self.linger.iter().flat_map(|w| w.to_ne_bytes()).collect()),
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(number.to_ne_bytes().to_vec())
    }
}

/// How long calls block, for sockets that keep nothing else.
pub(crate) struct Limits<P: Platform> {
    /// SO_RCVTIMEO and SO_SNDTIMEO.
    pair: Lock<P, [Option<Duration>; 2]>,
}

impl<P: Platform> Limits<P> {
    pub(crate) fn new() -> Self {
        Self { pair: Lock::new([None; 2]) }
    }

    /// setsockopt(2) with SO_RCVTIMEO, else SO_SNDTIMEO. EINVAL, EDOM.
    pub(crate) fn set(&self, name: i32, value: &[u8]) -> SysResult<()> {
        let limit = time_limit(value)?;
        self.pair.lock()[usize::from(name != so::RCVTIMEO)] = limit;
        Ok(())
    }

    /// getsockopt(2), as [`Limits::set`].
    pub(crate) fn get(&self, name: i32) -> Vec<u8> {
        time_limit_bytes(self.pair.lock()[usize::from(name != so::RCVTIMEO)])
    }

    /// SO_RCVTIMEO.
    pub(crate) fn receive(&self) -> Option<Duration> {
        self.pair.lock()[0]
    }

    /// SO_SNDTIMEO.
    pub(crate) fn send(&self) -> Option<Duration> {
        self.pair.lock()[1]
    }
}
