//! How long a packet may be on its way to another host (RFC 1191, RFC 8201): what routers say who could not send one on.
//!
//! A message is believed when it quotes a segment that is under way at that moment, by its sequence number (RFC 5927, 7), for who can quote
//! it sees the connection; and it never makes packets shorter than any useful link carries.

use super::conn::Conn;
use super::flow::Flow;
use super::stack::{Inner, smol};
use super::wire::MTU;
use crate::platform::Platform;
use crate::time::Instant;
use alloc::collections::BTreeMap;
use core::time::Duration;
use smoltcp::wire::IpAddress;

/// The least that is believed: as Linux has it (min_pmtu), and what every link of IPv6 carries (RFC 8200, 5).
const LEAST4: u16 = 552;
const LEAST6: u16 = 1280;
/// How long it is believed (RFC 1191, 6.3; RFC 8201, 5.3).
const LIFE: Duration = Duration::from_secs(600);
/// Hosts of which something is known. Of more those are forgotten of whom it has been known longest.
const MOST: usize = 256;
/// What links carry (RFC 1191, 7.1), for routers that do not say.
const PLATEAUS: [u16; 3] = [1492, 1006, LEAST4];

/// A way that is narrower than the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Bytes of the longest packet.
    pub(super) mtu: u16,
    pub(super) until: Instant,
}

/// What is known of the ways to other hosts.
#[derive(Default)]
pub(super) struct Paths {
    known: BTreeMap<IpAddress, Path>,
    /// When there is something to forget.
    next: Option<Instant>,
}

impl Paths {
    /// The way to a host, if it is known to be narrow.
    pub(super) fn known(&self, to: IpAddress) -> Option<Path> {
        if self.known.is_empty() { None } else { self.known.get(&to).copied() }
    }

    /// Knows that from now on.
    pub(super) fn learn(&mut self, to: IpAddress, path: Path) {
        if self.known.len() >= MOST && !self.known.contains_key(&to) {
            let oldest = self.known.iter().min_by_key(|(_, path)| path.until).map(|(to, _)| *to);
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        self.known.insert(to, path);
        self.next = self.known.values().map(|path| path.until).min();
    }

    /// When there is something to forget.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.next
    }

    /// Forgets what has been known for long: the way may be another by now.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.next.is_some_and(|next| next <= now) {
            self.known.retain(|_, path| path.until > now);
            self.next = self.known.values().map(|path| path.until).min();
        }
    }
}

/// A router could not send a segment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooBig {
    /// The connection.
    pub(super) flow: Flow,
    /// The segment's number.
    pub(super) number: u32,
    /// Bytes of the packet.
    pub(super) len: u16,
    /// Bytes of a packet that would have been sent on; 0 if the router does not say.
    pub(super) told: u32,
}

/// How long packets may be from now on that were `current` bytes long; `None` if that is no news, or cannot be.
fn narrower(TooBig { flow, len, told, .. }: TooBig, current: usize) -> Option<u16> {
    let told = u16::try_from(told).unwrap_or(u16::MAX);
    let mtu = match flow.remote.addr {
        IpAddress::Ipv4(_) if told == 0 => PLATEAUS.into_iter().find(|&plateau| plateau < len)?,
        IpAddress::Ipv4(_) => told.max(LEAST4),
        IpAddress::Ipv6(_) => Some(told).filter(|&told| told >= LEAST6)?,
    };
    (usize::from(mtu) < current.min(MTU)).then_some(mtu)
}

impl Conn {
    /// Knows the way to the peer, or takes it for as wide as the wire.
    pub(super) fn follow(&mut self, path: Option<Path>) {
        self.sending.limits.set_path(path.map(|path| path.mtu));
        self.narrow_until = path.map(|path| path.until);
    }

    /// After a while tries longer packets again.
    pub(super) fn widen(&mut self, now: Instant) {
        if self.narrow_until.is_some_and(|until| until <= now) {
            self.follow(None);
        }
    }
}

impl<P: Platform> Inner<P> {
    /// Knows the way to a host by the current link.
    pub(super) fn learn_path(&mut self, to: IpAddress, path: Path) {
        self.link.wire.paths().learn(to, path);
        self.review();
    }

    /// A router says that a segment was too long. What is under way is lost, and sent again in shorter ones.
    pub(super) fn hear_too_big(&mut self, complaint: TooBig, now: Instant) {
        let Some(id) = self.table.find(&complaint.flow) else { return };
        let Some((_, conn)) = self.both(id) else { return };
        if !conn.recovery.is_under_way(complaint.number) {
            return;
        }
        let Some(mtu) = narrower(complaint, conn.sending.limits.path()) else { return };
        let path = Path { mtu, until: now + LIFE };
        conn.follow(Some(path));
        conn.recovery.lose_all();
        let link = conn.link;
        self.on(link, |inner| {
            inner.learn_path(complaint.flow.remote.addr, path);
            inner.share_path(complaint.flow.remote.addr, path);
            inner.send_again(id, smol(now));
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use smoltcp::wire::{IpEndpoint, Ipv4Address, Ipv6Address};

    fn complaint(remote: IpAddress, len: u16, told: u32) -> TooBig {
        let end = |addr| IpEndpoint::new(addr, 80);
        TooBig { flow: Flow { local: end(remote), remote: end(remote) }, number: 0, len, told }
    }

    #[test]
    fn paths_only_become_narrower_and_stay_useful() {
        let v4 = |len, told, current| narrower(complaint(Ipv4Address::new(10, 0, 0, 1).into(), len, told), current);
        let v6 = |told, current| narrower(complaint(Ipv6Address::LOCALHOST.into(), 1500, told), current);
        assert_eq!([v4(1500, 1400, 1500), v4(1500, 1400, 1400), v4(1500, 1400, 1300)], [Some(1400), None, None]);
        assert_eq!([v4(1500, 68, 1500), v4(1500, 1, 1500), v4(1500, 68, 552)], [Some(552), Some(552), None]);
        assert_eq!([v4(1500, 0, 1500), v4(1492, 0, 1492), v4(1006, 0, 1006)], [Some(1492), Some(1006), Some(552)]);
        assert_eq!([v4(552, 0, 1500), v4(1500, 1500, 1500), v4(1500, 70_000, 1500)], [None; 3]);
        assert_eq!([v6(1280, 1500), v6(1279, 1500), v6(0, 1500), v6(u32::MAX, 1500)], [Some(1280), None, None, None]);
    }

    #[test]
    fn what_is_known_is_forgotten() {
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let host = |last: u32| IpAddress::from(Ipv4Address::from(0x0a00_0000 + last));
        let mut paths = Paths::default();
        for last in 0..MOST as u32 + 10 {
            paths.learn(host(last), Path { mtu: 1400, until: at(1000 + u64::from(last)) });
        }
        assert_eq!((paths.known.len(), paths.known(host(9)), paths.next), (MOST, None, Some(at(1010))));
        paths.learn(host(10), Path { mtu: 1300, until: at(5000) });
        assert_eq!((paths.known.len(), paths.known(host(10)).map(|path| path.mtu)), (MOST, Some(1300)));
        paths.expire(at(1012));
        assert_eq!((paths.known(host(12)), paths.known(host(13)).is_some()), (None, true));
        paths.expire(at(9000));
        assert_eq!((paths.known.len(), paths.next), (0, None));
    }
}
