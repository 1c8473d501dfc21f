//! A server of the time that can be wrong (RFC 5905, 7.3).

use std::{
    net::UdpSocket,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};

/// Seconds from 1900 to 1970.
const EPOCH: u64 = 2_208_988_800;
/// Bytes of a datagram.
const SIZE: usize = 48;

/// What a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Nothing.
    Nothing,
    /// What nobody has asked for: the time of another day, as an answer to another question.
    Forged,
    /// This host's time and so much more.
    Ahead(Duration),
}

/// A running server on the loopback of this host, for as long as the test runs.
pub struct Ntp {
    port: u16,
    state: Arc<Mutex<(Answers, u32)>>,
}

impl Ntp {
    /// Starts one that answers nothing.
    ///
    /// # Errors
    /// The host has no free port.
    pub fn start() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("no free port")?;
        let port = socket.local_addr()?.port();
        let state = Arc::new(Mutex::new((Answers::Nothing, 0)));
        let shared = state.clone();
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut question) {
                let answers = {
                    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    state.1 += 1;
                    state.0
                };
                if let Some(answer) = answer(&question[..len], answers) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(Self { port, state })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on it answers this.
    pub fn set(&self, answers: Answers) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (answers, 0);
    }

    /// Questions since [`Ntp::set`].
    pub fn asked(&self) -> u32 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

fn answer(question: &[u8], answers: Answers) -> Option<Vec<u8>> {
    let nonce = question.get(SIZE - 8..SIZE)?;
    let (ahead, nonce) = match answers {
        Answers::Nothing => return None,
        Answers::Forged => (Duration::from_secs(10 * 86400), b"somebody".as_slice()),
        Answers::Ahead(ahead) => (ahead, nonce),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()? + ahead;
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    let time = (((now.as_secs() + EPOCH) << 32) | fraction).to_be_bytes();
    let mut answer = vec![0; SIZE];
    // Version 4 of a server, one step from a clock.
    answer[..2].copy_from_slice(&[4 << 3 | 4, 1]);
    answer[24..32].copy_from_slice(nonce);
    answer[32..40].copy_from_slice(&time);
    answer[40..48].copy_from_slice(&time);
    Some(answer)
}
