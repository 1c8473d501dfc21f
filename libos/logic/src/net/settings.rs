//! Where the addresses of each card come from, as the command line says: `ip=` and `ip6=`, with a card's name in front if it is for that
//! one only (as `ip=` of dracut.cmdline(7)).

use super::lease::{Addressing, Addressing6};
use super::link::{MOST, NAMES};
use alloc::vec::Vec;
use core::str::FromStr;
use smoltcp::wire::{Ipv4Address, Ipv4Cidr, Ipv6Address, Ipv6Cidr};

/// A setting for all cards, and those for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Setting<T> {
    all: Option<T>,
    each: [Option<T>; MOST],
}

impl<T: Copy> Setting<T> {
    const NONE: Self = Self { all: None, each: [None; MOST] };

    fn of(&self, card: usize) -> Option<T> {
        self.each.get(card).copied().flatten().or(self.all)
    }

    /// Takes `[CARD:]VALUE`. A value for which `single` is true is for one card, the first unless it says for which.
    fn set(
        &mut self,
        text: &str,
        decode: impl FnOnce(&str) -> Option<T>,
        single: impl FnOnce(&T) -> bool,
    ) -> Option<()> {
        let (card, value) = split(text);
        let value = decode(value)?;
        match card {
            Some(card) => self.each[card] = Some(value),
            None if single(&value) => self.each[0] = Some(value),
            None => self.all = Some(value),
        }
        Some(())
    }
}

/// The card that a setting is for, if it says so, and the rest.
fn split(text: &str) -> (Option<usize>, &str) {
    let named = |(name, value)| Some((NAMES.iter().position(|known| *known == name)?, value));
    match text.split_once(':').and_then(named) {
        Some((card, value)) => (Some(card), value),
        None => (None, text),
    }
}

/// What `ip=` and `ip6=` have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressSettings {
    v4: Setting<Addressing>,
    v6: Setting<Addressing6>,
}

impl Default for AddressSettings {
    fn default() -> Self {
        Self { v4: Setting::NONE, v6: Setting::NONE }
    }
}

impl AddressSettings {
    /// Takes the value of an `ip=`: `[CARD:]` and `dhcp`, `none` or `ADDRESS/PREFIX[,ROUTER]`. None if it is wrong.
    pub fn set(&mut self, text: &str) -> Option<()> {
        self.v4.set(text, addressing, |value| matches!(value, Addressing::Static { .. }))
    }

    /// Takes the value of an `ip6=`: `[CARD:]` and `auto`, `none` or `ADDRESS/PREFIX[,ROUTER]`. None if it is wrong.
    pub fn set6(&mut self, text: &str) -> Option<()> {
        self.v6.set(text, addressing6, |value| matches!(value, Addressing6::Static { .. }))
    }

    /// Where the addresses of a card come from. Who wants no network says so once.
    pub fn of(&self, card: usize) -> (Addressing, Addressing6) {
        let v4 = self.v4.of(card).unwrap_or(Addressing::Dhcp);
        let default = if v4 == Addressing::None { Addressing6::None } else { Addressing6::Auto };
        (v4, self.v6.of(card).unwrap_or(default))
    }

    /// The names of cards that something is said of, and that are not among the first `count`. Of the first something may be said
    /// without its name: then it is not told.
    pub fn missing(&self, count: usize) -> Vec<&'static str> {
        let said = |card: &usize| self.v4.each[*card].is_some() || self.v6.each[*card].is_some();
        (count.max(1)..MOST).filter(said).map(|card| NAMES[card]).collect()
    }
}

fn addressing(value: &str) -> Option<Addressing> {
    match value {
        "dhcp" => return Some(Addressing::Dhcp),
        "none" => return Some(Addressing::None),
        _ => {}
    }
    let (address, prefix, router) = fixed::<Ipv4Address>(value, 32)?;
    Some(Addressing::Static { address: Ipv4Cidr::new(address, prefix), router })
}

fn addressing6(value: &str) -> Option<Addressing6> {
    match value {
        "auto" => return Some(Addressing6::Auto),
        "none" => return Some(Addressing6::None),
        _ => {}
    }
    let (address, prefix, router) = fixed::<Ipv6Address>(value, 128)?;
    let unicast = !address.is_multicast() && !address.is_unspecified();
    unicast.then_some(Addressing6::Static { address: Ipv6Cidr::new(address, prefix), router })
}

/// `ADDRESS/PREFIX[,ROUTER]`.
fn fixed<A: FromStr>(value: &str, bits: u8) -> Option<(A, u8, Option<A>)> {
    let (network, router) = match value.split_once(',') {
        Some((network, router)) => (network, Some(router.parse().ok()?)),
        None => (value, None),
    };
    let (address, prefix) = network.split_once('/')?;
    Some((address.parse().ok()?, prefix.parse().ok().filter(|prefix| *prefix <= bits)?, router))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn settings(v4: &[&str], v6: &[&str]) -> AddressSettings {
        let mut settings = AddressSettings::default();
        v4.iter().for_each(|value| settings.set(value).unwrap());
        v6.iter().for_each(|value| settings.set6(value).unwrap());
        settings
    }

    #[test]
    fn without_a_word_all_cards_ask() {
        for card in [0, 1, 7] {
            assert_eq!(settings(&[], &[]).of(card), (Addressing::Dhcp, Addressing6::Auto));
            assert_eq!(settings(&["none"], &[]).of(card), (Addressing::None, Addressing6::None));
            assert_eq!(settings(&["none"], &["auto"]).of(card), (Addressing::None, Addressing6::Auto));
        }
    }

    #[test]
    fn a_card_has_its_own() {
        let fixed = |last| Addressing::Static {
            address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 0, last), 24),
            router: Some(Ipv4Address::new(10, 0, 0, 254)),
        };
        let all =
            settings(&["10.0.0.1/24,10.0.0.254", "eth2:10.0.0.2/24,10.0.0.254", "eth1:none"], &["eth1:fd00::1/64"]);
        assert_eq!([0, 1, 2, 3].map(|card| all.of(card).0), [fixed(1), Addressing::None, fixed(2), Addressing::Dhcp]);
        let Addressing6::Static { address, router: None } = all.of(1).1 else { panic!() };
        assert_eq!((address.prefix_len(), all.of(0).1), (64, Addressing6::Auto));
        // What is said of one counts more, whatever comes first.
        let all = settings(&["eth0:dhcp", "none"], &[]);
        assert_eq!([0, 1].map(|card| all.of(card).0), [Addressing::Dhcp, Addressing::None]);
    }

    #[test]
    fn cards_that_are_not_there_are_told() {
        let all = settings(&["10.0.0.1/24", "eth1:dhcp", "eth3:none"], &["eth5:auto"]);
        assert_eq!(all.missing(2), ["eth3", "eth5"]);
        assert_eq!(all.missing(0), ["eth1", "eth3", "eth5"]);
        assert!(all.missing(8).is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut settings = AddressSettings::default();
        for wrong in
            ["", "eth1:", "eth1", "eth9:dhcp", "eth1:10.0.0.1", "10.0.0.1/33", "10.0.0.1/24,x", "eth1:eth2:dhcp"]
        {
            assert_eq!(settings.set(wrong), None, "{wrong}");
        }
        for wrong in ["eth1:::", "ff02::1/64", "fd00::1", "eth8:auto", "::/0"] {
            assert_eq!(settings.set6(wrong), None, "{wrong}");
        }
        assert_eq!(settings, AddressSettings::default());
    }
}
