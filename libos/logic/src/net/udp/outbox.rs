//! Datagrams between the call that sends them and the wire.
//!
//! smoltcp knows where a datagram goes: by which router, to which Ethernet address. But it gives a packet of IPv6 neither a traffic class
//! nor a hop limit of its own, and loses it if it is too long for the wire (decision 20). So it gets an envelope, a datagram with a
//! number in it, and when that leaves, the letter takes its place ([`crate::net::outgoing`]).

use crate::net::service::Service;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Waker;
use slab::Slab;
use trapless_abi::{Errno, SysResult};

/// Bytes and datagrams of one socket that wait to be sent, for the receiver's Ethernet address or for room in the ring. One always may,
/// however long it is.
pub(super) const SEND: (usize, usize) = (64 * 1024, 64);
/// Bytes of what an envelope carries: the number of the socket's box, and that of the letter.
pub(in crate::net) const ENVELOPE: usize = 8;

/// A datagram's data, and what it asks for.
pub(in crate::net) struct Letter {
    pub(in crate::net) data: Vec<u8>,
    pub(in crate::net) service: Service,
}

/// What one socket has to send.
struct Queue {
    /// In the order of their numbers.
    letters: VecDeque<(u32, Letter)>,
    bytes: usize,
    next: u32,
    waker: Waker,
    /// Somebody waits for room.
    wanted: bool,
}

impl Queue {
    fn remove_first(&mut self) -> Option<(u32, Letter)> {
        let first = self.letters.pop_front()?;
        self.bytes -= first.1.data.len();
        Some(first)
    }
}

/// What all sockets have to send.
pub(in crate::net) struct Outbox {
    queues: Slab<Queue>,
}

impl Outbox {
    pub(in crate::net) const fn new() -> Self {
        Self { queues: Slab::new() }
    }

    /// A box for a new socket, which `waker` tells about room.
    pub(super) fn open(&mut self, waker: Waker) -> usize {
        self.queues.insert(Queue { letters: VecDeque::new(), bytes: 0, next: 0, waker, wanted: false })
    }

    pub(super) fn close(&mut self, id: usize) {
        self.queues.try_remove(id);
    }

    /// Whether a letter of `len` bytes finds room; if not, it is told when that may be different.
    pub(super) fn has_room(&mut self, id: usize, len: usize) -> bool {
        let Some(queue) = self.queues.get_mut(id) else { return false };
        let room = queue.letters.is_empty() || (queue.bytes + len <= SEND.0 && queue.letters.len() < SEND.1);
        queue.wanted |= !room;
        room
    }

    /// smoltcp has no envelopes of this box any more: letters that are left belong to those that it has lost.
    pub(super) fn forget(&mut self, id: usize) {
        if let Some(queue) = self.queues.get_mut(id) {
            queue.letters.clear();
            queue.bytes = 0;
        }
    }

    /// Takes a letter; what its envelope is to carry. ENOBUFS.
    pub(super) fn put(&mut self, id: usize, letter: Letter) -> SysResult<[u8; ENVELOPE]> {
        let queue = self.queues.get_mut(id).ok_or(Errno::ENOBUFS)?;
        queue.letters.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        let number = queue.next;
        queue.next = number.wrapping_add(1);
        queue.bytes += letter.data.len();
        queue.letters.push_back((number, letter));
        let [one, other] = [(id as u32).to_ne_bytes(), number.to_ne_bytes()];
        Ok([one[0], one[1], one[2], one[3], other[0], other[1], other[2], other[3]])
    }

    /// The letter of an envelope.
    pub(in crate::net) fn take(&mut self, envelope: [u8; ENVELOPE]) -> Option<Letter> {
        let [a, b, c, d, rest @ ..] = envelope;
        let number = u32::from_ne_bytes(rest);
        let queue = self.queues.get_mut(u32::from_ne_bytes([a, b, c, d]) as usize)?;
        let at = queue.letters.iter().position(|(other, _)| *other == number)?;
        // Envelopes leave in order: those before it are lost.
        for _ in 0..at {
            queue.remove_first();
        }
        let (_, letter) = queue.remove_first()?;
        if core::mem::take(&mut queue.wanted) {
            queue.waker.wake_by_ref();
        }
        Some(letter)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn letter(len: usize) -> Letter {
        Letter { data: alloc::vec![7; len], service: Service::default() }
    }

    #[test]
    fn an_envelope_becomes_its_letter_once() {
        let (mut outbox, woken) = (Outbox::new(), Arc::new(Count::default()));
        let ids = [(); 2].map(|()| outbox.open(Waker::from(woken.clone())));
        let first = outbox.put(ids[0], letter(1)).unwrap();
        let other = outbox.put(ids[1], letter(2)).unwrap();
        let second = outbox.put(ids[0], letter(3)).unwrap();
        let third = outbox.put(ids[0], letter(4)).unwrap();
        let mut len = |envelope| outbox.take(envelope).map(|letter| letter.data.len());
        assert_eq!(
            [len(second), len(first), len(second), len(other), len(third)],
            [Some(3), None, None, Some(2), Some(4)]
        );
        assert_eq!((len([0xff; 8]), woken.0.load(Ordering::Relaxed)), (None, 0));
        outbox.close(ids[0]);
        assert!(outbox.put(ids[0], letter(1)).is_err());
    }

    #[test]
    fn a_full_box_tells_who_waits_for_room() {
        let (mut outbox, woken) = (Outbox::new(), Arc::new(Count::default()));
        let id = outbox.open(Waker::from(woken.clone()));
        assert!(outbox.has_room(id, 10 * SEND.0), "one always may");
        let first = outbox.put(id, letter(SEND.0 - 5)).unwrap();
        assert!(outbox.has_room(id, 5) && !outbox.has_room(id, 6));
        let second = outbox.put(id, letter(5)).unwrap();
        assert!(outbox.take(first).is_some() && outbox.has_room(id, 6));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        outbox.take(second);
        let sent: Vec<_> = (0..SEND.1).map(|_| outbox.put(id, letter(0)).unwrap()).collect();
        assert!(!outbox.has_room(id, 0));
        outbox.forget(id);
        assert!(outbox.has_room(id, 0) && outbox.take(sent[0]).is_none());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }
}
