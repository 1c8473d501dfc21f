//! Signals.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __signal_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__time_rows! {
            [$($view)*] $($rows)*
            13 rt_sigaction signal::rt_sigaction(signum: Signal, act: In<Sigaction>, oldact: Out<Sigaction>,
                sigsetsize: SigsetSize)
                full;
            14 rt_sigprocmask signal::rt_sigprocmask(how: Option<SigProcmaskHow>, set: In<Sigset>,
                oldset: Out<Sigset>, sigsetsize: SigsetSize)
                full;
            15 rt_sigreturn signal::rt_sigreturn()
                partial "goes on in the system call that the handler interrupted; changes to its registers are ignored";
            34 pause signal::pause() full;
            36 getitimer signal::getitimer(which: Itimer, curr_value: Out<Itimerval>) partial "ITIMER_REAL only";
            37 alarm signal::alarm(seconds: U32) full;
            38 setitimer signal::setitimer(which: Itimer, new_value: In<Itimerval>, old_value: Out<Itimerval>)
                partial "ITIMER_REAL only";
            62 kill signal::kill(pid: Pid, sig: Option<Signal>) full;
            127 rt_sigpending signal::rt_sigpending(set: Out<Sigset>, sigsetsize: SigsetSize) full;
            128 rt_sigtimedwait signal::rt_sigtimedwait(set: In<Sigset>, info: Out<Siginfo>, timeout: In<Timespec>,
                sigsetsize: SigsetSize)
                full;
            129 rt_sigqueueinfo signal::rt_sigqueueinfo(pid: Pid, sig: Option<Signal>, info: In<Siginfo>) full;
            130 rt_sigsuspend signal::rt_sigsuspend(mask: In<Sigset>, sigsetsize: SigsetSize) full;
            131 sigaltstack signal::sigaltstack(ss: In<StackT>, old_ss: Out<StackT>)
                partial "no SS_AUTODISARM";
            200 tkill signal::tkill(tid: Tid, sig: Option<Signal>) full;
            234 tgkill signal::tgkill(tgid: Pid, tid: Tid, sig: Option<Signal>) full;
            297 rt_tgsigqueueinfo signal::rt_tgsigqueueinfo(tgid: Pid, tid: Tid, sig: Option<Signal>,
                info: In<Siginfo>)
                full;
        }
    };
}
