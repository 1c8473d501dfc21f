//! The time of the day is kept by a server, and Erlang's time follows in each of its ways.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    deadline, image,
    machine::Machine,
    nodes::runs,
    ntp::{Answers, Ntp},
    vm::Vm,
};

const DAY: Duration = Duration::from_secs(86400);
/// Every machine has been asked something within this time, and this host has said something.
const SLACK: i128 = 60_000;

/// Waits until the server has been asked this often since it was set.
fn asked(server: &Ntp, times: u32, vm: &Vm) -> Result<()> {
    let give_up = Instant::now() + deadline();
    while server.asked() < times {
        ensure!(Instant::now() < give_up, vm.fail("it asks for the time no more"));
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A machine that asks a server which only later begins to answer: the clock is set under a running Erlang, a day ahead.
fn day_ahead(name: &str, code: &str, flags: &str) -> Result<Vm> {
    let server = Ntp::start()?;
    let append = format!("ntp=10.0.2.2:{} log=info {}", server.port(), runs(code, flags));
    let mut vm = Vm::boot(name, &Machine { cpus: 2, append, ..Machine::new(image()) })?;
    vm.wait_for("=up")?;
    server.set(Answers::Forged);
    asked(&server, 1, &vm)?;
    server.set(Answers::Ahead(DAY));
    let line = vm.wait_for(" ms, says 10.0.2.2:")?.text;
    let ms = line.split_once("off by ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<i128>().ok());
    let ms = ms.with_context(|| format!("no number in {line:?}"))?;
    ensure!((ms - DAY.as_millis().cast_signed()).abs() < SLACK, vm.fail("it was set to another time"));
    // The server lives until here: the machine has what it wants.
    Ok(vm)
}

/// Erlang's clock, which is not to jump, goes on; the system's is the server's.
#[test]
fn a_clock_is_set_and_erlang_goes_on() -> Result<()> {
    let code = "
        Before = erlang:system_time(millisecond), At = os:perf_counter(1000), io:format(\"=up~n\"),
        F = fun F() -> case os:system_time(millisecond) - Before > 40000000 of true -> ok; false -> timer:sleep(100), F() end end, F(),
        timer:sleep(2000), Passed = os:perf_counter(1000) - At, Off = erlang:system_time(millisecond) - Before - Passed,
        true = abs(Off) < 1000 + Passed div 50,
        {ok, Text} = file:read_file(\"/proc/trapless/clock\"), [_, _] = string:split(Text, \"steps 1\\n\"),
        io:format(\"=time ~b ms~n\", [os:system_time(millisecond)]).";
    let mut vm = day_ahead("clock-kept", code, "")?;
    let line = vm.wait_for(" ms")?.text;
    let there: i128 = line
        .trim_start_matches("=time ")
        .trim_end_matches(" ms")
        .parse()
        .with_context(|| format!("no time: {line:?}"))?;
    let here = (SystemTime::now().duration_since(UNIX_EPOCH)? + DAY).as_millis().cast_signed();
    ensure!((there - here).abs() < SLACK, vm.fail(&format!("it is {there}, and should be {here}")));
    Ok(())
}

/// Erlang's clock, which may jump, follows.
#[test]
fn a_clock_is_set_and_erlang_follows() -> Result<()> {
    let code = "
        erlang:monitor(time_offset, clock_service), io:format(\"=up~n\"),
        receive {'CHANGE', _, time_offset, clock_service, _} -> ok end,
        Off = erlang:system_time(millisecond) - os:system_time(millisecond), true = abs(Off) < 2000,
        io:format(\"=followed~n\").";
    let mut vm = day_ahead("clock-warp", code, "+C multi_time_warp")?;
    vm.wait_for("=followed").map(drop)
}

#[test]
fn what_is_no_server_is_named() -> Result<()> {
    for server in ["time.example.org", "10.0.2.2:0", "0.0.0.0", ""] {
        let mut vm = Vm::boot("clock-refused", &Machine { append: format!("ntp={server}"), ..Machine::new(image()) })?;
        vm.wait_exit()?;
        let wanted = format!("ntp={server}: it takes ADDRESS[:PORT][,...]");
        ensure!(vm.console().text().contains(&wanted), vm.fail(&format!("it does not say {wanted:?}")));
    }
    Ok(())
}
