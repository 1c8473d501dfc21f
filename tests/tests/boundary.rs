//! What the program can do to the library OS where a boundary lies between them, and what it finds in its registers behind it.

mod boundary_program;

use std::{path::PathBuf, sync::OnceLock};

use anyhow::{Result, anyhow, ensure};
use trapless_tests::{exit::Exit, machine::Machine, variant, vm::Vm};

/// The status of a machine that died.
const DIED: Exit = Exit::Halted(70);

/// Page fault error codes (Intel SDM vol. 3, 4.7): of ring 3, in a page that is there.
const LOAD: &str = "page fault (vector 14, error 0x5)";
const STORE: &str = "page fault (vector 14, error 0x7)";
const JUMP: &str = "page fault (vector 14, error 0x15)";
const PROTECTION: &str = "general protection (vector 13, ";

/// What a program in ring 3 is stopped from doing, and by what.
const FORBIDDEN: [(&str, &str); 18] = [
    ("load-text", LOAD),
    ("load-data", LOAD),
    ("load-rootfs", LOAD),
    ("load-heap", LOAD),
    ("load-stacks", LOAD),
    ("load-registers", LOAD),
    ("store-data", STORE),
    ("jump-text", JUMP),
    ("cli", PROTECTION),
    ("hlt", PROTECTION),
    ("out", PROTECTION),
    ("swapgs", PROTECTION),
    ("read-cr3", PROTECTION),
    ("wrmsr", PROTECTION),
    ("int3", "breakpoint (vector 3, error 0x0)"),
    ("int-page-fault", PROTECTION),
    ("stack-pointer", STORE),
    ("trap-flag", "debug (vector 1, error 0x0)"),
];

/// The image with the program, built once.
fn image() -> Result<&'static PathBuf> {
    static IMAGE: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    IMAGE
        .get_or_init(|| boundary_program::image("boundary", &[]).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|text| anyhow!("{text}"))
}

/// Boots the program for one deed; how it ended, and what it said.
fn run(deed: &str, machine: Machine) -> Result<(Exit, String, Vm)> {
    let append = format!("{} -- {deed}", machine.append);
    let mut vm = Vm::boot(&format!("boundary-{deed}"), &Machine { append, ..machine })?;
    let exit = vm.wait_exit()?;
    let said = vm.console().text();
    Ok((exit, said, vm))
}

/// The program comes to its end and has nothing to complain of.
fn is_content(deed: &str, machine: Machine) -> Result<()> {
    let (exit, said, vm) = run(deed, machine)?;
    let words: Vec<_> = said.lines().map(str::trim_end).filter(|line| !line.starts_with("trapless: ")).collect();
    let end = format!("{deed} end");
    let content = words.iter().filter(|line| !line.is_empty()).eq([&end.as_str()]);
    ensure!(exit == Exit::Halted(0) && content, vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

#[test]
fn the_library_os_is_no_memory_for_system_calls() -> Result<()> {
    is_content("pointers", Machine::new(image()?))
}

/// As the sentinel finds in the libos, under the same interrupts; also on a processor with fewer registers.
#[test]
fn interrupts_leave_a_program_as_it_was() -> Result<()> {
    let machine = Machine { append: "selftest=storm".into(), ..Machine::new(image()?) };
    is_content("spinners", machine.clone())?;
    is_content("spinners", Machine { cpus: 8, ..machine.clone() })?;
    is_content("spinners", Machine { cpu: Some("qemu64".into()), cpus: 2, ..machine })
}

#[test]
fn a_system_call_keeps_registers_and_flags() -> Result<()> {
    if variant::entry() == "direct" {
        // There it is a function call, which the compiler knows all about.
        return Ok(());
    }
    is_content("registers", Machine { cpus: 2, ..Machine::new(image()?) })
}

/// Also on a processor without what makes the boundary stricter or GS easier to change.
#[test]
fn flags_and_gs_of_the_program_do_no_harm() -> Result<()> {
    if variant::entry() != "trap" {
        return Ok(());
    }
    is_content("hostile", Machine { cpus: 2, ..Machine::new(image()?) })?;
    is_content("hostile", Machine { cpu: Some("qemu64".into()), ..Machine::new(image()?) })
}

#[test]
fn ring_3_is_kept_out() -> Result<()> {
    if variant::entry() != "trap" {
        return Ok(());
    }
    for (deed, fault) in FORBIDDEN {
        let (exit, said, vm) = run(deed, Machine::new(image()?))?;
        let told = said.contains(&format!("*** unhandled exception of the program: {fault}"));
        ensure!(exit == DIED && told, vm.fail(&format!("{deed} ended with {exit:?}")));
    }
    Ok(())
}
