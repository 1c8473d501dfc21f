//! From raw samples to estimates: medians of boots, ratios within rounds, and what the calls of an operation explain.

use std::collections::BTreeMap;

use super::{
    CPUS,
    data::{Count, Data, Run, Samples},
    operations::{NULL, measured_as},
    speed,
};
use crate::bench::{interval::Estimate, stats::Spread};

/// One operation on one system.
pub struct Timing {
    /// Nanoseconds, at the undisturbed speed of the host where a yardstick tells it.
    pub ns: Estimate,
    /// In ticks of the processor's time stamp counter.
    pub ticks: Option<f64>,
    /// To the first system, from pairs of the same round. None for that system itself.
    pub ratio: Option<Estimate>,
    /// The difference to the first system in nanoseconds, likewise.
    pub difference: Option<Estimate>,
}

/// Times one operation of `runs` on `system`, compared with `base`.
pub fn timing(runs: &[Run], system: &str, base: &str, cpus: u32, name: &str) -> Option<Timing> {
    let own = by_round(runs, system, cpus, name, &nanoseconds(runs, system));
    let values = |map: &BTreeMap<u32, f64>| map.values().copied().collect::<Vec<_>>();
    let ticks = values(&by_round(runs, system, cpus, name, &ticks));
    let other = by_round(runs, base, cpus, name, &nanoseconds(runs, base));
    let pairs = |join: fn(f64, f64) -> f64| -> Option<Estimate> {
        let pairs = own.iter().filter_map(|(round, &own)| Some(join(own, *other.get(round)?)));
        (system != base).then(|| Estimate::new(&pairs.collect::<Vec<_>>()))?
    };
    Some(Timing {
        ns: Estimate::new(&values(&own))?,
        ticks: Estimate::new(&ticks).map(|estimate| estimate.median),
        ratio: pairs(|own, other| own / other),
        difference: pairs(|own, other| own - other),
    })
}

/// The median of each boot. Samples of one boot are not independent of each other; boots are.
fn by_round(
    runs: &[Run],
    system: &str,
    cpus: u32,
    name: &str,
    value: &dyn Fn(&Samples) -> Option<f64>,
) -> BTreeMap<u32, f64> {
    let runs = runs.iter().filter(|run| run.system == system && run.cpus == cpus);
    runs.filter_map(|run| {
        let samples = run.samples.iter().find(|samples| samples.name == name)?;
        Some((run.round, value(samples)?))
    })
    .collect()
}

/// Of one operation on `system`, at the undisturbed speed of the host.
fn nanoseconds(runs: &[Run], system: &str) -> impl Fn(&Samples) -> Option<f64> {
    let undisturbed = speed::undisturbed(runs, system);
    move |samples| per_operation(&speed::adjusted(samples, undisturbed), samples.operations)
}

fn ticks(samples: &Samples) -> Option<f64> {
    let ticks: Vec<_> = samples.ticks.iter().map(|&ticks| ticks as f64).collect();
    per_operation(&ticks, samples.operations)
}

fn per_operation(values: &[f64], operations: u64) -> Option<f64> {
    (!values.is_empty()).then(|| Spread::new(values.iter().copied()).median() / operations as f64)
}

/// How many instructions an operation has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instructions {
    /// The same in each boot, and in most repetitions.
    Exact(u64),
    /// Not the same every time; this is the middle.
    About(f64),
}

impl Instructions {
    pub fn value(self) -> f64 {
        match self {
            Self::Exact(count) => count as f64,
            Self::About(count) => count,
        }
    }
}

/// The instruction count of an operation, the loop around it included.
pub fn instructions(data: &Data, system: &str, name: &str) -> Option<Instructions> {
    let runs = data.counts.iter().filter(|run| run.system == system);
    let counts: Vec<&Count> = runs.filter_map(|run| run.counts.iter().find(|count| count.name == name)).collect();
    let first = counts.first()?;
    let span = |count: &Count| count.operations[1] - count.operations[0];
    let sure = |count: &&Count| count.agreed.iter().all(|&agreed| 2 * agreed > count.of);
    let same = |count: &&Count| count.instructions == first.instructions;
    let whole = first.instructions[1].checked_sub(first.instructions[0]).filter(|more| more % span(first) == 0);
    if let Some(more) = whole.filter(|_| counts.len() > 1 && counts.iter().all(|count| sure(count) && same(count))) {
        return Some(Instructions::Exact(more / span(first)));
    }
    let per = |count: &&Count| (count.instructions[1] as f64 - count.instructions[0] as f64) / span(count) as f64;
    Some(Instructions::About(Spread::new(counts.iter().map(per)).median()))
}

/// Whether the time stamp counter counted every known loop right.
pub fn is_proven(data: &Data) -> bool {
    let mut proofs = data.counts.iter().flat_map(|run| &run.proofs).peekable();
    proofs.peek().is_some() && proofs.all(|proof| proof.instructions == 2 * proof.iterations)
}

/// Rounds in which everything was measured on every system.
pub fn complete_rounds(data: &Data) -> u32 {
    let has = |runs: &[Run], system: &str, cpus, round| {
        runs.iter().any(|run| run.system == system && run.cpus == cpus && run.round == round)
    };
    let all = |system: &String, round| {
        [1, CPUS].iter().all(|&cpus| has(&data.micro, system, cpus, round)) && has(&data.erlang, system, CPUS, round)
    };
    let complete = (1..=data.about.rounds).filter(|&round| data.about.systems.iter().all(|system| all(system, round)));
    complete.count().try_into().unwrap_or(u32::MAX)
}

/// System calls that one operation of Erlang makes on a system that counts them.
pub fn calls(data: &Data, system: &str, name: &str) -> Option<BTreeMap<String, f64>> {
    let run = data.calls.iter().find(|run| run.system == system)?;
    let one = run.operations.iter().find(|operation| operation.name == name)?;
    Some(one.calls.iter().map(|(call, &count)| (call.clone(), count as f64 / one.operations as f64)).collect())
}

/// What the calls of an operation of Erlang make it slower than on another system, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explained {
    pub median: f64,
    /// The sums of the ends of the intervals: wider than an interval for the sum, since not all calls err in the same way.
    pub low: f64,
    pub high: f64,
}

/// How much slower than on `base` an operation of Erlang must be for its calls alone: each costs as much more as it does where the C
/// program measures it, and one that is not measured as much as the null call.
pub fn explained(data: &Data, system: &str, base: &str, name: &str) -> Option<Explained> {
    let more = |name| timing(&data.micro, system, base, 1, name)?.difference;
    let null = more(NULL)?;
    let mut sum = Explained { median: 0.0, low: 0.0, high: 0.0 };
    for (call, count) in calls(data, system, name)? {
        let one = measured_as(&call).and_then(more).unwrap_or(null);
        sum.median += count * one.median;
        sum.low += count * one.low;
        sum.high += count * one.high;
    }
    Some(sum)
}

/// What can be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There are not enough rounds for the confidence that is wanted.
    TooFew,
    /// The intervals are too wide.
    Noise,
    /// No difference is seen.
    Same,
    Faster,
    /// Slower, and by as much as the calls explain where that is known.
    Slower,
    /// Slower by more than the calls explain.
    Unexplained,
    /// Slower by less than the calls would explain.
    Less,
}

/// Judges a difference to the first system.
pub fn verdict(timing: &Timing, explained: Option<Explained>) -> Option<Verdict> {
    let (ratio, difference) = (timing.ratio?, timing.difference?);
    Some(match explained {
        _ if !ratio.is_confident() => Verdict::TooFew,
        _ if ratio.is_noise() => Verdict::Noise,
        _ if ratio.low <= 1.0 && ratio.high >= 1.0 => Verdict::Same,
        _ if ratio.high < 1.0 => Verdict::Faster,
        Some(explained) if difference.low > explained.high => Verdict::Unexplained,
        Some(explained) if difference.high < explained.low => Verdict::Less,
        _ => Verdict::Slower,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::syscalls::data::{CallRun, Calls, CountRun, Proof};

    fn run(system: &str, round: u32, name: &str, ns: u64) -> Run {
        let samples = Samples {
            name: name.into(),
            operations: 10,
            ns: vec![ns, ns * 100, ns],
            yardstick: Vec::new(),
            ticks: vec![2 * ns],
        };
        Run { system: system.into(), cpus: 1, round, place: 0, samples: vec![samples], absent: Vec::new() }
    }

    /// Ten rounds in which the host gets slower, and one system takes `factor` times as long.
    fn rounds(name: &str, factor: u64) -> Vec<Run> {
        let both = |round: u32| {
            let ns = 100 + u64::from(round);
            [run("direct", round, name, ns), run("trap", round, name, factor * ns)]
        };
        (1..=10).flat_map(both).collect()
    }

    #[test]
    fn systems_are_compared_within_rounds() {
        let timing = timing(&rounds("x", 3), "trap", "direct", 1, "x").unwrap();
        let ratio = timing.ratio.unwrap();
        assert!([ratio.low, ratio.median, ratio.high].iter().all(|value| (value - 3.0).abs() < 1e-9), "{ratio:?}");
        assert!((timing.ns.median - 31.65).abs() < 1e-9, "{:?}", timing.ns);
        assert!((timing.ticks.unwrap() - 63.3).abs() < 1e-9);
        assert!(super::timing(&rounds("x", 3), "direct", "direct", 1, "x").unwrap().ratio.is_none());
        assert!(super::timing(&rounds("x", 3), "direct", "direct", 2, "x").is_none());
    }

    #[test]
    fn a_count_is_exact_when_boots_agree_and_most_repetitions() {
        let count = |instructions, agreed| Count {
            name: "x".into(),
            operations: [8, 16],
            instructions,
            agreed: [agreed, 33],
            of: 33,
        };
        let of = |counts: [Count; 2]| {
            let run =
                |count| CountRun { system: "a".into(), proofs: Vec::new(), counts: vec![count], absent: Vec::new() };
            let data = Data { counts: counts.map(run).into(), ..Data::default() };
            instructions(&data, "a", "x").unwrap()
        };
        assert_eq!(of([count([10, 50], 33), count([10, 50], 17)]), Instructions::Exact(5));
        assert_eq!(of([count([10, 50], 33), count([10, 50], 16)]), Instructions::About(5.0));
        assert_eq!(of([count([10, 50], 33), count([10, 66], 33)]), Instructions::About(6.0));
        assert_eq!(of([count([10, 51], 33), count([10, 51], 33)]), Instructions::About(5.125));
    }

    #[test]
    fn one_wrong_proof_spoils_all() {
        let data = |instructions| {
            let proofs = vec![Proof { iterations: 5, instructions: 10 }, Proof { iterations: 9, instructions }];
            Data {
                counts: vec![CountRun { system: "a".into(), proofs, counts: Vec::new(), absent: Vec::new() }],
                ..Data::default()
            }
        };
        assert!(is_proven(&data(18)) && !is_proven(&data(19)) && !is_proven(&Data::default()));
    }

    #[test]
    fn calls_explain_what_they_cost_more() {
        let calls = Calls { name: "x".into(), operations: 4, calls: [("read".into(), 8), ("poll".into(), 4)].into() };
        let mut data = Data {
            micro: rounds(NULL, 2),
            erlang: rounds("x", 5),
            calls: vec![CallRun { system: "trap".into(), operations: vec![calls] }],
            ..Data::default()
        };
        // Three calls, each of which takes 10.55 ns more.
        let null = explained(&data, "trap", "direct", "x").unwrap();
        assert!((null.median - 31.65).abs() < 1e-9, "{null:?}");
        let timing = timing(&data.erlang, "trap", "direct", 1, "x").unwrap();
        assert_eq!(verdict(&timing, Some(null)), Some(Verdict::Unexplained));
        let exactly = |ns| Some(Explained { median: ns, low: ns, high: ns });
        assert_eq!(verdict(&timing, exactly(42.2)), Some(Verdict::Slower));
        assert_eq!(verdict(&timing, exactly(99.0)), Some(Verdict::Less));
        // A call that is measured by itself explains what it costs, and no longer what the null call does: two of three.
        data.micro.extend(rounds("read_zero", 3));
        let own = explained(&data, "trap", "direct", "x").unwrap();
        assert!((own.median - 31.65 * 5.0 / 3.0).abs() < 1e-9, "{own:?}");
        assert!(own.low < own.median && own.median < own.high, "{own:?}");
    }

    #[test]
    fn verdicts_depend_on_the_intervals() {
        let of = |runs: &[Run]| verdict(&timing(runs, "trap", "direct", 1, "x").unwrap(), None);
        assert_eq!(of(&rounds("x", 1)), Some(Verdict::Same));
        assert_eq!(of(&rounds("x", 2)), Some(Verdict::Slower));
        assert_eq!(of(&rounds("x", 2)[..8]), Some(Verdict::TooFew));
        let mut noisy = rounds("x", 2);
        for run in noisy.iter_mut().filter(|run| run.round % 2 == 0 && run.system == "trap") {
            run.samples[0].ns.iter_mut().for_each(|ns| *ns *= 3);
        }
        assert_eq!(of(&noisy), Some(Verdict::Noise));
    }
}
