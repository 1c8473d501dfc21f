//! A machine that starts over: because Erlang asks for it, and by `heart` because Erlang no longer can.

use anyhow::{Result, ensure};
use serde_json::json;
use trapless_tests::{erl, exit::Exit, image, machine::Machine, vm::Vm};

/// A machine that runs a piece of Erlang, by these further arguments.
fn machine(code: &str, flags: &str) -> Machine {
    Machine { cpus: 2, append: format!("{} {flags}", erl(code)), ..Machine::new(image()) }
}

/// Boots to the end, and looks for lines on the console. QEMU ends where a machine starts over, as if it had been switched off.
fn ends(name: &str, machine: &Machine, exit: &Exit, lines: &[&str]) -> Result<String> {
    let mut vm = Vm::boot(name, machine)?;
    let ended = vm.wait_exit()?;
    let console = vm.console().text();
    ensure!(ended == *exit, vm.fail(&format!("it ended with {ended:?}")));
    for line in lines {
        ensure!(console.contains(line), vm.fail(&format!("the console does not say {line:?}")));
    }
    Ok(console)
}

#[test]
fn a_node_that_no_longer_beats_is_started_again() -> Result<()> {
    // The process that beats is stopped, and everything else goes on.
    let code = r#"io:format("=up~n"), erlang:suspend_process(whereis(heart)), timer:sleep(infinity)."#;
    let mut vm = Vm::boot("heart-silent", &machine(code, "-heart -env HEART_BEAT_TIMEOUT 11"))?;
    vm.wait_for("=up")?;
    vm.monitor()?.command("set-action", json!({ "reboot": "reset" }))?;
    vm.wait_for("heart: heart-beat time-out, no activity for")?;
    vm.wait_for("heart: the machine starts over")?;
    vm.wait_for("=up").map(drop)
}

#[test]
fn an_end_that_was_not_announced_is_a_start() -> Result<()> {
    let over = |status| format!("trapless: the program has ended with status {status}: the machine starts over");
    ends("heart-halt", &machine("halt(3).", "-heart"), &Exit::PoweredOff, &[&over(3)])?;
    ends("heart-reboot", &machine("init:reboot().", "-heart"), &Exit::PoweredOff, &[&over(0)])?;
    // No dump is written, for it would be lost, unless time is given for it.
    let crash = machine(r#"erlang:halt("=crash")."#, "-heart");
    let console = ends("heart-crash", &crash, &Exit::PoweredOff, &["starts over"])?;
    ensure!(!console.contains("Crash dump is being written"), "it says: {console}");
    Ok(())
}

#[test]
fn an_end_that_was_announced_is_one() -> Result<()> {
    ends("heart-stop", &machine("init:stop().", "-heart"), &Exit::Halted(0), &[])?;
    ends("heart-stop-status", &machine("init:stop(5).", "-heart"), &Exit::Halted(5), &[])?;
    // And without heart, so is every other.
    ends("heart-none", &machine("init:reboot().", ""), &Exit::Halted(0), &[]).map(drop)
}

#[test]
fn commands_are_kept_and_power_is_at_hand() -> Result<()> {
    let code = r#"
        {ok, "there"} = heart:get_cmd(), ok = heart:set_cmd("own"), {ok, "own"} = heart:get_cmd(),
        ok = heart:clear_cmd(), {ok, "there"} = heart:get_cmd(),
        {ok, <<"watchers 1\n">>} = file:read_file("/proc/trapless/power"),
        {error, einval} = file:write_file("/proc/trapless/power", "explode"),
        ok = heart:cycle(), timer:sleep(500), {ok, <<"watchers 1\n">>} = file:read_file("/proc/trapless/power"),
        io:format("=done~n"), file:write_file("/proc/trapless/power", "restart").
    "#;
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let machine = machine(&code, "-heart -env HEART_COMMAND there");
    ends("heart-commands", &machine, &Exit::PoweredOff, &["=done"]).map(drop)
}

/// `init:restart/0` starts Erlang anew in a machine that goes on: its files are still there.
#[test]
fn erlang_starts_again_in_the_same_machine() -> Result<()> {
    let code = r#"
        case file:read_file("/tmp/times") of
            {ok, <<"12">>} -> halt(7);
            Read ->
                Times = case Read of {ok, Text} -> Text; _ -> <<>> end,
                ok = file:write_file("/tmp/times", [Times, integer_to_list(byte_size(Times) + 1)]),
                init:restart()
        end.
    "#;
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    ends("heart-restart", &machine(&code, ""), &Exit::Halted(7), &[])?;
    ends("heart-restart-heart", &machine(&code.replace("halt(7)", "init:stop(7)"), "-heart"), &Exit::Halted(7), &[])
        .map(drop)
}
