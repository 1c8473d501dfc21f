//! How nodes find each other: by the image's own epmd, by a list, by DNS.

use std::{
    io::{Read, Write},
    net::Ipv4Addr,
    process::Command,
};

use anyhow::{Result, ensure};
use trapless_tests::{
    deadline,
    dns::Dns,
    host::{self, said},
    image,
    machine::{Forward, Machine},
    nodes::{Host, Wire, runs},
    variant,
    vm::{Vm, free_port},
};

const UP: &str = r#"io:format("=up~n")."#;

fn forwarded(ports: &[u16]) -> Vec<Forward> {
    ports.iter().map(|&port| Forward { host: port, guest: port, udp: false }).collect()
}

/// What the machine's epmd answers to one request.
fn ask(vm: &Vm, port: u16, request: &[u8]) -> Result<Vec<u8>> {
    let mut stream = vm.connect(port)?;
    stream.write_all(&u16::try_from(request.len())?.to_be_bytes())?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    // A connection that is cut off has answered nothing, too.
    let _ = stream.read_to_end(&mut answer);
    Ok(answer)
}

#[test]
fn a_node_of_this_host_finds_one_by_its_epmd() -> Result<()> {
    let (epmd, node, there) = (free_port()?, free_port()?, "there@127.0.0.1");
    let flags = format!(
        "-name {there} -setcookie wire -start_epmd true -epmd_port {epmd} \
         -kernel inet_dist_listen_min {node} inet_dist_listen_max {node}"
    );
    let machine =
        Machine { cpus: 2, forwards: forwarded(&[epmd, node]), append: runs(UP, &flags), ..Machine::new(image()) };
    let mut vm = Vm::boot("discovery-epmd", &machine)?;
    vm.wait_for("=up")?;

    let host = Host::new()?;
    let code = format!(
        "pong = net_adm:ping('{there}'), {{ok, [{{\"there\", {node}}}]}} = net_adm:names(\"127.0.0.1\"), halt(0)."
    );
    let mut command = Command::new("timeout");
    let arguments =
        ["-name", "here@127.0.0.1", "-setcookie", "wire", "-noinput", "-dist_listen", "false", "-start_epmd", "false"];
    let output = host::run_in(
        command.env("ERL_EPMD_PORT", epmd.to_string()),
        host.bin().join("erl"),
        &[&arguments[..], &["-eval", &code]].concat(),
        "",
    )?;
    ensure!(output.status.success(), vm.fail(&said(&output)));
    // The client that everybody uses.
    let erts =
        host::run_in(Command::new("timeout").env("ERL_EPMD_PORT", epmd.to_string()), host.epmd()?, &["-names"], "")?;
    let names = said(&erts);
    ensure!(names.contains(&format!("name there at port {node}")), vm.fail(&names));

    // Others than this machine's own cannot enter themselves; what makes no sense is not answered.
    let other = b"x\x11\x11M\0\0\x06\0\x05\0\x05other\0\0";
    ensure!(ask(&vm, epmd, other)?.starts_with(b"v\x01"), "a stranger is entered");
    ensure!(ask(&vm, epmd, b"zother")? == b"w\x01", "there is another node");
    ensure!(ask(&vm, epmd, b"zthere")?.starts_with(&[b'w', 0]), "the node is not found");
    for nonsense in [&b""[..], b"x", b"x\0\0M\0\0\x06\0\x05\xff\xff", b"k", b"\xff"] {
        ensure!(ask(&vm, epmd, nonsense)?.is_empty(), "{nonsense:?} is answered");
    }
    // Those who ask nothing keep nobody out.
    let _silent = (0..50).map(|_| vm.connect(epmd)).collect::<Result<Vec<_>>>()?;
    ensure!(ask(&vm, epmd, b"n")?.ends_with(format!("name there at port {node}\n").as_bytes()), "it lists other names");
    Ok(())
}

/// No flag says where the other node is: its name leads to its machine, and the epmd there to its port.
#[test]
fn two_machines_find_each_other_by_epmd() -> Result<()> {
    let wire = Wire::new()?;
    let flags = |name: &str| format!("-name {name} -setcookie wire -start_epmd true");
    let mut second = Vm::boot("discovery-b", &wire.machine(image(), 2, &runs(UP, &flags("b@10.9.0.2"))))?;
    second.wait_for("=up")?;
    let code =
        "B = 'b@10.9.0.2', pong = net_adm:ping(B), 7 = erpc:call(B, erlang, '+', [3, 4]), io:format(\"=called~n\").";
    let mut first = Vm::boot("discovery-a", &wire.machine(image(), 1, &runs(code, &flags("a@10.9.0.1"))))?;
    first.wait_for("=called").map(drop)
}

#[test]
fn a_list_of_nodes_is_connected_to() -> Result<()> {
    let (wire, image) = (Wire::new()?, variant::with_applications()?);
    let code = "
        trapless_cluster:start(), io:format(\"=up~n\"),
        F = fun F() -> case nodes() of [] -> timer:sleep(100), F(); _ -> ok end end, F(), io:format(\"=together~n\").";
    let flags = |name: &str| {
        format!("-name {name} -setcookie wire -trapless_cluster nodes \"['a@10.9.0.1','b@10.9.0.2']\" interval 1")
    };
    let mut first = Vm::boot("discovery-list-a", &wire.machine(image.clone(), 1, &runs(code, &flags("a@10.9.0.1"))))?;
    first.wait_for("=up")?;
    // The one that is there first looks again.
    let mut second = Vm::boot("discovery-list-b", &wire.machine(image, 2, &runs(code, &flags("b@10.9.0.2"))))?;
    first.wait_for("=together")?;
    second.wait_for("=together").map(drop)
}

/// The node is this host's, which machines of QEMU's user network reach at 10.0.2.2.
#[test]
fn a_name_in_dns_is_asked_for_until_it_leads_to_a_node() -> Result<()> {
    let (dns, port) = (Dns::start()?, free_port()?);
    let code = format!(
        "inet_db:set_resolv_conf(\"\"), inet_db:add_ns({{10,0,2,2}}, {}), trapless_cluster:start(), io:format(\"=up~n\").",
        dns.port()
    );
    let found = format!("-setcookie wire -start_epmd false -erl_epmd_port {port}");
    let flags = format!(
        "-name image@10.0.2.15 {found} -trapless_cluster dns \"\\\"nodes.test\\\"\" name \"\\\"there\\\"\" interval 1"
    );
    let machine = Machine { cpus: 2, append: runs(&code, &flags), ..Machine::new(variant::with_applications()?) };
    let mut vm = Vm::boot("discovery-dns", &machine)?;
    vm.wait_for("=up")?;
    dns.set(&[Ipv4Addr::new(10, 0, 2, 2)]);
    let code = format!(
        "F = fun F(0) -> halt(1); F(N) -> case nodes() of ['image@10.0.2.15'] -> halt(0); _ -> timer:sleep(100), F(N - 1) end end, \
         F({}).",
        deadline().as_secs() * 10
    );
    let output = Host::new()?.erl(&format!("-name there@10.0.2.2 {found} -noinput"), &["-eval", &code], "")?;
    ensure!(output.status.success(), vm.fail(&said(&output)));
    vm.wait_for("connected to there@10.0.2.2").map(drop)
}
