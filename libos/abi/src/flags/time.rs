//! Clocks and timers.

use super::{choices, flags};

choices! {
    /// A clock, clock_gettime(2).
    ClockId: i32, else EINVAL {
        CLOCK_REALTIME = 0, "Wall clock, since 1970.";
        CLOCK_MONOTONIC = 1, "Since boot, never set.";
        CLOCK_PROCESS_CPUTIME_ID = 2, "Processor time of the process.";
        CLOCK_THREAD_CPUTIME_ID = 3, "Processor time of the thread.";
        CLOCK_MONOTONIC_RAW = 4, "Since boot, not adjusted.";
        CLOCK_REALTIME_COARSE = 5, "Wall clock, of the last tick.";
        CLOCK_MONOTONIC_COARSE = 6, "Since boot, of the last tick.";
        CLOCK_BOOTTIME = 7, "Since boot, suspension included.";
        CLOCK_REALTIME_ALARM = 8, "Wall clock that wakes the machine.";
        CLOCK_BOOTTIME_ALARM = 9, "Since boot, wakes the machine.";
        CLOCK_TAI = 11, "Atomic time.";
    }
}

flags! {
    /// Flags of clock_nanosleep(2). Linux ignores bits it does not know.
    lenient TimerFlags: u32 {
        TIMER_ABSTIME = 1, "The time is one of the clock, not from now.";
    }
}

choices! {
    /// An interval timer, setitimer(2).
    Itimer: i32, else EINVAL {
        ITIMER_REAL = 0, "Wall clock, sends SIGALRM.";
        ITIMER_VIRTUAL = 1, "User time, sends SIGVTALRM.";
        ITIMER_PROF = 2, "Processor time, sends SIGPROF.";
    }
}
