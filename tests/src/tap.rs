//! A network of this host and a machine, which takes offloads and several queues as QEMU's user network does not.

use std::{
    process::{Command, id},
    sync::atomic::{AtomicU32, Ordering},
};

/// Tests of one program run at the same time.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A tap. Gone when dropped.
pub struct Tap {
    name: String,
    queues: u16,
}

impl Tap {
    /// One on which this host has `address`, with its prefix, and that has so many pairs of queues. `None`, which it says, where one may not
    /// make a network, or not one with this address.
    #[must_use]
    pub fn new(address: &str, queues: u16) -> Option<Self> {
        let tap = Self { name: format!("tl{}-{}", id(), NUMBER.fetch_add(1, Ordering::Relaxed)), queues };
        let ip = |words: &[&str]| Command::new("ip").args(words).output().is_ok_and(|output| output.status.success());
        // Nobody else is there who could have the address.
        let nodad: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
        let several: &[&str] = if queues > 1 { &["multi_queue"] } else { &[] };
        let made = ip(&[&["tuntap", "add", "dev", &tap.name, "mode", "tap", "vnet_hdr"], several].concat())
            && ip(&[&["addr", "add", address, "dev", &tap.name], nodad].concat())
            && ip(&["link", "set", &tap.name, "up"]);
        if !made {
            eprintln!("no tap with {address} can be made here (it takes root and /dev/net/tun): nothing was tested");
        }
        made.then_some(tap)
    }

    /// Arguments for QEMU: a card on PCI at the other end, with further properties, such as `,mq=on`.
    #[must_use]
    pub fn card(&self, properties: &str) -> Vec<String> {
        let queues = if self.queues > 1 { format!(",queues={}", self.queues) } else { String::new() };
        let netdev = format!("tap,id=net,ifname={},script=no,downscript=no{queues}", self.name);
        ["-netdev", &netdev, "-device", &format!("virtio-net-pci,netdev=net{properties}")].map(str::to_owned).into()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "delete", &self.name]).output();
    }
}
