//! A sampling profiler: the timer interrupt notes what it has interrupted.
//!
//! A CPU that runs a thread is interrupted at the multiples of the period; one that halts is not. What runs with interrupts off is seen
//! where they come on again. Erlang's compiled code has frame pointers if it is told to (`+JPperf`), and is followed to its callers; code
//! of C and of the libos has none.

use crate::apic::{self, Ipi};
use crate::percpu::{self, MAX_CPUS, PerCpu, pending};
use crate::trap::TrapFrame;
use crate::{clock, irq, paging, user};
use core::sync::atomic::{AtomicU64, Ordering};
use spin::Once;
use trapless_abi::SysResult;
use trapless_logic::profile::{DEPTH, Table};

/// Nanoseconds between two samples; zero while nothing is sampled.
static PERIOD: AtomicU64 = AtomicU64::new(0);

static TABLES: [Once<Table>; MAX_CPUS] = [const { Once::new() }; MAX_CPUS];

/// Samples `hz` times a second and CPU from now on.
///
/// # Errors
/// ENOMEM.
pub fn start(hz: u32) -> SysResult<()> {
    for cpu in percpu::all() {
        TABLES[cpu.index()].try_call_once(Table::new)?;
    }
    PERIOD.store(1_000_000_000 / u64::from(hz.max(1)), Ordering::Relaxed);
    for cpu in percpu::all() {
        cpu.sample_at.store(0, Ordering::Relaxed);
        // The scheduler sets the timer.
        cpu.pending.fetch_or(pending::RESCHED, Ordering::SeqCst);
        apic::send(cpu.lapic_id.load(Ordering::Relaxed), Ipi::Fixed(irq::WAKE));
    }
    Ok(())
}

/// Samples no more.
pub fn stop() {
    PERIOD.store(0, Ordering::Relaxed);
    percpu::all().for_each(|cpu| cpu.sample_at.store(u64::MAX, Ordering::Relaxed));
}

/// Samples a second and CPU; zero while nothing is sampled.
pub fn hz() -> u64 {
    1_000_000_000u64.checked_div(PERIOD.load(Ordering::Relaxed)).unwrap_or(0)
}

/// What was sampled, by CPU.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter_map(Once::get)
}

/// When the next sample of `cpu` is due, ns; never while nothing is sampled.
#[inline]
pub(crate) fn due(cpu: &PerCpu, now: u64) -> u64 {
    let at = cpu.sample_at.load(Ordering::Relaxed);
    // One that was missed, since the CPU has halted, is not caught up with: what comes first behind a halt would be seen too often.
    if at > now { at } else { set_next(cpu, now) }
}

/// Moves on to the next multiple of the period.
#[cold]
fn set_next(cpu: &PerCpu, now: u64) -> u64 {
    let period = PERIOD.load(Ordering::Relaxed);
    let next = now.checked_div(period).map_or(u64::MAX, |periods| (periods + 1).saturating_mul(period));
    cpu.sample_at.store(next, Ordering::Relaxed);
    next
}

/// The timer of `cpu`, the calling one, has interrupted this: noted if it is time. Interrupts are off.
pub(crate) fn on_timer(cpu: &PerCpu, frame: &TrapFrame) {
    let at = cpu.sample_at.load(Ordering::Relaxed);
    if at == u64::MAX {
        return;
    }
    let now = clock::now_ns();
    if at > now {
        return;
    }
    set_next(cpu, now);
    // SAFETY: the CPU holds its current thread.
    let thread = unsafe { cpu.current.load(Ordering::Relaxed).as_ref() };
    if let (Some(thread), Some(table)) = (thread, TABLES[cpu.index()].get()) {
        let mut frames = [0; DEPTH];
        // A page fault cannot be interrupted by another: then no memory is looked at.
        let most = if cpu.in_page_fault.load(Ordering::Relaxed) { 1 } else { DEPTH };
        let depth = walk(frame, &mut frames[..most]);
        table.count(thread.id(), &frames[..depth]);
    }
}

/// Where it was, and where that was called from, as far as frame pointers lead through code of the JIT.
fn walk(frame: &TrapFrame, frames: &mut [u64]) -> usize {
    frames[0] = frame.rip.max(1);
    let jit = paging::low_window();
    let mut pointer = frame.rbp;
    for (depth, place) in frames.iter_mut().enumerate().skip(1) {
        let word = |at: u64| {
            let there = at.is_multiple_of(8) && paging::is_mapped(at);
            there.then(|| user::read::<u64>(usize::try_from(at).ok()?).ok()).flatten()
        };
        let (Some(caller), Some(next)) = (pointer.checked_add(8).and_then(word), word(pointer)) else { return depth };
        // What C code leaves in the register is no frame pointer; a stack grows downwards.
        if !jit.contains(caller) {
            return depth;
        }
        // The call itself, and not what follows it.
        *place = caller - 1;
        if next <= pointer {
            return depth + 1;
        }
        pointer = next;
    }
    frames.len()
}
