//! The network: the cards, the stack, and the softirq between them.

use crate::config::Config;
use crate::{hostname, kernel};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::time::Duration;
use spin::Once;
use trapless_abi::flags::OpenFlags;
use trapless_logic::net::device::Counters;
use trapless_logic::net::{Addresses, Addressing, Card, Load, NetStack, Nic};
use trapless_logic::platform::Platform;
use trapless_logic::vfs::At;
use trapless_platform::irq::{self, Softirq};
use trapless_platform::virtio::interrupt;
use trapless_platform::x86::X86;
use trapless_platform::{percpu, thread};

/// How long a peer is waited for that acknowledges nothing more of what is said to it last, ...
const PATIENCE: Duration = Duration::from_secs(1);
/// ... and at most.
const LONGEST: Duration = Duration::from_secs(10);
/// How often is looked whether all is said.
const LOOK: Duration = Duration::from_millis(1);

static STACK: Once<Arc<NetStack<X86>>> = Once::new();

fn on_softirq() {
    let Some(stack) = STACK.get() else { return };
    // More than one turn's work: others first, then again.
    let more = stack.poll_shards(interrupt::take_pairs());
    if more != 0 {
        interrupt::raise_for_pairs(more);
    }
}

/// Starts the stack on the cards, if there are some, and with loopback in any case.
pub fn start(cards: Vec<Nic>, config: &Config) -> Arc<NetStack<X86>> {
    if cards.is_empty() && config.addresses.of(0).0 != Addressing::None {
        log::warn!("no network card: only loopback works");
    }
    for name in config.addresses.missing(cards.len()) {
        log::warn!("ip={name}: there is no such network card; there are {} (eth0, eth1, ...)", cards.len());
    }
    let card = |(number, nic)| {
        let (addressing, addressing6) = config.addresses.of(number);
        Card { nic, addressing, addressing6 }
    };
    let cards = cards.into_iter().enumerate().map(card).collect();
    let stack = STACK.call_once(|| NetStack::on_cards(cards, percpu::cpu_count())).clone();
    stack.on_lease(configured);
    irq::set_softirq(Softirq::NET, on_softirq);
    interrupt::raise_for_pairs(!0);
    stack
}

/// Logs the addresses there are now, and tells the program's resolver about name servers.
fn configured(cards: &[Addresses]) {
    for Addresses { interface, lease, ipv6, duplicates, .. } in cards {
        match lease {
            Some(lease) => log::info!("{interface}: network address {}", lease.address),
            None => log::info!("{interface}: no network address"),
        }
        ipv6.iter().for_each(|address| log::info!("{interface}: network address {address}"));
        duplicates.iter().for_each(|address| {
            log::warn!("{interface}: another host has the network address {address}: it is not used");
        });
    }
    let mut names = cards.iter().filter_map(|card| card.lease.as_ref()?.host_name.as_deref());
    if let Some(name) = names.next() {
        hostname::given(name);
    }
    let mut dns: Vec<_> = Vec::new();
    for server in cards.iter().flat_map(|card| &card.dns) {
        if !dns.contains(&server) {
            dns.push(server);
        }
    }
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

/// Ends the program's connections, and waits until their peers know, as far as they answer: nobody would tell them any more.
pub fn farewell() {
    let Some(stack) = STACK.get().filter(|_| thread::may_sleep()) else { return };
    stack.end_connections();
    let begun = X86::now();
    let (mut left, mut since) = (usize::MAX, begun);
    loop {
        let now = X86::now();
        match stack.last_words() {
            0 => return,
            same if same == left => {}
            less => (left, since) = (less, now),
        }
        if now > since + PATIENCE || now > begun + LONGEST {
            log::info!("{left} bytes and ends of connections were not acknowledged");
            return;
        }
        X86::park(Some(now + LOOK));
    }
}

/// Writes the state of the network (/proc/trapless/net).
pub fn write_state(w: &mut dyn fmt::Write) -> fmt::Result {
    let Some(stack) = STACK.get() else { return Ok(()) };
    let interfaces = stack.interfaces();
    let (loopback, cards) = interfaces.split_at(1);
    loopback.iter().try_for_each(|interface| writeln!(w, "{interface:?}"))?;
    for (card, (queues, refused)) in stack.counters().iter().enumerate() {
        cards.get(card).into_iter().try_for_each(|interface| writeln!(w, "{interface:?}"))?;
        writeln!(w, "{:?}", queues.iter().copied().sum::<Counters>())?;
        for (queue, Counters { received, transmitted, kicks, ring_full, .. }) in queues.iter().enumerate() {
            writeln!(
                w,
                "queue{queue} received {received} transmitted {transmitted} kicks {kicks} ring_full {ring_full}"
            )?;
        }
        writeln!(w, "refused {refused}")?;
    }
    for (shard, Load { waits, left, handed, lost, connections }) in stack.load().into_iter().enumerate() {
        writeln!(
            w,
            "shard{shard} connections {connections} lock_waits {waits} lock_left {left} handed {handed} lost {lost}"
        )?;
    }
    writeln!(w, "sockets {}", stack.sockets())
}
