//! What the image tells about its system calls.

use anyhow::{Context, Result, ensure};
use trapless_tests::{erl, exit::Exit, image, machine::Machine, vm::Vm};

/// Switches counting on and off around a hundred reads, and prints how many were counted, what the histogram adds up to, and that
/// nothing is counted while it is off.
const COUNT: &str = r##"
    Path = "/proc/trapless/syscalls",
    Read = fun() ->
        {ok, Text} = file:read_file(Path),
        Words = [string:lexemes(Line, " ") || <<C, _/binary>> = Line <- string:lexemes(Text, "\n"), C =/= $#],
        #{Name => [binary_to_integer(N) || N <- Numbers] || [Name | Numbers] <- Words}
    end,
    Of = fun(Counters) -> lists:sum([hd(maps:get(Name, Counters, [0])) || Name <- [<<"pread64">>, <<"preadv">>]]) end,
    {ok, File} = file:open("/etc/hosts", [read, raw]),
    Work = fun() -> [{ok, _} = file:pread(File, 0, 1) || _ <- lists:seq(1, 100)] end,
    Work(),
    0 = maps:size(Read()),
    ok = file:write_file(Path, "on"),
    Before = Read(), Work(), After = Read(),
    ok = file:write_file(Path, "off"),
    Off = Read(), Work(), Off = Read(),
    io:format("counted ~p~n", [Of(After) - Of(Before)]),
    [Calls, Errors, Ns | Histogram] = maps:get(<<"openat">>, Off, maps:get(<<"open">>, Off, [])),
    true = Calls >= lists:sum(Histogram),
    true = Errors =< Calls,
    true = Ns > 0,
    32 = length(Histogram),
    {error, einval} = file:write_file(Path, "sometimes"),
    ok = file:write_file(Path, "reset"),
    0 = maps:size(Read()),
    halt(7).
"##;

#[test]
fn a_program_counts_its_system_calls() -> Result<()> {
    let code = COUNT.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut vm = Vm::boot("counters", &Machine { cpus: 2, append: erl(&code), ..Machine::new(image()) })?;
    vm.wait_for("counted 100")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(7), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// The last words of a machine that was asked for a summary are a table with the most expensive call first, and a call that never
/// returns is seen both there and in the trace.
#[test]
fn the_end_is_a_summary() -> Result<()> {
    let settings = "counters=summary trace=exit_group,readlink,clone";
    let machine = Machine { cpus: 2, append: format!("{settings} {}", erl("halt(3).")), ..Machine::new(image()) };
    let mut vm = Vm::boot("summary", &machine)?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(3), vm.fail(&format!("it ended with {exit:?}")));
    let lines = vm.console().lines();
    let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    ensure!(texts.iter().any(|line| line.ends_with("exit_group(3) = ?")), vm.fail("the end is not in the trace"));
    ensure!(texts.iter().any(|line| line.contains("clone(CLONE_VM|")), vm.fail("no thread is in the trace"));
    ensure!(!texts.iter().any(|line| line.contains("mmap(")), vm.fail("more is printed than what was asked for"));
    let head = texts.iter().position(|line| line.ends_with("system call")).context("there is no summary")?;
    let row = |line: &str| -> Option<(f64, u64, String)> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [total, _, calls, _, name] = words[..] else { return None };
        Some((total.parse().ok()?, calls.parse().ok()?, name.to_owned()))
    };
    let rows: Vec<_> = texts[head + 1..].iter().map_while(|line| row(line)).collect();
    ensure!(rows.is_sorted_by(|a, b| a.0 >= b.0), vm.fail("the summary is not in order"));
    let calls = |name| rows.iter().find(|row| row.2 == name).map_or(0, |row| row.1);
    ensure!(calls("exit_group") == 1, vm.fail("the end was not counted once"));
    ensure!(calls("clone") > 4 && calls("mmap") > 10, vm.fail("the summary misses calls"));
    Ok(())
}
