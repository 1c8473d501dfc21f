//! The image and the Linux guest with the same program, and how they are started in the network.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use sources::{Console, sha256_file, sha256_hex};
use trapless_tests::{
    deadline,
    machine::{ECHO_PORT, Kind, Machine},
    repository,
    vm::Vm,
};

use super::network;
use crate::{
    bench::linux::{self, Additions, Guest, Kernel},
    build,
    cli::{BuildOptions, Entry, Flavor},
};

/// Names of the systems.
pub const IMAGE: &str = "image";
pub const LINUX: &str = "linux";
/// The guest's name for the program.
const START: &str = "net";
/// The program says this when it listens.
const SERVING: &str = "=serving";
/// A guest that does not come up on a very busy host is started again, so many times in all; an image never is.
const GUEST_TRIES: u32 = 3;

/// A system.
pub struct System {
    pub name: &'static str,
    /// A hash of everything that runs on it.
    pub contents: String,
    image: PathBuf,
    /// Of the guest.
    initramfs: Option<PathBuf>,
}

/// What all machines have in common.
pub struct Frame {
    pub kind: Kind,
    pub memory: u32,
}

/// Builds both.
pub fn build(kernel: &Kernel, frame: &Frame, folder: &Path) -> Result<Vec<System>> {
    let app = Some(repository().join("bench/net/trapless_net"));
    let built =
        build::build(&BuildOptions { flavor: Flavor::Jit, entry: Entry::Direct, app, nif: Vec::new(), debug: false })?;
    // A build for somebody else must not change what is measured.
    let image = folder.join("image.elf");
    std::fs::copy(&built, &image).with_context(|| format!("cannot copy {}", built.display()))?;
    let erts = erts_recipe::build(erts_recipe::Flavor::Jit, &Console).context("OTP could not be built")?;
    let more = Additions {
        starts: vec![(START.into(), linux::erlang(frame.memory, &["-noshell", "-s", "trapless_net"])?)],
        ..Additions::default()
    };
    let guest = Guest::make(kernel, &erts, &image, folder, frame.memory, &more)?;
    let contents = sha256_hex((sha256_file(&guest.kernel)? + &sha256_file(&guest.initramfs)?).as_bytes());
    Ok(vec![
        System { name: IMAGE, contents: sha256_file(&image)?, image, initramfs: None },
        System { name: LINUX, contents, image: guest.kernel, initramfs: Some(guest.initramfs) },
    ])
}

impl System {
    fn machine(&self, frame: &Frame, cpus: u32, extra: &[&str]) -> Machine {
        let mut machine = Machine {
            kind: frame.kind,
            cpus,
            memory: frame.memory,
            tap: Some(network::TAP.to_owned()),
            extra: extra.iter().map(|&word| word.to_owned()).collect(),
            ..Machine::new(&self.image)
        };
        match &self.initramfs {
            Some(initramfs) => {
                machine.append = linux::command_line(START);
                machine.extra.extend(["-initrd".to_owned(), initramfs.to_string_lossy().into_owned()]);
            }
            None => machine.append = format!("{} -- -noshell -s trapless_net", network::setting()),
        }
        machine
    }

    /// Starts it, and waits until it serves. `extra` is for QEMU.
    ///
    /// # Errors
    /// It does not come to serve.
    pub fn serve(&self, frame: &Frame, cpus: u32, extra: &[&str]) -> Result<Vm> {
        let tries = if self.initramfs.is_some() { GUEST_TRIES } else { 1 };
        let machine = self.machine(frame, cpus, extra);
        for attempt in 1..=tries {
            // Each has a log of its own, for the first is the one that tells.
            let log = if attempt == 1 { self.name.to_owned() } else { format!("{}-{attempt}", self.name) };
            match attempt_at(&format!("bench-net-{log}"), &machine) {
                Err(error) if attempt < tries => eprintln!("{}: once more: {error:#}", self.name),
                result => return result,
            }
        }
        bail!("{} was not started", self.name)
    }
}

fn attempt_at(log: &str, machine: &Machine) -> Result<Vm> {
    let mut vm = Vm::boot(log, machine)?;
    vm.wait_for(SERVING)?;
    // Until a bridge and an address are known on both sides, the first connection may take a second.
    let (started, address) = (Instant::now(), network::address(ECHO_PORT));
    while TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_err() {
        if started.elapsed() > deadline() {
            return Err(vm.fail("it serves, but not over the network"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(vm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_connected_to_the_tap_and_only_the_guest_has_an_initramfs() {
        let frame = Frame { kind: Kind::Q35, memory: 1024 };
        let system = |initramfs| System { name: IMAGE, contents: String::new(), image: "x".into(), initramfs };
        let image = system(None).machine(&frame, 2, &["-no-hpet"]);
        assert_eq!(image.append, "ip=10.0.2.15/24,10.0.2.2 -- -noshell -s trapless_net");
        assert_eq!(image.extra, ["-no-hpet"]);
        let guest = system(Some("files".into())).machine(&frame, 2, &["-no-hpet"]);
        assert!(guest.append.contains("start=net") && guest.extra.ends_with(&["-initrd".into(), "files".into()]));
        for machine in [image, guest] {
            assert_eq!((machine.tap.as_deref(), machine.cpus, machine.memory), (Some("tap0"), 2, 1024));
        }
    }
}
