//! `inet_gethost`: looks names and addresses up for `inet_gethost_native`, Erlang's `native` lookup (erts/etc/common/inet_gethost.c).
//!
//! It knows the file of hosts(5), and addresses that are written down as such. It does not ask name servers: the image's Erlang does that
//! itself, since its lookup is `[file, dns]`.

use super::packets::Packets;
use super::process::{Process, Status};
use crate::platform::Platform;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use trapless_abi::SysResult;

/// Operations, the byte behind a request's number.
const BY_NAME: u8 = 1;
const BY_ADDRESS: u8 = 2;
const CANCEL: u8 = 3;
const CONTROL: u8 = 4;

/// Kinds of addresses.
const IPV4: u8 = 1;
const IPV6: u8 = 2;

/// What an answer begins with that holds an error.
const ERROR: u8 = 0;

type Messages = Packets<4>;

/// A host: its addresses of one kind, and its names, the official one first.
#[derive(Debug, Default, PartialEq, Eq)]
struct Host {
    addresses: Vec<IpAddr>,
    names: Vec<String>,
}

/// The program: answers requests as they come.
pub fn inet_gethost<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let mut messages = Messages::new();
    while let Some(message) = messages.next(process, None)? {
        let Some((number, request)) = message.split_first_chunk::<4>() else { continue };
        let found = match *request {
            // Each request is answered before the next is read, and there is nothing to control.
            [CANCEL | CONTROL, ..] => continue,
            [operation @ (BY_NAME | BY_ADDRESS), kind @ (IPV4 | IPV6), ref data @ ..] => {
                let hosts = process.text("/etc/hosts").unwrap_or_default();
                if operation == BY_NAME { by_name(&hosts, kind, data) } else { by_address(&hosts, kind, data) }
            }
            _ => Err("enotsup"),
        };
        let answer = match found {
            Ok(host) => encode(&host),
            Err(error) => [&[ERROR][..], error.as_bytes()].concat(),
        };
        Messages::send(process, &[number, &answer])?;
    }
    Ok(0)
}

/// The host of a name, which ends with a NUL.
fn by_name(hosts: &str, kind: u8, data: &[u8]) -> Result<Host, &'static str> {
    let name = data.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = core::str::from_utf8(name).map_err(|_| "notfound")?;
    if let Ok(address) = name.parse::<IpAddr>() {
        let host = Host { addresses: [address].to_vec(), names: [name.to_string()].to_vec() };
        return if is_of(kind, &address) { Ok(host) } else { Err("notfound") };
    }
    let mut host = Host::default();
    for (address, names) in lines(hosts) {
        if is_of(kind, &address) && names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            host.addresses.push(address);
            let new = names.into_iter().filter(|known| !host.names.iter().any(|old| old == known));
            let new: Vec<String> = new.map(str::to_string).collect();
            host.names.extend(new);
        }
    }
    if host.addresses.is_empty() { Err("notfound") } else { Ok(host) }
}

/// The host of an address in the network's order.
fn by_address(hosts: &str, kind: u8, data: &[u8]) -> Result<Host, &'static str> {
    let wanted = match kind {
        IPV4 => data.try_into().map(|bytes: [u8; 4]| IpAddr::V4(Ipv4Addr::from(bytes))),
        _ => data.try_into().map(|bytes: [u8; 16]| IpAddr::V6(Ipv6Addr::from(bytes))),
    };
    let wanted = wanted.map_err(|_| "netdb_internal")?;
    let (address, names) = lines(hosts).find(|(address, _)| *address == wanted).ok_or("notfound")?;
    Ok(Host { addresses: [address].to_vec(), names: names.into_iter().map(str::to_string).collect() })
}

/// The lines of hosts(5) that name a host.
fn lines(hosts: &str) -> impl Iterator<Item = (IpAddr, Vec<&str>)> {
    hosts.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        let names: Vec<&str> = words.collect();
        (!names.is_empty()).then_some((address, names))
    })
}

const fn is_of(kind: u8, address: &IpAddr) -> bool {
    matches!((kind, address), (IPV4, IpAddr::V4(_)) | (IPV6, IpAddr::V6(_)))
}

/// Bytes of an address, how many addresses, they themselves, how many names, they themselves with a NUL behind each.
fn encode(host: &Host) -> Vec<u8> {
    let octets = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let addresses: Vec<Vec<u8>> = host.addresses.iter().map(octets).collect();
    let size = addresses.first().map_or(0, Vec::len) as u8;
    let count = |items: usize| (items as u32).to_be_bytes();
    let names: Vec<u8> = host.names.iter().flat_map(|name| name.bytes().chain([0])).collect();
    [&[size][..], &count(addresses.len()), &addresses.concat(), &count(host.names.len()), &names].concat()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::tests::{run, system};
    use super::*;

    const HOSTS: &str = "# comment\n127.0.0.1 localhost localhost.localdomain # more\n10.0.0.7 one.test one\n\
                         10.0.0.8 one.test two\n\n::1 localhost\nnonsense here\n10.0.0.9\n";

    /// The answer to a request, without its length and number.
    fn ask(request: &[u8]) -> Vec<u8> {
        let vfs = system(&[("/etc/hosts", HOSTS)]);
        let request = [&[0, 0, 0, 9], request].concat();
        let input = [&(request.len() as u32).to_be_bytes(), &request[..]].concat();
        let (output, errors, status) = run(&vfs, &["inet_gethost", "4"], &input);
        assert_eq!((errors.as_str(), status), ("", Ok(0)));
        if output.is_empty() {
            return output;
        }
        assert_eq!(output[..4], (output.len() as u32 - 4).to_be_bytes());
        assert_eq!(output[4..8], [0, 0, 0, 9]);
        output[8..].to_vec()
    }

    #[test]
    fn names_lead_to_addresses() {
        let expected = b"\x04\0\0\0\x01\x7f\0\0\x01\0\0\0\x02localhost\0localhost.localdomain\0";
        assert_eq!(ask(b"\x01\x01localhost\0"), expected);
        let two = b"\x04\0\0\0\x02\x0a\0\0\x07\x0a\0\0\x08\0\0\0\x03one.test\0one\0two\0";
        assert_eq!(ask(b"\x01\x01ONE.test\0"), two);
        let six = [&b"\x10\0\0\0\x01"[..], &[0; 15], b"\x01\0\0\0\x01localhost\0"].concat();
        assert_eq!(ask(b"\x01\x02localhost\0"), six);
        assert_eq!(ask(b"\x01\x0110.1.2.3\0"), b"\x04\0\0\0\x01\x0a\x01\x02\x03\0\0\0\x0110.1.2.3\0");
        for unknown in [&b"\x01\x01none\0"[..], b"\x01\x02one\0", b"\x01\x01::1\0", b"\x01\x01\xff\0"] {
            assert_eq!(ask(unknown), b"\0notfound", "{unknown:?}");
        }
    }

    #[test]
    fn addresses_lead_to_names() {
        assert_eq!(ask(b"\x02\x01\x0a\0\0\x08"), b"\x04\0\0\0\x01\x0a\0\0\x08\0\0\0\x02one.test\0two\0");
        assert_eq!(ask(b"\x02\x01\x0a\0\0\x0a"), b"\0notfound");
        assert_eq!(ask(b"\x02\x01\x0a"), b"\0netdb_internal");
    }

    #[test]
    fn what_makes_no_sense_is_told_so_or_left() {
        assert_eq!(ask(b"\x01\x03x\0"), b"\0enotsup");
        assert_eq!(ask(b"\x09"), b"\0enotsup");
        assert_eq!(ask(b"\x03"), b"");
        assert_eq!(ask(b"\x04\x00\0\0\0\x01"), b"");
    }
}
