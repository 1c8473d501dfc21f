//! The report: one page in two forms, and its plot, made from the results alone.

mod conclusions;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{
    analysis,
    data::Data,
    metrics::{self, What},
};
use crate::bench::{
    interval,
    page::{
        self,
        document::{Block, Document, Figure},
        plot::{self, Dot, Row},
    },
};

/// The measurements in the order of the page, and what is to be said of each.
const SECTIONS: [(What, &str); 4] = [
    (
        What::Traffic,
        "TCP echo: 64 bytes there and back, by one client. HTTP: `wrk` with one thread asks on kept connections, each as soon as it has its \
         answer; half of a load is half as many requests a second as that machine had just answered, each at its own time whether \
         or not the one before is answered, and its latency counts from that time; a new connection for each request is 32 \
         connections at a time that the server closes. Bulk transfers are of 64 KiB at a time, and count what arrived; what comes is \
         read 1,460 bytes at a time, which is Erlang's default, and once more with `{buffer, 65536}`. UDP: datagrams of 64 bytes.",
    ),
    (
        What::Idle,
        "Connections are opened one after the other, each served by an Erlang process of its own. Memory is what the system itself \
         says is free, before and after. Host CPU use is that of QEMU, in percent of one CPU. At the end each connection echoes 1 KiB, which \
         is compared.",
    ),
    (
        What::Packets,
        "Everything that the machine executes for one echo over TCP, Erlang included, while other connections are idle; counted by a plugin \
         of QEMU. A stack that looks for its connection among all of them shows here.",
    ),
    (
        What::Loss,
        "Packets are dropped by chance in both directions, on the way, where neither side is told; each packet alone.",
    ),
];

/// Writes `net.md`, `net.html` and the plot into `folder`, and returns the path of the page for people.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, data: &Data) -> Result<PathBuf> {
    page::write(folder, "net", &document(data)?)
}

fn document(data: &Data) -> Result<Document> {
    let mut blocks = vec![
        Block::Text(
            "The image and a Linux guest with the same Erlang, each booted in turn on the same QEMU, behind the same tap in a network of \
             their own; the clients run on the host, on the same CPUs as QEMU."
                .into(),
        ),
        Block::Heading("What can be said".into()),
        Block::List(conclusions::conclusions(data)),
    ];
    for (what, text) in SECTIONS {
        let mut is_first = true;
        for &cpus in &data.about.cpus {
            let Some(table) = tables::of(data, what, cpus) else { continue };
            if std::mem::take(&mut is_first) {
                blocks.extend([Block::Heading(what.title().into()), Block::Text(text.into())]);
            }
            blocks.extend([Block::Text(format!("On {}:", tables::cpus(cpus))), Block::Table(table)]);
        }
    }
    blocks.push(Block::Figure(figure(data)?));
    blocks.push(Block::Heading("What was not measured as it was meant".into()));
    let missing = tables::missing(data);
    blocks.push(if missing.is_empty() { Block::Text("Nothing.".into()) } else { Block::List(missing) });
    blocks.push(Block::Heading("Method".into()));
    blocks.push(Block::List(method(data)));
    Ok(Document { title: "Erlang's network, beside Linux".into(), blocks })
}

/// Ratios, one series for each number of CPUs.
fn figure(data: &Data) -> Result<Figure> {
    let series: Vec<_> = data.about.cpus.iter().map(|&cpus| tables::cpus(cpus)).collect();
    let rows = metrics::metrics().into_iter().map(|metric| {
        let dot = |(series, &cpus): (usize, &u32)| {
            let ratio = analysis::compare(data, &metric, cpus)?.ratio?;
            Some(Dot { series, value: ratio.median, low: ratio.low, high: ratio.high })
        };
        let values = data.about.cpus.iter().enumerate().filter_map(dot).collect();
        let wanted = if metric.unit.more_is_better() { "↑" } else { "↓" };
        Row { label: format!("{} {wanted}", metric.title), values }
    });
    let rows: Vec<_> = rows.filter(|row| !row.values.is_empty()).collect();
    Ok(Figure {
        file: "net-ratios.svg",
        caption: "The image's values as multiples of Linux's, with their intervals; of ↑ one wants more, of ↓ less"
            .into(),
        svg: plot::dots(&series.iter().map(String::as_str).collect::<Vec<_>>(), "times Linux", Some(1.0), &rows)?,
    })
}

fn method(data: &Data) -> Vec<String> {
    let about = &data.about;
    let kind = if about.quick { "a quick look" } else { "a full run" };
    let rounds = match analysis::complete_rounds(data) {
        all if all == about.rounds => format!("of {all} rounds"),
        some => format!("that was INTERRUPTED, with {some} of {} rounds complete,", about.rounds),
    };
    let kinds = SECTIONS.iter().map(|(what, _)| what).filter(|what| about.what.contains(what));
    let kinds: Vec<_> = kinds.map(|what| what.title().to_lowercase()).collect();
    let part =
        if kinds.len() < SECTIONS.len() { format!(", of nothing but {},", kinds.join(", ")) } else { String::new() };
    vec![
        format!(
            "Written by `cargo xtask bench net`, {kind}{part} {rounds} in {} min of measuring; everything raw is in `net.json`, from which \
             `--report-only` writes these pages again. `bench/README.md` says how the systems are made equal.",
            about.seconds.div_ceil(60)
        ),
        format!("Host: {}. Commit {}.", about.host, about.commit),
        format!(
            "QEMU: machine {}, {} MiB, software emulation, `-cpu max`. Linux guest: {}.",
            about.machine, about.memory_mib, about.linux_guest
        ),
        format!(
            "In each round every system is booted anew for each kind of measurement, in an order made by chance (seed {}). A boot yields one \
             value of each.",
            about.seed
        ),
        format!(
            "Ratios are of boots of one round. Intervals are those of order statistics, which assume no distribution, at {:.0} %; with \
             fewer than 6 rounds there is no such interval, so least and most are shown, and nothing is concluded. One that reaches further than \
             {:.0} % from its median is called noise.",
            interval::WANTED * 100.0,
            interval::NOISE * 100.0
        ),
        "Of so many intervals some miss the truth by chance alone. Time is that of software emulation: compare systems, not numbers."
            .into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::analysis::tests::sample, *};

    #[test]
    fn the_page_shows_every_metric() {
        let page = document(&sample(6, 2.0)).unwrap();
        for text in [page::markdown(&page), page::html(&page)] {
            for metric in metrics::metrics() {
                assert!(text.contains(&metric.title), "{}", metric.title);
            }
        }
    }

    #[test]
    fn an_interrupted_run_says_so() {
        let mut data = sample(3, 1.0);
        assert!(method(&data)[0].contains("a full run of 3 rounds"));
        data.about.what.retain(|what| *what == What::Idle);
        assert!(method(&data)[0].contains("a full run, of nothing but idle connections, of 3 rounds"));
        data.about.what.push(What::Traffic);
        data.runs.retain(|run| run.step.what != What::Traffic || run.step.round != 2);
        assert!(method(&data)[0].contains("INTERRUPTED, with 2 of 3 rounds"));
    }

    #[test]
    fn a_page_without_results_can_be_written() {
        assert!(document(&Data::default()).is_ok());
    }
}
