//! Clients, which run on the host.

pub mod bulk;
pub mod echo;
pub mod idle;
pub mod paced;
pub mod udp;

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};

/// What takes longer than this will not come: the longest that a lost packet may be repeated late, several times over.
const PATIENCE: Duration = Duration::from_secs(15);

fn connect(address: SocketAddr, patience: Duration) -> Result<TcpStream> {
    let stream =
        TcpStream::connect_timeout(&address, patience).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

/// Times in nanoseconds.
pub struct Latencies {
    sorted: Vec<f64>,
}

impl Latencies {
    fn new(times: &[Duration]) -> Self {
        let mut sorted: Vec<_> = times.iter().map(|time| time.as_nanos() as f64).collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// The time that this share of all does not exceed (nearest rank).
    pub fn within(&self, share: f64) -> f64 {
        let rank = (share * self.sorted.len() as f64).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).or(self.sorted.last()).copied().unwrap_or(f64::NAN)
    }

    pub fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.sorted.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_nanos).collect();
        let latencies = Latencies::new(&times);
        assert_eq!([0.5, 0.99, 1.0].map(|share| latencies.within(share)), [100.0, 198.0, 200.0]);
        assert_eq!(latencies.mean(), 100.5);
        assert_eq!(Latencies::new(&times[..1]).within(0.99), 200.0);
        assert!(Latencies::new(&[]).within(0.5).is_nan());
    }
}
