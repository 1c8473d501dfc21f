//! What a cluster is made of: machines on one wire, and Erlang on this host.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use erts_recipe::Flavor;
use sources::Console;

use crate::{
    erl, host,
    machine::{Kind, Machine},
};

/// A wire that all machines are on which know its number: a multicast group on the loopback of this host.
pub struct Wire(u16);

impl Wire {
    /// A wire with nobody on it.
    ///
    /// # Errors
    /// The host has no free port.
    pub fn new() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("no free port")?;
        Ok(Self(socket.local_addr()?.port()))
    }

    /// A machine on the wire, with the address 10.9.0.NUMBER; `append` follows on its command line.
    pub fn machine(&self, image: PathBuf, number: u8, append: &str) -> Machine {
        Machine {
            network: false,
            cpus: 2,
            append: format!("ip={}/24 {append}", Self::address(number)),
            extra: self.card(Kind::Q35, number).into(),
            ..Machine::new(image)
        }
    }

    /// The address of that number.
    pub fn address(number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 9, 0, number)
    }

    /// What QEMU is told of a card on the wire. It is `card` for the monitor.
    pub fn card(&self, kind: Kind, number: u8) -> [String; 4] {
        let netdev = format!("socket,id=wire,mcast=239.192.9.1:{},localaddr=127.0.0.1", self.0);
        let card = format!("virtio-net-{},id=card,netdev=wire,mac=52:54:00:09:00:{number:02x}", kind.bus());
        ["-netdev".into(), netdev, "-device".into(), card]
    }
}

/// The arguments of a machine that runs a piece of Erlang, which may have several lines, and is a node by these flags.
pub fn runs(code: &str, flags: &str) -> String {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{} {flags}", erl(&code))
}

/// The OTP that is built here, on this host.
pub struct Host {
    bin: PathBuf,
}

impl Host {
    /// Finds it, and builds it first if need be.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn new() -> Result<Self> {
        Ok(Self { bin: erts_recipe::build(Flavor::from_environment()?, &Console)?.otp.join("bin") })
    }

    /// Where its programs are.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// OTP's own epmd, which is also the client that asks one.
    ///
    /// # Errors
    /// It is not there.
    pub fn epmd(&self) -> Result<PathBuf> {
        let root = self.bin.parent().context("bin is in a folder")?;
        let folders = fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))?;
        let mut programs = folders.flatten().map(|folder| folder.path().join("bin/epmd"));
        programs.find(|program| program.is_file()).context("there is no epmd in this OTP")
    }

    /// Runs `erl` with these words of flags, more arguments and this input.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn erl(&self, flags: &str, more: &[&str], typed: &str) -> Result<Output> {
        let arguments: Vec<&str> = flags.split_whitespace().chain(more.iter().copied()).collect();
        host::run_in(Command::new("timeout").env_remove("ERL_EPMD_PORT"), self.bin.join("erl"), &arguments, typed)
    }

    /// Compiles a module into a folder.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn compile(&self, source: &Path, to: &Path) -> Result<()> {
        let arguments = ["-o", &to.display().to_string(), &source.display().to_string()];
        let output = host::run(self.bin.join("erlc"), &arguments, "")?;
        ensure!(output.status.success(), "erlc: {}", host::said(&output));
        Ok(())
    }
}
