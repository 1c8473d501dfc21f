//! As many bytes as go through, by one connection or several.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};

use super::{PATIENCE, connect};

const CHUNK: usize = 65536;
/// A server that has megabytes before it still needs a while.
const DRAIN: Duration = Duration::from_secs(60);

/// Sends for so long, and waits until the machine says that it has taken all. Returns megabytes a second.
///
/// # Errors
/// A connection breaks, or bytes are missing.
pub fn to_machine(sink: SocketAddr, flows: u32, time: Duration) -> Result<f64> {
    transfer(sink, flows, |mut stream| {
        let chunk = vec![b'x'; CHUNK];
        let (started, mut sent) = (Instant::now(), 0);
        while started.elapsed() < time {
            stream.write_all(&chunk).context("cannot send")?;
            sent += chunk.len() as u64;
        }
        stream.shutdown(Shutdown::Write)?;
        stream.set_read_timeout(Some(DRAIN))?;
        let mut taken = [0; 8];
        stream.read_exact(&mut taken).context("the machine does not say what it took")?;
        let taken = u64::from_be_bytes(taken);
        ensure!(taken == sent, "{sent} bytes were sent, {taken} arrived");
        Ok(sent)
    })
}

/// Takes what the machine sends for so long. Returns megabytes a second.
///
/// # Errors
/// A connection breaks, or bytes are wrong.
pub fn from_machine(source: SocketAddr, flows: u32, time: Duration) -> Result<f64> {
    transfer(source, flows, |mut stream| {
        let mut chunk = vec![0; CHUNK];
        let (started, mut taken) = (Instant::now(), 0);
        while started.elapsed() < time {
            let count = stream.read(&mut chunk).context("nothing comes")?;
            ensure!(count > 0, "the machine stopped sending");
            ensure!(chunk[0] == b'x' && chunk[count - 1] == b'x', "what comes is not what is sent");
            taken += count as u64;
        }
        Ok(taken)
    })
}

/// Performs `work` on all connections at once.
fn transfer(address: SocketAddr, flows: u32, work: impl Fn(TcpStream) -> Result<u64> + Sync) -> Result<f64> {
    let streams = (0..flows).map(|_| connect(address, PATIENCE)).collect::<Result<Vec<_>>>()?;
    let start = Barrier::new(streams.len() + 1);
    let flow = |stream| {
        start.wait();
        work(stream)
    };
    thread::scope(|scope| {
        let flow = &flow;
        let threads: Vec<_> = streams.into_iter().map(|stream| scope.spawn(move || flow(stream))).collect();
        start.wait();
        let started = Instant::now();
        let counts: Vec<Result<u64>> = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a client has panicked")).and_then(|count| count))
            .collect();
        let seconds = started.elapsed().as_secs_f64();
        Ok(counts.into_iter().sum::<Result<u64>>()? as f64 / 1e6 / seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that serves `flows` connections by `serve`.
    fn server(flows: usize, serve: fn(TcpStream)) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            listener.incoming().take(flows).flatten().for_each(|stream| drop(thread::spawn(move || serve(stream))));
        });
        address
    }

    fn sink(mut stream: TcpStream, missing: u64) {
        let (mut chunk, mut taken) = (vec![0; CHUNK], 0);
        while let Ok(count @ 1..) = stream.read(&mut chunk) {
            taken += count as u64;
        }
        stream.write_all(&(taken - missing).to_be_bytes()).unwrap();
    }

    fn source(byte: u8, mut stream: TcpStream) {
        while stream.write_all(&[byte; CHUNK]).is_ok() {}
    }

    const TIME: Duration = Duration::from_millis(30);

    #[test]
    fn what_is_sent_must_arrive() {
        assert!(to_machine(server(3, |stream| sink(stream, 0)), 3, TIME).unwrap() > 0.0);
        let error = to_machine(server(1, |stream| sink(stream, 1)), 1, TIME).unwrap_err();
        assert!(error.to_string().ends_with("arrived"), "{error}");
    }

    #[test]
    fn a_source_that_ends_or_errs_is_an_error() {
        assert!(from_machine(server(2, |stream| source(b'x', stream)), 2, TIME).unwrap() > 0.0);
        assert!(from_machine(server(1, |stream| source(b'y', stream)), 1, TIME).is_err());
        assert!(from_machine(server(1, drop), 1, TIME).is_err());
    }
}
