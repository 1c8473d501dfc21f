//! What QEMU is given: one value describes a machine, and [`Machine::arguments`] spells it.

use std::{ffi::OsString, fmt, path::PathBuf, str::FromStr};

/// The port that the default application listens on inside the machine.
pub const ECHO_PORT: u16 = 5555;

/// A machine type of QEMU that the image boots on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PCI Express and ACPI.
    Q35,
    /// The PC of 1996: PCI and ACPI.
    Pc,
    /// No PCI: virtio over memory-mapped transports.
    Microvm,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Q35, Self::Pc, Self::Microvm];

    /// The name that `-M` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q35 => "q35",
            Self::Pc => "pc",
            Self::Microvm => "microvm",
        }
    }

    /// The ending of a virtio device's name on this machine's bus.
    pub fn bus(self) -> &'static str {
        if self == Self::Microvm { "device" } else { "pci" }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| "the machines are q35, pc and microvm".to_owned())
    }
}

/// A port of the host that leads into the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// On the host's loopback address.
    pub host: u16,
    /// In the machine.
    pub guest: u16,
    /// UDP instead of TCP.
    pub udp: bool,
}

impl FromStr for Forward {
    type Err = String;

    /// `HOST:GUEST`, with `udp:` in front for UDP.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not HOST:GUEST, two port numbers such as 8080:80 (udp:53:53 for UDP)");
        let (udp, ports) = match text.strip_prefix("udp:") {
            Some(ports) => (true, ports),
            None => (false, text.strip_prefix("tcp:").unwrap_or(text)),
        };
        let (host, guest) = ports.split_once(':').ok_or_else(wrong)?;
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong);
        Ok(Self { host: port(host)?, guest: port(guest)?, udp })
    }
}

/// Everything QEMU needs to know, except how its console is connected.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The bootable image.
    pub image: PathBuf,
    /// The machine type.
    pub kind: Kind,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// A CPU model of QEMU; None takes QEMU's own default.
    pub cpu: Option<String>,
    /// `tcg` (software, works everywhere) or `kvm`.
    pub accelerator: &'static str,
    /// The kernel command line.
    pub append: String,
    /// Whether there is a device that gives random numbers of the host's.
    pub entropy: bool,
    /// Whether there is a network card.
    pub network: bool,
    /// Ports of the host that lead in.
    pub forwards: Vec<Forward>,
    /// The tap that the network card is connected to, in place of QEMU's user network and its ports.
    pub tap: Option<String>,
    /// A file that takes the packets of the network card.
    pub capture: Option<PathBuf>,
    /// Whether there is a device that carries the status of `halt/1` out, see [`crate::exit`].
    pub status_device: bool,
    /// Further arguments for QEMU, taken as they are.
    pub extra: Vec<String>,
    /// A library that is loaded into QEMU in front of all others (ld.so(8), `LD_PRELOAD`).
    pub preload: Option<PathBuf>,
}

impl Machine {
    /// A small q35 with a network card and no forwarded ports.
    pub fn new(image: impl Into<PathBuf>) -> Self {
        Self {
            image: image.into(),
            kind: Kind::Q35,
            cpus: 1,
            memory: 256,
            cpu: Some("max".into()),
            accelerator: "tcg",
            append: String::new(),
            entropy: true,
            network: true,
            forwards: Vec::new(),
            tap: None,
            capture: None,
            status_device: true,
            extra: Vec::new(),
            preload: None,
        }
    }

    /// The arguments of `qemu-system-x86_64`. The console and the monitor are left to the caller.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut list: Vec<OsString> = Vec::new();
        let mut add = |words: &[&str]| list.extend(words.iter().map(OsString::from));
        add(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        add(&["-machine", self.kind.name(), "-accel", self.accelerator]);
        if let Some(cpu) = &self.cpu {
            add(&["-cpu", cpu]);
        }
        add(&["-smp", &self.cpus.to_string(), "-m", &self.memory.to_string()]);
        if self.status_device {
            add(&["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
        }
        if self.entropy {
            add(&["-device", &format!("virtio-rng-{}", self.kind.bus())]);
        }
        if self.network {
            let back_end = match &self.tap {
                Some(tap) => format!("tap,id=net,ifname={tap},script=no,downscript=no"),
                None => format!("user,id=net{}", self.forwards.iter().map(forward).collect::<String>()),
            };
            add(&["-netdev", &back_end]);
            add(&["-device", &format!("virtio-net-{},netdev=net", self.kind.bus())]);
        }
        if let Some(capture) = self.capture.as_ref().filter(|_| self.network) {
            add(&[
                "-object",
                &format!("filter-dump,id=dump,netdev=net,file={}", comma_safe(&capture.to_string_lossy())),
            ]);
        }
        if !self.append.is_empty() {
            add(&["-append", &self.append]);
        }
        list.push("-kernel".into());
        list.push(self.image.clone().into_os_string());
        list.extend(self.extra.iter().map(OsString::from));
        list
    }
}

/// The default is the loopback address: nobody else on the host's network gets in unasked.
fn forward(forward: &Forward) -> String {
    let protocol = if forward.udp { "udp" } else { "tcp" };
    format!(",hostfwd={protocol}:127.0.0.1:{}-:{}", forward.host, forward.guest)
}

/// A word as the image's command line splits it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-_./:=,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// In QEMU's option lists a comma ends a value and two stand for one.
fn comma_safe(text: &str) -> String {
    text.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(machine: &Machine) -> Vec<String> {
        machine.arguments().into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn forwards_are_parsed_and_spelled() {
        let udp: Forward = "udp:53:5353".parse().unwrap();
        assert_eq!(forward(&udp), ",hostfwd=udp:127.0.0.1:53-:5353");
        let tcp: Forward = "8080:80".parse().unwrap();
        assert_eq!(forward(&tcp), ",hostfwd=tcp:127.0.0.1:8080-:80");
        for wrong in ["", "80", "80:", "0:80", "80:65536", "x:80", "sctp:1:2"] {
            assert!(wrong.parse::<Forward>().unwrap_err().contains("HOST:GUEST"), "{wrong}");
        }
    }

    #[test]
    fn the_network_card_sits_on_the_bus_that_the_machine_has() {
        let mut machine = Machine::new("image.elf");
        assert!(words(&machine).contains(&"virtio-net-pci,netdev=net".to_owned()));
        machine.kind = Kind::Microvm;
        assert!(words(&machine).contains(&"virtio-net-device,netdev=net".to_owned()));
        machine.network = false;
        machine.capture = Some("x".into());
        assert!(!words(&machine).iter().any(|word| word.contains("net")));
    }

    #[test]
    fn a_tap_takes_the_place_of_the_user_network() {
        let forwards = vec!["80:80".parse().unwrap()];
        let machine = Machine { tap: Some("tap0".into()), forwards, ..Machine::new("image.elf") };
        let words = words(&machine);
        assert!(words.iter().any(|word| word.starts_with("tap,id=net,ifname=tap0,")), "{words:?}");
        assert!(!words.iter().any(|word| word.starts_with("user,")), "{words:?}");
    }

    #[test]
    fn words_are_quoted_as_the_image_splits_them() {
        assert_eq!(quoted("-noshell"), "-noshell");
        assert_eq!(quoted(r#"io:format("a b")."#), r#""io:format(\"a b\").""#);
        assert_eq!(quoted(""), "\"\"");
    }

    #[test]
    fn an_empty_command_line_is_not_given() {
        let mut machine = Machine::new("image.elf");
        assert!(!words(&machine).contains(&"-append".to_owned()));
        machine.append = "log=debug".into();
        assert!(words(&machine).contains(&"log=debug".to_owned()));
    }
}
