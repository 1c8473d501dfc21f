//! Memory: the image's own test of it, on machines of all sizes and on both sizes of large pages.

use anyhow::{Result, ensure};
use trapless_tests::exit::Exit;
use trapless_tests::image;
use trapless_tests::machine::{Kind, Machine};
use trapless_tests::vm::Vm;

fn passes(kind: Kind, cpus: u32, memory: u32, cpu: Option<&str>) -> Result<()> {
    let cpu = cpu.map(str::to_owned);
    let machine = Machine { kind, cpus, memory, cpu, append: "selftest=memory".into(), ..Machine::new(image()) };
    let mut vm = Vm::boot(&format!("memory-{kind}-{cpus}-{memory}"), &machine)?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// Little memory: it runs out within the test.
#[test]
fn a_small_machine() -> Result<()> {
    Kind::ALL.into_iter().try_for_each(|kind| passes(kind, 2, 48, None))
}

/// The low window for generated code is squeezed out, and 2 MiB pages are used for the program.
#[test]
fn a_machine_with_2_gib() -> Result<()> {
    passes(Kind::Q35, 8, 2200, Some("max"))
}

/// Memory above 4 GiB, mapped in pages of 2 MiB (QEMU's default CPU) and of 1 GiB.
#[test]
fn memory_beyond_4_gib() -> Result<()> {
    passes(Kind::Pc, 2, 5000, None)?;
    passes(Kind::Microvm, 4, 5000, Some("max"))
}
