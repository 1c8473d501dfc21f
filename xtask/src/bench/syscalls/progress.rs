//! Tells whoever waits how far it is.

use std::time::{Duration, Instant};

/// Steps done, of how many, since when.
pub struct Progress {
    all: usize,
    done: usize,
    started: Instant,
}

impl Progress {
    pub fn new(all: usize) -> Self {
        Self { all, done: 0, started: Instant::now() }
    }

    /// Says that a step is done.
    pub fn done(&mut self, what: &str) {
        self.done += 1;
        let left = left(self.started.elapsed(), self.done, self.all);
        eprintln!("[{:>3} of {}, {}] {what}", self.done, self.all, spoken(left));
    }
}

/// What the rest takes if it goes on as before.
fn left(elapsed: Duration, done: usize, all: usize) -> Duration {
    elapsed.mul_f64(all.saturating_sub(done) as f64 / done.max(1) as f64)
}

fn spoken(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..=90 => format!("{seconds} s left"),
        seconds => format!("{} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_thought_to_go_like_what_is_done() {
        assert_eq!(left(Duration::from_secs(10), 2, 8), Duration::from_secs(30));
        assert_eq!(spoken(Duration::from_secs(30)), "30 s left");
        assert_eq!(spoken(Duration::from_secs(100)), "2 min left");
    }
}
