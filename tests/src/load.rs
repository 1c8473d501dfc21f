//! Clients of the echo server.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

use anyhow::{Context, Result, ensure};

/// Bytes that look random and are the same every time for the same seed (xorshift, Marsaglia 2003).
pub fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Sends `data` while it reads as much back, and compares the two. The connection stays open.
///
/// # Errors
/// The connection breaks, or what comes back differs; the error says from which byte on.
pub fn echo(stream: &TcpStream, data: &[u8]) -> Result<()> {
    let mut back = vec![0; data.len()];
    thread::scope(|scope| {
        let (mut to, mut from) = (stream, stream);
        let sender = scope.spawn(move || to.write_all(data));
        from.read_exact(&mut back).context("the echo ended early")?;
        sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?.context("cannot send")
    })?;
    same(&back, data)
}

/// Sends `data`, stops sending, and reads to the end: what `nc` does.
///
/// # Errors
/// As [`echo`]; also when the other side does not close behind the last byte.
pub fn echo_half_closed(stream: &mut TcpStream, data: &[u8]) -> Result<()> {
    let mut back = Vec::new();
    thread::scope(|scope| {
        let mut to: &TcpStream = stream;
        let mut from: &TcpStream = stream;
        let sender = scope.spawn(move || to.write_all(data).and_then(|()| to.shutdown(Shutdown::Write)));
        from.read_to_end(&mut back).context("the echo broke off")?;
        sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?.context("cannot send")
    })?;
    same(&back, data)
}

fn same(back: &[u8], data: &[u8]) -> Result<()> {
    let differs = back.iter().zip(data).position(|(a, b)| a != b);
    ensure!(differs.is_none(), "the echo differs from byte {} of {} on", differs.unwrap_or_default(), data.len());
    ensure!(back.len() == data.len(), "{} bytes were sent, {} came back", data.len(), back.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that echoes but changes the byte at `wrong`.
    fn server(wrong: Option<usize>) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        thread::spawn(move || {
            let (mut buffer, mut total) = ([0; 1000], 0);
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if let Some(at) = wrong.filter(|at| (total..total + count).contains(at)) {
                    buffer[at - total] ^= 1;
                }
                total += count;
                stream.write_all(&buffer[..count]).unwrap();
            }
        });
        client
    }

    #[test]
    fn a_true_echo_passes_and_a_false_one_is_told_where() {
        let data = bytes(100_000, 1);
        echo(&server(None), &data).unwrap();
        echo_half_closed(&mut server(None), &data).unwrap();
        assert!(echo(&server(Some(77_777)), &data).unwrap_err().to_string().contains("byte 77777"));
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(bytes(64, 1), bytes(64, 2));
        assert_eq!(bytes(64, 1), bytes(64, 1));
    }
}
