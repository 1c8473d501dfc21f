//! Signals.

use super::{choices, consts, flags};
use crate::args::{Arg, Trace};
use crate::{Errno, SysResult};
use core::fmt;

/// A signal number, 1..=64, signal(7). An argument that may be 0 (kill(2)) is an `Option<Signal>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

macro_rules! signals {
    ($($name:ident = $value:literal, $doc:literal;)*) => {
        impl Signal {
            $(#[doc = $doc] pub const $name: Self = Self($value);)*

            /// The Linux spelling; `SIGRT` for all real-time signals.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($value => stringify!($name),)*
                    _ => "SIGRT",
                }
            }
        }
    };
}

signals! {
    SIGHUP = 1, "Hang-up; terminates.";
    SIGINT = 2, "Interrupt from the keyboard; terminates.";
    SIGQUIT = 3, "Quit from the keyboard; dumps core.";
    SIGILL = 4, "Illegal instruction; dumps core.";
    SIGTRAP = 5, "Breakpoint; dumps core.";
    SIGABRT = 6, "abort(3); dumps core.";
    SIGBUS = 7, "Bad memory access; dumps core.";
    SIGFPE = 8, "Arithmetic fault; dumps core.";
    SIGKILL = 9, "Terminates; cannot be caught.";
    SIGUSR1 = 10, "For the program; terminates.";
    SIGSEGV = 11, "Invalid memory reference; dumps core.";
    SIGUSR2 = 12, "For the program; terminates.";
    SIGPIPE = 13, "Write to a pipe nobody reads; terminates.";
    SIGALRM = 14, "alarm(2); terminates.";
    SIGTERM = 15, "Terminates.";
    SIGSTKFLT = 16, "Unused; terminates.";
    SIGCHLD = 17, "A child stopped or ended; ignored.";
    SIGCONT = 18, "Continue.";
    SIGSTOP = 19, "Stops; cannot be caught.";
    SIGTSTP = 20, "Stop from the keyboard; stops.";
    SIGTTIN = 21, "Terminal input in the background; stops.";
    SIGTTOU = 22, "Terminal output in the background; stops.";
    SIGURG = 23, "Urgent data on a socket; ignored.";
    SIGXCPU = 24, "Processor time used up; dumps core.";
    SIGXFSZ = 25, "File too large; dumps core.";
    SIGVTALRM = 26, "Virtual timer; terminates.";
    SIGPROF = 27, "Profiling timer; terminates.";
    SIGWINCH = 28, "Window changed; ignored.";
    SIGIO = 29, "I/O possible; terminates.";
    SIGPWR = 30, "Power failing; terminates.";
    SIGSYS = 31, "Bad system call; dumps core.";
}

impl Signal {
    /// The highest number.
    pub const MAX: u8 = 64;
    /// The first real-time signal of the kernel; the C library keeps 32 to 34 for itself.
    pub const SIGRTMIN: u8 = 32;

    /// The signal of this number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// The number, 1..=64.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Self::SIGRTMIN { f.write_str(self.name()) } else { write!(f, "SIGRT_{}", self.0 - Self::SIGRTMIN) }
    }
}

impl Arg for Signal {
    fn decode(raw: usize) -> SysResult<Self> {
        u8::try_from(raw as u32).ok().and_then(Self::new).ok_or(Errno::EINVAL)
    }
}

impl Trace for Signal {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::decode(raw) {
            Ok(signal) => fmt::Display::fmt(&signal, f),
            Err(_) => write!(f, "{}", raw as i32),
        }
    }
}

impl Arg for Option<Signal> {
    fn decode(raw: usize) -> SysResult<Self> {
        if raw as u32 == 0 { Ok(None) } else { Signal::decode(raw).map(Some) }
    }
}

impl Trace for Option<Signal> {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Signal::trace(raw, f)
    }
}

flags! {
    /// `sa_flags`, sigaction(2). Linux ignores bits it does not know.
    lenient SaFlags: u64 {
        SA_NOCLDSTOP = 1, "No SIGCHLD for stopped children.";
        SA_NOCLDWAIT = 2, "No zombies.";
        SA_SIGINFO = 4, "The handler takes three arguments.";
        SA_RESTORER = 0x0400_0000, "`sa_restorer` is set.";
        SA_ONSTACK = 0x0800_0000, "On the alternate stack.";
        SA_RESTART = 0x1000_0000, "Restart interrupted calls.";
        SA_NODEFER = 0x4000_0000, "Do not block the signal in its handler.";
        SA_RESETHAND = 0x8000_0000, "Back to the default first.";
    }
}

choices! {
    /// What rt_sigprocmask, sigprocmask(2), does.
    SigProcmaskHow: i32, else EINVAL {
        SIG_BLOCK = 0, "Add to the mask.";
        SIG_UNBLOCK = 1, "Remove from the mask.";
        SIG_SETMASK = 2, "Replace the mask.";
    }
}

/// rt_sigprocmask looks at `how` only if it is given a set: `None` is then EINVAL, and nothing otherwise.
impl Arg for Option<SigProcmaskHow> {
    fn decode(raw: usize) -> SysResult<Self> {
        Ok(SigProcmaskHow::decode(raw).ok())
    }
}

impl Trace for Option<SigProcmaskHow> {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SigProcmaskHow::trace(raw, f)
    }
}

consts! { usize {
    SIG_DFL = 0, "`sa_handler`: the default action.";
    SIG_IGN = 1, "`sa_handler`: ignore.";
    MINSIGSTKSZ = 2048, "Least size of an alternate stack in bytes, sigaltstack(2).";
} }

consts! { i32 {
    SS_ONSTACK = 1, "`ss_flags`: running on the alternate stack.";
    SS_DISABLE = 2, "`ss_flags`: no alternate stack.";
    SI_USER = 0, "`si_code`: kill(2).";
    SI_KERNEL = 0x80, "`si_code`: the kernel.";
    SI_QUEUE = -1, "`si_code`: sigqueue(3).";
    SI_TIMER = -2, "`si_code`: a timer.";
    SI_TKILL = -6, "`si_code`: tkill(2).";
    SEGV_MAPERR = 1, "`si_code` of SIGSEGV: nothing mapped.";
    SEGV_ACCERR = 2, "`si_code` of SIGSEGV: protected.";
    FPE_INTDIV = 1, "`si_code` of SIGFPE: division by zero.";
    ILL_ILLOPN = 2, "`si_code` of SIGILL: illegal operand.";
    TRAP_BRKPT = 1, "`si_code` of SIGTRAP: breakpoint.";
    BUS_ADRALN = 1, "`si_code` of SIGBUS: alignment.";
} }
