//! What smoltcp takes for its network card: the real one, if any, and the loopback.
//!
//! Frames that this host sends to its own Ethernet address never reach the card: they come back as received. To make smoltcp send to
//! that address, it gets ARP replies for the host's own IP addresses from here ([`Wire::announce`]). What comes from the card must
//! not pretend to come from this host (RFC 1122 3.2.1.3): [`martian`].

use super::device::NetDevice;
use super::marks::Marks;
use super::service::Service;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use smoltcp::phy::{Device, DeviceCapabilities, Medium, PacketMeta, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Ipv4Address,
    Ipv4Packet,
};

/// Bytes of an IP packet on the wire.
pub(super) const MTU: usize = 1500;
/// Ethernet header and a packet.
const MAX_FRAME: usize = 14 + MTU;
/// Frames that wait in the loopback before more are refused, as a full ring would.
const LOOPBACK_DEPTH: usize = 256;

/// What [`Wire::stage`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Staged {
    /// A frame for smoltcp.
    Frame,
    /// A frame that was thrown away.
    Dropped,
    /// No frame.
    Nothing,
}

pub(super) struct Wire {
    nic: Option<Box<dyn NetDevice>>,
    pub(super) mac: EthernetAddress,
    /// The address on the card's network.
    pub(super) own: Option<Ipv4Address>,
    looped: VecDeque<Vec<u8>>,
    /// The frame that the next `receive` hands over.
    staged: Option<Vec<u8>>,
    /// Frame buffers to use again.
    spare: Vec<Vec<u8>>,
    scratch: Vec<u8>,
    marks: Marks,
    /// What the next packet asks for.
    service: Service,
    /// The card took frames since the last kick.
    unkicked: bool,
    /// Frames that smoltcp has sent.
    pub(super) sent: u64,
}

impl Wire {
    pub(super) fn new(nic: Option<Box<dyn NetDevice>>) -> Self {
        // Without a card any locally administered address does.
        let mac = nic.as_ref().map_or([2, 0, 0, 0, 0, 1], |nic| nic.mac());
        Self {
            nic,
            mac: EthernetAddress(mac),
            own: None,
            looped: VecDeque::new(),
            staged: None,
            spare: Vec::new(),
            scratch: alloc::vec![0; MAX_FRAME],
            marks: Marks::new(),
            service: Service::default(),
            unkicked: false,
            sent: 0,
        }
    }

    pub(super) fn has_nic(&self) -> bool {
        self.nic.is_some()
    }

    /// Frames wait in the loopback.
    pub(super) fn has_looped(&self) -> bool {
        !self.looped.is_empty()
    }

    /// Takes the next frame, from the loopback first, then, if `from_nic`, from the card.
    pub(super) fn stage(&mut self, from_nic: bool) -> Staged {
        if self.staged.is_none() {
            self.staged = self.looped.pop_front();
        }
        if self.staged.is_some() {
            return Staged::Frame;
        }
        let Some(nic) = self.nic.as_mut().filter(|_| from_nic) else { return Staged::Nothing };
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        let came = nic.receive(&mut |frame| {
            // Without memory for it a frame is lost, as on a wire.
            if buffer.try_reserve(frame.len()).is_ok() {
                buffer.extend_from_slice(frame);
            }
        });
        let wanted = !buffer.is_empty() && !martian(&buffer, self.own);
        match (came, wanted) {
            (true, true) => {
                self.staged = Some(buffer);
                Staged::Frame
            }
            (came, _) => {
                self.recycle(buffer);
                if came { Staged::Dropped } else { Staged::Nothing }
            }
        }
    }

    /// Remembers what the staged frame acknowledges.
    pub(super) fn hear_staged(&mut self) {
        if let Some(frame) = &mut self.staged {
            self.marks.hear(frame);
        }
    }

    pub(super) fn staged(&self) -> &[u8] {
        self.staged.as_deref().unwrap_or_default()
    }

    /// Puts another frame in the place of the staged one.
    pub(super) fn restage(&mut self, frame: Vec<u8>) {
        self.drop_staged();
        self.staged = Some(frame);
    }

    /// Throws the staged frame away.
    pub(super) fn drop_staged(&mut self) {
        if let Some(buffer) = self.staged.take() {
            self.recycle(buffer);
        }
    }

    fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < 8 && self.spare.try_reserve(1).is_ok() {
            self.spare.push(buffer);
        }
    }

    /// Tells the card about what was sent.
    pub(super) fn kick(&mut self) {
        if core::mem::take(&mut self.unkicked)
            && let Some(nic) = &mut self.nic
        {
            nic.kick();
        }
    }

    /// See [`NetDevice::rearm`].
    pub(super) fn rearm(&mut self) -> bool {
        self.unkicked = false;
        self.nic.as_mut().is_some_and(|nic| nic.rearm())
    }

    /// Whether a frame can be sent, wherever it goes.
    pub(super) fn has_room(&self) -> bool {
        self.looped.len() < LOOPBACK_DEPTH && self.nic.as_ref().is_none_or(|nic| nic.can_transmit())
    }

    /// Lets smoltcp find this host at its own addresses: queues ARP replies that say so.
    pub(super) fn announce(&mut self) {
        for own in [Some(Ipv4Address::LOCALHOST), self.own].into_iter().flatten() {
            let reply = ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: self.mac,
                source_protocol_addr: own,
                target_hardware_addr: self.mac,
                target_protocol_addr: own,
            };
            let header = EthernetRepr { src_addr: self.mac, dst_addr: self.mac, ethertype: EthernetProtocol::Arp };
            let mut bytes = [0; 64];
            let len = header.buffer_len() + reply.buffer_len();
            let mut frame = EthernetFrame::new_unchecked(&mut bytes[..len]);
            header.emit(&mut frame);
            reply.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
            self.loop_back(&bytes[..len]);
        }
    }

    fn loop_back(&mut self, frame: &[u8]) {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        if copy.try_reserve(frame.len()).is_ok() && self.looped.try_reserve(1).is_ok() {
            copy.extend_from_slice(frame);
            self.looped.push_back(copy);
        }
    }

    /// Sends the first `len` bytes of the scratch buffer where they belong.
    fn send(&mut self, len: usize) {
        self.sent += 1;
        let mut scratch = core::mem::take(&mut self.scratch);
        self.marks.correct(&mut scratch[..len]);
        self.service.take().apply(&mut scratch[..len]);
        let frame = &scratch[..len];
        if EthernetFrame::new_checked(frame).is_ok_and(|header| header.dst_addr() == self.mac) {
            self.loop_back(frame);
        } else if !leaks(frame)
            && let Some(nic) = &mut self.nic
        {
            // There is room: `has_room` was asked before.
            nic.transmit(len, &mut |out| out.copy_from_slice(frame));
            self.unkicked = true;
        }
        self.scratch = scratch;
    }
}

/// Whether a frame from the card claims to come from this host or to go to its loopback, which would let a neighbour talk to
/// services that listen on 127.0.0.1 only, or redirect the host's own traffic.
fn martian(frame: &[u8], own: Option<Ipv4Address>) -> bool {
    let Ok(frame) = EthernetFrame::new_checked(frame) else { return true };
    let ours = |address: Ipv4Address| address.is_loopback() || own == Some(address);
    match frame.ethertype() {
        EthernetProtocol::Ipv4 => {
            Ipv4Packet::new_checked(frame.payload()).is_ok_and(|ip| ours(ip.src_addr()) || ip.dst_addr().is_loopback())
        }
        EthernetProtocol::Arp => {
            matches!(
                ArpPacket::new_checked(frame.payload()).and_then(|arp| ArpRepr::parse(&arp)),
                Ok(ArpRepr::EthernetIpv4 { source_protocol_addr, target_protocol_addr, .. })
                    if ours(source_protocol_addr) || target_protocol_addr.is_loopback()
            )
        }
        _ => false,
    }
}

/// Whether a frame for the card carries loopback addresses, which must not be seen outside a host (RFC 1122 3.2.1.3).
fn leaks(frame: &[u8]) -> bool {
    martian(frame, None)
}

pub(super) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(super) struct Sender<'a>(&'a mut Wire);

impl TxToken for Sender<'_> {
    fn set_meta(&mut self, meta: PacketMeta) {
        self.0.service = Service::from_id(meta.id);
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        // smoltcp splits whatever is longer than the MTU.
        let result = f(&mut self.0.scratch[..len]);
        self.0.send(len);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sender<'_>)> {
        // An answer needs no room: the loopback may overflow by it, because a frame just left it, and a full card loses it. If
        // receiving waited for room, a card that cannot send would keep the stack busy with frames that it cannot take.
        let frame = self.staged.take()?;
        Some((Received(frame), Sender(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        self.has_room().then_some(Sender(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ethernet;
        caps.max_transmission_unit = MAX_FRAME;
        caps
    }
}
