//! Machines are Erlang nodes among others: three on one wire, which lose each other and find each other again, and one with this host.

use std::{
    io::Write,
    net::UdpSocket,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use erts_recipe::Flavor;
use serde_json::json;
use sources::Console;
use trapless_tests::{
    erl, image,
    machine::{Forward, Machine},
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

/// The arguments of a machine that is a node and runs a piece of Erlang.
fn node_runs(name: &str, port: u16, code: &str) -> String {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{} {}", erl(&code), node(name, port))
}

/// A machine whose card is on a wire that all have which know its number.
fn machine(wire: u16, name: &str, number: u8) -> Machine {
    let code = if name == "a" { format!("{JOIN}, {WATCH}.") } else { format!("{JOIN}.") };
    let arguments = node_runs(&format!("{name}@10.9.0.{number}"), 4370, &code);
    let netdev = format!("socket,id=net,mcast=239.192.9.1:{wire},localaddr=127.0.0.1");
    let card = format!("virtio-net-pci,id=card,netdev=net,mac=52:54:00:09:00:{number:02x}");
    Machine {
        network: false,
        cpus: 2,
        append: format!("ip=10.9.0.{number}/24 {arguments}"),
        extra: ["-netdev", &netdev, "-device", &card].map(str::to_owned).into(),
        ..Machine::new(image())
    }
}

#[test]
fn three_nodes_are_a_cluster_that_heals() -> Result<()> {
    let wire = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).context("no free port")?.port();
    let mut vms = Vec::new();
    for (name, number) in NODES {
        vms.push(Vm::boot(&format!("cluster-{name}"), &machine(wire, name, number))?);
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
            append: node_runs(there, port, r#"io:format("=up~n")"#),
            ..Machine::new(image())
        },
    )?;
    vm.wait_for("=up")?;
    let code = format!(
        "N = '{there}', pong = net_adm:ping(N), Here = erlang:system_info(otp_release), \
         Here = erpc:call(N, erlang, system_info, [otp_release]), {{unix, linux}} = erpc:call(N, os, type, []), \
         Data = binary:copy(<<7>>, 1000000), Data = erpc:call(N, fun() -> Data end), \
         ok = erpc:call(N, io, format, [erpc:call(N, erlang, whereis, [user]), \"=called~n\", []]), halt(0)."
    );
    let erl = erts_recipe::build(Flavor::from_environment()?, &Console)?.otp.join("bin/erl");
    let here = |more: &[&str], typed: &str| -> Result<String> {
        let mut here = Command::new(&erl);
        here.args(node("here@127.0.0.1", port).split(' ')).args(["-dist_listen", "false"]).args(more);
        here.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = here.spawn().context("cannot run the host's erl")?;
        running.stdin.take().context("it has no input")?.write_all(typed.as_bytes())?;
        let output = running.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), vm.fail(&format!("the host's node ended with {}: {said}", output.status)));
        Ok(said)
    };
    here(&["-noinput", "-eval", &code], "")?;
    let said = here(&["-remsh", there], "6 * 7.\n")?;
    ensure!(said.contains(&format!("({there})1> 42")), "a shell on the machine said {said}");
    vm.wait_for("=called").map(drop)
}
