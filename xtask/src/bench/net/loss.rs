//! Packets that get lost between the clients and the machine.
//!
//! nftables drops them where they come in from the wire, by chance and in both directions. A queue in front of the wire (tc-netem(8))
//! would serve too, but not every kernel has one.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use trapless_tests::run_quietly;

use super::network::{CLIENTS, TAP, WIRE, ip};

/// Packets that the kernel hands over as one, at most: as Linux begins (GSO_MAX_SEGS).
const SEGMENTS: u32 = 65535;

/// Loses packets until it is dropped.
pub struct Loss(());

impl Loss {
    /// Begins to lose so many in a hundred.
    ///
    /// # Errors
    /// The kernel has no nftables, or a part that is needed is missing.
    pub fn begin(percent: u32) -> Result<Self> {
        let loss = Self(());
        // The kernel would hand several packets over as one, to be lost together.
        hand_over(1)?;
        let mut nft = Command::new("nft");
        let mut child = nft.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.as_mut().map_err(|error| anyhow::anyhow!("cannot run nft: {error}"))?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(rules(percent).as_bytes())?;
        }
        let status = child.wait().context("cannot wait for nft")?;
        ensure!(status.success(), "the kernel cannot lose packets (nftables with numgen, on ingress)");
        Ok(loss)
    }

    /// How many were lost so far.
    ///
    /// # Errors
    /// nft does not tell.
    pub fn packets(&self) -> Result<u64> {
        let output =
            Command::new("nft").args(["list", "table", "netdev", "loss"]).output().context("cannot run nft")?;
        Ok(counted(&String::from_utf8_lossy(&output.stdout)))
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        let _ = run_quietly(Command::new("nft").args(["delete", "table", "netdev", "loss"]));
        let _ = hand_over(SEGMENTS);
    }
}

/// Has the clients' end hand over so many packets as one at most.
fn hand_over(segments: u32) -> Result<()> {
    ip(&format!("link set dev {CLIENTS} gso_max_segs {segments}"))
}

fn rules(percent: u32) -> String {
    let chain = |name: &str| {
        format!(
            "chain {name} {{\ntype filter hook ingress device {name} priority 0;\n\
             numgen random mod 100 < {percent} counter drop\n}}\n"
        )
    };
    format!("table netdev loss {{\n{}{}}}\n", chain(WIRE), chain(TAP))
}

/// The sum of the counters, which read `counter packets 3 bytes 180`.
fn counted(listing: &str) -> u64 {
    let counts = listing.split("counter packets ").skip(1);
    counts.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::{super::network, *};

    #[test]
    fn both_directions_lose() {
        let rules = rules(5);
        for device in ["device wire0 ", "device tap0 "] {
            assert!(rules.contains(device), "{rules}");
        }
        assert_eq!(rules.matches("random mod 100 < 5 counter drop").count(), 2);
    }

    #[test]
    fn what_comes_afterwards_finds_the_network_as_it_was() {
        // Where the host allows no network, there is nothing to see; where it cannot lose packets, there is.
        let seen = network::within(|| {
            let settings = || {
                let output = Command::new("ip").args(["-d", "link", "show", CLIENTS]).output()?;
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                text.split_once("gso_max_segs ")
                    .map(|(_, rest)| rest.split(' ').next().map(str::to_owned))
                    .context(text)
            };
            let before = settings()?;
            drop(Loss::begin(1));
            Ok((before, settings()?))
        });
        if let Ok((before, after)) = seen {
            assert_eq!(before, after);
        }
    }

    #[test]
    fn counters_are_added_up() {
        let listing = "a counter packets 3 bytes 180 drop\nb counter packets 40 bytes 1 drop\n";
        assert_eq!(counted(listing), 43);
        assert_eq!(counted(""), 0);
    }
}
