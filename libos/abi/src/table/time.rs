//! Clocks and sleeping.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __time_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__net_rows! {
            [$($view)*] $($rows)*
            35 nanosleep time::nanosleep(req: In<Timespec>, rem: Out<Timespec>) full;
            96 gettimeofday time::gettimeofday(tv: Out<Timeval>, tz: Out<Timezone>) full;
            100 times time::times(buf: Out<Tms>) partial "all processor time is user time, and of living threads";
            159 adjtimex time::adjtimex(buf: UserPtr) absent "ntp= keeps the clock";
            164 settimeofday time::settimeofday(tv: In<Timeval>, tz: In<Timezone>)
                partial "the time zone is passed over; as for clock_settime";
            201 time time::time(tloc: Out<i64>) full;
            222 timer_create time::timer_create(clockid: ClockId, sevp: UserPtr, timerid: Out<i32>)
                absent "ERTS keeps time by timerfd";
            227 clock_settime time::clock_settime(clockid: ClockId, tp: In<Timespec>)
                partial "who waits for a time of the day already waits for the moment that it was to be";
            228 clock_gettime time::clock_gettime(clockid: ClockId, tp: Out<Timespec>)
                partial "the clock of the process counts living threads only, and there are no clocks of other threads";
            229 clock_getres time::clock_getres(clockid: ClockId, res: Out<Timespec>)
                partial "no clocks of other threads";
            230 clock_nanosleep time::clock_nanosleep(clockid: ClockId, flags: TimerFlags, req: In<Timespec>,
                rem: Out<Timespec>)
                partial "no sleeping by processor time: EOPNOTSUPP";
            305 clock_adjtime time::clock_adjtime(clockid: ClockId, buf: UserPtr) absent "ntp= keeps the clock";
        }
    };
}
