//! Erlang's shell on the serial console: what is typed is edited by OTP's own line editor, so these keys are the ones of its
//! documentation (`shell`, `edlin`).

use anyhow::{Result, ensure};
use trapless_tests::{exit::Exit, image, machine::Machine, vm::Vm};

const LEFT: &str = "\x1b[D";
const UP: &str = "\x1b[A";
/// To the beginning of the line, to its end, and cut what follows.
const CTRL_A: &str = "\x01";
const CTRL_E: &str = "\x05";
const CTRL_K: &str = "\x0b";
const CTRL_C: &str = "\x03";
const CTRL_G: &str = "\x07";

fn shell(name: &str, append: &str) -> Result<Vm> {
    let mut vm = Vm::boot(name, &Machine { cpus: 2, append: append.into(), ..Machine::new(image()) })?;
    vm.wait_for("Eshell V15")?;
    vm.wait_for("1> ")?;
    Ok(vm)
}

/// Types and waits for an answer, which must not be a part of what was typed: the shell echoes that.
fn answers(vm: &mut Vm, typed: &str, answer: &str) -> Result<()> {
    vm.type_in(typed)?;
    vm.type_in("\r")?;
    vm.wait_for(answer)?;
    vm.wait_for("> ")?;
    Ok(())
}

#[test]
fn an_expression_is_answered() -> Result<()> {
    let mut vm = shell("shell", "-- ")?;
    answers(&mut vm, "6 * 111.", "666")?;
    vm.type_in("halt(11).\r")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(11), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

#[test]
fn a_line_can_be_edited() -> Result<()> {
    let mut vm = shell("shell-editing", "-- ")?;
    answers(&mut vm, "7 * 111x\x7f.", "777")?;
    answers(&mut vm, &format!("3 * .{LEFT}111"), "333")?;
    answers(&mut vm, &format!("* 11{CTRL_A}5{CTRL_E}1."), "555")?;
    answers(&mut vm, &format!("4 * 111.?? {LEFT}{LEFT}{LEFT}{CTRL_K}"), "444")?;
    // The line before the last one, again. The shell forgets what is typed while it looks for an older line, also on Linux.
    for line in ["4 * 111.", "5* 111."] {
        vm.type_in(UP)?;
        vm.wait_for(line)?;
    }
    answers(&mut vm, &format!("{CTRL_A}1 + "), "556")?;
    // Characters of more than one byte are taken back whole.
    answers(&mut vm, "hd(\"€é\x7f\") + 1.", "8365")
}

#[test]
fn the_tab_key_completes_a_name() -> Result<()> {
    let mut vm = shell("shell-tab", "-- ")?;
    vm.type_in("erlang:integer_to_l\t")?;
    vm.wait_for("ist(")?;
    answers(&mut vm, "888 * 1001).", "\"888888\"")?;
    // Where there are several, they are listed.
    vm.type_in("lists:key\t")?;
    vm.wait_for("keyreplace(")?;
    Ok(())
}

#[test]
fn the_window_is_as_large_as_it_was_said_to_be() -> Result<()> {
    answers(&mut shell("shell-window", "-- ")?, "io:columns().", "{ok,80}")?;
    let mut vm = shell("shell-window-set", "window=132x50 -- ")?;
    answers(&mut vm, "io:columns().", "{ok,132}")?;
    answers(&mut vm, "io:rows().", "{ok,50}")
}

/// A terminal the library does not know gets the shell that reads plain lines.
#[test]
fn an_unknown_terminal_gets_the_plain_shell() -> Result<()> {
    let mut vm = shell("shell-plain", "env=TERM=typewriter -- ")?;
    answers(&mut vm, "6 * 112\x7f1.", "666")
}

/// Ctrl-C brings the break menu: `v` and others tell something and go on, `c` just goes on, `a` ends the node.
#[test]
fn control_c_brings_the_menu() -> Result<()> {
    let mut vm = shell("shell-break", "-- ")?;
    vm.type_in(CTRL_C)?;
    vm.wait_for("BREAK: (a)bort")?;
    vm.type_in("v\r")?;
    vm.wait_for("emulator version")?;
    answers(&mut vm, "7 * 111.", "777")?;
    vm.type_in(CTRL_C)?;
    vm.wait_for("BREAK: (a)bort")?;
    vm.type_in("c\r")?;
    answers(&mut vm, "6 * 111.", "666")?;
    // Also while something is being evaluated. Ctrl-C discards what was typed before it and is not read yet; if it does so just when
    // Erlang's reader of the terminal has been told that there is something, the reader blocks, and swallows the answer to the menu
    // (on Linux, too). So not before the line has been read.
    vm.type_in("io:put_chars(\"lo\" ++ \"oping\"), (fun Loop() -> Loop() end)().\r")?;
    vm.wait_for("looping")?;
    vm.type_in(CTRL_C)?;
    vm.wait_for("BREAK: (a)bort")?;
    vm.type_in("a\r")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// Ctrl-G brings the job menu: a stuck evaluation is interrupted, a second shell started, and the node ended.
#[test]
fn control_g_brings_the_jobs() -> Result<()> {
    let mut vm = shell("shell-jobs", "-- ")?;
    vm.type_in("receive after infinity -> ok end.\r")?;
    vm.type_in(CTRL_G)?;
    vm.wait_for("-->")?;
    vm.type_in("i\r")?;
    vm.wait_for("-->")?;
    vm.type_in("c\r")?;
    vm.wait_for("exception exit: killed")?;
    answers(&mut vm, "6 * 111.", "666")?;
    vm.type_in(CTRL_G)?;
    vm.wait_for("-->")?;
    vm.type_in("s\r")?;
    vm.wait_for("-->")?;
    vm.type_in("j\r")?;
    vm.wait_for("2* {shell")?;
    vm.wait_for("-->")?;
    vm.type_in("q\r")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}
