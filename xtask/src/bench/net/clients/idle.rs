//! Many connections that do nothing, until each is asked whether it still works.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Error, Result, ensure};
use trapless_tests::load;

use super::connect;

/// What each echoes at the end.
const BYTES: usize = 1024;
/// How many do so at once.
const BATCH: usize = 64;
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(3);
/// Until a server has taken up what waits.
const TAKEN: Duration = Duration::from_secs(60);
/// How long an answer may take when so many did not come that it is not expected.
const NO_PATIENCE: Duration = Duration::from_millis(20);
/// So many failures are enough to know.
const FAILURES: usize = 10;

/// Connections that are open.
pub struct Idle {
    streams: Vec<TcpStream>,
    /// Why there are no more.
    failure: Option<Error>,
}

impl Idle {
    /// None as yet.
    pub fn none() -> Self {
        Self { streams: Vec::new(), failure: None }
    }

    /// Opens more until there are so many, or it fails too often.
    pub fn open_until(&mut self, wanted: usize, address: SocketAddr) {
        let mut failures = 0;
        while self.streams.len() < wanted && failures < FAILURES {
            match connect(address, PATIENCE) {
                Ok(stream) => self.streams.push(stream),
                Err(error) => {
                    failures += 1;
                    self.failure = Some(error);
                }
            }
        }
    }

    pub fn count(&self) -> usize {
        self.streams.len()
    }

    /// An error unless there are so many.
    ///
    /// # Errors
    /// It says how many there are, and why no more.
    pub fn ensure(&self, wanted: usize) -> Result<()> {
        let why = self.failure.as_ref().map(|error| format!(": {error:#}")).unwrap_or_default();
        ensure!(self.count() >= wanted, "{} of {wanted} connections opened{why}", self.count());
        Ok(())
    }

    /// Waits until the server has taken up all of them: it does so one after the other, so that the last one's echo says it.
    ///
    /// # Errors
    /// There is no echo.
    pub fn ensure_taken(&mut self) -> Result<()> {
        let Some(number) = self.streams.len().checked_sub(1) else { return Ok(()) };
        let stream = &mut self.streams[number];
        stream.set_read_timeout(Some(TAKEN))?;
        stream.write_all(&message(number))?;
        came_back(stream, number).context("the last connection does not echo")?;
        Ok(stream.set_read_timeout(Some(PATIENCE))?)
    }

    /// Lets each echo something of its own. Returns how many did not, and why the last of them.
    pub fn lost(&mut self) -> (usize, Option<Error>) {
        let (mut lost, mut why) = (0, None);
        let mut numbered: Vec<_> = self.streams.iter_mut().enumerate().collect();
        for batch in numbered.chunks_mut(BATCH) {
            let sent: Vec<_> = batch.iter_mut().map(|(at, stream)| stream.write_all(&message(*at))).collect();
            for ((at, stream), sent) in batch.iter_mut().zip(sent) {
                // A machine that is gone would be waited for as often as there are connections.
                let patience = if lost < FAILURES { PATIENCE } else { NO_PATIENCE };
                let asked = sent.and_then(|()| stream.set_read_timeout(Some(patience))).map_err(Error::from);
                if let Err(error) = asked.and_then(|()| came_back(stream, *at)) {
                    lost += 1;
                    why = Some(error);
                }
            }
        }
        (lost, why)
    }
}

fn message(number: usize) -> Vec<u8> {
    load::bytes(BYTES, number as u64)
}

fn came_back(stream: &mut TcpStream, number: usize) -> Result<()> {
    let mut back = [0; BYTES];
    stream.read_exact(&mut back)?;
    ensure!(back == message(number)[..], "the echo differs");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// An echo that closes each connection whose number `is_bad`, of `count`, and then listens no more.
    fn server(count: usize, is_bad: fn(usize) -> bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for (at, stream) in listener.incoming().take(count).flatten().enumerate() {
                if !is_bad(at) {
                    thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
                }
            }
        });
        address
    }

    #[test]
    fn each_lost_connection_is_counted() {
        let mut idle = Idle::none();
        idle.open_until(100, server(100, |at| at % 20 == 3));
        idle.ensure(100).unwrap();
        idle.ensure_taken().unwrap();
        let (lost, why) = idle.lost();
        assert_eq!(lost, 5);
        assert!(why.is_some());
    }

    #[test]
    fn what_cannot_be_opened_is_said() {
        let mut idle = Idle::none();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        idle.open_until(7, nobody);
        assert_eq!(idle.count(), 0);
        let said = idle.ensure(7).unwrap_err().to_string();
        assert!(said.starts_with("0 of 7 connections opened: cannot connect"), "{said}");
    }
}
