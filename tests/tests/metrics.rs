//! The example that tells numbers of the node, with a client that everybody uses.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    erl,
    machine::{Forward, Machine},
    variant,
    vm::{Vm, free_port},
};

const PORT: u16 = 9100;

/// What curl gets, with the status in a line of its own behind it.
fn curl(vm: &Vm, arguments: &[&str], path: &str) -> Result<(String, String)> {
    let url = format!("http://{}{path}", vm.address(PORT)?);
    let output = Command::new("curl").args(["-s", "-w", "\n%{http_code}"]).args(arguments).arg(url).output();
    let output = output.context("cannot run curl: `cargo xtask setup` installs it")?;
    let said = String::from_utf8(output.stdout).context("what curl got is no text")?;
    let (body, status) = said.rsplit_once('\n').context("curl says no status")?;
    Ok((body.to_owned(), status.to_owned()))
}

#[test]
fn prometheus_is_answered() -> Result<()> {
    let forwards = vec![Forward { host: free_port()?, guest: PORT, udp: false }];
    let append = erl("trapless_metrics:start().");
    let machine = Machine { cpus: 2, memory: 512, forwards, append, ..Machine::new(variant::with_applications()?) };
    let mut vm = Vm::boot("metrics", &machine)?;
    vm.wait_for("metrics on port")?;

    let (body, status) = curl(&vm, &[], "/metrics")?;
    ensure!(status == "200", vm.fail(&format!("it answers {status}")));
    let mut values = BTreeMap::new();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').with_context(|| format!("no sample: {line:?}"))?;
        let value: f64 = value.parse().with_context(|| format!("no number: {line:?}"))?;
        ensure!(values.insert(name, value).is_none(), "{name} is there twice");
    }
    let value = |name: &str| values.get(name).copied().with_context(|| format!("there is no {name} in\n{body}"));
    ensure!(value("erlang_schedulers_online")? == 2.0 && value("erlang_processes")? > 10.0, "{body}");
    let (total, free) =
        (value(r#"machine_memory_bytes{kind="total"}"#)?, value(r#"machine_memory_bytes{kind="free"}"#)?);
    ensure!((400e6..537e6).contains(&total) && free > 0.0 && free < total, "{body}");
    let ran = |cpu: u32| value(&format!(r#"machine_cpu_seconds_total{{cpu="{cpu}",mode="user"}}"#));
    ensure!(ran(0)? + ran(1)? > 0.0, "{body}");
    ensure!(value("machine_sockets")? >= 1.0 && value("machine_connections_refused_total")? == 0.0, "{body}");

    ensure!(curl(&vm, &[], "/")?.1 == "404" && curl(&vm, &["-d", "x"], "/metrics")?.1 == "405", "other requests pass");
    // The counters go on, and one client after the other is served.
    for _ in 0..20 {
        ensure!(curl(&vm, &[], "/metrics")?.1 == "200", vm.fail("it stops answering"));
    }
    Ok(())
}
