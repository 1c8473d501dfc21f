//! The last events of each CPU, kept for the epitaph.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Events kept per CPU. A power of two.
pub const LEN: usize = 64;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Event {
    /// Nothing yet.
    None,
    /// A trap; `a` is the vector, `b` the interrupted RIP.
    Trap,
    /// A thread was switched to; `a` is its id, `b` where it continues.
    Run,
    /// A thread left; `a` is its id, `b` the reason.
    Leave,
    /// The CPU halts for want of work.
    Idle,
    /// A thread was made runnable; `a` is its id, `b` the CPU chosen.
    Wake,
    /// A thread ended; `a` is its id.
    Exit,
    /// Something the libos noted.
    Note,
}

impl Event {
    fn from_bits(bits: u64) -> Self {
        [Self::None, Self::Trap, Self::Run, Self::Leave, Self::Idle, Self::Wake, Self::Exit, Self::Note]
            .into_iter()
            .find(|&e| e as u64 == bits)
            .unwrap_or(Self::None)
    }
}

struct Slot {
    tsc: AtomicU64,
    kind: AtomicU64,
    a: AtomicU64,
    b: AtomicU64,
}

impl Slot {
    const fn new() -> Self {
        Self { tsc: AtomicU64::new(0), kind: AtomicU64::new(0), a: AtomicU64::new(0), b: AtomicU64::new(0) }
    }
}

/// One CPU's events. An interrupt may come between an event's index and its words: a reader may then see one mixed entry.
pub struct Ring {
    next: AtomicU32,
    slots: [Slot; LEN],
}

impl Ring {
    /// An empty ring.
    pub const fn new() -> Self {
        Self { next: AtomicU32::new(0), slots: [const { Slot::new() }; LEN] }
    }

    /// Notes an event with two words about it.
    #[inline]
    pub fn note(&self, kind: Event, a: u64, b: u64) {
        let slot = &self.slots[self.next.fetch_add(1, Ordering::Relaxed) as usize % LEN];
        slot.tsc.store(crate::clock::tsc(), Ordering::Relaxed);
        slot.kind.store(kind as u64, Ordering::Relaxed);
        slot.a.store(a, Ordering::Relaxed);
        slot.b.store(b, Ordering::Relaxed);
    }

    /// The events, oldest first: time stamp counter, kind and two words.
    pub fn events(&self) -> impl Iterator<Item = (u64, Event, u64, u64)> {
        let next = self.next.load(Ordering::Relaxed) as usize;
        (0..LEN).map(move |i| {
            let s = &self.slots[(next + i) % LEN];
            let word = |w: &AtomicU64| w.load(Ordering::Relaxed);
            (word(&s.tsc), Event::from_bits(word(&s.kind)), word(&s.a), word(&s.b))
        })
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

/// Notes an event of the calling CPU.
#[inline]
pub fn note(kind: Event, a: u64, b: u64) {
    crate::percpu::this().ring.note(kind, a, b);
}
