//! A small message over TCP, there and back, one after the other.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use trapless_tests::load;

use super::{Latencies, PATIENCE, connect};

const BYTES: usize = 64;
/// Round trips before the first that counts.
const WARM_UP: usize = 20;

/// Echoes for so long.
///
/// # Errors
/// The connection breaks, or what comes back differs.
pub fn round_trips(address: SocketAddr, time: Duration) -> Result<Latencies> {
    let mut echo = Echo::connect(address)?;
    echo.times(WARM_UP)?;
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < time {
        times.push(echo.once()?);
    }
    Ok(Latencies::new(&times))
}

/// A connection to the echo server.
pub struct Echo {
    stream: std::net::TcpStream,
    message: Vec<u8>,
}

impl Echo {
    /// # Errors
    /// Nobody listens.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { stream: connect(address, PATIENCE)?, message: load::bytes(BYTES, 1) })
    }

    /// # Errors
    /// As [`round_trips`].
    pub fn times(&mut self, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.once().map(drop))
    }

    fn once(&mut self) -> Result<Duration> {
        let started = Instant::now();
        self.stream.write_all(&self.message).context("cannot send")?;
        let mut back = [0; BYTES];
        self.stream.read_exact(&mut back).context("no echo came")?;
        ensure!(back == self.message[..], "the echo differs");
        Ok(started.elapsed())
    }
}
