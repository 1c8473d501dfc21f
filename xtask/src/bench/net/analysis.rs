//! From values of boots to estimates and ratios within rounds, and what can be said of them.

use std::collections::BTreeMap;

use super::{
    data::{Data, Run},
    metrics::Metric,
};
use crate::bench::interval::Estimate;

/// One metric on both systems.
#[derive(Debug)]
pub struct Comparison {
    pub image: Option<Estimate>,
    pub linux: Option<Estimate>,
    /// Image by Linux, from pairs of the same round. None where Linux's value is nothing.
    pub ratio: Option<Estimate>,
}

/// What can be said of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There are not enough rounds for the confidence that is wanted.
    TooFew,
    /// No difference is seen, but the interval is too wide to say that there is none.
    Noise,
    /// No difference is seen.
    Same,
    Better,
    Worse,
}

/// Compares one metric. None where neither system has a value.
pub fn compare(data: &Data, metric: &Metric, cpus: u32) -> Option<Comparison> {
    let mut systems = data.about.systems.iter().map(|system| by_round(data, system, cpus, &metric.name));
    let (image, linux) = (systems.next()?, systems.next()?);
    let pairs = image.iter().filter_map(|(round, value)| Some((value, *linux.get(round)?)));
    let ratios: Vec<_> = pairs.filter(|(_, linux)| *linux > 0.0).map(|(image, linux)| image / linux).collect();
    let of = |values: &BTreeMap<u32, f64>| Estimate::new(&values.values().copied().collect::<Vec<_>>());
    let comparison = Comparison { image: of(&image), linux: of(&linux), ratio: Estimate::new(&ratios) };
    (comparison.image.is_some() || comparison.linux.is_some()).then_some(comparison)
}

/// The runs on one system.
pub fn runs<'a>(data: &'a Data, system: &'a str, cpus: u32) -> impl Iterator<Item = &'a Run> {
    data.runs.iter().filter(move |run| run.step.system == system && run.step.cpus == cpus)
}

/// Values of one metric.
pub fn by_round(data: &Data, system: &str, cpus: u32, name: &str) -> BTreeMap<u32, f64> {
    runs(data, system, cpus).filter_map(|run| Some((run.step.round, *run.found.values.get(name)?))).collect()
}

/// Judges a ratio.
pub fn verdict(metric: &Metric, comparison: &Comparison) -> Option<Verdict> {
    let ratio = comparison.ratio?;
    Some(match ratio {
        _ if !ratio.is_confident() => Verdict::TooFew,
        // However wide, an interval on one side of 1 says which is better.
        _ if ratio.low <= 1.0 && ratio.high >= 1.0 && ratio.is_noise() => Verdict::Noise,
        _ if ratio.low <= 1.0 && ratio.high >= 1.0 => Verdict::Same,
        _ if (ratio.low > 1.0) == metric.unit.more_is_better() => Verdict::Better,
        _ => Verdict::Worse,
    })
}

/// How many rounds of all have everything.
pub fn complete_rounds(data: &Data) -> u32 {
    let plan = super::plan::plan(&data.about);
    let has = |step: &super::plan::Step| data.runs.iter().any(|run| run.step == *step);
    let complete = |round: &u32| plan.iter().filter(|step| step.round == *round).all(has);
    (1..=data.about.rounds).filter(complete).count().try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
pub mod tests {
    use super::{super::metrics, super::plan::plan, *};
    use crate::bench::net::{
        data::{About, Found},
        metrics::What,
    };
    use clap::ValueEnum;

    /// Rounds in which the host gets slower, and everything on the image is `factor` times what it is on Linux.
    pub fn sample(rounds: u32, factor: f64) -> Data {
        let about = About {
            systems: ["image", "linux"].map(str::to_owned).to_vec(),
            cpus: vec![2],
            what: What::value_variants().to_vec(),
            rounds,
            idle: 10_000,
            ..About::default()
        };
        let run = |step: super::super::plan::Step| {
            let value = f64::from(100 + step.round) * if step.system == "image" { factor } else { 1.0 };
            let of = metrics::metrics().into_iter().filter(|metric| metric.what == step.what);
            let values = of.map(|metric| (metric.name, value)).collect();
            Run { step, found: Found { values, ..Found::default() } }
        };
        Data { runs: plan(&about).into_iter().map(run).collect(), about }
    }

    fn metric(name: &str) -> Metric {
        metrics::metrics().into_iter().find(|metric| metric.name == name).unwrap()
    }

    #[test]
    fn a_wide_interval_says_what_it_says() {
        let verdict = |ratios: &[f64]| {
            let comparison = Comparison { image: None, linux: None, ratio: Estimate::new(ratios) };
            let metrics = crate::bench::net::metrics::metrics();
            super::verdict(metrics.iter().find(|metric| metric.name == "churn").unwrap(), &comparison)
        };
        assert_eq!(verdict(&[1.5, 2.0, 3.0, 4.0, 5.0, 6.0]), Some(Verdict::Better));
        assert_eq!(verdict(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.9]), Some(Verdict::Worse));
        assert_eq!(verdict(&[0.5, 2.0, 3.0, 4.0, 5.0, 6.0]), Some(Verdict::Noise));
    }

    #[test]
    fn systems_are_compared_within_rounds() {
        let data = sample(6, 3.0);
        let comparison = compare(&data, &metric("churn"), 2).unwrap();
        let ratio = comparison.ratio.unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high), (3.0, 3.0, 3.0));
        assert_eq!(comparison.linux.unwrap().median, 103.5);
        assert!(compare(&data, &metric("churn"), 8).is_none());
    }

    #[test]
    fn a_verdict_knows_what_one_wants_more_of() {
        let of = |name: &str, factor| {
            let (data, metric) = (sample(6, factor), metric(name));
            verdict(&metric, &compare(&data, &metric, 2).unwrap()).unwrap()
        };
        assert_eq!(
            [of("churn", 2.0), of("churn", 0.5), of("churn", 1.0)],
            [Verdict::Better, Verdict::Worse, Verdict::Same]
        );
        assert_eq!([of("echo_half", 2.0), of("echo_half", 0.5)], [Verdict::Worse, Verdict::Better]);
        let few = sample(5, 2.0);
        let metric = metric("churn");
        assert_eq!(verdict(&metric, &compare(&few, &metric, 2).unwrap()), Some(Verdict::TooFew));
    }

    #[test]
    fn nothing_is_no_divisor() {
        let mut data = sample(6, 2.0);
        for run in data.runs.iter_mut().filter(|run| run.step.system == "linux") {
            run.found.values.insert("udp_lost".into(), 0.0);
        }
        let comparison = compare(&data, &metric("udp_lost"), 2).unwrap();
        assert!(comparison.ratio.is_none() && comparison.linux.unwrap().median == 0.0);
    }

    #[test]
    fn a_round_without_one_run_is_not_complete() {
        let mut data = sample(3, 1.0);
        assert_eq!(complete_rounds(&data), 3);
        data.runs.pop();
        assert_eq!(complete_rounds(&data), 2);
    }
}
