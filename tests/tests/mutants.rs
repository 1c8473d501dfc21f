//! Faults put in on purpose: a test that cannot see them proves nothing.

mod boundary_program;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use trapless_tests::{exit::Exit, machine::Machine, variant, vm::Vm};

fn image() -> Result<PathBuf> {
    variant::build("mutants", |cargo| {
        cargo.args(["--features", "mutants"]);
    })
}

/// Runs the sentinel with a fault in the libos.
fn run(mutant: &str) -> Result<(Exit, String, Vm)> {
    let append = format!("selftest=sentinel,10 mutant={mutant}");
    let mut vm = Vm::boot(&format!("mutant-{mutant}"), &Machine { cpus: 2, append, ..Machine::new(image()?) })?;
    let exit = vm.wait_exit()?;
    let said = vm.console().text();
    Ok((exit, said, vm))
}

/// The sentinel notices an interrupt that is taken on the interrupted stack, and a register that is lost when a thread goes on, unless
/// the machine has died of it before.
#[test]
fn the_sentinel_finds_what_is_put_in() -> Result<()> {
    for mutant in ["no-ist", "drop-reg"] {
        let (exit, said, vm) = run(mutant)?;
        let noticed = said.contains(" mismatches in ") || said.contains("*** unhandled exception");
        ensure!(noticed && exit != Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    }
    Ok(())
}

/// The sentinel that is a program notices the lost register as well, unless it or the libos, which is interrupted too, has died of it.
#[test]
fn the_program_notices_a_lost_register() -> Result<()> {
    let image = boundary_program::image("boundary-mutants", &["mutants"])?;
    let append = "selftest=storm mutant=drop-reg -- spinners".into();
    let mut vm = Vm::boot("mutant-program", &Machine { cpus: 2, append, ..Machine::new(image) })?;
    vm.wait_exit()?;
    let said = vm.console().text();
    let noticed = said.contains("mismatch: general registers") || said.contains("*** unhandled exception");
    ensure!(noticed, vm.fail("the lost register was not noticed"));
    Ok(())
}

/// Where the program runs in ring 3, the libos cannot touch its memory but in the place that is made for it.
#[test]
fn the_libos_is_kept_out_of_ring_3() -> Result<()> {
    let (exit, said, vm) = run("touch")?;
    let kept_out = said.contains("*** unhandled exception: page fault (vector 14, error 0x1)");
    let expected = if variant::entry() == "trap" { (Exit::Halted(70), true) } else { (Exit::Halted(0), false) };
    ensure!((exit.clone(), kept_out) == expected, vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}
