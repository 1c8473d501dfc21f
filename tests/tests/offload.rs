//! Network cards with few features and with many.

use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    erl, image, load,
    machine::{ECHO_PORT, Kind, Machine},
    tap::Tap,
    vm::Vm,
};

/// What the card may do without.
const OFF: [&str; 7] = ["mrg_rxbuf", "csum", "guest_csum", "host_tso4", "guest_tso4", "event_idx", "indirect_desc"];

fn machine(kind: Kind, settings: &[String]) -> Machine {
    let extra = settings.iter().flat_map(|setting| ["-global".to_owned(), setting.clone()]).collect();
    Machine { kind, cpus: 2, memory: 512, extra, ..Machine::new(image()) }
}

fn echo(name: &str, machine: &Machine) -> Result<()> {
    let vm = Vm::serve(name, machine)?;
    load::echo_half_closed(&mut vm.connect(ECHO_PORT)?, &load::bytes(1 << 20, 6))
        .map_err(|error| vm.fail(&format!("{error:#}")))
}

/// Without MSI-X, too.
#[test]
fn a_mebibyte_by_a_card_without_features_and_by_its_pin() -> Result<()> {
    for kind in [Kind::Q35, Kind::Pc] {
        let off = OFF.map(|feature| format!("virtio-net-pci.{feature}=off"));
        let settings: Vec<_> = off.into_iter().chain(["virtio-net-pci.vectors=0".to_owned()]).collect();
        echo(&format!("offload-none-{kind}"), &machine(kind, &settings))?;
    }
    Ok(())
}

#[test]
fn a_mebibyte_by_a_card_from_before_virtio_1() -> Result<()> {
    let old = "virtio-mmio.force-legacy=on".to_owned();
    let off = OFF.map(|feature| format!("virtio-net-device.{feature}=off"));
    let none: Vec<_> = off.into_iter().chain([old.clone()]).collect();
    echo("offload-legacy", &machine(Kind::Microvm, &[old]))?;
    echo("offload-legacy-none", &machine(Kind::Microvm, &none))
}

/// This host's address on a tap, and the machine's (RFC 2544; RFC 4193).
const ENDS4: [&str; 2] = ["198.18.83.1/30", "198.18.83.2/30"];
const ENDS6: [&str; 2] = ["fd53:7a70::1/64", "fd53:7a70::2/64"];

/// A machine at the other end of a tap, whose card lacks what is `off`.
fn machine_at(tap: &Tap, off: &str, append: String) -> Machine {
    Machine { network: false, extra: tap.card(off), append, ..machine(Kind::Q35, &[]) }
}

/// An echo that takes and gives as much at once as there is, and then tells what the card did.
const ECHO: &str = r#"
    {ok, L} = gen_tcp:listen(7000, [inet6, binary, {active, false}, {buffer, 65536}, {exit_on_close, false}]),
    io:format("listening~n"),
    {ok, S} = gen_tcp:accept(L),
    Echo = fun Echo() ->
        case gen_tcp:recv(S, 0) of
            {ok, Data} -> ok = gen_tcp:send(S, Data), Echo();
            {error, closed} -> ok
        end
    end,
    Echo(),
    gen_tcp:close(S),
    {ok, State} = file:read_file("/proc/trapless/net"),
    io:put_chars(State),
    io:format("told~n"),
    receive stop -> ok end.
"#;

/// A number that the card has counted.
fn counted(console: &str, what: &str) -> Option<u64> {
    let text = console.split(&format!("{what}: ")).nth(1)?;
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn code() -> String {
    ECHO.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Has `data` echoed by a machine with this address: the machine, and whether there were frames longer than a packet, in and out.
fn echoes_at(address: &str, name: &str, machine: &Machine, data: &[u8]) -> Result<(Vm, (bool, bool))> {
    let mut vm = Vm::boot(name, machine)?;
    vm.wait_for("listening")?;
    let host = address.split('/').next().unwrap_or_default();
    let mut stream = TcpStream::connect((host, 7000)).context("cannot connect")?;
    load::echo_half_closed(&mut stream, data).map_err(|error| vm.fail(&format!("{error:#}")))?;
    vm.wait_for("told")?;
    let console = vm.console().text();
    let frames = |what| counted(&console, what).with_context(|| vm.fail(&format!("it did not tell {what}")));
    ensure!(frames("malformed")? == 0, vm.fail("the card delivered nonsense"));
    // Cut to the size of a packet there would be 2900 each way.
    let long = (frames("received")? < 2500, frames("transmitted")? < 2500);
    Ok((vm, long))
}

#[test]
fn four_mebibytes_of_ipv6_over_a_tap() -> Result<()> {
    let Some(tap) = Tap::new(ENDS6[0], 1) else { return Ok(()) };
    let append = format!("ip=none ip6={} {}", ENDS6[1], erl(&code()));
    let machine = machine_at(&tap, "", append);
    let (vm, long) = echoes_at(ENDS6[1], "offload-tap-ipv6", &machine, &load::bytes(4 << 20, 8))?;
    ensure!(long == (true, true), vm.fail("not the frames one would expect"));
    drop(vm);
    let append = format!("ip=none ip6={} {}", ENDS6[1], erl(&code()));
    let machine = machine_at(&tap, ",host_tso6=off,guest_tso6=off", append);
    let (vm, long) = echoes_at(ENDS6[1], "offload-tap-ipv6-cut-here", &machine, &load::bytes(4 << 20, 8))?;
    ensure!(long == (false, false), vm.fail("not the frames one would expect"));
    Ok(())
}

#[test]
fn four_mebibytes_over_a_tap_with_offloads_and_without() -> Result<()> {
    let Some(tap) = Tap::new(ENDS4[0], 1) else { return Ok(()) };
    let data = load::bytes(4 << 20, 7);
    for (number, off) in
        ["", ",mrg_rxbuf=off", ",guest_csum=off", ",csum=off", ",host_tso4=off,guest_tso4=off"].into_iter().enumerate()
    {
        let append = format!("ip={} {}", ENDS4[1], erl(&code()));
        let (vm, long) = echoes_at(ENDS4[1], &format!("offload-tap-{number}"), &machine_at(&tap, off, append), &data)?;
        let expected = match number {
            0 => (true, true),
            1 | 2 => (false, true),
            3 => (true, false),
            _ => (false, false),
        };
        ensure!(long == expected, vm.fail(&format!("{off}: not the frames one would expect")));
    }
    Ok(())
}
