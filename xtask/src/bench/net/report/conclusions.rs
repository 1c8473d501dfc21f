//! Sentences, written only where the intervals support them.

use super::{
    super::{
        analysis::{self, Verdict},
        data::Data,
        metrics,
    },
    tables,
};
use crate::bench::page::words::number;

/// What can be said; at least that nothing can.
pub fn conclusions(data: &Data) -> Vec<String> {
    let mut said: Vec<_> = data.about.cpus.iter().flat_map(|&cpus| on(data, cpus)).collect();
    if said.is_empty() {
        said.push("Nothing: there are too few results.".into());
    }
    said
}

fn on(data: &Data, cpus: u32) -> Vec<String> {
    let mut by_verdict: Vec<(Verdict, Vec<String>)> = Vec::new();
    for metric in metrics::metrics() {
        let Some(comparison) = analysis::compare(data, &metric, cpus) else { continue };
        let (Some(verdict), Some(ratio)) = (analysis::verdict(&metric, &comparison), comparison.ratio) else {
            continue;
        };
        let told = match verdict {
            Verdict::Better | Verdict::Worse => format!("{} (×{})", metric.title, number(ratio.median)),
            Verdict::TooFew | Verdict::Noise | Verdict::Same => metric.title.clone(),
        };
        match by_verdict.iter_mut().find(|(other, _)| *other == verdict) {
            Some((_, titles)) => titles.push(told),
            None => by_verdict.push((verdict, vec![told])),
        }
    }
    let sentence = |(verdict, titles): (Verdict, Vec<String>)| {
        let (on, list) = (tables::cpus(cpus), titles.join("; "));
        match verdict {
            Verdict::TooFew => format!("On {on}: too few rounds to say anything."),
            Verdict::Noise => format!("On {on}, too noisy to say anything: {list}."),
            Verdict::Same => format!("On {on}, no difference beyond chance: {list}."),
            Verdict::Better => format!("On {on}, the image does better than Linux: {list}."),
            Verdict::Worse => format!("On {on}, the image does WORSE than Linux: {list}."),
        }
    };
    by_verdict.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::super::analysis::tests::sample, *};

    #[test]
    fn only_what_the_intervals_support_is_said() {
        assert_eq!(conclusions(&Data::default()), ["Nothing: there are too few results."]);
        assert_eq!(conclusions(&sample(5, 2.0)), ["On 2 CPUs: too few rounds to say anything."]);
        let said = conclusions(&sample(6, 2.0));
        let of = |words: &str| said.iter().find(|sentence| sentence.contains(words)).unwrap();
        assert!(of("better than").contains("HTTP, 1 connection: requests (×2.00)"), "{said:?}");
        assert!(of("WORSE than").contains("TCP echo, 1 client: median (×2.00)"), "{said:?}");
    }
}
