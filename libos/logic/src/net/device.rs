//! The door between the network stack and a network card.

/// A card that carries Ethernet frames, driven by one caller at a time.
///
/// Its interrupts are off while the stack works and on while the stack is idle, so that a busy link costs no interrupts:
/// 1. the card's interrupt raises the network softirq;
/// 2. the stack takes frames with [`receive`](NetDevice::receive) and hands over frames with [`transmit`](NetDevice::transmit);
/// 3. [`kick`](NetDevice::kick) tells the card about the latter, once for all of them;
/// 4. [`rearm`](NetDevice::rearm) turns interrupts on again, unless there is more to do: then go to 2.
pub trait NetDevice: Send {
    /// The card's Ethernet address.
    fn mac(&self) -> [u8; 6];

    /// Takes one frame, if any, and shows it to `f`, from the destination address on and without checksum. The bytes may be changed
    /// in place; they are gone when `f` returns. Returns false, without calling `f`, when no frame waits.
    fn receive(&mut self, f: &mut dyn FnMut(&mut [u8])) -> bool;

    /// Lets `fill` write a frame of `len` bytes and queues it. Returns false, without calling `fill`, when the ring is full: the stack
    /// keeps the frame, and hears of room by the network softirq after [`rearm`](NetDevice::rearm). The slice holds bytes of earlier
    /// frames: `fill` writes all of it. A frame longer than the card can carry is dropped, as a wire would.
    fn transmit(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> bool;

    /// Whether [`transmit`](NetDevice::transmit) would find room.
    fn can_transmit(&self) -> bool;

    /// Tells the card about everything queued since the last time.
    fn kick(&mut self);

    /// Turns the card's interrupts on. Returns true when frames have come meanwhile (or room, when the ring was full): then no
    /// interrupt may announce them, interrupts are still off, and the stack must go on working. Includes a [`kick`](NetDevice::kick).
    fn rearm(&mut self) -> bool;
}
