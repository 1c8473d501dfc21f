//! Which shard a connection belongs to, and what a card that spreads packets by a hash is told, so that it takes them there (virtio 1.2,
//! 5.1.6.4.3).
//!
//! The hash is Toeplitz's, over addresses and ports. Its key repeats itself every 16 bits, and so both directions of a connection have the
//! same hash: the two ends of one on the loopback are on one shard.

use super::flow::Flow;
use smoltcp::wire::IpAddress;

/// A shard's number, from 0 on.
pub(super) type ShardId = usize;
/// The shard of all that is no TCP connection.
pub(super) const FIRST: ShardId = 0;
/// Shards there may be: each costs memory for every card.
pub const SHARDS: usize = 16;

/// What the key repeats. Of all numbers it is one of the few by which the ports of a peer's connections are spread evenly over up to 16
/// shards whether they follow each other or, as Linux gives them out, every other one is used.
const PATTERN: u16 = 0xeb16;
/// The key. A peer who chooses its ports by it comes to a shard of its choice, which others use as well.
pub const KEY: [u8; 40] = {
    let mut key = [0; 40];
    let mut at = 0;
    while at < key.len() {
        key[at] = PATTERN.to_be_bytes()[at % 2];
        at += 1;
    }
    key
};
/// Entries of the table from hashes to shards: enough for differences between shards to be small. A power of two.
pub const TABLE: usize = 128;

/// The exclusive or of all 16-bit words of an address.
fn fold(address: IpAddress) -> u16 {
    let bits = match address {
        IpAddress::Ipv4(address) => address.to_bits(),
        IpAddress::Ipv6(address) => {
            let bits = address.to_bits();
            (bits ^ (bits >> 32) ^ (bits >> 64) ^ (bits >> 96)) as u32
        }
    };
    (bits ^ (bits >> 16)) as u16
}

/// The lower half of the hash. By such a key all that counts is the exclusive or of all words.
fn hash(flow: &Flow) -> u16 {
    let words = fold(flow.local.addr) ^ fold(flow.remote.addr) ^ flow.local.port ^ flow.remote.port;
    (0..16).filter(|bit| words & (0x8000 >> bit) != 0).fold(0, |hash, bit| hash ^ PATTERN.rotate_left(bit))
}

/// The shard of a connection, of so many.
pub(super) fn shard_of(flow: &Flow, shards: usize) -> ShardId {
    usize::from(hash(flow)) % TABLE % shards
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use smoltcp::wire::{IpEndpoint, Ipv4Address, Ipv6Address};

    /// The hash as Microsoft's documentation of receive side scaling has it: for each bit of the input that is set, 32 bits of the key from
    /// there on.
    fn toeplitz(input: &[u8]) -> u32 {
        let key_bit = |at: usize| u32::from(KEY[at / 8] >> (7 - at % 8) & 1);
        let window = |at: usize| (at..at + 32).fold(0, |window, bit| window << 1 | key_bit(bit));
        let set = (0..8 * input.len()).filter(|&at| input[at / 8] >> (7 - at % 8) & 1 != 0);
        set.fold(0, |hash, at| hash ^ window(at))
    }

    fn input(Flow { local, remote }: &Flow) -> Vec<u8> {
        let octets = |address| match address {
            IpAddress::Ipv4(address) => address.octets().to_vec(),
            IpAddress::Ipv6(address) => address.octets().to_vec(),
        };
        let ports = [remote.port, local.port].map(u16::to_be_bytes).concat();
        [octets(remote.addr), octets(local.addr), ports].concat()
    }

    fn flows() -> impl Iterator<Item = Flow> {
        (0..500u32).map(|n| {
            let some = |k: u32| (n + 1).wrapping_mul(0x9e37_79b9).rotate_left(k);
            let octets = |k| core::array::from_fn::<_, 16, _>(|i| (some(k) >> i) as u8);
            let addr = |k| match n % 2 {
                0 => IpAddress::Ipv4(Ipv4Address::from(some(k))),
                _ => IpAddress::Ipv6(Ipv6Address::from(octets(k))),
            };
            let [local, remote] = [3, 11].map(|k| IpEndpoint::new(addr(k), some(k + 5) as u16));
            Flow { local, remote }
        })
    }

    #[test]
    fn the_hash_is_what_a_card_computes() {
        assert_eq!((KEY[..4].to_vec(), KEY.len()), (vec![0xeb, 0x16, 0xeb, 0x16], 40));
        for flow in flows() {
            assert_eq!(u32::from(hash(&flow)), toeplitz(&input(&flow)) & 0xffff, "{flow:?}");
        }
    }

    #[test]
    fn both_ends_are_on_one_shard() {
        for flow @ Flow { local, remote } in flows() {
            let other = Flow { local: remote, remote: local };
            assert!((1..=SHARDS).all(|shards| shard_of(&flow, shards) == shard_of(&other, shards)));
        }
    }

    #[test]
    fn a_peers_ports_are_spread() {
        let server = IpEndpoint::new(Ipv4Address::new(10, 0, 0, 2).into(), 80);
        let client = |port| IpEndpoint::new(Ipv4Address::new(10, 0, 0, 1).into(), port);
        for shards in [2, 4, 8, 16] {
            for (first, step) in [(32768u16, 1), (32768, 2), (40000, 1), (40000, 2), (60000, 2)] {
                let ports = (first..).step_by(step).take(shards);
                let flows = ports.map(|port| Flow { local: server, remote: client(port) });
                let mut used: Vec<_> = flows.map(|flow| shard_of(&flow, shards)).collect();
                used.sort_unstable();
                assert!(used.into_iter().eq(0..shards), "{shards} from {first} by {step}");
            }
        }
    }
}
