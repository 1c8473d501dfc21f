//! Which features a driver of a network card takes of those that the device offers (virtio 1.2, 5.1.3, 6).

use bitflags::bitflags;

bitflags! {
    /// Feature bits that we know.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Features: u64 {
        /// The device completes checksums.
        const CSUM = 1 << 0;
        /// The driver takes frames with partial or verified checksums.
        const GUEST_CSUM = 1 << 1;
        /// The device has an address of its own.
        const MAC = 1 << 5;
        /// The driver takes TCP segments over IPv4 that are longer than a packet on the wire.
        const GUEST_TSO4 = 1 << 7;
        /// The same over IPv6.
        const GUEST_TSO6 = 1 << 8;
        /// Both with explicit congestion notification.
        const GUEST_ECN = 1 << 9;
        /// The device cuts TCP segments over IPv4.
        const HOST_TSO4 = 1 << 11;
        /// The same over IPv6.
        const HOST_TSO6 = 1 << 12;
        /// A received frame may fill several buffers.
        const MRG_RXBUF = 1 << 15;
        /// There is a queue for commands.
        const CTRL_VQ = 1 << 17;
        /// There may be several pairs of queues.
        const MQ = 1 << 22;
        /// Legacy: header and frame may share a descriptor.
        const ANY_LAYOUT = 1 << 27;
        /// Each side names the index at which it wants to be notified.
        const EVENT_IDX = 1 << 29;
        /// Virtio 1.0 or later.
        const VERSION_1 = 1 << 32;
        /// The device chooses the receive queue by a hash of a packet's ends, as it is told.
        const RSS = 1 << 60;
    }
}

/// What needs what else (5.1.3.1). That long frames need merged buffers is our own rule: else each buffer had to hold 64 KiB.
const NEEDS: [(Features, Features); 9] = [
    (Features::GUEST_TSO4, Features::GUEST_CSUM),
    (Features::GUEST_TSO4, Features::MRG_RXBUF),
    (Features::GUEST_TSO6, Features::GUEST_CSUM),
    (Features::GUEST_TSO6, Features::MRG_RXBUF),
    (Features::GUEST_ECN, Features::GUEST_TSO4),
    (Features::HOST_TSO4, Features::CSUM),
    (Features::HOST_TSO6, Features::CSUM),
    (Features::MQ, Features::CTRL_VQ),
    (Features::RSS, Features::CTRL_VQ),
];

/// What only a card with several pairs of queues is for.
const SEVERAL: Features = Features::CTRL_VQ.union(Features::MQ).union(Features::RSS);

/// Those of the offered features that make sense together; without `several` for one pair of queues.
pub fn choose(offered: Features, several: bool) -> Features {
    let mut chosen = if several { offered } else { offered.difference(SEVERAL) };
    // In the order of the list what is dropped is dropped before it is needed.
    for (feature, needs) in NEEDS {
        if !chosen.contains(needs) {
            chosen.remove(feature);
        }
    }
    chosen
}

/// Bytes of the header before each frame (5.1.6): its last field is missing in devices from before virtio 1.0 that do not merge
/// buffers.
pub fn header_len(agreed: Features) -> usize {
    if agreed.intersects(Features::VERSION_1 | Features::MRG_RXBUF) { 12 } else { 10 }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn features_are_taken_with_what_they_need() {
        assert_eq!(choose(Features::all(), true), Features::all());
        let without = |missing: Features| Features::all().difference(choose(Features::all().difference(missing), true));
        let long = Features::GUEST_TSO4 | Features::GUEST_TSO6 | Features::GUEST_ECN;
        assert_eq!(without(Features::CSUM), Features::CSUM | Features::HOST_TSO4 | Features::HOST_TSO6);
        assert_eq!(without(Features::GUEST_CSUM), Features::GUEST_CSUM | long);
        assert_eq!(without(Features::MRG_RXBUF), Features::MRG_RXBUF | long);
        assert_eq!(without(Features::GUEST_TSO4), Features::GUEST_TSO4 | Features::GUEST_ECN);
        assert_eq!(without(Features::GUEST_TSO6), Features::GUEST_TSO6);
        assert_eq!(without(Features::EVENT_IDX), Features::EVENT_IDX);
        assert_eq!(without(Features::CTRL_VQ), Features::CTRL_VQ | Features::MQ | Features::RSS);
        assert_eq!(without(Features::MQ), Features::MQ);
        assert_eq!(choose(Features::empty(), true), Features::empty());
    }

    #[test]
    fn one_pair_of_queues_needs_no_commands() {
        let one = choose(Features::all(), false);
        assert_eq!(Features::all().difference(one), Features::CTRL_VQ | Features::MQ | Features::RSS);
    }

    #[test]
    fn only_old_devices_have_a_short_header() {
        assert_eq!(header_len(Features::empty()), 10);
        assert_eq!(header_len(Features::MRG_RXBUF), 12);
        assert_eq!(header_len(Features::VERSION_1), 12);
    }
}
