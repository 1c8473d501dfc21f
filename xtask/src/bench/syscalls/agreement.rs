//! Whether a run finds what an earlier one has found.

use serde::{Deserialize, Serialize};

use super::{
    CPUS,
    analysis::{self, Instructions},
    data::{Data, Run},
    operations::{ERLANG, MICRO},
    speed,
};
use crate::bench::interval::Estimate;

/// What two runs have both measured, held against each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// What the earlier run was of.
    pub commit: String,
    /// Exact instruction counts that are the same.
    pub counts: Share,
    /// How many times as long as in the earlier run the yardstick took the undisturbed host for emulated systems.
    pub pace: Option<f64>,
    /// Times whose medians lie in each other's intervals, with the yardsticks' difference taken out.
    pub times: Share,
    /// Ratios to the first system, likewise.
    pub ratios: Share,
}

/// How many of some values agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub agree: usize,
    pub of: usize,
    /// Those that say different things: counts that differ, intervals that do not even meet.
    pub apart: Vec<String>,
}

impl Share {
    fn add(&mut self, agree: bool, apart: bool, name: impl FnOnce() -> String) {
        self.of += 1;
        self.agree += usize::from(agree);
        if apart {
            self.apart.push(name());
        }
    }

    fn add_estimates(&mut self, one: Option<Estimate>, other: Option<Estimate>, name: impl FnOnce() -> String) {
        let Some((one, other)) = one.zip(other) else { return };
        let holds = |interval: Estimate, value| (interval.low..=interval.high).contains(&value);
        let meet = one.low <= other.high && other.low <= one.high;
        self.add(holds(one, other.median) && holds(other, one.median), !meet, name);
    }
}

/// Holds a run against an earlier one.
pub fn agreement(data: &Data, earlier: &Data) -> Agreement {
    let commit = earlier.about.commit.clone();
    let mut all = Agreement { commit, pace: pace(&data.micro, &earlier.micro, data.base()), ..Agreement::default() };
    for system in &data.about.systems {
        for operation in MICRO {
            let name = || format!("{} on {system}", operation.title);
            if operation.cpus == 1 {
                let count = |data| analysis::instructions(data, system, operation.name);
                if let (Some(Instructions::Exact(one)), Some(Instructions::Exact(other))) =
                    (count(data), count(earlier))
                {
                    all.counts.add(one == other, one != other, name);
                }
            }
            all.hold([data, earlier], |data| &data.micro, system, operation.cpus, operation.name, name);
        }
        for (operation, title) in ERLANG {
            all.hold([data, earlier], |data| &data.erlang, system, CPUS, operation, || format!("{title} on {system}"));
        }
    }
    all
}

/// How many times as long the yardstick took.
fn pace(runs: &[Run], earlier: &[Run], system: &str) -> Option<f64> {
    Some(speed::undisturbed(runs, system)? / speed::undisturbed(earlier, system)?)
}

impl Agreement {
    fn hold(
        &mut self,
        [data, earlier]: [&Data; 2],
        runs: fn(&Data) -> &Vec<Run>,
        system: &str,
        cpus: u32,
        operation: &str,
        name: impl Fn() -> String,
    ) {
        let timing = |data| analysis::timing(runs(data), system, data.base(), cpus, operation);
        let Some((one, other)) = timing(data).zip(timing(earlier)) else { return };
        let pace = pace(runs(data), runs(earlier), system).unwrap_or(1.0);
        let Estimate { median, low, high, coverage } = other.ns;
        let other_ns = Estimate { median: median * pace, low: low * pace, high: high * pace, coverage };
        self.times.add_estimates(Some(one.ns), Some(other_ns), &name);
        self.ratios.add_estimates(one.ratio, other.ratio, &name);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::sample, *};

    #[test]
    fn a_run_agrees_with_itself() {
        let data = sample(10);
        let Agreement { counts, times, ratios, .. } = agreement(&data, &data);
        assert_eq!((counts.of, &times.apart, &ratios.apart), (0, &Vec::new(), &Vec::new()));
        assert!(times.of > 0 && times.agree == times.of && ratios.agree == ratios.of);
        // The first system has no ratio to itself.
        assert!(ratios.of > 0 && ratios.of < times.of);
    }

    #[test]
    fn a_host_that_is_faster_altogether_is_no_difference() {
        let of = |factor: u64| {
            let mut data = sample(10);
            for samples in data.micro.iter_mut().chain(&mut data.erlang).flat_map(|run| &mut run.samples) {
                samples.ns.iter_mut().for_each(|ns| *ns *= factor);
                samples.yardstick = vec![100 * factor];
            }
            data
        };
        let found = agreement(&of(1), &of(2));
        assert_eq!((found.pace, found.times.agree), (Some(0.5), found.times.of));
    }

    #[test]
    fn what_differs_is_named() {
        let (data, mut earlier) = (sample(10), sample(10));
        let samples = earlier.micro.iter_mut().filter(|run| run.system == "trap0").flat_map(|run| &mut run.samples);
        samples.filter(|samples| samples.name == "getppid").for_each(|samples| samples.ns = vec![5000]);
        let found = agreement(&data, &earlier);
        for share in [&found.times, &found.ratios] {
            assert_eq!((share.of - share.agree, share.apart.len()), (1, 1), "{share:?}");
            assert!(share.apart[0].contains("trap0"));
        }
    }

    #[test]
    fn intervals_may_meet_without_agreement() {
        let estimate = |low, median, high| Some(Estimate { low, median, high, coverage: 0.95 });
        let mut share = Share::default();
        share.add_estimates(estimate(1.0, 2.0, 4.0), estimate(3.0, 5.0, 6.0), || unreachable!());
        assert_eq!((share.agree, share.of), (0, 1));
        share.add_estimates(estimate(1.0, 2.0, 4.0), estimate(1.5, 3.0, 6.0), || unreachable!());
        share.add_estimates(None, estimate(1.5, 3.0, 6.0), || unreachable!());
        assert_eq!((share.agree, share.of), (1, 2));
    }
}
