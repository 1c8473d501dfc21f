//! Addresses of IPv6 that another host may have already (RFC 4862, 5.4).
//!
//! Before an address is used the link is asked who has it. smoltcp knows nothing of this: it does not hear questions of those who
//! have no address yet. So both sides of it are here, and smoltcp is told of an address when it turned out to be nobody else's. A wire may
//! bring this host's own questions back to it, which are told from another's by a nonce (RFC 7527).

use super::neighbor::{self, Claim, Nonce};
use super::stack::Inner;
use crate::platform::Platform;
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;
use smoltcp::wire::{IpAddress, Ipv6Address};

/// How long an owner has to answer (RFC 4861, 10, RETRANS_TIMER). It is asked once (RFC 4862, 5.1, DupAddrDetectTransmits).
const SILENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody was asked yet.
    New,
    /// Whoever has it may answer until then.
    Asked(Instant),
    /// It is this host's.
    Unique,
    /// It is another's.
    Duplicate,
}

/// An address that the card is to have.
struct Wanted {
    address: Ipv6Address,
    state: State,
    /// What was in the last question for it.
    nonce: Option<Nonce>,
}

/// The addresses that the card is to have.
#[derive(Default)]
pub(super) struct Detection {
    addresses: Vec<Wanted>,
    /// There are some about which is not decided.
    busy: bool,
}

impl Detection {
    /// These are to be had now, and no others.
    pub(super) fn wish(&mut self, wanted: &[Ipv6Address]) {
        self.addresses.retain(|known| wanted.contains(&known.address));
        for &address in wanted {
            if !self.addresses.iter().any(|known| known.address == address) {
                self.addresses.push(Wanted { address, state: State::New, nonce: None });
            }
        }
        self.look();
    }

    fn look(&mut self) {
        self.busy = self.addresses.iter().any(|known| matches!(known.state, State::New | State::Asked(_)));
    }

    fn are(&self, which: impl Fn(State) -> bool) -> impl Iterator<Item = Ipv6Address> {
        self.addresses.iter().filter(move |known| which(known.state)).map(|known| known.address)
    }

    /// Whether an address may be used.
    pub(super) fn is_unique(&self, address: Ipv6Address) -> bool {
        self.are(|state| state == State::Unique).any(|known| known == address)
    }

    /// Those that are another's.
    pub(super) fn duplicates(&self) -> impl Iterator<Item = Ipv6Address> {
        self.are(|state| state == State::Duplicate)
    }

    /// Those about which is not decided.
    fn tentative(&self) -> impl Iterator<Item = Ipv6Address> {
        self.are(|state| matches!(state, State::New | State::Asked(_)))
    }

    /// One that nobody was asked for yet.
    fn next(&self) -> Option<Ipv6Address> {
        self.are(|state| state == State::New).next()
    }

    fn set(&mut self, address: Ipv6Address, state: State) {
        if let Some(known) = self.addresses.iter_mut().find(|known| known.address == address) {
            known.state = state;
        }
        self.look();
    }

    /// Its owner may answer until then; this was in the question.
    fn asked(&mut self, address: Ipv6Address, nonce: Nonce, until: Instant) {
        if let Some(known) = self.addresses.iter_mut().find(|known| known.address == address) {
            known.nonce = Some(nonce);
        }
        self.set(address, State::Asked(until));
    }

    /// Whether a claim is this host's own question, which the wire has brought back (RFC 7527, 4.2).
    fn is_echo(&self, claim: Claim) -> bool {
        claim.nonce.is_some()
            && self.addresses.iter().any(|known| known.address == claim.address && known.nonce == claim.nonce)
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let of = |state| match state {
            State::New => Some(Instant::ZERO),
            State::Asked(until) => Some(until),
            State::Unique | State::Duplicate => None,
        };
        if self.busy { self.addresses.iter().filter_map(|known| of(known.state)).min() } else { None }
    }

    /// Takes those that nobody has spoken for; true if there are some.
    fn expire(&mut self, now: Instant) -> bool {
        let mut found = false;
        for known in &mut self.addresses {
            if matches!(known.state, State::Asked(until) if until <= now) {
                (known.state, found) = (State::Unique, true);
            }
        }
        self.look();
        found
    }

    /// Somebody else has an address, or wants it as well; true if this host was about to take it.
    fn contradict(&mut self, address: Ipv6Address) -> bool {
        let about = self.tentative().any(|tentative| tentative == address);
        if about {
            self.set(address, State::Duplicate);
        }
        about
    }
}

impl<P: Platform> Inner<P> {
    /// Asks for addresses that are to be used, and uses those for which nobody has spoken.
    pub(super) fn detect_duplicates(&mut self, now: Instant) {
        if !self.link.detection.busy {
            return;
        }
        while let Some(address) = self.link.detection.next() {
            // Without a card there is nobody to ask.
            let alone = !self.link.wire.has_nic();
            let mut nonce = Nonce::default();
            P::random(&mut nonce);
            if !alone && !self.link.wire.send(&neighbor::probe(self.link.wire.mac, address, nonce)) {
                break;
            }
            self.link.detection.asked(address, nonce, if alone { now } else { now + SILENCE });
        }
        if self.link.detection.expire(now) {
            self.readdress();
        }
    }

    /// Joins the groups by which those who have the addresses, or want them as well, are asked.
    pub(super) fn join_tentative(&mut self) {
        for address in self.link.detection.tentative() {
            // Without room in the table only switches that listen for reports do not know.
            let _ = self.link.iface.join_multicast_group(neighbor::solicited_node(address));
            self.link.datagrams.touched = true;
        }
    }

    /// Hears who else has an address in the staged frame, or wants it.
    pub(super) fn hear_claim(&mut self) {
        let (frame, packet) = self.link.wire.staged();
        let claim = packet.and_then(|packet| neighbor::claim(packet, frame.get(packet.payload.clone())?));
        let Some(claim) = claim.filter(|&claim| !self.link.detection.is_echo(claim)) else { return };
        let Claim { address, wanted, .. } = claim;
        if self.link.detection.contradict(address) {
            self.readdress();
        } else if wanted && self.link.wire.own().contains(&IpAddress::Ipv6(address)) {
            // It is not lost for long if there is no room: who wants it may ask again.
            self.link.wire.send(&neighbor::defence(self.link.wire.mac, address));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn address(last: u16) -> Ipv6Address {
        Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, last)
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn an_address_is_used_when_nobody_speaks_for_it() {
        let mut detection = Detection::default();
        assert_eq!(detection.due(), None);
        detection.wish(&[address(1), address(2)]);
        assert_eq!((detection.due(), detection.next()), (Some(at(0)), Some(address(1))));
        detection.set(address(1), State::Asked(at(1000)));
        detection.set(address(2), State::Asked(at(1500)));
        assert_eq!((detection.due(), detection.next()), (Some(at(1000)), None));
        assert!(!detection.expire(at(999)) && !detection.is_unique(address(1)));
        assert!(detection.expire(at(1000)) && detection.is_unique(address(1)) && !detection.is_unique(address(2)));
        assert!(detection.expire(at(1500)) && detection.due().is_none());
        // It is not asked again.
        detection.wish(&[address(2), address(3)]);
        assert!(detection.is_unique(address(2)) && !detection.is_unique(address(1)));
        assert_eq!(detection.next(), Some(address(3)));
        // Who goes and comes back is.
        detection.wish(&[address(1)]);
        assert!(!detection.is_unique(address(1)));
    }

    #[test]
    fn what_is_anothers_is_not_used() {
        let mut detection = Detection::default();
        detection.wish(&[address(1), address(2)]);
        detection.set(address(1), State::Asked(at(1000)));
        assert!(detection.contradict(address(1)) && detection.contradict(address(2)));
        assert!(!detection.expire(at(5000)) && detection.due().is_none());
        assert!(!detection.is_unique(address(1)));
        assert!(detection.duplicates().eq([address(1), address(2)]));
        assert!(!detection.contradict(address(1)) && !detection.contradict(address(9)));
    }

    #[test]
    fn what_the_wire_brings_back_is_no_claim() {
        let mut detection = Detection::default();
        detection.wish(&[address(1), address(2)]);
        let claim = |last, nonce| Claim { address: address(last), wanted: true, nonce };
        assert!(!detection.is_echo(claim(1, None)), "nobody was asked yet");
        detection.asked(address(1), [1; 6], at(1000));
        detection.asked(address(2), [2; 6], at(1000));
        assert!(detection.is_echo(claim(1, Some([1; 6]))) && detection.is_echo(claim(2, Some([2; 6]))));
        for other in [claim(1, Some([2; 6])), claim(2, Some([1; 6])), claim(3, Some([1; 6])), claim(1, None)] {
            assert!(!detection.is_echo(other), "{other:?}");
        }
        // Nor is it when it comes late.
        assert!(detection.expire(at(1000)) && detection.is_echo(claim(1, Some([1; 6]))));
    }

    #[test]
    fn what_is_in_use_is_not_given_up() {
        let mut detection = Detection::default();
        detection.wish(&[address(1)]);
        detection.set(address(1), State::Unique);
        assert!(!detection.contradict(address(1)) && detection.is_unique(address(1)));
    }
}
