//! Wrong input ends in a clear message, and never in silence.

use anyhow::{Result, ensure};
use trapless_tests::{
    erl,
    exit::Exit,
    image,
    machine::{Kind, Machine},
    vm::{READY, Vm},
};

/// The status of a boot that is refused before Erlang starts.
const REFUSED: Exit = Exit::Halted(125);

fn is_refused(name: &str, append: String, words: &[&str]) -> Result<()> {
    let mut vm = Vm::boot(name, &Machine { append, ..Machine::new(image()) })?;
    let exit = vm.wait_exit()?;
    let console = vm.console().text();
    for word in words {
        ensure!(console.contains(word), vm.fail(&format!("the console does not say {word:?}")));
    }
    ensure!(exit == REFUSED, vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// An unknown setting is named, with those that there are.
#[test]
fn an_unknown_setting_is_reported() -> Result<()> {
    is_refused("unknown-setting", format!("nosuchsetting=1 {}", erl("halt(3).")), &["nosuchsetting", "trace="])
}

/// A known setting with a value that means nothing is named, with what would mean something.
#[test]
fn a_wrong_value_is_reported() -> Result<()> {
    is_refused("wrong-value", format!("ip=nonsense {}", erl("halt(3).")), &["ip=nonsense", "dhcp"])
}

#[test]
fn an_open_quote_is_reported() -> Result<()> {
    is_refused("open-quote", "-- -noshell -eval \"halt(3).".into(), &["quote"])
}

/// A flag that erl does not know is named before Erlang starts.
#[test]
fn an_unknown_emulator_flag_is_reported() -> Result<()> {
    is_refused("unknown-flag", "-- +I 1 -noshell".into(), &["+I"])
}

/// Erlang's own complaint about its arguments gets out, with a status.
#[test]
fn a_wrong_emulator_flag_is_reported() -> Result<()> {
    let append = "-- +S nonsense -noshell".to_owned();
    let mut vm = Vm::boot("wrong-flag", &Machine { append, ..Machine::new(image()) })?;
    let exit = vm.wait_exit()?;
    ensure!(matches!(exit, Exit::Halted(1..)), vm.fail(&format!("it ended with {exit:?}")));
    ensure!(vm.console().text().contains("nonsense"), vm.fail("the flag is not named"));
    Ok(())
}

/// Too little memory: a message that says so, on every machine type, not a hang.
#[test]
fn too_little_memory_is_told() -> Result<()> {
    for (kind, memory) in [(Kind::Q35, 24), (Kind::Q35, 32), (Kind::Pc, 32), (Kind::Microvm, 32)] {
        let machine = Machine { kind, memory, ..Machine::new(image()) };
        let mut vm = Vm::boot(&format!("little-memory-{kind}-{memory}"), &machine)?;
        let exit = vm.wait_exit()?;
        ensure!(exit != Exit::Halted(0), vm.fail("it ended as if all were well"));
        ensure!(vm.console().text().to_lowercase().contains("memory"), vm.fail("the console does not say why"));
    }
    Ok(())
}

/// Without a network card the machine runs; only the network is missing.
#[test]
fn no_network_card_is_no_disaster() -> Result<()> {
    let mut vm = Vm::boot("no-network", &Machine { network: false, ..Machine::new(image()) })?;
    vm.wait_for(READY).map(drop)
}

/// Settings for a network card that is not there are told; the others count.
#[test]
fn settings_for_a_missing_network_card_are_told() -> Result<()> {
    let append = "ip=eth1:10.0.3.5/24 ip6=eth4:none".into();
    let mut vm = Vm::boot("missing-card", &Machine { append, ..Machine::new(image()) })?;
    vm.wait_for("ip=eth1: there is no such network card; there are 1")?;
    vm.wait_for("ip=eth4: there is no such network card; there are 1")?;
    vm.wait_for(READY).map(drop)
}

/// Eight network cards are used; the user hears about a ninth.
#[test]
fn a_ninth_network_card_is_mentioned() -> Result<()> {
    let card = |number| {
        let netdev = format!("hubport,id=n{number},hubid=0");
        ["-netdev".into(), netdev, "-device".into(), format!("virtio-net-pci,netdev=n{number}")]
    };
    let extra = (1..9).flat_map(card).collect();
    let mut vm = Vm::boot("nine-networks", &Machine { extra, memory: 512, ..Machine::new(image()) })?;
    vm.wait_for("eight network cards are used already")?;
    vm.wait_for(READY).map(drop)
}
