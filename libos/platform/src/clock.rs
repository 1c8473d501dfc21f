//! The one clock: the time stamp counter, turned into nanoseconds since boot.
//!
//! Its rate comes from the hypervisor or CPUID where they tell, else from a short comparison with the interval timer ([`rate`]).
//! Everything that needs time (futexes, TCP, timers, clock_gettime) reads this clock.

mod rate;

pub use rate::Source;

use crate::x86::X86;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use trapless_logic::wall::WallClock;

/// Counter value at time zero.
static START: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds per tick, 32 binary places.
static NS_PER_TICK: AtomicU64 = AtomicU64::new(0);
/// Ticks per second.
static TSC_HZ: AtomicU64 = AtomicU64::new(0);
/// Frequency of the APIC timer, if the hypervisor told; 0 if not.
static APIC_HZ: AtomicU64 = AtomicU64::new(0);
/// CLOCK_REALTIME.
static WALL: WallClock<X86> = WallClock::new();
/// The counters of the CPUs disagree: [`now_ns`] keeps time from running backwards.
static UNSTABLE: AtomicBool = AtomicBool::new(false);
static LATEST: AtomicU64 = AtomicU64::new(0);

/// The time stamp counter, unordered: for measuring.
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: RDTSC is enabled in ring 0 always.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The time stamp counter, after all earlier loads (SDM vol. 2, RDTSC): for comparing across CPUs.
#[inline]
fn tsc_ordered() -> u64 {
    // SAFETY: as above; LFENCE is part of SSE2.
    unsafe {
        core::arch::x86_64::_mm_lfence();
        core::arch::x86_64::_rdtsc()
    }
}

/// Starts the clock: time zero is now. Called once, early, on the boot CPU; takes up to about 10 ms where nobody tells the rate.
pub fn init() -> Source {
    START.store(tsc(), Ordering::Relaxed);
    let found = rate::find();
    APIC_HZ.store(found.apic_hz, Ordering::Relaxed);
    TSC_HZ.store(found.tsc_hz, Ordering::Relaxed);
    NS_PER_TICK.store(((1_000_000_000u128 << 32) / u128::from(found.tsc_hz)) as u64, Ordering::Release);
    found.source
}

/// Ticks of the time stamp counter per second.
pub fn tsc_hz() -> u64 {
    TSC_HZ.load(Ordering::Relaxed)
}

/// Frequency of the APIC timer in Hz, if the hypervisor tells.
pub(crate) fn hypervisor_apic_hz() -> Option<u64> {
    Some(APIC_HZ.load(Ordering::Relaxed)).filter(|&hz| hz != 0)
}

/// Nanoseconds since boot; 0 before [`init`].
#[inline]
pub fn now_ns() -> u64 {
    let ticks = tsc_ordered().saturating_sub(START.load(Ordering::Relaxed));
    let ns = ((u128::from(ticks) * u128::from(NS_PER_TICK.load(Ordering::Relaxed))) >> 32) as u64;
    if UNSTABLE.load(Ordering::Relaxed) { not_before_the_latest(ns) } else { ns }
}

/// Keeps time from running backwards.
#[cold]
fn not_before_the_latest(ns: u64) -> u64 {
    LATEST.fetch_max(ns, Ordering::Relaxed).max(ns)
}

/// The counter value at `ns` since boot, saturating.
pub fn tsc_at(ns: u64) -> u64 {
    let ticks = u128::from(ns) * u128::from(tsc_hz()) / 1_000_000_000;
    START.load(Ordering::Relaxed).saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX))
}

/// Nanoseconds since 1970-01-01 UTC (CLOCK_REALTIME).
#[inline]
pub fn realtime_ns() -> u64 {
    WALL.read(now_ns())
}

/// Sets CLOCK_REALTIME: it is `ns` since 1970 now. For the date at boot and clock_settime(2).
pub fn set_realtime_ns(ns: u64) {
    WALL.set(now_ns(), ns);
}

/// Moves CLOCK_REALTIME slowly by `amount` ns, and not by what is left of an earlier move.
pub fn slew_realtime(amount: i64) {
    WALL.slew(now_ns(), amount);
}

/// By how many nanoseconds CLOCK_REALTIME is still to move.
pub fn left_to_slew() -> i64 {
    WALL.left(now_ns())
}

/// Declares the CPUs' counters to be out of step.
pub(crate) fn distrust_tsc() {
    UNSTABLE.store(true, Ordering::Relaxed);
}

/// Whether the CPUs' counters agree, as far as was seen when they started.
pub fn tsc_synchronous() -> bool {
    !UNSTABLE.load(Ordering::Relaxed)
}
