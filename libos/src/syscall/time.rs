//! Clocks and sleeping.

use crate::task;
use crate::user::{Get, Put};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use trapless_abi::table::types::ClockId::*;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::platform::Platform;
use trapless_logic::time::{Instant, duration_from_timespec};
use trapless_logic::wait::Waiter;
use trapless_platform::thread::{self, Status, Thread};
use trapless_platform::x86::X86;
use trapless_platform::{clock, percpu};

/// Nanoseconds in a tick of times(2), of which there are 100 a second (sysconf(3), `_SC_CLK_TCK`).
const NS_PER_TICK: u64 = NSEC_PER_SEC / 100;

/// clock_gettime(2). ERTS calls this more often than anything else.
#[inline]
pub fn clock_gettime(clockid: ClockId, tp: Out<Timespec>) -> SysResult {
    tp.put(&Timespec::from_nanos(read(clockid)))?;
    Ok(0)
}

/// What a clock shows, in nanoseconds.
#[inline]
fn read(clock: ClockId) -> u64 {
    match clock {
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => {
            X86::now().as_nanos()
        }
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_REALTIME_ALARM | CLOCK_TAI => X86::realtime_ns(),
        CLOCK_THREAD_CPUTIME_ID => thread_cpu_ns(),
        CLOCK_PROCESS_CPUTIME_ID => process_cpu_ns(),
    }
}

/// Processor time of the calling thread, ns.
#[inline(never)] // The clocks that are read all the time need no stack.
pub fn thread_cpu_ns() -> u64 {
    X86::preempt_disable();
    let since = percpu::this().switched_at.load(Ordering::Relaxed);
    let ns = thread::with_current(Thread::cpu_ns) + X86::now().as_nanos().saturating_sub(since);
    X86::preempt_enable();
    ns
}

/// Processor time of all C threads that have not ended, ns; it never goes back.
#[inline(never)]
pub fn process_cpu_ns() -> u64 {
    static LATEST: AtomicU64 = AtomicU64::new(0);
    let now = X86::now().as_nanos();
    let running = |t: &Thread| match percpu::get(t.last_cpu()) {
        Some(cpu) if t.status() == Status::Running => now.saturating_sub(cpu.switched_at.load(Ordering::Relaxed)),
        _ => 0,
    };
    let threads = thread::all();
    let sum = threads.iter().filter(|t| task::of(t).is_some()).map(|t| t.cpu_ns() + running(t)).sum();
    LATEST.fetch_max(sum, Ordering::Relaxed).max(sum)
}

/// clock_getres(2): all clocks come from the cycle counter.
pub fn clock_getres(_clockid: ClockId, res: Out<Timespec>) -> SysResult {
    res.put_opt(&Timespec::from_nanos(1))?;
    Ok(0)
}

/// gettimeofday(2).
pub fn gettimeofday(tv: Out<Timeval>, tz: Out<Timezone>) -> SysResult {
    tv.put_opt(&Timeval::from_nanos(X86::realtime_ns()))?;
    tz.put_opt(&Timezone::default())?;
    Ok(0)
}

/// time(2).
pub fn time(tloc: Out<i64>) -> SysResult {
    let seconds = X86::realtime_ns() / NSEC_PER_SEC;
    tloc.put_opt(&(seconds as i64))?;
    Ok(seconds as usize)
}

/// settimeofday(2). The time zone is left alone, as by everybody.
pub fn settimeofday(tv: In<Timeval>, _tz: In<Timezone>) -> SysResult {
    if let Some(time) = tv.get_opt()? {
        clock::set_realtime_ns(time.to_nanos().ok_or(Errno::EINVAL)?);
    }
    Ok(0)
}

/// clock_settime(2): only the time of the day can be set.
pub fn clock_settime(clockid: ClockId, tp: In<Timespec>) -> SysResult {
    let time = tp.get()?.to_nanos().ok_or(Errno::EINVAL)?;
    if clockid != CLOCK_REALTIME {
        return Err(Errno::EINVAL);
    }
    clock::set_realtime_ns(time);
    Ok(0)
}

/// times(2): the result is the time since boot in ticks.
pub fn times(buf: Out<Tms>) -> SysResult {
    let tms_utime = (process_cpu_ns() / NS_PER_TICK) as i64;
    buf.put_opt(&Tms { tms_utime, ..Tms::default() })?;
    Ok((X86::now().as_nanos() / NS_PER_TICK) as usize)
}

/// nanosleep(2).
pub fn nanosleep(req: In<Timespec>, rem: Out<Timespec>) -> SysResult {
    clock_nanosleep(CLOCK_MONOTONIC, TimerFlags::empty(), req, rem)
}

/// clock_nanosleep(2).
pub fn clock_nanosleep(clockid: ClockId, flags: TimerFlags, req: In<Timespec>, rem: Out<Timespec>) -> SysResult {
    let relative = !flags.contains(TimerFlags::TIMER_ABSTIME);
    let time = req.get()?;
    let time = duration_from_timespec(time.tv_sec, time.tv_nsec)?;
    let deadline = match clockid {
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_REALTIME | CLOCK_TAI if relative => X86::now() + time,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME => Instant::ZERO + time,
        CLOCK_REALTIME | CLOCK_TAI => of_wall_clock(time),
        CLOCK_THREAD_CPUTIME_ID => return Err(Errno::EINVAL),
        _ => return Err(Errno::EOPNOTSUPP),
    };
    let slept = sleep_until(deadline);
    if slept == Err(Errno::EINTR) && relative {
        rem.put_opt(&Timespec::from_nanos((deadline - X86::now()).as_nanos() as u64))?;
    }
    slept
}

/// The instant when CLOCK_REALTIME shows `time`, if nobody sets it before.
fn of_wall_clock(time: Duration) -> Instant {
    let at_boot = X86::realtime_ns().saturating_sub(X86::now().as_nanos());
    Instant::ZERO + time.saturating_sub(Duration::from_nanos(at_boot))
}

/// Blocks the calling thread. EINTR if a signal is to be taken first.
fn sleep_until(deadline: Instant) -> SysResult {
    match Waiter::<X86>::current().wait(Some(deadline)) {
        Ok(()) | Err(Errno::ETIMEDOUT) => Ok(0),
        Err(e) => Err(e),
    }
}
