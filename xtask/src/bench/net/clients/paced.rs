//! HTTP at a pace that does not wait for the machine: what a load that it can carry feels like.
//!
//! A client that asks again only when it has its answer asks less while the machine is slow, and so hardly sees that. Here each
//! request has its time beforehand, and the latency counts from that time, also where the request has to wait for the answer
//! before.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use super::{Latencies, PATIENCE, connect};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: machine\r\n\r\n";
/// How the answer ends (`bench/net/trapless_net/src/trapless_net_tcp.erl`).
const END: &[u8] = b"\r\n\r\nhello\n";

/// Asks so often in a second for so long, by so many connections that take turns.
///
/// # Errors
/// A connection breaks, an answer is not what was expected, or there is time for no request.
pub fn requests(address: SocketAddr, connections: u32, per_second: f64, time: Duration) -> Result<Latencies> {
    ensure!(per_second > 0.0, "a pace of {per_second} requests a second is none");
    let period = Duration::from_secs_f64(f64::from(connections) / per_second);
    let mut all = (0..connections).map(|_| Connection::open(address)).collect::<Result<Vec<_>>>()?;
    let end = Instant::now() + time;
    for (number, connection) in (0..).zip(&mut all) {
        connection.due = end - time + period * number / connections;
    }
    let mut latencies = Vec::new();
    loop {
        let now = Instant::now();
        for connection in all.iter_mut().filter(|one| !one.is_asking && one.due <= now && one.due < end) {
            connection.ask()?;
        }
        let next = all.iter().filter(|one| !one.is_asking && one.due < end).map(|one| one.due).min();
        let mut asking: Vec<_> = all.iter_mut().filter(|one| one.is_asking).collect();
        if asking.is_empty() && next.is_none() {
            break;
        }
        wait(&mut asking, next.map(|due| due.saturating_duration_since(now)))?;
        for connection in asking.into_iter().filter(|one| one.is_readable) {
            if connection.is_answered()? {
                latencies.push(connection.due.elapsed());
                connection.due += period;
            }
        }
    }
    ensure!(!latencies.is_empty(), "{time:?} are too short for {per_second} requests a second");
    Ok(Latencies::new(&latencies))
}

/// Waits for answers until the next request is due, and notes on which connections there is one.
fn wait(asking: &mut [&mut Connection], until_next: Option<Duration>) -> Result<()> {
    let mut files: Vec<_> = asking.iter().map(|one| PollFd::new(one.stream.as_fd(), PollFlags::POLLIN)).collect();
    let ready = ppoll(&mut files, Some(TimeSpec::from_duration(until_next.unwrap_or(PATIENCE))), None)?;
    ensure!(ready > 0 || until_next.is_some(), "no answer came");
    let readable: Vec<_> = files.iter().map(|file| file.any() == Some(true)).collect();
    for (connection, is_readable) in asking.iter_mut().zip(readable) {
        connection.is_readable = is_readable;
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    /// When its request is to be sent, or was to be.
    due: Instant,
    is_asking: bool,
    is_readable: bool,
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = connect(address, PATIENCE)?;
        Ok(Self { stream, due: Instant::now(), is_asking: false, is_readable: false, answer: Vec::new() })
    }

    fn ask(&mut self) -> Result<()> {
        self.is_asking = true;
        self.stream.write_all(REQUEST).context("cannot ask")
    }

    /// Takes what has come; true if that was the end of the answer.
    fn is_answered(&mut self) -> Result<bool> {
        let mut bytes = [0; 1024];
        let count = self.stream.read(&mut bytes).context("no answer came")?;
        self.answer.extend_from_slice(&bytes[..count]);
        ensure!(count > 0, "an answer ends early: {:?}", String::from_utf8_lossy(&self.answer));
        ensure!(
            self.answer.len() <= bytes.len(),
            "an answer does not end: {:?}",
            String::from_utf8_lossy(&self.answer)
        );
        let is_whole = self.answer.ends_with(END);
        if is_whole {
            self.answer.clear();
            self.is_asking = false;
        }
        Ok(is_whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// A server whose every answer takes so long, and is this.
    fn server(work: Duration, answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = move |mut stream: TcpStream| {
            let mut request = [0; REQUEST.len()];
            while stream.read_exact(&mut request).is_ok() {
                thread::sleep(work);
                let _ = stream.write_all(answer);
            }
        };
        thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| drop(thread::spawn(move || serve(stream))))
        });
        address
    }

    const TIME: Duration = Duration::from_millis(200);
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

    #[test]
    fn a_server_that_is_too_slow_is_seen_to_fall_behind() {
        // 100 requests in a second are asked for, and 50 can be answered: the last of 20 is answered 200 ms late at the least.
        let slow = requests(server(Duration::from_millis(20), ANSWER), 1, 100.0, TIME).unwrap();
        assert!(slow.within(1.0) >= Duration::from_millis(200).as_nanos() as f64);
        assert!(slow.within(0.5) < slow.within(1.0));
        // By four connections in turn they can be.
        let several = requests(server(Duration::from_millis(20), ANSWER), 4, 100.0, TIME).unwrap();
        assert!(several.within(0.5) < slow.within(0.5));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert!(requests(server(Duration::ZERO, &[b'x'; 2000]), 1, 50.0, TIME).is_err());
        assert!(requests(server(Duration::ZERO, ANSWER), 1, 0.0, TIME).is_err());
        assert!(requests(server(Duration::ZERO, ANSWER), 1, 1.0, Duration::ZERO).is_err());
    }
}
