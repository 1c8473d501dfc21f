//! Making other CPUs forget translations, by the bookkeeping of [`trapless_logic::shootdown`].
//!
//! CPUs that halt for want of work run no thread, so they catch up when they wake instead of being woken for it.

use crate::apic::{self, Ipi};
use crate::irq;
use crate::percpu::{self, PerCpu};
use crate::x86::X86;
use core::sync::atomic::{Ordering, fence};
use trapless_logic::shootdown::Requests;
use x86_64::instructions::interrupts;
use x86_64::registers::control::{Cr4, Cr4Flags};

static REQUESTS: Requests = Requests::new();

/// Forgets all translations of the calling CPU, global ones included.
pub fn flush_own() {
    let cr4 = Cr4::read();
    if cr4.contains(Cr4Flags::PAGE_GLOBAL) {
        interrupts::without_interrupts(|| {
            // SAFETY: turning global pages off and on again only flushes (SDM vol. 3, 4.10.4.1).
            unsafe {
                Cr4::write(cr4 - Cr4Flags::PAGE_GLOBAL);
                Cr4::write(cr4);
            }
        });
    } else {
        x86_64::instructions::tlb::flush_all();
    }
}

/// Returns once no other CPU uses a translation that was removed before the call, and runs no thread that could. CPUs that halt for
/// want of work flush when they wake: until then they may hold stale translations that they do not use, so a page *table* must not be
/// freed on this basis (see [`flush_tlb_others_now`]). The caller flushes its own TLB. Lets interrupts in while it waits.
pub fn flush_tlb_others() {
    flush(false);
}

/// As [`flush_tlb_others`], but idle CPUs flush as well before it returns.
pub fn flush_tlb_others_now() {
    flush(true);
}

fn flush(idle_too: bool) {
    percpu::preempt_disable();
    let this = percpu::this();
    let generation = REQUESTS.make();
    let mut asked = 0u64;
    for cpu in percpu::all().filter(|cpu| !core::ptr::eq(*cpu, this)) {
        if idle_too || !cpu.tlb_lazy.load(Ordering::SeqCst) {
            asked |= 1 << cpu.index();
            apic::send(cpu.lapic_id.load(Ordering::Relaxed), Ipi::Fixed(irq::TLB));
        }
    }
    if asked != 0 {
        wait(asked, generation);
    }
    percpu::preempt_enable();
}

/// Waits until the CPUs in `asked` have caught up. Interrupts must be on: two CPUs may wait for each other.
fn wait(asked: u64, generation: u64) {
    let enabled = interrupts::are_enabled();
    interrupts::enable();
    REQUESTS.wait::<X86>(|| {
        percpu::all().filter(|cpu| asked >> cpu.index() & 1 != 0).all(|cpu| cpu.tlb_answered.has(generation))
    });
    if !enabled {
        interrupts::disable();
    }
}

/// Flushes and says so.
pub(super) fn catch_up(cpu: &PerCpu) {
    REQUESTS.answer(&cpu.tlb_answered, flush_own);
}

/// The interrupt that asks for it.
pub(crate) fn on_interrupt() {
    catch_up(percpu::this());
    REQUESTS.tell::<X86>();
}

/// The calling CPU runs no thread from here on.
pub(crate) fn enter_lazy(cpu: &PerCpu) {
    cpu.tlb_lazy.store(true, Ordering::SeqCst);
}

/// The calling CPU may run a thread again.
pub(crate) fn leave_lazy(cpu: &PerCpu) {
    cpu.tlb_lazy.store(false, Ordering::SeqCst);
    fence(Ordering::SeqCst);
    if REQUESTS.is_behind(&cpu.tlb_answered) {
        catch_up(cpu);
    }
}
