//! What there is to do, step by step, and in which order.

use serde::{Deserialize, Serialize};

use super::{data::About, metrics::What};
use crate::bench::{journal::OnSystem, order::Random};

/// One boot of one system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Step {
    pub system: String,
    pub cpus: u32,
    pub what: What,
    /// Which repetition, from 1.
    pub round: u32,
}

impl OnSystem for Step {
    fn system(&self) -> &str {
        &self.system
    }
}

/// All steps in their order: in each round everything on every system, by chance, so that what the host does meanwhile falls on all.
/// What several numbers of CPUs are for is traffic; the rest is measured on the first. Instructions hardly depend on the host: they are
/// counted in the first rounds only.
pub fn plan(about: &About) -> Vec<Step> {
    let counted = if about.quick { 1 } else { 2 };
    let mut random = Random::new(about.seed);
    let mut plan = Vec::new();
    for round in 1..=about.rounds {
        let mut steps = Vec::new();
        for system in &about.systems {
            let step = |cpus, what| Step { system: system.clone(), cpus, what, round };
            for (at, &cpus) in about.cpus.iter().enumerate() {
                let is_due = |what: &What| match what {
                    What::Traffic => true,
                    What::Idle | What::Loss => at == 0,
                    What::Packets => at == 0 && round <= counted,
                };
                steps.extend(about.what.iter().copied().filter(is_due).map(|what| step(cpus, what)));
            }
        }
        random.shuffle(&mut steps);
        plan.extend(steps);
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use std::collections::BTreeSet;

    fn about(rounds: u32) -> About {
        let systems = ["image", "linux"].map(str::to_owned).to_vec();
        About { systems, cpus: vec![2, 8], what: What::value_variants().to_vec(), rounds, seed: 7, ..About::default() }
    }

    #[test]
    fn everything_is_planned_once() {
        let plan = plan(&about(3));
        let steps: BTreeSet<_> = plan.iter().collect();
        assert_eq!(steps.len(), plan.len());
        let of = |what| plan.iter().filter(|step| step.what == what).count();
        assert_eq!([What::Traffic, What::Idle, What::Loss, What::Packets].map(of), [12, 6, 6, 4]);
        assert!(plan.iter().all(|step| step.what == What::Traffic || step.cpus == 2));
    }

    #[test]
    fn what_is_not_asked_for_is_not_planned() {
        let plan = plan(&About { what: vec![What::Idle], ..about(2) });
        assert!(plan.len() == 4 && plan.iter().all(|step| step.what == What::Idle));
    }

    #[test]
    fn a_round_ends_before_the_next_begins_and_its_order_is_its_own() {
        let plan = plan(&about(3));
        assert!(plan.is_sorted_by_key(|step| step.round));
        let order = |round| {
            let of = plan.iter().filter(|step| step.round == round && step.what != What::Packets);
            of.map(|step| (&step.system, step.cpus, step.what)).collect::<Vec<_>>()
        };
        assert!(order(1) != order(2) || order(2) != order(3));
    }

    #[test]
    fn more_rounds_go_on_as_fewer_began() {
        let (few, many) = (plan(&about(2)), plan(&about(4)));
        assert_eq!(few[..], many[..few.len()]);
    }
}
