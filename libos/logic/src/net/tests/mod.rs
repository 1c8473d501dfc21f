//! The network on a simulated wire.

mod acknowledgement;
mod backlog;
mod cable;
mod cards;
mod congestion;
mod duplicates;
mod epoll;
mod farewell;
mod fuzz;
mod hostile;
mod ipv6;
mod lease;
mod loopback;
mod loss;
mod memory;
mod multicast;
mod offload;
mod path;
mod queues;
mod sim;
mod tcp;
mod udp;
mod upkeep;

use super::tcp::TcpSocket;
use super::{Addressing6, Family};
use crate::data::Sink;
use crate::file::File;
use crate::platform::Platform;
use crate::socket::{MsgFlags, SockAddr, Socket};
use crate::wait::Ready;
use sim::{Net, Sim, Stack};
use std::sync::Arc;
use std::time::Duration;
use trapless_abi::Errno;

type Tcp = Arc<TcpSocket<Sim>>;

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(3600);

fn addr(text: &str) -> SockAddr {
    SockAddr::Inet(text.parse().unwrap())
}

/// A listening socket.
fn listener(stack: &Stack, port: u16, backlog: usize) -> Tcp {
    let socket = TcpSocket::new(stack.clone(), Family::Inet);
    socket.bind(&addr(&format!("0.0.0.0:{port}"))).unwrap();
    socket.listen(backlog).unwrap();
    socket
}

/// A socket that has begun to connect.
fn connecting(stack: &Stack, to: &str) -> Tcp {
    let socket = TcpSocket::new(stack.clone(), Family::Inet);
    assert_eq!(socket.connect(&addr(to)), Err(Errno::EINPROGRESS));
    socket
}

/// One end as the object that accept(2) gives.
type End = Arc<dyn Socket<Sim>>;

/// A connection from host a to port 80 of host b.
fn pair(net: &Net) -> (Tcp, End) {
    pair_on(net, 80)
}

fn pair_on(net: &Net, port: u16) -> (Tcp, End) {
    let server = listener(&net.b, port, 8);
    let to = format!("10.0.0.2:{port}");
    let client = connecting(&net.a, &to);
    let mut accepted = None;
    assert!(net.run(LONG, || {
        if accepted.is_none() {
            accepted = server.accept().ok();
        }
        accepted.is_some() && client.connect(&addr(&to)) != Err(Errno::EALREADY)
    }));
    (client, accepted.unwrap().0)
}

fn send(end: &dyn Socket<Sim>, mut data: &[u8]) -> Result<usize, Errno> {
    end.write(&mut data)
}

fn recv(end: &dyn Socket<Sim>, room: usize) -> Result<Vec<u8>, Errno> {
    let mut buf = Vec::with_capacity(room);
    end.recv(&mut buf, MsgFlags::empty())?;
    assert!(Sink::remaining(&buf) < room || buf.is_empty());
    Ok(buf)
}

/// What comes until the end, or the error that ends it.
fn recv_all(net: &Net, end: &dyn Socket<Sim>) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    let mut result = None;
    net.run(LONG, || {
        loop {
            match recv(end, 10_000) {
                Ok(more) if more.is_empty() => result = Some(Ok(())),
                Ok(more) => {
                    all.extend(more);
                    continue;
                }
                Err(Errno::EAGAIN) => {}
                Err(error) => result = Some(Err(error)),
            }
            return result.is_some();
        }
    });
    result.expect("neither data nor an end").map(|()| all)
}

/// Carries so much one way: how long that took.
fn carry(net: &Net, from: &dyn Socket<Sim>, to: &dyn Socket<Sim>, len: usize) -> Duration {
    let data = pattern(len);
    let (mut sent, mut got) = (0, Vec::new());
    let begun = Sim::now();
    assert!(net.run(LONG, || {
        while let Ok(more @ 1..) = send(from, &data[sent..]) {
            sent += more;
        }
        while let Ok(more) = recv(to, 100_000)
            && !more.is_empty()
        {
            got.extend(more);
        }
        got.len() >= data.len()
    }));
    assert!(got == data);
    Sim::now() - begun
}

/// SO_ERROR.
fn so_error(end: &dyn Socket<Sim>) -> i32 {
    i32::from_ne_bytes(end.option(1, 4).unwrap().try_into().unwrap())
}

/// Sets an option that is an integer.
fn set(end: &dyn Socket<Sim>, level: i32, name: i32, value: i32) {
    end.set_option(level, name, &value.to_ne_bytes()).unwrap();
}

/// SO_LINGER.
fn set_linger(end: &dyn Socket<Sim>, seconds: i32) {
    let value: Vec<u8> = [1, seconds].iter().flat_map(|w| w.to_ne_bytes()).collect();
    end.set_option(1, 13, &value).unwrap();
}

/// Bytes that tell their place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}
