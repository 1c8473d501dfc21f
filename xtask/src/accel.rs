//! Whether the host's virtualisation can be used: found out by using it.
//!
//! `/dev/kvm` may be there and openable and still be of no use, for example inside a virtual machine whose nested KVM
//! cannot execute all of what ring 0 does here. So the image itself is booted once under it, and must come to Erlang.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use trapless_tests::{
    erl,
    exit::Exit,
    machine::{Kind, Machine},
    repository,
    vm::Vm,
};

use crate::cli::Accel;

/// The status that the probe asks Erlang for.
const STATUS: u8 = 42;
/// A boot under working virtualisation takes a small part of this.
const PATIENCE: Duration = Duration::from_secs(15);

/// The name of the accelerator for QEMU.
pub fn choose(wish: Accel, image: &Path) -> &'static str {
    match wish {
        Accel::Tcg => "tcg",
        Accel::Kvm => "kvm",
        Accel::Auto if !can_open() => "tcg",
        Accel::Auto => {
            if remembered(image) {
                "kvm"
            } else {
                eprintln!(
                    "note: KVM does not work for the image on this machine; QEMU runs in software (--accel kvm insists)"
                );
                "tcg"
            }
        }
    }
}

fn can_open() -> bool {
    fs::File::options().read(true).write(true).open("/dev/kvm").is_ok()
}

/// The answer holds until the host is rebooted.
fn remembered(image: &Path) -> bool {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let file: PathBuf = repository().join("target/trapless-kvm");
    let known = fs::read_to_string(&file).unwrap_or_default();
    match known.strip_prefix(boot.as_str()) {
        Some(answer) if !boot.is_empty() => answer == "yes",
        _ => {
            let works = probe(image);
            let answer = if works { "yes" } else { "no" };
            // Without the note the next start only takes a little longer.
            let _ = fs::write(&file, format!("{boot}{answer}"));
            works
        }
    }
}

/// QEMU stops a machine that KVM cannot run, and says so; it does not end.
fn probe(image: &Path) -> bool {
    let append = erl(&format!("halt({STATUS})."));
    let machine = Machine { kind: Kind::Q35, accelerator: "kvm", append, network: false, ..Machine::new(image) };
    let Ok(mut vm) = Vm::boot("kvm-probe", &machine) else { return false };
    let give_up = Instant::now() + PATIENCE;
    while vm.is_running().unwrap_or(false) {
        if Instant::now() > give_up || vm.errors().text().contains("KVM internal error") {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    vm.wait_exit().is_ok_and(|exit| exit == Exit::Halted(STATUS))
}
