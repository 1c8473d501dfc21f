//! Machines that a machine asks for: each is a node that an Erlang node starts beside itself (docs/nodes.md).

use anyhow::{Context, Result};

use crate::{
    machine::{Machine, quoted},
    nodes::Wire,
    vm::Vm,
};

/// How a machine asks for another one, on its console.
const ASKED: &str = "=machine ";
/// The file in an initrd that says that there is somebody to ask; what it begins with makes it a program.
pub const LEAVE: (&str, &[u8]) = ("bin/erl", b"#!erl\n");
/// Machines there may be at once.
const MOST: u8 = 16;
/// The number of the first.
const FIRST: u8 = 1;

/// The machines around one.
pub struct Peers {
    wire: Wire,
    /// What all of them have in common.
    machine: Machine,
    name: String,
    /// How much of the first one's console was looked at, in bytes.
    seen: usize,
    running: Vec<Peer>,
}

/// One that was asked for.
struct Peer {
    number: u8,
    vm: Vm,
    seen: usize,
}

impl Peers {
    /// None yet. Each is to be a `machine`, whose command line says nothing of Erlang; their logs have this name, and a number.
    ///
    /// # Errors
    /// The host has no free port.
    pub fn new(name: &str, machine: Machine) -> Result<Self> {
        Ok(Self { wire: Wire::new()?, machine, name: name.to_owned(), seen: 0, running: Vec::new() })
    }

    /// The machine that asks: with a card on the wire beside its own, and these arguments of Erlang's.
    pub fn first<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Machine {
        let card = u8::from(self.machine.network);
        self.numbered(FIRST, self.machine.clone(), card, arguments)
    }

    /// A machine with that card on the wire. Its node is found by its name alone, wherever it is.
    fn numbered<'a>(
        &self,
        number: u8,
        mut machine: Machine,
        card: u8,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Machine {
        let hosts: Vec<_> = (FIRST..=MOST).map(|number| Wire::address(number).to_string()).collect();
        let found = ["-start_epmd", "true", "-epmd_hosts"].into_iter().chain(hosts.iter().map(String::as_str));
        let words: Vec<_> = found.map(quoted).chain(arguments.into_iter().map(quoted)).collect();
        let address = Wire::address(number);
        machine.append =
            format!("{} ip=eth{card}:{address}/24 -- {}", machine.append, words.join(" ")).trim().to_owned();
        machine.extra.extend(self.wire.card(machine.kind, number));
        machine
    }

    /// Starts the machines that were asked for since the last call, `console` being all that the first has printed.
    ///
    /// # Errors
    /// A request makes no sense, or QEMU cannot be started.
    pub fn attend(&mut self, console: &str) -> Result<()> {
        let mut requests = requests(console, &mut self.seen)?;
        let mut running = Vec::new();
        for mut peer in self.running.drain(..) {
            requests.extend(self::requests(&peer.vm.console().text(), &mut peer.seen)?);
            if !peer.vm.console().is_closed() {
                running.push(peer);
            }
        }
        self.running = running;
        requests.iter().try_for_each(|arguments| self.start(arguments))
    }

    fn start(&mut self, arguments: &[String]) -> Result<()> {
        let taken = |number: &u8| self.running.iter().any(|peer| peer.number == *number);
        let number = (FIRST + 1..=MOST).find(|number| !taken(number));
        let number = number.with_context(|| format!("more than {MOST} machines are asked for"))?;
        // As erlexec does.
        let arguments = arguments.iter().flat_map(|word| match &**word {
            "-detached" => vec!["-noshell", "-noinput"],
            word => vec![word],
        });
        let machine = Machine { network: false, forwards: Vec::new(), ..self.machine.clone() };
        let machine = self.numbered(number, machine, 0, arguments);
        let vm = Vm::boot(&format!("{}-peer-{number}", self.name), &machine)?;
        self.running.push(Peer { number, vm, seen: 0 });
        Ok(())
    }
}

/// What whole lines behind the first `seen` bytes ask for: the arguments of each machine.
fn requests(console: &str, seen: &mut usize) -> Result<Vec<Vec<String>>> {
    let text = console.get(*seen..).unwrap_or_default();
    let Some(end) = text.rfind('\n') else { return Ok(Vec::new()) };
    *seen += end + 1;
    let asked = text[..end].lines().filter_map(|line| line.split_once(ASKED)).map(|(_, words)| words);
    asked.map(|words| serde_json::from_str(words).with_context(|| format!("{words:?} are no arguments"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_read_once() {
        let mut seen = 0;
        let mut text = "hello\r\n=machine [\"-a\",\"b \\\"c\"]\r\n=machine [\"-".to_owned();
        assert_eq!(requests(&text, &mut seen).unwrap(), [["-a", "b \"c"]]);
        assert!(requests(&text, &mut seen).unwrap().is_empty());
        text += "d\"]\nmore";
        assert_eq!(requests(&text, &mut seen).unwrap(), [["-d"]]);
        assert!(requests("=machine [1\n", &mut 0).is_err());
    }

    #[test]
    fn each_has_its_own_place() {
        let peers = Peers::new("x", Machine { append: "log=info".into(), ..Machine::new("i.elf") }).unwrap();
        let first = peers.first(["-sname", "a b"]);
        assert!(
            first.append.starts_with("log=info ip=eth1:10.9.0.1/24 -- -start_epmd true -epmd_hosts 10.9.0.1 10.9.0.2 ")
        );
        assert!(first.append.ends_with(" 10.9.0.16 -sname \"a b\""), "{}", first.append);
        assert!(first.network && first.extra.iter().any(|word| word.ends_with("mac=52:54:00:09:00:01")));
    }
}
