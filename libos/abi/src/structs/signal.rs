//! Signals.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The kernel's `sigset_t`, 64 bits: bit `n - 1` is signal `n`. The C library's type is longer; only this much is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Sigset(
    /// The bits.
    pub u64,
);

impl Sigset {
    /// The set of signals `signo`, 1..=64; other numbers are the empty set.
    pub const fn of(signo: u32) -> Self {
        if signo >= 1 && signo <= 64 { Self(1 << (signo - 1)) } else { Self(0) }
    }

    /// Whether `signo` is in the set.
    pub const fn contains(self, signo: u32) -> bool {
        self.0 & Self::of(signo).0 != 0
    }
}

/// `struct k_sigaction` as rt_sigaction(2) takes it (not the C library's `struct sigaction`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sigaction {
    /// `SIG_DFL`, `SIG_IGN` or the address of the handler.
    pub sa_handler: usize,
    /// `SaFlags`.
    pub sa_flags: u64,
    /// Address of the code that calls rt_sigreturn(2).
    pub sa_restorer: usize,
    /// Signals blocked while the handler runs.
    pub sa_mask: Sigset,
}

/// `stack_t`, sigaltstack(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StackT {
    /// Lowest address.
    pub ss_sp: usize,
    /// `SS_*`.
    pub ss_flags: i32,
    /// Padding.
    pub __pad0: i32,
    /// Size in bytes.
    pub ss_size: usize,
}

/// `siginfo_t`, sigaction(2), with the fields kill(2), SIGCHLD and sigqueue(3) use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Siginfo {
    /// Signal number.
    pub si_signo: i32,
    /// Error number, mostly 0.
    pub si_errno: i32,
    /// Cause, `SI_*`.
    pub si_code: i32,
    /// Padding.
    pub __pad0: i32,
    /// Sender. Of a fault, these 8 bytes are the address (`si_addr`).
    pub si_pid: i32,
    /// Its user.
    pub si_uid: u32,
    /// `union sigval`; of a child, its exit status in the low half.
    pub si_value: u64,
    /// The rest, by cause.
    pub _sifields: [u64; 12],
}

impl Siginfo {
    /// The information of a signal a process or thread sent: `si_code` is `SI_USER` (0) or `SI_TKILL` (-6).
    pub const fn sent(signo: i32, si_code: i32, pid: i32, uid: u32) -> Self {
        Self {
            si_signo: signo,
            si_errno: 0,
            si_code,
            __pad0: 0,
            si_pid: pid,
            si_uid: uid,
            si_value: 0,
            _sifields: [0; 12],
        }
    }

    /// The information of a fault at `addr`.
    pub const fn fault(signo: i32, si_code: i32, addr: usize) -> Self {
        Self::sent(signo, si_code, addr as u32 as i32, (addr >> 32) as u32)
    }

    /// The address of a fault, `si_addr`.
    pub const fn si_addr(&self) -> usize {
        (self.si_uid as usize) << 32 | self.si_pid as u32 as usize
    }
}

/// `mcontext_t` (`struct sigcontext_64`): the registers a signal handler may read and change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Mcontext {
    /// R8 to R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, EFLAGS, packed segments, ERR, TRAPNO, OLDMASK, CR2.
    pub gregs: [u64; 23],
    /// Address of the saved FPU state, or 0.
    pub fpregs: usize,
    /// Reserved.
    pub __reserved1: [u64; 8],
}

/// `struct ucontext` as the kernel lays it out on a signal frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ucontext {
    /// `UC_*` flags.
    pub uc_flags: u64,
    /// Always 0.
    pub uc_link: usize,
    /// The alternate stack at the time of the signal.
    pub uc_stack: StackT,
    /// Registers.
    pub uc_mcontext: Mcontext,
    /// The signal mask to restore.
    pub uc_sigmask: Sigset,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_fault_addresses() {
        assert_eq!(Sigset::of(64), Sigset(1 << 63));
        assert_eq!(Sigset::of(0), Sigset(0));
        assert_eq!(Sigset::of(65), Sigset(0));
        assert!(Sigset(0b10).contains(2) && !Sigset(0b10).contains(1));
        assert_eq!(Siginfo::fault(11, 1, 0xdead_beef_8000_0000).si_addr(), 0xdead_beef_8000_0000);
    }
}
