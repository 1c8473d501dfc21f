//! Faults put in on purpose: a test that cannot see them proves nothing.

use anyhow::{Result, ensure};
use trapless_tests::{exit::Exit, machine::Machine, variant, vm::Vm};

/// The sentinel notices an interrupt that is taken on the interrupted stack, and a register that is lost when a thread goes on, unless
/// the machine has died of it before.
#[test]
fn the_sentinel_finds_what_is_put_in() -> Result<()> {
    let image = variant::build("mutants", |cargo| {
        cargo.args(["--features", "mutants"]);
    })?;
    for mutant in ["no-ist", "drop-reg"] {
        let append = format!("selftest=sentinel,10 mutant={mutant}");
        let machine = Machine { cpus: 2, append, ..Machine::new(&image) };
        let mut vm = Vm::boot(&format!("mutant-{mutant}"), &machine)?;
        let exit = vm.wait_exit()?;
        let said = vm.console().text();
        let noticed = said.contains(" mismatches in ") || said.contains("*** unhandled exception");
        ensure!(noticed && exit != Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    }
    Ok(())
}
