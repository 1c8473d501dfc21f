//! The tables, and the list of what is not in them.

use std::collections::BTreeMap;

use super::super::{
    analysis::{self, Verdict},
    data::Data,
    metrics::{self, LEVELS, Metric, Unit, What},
};
use crate::bench::{
    interval::Estimate,
    page::{
        document::{Cell, Mark, Table},
        words::{interval, number},
    },
};

/// A number of CPUs in words.
pub fn cpus(count: u32) -> String {
    if count == 1 { "1 CPU".to_owned() } else { format!("{count} CPUs") }
}

/// Everything of one kind, with this many CPUs. None where nothing was measured.
pub fn of(data: &Data, what: What, cpus: u32) -> Option<Table> {
    let metrics = metrics::metrics().into_iter().filter(|metric| metric.what == what);
    let mut rows: Vec<_> = metrics.filter_map(|metric| row(data, &metric, cpus)).collect();
    if rows.is_empty() {
        return None;
    }
    if what == What::Packets {
        rows.extend(growth(data, cpus));
    }
    let systems = data.about.systems.iter().map(String::as_str);
    let head = ["measured"].into_iter().chain(systems).chain(["ratio", "so"]).map(str::to_owned).collect();
    Some(Table { head, rows })
}

fn row(data: &Data, metric: &Metric, cpus: u32) -> Option<Vec<Cell>> {
    let comparison = analysis::compare(data, metric, cpus)?;
    let value = |estimate: Option<Estimate>| match estimate {
        Some(estimate) => {
            let show = |value| metric.unit.show(value);
            let noise = if estimate.is_noise() { Mark::Noise } else { Mark::None };
            let small = format!("{} to {}", show(estimate.low), show(estimate.high));
            Cell::number(show(estimate.median), estimate.median).with_small(small).marked(noise)
        }
        None => Cell::text("–"),
    };
    let ratio = comparison.ratio.map_or_else(|| Cell::text("–"), ratio);
    let title = Cell::text(metric.title.clone());
    Some(vec![
        title,
        value(comparison.image),
        value(comparison.linux),
        ratio,
        judged(analysis::verdict(metric, &comparison)),
    ])
}

fn ratio(ratio: Estimate) -> Cell {
    Cell::number(format!("×{}", number(ratio.median)), ratio.median).with_small(interval(&ratio, number))
}

fn judged(verdict: Option<Verdict>) -> Cell {
    let (text, mark) = match verdict {
        None => ("", Mark::None),
        Some(Verdict::TooFew) => ("too few rounds to say", Mark::None),
        Some(Verdict::Noise) => ("too noisy to say", Mark::Noise),
        Some(Verdict::Same) => ("no difference is seen", Mark::None),
        Some(Verdict::Better) => ("better", Mark::None),
        Some(Verdict::Worse) => ("worse", Mark::Warning),
    };
    Cell::text(text).marked(mark)
}

/// How much dearer a packet is beside the most connections than beside the fewest.
fn growth(data: &Data, cpus: u32) -> Option<Vec<Cell>> {
    let most = LEVELS.iter().rev().find(|&&level| {
        let counted = |system: &String| !analysis::by_round(data, system, cpus, &metrics::packet(level)).is_empty();
        data.about.systems.iter().any(counted)
    })?;
    let grown = |system: &String| {
        let of = |level| analysis::by_round(data, system, cpus, &metrics::packet(level));
        let (few, many) = (of(LEVELS[0]), of(*most));
        let ratios: Vec<_> = many.iter().filter_map(|(round, many)| Some(many / few.get(round)?)).collect();
        Estimate::new(&ratios).map_or_else(|| Cell::text("–"), ratio)
    };
    let title = format!("beside {} idle by beside {}", Unit::Count.show(*most as f64), LEVELS[0]);
    let row = std::iter::once(Cell::text(title)).chain(data.about.systems.iter().map(grown));
    Some(row.chain([Cell::text("–"), Cell::text("")]).collect())
}

/// What is absent, and what is not what it should be, with the reason and how often it was so.
pub fn missing(data: &Data) -> Vec<String> {
    let titles: BTreeMap<_, _> = metrics::metrics().into_iter().map(|metric| (metric.name, metric.title)).collect();
    let mut times: BTreeMap<(String, String), Vec<u32>> = BTreeMap::new();
    for run in &data.runs {
        let of = format!("`{}`, {}", run.step.system, cpus(run.step.cpus));
        let absent = run.found.absent.iter().map(|(name, why)| (name, format!("not measured: {why}")));
        let doubts = run.found.doubts.iter().map(|(name, why)| (name, why.clone()));
        for (name, why) in absent.chain(doubts) {
            let title = titles.get(name).unwrap_or(name);
            times.entry((format!("{of}: {title}"), why)).or_default().push(run.step.round);
        }
    }
    let line = |((what, why), rounds): ((String, String), Vec<u32>)| {
        let rounds: Vec<_> = rounds.iter().map(u32::to_string).collect();
        format!("{what}: {why} (round {})", rounds.join(", "))
    };
    times.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::super::analysis::tests::sample, *};

    #[test]
    fn a_row_tells_both_systems_and_the_ratio() {
        let data = sample(6, 2.0);
        let table = of(&data, What::Traffic, 2).unwrap();
        let row = table.rows.iter().find(|row| row[0].text.contains("HTTP, 1 connection: requests")).unwrap();
        assert_eq!((row[1].text.as_str(), row[2].text.as_str()), ("207/s", "104/s"));
        assert_eq!((row[3].text.as_str(), row[4].text.as_str()), ("×2.00", "better"));
        assert!(of(&data, What::Traffic, 8).is_none());
    }

    #[test]
    fn growth_is_by_the_most_connections_that_there_were() {
        let mut data = sample(2, 1.0);
        for run in &mut data.runs {
            run.found.values.remove("packet_10000");
            run.found.values.entry("packet_1000".into()).and_modify(|count| *count *= 1.5);
        }
        let row = growth(&data, 2).unwrap();
        assert_eq!(row[0].text, "beside 1,000 idle by beside 10");
        assert_eq!((row[1].text.as_str(), row[2].text.as_str()), ("×1.50", "×1.50"));
    }

    #[test]
    fn what_is_missing_is_listed_once_with_its_rounds() {
        let mut data = sample(2, 1.0);
        let idle = data.runs.iter_mut().filter(|run| run.step.what == What::Idle && run.step.system == "image");
        idle.for_each(|run| run.found.doubt("idle_opened", "9 of 10 connections opened"));
        let missing = missing(&data);
        assert_eq!(missing, ["`image`, 2 CPUs: idle: connections opened: 9 of 10 connections opened (round 1, 2)"]);
    }
}
