//! Datagrams, there and back.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::Latencies;

/// Bytes of each, its number among them.
const BYTES: usize = 64;
/// How many are on their way at once when as many as possible are wanted.
const WINDOW: usize = 32;
/// After so long without any, those that are on their way count as lost.
const LOST: Duration = Duration::from_millis(250);

/// What became of many.
#[derive(Debug)]
pub struct Rate {
    /// Echoed in a second.
    pub per_second: f64,
    /// In percent of all that were sent.
    pub lost: f64,
}

/// One after the other, for so long.
///
/// # Errors
/// None comes back.
pub fn round_trips(address: SocketAddr, time: Duration) -> Result<Latencies> {
    let socket = open(address)?;
    let (started, mut times) = (Instant::now(), Vec::new());
    for number in 0.. {
        if started.elapsed() >= time {
            break;
        }
        let sent = Instant::now();
        send(&socket, number)?;
        if take(&socket, number).is_some() {
            times.push(sent.elapsed());
        }
    }
    ensure!(!times.is_empty(), "no datagram came back");
    Ok(Latencies::new(&times))
}

/// Several at once, for so long.
///
/// # Errors
/// None comes back.
pub fn rate(address: SocketAddr, time: Duration) -> Result<Rate> {
    let socket = open(address)?;
    let (started, mut next, mut back, mut lost) = (Instant::now(), 0, 0_u64, 0);
    let mut waiting = BTreeSet::new();
    while started.elapsed() < time {
        while waiting.len() < WINDOW {
            send(&socket, next)?;
            waiting.insert(next);
            next += 1;
        }
        let Some(number) = take(&socket, waiting.first().copied().unwrap_or(next)) else {
            lost += waiting.len();
            waiting.clear();
            continue;
        };
        back += u64::from(waiting.remove(&number));
        // They come back in order, or nearly so.
        let late = waiting.split_off(&number.saturating_sub(WINDOW as u64));
        lost += waiting.len();
        waiting = late;
    }
    ensure!(back > 0, "no datagram came back");
    let seconds = started.elapsed().as_secs_f64();
    // Those that are on their way at the end are not known to be lost.
    Ok(Rate { per_second: back as f64 / seconds, lost: 100.0 * lost as f64 / (lost as f64 + back as f64) })
}

fn open(address: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("cannot open a UDP socket")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(LOST))?;
    Ok(socket)
}

fn send(socket: &UdpSocket, number: u64) -> Result<()> {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    socket.send(&bytes).context("cannot send a datagram").map(drop)
}

/// Waits for a datagram with this number or a later one.
fn take(socket: &UdpSocket, from: u64) -> Option<u64> {
    let mut bytes = [0; BYTES + 1];
    loop {
        // An error is a timeout, or tells that nobody listens, which is as if it were lost.
        let count = socket.recv(&mut bytes).ok()?;
        let number = u64::from_be_bytes(bytes[..8].try_into().ok()?);
        if count == BYTES && number >= from {
            return Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// An echo that loses each datagram whose number `is_lost`.
    fn server(is_lost: fn(u64) -> bool) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; BYTES];
            while let Ok((count, from)) = socket.recv_from(&mut bytes) {
                if !is_lost(u64::from_be_bytes(bytes[..8].try_into().unwrap())) {
                    let _ = socket.send_to(&bytes[..count], from);
                }
            }
        });
        address
    }

    const TIME: Duration = Duration::from_millis(50);

    #[test]
    fn what_does_not_come_back_is_counted() {
        let whole = rate(server(|_| false), TIME).unwrap();
        assert!(whole.per_second > 0.0 && whole.lost == 0.0, "{whole:?}");
        let some = rate(server(|number| number % 10 == 0), TIME).unwrap();
        assert!(some.lost > 5.0 && some.lost < 20.0, "{some:?}");
        // The first window is lost, and the client goes on with the next.
        let some = rate(server(|number| number < WINDOW as u64), 4 * LOST).unwrap();
        assert!(some.lost > 0.0 && some.lost < 50.0, "{some:?}");
        assert!(rate(server(|_| true), TIME).is_err());
        assert!(round_trips(server(|_| true), TIME).is_err());
        assert!(round_trips(server(|_| false), TIME).unwrap().within(0.5) > 0.0);
    }
}
