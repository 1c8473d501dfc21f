//! A self-test for rule zero: nobody's stack or registers change under an interrupt.
//!
//! On every CPU threads load every register with random values (general registers, flags with DF, MXCSR, x87 state, vector registers,
//! FS base), fill the memory below their stack pointer, spin for a while and compare. Meanwhile others send interrupts as fast as they
//! can, force preemption, arm timers, flush TLBs and take page faults. These others also run beside a program that does as the first do
//! in its own ring, see [`storm`].

mod block;
mod routine;

use crate::percpu::{self, pending};
use crate::thread;
use crate::x86::X86;
use crate::{clock, context, mm, sched, smp, user};
use alloc::boxed::Box;
use block::{Block, Random};
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
#[cfg(feature = "mutants")]
pub(crate) use routine::contains as in_routine;
use spin::Once;
use trapless_abi::flags::{MmapFlags, Prot};
use trapless_abi::{Errno, SysResult};
use trapless_logic::mm::space::MapRequest;
use trapless_logic::platform::Platform;
use trapless_logic::sync::Lock;

/// Spinning threads per CPU: more than one, so that slices end.
const SPINNERS_PER_CPU: usize = 2;
/// Largest number of turns a thread spins with its registers loaded.
const MAX_TURNS: u64 = 20_000;
/// Mismatches after which nothing more is to be learnt.
const ENOUGH: u64 = 1000;
/// Pages that a thread faults in at a time.
const FAULTS: u64 = 16;
/// Bytes of a test thread's stack.
const STACK: usize = 32 << 10;

/// A fault to put in on purpose, to show that the test notices. Only with the feature `mutants`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The wake-up interrupt's gate has no interrupt stack.
    NoIst,
    /// Resuming a preempted thread leaves out one register.
    DropRegister,
    /// The libos touches memory of the program by itself, which it may do where that is not in another ring.
    TouchProgram,
}

impl Mutant {
    /// The mutant called `name` on the command line.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "no-ist" => Some(Self::NoIst),
            "drop-reg" => Some(Self::DropRegister),
            "touch" => Some(Self::TouchProgram),
            _ => None,
        }
    }

    /// Puts the fault in; false if this image cannot.
    pub fn install(self) -> bool {
        #[cfg(feature = "mutants")]
        match self {
            Self::NoIst => crate::trap::mutant::drop_ist(crate::irq::WAKE),
            Self::DropRegister => crate::trap::mutant::drop_register(),
            Self::TouchProgram => crate::trap::mutant::touch_program(),
        }
        cfg!(feature = "mutants")
    }
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Times that all registers and the canary were compared.
    pub rounds: u64,
    /// Comparisons that failed.
    pub mismatches: u64,
    /// Interrupts and exceptions taken meanwhile, by all CPUs.
    pub traps: u64,
    /// Threads preempted meanwhile.
    pub preemptions: u64,
    /// Page faults taken meanwhile.
    pub page_faults: u64,
    /// Why the test could not run, or not with all its threads.
    pub failed: Option<Errno>,
    /// The first mismatch: where, what was expected, what was there.
    pub first: Option<(&'static str, u64, u64)>,
}

impl Report {
    /// Whether the test ran and found nothing.
    pub fn passed(&self) -> bool {
        self.failed.is_none() && self.mismatches == 0 && self.rounds > 0 && self.preemptions > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} mismatches in {} rounds; {} traps, {} preemptions, {} page faults",
            self.mismatches, self.rounds, self.traps, self.preemptions, self.page_faults
        )?;
        if let Some(error) = self.failed {
            write!(f, "; could not run: {error}")?;
        }
        if let Some((place, expected, found)) = self.first {
            write!(f, "; first: {place} was {expected:#x}, became {found:#x}")?;
        }
        Ok(())
    }
}

static STOP: AtomicBool = AtomicBool::new(false);
static ROUNDS: AtomicU64 = AtomicU64::new(0);
static MISMATCHES: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static FIRST: Once<(&'static str, u64, u64)> = Once::new();
/// One run at a time.
static BUSY: Lock<X86, bool> = Lock::new(false);

/// Runs the test for `time`, from a thread. A second run at the same time fails at once.
pub fn run(time: Duration) -> Report {
    if core::mem::replace(&mut *BUSY.lock(), true) {
        return Report { failed: Some(Errno::EBUSY), ..Report::default() };
    }
    let before = totals();
    let started = start();
    if started.is_ok() {
        let end = X86::now() + time;
        while X86::now() < end && MISMATCHES.load(Ordering::Relaxed) < ENOUGH {
            X86::park(Some(end.min(X86::now() + Duration::from_millis(100))));
        }
    }
    STOP.store(true, Ordering::SeqCst);
    while RUNNING.load(Ordering::SeqCst) > 0 {
        X86::park(Some(X86::now() + Duration::from_millis(10)));
    }
    STOP.store(false, Ordering::SeqCst);
    *BUSY.lock() = false;
    let after = totals();
    Report {
        rounds: ROUNDS.swap(0, Ordering::SeqCst),
        mismatches: MISMATCHES.swap(0, Ordering::SeqCst),
        traps: after.0 - before.0,
        preemptions: after.1 - before.1,
        page_faults: after.2 - before.2,
        failed: started.err(),
        first: FIRST.get().copied(),
    }
}

/// Traps, preemptions and page faults of all CPUs so far.
fn totals() -> (u64, u64, u64) {
    percpu::all().fold((0, 0, 0), |(traps, preemptions, faults), cpu| {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let s = &cpu.stats;
        (traps + of(&s.traps), preemptions + of(&s.preemptions), faults + of(&s.page_faults))
    })
}

fn start() -> SysResult<()> {
    for i in 0..percpu::cpu_count() * SPINNERS_PER_CPU {
        spawn("sentinel", spinner, i)?;
    }
    storm()
}

fn spawn(name: &str, entry: fn(usize), arg: usize) -> SysResult<()> {
    RUNNING.fetch_add(1, Ordering::SeqCst);
    let result = thread::spawn_kernel(name, entry, arg, STACK).map(drop);
    if result.is_err() {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
    result
}

/// Starts what disturbs the spinning threads, until the end of the machine or of [`run`].
///
/// # Errors
/// ENOMEM.
pub fn storm() -> SysResult<()> {
    let cpus = percpu::cpu_count();
    for i in 0..cpus.div_ceil(2) {
        spawn("bomber", bomber, i)?;
    }
    for i in 0..cpus {
        spawn("napper", napper, i)?;
    }
    for i in 0..cpus.div_ceil(2) {
        spawn("faulter", faulter, i)?;
    }
    Ok(())
}

/// Loads, spins, compares.
fn spinner(seed: usize) {
    let mut random = Random::new(seed as u64);
    let mut block = Box::new(Block::new());
    while !STOP.load(Ordering::Relaxed) {
        block.fill(&mut random, random_turns(seed));
        context::set_fs_base(block.fs_base());
        routine::run(&mut block);
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        if let Some(found) = block.difference(context::fs_base()) {
            MISMATCHES.fetch_add(1, Ordering::SeqCst);
            FIRST.call_once(|| found);
        }
    }
    context::set_fs_base(0);
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

fn random_turns(seed: usize) -> u64 {
    1 + Random::new(clock::tsc() ^ seed as u64).next() % MAX_TURNS
}

/// Sends interrupts to all CPUs, most of which force the running thread off.
fn bomber(seed: usize) {
    let mut random = Random::new(!(seed as u64));
    while !STOP.load(Ordering::Relaxed) {
        let word = random.next();
        for cpu in percpu::all() {
            if word >> cpu.index() & 3 != 0 {
                cpu.pending.fetch_or(pending::RESCHED, Ordering::SeqCst);
            }
            smp::send_wake(cpu);
        }
        match word >> 56 {
            0 => smp::flush_tlb_others_now(),
            1 => smp::flush_tlb_others(),
            2 => sched::yield_now(),
            3 => X86::park(Some(X86::now() + Duration::from_micros(word >> 32 & 0xff))),
            _ => {}
        }
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

/// Sleeps for random short times: timer interrupts, and switches by way of a call on every CPU.
fn napper(seed: usize) {
    let mut random = Random::new(seed as u64 ^ 0x5bd1_e995);
    while !STOP.load(Ordering::Relaxed) {
        X86::park(Some(X86::now() + Duration::from_micros(random.next() & 0x3ff)));
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

/// Maps memory, touches every page of it and unmaps it: page faults, and TLB flushes on all CPUs.
fn faulter(_seed: usize) {
    let (prot, flags) = (Prot::PROT_READ | Prot::PROT_WRITE, MmapFlags::MAP_PRIVATE | MmapFlags::MAP_ANONYMOUS);
    while !STOP.load(Ordering::Relaxed) {
        let Ok(base) = mm::mmap(&MapRequest { address: 0, len: FAULTS * 4096, prot, flags }) else {
            X86::park(Some(X86::now() + Duration::from_millis(1)));
            continue;
        };
        for page in 0..FAULTS {
            let _ = user::write((base + page * 4096) as usize, &page);
            #[cfg(feature = "mutants")]
            crate::trap::mutant::touch(base + page * 4096);
        }
        let _ = mm::munmap(base, FAULTS * 4096);
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}
