//! Three machines on one wire are one cluster of Erlang nodes, lose each other, and find each other again.

use std::net::UdpSocket;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use trapless_tests::{image, machine::Machine, vm::Vm};

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

/// A machine whose card is on a wire that all have which know the port.
fn machine(wire: u16, name: &str, number: u8) -> Machine {
    let code = if name == "a" { format!("{JOIN}, {WATCH}.") } else { format!("{JOIN}.") };
    // Beside the cookie and the names: no epmd, since each node is alone at its address, and a partition is noticed within seconds.
    let node = format!(
        "-name {name}@10.9.0.{number} -setcookie wire -start_epmd false -erl_epmd_port 4370 -kernel net_ticktime 4"
    );
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ").replace('\\', "\\\\").replace('"', "\\\"");
    let netdev = format!("socket,id=net,mcast=239.192.9.1:{wire},localaddr=127.0.0.1");
    let card = format!("virtio-net-pci,id=card,netdev=net,mac=52:54:00:09:00:{number:02x}");
    Machine {
        network: false,
        cpus: 2,
        append: format!("ip=10.9.0.{number}/24 -- -noshell {node} -eval \"{code}\""),
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
