//! Mnesia with replicas on two nodes: two machines, and a machine with this host. One of the two starts again, and is lost.

use anyhow::{Result, ensure};
use trapless_tests::{
    host::{self, said},
    machine::{Forward, Machine},
    nodes::{Host, Wire, runs},
    repository, variant,
    vm::{Vm, free_port},
};

const UP: &str = r#"io:format("=up~n")."#;

fn node(name: &str) -> String {
    format!("-name {name} -setcookie wire -kernel net_ticktime 4")
}

#[test]
fn two_machines_have_replicas_and_one_returns_without_its_files() -> Result<()> {
    let (wire, image) = (Wire::new()?, variant::with_applications()?);
    let code = "B = 'b@10.9.0.2', trapless_cluster_test:replicas(B), trapless_cluster_test:lost(B).";
    let mut first = Vm::boot("mnesia-a", &wire.machine(image.clone(), 1, &runs(code, &node("a@10.9.0.1"))))?;
    let other = wire.machine(image, 2, &runs(UP, &node("b@10.9.0.2")));
    let mut second = Vm::boot("mnesia-b", &other)?;
    second.wait_for("=up")?;
    for step in ["=joined", "=replicated", "=restarted"] {
        first.wait_for(step)?;
    }
    // Its Erlang has started twice, in one machine.
    second.wait_for("=up")?;
    drop(second);
    first.wait_for("=forgotten")?;
    let _again = Vm::boot("mnesia-b-again", &other)?;
    first.wait_for("=returned").map(drop)
}

/// The host's node has an address of its own on the loopback, so that both can be reached by the same port.
#[test]
fn a_machine_and_this_host_have_replicas() -> Result<()> {
    let folder = host::fresh("mnesia")?;
    let host = Host::new()?;
    let module = repository().join("tests/cluster/trapless_cluster_test/src/trapless_cluster_test.erl");
    host.compile(&module, &folder)?;
    let (port, there) = (free_port()?, "there@127.0.0.1");
    let found = format!("-start_epmd false -erl_epmd_port {port}");
    let mut vm = Vm::boot(
        "mnesia-host",
        &Machine {
            cpus: 2,
            forwards: vec![Forward { host: port, guest: port, udp: false }],
            append: runs(UP, &format!("{} {found}", node(there))),
            ..Machine::new(variant::with_applications()?)
        },
    )?;
    vm.wait_for("=up")?;
    let code = format!("trapless_cluster_test:replicas('{there}'), halt(0).");
    let interface = ["-noinput", "-kernel", "inet_dist_use_interface", "{127,0,0,2}"];
    let (modules, files) = (folder.display().to_string(), format!("{:?}", folder.join("files")));
    let more = [&interface[..], &["-pa", &modules, "-mnesia", "dir", &files, "-eval", &code]].concat();
    let output = host.erl(&format!("{} {found}", node("here@127.0.0.2")), &more, "")?;
    ensure!(output.status.success() && said(&output).contains("=restarted"), vm.fail(&said(&output)));
    vm.wait_for("=up").map(drop)
}
