//! How the threads of one CPU share its time.

/// Nanoseconds a thread may run while others wait for its CPU: 100 Hz.
pub const SLICE_NS: u64 = 10_000_000;
/// Nanoseconds a thread may run before another that woke up takes its place.
pub const GRAIN_NS: u64 = 1_000_000;
/// What a thread that slept is owed at most, ns.
pub const CREDIT_NS: i64 = 5_000_000;
/// What a thread that comes from another CPU can owe at most, ns.
pub const MOST_LAG_NS: i64 = 100_000_000;

/// When the running thread is to make place, ns: `now` is the time, `since` when it was switched to, `mine` its virtual run time at
/// `now`, `first` that of the thread that is next.
///
/// It runs until it has had a slice more than the next one, but not longer than a slice. One that is owed more than a grain (it woke
/// up, as a rule) gets its turn once the grain is over.
pub fn slice_end(now: u64, since: u64, mine: i64, first: i64) -> u64 {
    let ahead = mine.saturating_sub(first);
    if ahead > GRAIN_NS as i64 {
        return now.max(since + GRAIN_NS);
    }
    let left = (SLICE_NS as i64).saturating_sub(ahead);
    now + (left.max(GRAIN_NS as i64) as u64).min(SLICE_NS)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const NOW: u64 = 1_000_000_000;

    #[test]
    fn equals_alternate_by_slices() {
        assert_eq!(slice_end(NOW, NOW, 50 * MS, 50 * MS), NOW + SLICE_NS);
        assert_eq!(slice_end(NOW, NOW, 50 * MS, 60 * MS), NOW + SLICE_NS);
    }

    #[test]
    fn one_who_is_owed_something_waits_a_grain_at_most() {
        assert_eq!(slice_end(NOW, NOW, 50 * MS, 45 * MS), NOW + GRAIN_NS);
        assert_eq!(slice_end(NOW, NOW - 5_000_000, 50 * MS, 45 * MS), NOW);
    }

    #[test]
    fn never_absurd() {
        assert_eq!(slice_end(NOW, 0, i64::MAX, i64::MIN), NOW);
        assert_eq!(slice_end(NOW, NOW, i64::MIN, i64::MAX), NOW + SLICE_NS);
    }

    /// A processor hog, and two threads that only wake each other: the hog gets its part.
    #[test]
    fn a_pair_that_wakes_each_other_starves_nobody() {
        use crate::fake::Fake;
        use crate::sched::RunQueue;
        let q = RunQueue::<Fake, usize>::new();
        let mut used = [0i64; 3];
        let mut asleep = Some((2, 0));
        q.push(0, 0);
        q.push(1, 0);
        let (mut now, mut fresh) = (0, 0);
        while now < 10_000 * MS {
            let (thread, v) = q.pop().unwrap();
            // The pair runs 100 us and wakes the other; the hog runs until somebody is due.
            let run = if thread == 0 { slice_end(0, 0, v, q.first().unwrap_or(v)) as i64 } else { MS / 10 };
            now += run;
            used[thread] += run;
            fresh = v + run;
            if thread == 0 {
                q.push(0, fresh);
            } else {
                let (other, since) = asleep.replace((thread, fresh)).unwrap();
                q.arrive(other, since - q.floor(), Some(fresh));
            }
        }
        let _ = fresh;
        assert!(used[0] > 2_000 * MS, "{used:?}");
        assert!(used[1] + used[2] > 2_000 * MS, "{used:?}");
    }
}
