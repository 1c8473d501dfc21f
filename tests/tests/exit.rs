//! Every end of Erlang is seen outside, with its status.

use std::{io::Read, net::TcpStream};

use anyhow::{Result, ensure};
use trapless_tests::{
    deadline, erl,
    exit::Exit,
    image,
    machine::{Forward, Kind, Machine},
    symbols,
    vm::{READY, Vm, free_port},
};

/// Runs a piece of Erlang until the machine ends.
fn run(name: &str, machine: Machine, code: &str) -> Result<(Exit, String)> {
    let mut vm = Vm::boot(name, &Machine { append: erl(code), ..machine })?;
    let exit = vm.wait_exit()?;
    Ok((exit, vm.console().text()))
}

fn ends_with(name: &str, kind: Kind, code: &str, status: u8) -> Result<String> {
    let (exit, console) = run(name, Machine { kind, cpus: 2, ..Machine::new(image()) }, code)?;
    ensure!(exit == Exit::Halted(status), "{code} ended with {exit:?}, not {status}:\n{console}");
    Ok(console)
}

#[test]
fn halt_tells_its_status() -> Result<()> {
    for status in [0, 1, 7, 127] {
        ends_with(&format!("halt-{status}"), Kind::Q35, &format!("halt({status})."), status)?;
    }
    Ok(())
}

#[test]
fn halt_tells_its_status_on_microvm() -> Result<()> {
    ends_with("halt-microvm", Kind::Microvm, "halt(7).", 7).map(drop)
}

/// What one does with a machine that hangs: it tells where all its threads are, and ends.
#[test]
fn an_nmi_makes_it_tell_what_it_does() -> Result<()> {
    for kind in Kind::ALL {
        let mut vm = Vm::serve(&format!("nmi-{}", kind.name()), &Machine { kind, cpus: 2, ..Machine::new(image()) })?;
        vm.monitor()?.command("inject-nmi", serde_json::json!({}))?;
        let exit = vm.wait_exit()?;
        ensure!(exit == Exit::Halted(70), vm.fail(&format!("it ended with {exit:?}")));
        let said = symbols::name_addresses(&vm.console().text(), &symbols::of(&image())?);
        for part in ["what the machine is doing", "\"erts_sched_2\": ", "epoll_wait+0x", "last events of cpu 1"] {
            ensure!(said.contains(part), vm.fail(&format!("it does not say {part:?}: {said}")));
        }
    }
    Ok(())
}

#[test]
fn init_stop_ends_in_order() -> Result<()> {
    ends_with("init-stop", Kind::Q35, "init:stop(5).", 5).map(drop)
}

/// More than a connection has under way at first, from a program that ends before any of it is acknowledged.
#[test]
fn what_was_sent_before_the_end_arrives() -> Result<()> {
    const SENT: usize = 60_000;
    let code = format!(
        "{{ok, L}} = gen_tcp:listen(7000, [binary, {{active, false}}]), io:format(\"=up~n\"), {{ok, S}} = gen_tcp:accept(L), \
         ok = gen_tcp:send(S, binary:copy(<<\"x\">>, {SENT})), halt(3, [{{flush, false}}])."
    );
    let port = free_port()?;
    let forwards = vec![Forward { host: port, guest: 7000, udp: false }];
    // Packets are let through ten times a second, as on a long way.
    let extra = ["-object", "filter-buffer,id=way,netdev=net,interval=100000"].map(str::to_owned).into();
    let mut vm = Vm::boot("last-words", &Machine { forwards, extra, append: erl(&code), ..Machine::new(image()) })?;
    vm.wait_for("=up")?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(deadline()))?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    ensure!(all == [b'x'; SENT], vm.fail(&format!("{} bytes of {SENT} arrived", all.len())));
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(3), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

#[test]
fn a_crash_of_the_boot_is_told() -> Result<()> {
    let console = ends_with("boot-crash", Kind::Q35, "error(deliberate).", 1)?;
    ensure!(console.contains("deliberate"), "the reason is not on the console:\n{console}");
    Ok(())
}

#[test]
fn a_halt_with_a_slogan_is_told() -> Result<()> {
    let console = ends_with("slogan", Kind::Q35, r#"halt("deliberate slogan")."#, 1)?;
    ensure!(console.contains("deliberate slogan"), "the slogan is not on the console:\n{console}");
    Ok(())
}

#[test]
fn out_of_memory_is_told() -> Result<()> {
    let eat = "F = fun F(L) -> F([binary:copy(<<0>>, 16#1000000) | L]) end, F([]).";
    let (exit, console) = run("out-of-memory", Machine::new(image()), eat)?;
    ensure!(matches!(exit, Exit::Halted(1..)), "it ended with {exit:?}:\n{console}");
    ensure!(console.to_lowercase().contains("memory"), "the console does not say why:\n{console}");
    Ok(())
}

/// The machine's power button asks Erlang to stop, which it does in order.
#[test]
fn the_power_button_stops_in_order() -> Result<()> {
    for kind in [Kind::Q35, Kind::Pc] {
        let mut vm = Vm::boot(&format!("power-button-{kind}"), &Machine { kind, ..Machine::new(image()) })?;
        vm.wait_for(READY)?;
        vm.monitor()?.command("system_powerdown", serde_json::json!({}))?;
        vm.wait_for("SIGTERM received - shutting down")?;
        let exit = vm.wait_exit()?;
        ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    }
    Ok(())
}

/// Without the device that carries a status out, the machine powers off.
#[test]
fn without_a_way_to_tell_it_powers_off() -> Result<()> {
    let machine = Machine { status_device: false, ..Machine::new(image()) };
    let (exit, console) = run("power-off", machine, "halt(7).")?;
    ensure!(exit == Exit::PoweredOff, "it ended with {exit:?}:\n{console}");
    Ok(())
}
