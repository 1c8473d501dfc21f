//! The image boots on every machine type, with few and many CPUs, in little and much memory.

use anyhow::{Result, ensure};
use trapless_tests::{
    erl,
    exit::Exit,
    image, load,
    machine::{ECHO_PORT, Kind, Machine},
    vm::{READY, Vm},
};

const ASK: &str = r#"io:format("~p ~p ~p~n", [erlang:system_info(schedulers_online), erlang:system_info(emu_flavor), erlang:system_info(otp_release)]), halt(7)."#;

/// Boots, asks Erlang how many CPUs it sees, and looks at the status that comes out.
fn boots(kind: Kind, cpu: Option<&str>, cpus: u32, memory: u32) -> Result<()> {
    let machine =
        Machine { kind, cpu: cpu.map(str::to_owned), cpus, memory, append: erl(ASK), ..Machine::new(image()) };
    let name = format!("boot-{kind}-{}-{cpus}cpu-{memory}m", cpu.unwrap_or("default"));
    let mut vm = Vm::boot(&name, &machine)?;
    vm.wait_for(&format!("{cpus} jit \"27\""))?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(7), vm.fail(&format!("it ended with {exit:?} and not with status 7")));
    Ok(())
}

macro_rules! boots {
    ($($name:ident: $kind:ident, $cpu:expr, $cpus:literal, $memory:literal;)*) => {
        $(#[test] fn $name() -> Result<()> { boots(Kind::$kind, $cpu, $cpus, $memory) })*
    };
}

boots! {
    q35_1_cpu: Q35, Some("max"), 1, 256;
    q35_2_cpus: Q35, Some("max"), 2, 256;
    q35_8_cpus: Q35, Some("max"), 8, 512;
    q35_16_cpus: Q35, Some("max"), 16, 512;
    q35_default_cpu: Q35, None, 2, 128;
    q35_beyond_4_gib: Q35, Some("max"), 2, 6144;
    q35_odd_memory: Q35, Some("max"), 3, 193;
    pc_1_cpu: Pc, Some("max"), 1, 256;
    pc_4_cpus: Pc, Some("max"), 4, 256;
    pc_default_cpu: Pc, None, 1, 128;
    microvm_1_cpu: Microvm, Some("max"), 1, 256;
    microvm_8_cpus: Microvm, Some("max"), 8, 512;
    microvm_default_cpu: Microvm, None, 1, 128;
}

/// Plain machines, as somebody would type them, serve at once: no options but the image and a forwarded port.
fn serves(kind: Kind) -> Result<()> {
    let machine = Machine { kind, cpu: None, memory: 128, ..Machine::new(image()) };
    let vm = Vm::serve(&format!("serve-{kind}"), &machine)?;
    load::echo_half_closed(&mut vm.connect(ECHO_PORT)?, b"hi\n")
}

#[test]
fn q35_serves() -> Result<()> {
    serves(Kind::Q35)
}

#[test]
fn pc_serves() -> Result<()> {
    serves(Kind::Pc)
}

#[test]
fn microvm_serves() -> Result<()> {
    serves(Kind::Microvm)
}

/// Arguments of one's own can still name the default application, and its banner tells the truth about CPUs.
#[test]
fn the_banner_counts_the_cpus() -> Result<()> {
    let machine = Machine { cpus: 3, append: "-- -noshell -s trapless_echo".into(), ..Machine::new(image()) };
    let mut vm = Vm::boot("banner", &machine)?;
    let line = vm.wait_for(READY)?;
    ensure!(line.text.starts_with("Trapless: Erlang/OTP 27 on 3 CPUs"), vm.fail("the banner is not what it should be"));
    Ok(())
}

/// Both ways to wait for a futex: blocking from the start, or spinning until the boot has opened its files.
#[test]
fn either_futex_policy_serves() -> Result<()> {
    // By the first, who waits asks again and again. With more CPUs than the host has, those that wait take the host from those that work.
    for (policy, cpus) in [("seed", 1), ("seed", 2), ("block", 8)] {
        let machine = Machine { cpus, append: format!("futex={policy}"), ..Machine::new(image()) };
        let vm = Vm::serve(&format!("futex-{policy}-{cpus}"), &machine)?;
        load::echo(&vm.connect(ECHO_PORT)?, b"hi\n")?;
    }
    Ok(())
}

/// The boot chart is on the console, up to the moment when somebody can connect.
#[test]
fn the_boot_chart_names_phases_and_files() -> Result<()> {
    let vm = Vm::serve("bootchart", &Machine { append: "bootchart=on".into(), ..Machine::new(image()) })?;
    let console = vm.console().text();
    for line in ["us boot CPU up", "us first thread", "/ebin/gen_tcp.beam", "us listening"] {
        ensure!(console.contains(line), vm.fail(&format!("the chart lacks {line:?}")));
    }
    Ok(())
}

/// Modules that were loaded in parallel, before there was a code server, are known to it with their files.
#[test]
fn the_code_server_knows_what_was_loaded_first() -> Result<()> {
    let code = r#"io:format("~p~n", [code:is_loaded(gb_trees)]), halt(7)."#;
    let mut vm = Vm::boot("loaded-first", &Machine { cpus: 2, append: erl(code), ..Machine::new(image()) })?;
    let line = vm.wait_for("gb_trees.beam")?;
    ensure!(line.text.starts_with("{file,\"/otp/lib/stdlib-"), vm.fail("that file is not the module's"));
    Ok(())
}
