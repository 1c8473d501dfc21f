//! What is executed: counted by a plugin of QEMU (`bench/profile/plugin.c`) until Erlang's first line, and while a client asks for HTTP.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use trapless_tests::symbols;

use super::{
    Amount, CPUS, clients,
    data::{BootRun, RequestRun, Share},
    path::{C_SIDE, KERNEL},
    systems::{Frame, System},
};
use crate::bench::{counter::Counter, profile};

/// Functions that are named in the results.
const FUNCTIONS: usize = 12;

/// Executed instructions, by the first address of a piece of code.
type Counts = BTreeMap<u64, u64>;

/// Boots one image to Erlang's first line.
pub fn boot(system: &System, frame: &Frame) -> Result<BootRun> {
    let counter = Counter::new(&frame.folder)?;
    let _running = system.hello(frame, &counter.extra)?;
    let lines = profile::pieces(&counter.text()?)?;
    Ok(BootRun {
        system: system.name.clone(),
        instructions: lines.iter().map(|line| line.instructions * line.executions).sum(),
        translations: lines.iter().map(|line| line.translations).sum(),
        pieces: lines.len() as u64,
    })
}

/// How much longer the second load is than the first.
const LONGER: u32 = 3;

/// Counts the requests of every number of connections on one machine. Each is a load that takes a while and one that takes longer: what
/// there is more of in the second are requests alone, for both open and close the same connections.
pub fn requests(system: &System, frame: &Frame, amount: &Amount) -> Result<Vec<RequestRun>> {
    let counter = Counter::new(&frame.folder)?;
    let session = system.erlang(frame, CPUS, false, &counter.extra)?;
    let symbols = if system.is_image() { symbols::of(&system.symbols)? } else { BTreeMap::new() };
    let load = |connections, seconds| {
        let before = counts(&counter.text()?)?;
        let requests = clients::http(session.http, connections, seconds)?.requests;
        anyhow::Ok((more(counts(&counter.text()?)?, &before), requests))
    };
    let mut runs = Vec::new();
    for &connections in amount.connections {
        let (short, few) = load(connections, amount.load)?;
        let (long, many) = load(connections, amount.load * LONGER)?;
        ensure!(many > few, "{connections} connections: {many} requests in {LONGER} times the time of {few}");
        let (parts, functions) = sorted(&more(long, &short), &symbols);
        runs.push(RequestRun { system: system.name.clone(), connections, requests: many - few, parts, functions });
    }
    Ok(runs)
}

/// What there is more of than there was before.
fn more(mut counts: Counts, before: &Counts) -> Counts {
    for (address, count) in &mut counts {
        *count = count.saturating_sub(before.get(address).copied().unwrap_or(0));
    }
    counts
}

fn counts(text: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for piece in profile::pieces(text)? {
        *counts.entry(piece.address).or_default() += piece.instructions * piece.executions;
    }
    Ok(counts)
}

/// The parts, and the functions of the system that have most. Without `symbols` the system is Linux.
fn sorted(counts: &Counts, symbols: &BTreeMap<u64, String>) -> (BTreeMap<Share, u64>, Vec<(String, u64)>) {
    let mut parts = BTreeMap::new();
    let mut functions: BTreeMap<&str, u64> = BTreeMap::new();
    for (&address, &count) in counts {
        let name = symbols.range(..=address).next_back().map_or("", |(_, name)| name);
        let share = if symbols.is_empty() { in_linux(address) } else { in_image(address, name) };
        *parts.entry(share).or_default() += count;
        if share != Share::Erlang && !name.is_empty() {
            *functions.entry(name).or_default() += count;
        }
    }
    let mut functions: Vec<_> =
        functions.into_iter().map(|(name, count)| (without_hash(name).to_owned(), count)).collect();
    functions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    functions.truncate(FUNCTIONS);
    (parts, functions)
}

fn in_linux(address: u64) -> Share {
    if address < KERNEL { Share::Erlang } else { Share::System }
}

/// smoltcp, and what of it the compiler has put into its callers.
fn in_image(address: u64, name: &str) -> Share {
    match address {
        C_SIDE.. => Share::Erlang,
        _ if ["smoltcp::", "logic::net::"].iter().any(|module| name.contains(module)) => Share::Tcp,
        _ => Share::System,
    }
}

/// A Rust symbol without the hash at its end.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_sorted_by_where_it_is() {
        let counts =
            counts("100010 3 2 1\n100020 1 4 1\n200000 5 1 2\n400000 7 1 1\nffffffff81000000 2 2 1\n").unwrap();
        let symbols = [(0x10_0000, "smoltcp::x::h0123456789abcdef"), (0x20_0000, "other"), (0x40_0000, "beam")]
            .map(|(address, name)| (address, name.to_owned()))
            .into();
        let (parts, functions) = sorted(&counts, &symbols);
        assert_eq!(parts, [(Share::Erlang, 11), (Share::Tcp, 10), (Share::System, 5)].into());
        assert_eq!(functions, [("smoltcp::x".to_owned(), 10), ("other".to_owned(), 5)]);
        let (parts, functions) = sorted(&counts, &BTreeMap::new());
        assert_eq!(parts, [(Share::Erlang, 22), (Share::System, 4)].into());
        assert!(functions.is_empty() && super::counts("nonsense").is_err());
    }
}
