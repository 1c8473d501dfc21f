//! More than one CPU: starting them, waking them, stopping them.

pub mod stop;
pub mod tlb;
mod trampoline;

pub use tlb::{flush_tlb_others, flush_tlb_others_now};

use crate::apic::{self, Ipi};
use crate::gdt::{self, Tables};
use crate::percpu::{self, MAX_CPUS, PerCpu, count};
use crate::{acpi, clock, cpu, irq, sched, trap};
use alloc::boxed::Box;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use trapless_abi::Errno;
use x86_64::instructions::interrupts;

/// How long the boot CPU waits for the others, ns. A loaded host may take its time; a CPU that comes later is still welcome.
const PATIENCE_NS: u64 = 10_000_000_000;
/// After this time without all of them, a second start-up interrupt goes out (SDM vol. 3, 9.4.4).
const SECOND_TRY_NS: u64 = 20_000_000;

/// The first thing Rust does on the boot CPU: its block, traps on a first stack, floating point. Locks and faults work from here on.
pub fn init_early() {
    percpu::init_boot();
    gdt::load_early();
    trap::init_idt();
    trap::load_idt();
    cpu::set_up(&percpu::BOOT);
}

/// Gives the boot CPU guarded stacks and its APIC. Called once memory, paging, ACPI and the clock are up; enables interrupts.
///
/// # Errors
/// ENOMEM.
pub fn init_boot_cpu() -> Result<(), Errno> {
    let (tables, sched_top) = gdt::build(&percpu::BOOT)?;
    tables.load();
    percpu::BOOT.sched_top.store(sched_top, Ordering::Relaxed);
    apic::init();
    percpu::BOOT.lapic_id.store(apic::enable(), Ordering::Relaxed);
    apic::calibrate_timer();
    interrupts::enable();
    Ok(())
}

/// What became of starting the other CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// CPUs the firmware lists, the boot CPU included.
    pub listed: usize,
    /// CPUs that run.
    pub running: usize,
}

/// Tables of the CPUs that are being started, by logical index.
static TABLES: [AtomicPtr<Tables>; MAX_CPUS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];
/// The boot CPU's counter when it sent for the others, and the latest counter of one that arrived.
static TSC_SENT: AtomicU64 = AtomicU64::new(0);
static TSC_ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Starts every CPU that the firmware lists, up to `limit` in all, all at once. Those that arrive run threads from then on.
///
/// # Errors
/// ENOMEM.
pub fn start_others(limit: usize) -> Result<Started, Errno> {
    let own = irq::lapic_id_of(0);
    let listed = &acpi::get().madt.processors;
    let wanted = limit.clamp(1, MAX_CPUS) - 1;
    let mut others = 0;
    for processor in listed.iter().filter(|p| p.apic_id != own).take(wanted) {
        others += 1;
        let block: &PerCpu = Box::leak(Box::new(PerCpu::new(others as u32)));
        let (tables, sched_top) = gdt::build(block)?;
        block.sched_top.store(sched_top, Ordering::Relaxed);
        block.lapic_id.store(processor.apic_id, Ordering::Relaxed);
        TABLES[others].store(tables, Ordering::Release);
        trampoline::announce(processor.apic_id, block);
    }
    let all_listed = listed.len().max(1);
    if others == 0 {
        return Ok(Started { listed: all_listed, running: 1 });
    }
    let page = trampoline::install();
    let send_to_missing = |ipi: Ipi| {
        for entry in trampoline::announced().filter(|block| percpu::get(block.index()).is_none()) {
            apic::send(entry.lapic_id.load(Ordering::Relaxed), ipi);
        }
    };
    TSC_SENT.store(clock::tsc(), Ordering::SeqCst);
    send_to_missing(Ipi::Init);
    send_to_missing(Ipi::Startup(page));
    let start = clock::now_ns();
    let mut again = false;
    let running = loop {
        let running = percpu::all().count();
        let waited = clock::now_ns() - start;
        if running > others || waited > PATIENCE_NS {
            break running;
        }
        if waited > SECOND_TRY_NS && !again {
            again = true;
            send_to_missing(Ipi::Startup(page));
        }
        // Each CPU that arrives sends a wake-up; the timer is for those that do not.
        nap(5_000_000);
    };
    if TSC_ARRIVED.load(Ordering::SeqCst) > clock::tsc() {
        clock::distrust_tsc();
    }
    Ok(Started { listed: all_listed, running })
}

/// Halts the boot CPU, before it runs threads, for at most `ns` or until an interrupt comes.
fn nap(ns: u64) {
    interrupts::disable();
    apic::set_timer(clock::now_ns() + ns);
    interrupts::enable_and_hlt();
}

/// First Rust code of every other CPU, on its scheduler stack, with interrupts off.
extern "C" fn ap_main(block: &'static PerCpu) -> ! {
    block.install();
    crate::paging::activate();
    // SAFETY: `start_others` stored a leaked pointer, and each CPU takes its own only once.
    let tables = unsafe { &mut *TABLES[block.index()].swap(core::ptr::null_mut(), Ordering::Acquire) };
    tables.load();
    trap::load_idt();
    cpu::set_up(block);
    block.lapic_id.store(apic::enable(), Ordering::Relaxed);
    let arrived = clock::tsc();
    TSC_ARRIVED.fetch_max(arrived, Ordering::SeqCst);
    if arrived < TSC_SENT.load(Ordering::SeqCst) {
        clock::distrust_tsc();
    }
    percpu::publish(block);
    tlb::catch_up(block);
    send_wake(&percpu::BOOT);
    sched::run_threads()
}

/// Interrupts `cpu`, so that it leaves a halt or looks at its pending bits.
pub fn send_wake(cpu: &PerCpu) {
    count(&percpu::this().stats.ipis_sent);
    apic::send(cpu.lapic_id.load(Ordering::Relaxed), Ipi::Fixed(irq::WAKE));
}
