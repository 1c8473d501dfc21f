//! A simulated machine with virtual time, and hosts whose cards are connected by a [`Cable`].
//!
//! Everything runs on the test's own thread: a test is the same in each run, and minutes of retransmissions take no time.

pub use super::cable::{Cable, Faults, card, too_big};

use crate::net::device::Offloads;
use crate::net::{Addressing, Addressing6, Card, NetStack};
use crate::platform::{Platform, SparseName, Supply, TimerId};
use crate::time::Instant;
use crate::wait::{Observer, Ready};
use smoltcp::wire::{Ipv4Address, Ipv4Cidr, Ipv6Address, Ipv6Cidr};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The simulated machine.
pub struct Sim;

#[derive(Default)]
struct World {
    now: u64,
    seq: u64,
    timers: BTreeMap<(Instant, u64), Arc<dyn Observer>>,
    rng: Rng,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
    /// What the machine says of its memory.
    pub static MEMORY: Cell<Supply> = const { Cell::new(Supply::Ample) };
    /// The buffers whose memory was taken back.
    pub static DISCARDED: RefCell<Vec<SparseName>> = RefCell::default();
}

/// A generator of numbers that only have to look random (xorshift64*).
pub struct Rng(u64);

impl Default for Rng {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        rng.next();
        rng
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
}

impl Platform for Sim {
    type Thread = ();

    fn now() -> Instant {
        WORLD.with_borrow(|w| Instant::from_nanos(w.now))
    }

    fn realtime_ns() -> u64 {
        Self::now().as_nanos()
    }

    fn cpu() -> usize {
        0
    }

    fn preempt_disable() {}

    fn preempt_enable() {}

    fn halt() {
        panic!("the only thread waits for a lock");
    }

    fn kick(_: usize) {}

    fn current() {}

    fn park(_: Option<Instant>) {
        panic!("the only thread sleeps");
    }

    fn unpark((): &()) {}

    fn signal_pending() -> bool {
        false
    }

    fn timer_arm(at: Instant, target: Arc<dyn Observer>) -> TimerId {
        WORLD.with_borrow_mut(|w| {
            w.seq += 1;
            w.timers.insert((at, w.seq), target);
            TimerId { cpu: 0, at, seq: w.seq }
        })
    }

    fn timer_cancel(id: TimerId) -> bool {
        WORLD.with_borrow_mut(|w| w.timers.remove(&(id.at, id.seq))).is_some()
    }

    fn random(buf: &mut [u8]) {
        WORLD.with_borrow_mut(|w| buf.fill_with(|| w.rng.next() as u8));
    }

    fn sparse_bytes(len: usize) -> Option<Vec<u8>> {
        Some(vec![0; len])
    }

    fn sparse_discard(buffers: &mut dyn Iterator<Item = SparseName>) {
        DISCARDED.with_borrow_mut(|all| all.extend(buffers));
    }

    fn memory() -> Supply {
        MEMORY.get()
    }
}

/// The environment's variable that says how many CPUs hosts have.
pub const CPUS: &str = "TRAPLESS_SIMULATED_CPUS";

/// CPUs of each host: one, or as many as the environment says.
pub fn cpus() -> usize {
    std::env::var(CPUS).map_or(1, |text| text.parse().unwrap())
}

pub type Stack = Arc<NetStack<Sim>>;

/// The address fd00::`host`.
fn fixed6(host: u8) -> Addressing6 {
    let address = Ipv6Cidr::new(Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, host.into()), 64);
    Addressing6::Static { address, router: None }
}

/// Two hosts, 10.0.0.1 and fd00::1, 10.0.0.2 and fd00::2, on one cable.
pub struct Net {
    pub a: Stack,
    pub b: Stack,
    pub cable: Arc<Mutex<Cable>>,
    /// Further hosts, each on a cable of its own to host a.
    pub others: Vec<(Stack, Arc<Mutex<Cable>>)>,
    /// Events so far.
    pub steps: Cell<u64>,
}

impl Net {
    pub fn new() -> Self {
        Self::with(Faults::default(), 1)
    }

    pub fn with(faults: Faults, seed: u64) -> Self {
        Self::between([Offloads::default(); 2], faults, seed)
    }

    /// Between two cards with these offloads.
    pub fn between(offloads: [Offloads; 2], faults: Faults, seed: u64) -> Self {
        let net = Self::on(Cable { ring: 64, ..Cable::default() }, offloads);
        let mut cable = net.cable.lock().unwrap();
        (cable.faults, cable.rng, cable.frames) = (faults, Rng::new(seed), 0);
        drop(cable);
        net
    }

    /// On a cable whose cards have several pairs of queues, by which frames come where the stack wants them, or anywhere.
    pub fn with_queues(queues: [usize; 2], steered: bool) -> Self {
        let cable = Cable { rng: Rng::new(1), ring: 64, queues, steered, ..Cable::default() };
        Self::on(cable, [Offloads::default(); 2])
    }

    fn on(cable: Cable, offloads: [Offloads; 2]) -> Self {
        let cable = Arc::new(Mutex::new(cable));
        let host = |end: usize| {
            let address = Ipv4Cidr::new(Ipv4Address::new(10, 0, 0, 1 + end as u8), 24);
            let (nic, addressing) = (card(&cable, end, offloads[end]), Addressing::Static { address, router: None });
            let stack = NetStack::new(Some(nic), addressing, fixed6(1 + end as u8), cpus());
            stack.poll();
            stack
        };
        let net = Self { a: host(0), b: host(1), cable, others: Vec::new(), steps: Cell::new(0) };
        // Until the hosts know that nobody else has their addresses.
        net.sleep(Duration::from_secs(2));
        net.steps.set(0);
        net
    }

    /// Host a with a card on each of so many cables. On cable N it is 10.0.N.1 and fd00:N::1, and the host beyond is 10.0.N.2 and
    /// fd00:N::2, and a router if `router` is N.
    pub fn with_cards(count: u8, router: Option<u8>) -> Self {
        let cable = |number| Arc::new(Mutex::new(Cable { ring: 64, number, ..Cable::default() }));
        let cables: Vec<_> = (0..count).map(cable).collect();
        let place = |number: u8, end: usize| {
            let host = 1 + end as u8;
            let v6 = |host: u8| Ipv6Address::new(0xfd00, number.into(), 0, 0, 0, 0, 0, host.into());
            let here = (end == 0).then_some(()).filter(|()| router == Some(number));
            Card {
                nic: card(&cables[usize::from(number)], end, Offloads::default()),
                addressing: Addressing::Static {
                    address: Ipv4Cidr::new(Ipv4Address::new(10, 0, number, host), 24),
                    router: here.map(|()| Ipv4Address::new(10, 0, number, 2)),
                },
                addressing6: Addressing6::Static { address: Ipv6Cidr::new(v6(host), 64), router: here.map(|()| v6(2)) },
            }
        };
        let started = |cards| {
            let stack = NetStack::on_cards(cards, cpus());
            stack.poll();
            stack
        };
        let a = started((0..count).map(|number| place(number, 0)).collect());
        let mut beyond = (0..count).map(|number| started(vec![place(number, 1)]));
        let b = beyond.next().unwrap();
        let others = beyond.zip(cables.iter().skip(1).cloned()).collect();
        let net = Self { a, b, cable: cables[0].clone(), others, steps: Cell::new(0) };
        net.sleep(Duration::from_secs(2));
        net
    }

    /// Goes to the next event, if there is one before `limit`.
    fn step(&self, limit: u64) -> bool {
        let timer = WORLD.with_borrow(|w| w.timers.first_key_value().map(|(&(at, _), _)| at.as_nanos()));
        let cables = self.others.iter().map(|(_, cable)| cable).chain([&self.cable]);
        let arrivals = cables.filter_map(|cable| cable.lock().unwrap().next_arrival());
        let Some(next) = timer.into_iter().chain(arrivals).min().filter(|&at| at <= limit) else { return false };
        WORLD.with_borrow_mut(|w| w.now = w.now.max(next));
        self.steps.set(self.steps.get() + 1);
        fire();
        for stack in [&self.a, &self.b].into_iter().chain(self.others.iter().map(|(stack, _)| stack)) {
            while stack.poll() {}
        }
        true
    }

    /// Lets time pass until `done`; false if it is not within `limit` of virtual time.
    pub fn run(&self, limit: Duration, mut done: impl FnMut() -> bool) -> bool {
        let limit = (Sim::now() + limit).as_nanos();
        loop {
            if done() {
                return true;
            }
            if !self.step(limit) {
                WORLD.with_borrow_mut(|w| w.now = w.now.max(limit));
                return done();
            }
        }
    }

    /// Lets time pass.
    pub fn sleep(&self, time: Duration) {
        self.run(time, || false);
    }
}

/// Lets time pass without a wire.
pub fn pass(time: Duration) {
    let limit = (Sim::now() + time).as_nanos();
    loop {
        let timer = WORLD.with_borrow(|w| w.timers.first_key_value().map(|(&(at, _), _)| at.as_nanos()));
        let next = timer.filter(|&at| at <= limit);
        WORLD.with_borrow_mut(|w| w.now = w.now.max(next.unwrap_or(limit)));
        if next.is_none() {
            return;
        }
        fire();
    }
}

/// Calls the timers that are due.
fn fire() {
    loop {
        let due = WORLD.with_borrow_mut(|w| match w.timers.first_entry() {
            Some(first) if first.key().0.as_nanos() <= w.now => Some(first.remove()),
            _ => None,
        });
        match due {
            Some(target) => target.notify(Ready::TIMER),
            None => return,
        }
    }
}
