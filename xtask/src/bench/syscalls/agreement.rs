//! Whether a run finds what an earlier one has found.

use serde::{Deserialize, Serialize};

use super::{
    CPUS,
    analysis::{self, Instructions, Timing},
    data::{Data, Run},
    operations::{ERLANG, MICRO},
};
use crate::bench::interval::Estimate;

/// What two runs have both measured, held against each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// What the earlier run was of.
    pub commit: String,
    /// Exact instruction counts that are the same.
    pub counts: Share,
    /// Times whose medians lie in each other's intervals.
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
    let mut all = Agreement { commit: earlier.about.commit.clone(), ..Agreement::default() };
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
            let time = |data: &Data| timing(data, &data.micro, system, operation.cpus, operation.name);
            all.hold(time(data), time(earlier), name);
        }
        for (operation, title) in ERLANG {
            let time = |data: &Data| timing(data, &data.erlang, system, CPUS, operation);
            all.hold(time(data), time(earlier), || format!("{title} on {system}"));
        }
    }
    all
}

fn timing(data: &Data, runs: &[Run], system: &str, cpus: u32, name: &str) -> Option<Timing> {
    analysis::timing(runs, system, data.about.systems.first()?, cpus, name)
}

impl Agreement {
    fn hold(&mut self, one: Option<Timing>, other: Option<Timing>, name: impl Fn() -> String) {
        let Some((one, other)) = one.zip(other) else { return };
        self.times.add_estimates(Some(one.ns), Some(other.ns), &name);
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
