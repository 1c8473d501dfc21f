//! Machines are Erlang nodes among others: three on one wire, which lose each other and find each other again, and one with this host.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;
use trapless_tests::{
    deadline,
    exit::Exit,
    host::said,
    image, initrd,
    machine::{Forward, Machine},
    nodes::{Host, Wire, runs},
    peers::{self, Peers},
    repository,
    vm::{Vm, free_port},
};

/// Nodes, and their addresses' last part.
const NODES: [(&str, u8); 3] = [("a", 1), ("b", 2), ("c", 3)];

/// On all nodes: a group with one member of each.
const JOIN: &str = r#"pg:start(pg), ok = pg:join(everybody, whereis(init)), io:format("=up~n")"#;

/// On the first node, which tells what it sees of the others.
const WATCH: &str = r#"
    Until = fun Until(Test) -> case catch Test() of true -> ok; _ -> timer:sleep(100), Until(Test) end end,
    Say = fun(What) -> io:format("=~s~n", [What]) end,
    [B, C] = All = ['b@10.9.0.2', 'c@10.9.0.3'],
    Ping = fun() -> [pong, pong] =:= [net_adm:ping(Node) || Node <- All] end,
    Together = fun() -> Ping() andalso lists:sort(nodes()) =:= All andalso length(pg:get_members(everybody)) =:= 3 end,
    Known = fun() -> erpc:call(C, global, whereis_name, [first]) =:= whereis(init) end,
    Until(Together), Say(together),
    [7, 7] = [erpc:call(Node, erlang, '+', [3, 4]) || Node <- All],
    Data = rand:bytes(1000000),
    Data = erpc:call(B, binary, copy, [Data]), Say(called),
    yes = global:register_name(first, whereis(init)),
    Until(Known), Say(named),
    Until(fun() -> not lists:member(C, nodes()) andalso length(pg:get_members(everybody)) =:= 2 end), Say(parted),
    Until(Together), Until(Known), Say(healed)
"#;

/// What makes a node, without epmd: its port is known. A partition is noticed within seconds.
fn node(name: &str, port: u16) -> String {
    format!("-name {name} -setcookie wire -start_epmd false -erl_epmd_port {port} -kernel net_ticktime 4")
}

/// A machine on the wire; the first watches the others.
fn machine(wire: &Wire, name: &str, number: u8) -> Machine {
    let code = if name == "a" { format!("{JOIN}, {WATCH}.") } else { format!("{JOIN}.") };
    wire.machine(image(), number, &runs(&code, &node(&format!("{name}@10.9.0.{number}"), 4370)))
}

#[test]
fn three_nodes_are_a_cluster_that_heals() -> Result<()> {
    let wire = Wire::new()?;
    let mut vms = Vec::new();
    for (name, number) in NODES {
        vms.push(Vm::boot(&format!("cluster-{name}"), &machine(&wire, name, number))?);
    }
    for vm in &mut vms {
        vm.wait_for("=up")?;
    }
    for step in ["=together", "=called", "=named"] {
        vms[0].wait_for(step)?;
    }
    let link = |up| json!({ "name": "card", "up": up });
    vms[2].monitor()?.command("set_link", link(false))?;
    vms[0].wait_for("=parted")?;
    vms[2].monitor()?.command("set_link", link(true))?;
    vms[0].wait_for("=healed")?;
    ensure!(vms[1].is_running()? && vms[2].is_running()?, vms[1].fail("a node has ended"));
    Ok(())
}

/// A node on another machine that ends without a word of Erlang's: its machine says that its connections are over, and nobody waits for a
/// missing tick.
#[test]
fn a_node_that_ends_is_missed_at_once() -> Result<()> {
    let code = r#"
        Node = 'b@10.9.0.2', Until = fun Until() -> case net_adm:ping(Node) of pong -> ok; pang -> timer:sleep(100), Until() end end,
        ok = Until(), true = monitor_node(Node, true), ok = erpc:cast(Node, erlang, halt, [3, [{flush, false}]]),
        receive {nodedown, Node} -> io:format("=missed~n") after 20000 -> io:format("=not missed~n") end."#;
    let wire = Wire::new()?;
    let boot = |name: &str, number, code: &str| {
        let flags = format!("-name {name}@10.9.0.{number} -setcookie wire -start_epmd false -erl_epmd_port 4370");
        Vm::boot(&format!("cluster-end-{name}"), &wire.machine(image(), number, &runs(code, &flags)))
    };
    let mut vms = [boot("b", 2, r#"io:format("=up~n")."#)?, boot("a", 1, code)?];
    let exit = vms[0].wait_exit()?;
    ensure!(exit == Exit::Halted(3), vms[0].fail(&format!("it ended with {exit:?}")));
    vms[1].wait_for("=missed").map(drop)
}

/// What a node starts beside itself, as tests of OTP do, is a machine of its own, and found by its name.
#[test]
fn a_node_starts_another_one() -> Result<()> {
    let code = r#"{ok, Peer, Node} = peer:start(#{name => beside, args => ["-setcookie", "wire", "-env", "SAID", "a \"b\" c"]}),
        [Node] = nodes(), "a \"b\" c" = erpc:call(Node, os, getenv, ["SAID"]), noport = erl_epmd:port_please("beside", "localhost"),
        [_, Host] = string:split(atom_to_list(node()), "@"), pang = net_adm:ping(list_to_atom("nobody@" ++ Host)), ok = peer:stop(Peer), [] = nodes(), io:format("=stopped~n")."#;
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let initrd = initrd::write(&repository().join("target/peers.cpio"), &[peers::LEAVE])?;
    let machine = Machine { cpus: 2, network: false, extra: initrd, ..Machine::new(image()) };
    let mut peers = Peers::new("cluster-peers", machine)?;
    let first = peers.first(["-noshell", "-sname", "first", "-setcookie", "wire", "-eval", &code]);
    let mut vm = Vm::boot("cluster-peers", &first)?;
    let begun = Instant::now();
    loop {
        let console = vm.console().text();
        peers.attend(&console)?;
        if console.contains("=stopped") {
            return Ok(());
        }
        ensure!(vm.is_running()? && begun.elapsed() < deadline(), vm.fail("no node was started beside it"));
        thread::sleep(Duration::from_millis(50));
    }
}

/// A node of this host, Erlang on Linux that takes no connections itself, calls functions there, and has a shell there.
#[test]
fn a_node_of_this_host_works_on_one_in_a_machine() -> Result<()> {
    let port = free_port()?;
    let there = "there@127.0.0.1";
    let mut vm = Vm::boot(
        "cluster-host",
        &Machine {
            cpus: 2,
            forwards: vec![Forward { host: port, guest: port, udp: false }],
            append: runs(r#"io:format("=up~n")."#, &node(there, port)),
            ..Machine::new(image())
        },
    )?;
    vm.wait_for("=up")?;
    let code = format!(
        "N = '{there}', pong = net_adm:ping(N), Here = erlang:system_info(otp_release), \
         Here = erpc:call(N, erlang, system_info, [otp_release]), {{unix, linux}} = erpc:call(N, os, type, []), \
         Data = binary:copy(<<7>>, 1000000), Data = erpc:call(N, fun() -> Data end), \
         [] = erpc:call(N, erlang, nodes, []), true = [node()] =:= erpc:call(N, erlang, nodes, [hidden]), \
         ok = erpc:call(N, io, format, [erpc:call(N, erlang, whereis, [user]), \"=called~n\", []]), halt(0)."
    );
    let host = Host::new()?;
    let here = |more: &[&str], typed: &str| -> Result<String> {
        // Who takes no connections is a hidden node.
        let output = host.erl(&format!("{} -dist_listen false", node("here@127.0.0.1", port)), more, typed)?;
        let said = said(&output);
        ensure!(output.status.success(), vm.fail(&format!("the host's node ended with {}: {said}", output.status)));
        Ok(said)
    };
    here(&["-noinput", "-eval", &code], "")?;
    let said = here(&["-remsh", there], "6 * 7.\n")?;
    ensure!(said.contains(&format!("({there})1> 42")), "a shell on the machine said {said}");
    vm.wait_for("=called").map(drop)
}
