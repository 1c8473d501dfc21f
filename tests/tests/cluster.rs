//! Machines are Erlang nodes among others: three on one wire, which lose each other and find each other again, and one with this host.

use anyhow::{Result, ensure};
use serde_json::json;
use trapless_tests::{
    host::said,
    image,
    machine::{Forward, Machine},
    nodes::{Host, Wire, runs},
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
