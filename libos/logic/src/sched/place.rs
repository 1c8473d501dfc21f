//! Which CPU's queue a thread goes to.

/// What the decision depends on. CPU sets are bit masks.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// Where the thread ran last: its data may still be in that CPU's caches.
    pub last: usize,
    /// The waker's CPU.
    pub here: usize,
    /// The waker is a CPU without a thread (it handles an interrupt) whose queue is empty: it would go idle next.
    pub here_free: bool,
    /// The waker is a thread that sleeps soon, and nobody else waits for its CPU.
    pub here_soon: bool,
    /// CPUs the thread may use. Not empty.
    pub allowed: u64,
    /// CPUs that halt for want of work.
    pub idle: u64,
}

/// CPUs in a set, in order.
fn members(set: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |cpu| set >> cpu & 1 != 0)
}

/// The CPU whose queue a thread that wakes up joins; `load` tells how many threads wait for a CPU.
///
/// An interrupt to another CPU costs more than most work it announces, so a waker with nothing else to do takes the thread itself, and
/// so does one that is nearly there. Then: the last CPU if it is idle, any other idle CPU, and if all are busy the one with the shortest
/// queue, the last one by preference.
pub fn place(s: &Situation, load: impl Fn(usize) -> usize) -> usize {
    if (s.here_free || s.here_soon) && s.allowed >> s.here & 1 != 0 {
        return s.here;
    }
    let idle = s.idle & s.allowed;
    if idle >> s.last & 1 != 0 {
        return s.last;
    }
    if idle != 0 {
        return idle.trailing_zeros() as usize;
    }
    members(s.allowed).min_by_key(|&cpu| (load(cpu), cpu != s.last, cpu != s.here)).unwrap_or(s.here)
}

/// Where a thread that others wait for on CPU `here` should go instead of back into that queue: a CPU in `allowed` that is idle, or one with
/// a queue that is shorter by two or more (moving it for one would only swap the two CPUs' places).
pub fn elsewhere(here: usize, allowed: u64, idle: u64, load: impl Fn(usize) -> usize) -> Option<usize> {
    let mine = load(here);
    let idle = idle & allowed & !(1 << here);
    if mine > 0 && idle != 0 {
        return Some(idle.trailing_zeros() as usize);
    }
    let best = members(allowed & !(1 << here)).min_by_key(|&cpu| load(cpu))?;
    (load(best) + 2 <= mine).then_some(best)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const BASE: Situation =
        Situation { last: 2, here: 0, here_free: false, here_soon: false, allowed: 0b1111, idle: 0 };

    #[test]
    fn a_free_waker_takes_the_thread() {
        assert_eq!(place(&Situation { here_free: true, idle: 0b100, ..BASE }, |_| 0), 0);
        assert_eq!(place(&Situation { here_free: true, idle: 0b100, allowed: 0b1110, ..BASE }, |_| 0), 2);
    }

    #[test]
    fn a_waker_that_sleeps_soon_takes_the_thread() {
        assert_eq!(place(&Situation { here_soon: true, idle: 0b100, ..BASE }, |_| 0), 0);
        assert_eq!(place(&Situation { here_soon: true, idle: 0b100, allowed: 0b1110, ..BASE }, |_| 0), 2);
    }

    #[test]
    fn the_last_cpu_before_other_idle_ones() {
        assert_eq!(place(&Situation { idle: 0b1110, ..BASE }, |_| 0), 2);
        assert_eq!(place(&Situation { idle: 0b1010, ..BASE }, |_| 0), 1);
    }

    #[test]
    fn the_shortest_queue_if_all_are_busy() {
        assert_eq!(place(&BASE, |_| 3), 2);
        assert_eq!(place(&BASE, |cpu| [3, 1, 2, 3][cpu]), 1);
        assert_eq!(place(&BASE, |cpu| [1, 2, 2, 1][cpu]), 0);
    }

    #[test]
    fn never_a_forbidden_cpu_and_a_busy_one_only_for_want_of_an_idle_one() {
        for idle in 0..16u64 {
            for allowed in 1..16u64 {
                for (last, here, here_free) in [(2, 0, false), (2, 0, true), (0, 3, false), (1, 1, true)] {
                    for here_soon in [false, !here_free] {
                        let situation = Situation { last, here, here_free, here_soon, allowed, idle };
                        let cpu = place(&situation, |cpu| cpu);
                        assert!(allowed >> cpu & 1 != 0, "{situation:?} -> {cpu}");
                        let stays = (here_free || here_soon) && cpu == here;
                        assert!(idle & allowed == 0 || idle >> cpu & 1 != 0 || stays, "{situation:?} -> {cpu}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_thread_moves_only_for_an_advantage() {
        assert_eq!(elsewhere(0, 0b11, 0, |cpu| [2, 0][cpu]), Some(1));
        assert_eq!(elsewhere(0, 0b11, 0, |cpu| [1, 0][cpu]), None);
        assert_eq!(elsewhere(0, 0b01, 0, |cpu| [9, 0][cpu]), None);
        assert_eq!(elsewhere(0, 0b11, 0b10, |cpu| [1, 0][cpu]), Some(1), "an idle CPU");
        assert_eq!(elsewhere(0, 0b01, 0b10, |cpu| [1, 0][cpu]), None, "an idle CPU that it may not use");
        assert_eq!(elsewhere(0, 0b11, 0b10, |_| 0), None, "nobody waits");
    }
}
