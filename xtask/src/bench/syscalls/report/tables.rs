//! The tables.

use super::super::{
    analysis::{self, Instructions, Timing, Verdict},
    data::{Data, Trace},
    operations::{ERLANG, MICRO, Operation},
};
use crate::bench::page::{
    document::{Cell, Mark, Table},
    words::{interval, number, thousands, time},
};

/// CPUs of Erlang's machines.
pub const ERLANG_CPUS: u32 = super::super::CPUS;

/// Systems whose instructions are counted.
pub fn counted(data: &Data) -> Vec<&str> {
    let is_counted = |name: &&String| data.counts.iter().any(|run| &run.system == *name);
    data.about.systems.iter().filter(is_counted).map(String::as_str).collect()
}

/// Entry variants beside the first: systems that count their system calls.
pub fn variants(data: &Data) -> Vec<&str> {
    let counts = |name: &&String| data.calls.iter().any(|run| &run.system == *name);
    data.about.systems.iter().skip(1).filter(counts).map(String::as_str).collect()
}

fn head<'a>(first: &'a str, systems: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    std::iter::once(first).chain(systems).map(str::to_owned).collect()
}

fn absent() -> Cell {
    Cell::text("–")
}

pub fn instructions(data: &Data) -> Table {
    let systems = counted(data);
    let rows = MICRO.iter().filter(|operation| operation.cpus == 1).map(|operation| {
        let count = |system: &str| match analysis::instructions(data, system, operation.name) {
            Some(Instructions::Exact(count)) => Cell::number(thousands(count as f64), count as f64),
            Some(Instructions::About(count)) => Cell::number(format!("~{}", thousands(count)), count),
            None => absent(),
        };
        std::iter::once(Cell::text(operation.title)).chain(systems.iter().map(|system| count(system))).collect()
    });
    Table { rows: rows.collect(), head: head("operation", systems) }
}

/// Recorded ways, by operation and within it by system.
pub fn ways(data: &Data) -> impl Iterator<Item = (&'static Operation, &Trace)> {
    MICRO.iter().flat_map(move |operation| {
        data.about.systems.iter().filter_map(move |system| {
            let is = |path: &&Trace| path.name == operation.name && &path.system == system;
            Some((operation, data.paths.iter().find(is)?)).filter(|_| operation.cpus == 1)
        })
    })
}

pub fn paths(data: &Data) -> Table {
    let parts = data.paths.first().map(|path| path.parts.iter().map(|part| part.part.clone()).collect::<Vec<_>>());
    let mut head = vec!["call and system".to_owned()];
    head.extend(parts.unwrap_or_default());
    head.push("all".to_owned());
    let rows = ways(data).map(|(operation, path)| {
        let sum: u64 = path.parts.iter().map(|part| part.instructions).sum();
        let mut cells = vec![Cell::text(operation.title).with_small(path.system.clone())];
        cells.extend(path.parts.iter().map(|part| {
            let cell = Cell::number(thousands(part.instructions as f64), part.instructions as f64);
            match &part.functions[..] {
                [] => Cell { text: String::new(), ..cell },
                _ => cell,
            }
        }));
        cells.push(Cell::number(thousands(sum as f64), sum as f64));
        cells
    });
    Table { rows: rows.collect(), head }
}

pub fn micro(data: &Data) -> Table {
    let rows = MICRO.iter().filter_map(|operation| {
        let timing = |system: &str| analysis::timing(&data.micro, system, data.base(), operation.cpus, operation.name);
        timings(data, operation.title, &timing, true)
    });
    Table { rows: rows.collect(), head: head("operation", data.about.systems.iter().map(String::as_str)) }
}

pub fn erlang(data: &Data) -> Table {
    let rows = ERLANG.iter().filter_map(|(name, title)| {
        let timing = |system: &str| analysis::timing(&data.erlang, system, data.base(), ERLANG_CPUS, name);
        let mut cells = timings(data, title, &timing, false)?;
        for (cell, system) in cells[1..].iter_mut().zip(&data.about.systems) {
            let runs = data.erlang.iter().filter(|run| &run.system == system);
            let failed = runs.flat_map(|run| &run.absent).filter(|absent| absent.name == *name).count();
            if failed > 0 {
                cell.small += &format!("; failed connections in {failed} rounds");
                cell.mark = Mark::Warning;
            }
        }
        Some(cells)
    });
    Table { rows: rows.collect(), head: head("operation", data.about.systems.iter().map(String::as_str)) }
}

fn timings(data: &Data, title: &str, timing: &dyn Fn(&str) -> Option<Timing>, ticks: bool) -> Option<Vec<Cell>> {
    let all: Vec<_> = data.about.systems.iter().map(|system| (system, timing(system))).collect();
    all.iter().any(|(_, timing)| timing.is_some()).then(|| {
        let cell = |(system, timing): &(&String, Option<Timing>)| match timing {
            // Only where the processor itself runs the program do its ticks mean something.
            Some(timing) => timing_cell(timing, ticks && *system == "native"),
            None => absent(),
        };
        std::iter::once(Cell::text(title)).chain(all.iter().map(cell)).collect()
    })
}

fn timing_cell(timing: &Timing, ticks: bool) -> Cell {
    let mut small = interval(&timing.ns, time);
    if let Some(ratio) = &timing.ratio {
        small += &format!("; ×{} {}", number(ratio.median), interval(ratio, number));
    }
    if let Some(count) = timing.ticks.filter(|_| ticks) {
        small += &format!("; {} ticks", thousands(count));
    }
    let noise = timing.ns.is_noise();
    let mark = if noise { Mark::Noise } else { Mark::None };
    Cell::number(time(timing.ns.median), timing.ns.median).with_small(small).marked(mark)
}

pub fn explained(data: &Data) -> Table {
    let mut rows = Vec::new();
    for (name, title) in ERLANG {
        for system in variants(data) {
            let Some(timing) = analysis::timing(&data.erlang, system, data.base(), ERLANG_CPUS, name) else { continue };
            let (Some(difference), Some(ratio)) = (timing.difference, timing.ratio) else { continue };
            let explained = analysis::explained(data, system, data.base(), name);
            let calls = analysis::calls(data, system, name).map(|calls| calls.values().sum::<f64>());
            let mut cells = vec![Cell::text(title).with_small(system)];
            cells.push(calls.map_or_else(absent, |calls| Cell::number(format!("{calls:.2}"), calls)));
            cells.push(explained.map_or_else(absent, |explained| {
                let ends = format!("{}–{}", time(explained.low), time(explained.high));
                Cell::number(time(explained.median), explained.median).with_small(ends)
            }));
            cells
                .push(Cell::number(time(difference.median), difference.median).with_small(interval(&difference, time)));
            cells.push(
                Cell::number(format!("×{}", number(ratio.median)), ratio.median).with_small(interval(&ratio, number)),
            );
            cells.push(judged(analysis::verdict(&timing, explained)));
            rows.push(cells);
        }
    }
    let head = ["operation and system", "calls", "explained", "measured", "ratio", "so"].map(str::to_owned).to_vec();
    Table { head, rows }
}

fn judged(verdict: Option<Verdict>) -> Cell {
    let (text, mark) = match verdict {
        None => ("", Mark::None),
        Some(Verdict::TooFew) => ("too few rounds to say", Mark::Noise),
        Some(Verdict::Noise) => ("too noisy to say", Mark::Noise),
        Some(Verdict::Same) => ("no difference is seen", Mark::None),
        Some(Verdict::Faster) => ("faster", Mark::None),
        Some(Verdict::Slower) => ("slower, as calls explain", Mark::None),
        Some(Verdict::Unexplained) => ("slower by more than calls explain", Mark::Warning),
        Some(Verdict::Less) => ("slower, but by less than that", Mark::None),
    };
    Cell::text(text).marked(mark)
}

pub fn calls(data: &Data) -> Table {
    let rows = ERLANG.iter().filter_map(|(name, title)| {
        let calls = analysis::calls(data, data.base(), name)?;
        let mut sorted: Vec<_> = calls.iter().filter(|(_, count)| **count >= 0.005).collect();
        sorted.sort_by(|a, b| b.1.total_cmp(a.1));
        let list: Vec<_> = sorted.iter().map(|(call, count)| format!("{call} {count:.2}")).collect();
        let sum: f64 = calls.values().sum();
        Some(vec![Cell::text(*title), Cell::number(format!("{sum:.2}"), sum), Cell::text(list.join(", "))])
    });
    Table { rows: rows.collect(), head: ["operation", "calls", "which"].map(str::to_owned).to_vec() }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::sample, *};

    #[test]
    fn a_cell_tells_the_interval_and_the_ratio() {
        let table = micro(&sample(10));
        let [_, direct, trap0, _] = &table.rows[0][..] else { panic!("{} columns", table.rows[0].len()) };
        assert_eq!((direct.text.as_str(), direct.small.as_str()), ("101 ns", "100 ns–101 ns"));
        assert!(trap0.small.contains("×1.99 1.99–2.00"), "{}", trap0.small);
    }
}
