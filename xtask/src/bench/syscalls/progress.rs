//! How far it is, and how long the rest takes.

use std::collections::BTreeMap;

use super::{
    plan::{Step, What},
    systems::{LINUX, NATIVE},
};

/// Seconds that were spent on steps of a kind, and how many there were.
#[derive(Clone, Copy, Default)]
struct Spent {
    seconds: f64,
    steps: u32,
}

/// Steps done and left. Steps of one kind on one system take the same time.
pub struct Progress {
    all: usize,
    left: Vec<Step>,
    spent: BTreeMap<(String, What), Spent>,
}

/// What a step takes on a host of today, in seconds: as long as there is none to go by.
fn usual(step: &Step) -> f64 {
    match (step.what, step.system.as_str()) {
        (What::Count, LINUX) => 25.0,
        (What::Path, LINUX) => 15.0,
        (What::Requests, LINUX) => 40.0,
        (What::Requests, _) => 20.0,
        (What::Calls | What::Boot, _) => 8.0,
        (What::Erlang, LINUX) => 14.0,
        (What::Erlang, _) => 9.0,
        (_, LINUX) => 8.0,
        (_, NATIVE) => 1.0,
        _ => 2.0,
    }
}

impl Progress {
    /// All of `steps` are to be done.
    pub fn new<'a>(steps: impl Iterator<Item = &'a Step>) -> Self {
        let left: Vec<_> = steps.cloned().collect();
        Self { all: left.len(), left, spent: BTreeMap::new() }
    }

    /// A step is done and took so long.
    pub fn done(&mut self, step: &Step, seconds: f64) {
        self.left.retain(|other| other != step);
        let spent = self.spent.entry((step.system.clone(), step.what)).or_default();
        *spent = Spent { seconds: spent.seconds + seconds, steps: spent.steps + 1 };
    }

    /// Where we are, in words.
    pub fn words(&self) -> String {
        format!("[{:>3} of {}, {}]", self.all - self.left.len(), self.all, spoken(self.seconds_left()))
    }

    fn seconds_left(&self) -> f64 {
        let pace = self.pace();
        let expected = |step: &Step| match self.spent.get(&(step.system.clone(), step.what)) {
            Some(spent) => spent.seconds / f64::from(spent.steps),
            None => usual(step) * pace,
        };
        self.left.iter().map(expected).sum()
    }

    /// How this host compares with the usual.
    fn pace(&self) -> f64 {
        let usual = |(system, what): &(String, What)| usual(&Step { system: system.clone(), what: *what, round: 1 });
        let expected: f64 = self.spent.iter().map(|(key, spent)| usual(key) * f64::from(spent.steps)).sum();
        let spent: f64 = self.spent.values().map(|spent| spent.seconds).sum();
        if expected > 0.0 { spent / expected } else { 1.0 }
    }
}

fn spoken(seconds: f64) -> String {
    match seconds.ceil() as u64 {
        seconds @ 0..=90 => format!("{seconds} s left"),
        seconds => format!("{} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(system: &str, what: What, round: u32) -> Step {
        Step { system: system.into(), what, round }
    }

    #[test]
    fn a_step_takes_as_long_as_those_of_its_kind() {
        let steps = [step("a", What::Micro, 1), step("a", What::Micro, 2), step("a", What::Micro, 3)];
        let mut progress = Progress::new(steps.iter());
        progress.done(&steps[0], 10.0);
        progress.done(&steps[1], 20.0);
        assert!((progress.seconds_left() - 15.0).abs() < 1e-9);
        assert_eq!(progress.words(), "[  2 of 3, 15 s left]");
    }

    #[test]
    fn what_was_not_yet_done_is_as_much_slower_as_the_rest() {
        let steps = [step("a", What::Micro, 1), step(LINUX, What::Count, 1)];
        let mut progress = Progress::new(steps.iter());
        progress.done(&steps[0], 3.0 * usual(&steps[0]));
        assert!((progress.seconds_left() - 3.0 * usual(&steps[1])).abs() < 1e-9);
        assert_eq!(spoken(100.0), "2 min left");
    }
}
