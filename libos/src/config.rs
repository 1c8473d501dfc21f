//! Settings from the kernel command line.

use crate::counters::Counting;
use crate::profile;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use trapless_abi::structs::Winsize;
use trapless_logic::cmdline::{self, CommandLine};
use trapless_logic::futex::SEED_OPENS;
use trapless_logic::net::AddressSettings;
use trapless_logic::ntp;
use trapless_logic::vfs::tty::window;

/// Every setting, decoded.
#[derive(Debug)]
pub struct Config {
    /// `futex=`: opens before waits block.
    pub futex_spin_opens: u32,
    /// `ip=` and `ip6=`.
    pub addresses: AddressSettings,
    /// `ntp=`: servers that know the time of the day.
    pub ntp: Vec<SocketAddr>,
    /// `hostname=`.
    pub hostname: Option<String>,
    /// `trace=`: calls and areas to print.
    pub trace: String,
    /// `counters=`: whether calls are counted.
    pub counters: Counting,
    /// `profile=`: samples a second and CPU.
    pub profile: Option<u32>,
    /// `log=`.
    pub log: log::LevelFilter,
    /// `cpus=`: most CPUs to start.
    pub cpus: usize,
    /// `env=NAME=VALUE`, any number of times.
    pub environment: Vec<String>,
    /// `window=`: size of the console's window.
    pub window: Winsize,
    /// `tmpfs=`: most bytes that files may take.
    pub tmpfs: Option<u64>,
    /// `bootchart=`: the boot chart on the console.
    pub bootchart: bool,
    /// `selftest=`: what to run instead of ERTS.
    pub selftest: Option<String>,
    /// `mutant=`: a fault built in on purpose, for the test to find.
    pub mutant: Option<String>,
    /// What follows `--`.
    pub erl: Option<Vec<String>>,
    /// The whole line, for /proc/cmdline.
    pub line: String,
}

/// The settings there are, with what they take.
const SETTINGS: &[(&str, &str)] = &[
    ("futex", "block | seed | seed:OPENS  (boot policy of futex waits)"),
    ("ip", "[CARD:]dhcp | [CARD:]none | [CARD:]ADDRESS/PREFIX[,ROUTER]  (CARD: eth0, eth1, ...; once for each)"),
    (
        "ip6",
        "[CARD:]auto | [CARD:]none | [CARD:]ADDRESS/PREFIX[,ROUTER]  (auto, unless ip=none: what routers advertise)",
    ),
    ("ntp", "ADDRESS[:PORT][,...]  (servers to keep the time of the day by)"),
    ("hostname", "NAME  (with a dot)"),
    ("trace", "CALL|AREA|all[,...]  (print system calls)"),
    ("counters", "on | off | summary  (count system calls for /proc/trapless/syscalls; a table at the end)"),
    ("profile", "HZ  (sample what runs, 1 to 1000 times a second, and print it at the end)"),
    ("log", "off | error | warn | info | debug | trace"),
    ("cpus", "N  (use at most N CPUs)"),
    ("env", "NAME=VALUE  (environment of the program; may be repeated)"),
    ("window", "COLUMNSxROWS  (size of the console's window; it is 80x24 otherwise)"),
    ("tmpfs", "SIZE[k|m|g]  (most memory for files)"),
    ("bootchart", "on | off  (time stamps of the boot, and the files it opens)"),
    ("selftest", "NAME[,ARGUMENT]  (run a test of the libos instead of Erlang; storm: disturb it by interrupts)"),
    ("mutant", "no-ist | drop-reg | touch  (with selftest=, in an image built with --features mutants)"),
];

impl Config {
    /// Decodes the command line.
    ///
    /// # Errors
    /// A text that says which setting is wrong and what would be right.
    pub fn parse(line: &str) -> Result<Self, String> {
        let CommandLine { settings, erl, virtio_mmio: _ } = cmdline::parse(line).map_err(|e| e.to_string())?;
        let mut config = Self {
            futex_spin_opens: 0,
            addresses: AddressSettings::default(),
            ntp: Vec::new(),
            hostname: None,
            trace: String::new(),
            counters: Counting::Off,
            profile: None,
            log: log::LevelFilter::Warn,
            cpus: usize::MAX,
            environment: Vec::new(),
            window: window::DEFAULT,
            tmpfs: None,
            bootchart: false,
            selftest: None,
            mutant: None,
            erl,
            line: line.into(),
        };
        for (key, value) in settings {
            config.set(&key, &value).ok_or_else(|| complaint(&key, &value))?;
        }
        Ok(config)
    }

    /// Applies one setting; None if it is unknown or its value wrong.
    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "futex" => self.futex_spin_opens = futex_policy(value)?,
            "ip" => self.addresses.set(value)?,
            "ip6" => self.addresses.set6(value)?,
            "ntp" => self.ntp = value.split(',').map(server).collect::<Option<_>>()?,
            "hostname" if value.contains('.') && value.len() <= 64 => self.hostname = Some(value.into()),
            "trace" => self.trace = value.into(),
            "counters" => self.counters = counting(value)?,
            "profile" => self.profile = Some(profile::rate(value)?),
            "log" => self.log = value.parse().ok()?,
            "cpus" => self.cpus = value.parse().ok().filter(|n| *n > 0)?,
            "env" => {
                let (name, _) = value.split_once('=')?;
                if name.is_empty() {
                    return None;
                }
                self.environment.push(value.into());
            }
            "window" => self.window = window::parse(value)?,
            "tmpfs" => self.tmpfs = Some(size(value)?),
            "bootchart" => self.bootchart = switch(value)?,
            "selftest" if !value.is_empty() => self.selftest = Some(value.into()),
            "mutant" if !value.is_empty() => self.mutant = Some(value.into()),
            _ => return None,
        }
        Some(())
    }
}

fn complaint(key: &str, value: &str) -> String {
    use core::fmt::Write;
    let mut text = String::new();
    let _ = match SETTINGS.iter().find(|(name, _)| *name == key) {
        Some((_, usage)) => write!(text, "{key}={value}: it takes {usage}"),
        None => {
            let _ = write!(text, "{key}: there is no such setting. The settings are:");
            SETTINGS.iter().try_for_each(|(name, usage)| write!(text, "\n  {name}={usage}"))
        }
    };
    text
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" | "" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn counting(value: &str) -> Option<Counting> {
    match value {
        "summary" => Some(Counting::Summary),
        _ => switch(value).map(|on| if on { Counting::On } else { Counting::Off }),
    }
}

fn futex_policy(value: &str) -> Option<u32> {
    match value.split_once(':') {
        None if value == "block" => Some(0),
        None if value == "seed" => Some(SEED_OPENS),
        Some(("seed", opens)) => opens.parse().ok(),
        _ => None,
    }
}

/// `ADDRESS[:PORT]`, an address of IPv6 in brackets if a port follows.
fn server(text: &str) -> Option<SocketAddr> {
    let alone = || text.parse().ok().map(|address: IpAddr| SocketAddr::new(address, ntp::PORT));
    text.parse().ok().or_else(alone).filter(|server| server.port() != 0 && !server.ip().is_unspecified())
}

fn size(value: &str) -> Option<u64> {
    let digits = value.trim_end_matches(['k', 'm', 'g', 'K', 'M', 'G']);
    let unit = match value[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
