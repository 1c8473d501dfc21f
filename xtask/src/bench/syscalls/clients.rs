//! Clients on the host: an echo over TCP, and wrk's HTTP requests on kept connections.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::SocketAddr,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use trapless_tests::load;

use super::{data::Samples, lines};
use crate::bench::http::{self, Load, connect, get};

/// Round trips in each sample of the echo.
const ROUND_TRIPS: u64 = 50;
/// Bytes of each.
const BYTES: usize = 64;

/// 64 bytes there and back through the forwarded port, one after the other.
pub fn echo(address: SocketAddr, samples: u32) -> Result<Samples> {
    let stream = connect(address)?;
    let message = load::bytes(BYTES, 1);
    let (mut to, mut from) = (&stream, &stream);
    let mut back = [0; BYTES];
    let mut sample = || -> Result<u64> {
        let start = Instant::now();
        for _ in 0..ROUND_TRIPS {
            to.write_all(&message)?;
            from.read_exact(&mut back).context("the echo ended early")?;
            ensure!(back == message[..], "the echo differs");
        }
        Ok(u64::try_from(start.elapsed().as_nanos())?)
    };
    // The first warms up.
    sample()?;
    let ns = (0..samples).map(|_| sample()).collect::<Result<_>>()?;
    Ok(Samples { name: "tcp_echo".into(), operations: ROUND_TRIPS, ns, yardstick: Vec::new(), ticks: Vec::new() })
}

/// What wrk measured, as one sample: the time that each answer took the server, whatever number of clients waits meanwhile.
pub fn samples(load: &Load, name: &str) -> Result<Samples> {
    let ns = vec![u64::try_from(load.time.as_nanos())?];
    Ok(Samples { name: name.to_owned(), operations: load.requests, ns, yardstick: Vec::new(), ticks: Vec::new() })
}

/// Keeps `connections` busy for so many seconds.
pub fn http(address: SocketAddr, connections: u32, seconds: u32) -> Result<Load> {
    http::load(address, "/", connections, seconds)
}

/// System calls so far, as the image counts them. Empty where nothing counts.
pub fn calls(address: SocketAddr) -> Result<BTreeMap<String, u64>> {
    get(address, "calls")?.lines().map(lines::call).collect()
}

/// HTTP connections that the server has accepted so far, this one included.
pub fn accepted(address: SocketAddr) -> Result<u64> {
    let body = get(address, "accepted")?;
    body.trim().parse().with_context(|| format!("/accepted answers {body:?}"))
}
