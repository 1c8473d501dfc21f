//! Boots the image with its console on this terminal.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, ensure};
use sources::host::Task;
use trapless_tests::{
    exit::Exit,
    host,
    machine::{Forward, Machine, quoted},
};

use crate::{
    accel,
    cli::{MachineOptions, RunOptions},
    image, setup,
};

/// Builds, boots, and returns the status that Erlang ended with.
///
/// # Errors
/// The image cannot be built, a forwarded port is taken, or QEMU refuses to start.
pub fn run(options: &RunOptions) -> Result<u8> {
    setup::prepare(Task::Run)?;
    let image = image::of(&options.build, &options.whose)?;
    let mut machine = machine_of(options, image)?;
    if let Some(window) = window().filter(|_| !machine.append.contains("window=")) {
        machine.append = format!("window={window} {}", machine.append).trim_end().to_owned();
    }
    let mut command = Command::new("qemu-system-x86_64");
    command.args(machine.arguments()).args(["-serial", "mon:stdio"]).stderr(Stdio::piped());
    let mut child = host::not_alone(&mut command).spawn().context("cannot start qemu-system-x86_64")?;
    let errors = pass_on_errors(&mut child);
    let status = child.wait().context("cannot wait for QEMU")?;
    let said = errors.map(|thread| thread.join().unwrap_or_default()).unwrap_or_default();
    status_of(Exit::read(status, &String::from_utf8_lossy(&said)))
}

/// The machine that the options describe, with every forwarded port known to be free.
///
/// # Errors
/// A port is taken.
pub fn machine_of(options: &RunOptions, image: PathBuf) -> Result<Machine> {
    if !options.machine.no_net {
        for forward in &options.forward {
            check_port(forward)?;
        }
    }
    let mut machine = machine(&options.machine, &image);
    machine.forwards.clone_from(&options.forward);
    if !options.erl.is_empty() {
        let words: Vec<_> = options.erl.iter().map(|word| quoted(word)).collect();
        machine.append = format!("{} -- {}", machine.append, words.join(" ")).trim_start().to_owned();
    }
    Ok(machine)
}

/// The machine without its ports.
pub fn machine(options: &MachineOptions, image: &Path) -> Machine {
    Machine {
        kind: options.machine,
        cpus: options.cpus,
        memory: options.memory,
        cpu: Some(options.cpu.clone()).filter(|model| model != "default"),
        accelerator: accel::choose(options.accel, image),
        append: options.append.clone(),
        network: !options.no_net,
        capture: options.pcap.clone(),
        extra: options.qemu.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect(),
        ..Machine::new(image)
    }
}

/// The size of this terminal as the image wants to be told it, for a serial line does not say. None if this is no terminal.
fn window() -> Option<String> {
    let output = Command::new("stty").arg("size").stdin(Stdio::inherit()).output().ok()?;
    window_of(std::str::from_utf8(&output.stdout).ok()?)
}

/// `ROWS COLUMNS`, as stty(1) prints them, made `COLUMNSxROWS`. A terminal that does not know its size says zero.
fn window_of(size: &str) -> Option<String> {
    let (rows, columns) = size.trim().split_once(' ')?;
    let known = |number: &str| number.parse::<u16>().is_ok_and(|n| n > 0);
    (known(rows) && known(columns)).then(|| format!("{columns}x{rows}"))
}

/// QEMU would refuse too, but without saying what to do.
fn check_port(forward: &Forward) -> Result<()> {
    let address = (Ipv4Addr::LOCALHOST, forward.host);
    let free = if forward.udp { UdpSocket::bind(address).map(drop) } else { TcpListener::bind(address).map(drop) };
    let port = forward.host;
    free.with_context(|| {
        format!(
            "port {port} of this machine cannot be had. See who has it (`ss -lnp 'sport = :{port}'`), \
             or take another: cargo xtask run --forward {}:{}",
            port.wrapping_add(1),
            forward.guest
        )
    })
}

/// Shows QEMU's standard error, and keeps it: it tells a refusal from a status.
fn pass_on_errors(child: &mut Child) -> Option<JoinHandle<Vec<u8>>> {
    let mut stderr = child.stderr.take()?;
    Some(thread::spawn(move || {
        let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            let _ = io::stderr().write_all(&buffer[..count]);
            kept.extend_from_slice(&buffer[..count]);
        }
        kept
    }))
}

fn status_of(exit: Exit) -> Result<u8> {
    ensure!(!matches!(exit, Exit::Refused(_)), "QEMU did not start; its reason is above");
    Ok(match exit {
        Exit::Halted(status) => status,
        Exit::PoweredOff => 0,
        Exit::Killed(signal) => u8::try_from(128 + signal).unwrap_or(1),
        Exit::Strange(_) | Exit::Refused(_) => 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_turned_around() {
        assert_eq!(window_of("50 132\n").as_deref(), Some("132x50"));
        for nothing in ["", "\n", "0 0\n", "stty: what\n", "50"] {
            assert_eq!(window_of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_taken_port_is_named_with_a_way_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let host = taken.local_addr().unwrap().port();
        let error = check_port(&Forward { host, guest: 5555, udp: false }).unwrap_err().to_string();
        assert!(error.contains(&host.to_string()) && error.contains("--forward"), "{error}");
        drop(taken);
        check_port(&Forward { host, guest: 5555, udp: false }).unwrap();
    }

    #[test]
    fn ends_become_statuses() {
        assert_eq!(status_of(Exit::Halted(7)).unwrap(), 7);
        assert_eq!(status_of(Exit::PoweredOff).unwrap(), 0);
        assert_eq!(status_of(Exit::Killed(15)).unwrap(), 143);
        assert!(status_of(Exit::Refused("no".into())).is_err());
    }
}
