//! From a call number to its handler: the table that musl calls through.
//!
//! This is a view of the system call table in `trapless-abi`: a row becomes a C function that decodes the registers into typed
//! arguments, calls the handler and turns the result into what a Linux system call returns.

use crate::{counters, signals, syscall, trace};
use core::sync::atomic::{AtomicPtr, Ordering};
use trapless_abi::table::types::*;
use trapless_abi::table::{
    NR_MAX, SYS_clock_nanosleep, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_epoll_wait, SYS_nanosleep, SYS_pause, SYS_poll,
    SYS_ppoll, SYS_pselect6, SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_select,
};
use trapless_abi::{Errno, SysResult, to_raw};

/// A row's entry, with the C calling convention.
pub type Entry = extern "C" fn(usize, usize, usize, usize, usize, usize) -> isize;

/// The six registers of a call.
pub type Registers = [usize; 6];

/// A call that has no handler: loud.
fn absent<const NR: usize>() -> isize {
    trace::absent(NR);
    Errno::ENOSYS.to_raw()
}

/// Calls that a handler ends for good, whether it has SA_RESTART or not (signal(7), "Interruption of system calls").
const NEVER_RESTARTED: &[usize] = &[
    SYS_poll,
    SYS_select,
    SYS_pause,
    SYS_nanosleep,
    SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend,
    SYS_clock_nanosleep,
    SYS_epoll_wait,
    SYS_pselect6,
    SYS_ppoll,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
];

/// Whether a handler with SA_RESTART lets the call go on.
const fn is_restarted(number: usize) -> bool {
    let mut i = 0;
    while i < NEVER_RESTARTED.len() {
        if NEVER_RESTARTED[i] == number {
            return false;
        }
        i += 1;
    }
    true
}

/// Runs the handlers of the signals that have interrupted a call; whether it starts again.
#[cold]
fn starts_again<const NR: usize>() -> bool {
    signals::deliver().restart && const { is_restarted(NR) }
}

macro_rules! entry {
    ($number:literal, absent, $($handler:ident)::+ ( $($arg:ident: $type:ty),* )) => {{
        extern "C" fn entry(_: usize, _: usize, _: usize, _: usize, _: usize, _: usize) -> isize {
            absent::<$number>()
        }
        entry
    }};
    ($number:literal, $level:ident, $($handler:ident)::+ ( $($arg:ident: $type:ty),* )) => {{
        extern "C" fn entry(a1: usize, a2: usize, a3: usize, a4: usize, a5: usize, a6: usize) -> isize {
            // One call of the handler in a loop, so that it becomes a part of the row where that pays.
            let [$(mut $arg,)* ..] = [a1, a2, a3, a4, a5, a6];
            loop {
                let call = || -> SysResult { $($handler)::+($(<$type as Arg>::decode($arg)?),*) };
                match call() {
                    // As if they had changed: else the first round does, and keeps, what a second round could use.
                    Err(Errno::EINTR) if starts_again::<$number>() => { $($arg = core::hint::black_box($arg);)* }
                    result => return to_raw(result),
                }
            }
        }
        entry
    }};
}

extern "C" fn unknown(_: usize, _: usize, _: usize, _: usize, _: usize, _: usize) -> isize {
    Errno::ENOSYS.to_raw()
}

macro_rules! dispatch {
    ($(
        $number:literal $name:ident $area:ident::$handler:ident ( $($arg:ident: $type:ty),* )
        $level:ident $($reason:literal)?;
    )*) => {
        /// The handlers' entries by number.
        static PLAIN: [Entry; NR_MAX] = {
            let mut table: [Entry; NR_MAX] = [unknown; NR_MAX];
            $(table[$number] = entry!($number, $level, syscall::$area::$handler($($arg: $type),*));)*
            table
        };

        /// The same with counting and tracing around them.
        static OBSERVED: [Entry; NR_MAX] = {
            let mut table: [Entry; NR_MAX] = [unknown; NR_MAX];
            $(table[$number] = observed::<$number>;)*
            table
        };

        /// The table musl calls through (`musl-shim/entry/direct/libos.h`). It starts plain, so that a call costs nothing for what is
        /// switched off.
        #[unsafe(no_mangle)]
        pub static __libos_systab: [AtomicPtr<()>; NR_MAX] = {
            let mut table = [const { AtomicPtr::new(unknown as *mut ()) }; NR_MAX];
            let mut i = 0;
            while i < NR_MAX {
                table[i] = AtomicPtr::new(PLAIN[i] as *mut ());
                i += 1;
            }
            table
        };
    };
}

trapless_abi::syscall_table!(dispatch);

extern "C" fn observed<const NR: usize>(a1: usize, a2: usize, a3: usize, a4: usize, a5: usize, a6: usize) -> isize {
    trace::around(NR, [a1, a2, a3, a4, a5, a6], || PLAIN[NR](a1, a2, a3, a4, a5, a6))
}

/// Puts counting and tracing around every call from now on if either is wanted, or takes them off.
pub fn observe() {
    let table = if counters::on() || trace::on() { &OBSERVED } else { &PLAIN };
    for (slot, entry) in __libos_systab.iter().zip(table) {
        slot.store(*entry as *mut (), Ordering::Relaxed);
    }
}

/// Makes a call that musl does not make through the table, under the eyes that watch the table.
pub fn by_name(number: usize, registers: Registers, call: impl FnOnce() -> isize) -> isize {
    if counters::on() || trace::on() { trace::around(number, registers, call) } else { call() }
}

/// Calls by a number that is not constant in the C source: syscall(2), and cancellation points.
#[unsafe(no_mangle)]
pub extern "C" fn __libos_syscall(
    a1: usize,
    a2: usize,
    a3: usize,
    a4: usize,
    a5: usize,
    a6: usize,
    number: usize,
) -> isize {
    let table = if counters::on() || trace::on() { &OBSERVED } else { &PLAIN };
    match table.get(number) {
        Some(entry) => entry(a1, a2, a3, a4, a5, a6),
        None => Errno::ENOSYS.to_raw(),
    }
}
