//! What the library OS tells about itself in /proc/trapless.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use trapless_tests::{exit::Exit, image, machine::Machine, nodes::runs, vm::Vm};

/// Prints each of the files, between marks, when there is something to tell: threads have run, memory is used.
const SHOW: &str = "
    ok = file:write_file(\"/proc/trapless/syscalls\", \"on\"),
    [{error, einval} = file:write_file(\"/proc/trapless/signal\", No) || No <- [\"0\", \"65\", \"TERM\"]],
    {ok, S} = gen_tcp:listen(7000, []), timer:sleep(50), {ok, _} = gen_tcp:connect(\"localhost\", 7000, []),
    [begin {ok, Text} = file:read_file(\"/proc/trapless/\" ++ Name), io:format(\"=begin ~s~n~s=end~n\", [Name, Text]) end
     || Name <- [\"threads\", \"cpus\", \"sched\", \"syscalls\", \"interrupts\", \"memory\", \"net\", \"clock\", \"power\", \"signal\"]],
    halt(0).";

/// The lines of each file.
fn files(console: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = None;
    for line in console.lines().map(str::trim_end) {
        match (line.strip_prefix("=begin "), name) {
            (Some(begun), _) => name = Some(begun),
            (None, Some(_)) if line == "=end" => name = None,
            (None, Some(name)) => files.entry(name).or_default().push(line),
            (None, None) => {}
        }
    }
    files
}

/// A table with a heading: its rows, by the names of the columns.
fn table<'a>(lines: &[&'a str]) -> Result<Vec<BTreeMap<&'a str, &'a str>>> {
    let (heading, rows) = lines.split_first().context("it is empty")?;
    let names: Vec<&str> = heading.split_whitespace().collect();
    rows.iter()
        .map(|row| {
            let words: Vec<&str> = row.split_whitespace().collect();
            ensure!(words.len() == names.len(), "{row:?} has not the columns {names:?}");
            Ok(names.iter().copied().zip(words).collect())
        })
        .collect()
}

/// Lines of a name and a number.
fn numbers<'a>(lines: &[&'a str]) -> BTreeMap<&'a str, u64> {
    lines.iter().filter_map(|line| line.split_once(' ').and_then(|(name, n)| Some((name, n.parse().ok()?)))).collect()
}

#[test]
fn the_library_os_tells_about_itself() -> Result<()> {
    let mut vm = Vm::boot("reports", &Machine { cpus: 2, append: runs(SHOW, ""), ..Machine::new(image()) })?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    let console = vm.console().text();
    let files = files(&console);
    let file = |name: &str| files.get(name).with_context(|| format!("there is no {name}:\n{console}"));

    let threads = table(file("threads")?)?;
    let ran = |name: &str| threads.iter().any(|thread| thread["name"].starts_with(name) && thread["cpu_ns"] != "0");
    ensure!(ran("beam.smp") && ran("erts_sched_1") && ran("erts_sched_2"), "threads: {threads:?}");

    let interrupts = file("interrupts")?;
    ensure!(interrupts[0].split_whitespace().eq(["CPU0", "CPU1"]), "interrupts: {interrupts:?}");
    // The counts of both CPUs, of those lines whose label is wanted.
    let sum = |is_wanted: &dyn Fn(&str) -> bool| -> u64 {
        let lines =
            interrupts.iter().filter_map(|line| line.split_once(':')).filter(|(label, _)| is_wanted(label.trim()));
        lines
            .flat_map(|(_, counts)| counts.split_whitespace().take(2))
            .filter_map(|count| count.parse::<u64>().ok())
            .sum()
    };
    let (timer, wake) = (sum(&|label| label == "timer"), sum(&|label| label == "wake"));
    let devices = sum(&|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    ensure!(timer > 0 && wake > 0 && devices > 0, "interrupts: {interrupts:?}");
    let traps: u64 = table(file("cpus")?)?.iter().filter_map(|cpu| cpu["traps"].parse::<u64>().ok()).sum();
    ensure!(traps > timer + wake, "{traps} traps are fewer than the interrupts");

    ensure!(numbers(file("sched")?).get("waking_ns").is_some_and(|&ns| ns > 0), "sched: {:?}", file("sched")?);

    let memory = numbers(file("memory")?);
    let bytes = |name: &str| memory.get(name).copied().with_context(|| format!("there is no {name} in {memory:?}"));
    ensure!((100 << 20..256 << 20).contains(&bytes("total")?), "memory: {memory:?}");
    ensure!(bytes("free")? < bytes("total")? && bytes("reserved")? < bytes("free")?, "memory: {memory:?}");
    ensure!(bytes("libos_chunks")? > 0 && bytes("libos_pools")? > 0, "memory: {memory:?}");
    ensure!(bytes("libos_chunks")? + bytes("libos_pools")? < bytes("total")? - bytes("free")?, "memory: {memory:?}");
    ensure!(bytes("program_mapped")? > 1 << 20, "memory: {memory:?}");

    ensure!(numbers(file("net")?).get("sockets").is_some_and(|&sockets| sockets >= 2), "net: {:?}", file("net")?);
    ensure!(file("syscalls")?.iter().any(|line| line.starts_with("openat ") || line.starts_with("open ")), "syscalls");
    ensure!(numbers(file("clock")?).get("realtime_ns").is_some_and(|&now| now > 1_700_000_000_000_000_000), "clock");
    ensure!(file("power")?[..] == ["watchers 0"], "power");
    ensure!(file("signal")?[..] == ["pending 0000000000000000"], "signal");
    Ok(())
}
