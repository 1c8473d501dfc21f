//! Erlang's shell on the serial console.

use anyhow::{Result, ensure};
use trapless_tests::{exit::Exit, image, machine::Machine, vm::Vm};

fn shell(name: &str) -> Result<Vm> {
    let mut vm = Vm::boot(name, &Machine { cpus: 2, append: "-- ".into(), ..Machine::new(image()) })?;
    vm.wait_for("Eshell V15")?;
    vm.wait_for("1> ")?;
    Ok(vm)
}

#[test]
fn an_expression_is_answered() -> Result<()> {
    let mut vm = shell("shell")?;
    vm.type_in("6 * 111.\r")?;
    vm.wait_for("666")?;
    vm.wait_for("2> ")?;
    vm.type_in("halt(11).\r")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(11), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// Backspace takes a character back, and the tab key completes a name.
#[test]
fn a_line_can_be_edited() -> Result<()> {
    let mut vm = shell("shell-editing")?;
    vm.type_in("7 * 111x\x7f.\r")?;
    vm.wait_for("777")?;
    vm.wait_for("2> ")?;
    vm.type_in("erlang:integer_to_l\t")?;
    vm.wait_for("integer_to_list(")?;
    vm.type_in("888888).\r")?;
    vm.wait_for("\"888888\"")?;
    Ok(())
}

/// Ctrl-C brings the break menu, whose `a` ends the node.
#[test]
fn control_c_brings_the_menu() -> Result<()> {
    let mut vm = shell("shell-break")?;
    vm.type_in("\x03")?;
    vm.wait_for("BREAK: (a)bort")?;
    vm.type_in("a\r")?;
    let exit = vm.wait_exit()?;
    ensure!(matches!(exit, Exit::Halted(_)), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}
