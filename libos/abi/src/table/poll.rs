//! Waiting for descriptors.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __poll_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__mem_rows! {
            [$($view)*] $($rows)*
            7 poll poll::poll(fds: InOut<Pollfd>, nfds: Len, timeout: Millis) full;
            23 select poll::select(nfds: I32, readfds: InOut<FdSet>, writefds: InOut<FdSet>, exceptfds: InOut<FdSet>,
                timeout: InOut<Timeval>)
                full;
            213 epoll_create poll::epoll_create(size: I32) full;
            232 epoll_wait poll::epoll_wait(epfd: Fd, events: Out<EpollEvent>, maxevents: I32, timeout: Millis) full;
            233 epoll_ctl poll::epoll_ctl(epfd: Fd, op: EpollOp, fd: Fd, event: In<EpollEvent>) full;
            270 pselect6 poll::pselect6(nfds: I32, readfds: InOut<FdSet>, writefds: InOut<FdSet>,
                exceptfds: InOut<FdSet>, timeout: InOut<Timespec>, sigmask: In<PselectSigmask>)
                full;
            271 ppoll poll::ppoll(fds: InOut<Pollfd>, nfds: Len, timeout: InOut<Timespec>, sigmask: In<Sigset>,
                sigsetsize: Len)
                full;
            281 epoll_pwait poll::epoll_pwait(epfd: Fd, events: Out<EpollEvent>, maxevents: I32, timeout: Millis,
                sigmask: In<Sigset>, sigsetsize: Len)
                full;
            291 epoll_create1 poll::epoll_create1(flags: EpollCreateFlags) full;
            441 epoll_pwait2 poll::epoll_pwait2(epfd: Fd, events: Out<EpollEvent>, maxevents: I32,
                timeout: In<Timespec>, sigmask: In<Sigset>, sigsetsize: Len)
                full;
        }
    };
}
