//! The example that sends what is logged to a syslog server.

use std::net::UdpSocket;

use anyhow::{Context, Result, ensure};
use trapless_tests::{deadline, machine::Machine, nodes::runs, variant, vm::Vm};

/// The next datagram.
fn next(socket: &UdpSocket, vm: &Vm) -> Result<String> {
    let mut bytes = [0; 2048];
    let (len, _) = socket.recv_from(&mut bytes).map_err(|error| vm.fail(&format!("nothing comes: {error}")))?;
    String::from_utf8(bytes[..len].to_vec()).context("it is no text")
}

#[test]
fn events_arrive() -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("no free port")?;
    socket.set_read_timeout(Some(deadline()))?;
    let code = "
        trapless_syslog:start(), logger:error(\"disk ~p of ~ts is full\", [3, <<\"M\\374nster\"/utf8>>]),
        logger:warning(#{what => lost, number => 7}), logger:info(\"not sent\"),
        logger:notice(lists:duplicate(2000, 16#20ac)), io:format(\"=done~n\").";
    let flags = format!("-trapless_syslog server \"\\\"10.0.2.2\\\"\" port {}", socket.local_addr()?.port());
    let machine = Machine { cpus: 2, append: runs(code, &flags), ..Machine::new(variant::with_applications()?) };
    let mut vm = Vm::boot("syslog", &machine)?;
    vm.wait_for("=done")?;

    let error = next(&socket, &vm)?;
    let fields: Vec<&str> = error.splitn(7, ' ').collect();
    ensure!(fields.len() == 7 && fields[0] == "<131>1" && fields[2] == "beam.localdomain", "it sends {error:?}");
    ensure!(
        fields[1].len() == "2026-11-30T13:00:00.000000Z".len() && fields[1].ends_with('Z'),
        "the time of {error:?}"
    );
    ensure!(fields[3..6] == ["erlang", "1", "-"], "it sends {error:?}");
    ensure!(fields[6].starts_with("[erlang@32473 node=\"nonode@nohost\" process=\"<0."), "it sends {error:?}");
    ensure!(error.ends_with("\"] \u{feff}disk 3 of M\u{fc}nster is full"), "it sends {error:?}");
    let warning = next(&socket, &vm)?;
    ensure!(warning.starts_with("<132>1 ") && warning.contains("what: lost, number: 7"), "it sends {warning:?}");
    // Too long for a datagram, and cut where a character ends.
    let notice = next(&socket, &vm)?;
    ensure!(notice.starts_with("<133>1 ") && notice.ends_with('\u{20ac}'), "it sends {notice:?}");
    ensure!((1178..=1180).contains(&notice.len()), "it has {} bytes", notice.len());
    Ok(())
}

#[test]
fn a_missing_server_is_named() -> Result<()> {
    let append = runs("trapless_syslog:start().", "");
    let mut vm = Vm::boot("syslog-none", &Machine { append, ..Machine::new(variant::with_applications()?) })?;
    vm.wait_for("no server is given").map(drop)
}
