//! Sentences, written only where the intervals support them.

use super::{
    super::{
        agreement::Agreement,
        analysis::{self, Instructions, Verdict},
        data::Data,
        operations::{ERLANG, FLOOR, NULL},
    },
    executed,
    tables::{ERLANG_CPUS, counted, variants},
};
use crate::bench::page::words::{number, thousands, time};

/// How far times of code that enters no system may differ between emulated systems, as parts of one: code lies elsewhere in each.
const FLOOR_DIFFERENCE: f64 = 0.1;

/// What can be said; at least that nothing can.
pub fn conclusions(data: &Data) -> Vec<String> {
    let mut said = Vec::new();
    said.extend(null_instructions(data));
    said.extend(null_time(data));
    said.extend(floor(data));
    for system in variants(data) {
        said.extend(erlang(data, system));
    }
    said.extend(share(data));
    said.extend(executed::growth(data));
    said.extend(executed::translations(data));
    said.extend(data.again.iter().flat_map(again));
    if said.is_empty() {
        said.push("Nothing: there are too few results.".into());
    }
    said
}

fn null_instructions(data: &Data) -> Option<String> {
    let mut counts = Vec::new();
    for system in counted(data) {
        match analysis::instructions(data, system, NULL)? {
            Instructions::Exact(count) => counts.push((system, count)),
            Instructions::About(_) => return None,
        }
    }
    let list = chain(counts, |a, b| a < b, |count| thousands(*count as f64))?;
    analysis::is_proven(data)
        .then(|| format!("Instructions of the null call, with the loop around it: {list}; the counts are exact."))
}

/// The systems by what the null call takes, each compared with the one before in the same rounds.
fn null_time(data: &Data) -> Option<String> {
    let systems = counted(data);
    let mut list = String::new();
    for (index, system) in systems.iter().enumerate() {
        if let Some(before) = index.checked_sub(1) {
            let ratio = analysis::timing(&data.micro, system, systems[before], 1, NULL)?.ratio?;
            if !ratio.is_confident() || ratio.high < 1.0 {
                return None;
            }
            list += if ratio.low > 1.0 { " < " } else { " ≈ " };
        }
        list += &format!("{system} {}", time(analysis::timing(&data.micro, system, data.base(), 1, NULL)?.ns.median));
    }
    let equals =
        if list.contains('≈') { "; between those with ≈ chance hides what difference there may be" } else { "" };
    list.contains('<').then(|| format!("Time of the null call: {list}{equals}."))
}

/// Systems whose times cannot be compared with the first one's as they are: code that enters no system takes another time on them, so the
/// yardstick does.
fn floor(data: &Data) -> Vec<String> {
    let off = |system: &&str| {
        let ratio = analysis::timing(&data.micro, system, data.base(), 1, FLOOR)?.ratio?;
        let differs = ratio.low > 1.0 + FLOOR_DIFFERENCE || ratio.high < 1.0 - FLOOR_DIFFERENCE;
        (ratio.is_confident() && differs).then(|| {
            format!(
                "Times of C programs on {system} are OFF by a factor of about {}: code that enters no system took so much of the time that \
                 it took on {}. The instruction counts are not.",
                number(ratio.median),
                data.base()
            )
        })
    };
    counted(data).iter().filter_map(off).collect()
}

/// How far an earlier run said the same.
fn again(Agreement { commit, counts, pace, times, ratios }: &Agreement) -> Vec<String> {
    let pace = pace.map_or_else(String::new, |pace| {
        format!(", with it taken out that the host's yardstick took ×{} of what it took then", number(pace))
    });
    let mut said = vec![format!(
        "Measured twice, the first time at {commit}: {} of {} exact counts are the same; the medians lie in each other's intervals in {} of \
         {} ratios to the first system, and in {} of {} times{pace}. Chance alone leaves some outside.",
        counts.agree, counts.of, ratios.agree, ratios.of, times.agree, times.of
    )];
    for (kind, share) in [("Counts", counts), ("Times", times), ("Ratios", ratios)] {
        if !share.apart.is_empty() {
            said.push(format!("{kind} of which the two runs say different things: {}.", share.apart.join("; ")));
        }
    }
    said
}

/// `a 1 < b 2`, if every value is before the next.
fn chain<T>(values: Vec<(&str, T)>, before: fn(&T, &T) -> bool, show: fn(&T) -> String) -> Option<String> {
    let ordered = values.windows(2).all(|pair| before(&pair[0].1, &pair[1].1));
    let list: Vec<_> = values.iter().map(|(name, value)| format!("{name} {}", show(value))).collect();
    (ordered && list.len() > 1).then(|| list.join(" < "))
}

/// What became of Erlang's operations in one variant.
fn erlang(data: &Data, system: &str) -> Vec<String> {
    let mut by_verdict: Vec<(Verdict, Vec<&str>)> = Vec::new();
    for (name, title) in ERLANG {
        let Some(timing) = analysis::timing(&data.erlang, system, data.base(), ERLANG_CPUS, name) else { continue };
        let explained = analysis::explained(data, system, data.base(), name);
        let Some(verdict) = analysis::verdict(&timing, explained) else { continue };
        match by_verdict.iter_mut().find(|(other, _)| *other == verdict) {
            Some((_, titles)) => titles.push(title),
            None => by_verdict.push((verdict, vec![title])),
        }
    }
    let base = data.base();
    let sentence = |(verdict, titles): (Verdict, Vec<&str>)| {
        let list = titles.join("; ");
        match verdict {
            Verdict::TooFew => format!("Erlang in {system}: too few rounds to say anything."),
            Verdict::Noise => format!("Erlang in {system}, too noisy to say anything: {list}."),
            Verdict::Same => format!("Erlang in {system}, no difference to {base} beyond chance: {list}."),
            Verdict::Faster => format!("Erlang in {system}, faster than {base}: {list}."),
            Verdict::Slower => {
                format!("Erlang in {system}, slower than {base} by as much as its calls explain: {list}.")
            }
            Verdict::Unexplained => {
                format!("Erlang in {system}, slower than {base} by MORE than its calls explain: {list}.")
            }
            Verdict::Less => {
                format!("Erlang in {system}, slower than {base} by less than its calls would explain: {list}.")
            }
        }
    };
    by_verdict.into_iter().map(sentence).collect()
}

/// How much of a request the boundary can be at most, by count.
fn share(data: &Data) -> Option<String> {
    let last = *variants(data).last()?;
    let (name, title) = ERLANG.into_iter().find(|(name, _)| *name == "http_32")?;
    let difference = analysis::timing(&data.micro, last, data.base(), 1, NULL)?.difference?;
    let whole = analysis::timing(&data.erlang, data.base(), data.base(), ERLANG_CPUS, name)?.ns;
    let explained = analysis::explained(data, last, data.base(), name)?;
    let calls: f64 = analysis::calls(data, last, name)?.values().sum();
    (difference.is_confident() && whole.is_confident() && difference.low > 0.0).then(|| {
        format!(
            "{title}: {} system calls, which cost {} more in {last} than in {}: {} % of the request's time.",
            number(calls),
            time(explained.median),
            data.base(),
            number(100.0 * explained.median / whole.median)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::sample, *};

    #[test]
    fn an_order_is_only_told_when_it_is_beyond_chance() {
        let said = null_time(&with_counts(10)).unwrap();
        assert_eq!(said, "Time of the null call: direct 101 ns < trap0 201 ns < linux 301 ns.");
        assert_eq!(null_time(&with_counts(5)), None);
        let mut swapped = with_counts(10);
        for run in swapped.micro.iter_mut().filter(|run| run.round == 1 || run.round == 2) {
            let name = if run.system == "direct" { "trap0" } else { "direct" };
            run.system = if run.system == "linux" { "linux".into() } else { name.into() };
        }
        let said = null_time(&swapped).unwrap();
        assert!(said.contains(" ≈ trap0") && said.contains(" < linux") && said.contains("chance hides"), "{said}");
    }

    #[test]
    fn a_yardstick_that_differs_is_told() {
        let mut data = with_counts(10);
        let said = floor(&data);
        assert!(said.len() == 2 && said[0].contains("trap0") && said[1].contains("linux"), "{said:?}");
        let samples = data.micro.iter_mut().flat_map(|run| &mut run.samples);
        samples.filter(|samples| samples.name == FLOOR).for_each(|samples| samples.ns = vec![100; samples.ns.len()]);
        assert!(floor(&data).is_empty());
    }

    #[test]
    fn without_results_nothing_is_said() {
        assert_eq!(conclusions(&Data::default()), ["Nothing: there are too few results."]);
    }

    #[test]
    fn a_chain_must_be_in_order() {
        let of = |values| chain(values, |a, b| a < b, ToString::to_string);
        assert_eq!(of(vec![("a", 1), ("b", 2)]).as_deref(), Some("a 1 < b 2"));
        assert_eq!(of(vec![("a", 2), ("b", 2)]), None);
    }

    fn with_counts(rounds: u32) -> Data {
        let mut data = sample(rounds);
        for system in ["direct", "trap0", "linux"] {
            data.counts.push(super::super::super::data::CountRun {
                system: system.into(),
                proofs: Vec::new(),
                counts: Vec::new(),
                absent: Vec::new(),
            });
        }
        data
    }
}
