//! Interrupt vectors, and the work that interrupts leave for later.
//!
//! A handler runs on an interrupt stack with interrupts off, in the middle of whatever the CPU was doing: it touches its device and
//! atomics, takes no lock, and leaves the rest to a softirq ([`raise`]), which runs on the scheduler's stack with no lock held.

use crate::percpu::{self, MAX_CPUS, count, pending};
use alloc::boxed::Box;
use alloc::string::String;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use spin::Mutex;
use x86_64::instructions::interrupts::without_interrupts;

/// Wakes a CPU from a halt, or makes it look at its pending bits.
pub const WAKE: u8 = 0xf0;
/// The local APIC's timer.
pub const TIMER: u8 = 0xf1;
/// Asks a CPU to flush its TLB.
pub const TLB: u8 = 0xf2;
/// The local APIC's spurious vector (low four bits set, as old APICs demand).
pub const SPURIOUS: u8 = 0xff;
/// Vectors for devices. The 16 before are where a stray 8259 would deliver.
const DEVICES: core::ops::Range<u8> = 0x30..0xf0;

/// What an interrupt is for that is no device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A timer went off, or a thread's time is over.
    Timer,
    /// Another CPU has work, or lets go of a lock.
    Wake,
    /// Translations of addresses are to be forgotten.
    Tlb,
    /// Nothing.
    Spurious,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Timer, Self::Wake, Self::Tlb, Self::Spurious];

    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Wake => "wake",
            Self::Tlb => "tlb",
            Self::Spurious => "spurious",
        }
    }

    const fn of(vector: u8) -> Option<Self> {
        Some(match vector {
            TIMER => Self::Timer,
            WAKE => Self::Wake,
            TLB => Self::Tlb,
            SPURIOUS => Self::Spurious,
            _ => return None,
        })
    }
}

/// Work to do outside the interrupt handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Softirq {
    /// The network device has something to say.
    Net = 0,
    /// The console does.
    Console = 1,
    /// The power button or another system event.
    Power = 2,
}

impl Softirq {
    /// [`Softirq::Net`].
    pub const NET: Self = Self::Net;
    /// [`Softirq::Console`].
    pub const CONSOLE: Self = Self::Console;
    /// [`Softirq::Power`].
    pub const POWER: Self = Self::Power;
    const COUNT: usize = 3;

    const fn bit(self) -> u32 {
        1 << (pending::SOFTIRQ_SHIFT + self as u32)
    }
}

static SOFTIRQS: [AtomicPtr<()>; Softirq::COUNT] = [const { AtomicPtr::new(core::ptr::null_mut()) }; Softirq::COUNT];

/// Sets what runs when `which` was raised. It must not block and should be short: if there is more to do it raises itself again.
pub fn set_softirq(which: Softirq, handler: fn()) {
    SOFTIRQS[which as usize].store(handler as *mut (), Ordering::Release);
}

/// Has the handler of `which` run soon on this CPU. Callable from everywhere.
pub fn raise(which: Softirq) {
    percpu::preempt_disable();
    percpu::this().pending.fetch_or(which.bit(), Ordering::SeqCst);
    percpu::preempt_enable();
}

/// Runs the handlers whose bits are set in `bits`. By the scheduler.
pub(crate) fn run_softirqs(bits: u32) {
    for (i, handler) in SOFTIRQS.iter().enumerate() {
        let handler = handler.load(Ordering::Acquire);
        if bits & (1 << (pending::SOFTIRQ_SHIFT + i as u32)) != 0 && !handler.is_null() {
            // SAFETY: set_softirq stored a fn().
            let handler: fn() = unsafe { core::mem::transmute(handler) };
            handler();
        }
    }
}

/// A device's interrupt.
pub struct Line {
    name: String,
    handler: fn(usize),
    arg: usize,
    /// How often it came to each CPU.
    counts: [AtomicU64; MAX_CPUS],
}

impl Line {
    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it came to CPU `index`.
    pub fn count(&self, index: usize) -> u64 {
        self.counts[index].load(Ordering::Relaxed)
    }
}

static LINES: [AtomicPtr<Line>; 256] = [const { AtomicPtr::new(core::ptr::null_mut()) }; 256];
static NEXT: Mutex<u8> = Mutex::new(DEVICES.start);

/// Reserves a vector and has `handler(arg)` called for its interrupts, on whatever CPU they are sent to. The end of interrupt is
/// signalled after the handler has returned. `name` says in /proc/trapless/interrupts whose it is. None when all vectors are taken.
pub fn alloc_vector(name: &str, handler: fn(usize), arg: usize) -> Option<u8> {
    let vector = without_interrupts(|| {
        let mut next = NEXT.lock();
        let vector = Some(*next).filter(|v| DEVICES.contains(v))?;
        *next += 1;
        Some(vector)
    })?;
    let line = Line { name: name.into(), handler, arg, counts: [const { AtomicU64::new(0) }; MAX_CPUS] };
    LINES[usize::from(vector)].store(Box::leak(Box::new(line)), Ordering::Release);
    Some(vector)
}

fn line(vector: u8) -> Option<&'static Line> {
    // SAFETY: null, or a line that alloc_vector has leaked and that nobody changes.
    unsafe { LINES[usize::from(vector)].load(Ordering::Acquire).as_ref() }
}

/// The devices' interrupts, by vector.
pub fn lines() -> impl Iterator<Item = (u8, &'static Line)> {
    DEVICES.filter_map(|vector| Some((vector, line(vector)?)))
}

/// The local APIC id of CPU `index`, for interrupt routing; the boot CPU's for an index that is not up.
pub fn lapic_id_of(index: usize) -> u32 {
    percpu::get(index).unwrap_or(&percpu::BOOT).lapic_id.load(Ordering::Relaxed)
}

/// Called for every vector from 32 on.
pub(crate) fn handle(vector: u8) {
    if let Some(kind) = Kind::of(vector) {
        count(&percpu::this().stats.interrupts[kind as usize]);
    }
    match vector {
        WAKE => crate::sched::on_wake_interrupt(percpu::this()),
        TIMER => {
            let cpu = percpu::this();
            cpu.timer_at.store(u64::MAX, Ordering::Relaxed);
            cpu.pending.fetch_or(pending::TIMER, Ordering::SeqCst);
        }
        TLB => crate::smp::tlb::on_interrupt(),
        // Not a real interrupt, and not to be acknowledged (SDM vol. 3, 11.9).
        SPURIOUS => return,
        _ => {
            if let Some(line) = line(vector) {
                count(&line.counts[percpu::this().index()]);
                (line.handler)(line.arg);
            }
        }
    }
    crate::apic::end_of_interrupt();
}
