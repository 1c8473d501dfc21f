//! A name server that knows one thing: the addresses that every name has at the moment (RFC 1035, 4.1).

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result};

/// Record type and class of an address of IPv4.
const A: [u8; 4] = [0, 1, 0, 1];
/// Bytes before the question.
const HEADER: usize = 12;

/// A running server on the loopback of this host, for as long as the test runs.
pub struct Dns {
    port: u16,
    addresses: Arc<Mutex<Vec<Ipv4Addr>>>,
}

impl Dns {
    /// Starts one that knows no addresses.
    ///
    /// # Errors
    /// The host has no free port.
    pub fn start() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("no free port")?;
        let port = socket.local_addr()?.port();
        let addresses = Arc::new(Mutex::new(Vec::new()));
        let known = addresses.clone();
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut question) {
                let known = known.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(answer) = answer(&question[..len], &known) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(Self { port, addresses })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on names have these addresses.
    pub fn set(&self, addresses: &[Ipv4Addr]) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses.to_vec();
    }
}

/// The answer to a query with one question; None for anything else.
fn answer(query: &[u8], addresses: &[Ipv4Addr]) -> Option<Vec<u8>> {
    let name_len = query.get(HEADER..)?.iter().position(|&byte| byte == 0)? + 1;
    let question = query.get(HEADER..HEADER + name_len + 4)?;
    let addresses = if question.ends_with(&A) { addresses } else { &[] };
    // The query's number; a response that recursion was available for; one question, so many answers, nothing else.
    let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, u8::try_from(addresses.len()).ok()?, 0, 0, 0, 0]].concat();
    answer.extend_from_slice(question);
    for address in addresses {
        // The name is that of the question; the record is good for a second.
        answer.extend_from_slice(&[&[0xc0, 0x0c][..], &A, &[0, 0, 0, 1, 0, 4], &address.octets()].concat());
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_for_addresses_are_answered() {
        let query =
            |kind: u8| [&[7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x01a\x04test\0", &[0, kind, 0, 1]].concat();
        let said = answer(&query(1), &[Ipv4Addr::new(10, 0, 2, 2)]).unwrap();
        assert_eq!(said[..12], [7, 8, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert!(said.ends_with(&[0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 0, 2, 2]));
        assert_eq!(answer(&query(28), &[Ipv4Addr::LOCALHOST]).unwrap()[7], 0);
        assert_eq!(answer(&query(1)[..14], &[]), None);
    }
}
