//! Where the instructions of a call go: the way of single operations, recorded by a plugin of QEMU (`bench/syscalls/path/plugin.c`).

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{repository, symbols};

use super::{
    data::{Part, Trace},
    systems::{Frame, System, Work},
};
use crate::bench::profile;

/// Operations that are one call.
pub const OPERATIONS: [&str; 6] =
    ["getppid", "clock_gettime", "clock_gettime_call", "read_zero", "write_null", "futex_wake"];
/// Where the Linux kernel begins; in an image nothing is there.
pub const KERNEL: u64 = 0xffff_8000_0000_0000;
/// Where the C side of an image begins (`link/image.ld`); the library OS is below.
pub const C_SIDE: u64 = 0x40_0000;

/// One piece of code that was executed.
type Piece = (u64, u64);

/// The parts of a way, in order.
const PARTS: [&str; 6] = ["wrapper", "entry", "dispatch", "handler", "exit", "return"];

/// What kind of code a function is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    /// The measuring loop itself; it does not count.
    Frame,
    /// The C library.
    Library,
    /// What stands between the instruction that enters and the table, in an image; all of Linux's kernel but handlers.
    Entry,
    /// A row of the table, with whatever of its handler is compiled into it.
    Dispatch,
    Handler,
}

/// Records all [`OPERATIONS`] on one machine.
pub fn record(system: &System, frame: &Frame, work: &Work) -> Result<Vec<Trace>> {
    let mut symbols = symbols::of(&system.symbols)?;
    let address = |name: &str| {
        let found = symbols.iter().find(|(_, other)| *other == name);
        found.map(|(address, _)| *address).with_context(|| format!("the C program has no function {name}"))
    };
    let plugin = profile::plugin(&repository().join("bench/syscalls/path/plugin.c"), &frame.folder)?;
    let out = frame.folder.join(format!("path-{}.txt", system.name));
    let mut machine = system.micro_machine(frame, 1, work)?;
    machine.extra.extend([
        "-plugin".into(),
        format!(
            "{},out={},begin={:x},end={:x}",
            plugin.display(),
            out.display(),
            address("path_begin")?,
            address("path_end")?
        ),
    ]);
    let console = system.run_micro(&machine, work)?;
    let names: Vec<_> = console.lines().filter_map(|line| line.trim_end().strip_prefix("=path name=")).collect();
    symbols.extend(kernel_symbols(&console));
    let text = fs::read_to_string(&out).with_context(|| format!("QEMU left no {}", out.display()))?;
    let recordings = recordings(&text)?;
    let each = recordings.len() / names.len().max(1);
    ensure!(each > 0 && each * names.len() == recordings.len(), "the plugin recorded {} ways", recordings.len());
    let traces = names.iter().zip(recordings.chunks(each)).map(|(name, recordings)| {
        let (way, agreed) = most_frequent(recordings);
        let parts = split(way, &symbols, system.is_image());
        Trace { system: system.name.clone(), name: (*name).to_owned(), parts, agreed: [agreed, recordings.len()] }
    });
    Ok(traces.collect())
}

/// The lines `=symbol ADDRESS NAME`.
fn kernel_symbols(console: &str) -> impl Iterator<Item = (u64, String)> {
    console.lines().filter_map(|line| {
        let (address, name) = line.trim_end().strip_prefix("=symbol ")?.split_once(' ')?;
        Some((u64::from_str_radix(address, 16).ok()?, name.to_owned()))
    })
}

/// Lines `ADDRESS INSTRUCTIONS`; `-` ends each recording.
fn recordings(text: &str) -> Result<Vec<Vec<Piece>>> {
    let (mut all, mut one) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line == "-" {
            all.push(std::mem::take(&mut one));
            continue;
        }
        let piece = line
            .split_once(' ')
            .and_then(|(address, count)| Some((u64::from_str_radix(address, 16).ok()?, count.parse().ok()?)));
        one.push(piece.with_context(|| format!("the plugin wrote {line:?}"))?);
    }
    Ok(all)
}

/// The way that most recordings went, and how many did: others were interrupted.
fn most_frequent(recordings: &[Vec<Piece>]) -> (&[Piece], usize) {
    let mut count: HashMap<&[Piece], usize> = HashMap::new();
    for way in recordings {
        *count.entry(way).or_default() += 1;
    }
    // Of two that are as frequent, the shorter: nothing can only be missing from a way.
    count.into_iter().max_by_key(|(way, count)| (*count, std::cmp::Reverse(way.len()))).unwrap_or((&[], 0))
}

/// Sorts a way into its parts.
fn split(way: &[Piece], symbols: &BTreeMap<u64, String>, image: bool) -> Vec<Part> {
    let name = |address| symbols.range(..=address).next_back().map_or("?", |(_, name)| name.as_str());
    let mut named: Vec<(&str, Code, u64)> = way
        .iter()
        .map(|&(address, count)| {
            let name = name(address);
            (name, if image { in_image(address, name) } else { in_linux(address, name) }, count)
        })
        .collect();
    if !image {
        find_handler(&mut named);
    }
    let inside = |code: Code| !matches!(code, Code::Frame | Code::Library);
    let handled = |code: Code| matches!(code, Code::Dispatch | Code::Handler);
    let [entered, begun] =
        [inside as fn(Code) -> bool, handled].map(|is| named.iter().position(|(_, code, _)| is(*code)));
    let ended = named.iter().rposition(|(_, code, _)| handled(*code));
    let mut parts: Vec<Part> =
        PARTS.iter().map(|part| Part { part: (*part).to_owned(), instructions: 0, functions: Vec::new() }).collect();
    for (at, (name, code, count)) in named.iter().enumerate() {
        let part = match code {
            Code::Frame => continue,
            Code::Library if entered.is_none_or(|entered| at < entered) => 0,
            Code::Library => 5,
            Code::Entry if begun.is_none_or(|begun| at < begun) => 1,
            Code::Entry if ended.is_some_and(|ended| at > ended) => 4,
            Code::Dispatch => 2,
            Code::Entry | Code::Handler => 3,
        };
        let part = &mut parts[part];
        part.instructions += count;
        match part.functions.iter_mut().find(|(other, _)| other == name) {
            Some((_, sum)) => *sum += count,
            None => part.functions.push(((*name).to_owned(), *count)),
        }
    }
    parts
}

fn is_frame(name: &str) -> bool {
    name.starts_with("run_") || matches!(name, "measure_path" | "path_begin" | "path_end")
}

fn in_image(address: u64, name: &str) -> Code {
    match address {
        C_SIDE.. if is_frame(name) => Code::Frame,
        C_SIDE.. => Code::Library,
        // The second finds the row for calls whose number is not constant.
        _ if name.contains("platform::entry::") || name == "__libos_syscall" => Code::Entry,
        _ if name.contains("libos::dispatch::") => Code::Dispatch,
        _ => Code::Handler,
    }
}

fn in_linux(address: u64, name: &str) -> Code {
    match address {
        ..KERNEL if is_frame(name) => Code::Frame,
        ..KERNEL => Code::Library,
        _ => Code::Entry,
    }
}

/// In Linux the handler begins with a function of a known kind of name, and ends where the function that called it goes on.
fn find_handler(named: &mut [(&str, Code, u64)]) {
    let Some(begin) = named.iter().position(|(name, ..)| name.starts_with("__x64_sys_")) else { return };
    let handler = named[begin..].iter_mut().take_while(|(name, ..)| *name != "do_syscall_64");
    handler.for_each(|(_, code, _)| *code = Code::Handler);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(parts: &[Part]) -> Vec<u64> {
        parts.iter().map(|part| part.instructions).collect()
    }

    #[test]
    fn a_way_through_an_image_is_split() {
        let symbols = BTreeMap::from([
            (0x10_0000, "trapless_platform::entry::trap0::entry".to_owned()),
            (0x10_1000, "trapless_libos::dispatch::row".to_owned()),
            (0x10_2000, "trapless_logic::answer".to_owned()),
            (0x40_0000, "run_getppid".to_owned()),
            (0x40_1000, "getppid".to_owned()),
        ]);
        let way = [
            (0x40_0000, 5),
            (0x40_1000, 3),
            (0x10_0000, 20),
            (0x10_1000, 7),
            (0x10_2000, 11),
            (0x10_1010, 2),
            (0x10_0050, 13),
            (0x40_1010, 1),
            (0x40_0010, 9),
        ];
        let parts = split(&way, &symbols, true);
        assert_eq!(counts(&parts), [3, 20, 9, 11, 13, 1]);
        assert_eq!(parts[2].functions, [("trapless_libos::dispatch::row".to_owned(), 9)]);
    }

    #[test]
    fn what_the_handler_of_linux_calls_is_the_handlers() {
        let symbols = BTreeMap::from([
            (0x40_1000, "read".to_owned()),
            (KERNEL, "entry_SYSCALL_64".to_owned()),
            (KERNEL + 0x100, "do_syscall_64".to_owned()),
            (KERNEL + 0x200, "__x64_sys_read".to_owned()),
            (KERNEL + 0x300, "__x86_return_thunk".to_owned()),
        ]);
        let way = [(0x40_1000, 2), (KERNEL, 30), (KERNEL + 0x100, 9), (KERNEL + 0x200, 50), (KERNEL + 0x300, 1)];
        let back = [(KERNEL + 0x110, 8), (KERNEL + 0x300, 1), (KERNEL + 0x50, 20), (0x40_1010, 3)];
        assert_eq!(counts(&split(&[&way[..], &back[..]].concat(), &symbols, false)), [2, 39, 0, 51, 29, 3]);
    }

    #[test]
    fn the_way_that_most_went_is_taken() {
        let recordings = recordings("10 1\n-\n10 1\n20 5\n-\n10 1\n-\n").unwrap();
        assert_eq!(most_frequent(&recordings), (&[(0x10, 1)][..], 2));
        assert!(super::recordings("10\n").is_err());
    }
}
