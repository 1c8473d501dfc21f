//! Which CPU's queue a thread that wakes up goes to.

/// What the decision depends on. CPU sets are bit masks.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// Where the thread ran last: its data may still be in that CPU's caches.
    pub last: usize,
    /// The waker's CPU.
    pub here: usize,
    /// The waker is a CPU without a thread (it handles an interrupt) whose queue is empty: it would go idle next.
    pub here_free: bool,
    /// CPUs the thread may use. Not empty.
    pub allowed: u64,
    /// CPUs that halt for want of work.
    pub idle: u64,
}

/// The CPU whose queue the thread joins.
///
/// An interrupt to another CPU costs more than most work it announces, so a waker with nothing else to do takes the thread itself.
/// Then: the last CPU if it is idle, any other idle CPU, and if all are busy the last one.
pub fn place(s: &Situation) -> usize {
    let allowed = |cpu: usize| s.allowed >> cpu & 1 != 0;
    if s.here_free && allowed(s.here) {
        return s.here;
    }
    let idle = s.idle & s.allowed;
    if idle >> s.last & 1 != 0 {
        return s.last;
    }
    if idle != 0 {
        return idle.trailing_zeros() as usize;
    }
    if allowed(s.last) {
        return s.last;
    }
    if allowed(s.here) { s.here } else { s.allowed.trailing_zeros() as usize }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const BASE: Situation = Situation { last: 2, here: 0, here_free: false, allowed: u64::MAX, idle: 0 };

    #[test]
    fn a_free_waker_takes_the_thread() {
        assert_eq!(place(&Situation { here_free: true, idle: 0b100, ..BASE }), 0);
        assert_eq!(place(&Situation { here_free: true, idle: 0b100, allowed: !1, ..BASE }), 2);
    }

    #[test]
    fn the_last_cpu_before_other_idle_ones() {
        assert_eq!(place(&Situation { idle: 0b1110, ..BASE }), 2);
        assert_eq!(place(&Situation { idle: 0b1010, ..BASE }), 1);
    }

    #[test]
    fn never_a_forbidden_cpu() {
        for idle in 0..16u64 {
            for allowed in 1..16u64 {
                for (last, here, here_free) in [(2, 0, false), (2, 0, true), (0, 3, false), (1, 1, true)] {
                    let cpu = place(&Situation { last, here, here_free, allowed, idle });
                    assert!(allowed >> cpu & 1 != 0, "{idle:b} {allowed:b} {last} {here} -> {cpu}");
                }
            }
        }
    }

    #[test]
    fn a_busy_cpu_only_if_no_allowed_one_is_idle() {
        for idle in 1..16u64 {
            let cpu = place(&Situation { idle, ..BASE });
            assert!(idle >> cpu & 1 != 0);
        }
    }
}
