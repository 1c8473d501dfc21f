//! The plots of the page.

use anyhow::Result;

use super::{
    super::{
        analysis,
        data::{Data, Run, Trace},
        operations::{ERLANG, LOOP, MICRO, Operation},
    },
    tables::{ERLANG_CPUS, counted, ways},
};
use crate::bench::page::{
    document::Figure,
    plot::{self, Dot, Row},
};

pub fn instructions(data: &Data) -> Result<Figure> {
    let systems = counted(data);
    let operations = MICRO.iter().filter(|operation| operation.cpus == 1 && operation.name != LOOP);
    let rows = operations.map(|operation| {
        let dot = |(series, system): (usize, &&str)| {
            let value = analysis::instructions(data, system, operation.name)?.value();
            Some(Dot { series, value, low: value, high: value })
        };
        Row { label: operation.title.to_owned(), values: systems.iter().enumerate().filter_map(dot).collect() }
    });
    Ok(Figure {
        file: "overhead-instructions.svg",
        caption: "Instructions of one operation".into(),
        svg: plot::dots(&systems, "instructions", None, &filled(rows))?,
    })
}

pub fn micro(data: &Data) -> Result<Figure> {
    let operations = MICRO.iter().filter(|operation| operation.name != LOOP);
    ratios(
        data,
        &data.micro,
        operations.map(|operation| (operation.name, operation.cpus, operation.title)),
        "overhead-calls.svg",
    )
}

pub fn erlang(data: &Data) -> Result<Figure> {
    ratios(data, &data.erlang, ERLANG.iter().map(|(name, title)| (*name, ERLANG_CPUS, *title)), "overhead-erlang.svg")
}

/// Ratios to the first system. The host's Linux is left out: without an emulation it is far away from all others.
fn ratios<'a>(
    data: &Data,
    runs: &[Run],
    operations: impl Iterator<Item = (&'a str, u32, &'a str)>,
    file: &'static str,
) -> Result<Figure> {
    let systems: Vec<_> = data.about.systems.iter().map(String::as_str).filter(|name| *name != "native").collect();
    let rows = operations.map(|(name, cpus, title)| {
        let dot = |(series, system): (usize, &&str)| {
            let ratio = analysis::timing(runs, system, data.base(), cpus, name)?.ratio?;
            Some(Dot { series, value: ratio.median, low: ratio.low, high: ratio.high })
        };
        Row { label: title.to_owned(), values: systems.iter().enumerate().filter_map(dot).collect() }
    });
    let first = data.base();
    Ok(Figure {
        file,
        caption: format!("Time of one operation as a multiple of what it takes in {first}, with its interval"),
        svg: plot::dots(&systems, &format!("times {first}"), Some(1.0), &filled(rows))?,
    })
}

pub fn path(data: &Data) -> Result<Figure> {
    let parts: Vec<_> =
        data.paths.first().map_or_else(Vec::new, |path| path.parts.iter().map(|part| part.part.as_str()).collect());
    let row = |(operation, path): (&Operation, &Trace)| Row {
        label: format!("{}, {}", operation.name, path.system),
        values: path.parts.iter().map(|part| part.instructions as f64).collect(),
    };
    let rows: Vec<_> = ways(data).map(row).collect();
    Ok(Figure {
        file: "overhead-path.svg",
        caption: "Instructions of one call, by part of its way".into(),
        svg: plot::stacked(&parts, "instructions", &rows)?,
    })
}

fn filled<T>(rows: impl Iterator<Item = Row<T>>) -> Vec<Row<T>> {
    rows.filter(|row| !row.values.is_empty()).collect()
}
