//! The profiler: what is busy is seen, by its name and with its callers.

use anyhow::{Context, Result, ensure};
use trapless_tests::{exit::Exit, image, machine::Machine, nodes::runs, vm::Vm};

/// Keeps `lists:sum/2` busy for two seconds.
const BUSY: &str = "
    L = lists:seq(1, 100000), End = erlang:monotonic_time(millisecond) + 2000,
    F = fun F() -> lists:sum(L), erlang:monotonic_time(millisecond) < End andalso F() end, F()";

/// A thread and its stack, and how often it was seen.
struct Stack<'a> {
    frames: Vec<&'a str>,
    count: u64,
}

fn stacks(lines: &str) -> Vec<Stack<'_>> {
    let lines = lines.lines().filter_map(|line| line.trim_end().split_once("profile: ").map(|(_, line)| line));
    let parsed = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    parsed
        .filter_map(|(stack, count)| Some(Stack { frames: stack.split(';').collect(), count: count.parse().ok()? }))
        .collect()
}

/// Boots to `halt(0)`.
fn console(name: &str, append: String, cpus: u32) -> Result<String> {
    let mut vm = Vm::boot(name, &Machine { cpus, append, ..Machine::new(image()) })?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    Ok(vm.console().text())
}

#[test]
fn a_busy_function_is_seen_at_the_end() -> Result<()> {
    for cpus in [1, 2] {
        let name = format!("profile-{cpus}");
        let console = console(&name, format!("profile=199 {}", runs(&format!("{BUSY}, halt(0)."), "")), cpus)?;
        let stacks = stacks(&console);
        let all: u64 = stacks.iter().map(|stack| stack.count).sum();
        let busy: Vec<&Stack<'_>> = stacks.iter().filter(|stack| stack.frames.last() == Some(&"lists:sum/2")).collect();
        let seen: u64 = busy.iter().map(|stack| stack.count).sum();
        // Two seconds at most 199 times each; a busy host's are fewer.
        ensure!(seen >= 20 && seen <= all, "{name}: of {all} samples {seen} are of the busy function:\n{console}");
        let called = busy.iter().filter(|stack| stack.frames.iter().any(|frame| frame.starts_with("erl_eval:")));
        let called: u64 = called.map(|stack| stack.count).sum();
        ensure!(called * 2 > seen, "{name}: its callers are not known:\n{console}");
        ensure!(busy.iter().all(|stack| stack.frames[0].contains("sched")), "{name}: in other threads:\n{console}");
        ensure!(stacks.iter().any(|stack| stack.frames[1..].iter().any(|frame| frame.starts_with("0x"))), "no C code");
    }
    Ok(())
}

/// The same from within, with more that can be asked; and nothing of it while it is off.
#[test]
fn a_program_profiles_itself() -> Result<()> {
    let code = format!(
        "P = \"/proc/trapless/profile\", Read = fun() -> {{ok, T}} = file:read_file(P), io:format(\"=~b~n\", [length(string:split(T, \"\\n\", all))]) end,
         Read(), {{error, einval}} = file:write_file(P, \"0\"), {{error, einval}} = file:write_file(P, \"x\"),
         ok = file:write_file(P, \"99\"), {BUSY}, Read(), ok = file:write_file(P, \"off\"), Read(), ok = file:write_file(P, \"reset\"),
         Read(), halt(0)."
    );
    let console = console("profile-self", runs(&code, "+JPperf map"), 2)?;
    ensure!(!console.contains("profile: "), "it prints a profile: {console}");
    let lengths: Vec<u64> =
        console.lines().filter_map(|line| line.trim_end().strip_prefix('=')?.parse().ok()).collect();
    let [before, busy, off, reset] = lengths[..] else { anyhow::bail!("it says {lengths:?}: {console}") };
    // The heading, and what follows the last line.
    ensure!(before == 2 && busy > 2 && off >= busy && reset == 2, "it says {lengths:?}: {console}");
    Ok(())
}

#[test]
fn a_wrong_rate_is_refused() -> Result<()> {
    let mut vm = Vm::boot("profile-wrong", &Machine { append: "profile=5000".into(), ..Machine::new(image()) })?;
    vm.wait_exit()?;
    let text = vm.console().text();
    text.contains("profile=5000: it takes HZ").then_some(()).context("it is not refused")
}
