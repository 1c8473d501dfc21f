//! The default application, over the network: what is sent comes back.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    erl,
    exit::Exit,
    image, load,
    machine::{ECHO_PORT, Kind, Machine},
    vm::Vm,
};

fn machine(cpus: u32) -> Machine {
    Machine { cpus, memory: 512, ..Machine::new(image()) }
}

#[test]
fn a_line_and_a_mebibyte() -> Result<()> {
    let vm = Vm::serve("echo", &machine(2))?;
    load::echo_half_closed(&mut vm.connect(ECHO_PORT)?, b"hi\n").map_err(|error| vm.fail(&format!("{error:#}")))?;
    let data = load::bytes(1 << 20, 1);
    load::echo_half_closed(&mut vm.connect(ECHO_PORT)?, &data).map_err(|error| vm.fail(&format!("{error:#}")))?;
    load::echo(&vm.connect(ECHO_PORT)?, &data).map_err(|error| vm.fail(&format!("{error:#}")))
}

#[test]
fn a_mebibyte_on_microvm() -> Result<()> {
    let vm = Vm::serve("echo-microvm", &Machine { kind: Kind::Microvm, ..machine(2) })?;
    load::echo_half_closed(&mut vm.connect(ECHO_PORT)?, &load::bytes(1 << 20, 2))
        .map_err(|error| vm.fail(&format!("{error:#}")))
}

/// 50 connections at once, each echoing 100 KiB, 20 times over. They are opened 25 ms apart: QEMU's user network
/// loses some of a burst of connects on any guest.
#[test]
fn fifty_connections_lose_nothing() -> Result<()> {
    let vm = Vm::serve("echo-fifty", &machine(8))?;
    let address = vm.address(ECHO_PORT)?;
    thread::scope(|scope| {
        let client = |number: u64| {
            move || -> Result<()> {
                let stream = TcpStream::connect(address).context("cannot connect")?;
                stream.set_read_timeout(Some(trapless_tests::deadline()))?;
                stream.set_write_timeout(Some(trapless_tests::deadline()))?;
                for round in 0..20 {
                    let data = load::bytes(100 << 10, number * 100 + round);
                    load::echo(&stream, &data).with_context(|| format!("client {number}, round {round}"))?;
                }
                Ok(())
            }
        };
        let clients: Vec<_> = (0..50)
            .map(|number| {
                thread::sleep(Duration::from_millis(25));
                scope.spawn(client(number))
            })
            .collect();
        clients.into_iter().try_for_each(|client| client.join().map_err(|_| vm.fail("a client panicked"))?)
    })
    .map_err(|error: anyhow::Error| vm.fail(&format!("{error:#}")))
}

/// The peer stops sending before anything was read back: the whole echo still arrives, then the end.
#[test]
fn a_half_close_keeps_the_rest() -> Result<()> {
    let vm = Vm::serve("echo-half-close", &machine(2))?;
    let mut stream = vm.connect(ECHO_PORT)?;
    let data = load::bytes(8 << 10, 3);
    stream.write_all(&data)?;
    stream.shutdown(Shutdown::Write)?;
    let mut back = Vec::new();
    stream.read_to_end(&mut back).map_err(|error| vm.fail(&format!("the echo broke off: {error}")))?;
    ensure!(back == data, vm.fail(&format!("{} of {} bytes came back right", back.len(), data.len())));
    Ok(())
}

/// Clients that go away in every rude way leave a server that still serves.
#[test]
fn vanished_clients_do_no_harm() -> Result<()> {
    let vm = Vm::serve("echo-vanish", &machine(2))?;
    for number in 0..40 {
        let mut stream = vm.connect(ECHO_PORT)?;
        match number % 4 {
            0 => {}
            1 => stream.write_all(b"and away")?,
            // Never reads: closing with unread data makes the host send RST.
            2 => stream.write_all(&load::bytes(64 << 10, number))?,
            _ => stream.shutdown(Shutdown::Both)?,
        }
    }
    load::echo_half_closed(&mut vm.connect(ECHO_PORT)?, &load::bytes(1 << 20, 4))
        .map_err(|error| vm.fail(&format!("{error:#}")))
}

/// A hundred connects at once. QEMU's user network may drop some on the way, and the host's TCP then tries again;
/// in the end each must be served.
#[test]
fn a_burst_of_a_hundred_connects_is_served() -> Result<()> {
    let vm = Vm::serve("echo-burst", &machine(2))?;
    let streams: Vec<_> = (0..100).map(|_| vm.connect(ECHO_PORT)).collect::<Result<_>>()?;
    for (number, stream) in streams.iter().enumerate() {
        load::echo(stream, format!("client {number}\n").as_bytes())
            .map_err(|error| vm.fail(&format!("client {number}: {error:#}")))?;
    }
    Ok(())
}

/// Idle connections stay, and cost the others nothing.
#[test]
fn idle_connections_stay_open() -> Result<()> {
    let vm = Vm::serve("echo-idle", &machine(2))?;
    let idle: Vec<_> = (0..20).map(|_| vm.connect(ECHO_PORT)).collect::<Result<_>>()?;
    load::echo(&vm.connect(ECHO_PORT)?, &load::bytes(1 << 20, 5)).map_err(|error| vm.fail(&format!("{error:#}")))?;
    for stream in &idle {
        load::echo(stream, b"still here").map_err(|error| vm.fail(&format!("{error:#}")))?;
    }
    Ok(())
}

/// Waits for the address that DHCP gives, then asks in both of inet's ways.
const INTERFACES: &str = r#"
    {ok, Lo} = net:if_name2index("lo"), {ok, "eth0"} = net:if_index2name(Lo + 1),
    Ask = fun Ask() ->
        {ok, All} = inet:getifaddrs(),
        Eth0 = proplists:get_value("eth0", All),
        case proplists:is_defined(addr, Eth0) of
            true -> All;
            false -> receive after 10 -> Ask() end
        end
    end,
    Get = fun(Options) -> [proplists:get_value(K, Options) || K <- [addr, netmask, broadaddr, hwaddr]] end,
    [io:format("~s: ~w ~w~n", [Name, lists:sort(proplists:get_value(flags, O)), Get(O)]) || {Name, O} <- Ask()],
    {ok, Old} = inet:getif(),
    io:format("getif: ~w~n", [lists:sort(Old)]),
    {ok, Hardware} = inet:ifget("eth0", [hwaddr, mtu]),
    io:format("ifget: ~w~n", [Hardware]),
    halt(0).
"#;

#[test]
fn interfaces_are_listed() -> Result<()> {
    let code = INTERFACES.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut vm = Vm::boot("interfaces", &Machine { append: erl(&code), ..machine(2) })?;
    vm.wait_for("lo: [loopback,running,up] [{127,0,0,1},{255,0,0,0},undefined,[0,0,0,0,0,0]]")?;
    vm.wait_for(
        "eth0: [broadcast,multicast,running,up] [{10,0,2,15},{255,255,255,0},{10,0,2,255},[82,84,0,18,52,86]]",
    )?;
    vm.wait_for("getif: [{{10,0,2,15},{10,0,2,255},{255,255,255,0}},{{127,0,0,1},{0,0,0,0},{255,0,0,0}}]")?;
    vm.wait_for("ifget: [{hwaddr,[82,84,0,18,52,86]},{mtu,1500}]")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}
