//! Several network cards, each on a network of its own.

use std::{net::TcpStream, time::Duration};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    deadline, erl, image, load,
    machine::{ECHO_PORT, Kind, Machine},
    vm::{READY, Vm, free_port},
};

/// Waits until each card has an address, and tells what there is.
const TELL: &str = r#"
    Addresses = fun(Name) -> {ok, I} = inet:getifaddrs(), O = proplists:get_value(Name, I), [A || {addr, {_, _, _, _} = A} <- O] end,
    Wait = fun Wait(Name) -> case Addresses(Name) of [] -> timer:sleep(10), Wait(Name); [A] -> A end end,
    [io:format("~s is ~w~n", [Name, Wait(Name)]) || Name <- CARDS],
    [begin {ok, N} = net:if_name2index(Name), io:format("~s has index ~w~n", [Name, N]) end || Name <- CARDS],
    {ok, State} = file:read_file("/proc/trapless/net"),
    io:format("~s", [State]),
    {ok, L} = gen_tcp:listen(5555, [binary, {active, false}, {exit_on_close, false}]),
    {ok, U} = gen_udp:open(5556, [binary, {active, false}]),
    Echo = fun Echo(S) -> case gen_tcp:recv(S, 0) of {ok, D} -> gen_tcp:send(S, D), Echo(S); _ -> gen_tcp:close(S) end end,
    spawn(fun Loop() -> {ok, {Ip, Port, D}} = gen_udp:recv(U, 0), gen_udp:send(U, Ip, Port, D), Loop() end),
    io:format("serving~n"),
    (fun Serve() -> {ok, S} = gen_tcp:accept(L), P = spawn(fun() -> receive go -> Echo(S) end end),
        ok = gen_tcp:controlling_process(S, P), P ! go, Serve() end)().
"#;

fn tell(cards: &str) -> String {
    erl(&TELL.replace("CARDS", cards).split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A card on a user network of this number, whose port of the host leads to the echo.
fn card(kind: Kind, number: u8) -> Result<(Vec<String>, u16)> {
    let port = free_port()?;
    let udp = format!("hostfwd=udp:127.0.0.1:{port}-:5556");
    let net = format!("user,id=n{number},net=10.0.{number}.0/24,hostfwd=tcp:127.0.0.1:{port}-:{ECHO_PORT},{udp}");
    Ok((back_end(kind, number, net), port))
}

fn back_end(kind: Kind, number: u8, net: String) -> Vec<String> {
    let device = format!("virtio-net-{},netdev=n{number}", kind.bus());
    vec!["-netdev".into(), net, "-device".into(), device]
}

fn talk(port: u16, seed: u64) -> Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", port)).context("cannot connect")?;
    stream.set_read_timeout(Some(deadline()))?;
    load::echo(&stream, &load::bytes(300_000, seed))
}

fn talk_udp(port: u16) -> Result<()> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
    socket.connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut back = [0; 9];
    // A datagram may be lost.
    for _ in 0..20 {
        socket.send(b"datagram")?;
        if matches!(socket.recv(&mut back), Ok(8)) && back.starts_with(b"datagram") {
            return Ok(());
        }
    }
    anyhow::bail!("no datagram comes back by port {port}")
}

#[test]
fn two_cards_serve_two_networks() -> Result<()> {
    for kind in Kind::ALL {
        let [(one, first), (other, second)] = [card(kind, 2)?, card(kind, 3)?];
        let append = tell(r#"["eth0", "eth1"]"#);
        let extra = [one, other].concat();
        let machine = Machine { kind, cpus: 2, memory: 512, network: false, extra, append, ..Machine::new(image()) };
        let mut vm = Vm::boot(&format!("cards-{kind}"), &machine)?;
        vm.wait_for("serving")?;
        let said = vm.console().text();
        // Which of them is the first is the bus's affair.
        for text in ["{10,0,2,15}", "{10,0,3,15}", "eth0 has index 2", "eth1 has index 3", "name: \"eth1\""] {
            ensure!(said.contains(text), vm.fail(&format!("{text} is not told")));
        }
        for (number, port) in [first, second].into_iter().enumerate() {
            talk(port, number as u64).and_then(|()| talk_udp(port)).map_err(|error| vm.fail(&format!("{error:#}")))?;
        }
    }
    Ok(())
}

/// One card has a fixed address and the other none from anybody: what works does at once.
#[test]
fn a_card_without_an_answer_holds_nobody_up() -> Result<()> {
    for silent_first in [false, true] {
        let (good, port) = card(Kind::Q35, 2)?;
        let silent = back_end(Kind::Q35, 9, "hubport,id=n9,hubid=0".into());
        let extra = if silent_first { [silent, good].concat() } else { [good, silent].concat() };
        let name = if silent_first { "eth1" } else { "eth0" };
        let append = tell(&format!("[\"{name}\"]"));
        let machine = Machine { memory: 512, network: false, extra, append, ..Machine::new(image()) };
        let mut vm = Vm::boot(&format!("cards-silent-{silent_first}"), &machine)?;
        vm.wait_for(&format!("{name} is {{10,0,2,15}}"))?;
        vm.wait_for("serving")?;
        talk(port, 5).map_err(|error| vm.fail(&format!("{error:#}")))?;
    }
    Ok(())
}

/// Each card is told its addresses by its name.
#[test]
fn a_setting_is_for_a_card() -> Result<()> {
    let [(one, first), (other, second)] = [card(Kind::Q35, 2)?, card(Kind::Q35, 3)?];
    let append = format!("ip=eth1:10.0.3.15/24,10.0.3.2 ip=eth0:dhcp ip6=none {}", tell(r#"["eth0", "eth1"]"#));
    let machine =
        Machine { memory: 512, network: false, extra: [one, other].concat(), append, ..Machine::new(image()) };
    let mut vm = Vm::boot("cards-settings", &machine)?;
    vm.wait_for("eth0 is {10,0,2,15}")?;
    vm.wait_for("eth1 is {10,0,3,15}")?;
    vm.wait_for("serving")?;
    for port in [first, second] {
        talk(port, 7).map_err(|error| vm.fail(&format!("{error:#}")))?;
    }
    Ok(())
}

/// The default application, with two networks that look the same.
#[test]
fn networks_may_have_the_same_addresses() -> Result<()> {
    let [(one, first), (other, second)] = [card(Kind::Q35, 2)?, card(Kind::Q35, 4)?];
    let extra = [one, other].concat().iter().map(|word| word.replace("net=10.0.4.0/24", "net=10.0.2.0/24")).collect();
    let mut vm = Vm::boot("cards-same", &Machine { memory: 512, network: false, extra, ..Machine::new(image()) })?;
    vm.wait_for(READY)?;
    for port in [first, second] {
        talk(port, 8).map_err(|error| vm.fail(&format!("{error:#}")))?;
    }
    Ok(())
}
