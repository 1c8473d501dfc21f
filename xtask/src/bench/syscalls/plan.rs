//! What there is to do, step by step, and in which order.

use serde::{Deserialize, Serialize};

use super::{
    data::About,
    systems::{LINUX, NATIVE},
};
use crate::bench::{journal::OnSystem, order::Random};

/// How often instructions are counted; the counts must agree. A quick look believes a guest at once: its boot takes longest.
fn counting_boots(about: &About, system: &str) -> u32 {
    if about.quick && system == LINUX { 1 } else { 2 }
}

/// A kind of measurement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Instructions of the C program's operations.
    Count,
    /// The way of single calls.
    Path,
    /// What is executed until Erlang's first line.
    Boot,
    /// System calls of Erlang's operations.
    Calls,
    /// Instructions of an HTTP request, by part of the system.
    Requests,
    /// Times of the C program, on one CPU.
    Micro,
    /// Times of operations that depend on how many CPUs there are.
    Pair,
    /// Times of the Erlang program.
    Erlang,
}

impl What {
    /// What it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Count => "instructions",
            Self::Path => "the way of single calls",
            Self::Boot => "what a start executes",
            Self::Calls => "system calls of Erlang's operations",
            Self::Requests => "instructions of HTTP requests",
            Self::Micro => "times of the C program",
            Self::Pair => "times of the C program on several CPUs",
            Self::Erlang => "times of Erlang",
        }
    }
}

/// One measurement on one system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Step {
    pub system: String,
    pub what: What,
    /// Which repetition, from 1.
    pub round: u32,
}

impl OnSystem for Step {
    fn system(&self) -> &str {
        &self.system
    }
}

/// Everything that is measured.
pub struct Plan {
    /// What comes out the same whatever else the host does: for each system as soon as it is built, while others are.
    pub exact: Vec<Step>,
    /// All else, in this order.
    pub timed: Vec<Step>,
}

impl Plan {
    /// The plan of the run that `about` describes. A quick look does without the programs that count what is executed.
    pub fn new(about: &About) -> Self {
        let step = |system: &str, what, round| Step { system: system.to_owned(), what, round };
        let names = || about.systems.iter().map(String::as_str);
        let machines = || names().filter(|&name| name != NATIVE);
        let is_image = |name: &&str| *name != LINUX && *name != NATIVE;
        let exact = |name| {
            let counts = (1..=counting_boots(about, name)).map(|boot| (What::Count, boot)).chain([(What::Path, 1)]);
            let boot = (is_image(&name) && !about.quick).then_some((What::Boot, 1));
            counts.chain(boot).map(move |(what, round)| step(name, what, round)).collect::<Vec<_>>()
        };
        let exact = machines().flat_map(exact).collect();
        let first = names().next().unwrap_or_default();
        let mut timed: Vec<_> = names().filter(is_image).map(|name| step(name, What::Calls, 1)).collect();
        if !about.quick {
            timed.extend([first, LINUX].map(|name| step(name, What::Requests, 1)));
        }
        let mut random = Random::new(about.seed);
        for round in 1..=about.rounds {
            let mut steps: Vec<_> = names()
                .flat_map(|name| [What::Micro, What::Pair, What::Erlang].map(|what| step(name, what, round)))
                .collect();
            random.shuffle(&mut steps);
            timed.extend(steps);
        }
        Self { exact, timed }
    }

    /// All steps.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.exact.iter().chain(&self.timed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn about(rounds: u32) -> About {
        let systems = ["direct", "trap", LINUX, NATIVE].map(str::to_owned).to_vec();
        About { systems, rounds, seed: 7, ..About::default() }
    }

    #[test]
    fn nothing_is_planned_twice() {
        let plan = Plan::new(&about(3));
        let steps: BTreeSet<_> = plan.steps().collect();
        assert_eq!(steps.len(), plan.steps().count());
        let of = |what| steps.iter().filter(|step| step.what == what).count();
        assert_eq!([What::Count, What::Path, What::Boot, What::Calls, What::Requests].map(of), [6, 3, 2, 2, 2]);
        assert_eq!([What::Micro, What::Pair, What::Erlang].map(of), [12, 12, 12]);
    }

    #[test]
    fn a_quick_look_is_a_part_of_a_full_run() {
        let plan = |quick| Plan::new(&About { quick, ..about(2) });
        let steps = |plan: &Plan| plan.steps().cloned().collect::<BTreeSet<_>>();
        let (quick, full) = (steps(&plan(true)), steps(&plan(false)));
        let left_out: Vec<_> = full.difference(&quick).map(|step| step.what).collect();
        assert_eq!(left_out, [What::Boot, What::Requests, What::Count, What::Requests, What::Boot]);
        assert!(quick.is_subset(&full));
    }

    #[test]
    fn more_rounds_go_on_as_fewer_began() {
        let (few, many) = (Plan::new(&about(2)), Plan::new(&about(4)));
        assert_eq!(few.timed[..], many.timed[..few.timed.len()]);
    }
}
