//! The report: one page in two forms, and its plots, made from the results alone.

mod conclusions;
mod executed;
mod figures;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{analysis, data::Data, operations};
use crate::bench::{
    interval,
    page::{
        self,
        document::{Block, Document},
    },
};

/// Writes `overhead.md`, `overhead.html` and the plots into `folder`, and returns the path of the page for people.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, data: &Data) -> Result<PathBuf> {
    page::write(folder, "overhead", &document(data)?)
}

fn document(data: &Data) -> Result<Document> {
    let mut blocks = vec![
        Block::Text(
            "The same Erlang (ERTS with its JIT compiler), the same C library and the same library OS, linked in several ways that differ \
             in nothing but how a system call enters the library OS; beside them Linux."
                .into(),
        ),
        Block::List(data.about.systems.iter().map(|name| format!("`{name}`: {}.", operations::system(name))).collect()),
        Block::Heading("What can be said".into()),
        Block::List(conclusions::conclusions(data)),
    ];
    let mut section = |heading: &str, text: &str, more: Vec<Block>| {
        blocks.push(Block::Heading(heading.into()));
        blocks.push(Block::Text(text.into()));
        blocks.extend(more);
    };
    section(
        "Instructions",
        "How many instructions one operation executes, in the program, the C library and the system together. Counted by QEMU, whose \
         virtual clock advances by one for each. A number without `~` was the same in every boot and in most repetitions of each. Under \
         `~` stands the middle of counts that differ: what is done then depends on the state of the system, or timer interrupts fall \
         into all repetitions. Operations on 2 CPUs are left out: two CPUs do not share one count.",
        vec![Block::Table(tables::instructions(data)), Block::Figure(figures::instructions(data)?)],
    );
    section(
        "Where the instructions of a call go",
        "One call recorded by a plugin of QEMU, and sorted by function. Wrapper: the C library up to the call. Entry: from there to the \
         system call table; nothing in `direct`. Dispatch: the table's function, with whatever of the handler the compiler has put into it. \
         Handler: the rest. Exit and return: the way back to and in the C library. On Linux the parts before and behind the handler are \
         entry and exit.",
        vec![Block::Table(tables::paths(data)), Block::Figure(figures::path(data)?)],
    );
    section(
        "Time of C programs",
        "Median of the boots with its interval, and the ratio to the first system within rounds, with its own. Time is that of software \
         emulation, but for `native`: compare systems, not absolute numbers. It is time at the speed of the undisturbed host: each sample \
         is divided by what a yardstick took right before and after it, code that enters no system. `ticks` are of the processor's time stamp \
         counter, as they were read.",
        vec![Block::Table(tables::micro(data)), Block::Figure(figures::micro(data)?)],
    );
    section(
        "Time of Erlang",
        "As above, on 2 CPUs; what clients on the host measured has no yardstick. HTTP is the time per answered request, whatever number of \
         clients waits, so its inverse is the throughput.",
        vec![Block::Table(tables::erlang(data)), Block::Figure(figures::erlang(data)?)],
    );
    section(
        "What system calls explain of it",
        "The image counts the system calls of each operation, in a boot of its own. If each call costs as much more than on the first \
         system as it does above in C, or as the null call where C does not measure it, then the operation must be slower by `explained`; \
         `measured` is what it is. A difference whose interval lies above asks for another cause, and is marked.",
        vec![Block::Table(tables::explained(data))],
    );
    section(
        "Calls of an operation",
        "System calls per operation on the first system.",
        vec![Block::Table(tables::calls(data))],
    );
    let mut section = |is_counted: bool, heading: &str, text: &str, table| {
        if is_counted {
            section(heading, text, vec![Block::Table(table)]);
        }
    };
    section(
        !data.requests.is_empty(),
        "What an HTTP request executes",
        "Instructions of one request, counted by a plugin of QEMU on 2 CPUs while clients ask on kept connections; what it takes to open \
         these is not in it. Erlang is ERTS, its C library and the code that its JIT makes; TCP/IP is that of the library OS, system the \
         rest of it, or all of Linux.",
        executed::requests(data),
    );
    section(
        !data.boots.is_empty(),
        "What a start executes",
        "Until Erlang's first line, on one CPU. Software emulation translates code before it runs it, which costs as much as running it \
         many times, and does so again for code that it meets in another state of the processor.",
        executed::boots(data),
    );
    blocks.push(Block::Heading("Method".into()));
    blocks.push(Block::List(method(data)));
    Ok(Document { title: "What a system call boundary costs Erlang".into(), blocks })
}

fn method(data: &Data) -> Vec<String> {
    let about = &data.about;
    let kind = if about.quick { "a quick look" } else { "a full run" };
    let boots = if about.quick { "two boots of an image and one of a guest" } else { "two boots" };
    let rounds = match analysis::complete_rounds(data) {
        all if all == about.rounds => format!("of {all} rounds"),
        some => format!("that was INTERRUPTED, with {some} of {} rounds complete,", about.rounds),
    };
    let proof = if analysis::is_proven(data) {
        "Loops of known length were counted exactly in every boot."
    } else {
        "The count of loops of known length was WRONG: the instruction counts mean nothing."
    };
    vec![
        format!(
            "Written by `cargo xtask bench syscalls`, {kind} {rounds} in {} min of measuring; everything raw is in `overhead.json`, from \
             which `--report-only` writes these pages again. `bench/README.md` says how the systems are made equal.",
            about.seconds.div_ceil(60)
        ),
        format!("Host: {}. Commit {}.", about.host, about.commit),
        format!(
            "QEMU: machine {}, {} MiB, software emulation, `-cpu max`; 1 CPU for C programs, 2 for Erlang. Linux guest: {}.",
            about.machine, about.memory_mib, about.linux_guest
        ),
        format!(
            "In each round every system is booted anew for each program, in an order made by chance (seed {}). A boot counts as one \
             value, the median of its samples.",
            about.seed
        ),
        format!(
            "Intervals are those of order statistics, which assume no distribution, at {:.0} %. With fewer than 6 rounds there is no such \
             interval; least and most are shown then, and nothing is concluded.",
            interval::WANTED * 100.0
        ),
        format!(
            "Of so many intervals some miss the truth by chance alone: of {} ratios in Erlang at that confidence about {:.0}.",
            comparisons(data),
            comparisons(data) as f64 * (1.0 - interval::WANTED)
        ),
        format!(
            "An interval that reaches further than {:.0} % from its median is marked as noise.",
            interval::NOISE * 100.0
        ),
        format!("Instructions: QEMU's `-icount shift=0` with 1 CPU, {boots}. {proof}"),
    ]
}

/// Operations of Erlang that are compared with the first system.
fn comparisons(data: &Data) -> usize {
    data.about.systems.len().saturating_sub(1) * operations::ERLANG.len()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::bench::syscalls::data::{About, Run, Samples};

    /// Results with everything in them that the page shows.
    pub fn sample(rounds: u32) -> Data {
        let systems = ["direct", "trap0", "linux"];
        let run = |(at, system): (usize, &str), round: u32, names: Vec<&str>| {
            let ns = 1000 * (at as u64 + 1) + u64::from(round);
            let samples = |name: &str| Samples {
                name: name.to_owned(),
                operations: 10,
                ns: vec![ns],
                yardstick: Vec::new(),
                ticks: vec![2 * ns],
            };
            Run {
                system: system.to_owned(),
                cpus: 1,
                round,
                place: 0,
                samples: names.into_iter().map(samples).collect(),
                absent: Vec::new(),
            }
        };
        let micro: Vec<_> = operations::MICRO.iter().map(|operation| operation.name).collect();
        let erlang: Vec<_> = operations::ERLANG.iter().map(|(name, _)| *name).collect();
        let mut data = Data {
            about: About { systems: systems.map(str::to_owned).to_vec(), rounds, ..About::default() },
            ..Data::default()
        };
        for round in 1..=rounds {
            for system in systems.into_iter().enumerate() {
                data.micro.push(run(system, round, micro.clone()));
                data.micro.push(Run { cpus: 2, ..run(system, round, vec!["futex_ping_pong"]) });
                data.erlang.push(Run { cpus: 2, ..run(system, round, erlang.clone()) });
            }
        }
        data
    }

    #[test]
    fn the_page_shows_every_operation_and_system() {
        let page = document(&sample(10)).unwrap();
        for text in [page::markdown(&page), page::html(&page)] {
            let all = operations::MICRO.iter().filter(|operation| operation.cpus == 1).map(|operation| operation.title);
            for title in all.chain(operations::ERLANG.map(|(_, title)| title)).chain(["direct", "trap0", "linux"]) {
                assert!(text.contains(title), "{title}");
            }
        }
    }

    #[test]
    fn an_interrupted_run_says_how_far_it_came() {
        let method = |data: &Data| method(data).swap_remove(0);
        let mut data = sample(3);
        assert!(method(&data).contains("a full run of 3 rounds"));
        let last = data.erlang.pop().unwrap();
        assert_eq!(last.round, 3);
        assert!(method(&data).contains("INTERRUPTED, with 2 of 3 rounds"), "{}", method(&data));
        assert!(document(&data).is_ok());
    }

    #[test]
    fn a_page_without_results_can_be_written() {
        assert!(document(&Data::default()).is_ok());
    }
}
