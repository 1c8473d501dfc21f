//! The network: frames in, frames out, and the stack between them and the sockets.
//!
//! smoltcp is the TCP/IP engine. Around it this module adds what a program expects of an operating system: listen backlogs (`admission`:
//! sockets are made when a SYN comes), connections that outlive close(2) (`conn`) and end with the program (`farewell`), and are found by their ends (`flow`, `table`), memory as
//! far as it is used (`buffers`), losses found soon (`recovery`, `round_trip`, `sack`) and how much may be under way (`congestion`,
//! `offer`), what smoltcp sends put right (`sending`, `nagle`), packets from their fragments and back (`reassembly`, `fragments`),
//! addresses from servers and routers (`lease`, `dhcp`, `router`, `duplicates`), several cards (`link`, `way`), what time alone brings
//! (`upkeep`), how long packets may be (`mss`, `path`, `segments`), loopback (`wire`), what a card does in place of the stack (`inspector`,
//! `outgoing`), CPUs that work side by side (`shards`, `shared`, [`steering`], [`inbox`], `lane`), datagrams and the socket calls ([`tcp`],
//! [`udp`]).
//!
//! Lock order: a socket's own state; a shard ([`relay`]), of which nobody holds two; one of what shards share: ports and listeners, an
//! inbox, addresses, a pair of queues that several shards send by; wait queues.

mod address;
mod admission;
mod buffers;
mod checksum;
mod congestion;
mod conn;
pub mod device;
mod dhcp;
mod duplicates;
mod events;
mod farewell;
mod flow;
mod fragments;
mod icmp;
pub mod inbox;
mod inspector;
mod lane;
mod lease;
mod link;
mod martian;
mod mss;
mod multicast;
mod nagle;
mod neighbor;
pub mod netdevice;
mod offer;
mod options;
mod outgoing;
mod packet;
mod path;
mod ports;
mod reassembly;
mod recovery;
pub mod relay;
mod round_trip;
mod router;
mod sack;
mod segments;
mod sending;
mod service;
mod settings;
mod shards;
mod shared;
mod stack;
pub mod steering;
mod table;
pub mod tcp;
#[cfg(all(test, not(loom)))]
mod tests;
pub mod udp;
mod upkeep;
mod way;
mod window;
mod wire;

pub use address::Family;
pub use device::Nic;
pub use lease::{Addresses, Addressing, Addressing6, InterfaceInfo, Lease};
pub use link::{Card, NAMES};
pub use settings::AddressSettings;
pub use shards::{Load, NetStack};
pub use smoltcp::wire::{Ipv4Address, Ipv4Cidr, Ipv6Address, Ipv6Cidr};
pub use steering::SHARDS;
