//! A network with nothing in it but one machine and the clients that measure it.
//!
//! ```text
//! clients0 ── wire0 ┐
//!                   ├ bridge0
//! QEMU ─────── tap0 ┘
//! ```
//!
//! It is a network namespace (network_namespaces(7)) that one thread makes for itself and all that it starts: QEMU, wrk, other threads. So
//! nothing has to be executed anew inside, and the rest of the process stays where it can reach the network for a build. It has no name:
//! none can be taken already, and the kernel removes it with the last process in it, so that there is nothing to tidy up. The clients' end
//! is not the bridge itself, so that packets can be lost on their way ([`super::loss`]) without their sender being told.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    thread,
};

use anyhow::{Context, Result, anyhow, ensure};
use nix::{
    sched::{CloneFlags, unshare},
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::geteuid,
};
use trapless_tests::run_quietly;

/// The end of the wire that the clients have, ...
pub const CLIENTS: &str = "clients0";
/// ... its other end, ...
pub const WIRE: &str = "wire0";
/// ... and what QEMU is connected to.
pub const TAP: &str = "tap0";
/// Addresses of the clients and of the machine: those of QEMU's user network, which the Linux guest gives itself (`bench/linux/init.c`).
const HERE: &str = "10.0.2.2";
const MACHINE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const PREFIX: u32 = 24;

/// Where a port of the machine is.
pub fn address(port: u16) -> SocketAddr {
    (MACHINE, port).into()
}

/// What the image is told, before the ` -- ` of its command line.
pub fn setting() -> String {
    format!("ip={MACHINE}/{PREFIX},{HERE}")
}

/// Does `work` in a network of its own, which is gone with the last process in it, however that ends.
///
/// # Errors
/// The host does not allow it; or the error of `work`.
pub fn within<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    allowed(geteuid().is_root(), Path::new("/dev/net/tun"))?;
    let inside = || {
        unshare(CloneFlags::CLONE_NEWNET).context("the host allows no network namespace")?;
        build()?;
        work()
    };
    thread::scope(|scope| scope.spawn(inside).join()).map_err(|_| anyhow!("the thread in the network has panicked"))?
}

/// Says what is missing.
fn allowed(is_root: bool, tun: &Path) -> Result<()> {
    ensure!(is_root, "a network namespace and a tap are made by root: run this as root");
    ensure!(tun.exists(), "{} is missing (modprobe tun; a container must be given it)", tun.display());
    Ok(())
}

/// Builds what the drawing above shows.
fn build() -> Result<()> {
    // Its packets would be counted, and nobody here speaks it. A kernel without it has no such file.
    let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    // Each request of some loads has a connection of its own.
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000").context("cannot set the range of ports")?;
    let commands = [
        "link set lo up".to_owned(),
        format!("link add {CLIENTS} type veth peer name {WIRE}"),
        "link add bridge0 type bridge".to_owned(),
        format!("tuntap add dev {TAP} mode tap"),
        format!("link set {WIRE} master bridge0"),
        format!("link set {TAP} master bridge0"),
        format!("address add {HERE}/{PREFIX} dev {CLIENTS}"),
    ];
    let up = [CLIENTS, WIRE, TAP, "bridge0"].map(|name| format!("link set {name} up"));
    commands.iter().chain(&up).try_for_each(|command| ip(command))
}

/// Runs ip(8).
pub fn ip(arguments: &str) -> Result<()> {
    run_quietly(Command::new("ip").args(arguments.split(' ')))
}

/// Sees to it that this process may have `wanted` descriptors open.
///
/// # Errors
/// The host does not allow it.
pub fn allow_descriptors(wanted: u64) -> Result<()> {
    let (current, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if current >= wanted {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, most.max(wanted))
        .with_context(|| format!("the host does not allow {wanted} descriptors (ulimit -n)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let tun = Path::new("/dev/null");
        assert!(allowed(true, tun).is_ok());
        assert!(allowed(false, tun).unwrap_err().to_string().contains("root"));
        let missing = allowed(true, Path::new("/dev/no-tun")).unwrap_err().to_string();
        assert!(missing.contains("/dev/no-tun is missing"), "{missing}");
    }

    #[test]
    fn the_image_gets_the_address_of_the_guest() {
        assert_eq!(setting(), "ip=10.0.2.15/24,10.0.2.2");
        let init = include_str!("../../../../bench/linux/init.c");
        assert!(init.contains(&format!("\"{MACHINE}\"")) && init.contains(&format!("\"{HERE}\"")));
    }

    /// Names of interfaces, where this thread is.
    fn interfaces() -> String {
        fs::read_to_string("/proc/thread-self/net/dev").unwrap()
    }

    #[test]
    fn a_network_is_seen_inside_only_and_is_gone_behind() {
        // Where the host does not allow it, there is nothing to see.
        let is_allowed = allowed(geteuid().is_root(), Path::new("/dev/net/tun")).is_ok();
        if !is_allowed || thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET)).join().unwrap().is_err() {
            return;
        }
        // The second finds nothing of the first in its way.
        for _ in 0..2 {
            let seen = within(|| Ok(interfaces())).unwrap();
            for name in [CLIENTS, WIRE, TAP, "bridge0"] {
                assert!(seen.contains(&format!("{name}:")) && !interfaces().contains(&format!("{name}:")), "{name}");
            }
        }
        let failed: Result<()> = within(|| Err(anyhow!("measured nothing")));
        assert_eq!(failed.unwrap_err().to_string(), "measured nothing");
    }

    #[test]
    fn descriptors_that_are_there_are_not_asked_for() {
        let before = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        allow_descriptors(1).unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), before);
    }
}
