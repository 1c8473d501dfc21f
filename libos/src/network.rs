//! The network: the card, the stack, and the softirq between them.

use crate::config::Config;
use crate::{hostname, kernel};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use spin::Once;
use trapless_abi::flags::OpenFlags;
use trapless_logic::net::device::Counters;
use trapless_logic::net::{Addresses, Addressing, NetDevice, NetStack};
use trapless_logic::vfs::At;
use trapless_platform::irq::{self, Softirq};
use trapless_platform::virtio::net::VirtioNet;
use trapless_platform::x86::X86;

static STACK: Once<Arc<NetStack<X86>>> = Once::new();

fn on_softirq() {
    // More than one turn's work: others first, then again.
    if STACK.get().is_some_and(|stack| stack.poll()) {
        irq::raise(Softirq::NET);
    }
}

/// Starts the stack on the card, if there is one, and with loopback in any case.
pub fn start(card: Option<Box<VirtioNet>>, config: &Config) -> Arc<NetStack<X86>> {
    if card.is_none() && config.addressing != Addressing::None {
        log::warn!("no network card: only loopback works");
    }
    let card = card.map(|card| card as Box<dyn NetDevice>);
    let stack = STACK.call_once(|| NetStack::new(card, config.addressing, config.addressing6())).clone();
    stack.on_lease(configured);
    irq::set_softirq(Softirq::NET, on_softirq);
    irq::raise(Softirq::NET);
    stack
}

/// Tells the program's resolver about name servers.
fn configured(Addresses { lease, ipv6, dns, duplicates }: &Addresses) {
    match lease {
        Some(lease) => log::info!("network address {}", lease.address),
        None => log::info!("no network address"),
    }
    if let Some(name) = lease.as_ref().and_then(|lease| lease.host_name.as_deref()) {
        hostname::given(name);
    }
    ipv6.iter().for_each(|address| log::info!("network address {address}"));
    duplicates.iter().for_each(|address| log::warn!("another host has the network address {address}: it is not used"));
    if dns.is_empty() {
        return;
    }
    let mut text = String::new();
    dns.iter().for_each(|server| {
        let _ = writeln!(text, "nameserver {server}");
    });
    let vfs = &kernel::kernel().vfs;
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC;
    let written = vfs.open(&At::Cwd, b"/etc/resolv.conf", flags, 0o644).and_then(|f| f.write(&mut text.as_bytes()));
    if let Err(e) = written {
        log::warn!("/etc/resolv.conf: {e}");
    }
}

/// Writes the state of the network (/proc/trapless/net).
pub fn write_state(w: &mut dyn fmt::Write) -> fmt::Result {
    let Some(stack) = STACK.get() else { return Ok(()) };
    for interface in stack.interfaces() {
        writeln!(w, "{interface:?}")?;
    }
    let (queues, refused) = stack.counters();
    writeln!(w, "{:?}", queues.iter().copied().sum::<Counters>())?;
    for (queue, Counters { received, transmitted, kicks, ring_full, .. }) in queues.iter().enumerate() {
        writeln!(w, "queue{queue} received {received} transmitted {transmitted} kicks {kicks} ring_full {ring_full}")?;
    }
    writeln!(w, "refused {refused}")?;
    let (waits, left) = stack.contention();
    writeln!(w, "lock_waits {waits}")?;
    writeln!(w, "lock_left {left}")?;
    writeln!(w, "sockets {}", stack.sockets())
}
