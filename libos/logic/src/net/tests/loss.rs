//! Whole transfers over wires with faults.

use super::sim::{Faults, Net};
use super::*;
use crate::socket::Shutdown;

/// Sends `data` from one end and echoes it at the other; checks that it comes back whole.
pub(super) fn echo(net: &Net, client: &dyn Socket<Sim>, server: &dyn Socket<Sim>, data: &[u8]) {
    let mut sent = 0;
    let mut held: Vec<u8> = Vec::new();
    let mut back = Vec::new();
    let (mut client_shut, mut server_shut, mut ended) = (false, false, false);
    let finished = net.run(LONG, || {
        while sent < data.len() {
            match send(client, &data[sent..]) {
                Ok(n) => sent += n,
                Err(e) => {
                    assert_eq!(e, Errno::EAGAIN, "{sent} {} {:?}", back.len(), Sim::now());
                    break;
                }
            }
        }
        if sent == data.len() && !client_shut {
            client.shutdown(Shutdown::Write).unwrap();
            client_shut = true;
        }
        let mut server_end = false;
        loop {
            if held.is_empty() {
                match recv(server, 5000) {
                    Ok(more) if more.is_empty() => server_end = true,
                    Ok(more) => held = more,
                    Err(e) => assert_eq!(e, Errno::EAGAIN),
                }
            }
            if held.is_empty() {
                break;
            }
            match send(server, &held) {
                Ok(n) => drop(held.drain(..n)),
                Err(e) => {
                    assert_eq!(e, Errno::EAGAIN);
                    break;
                }
            }
        }
        if server_end && !server_shut {
            server.shutdown(Shutdown::Write).unwrap();
            server_shut = true;
        }
        loop {
            match recv(client, 7000) {
                Ok(more) if more.is_empty() => {
                    ended = true;
                    break;
                }
                Ok(more) => back.extend(more),
                Err(e) => {
                    assert_eq!(e, Errno::EAGAIN);
                    break;
                }
            }
        }
        ended
    });
    assert!(finished, "stuck after {} sent, {} back", sent, back.len());
    assert!(back == data, "{} bytes sent, {} came back", data.len(), back.len());
}

fn mebibyte_over(faults: Faults, seed: u64) {
    let net = Net::with(faults, seed);
    let (client, server) = pair(&net);
    echo(&net, &*client, &*server, &pattern(1 << 20));
    client.close();
    server.close();
    net.sleep(LONG);
    assert_eq!((net.a.sockets(), net.b.sockets()), (0, 0));
}

#[test]
fn a_mebibyte_is_echoed_over_a_perfect_wire() {
    mebibyte_over(Faults::default(), 1);
}

#[test]
fn a_mebibyte_is_echoed_with_one_frame_in_a_hundred_lost() {
    mebibyte_over(Faults { lost: 10, ..Faults::default() }, 2);
}

#[test]
fn a_mebibyte_is_echoed_with_one_frame_in_twenty_lost() {
    mebibyte_over(Faults { lost: 50, ..Faults::default() }, 3);
}

#[test]
fn a_mebibyte_survives_all_faults_at_once() {
    for seed in 4..12 {
        mebibyte_over(Faults { lost: 20, doubled: 20, late: 50, damaged: 20 }, seed);
    }
}

/// Virtual time that four mebibytes take one way while so many frames of a thousand are lost, both ways.
fn one_way(lost: u64, seed: u64) -> Duration {
    let net = Net::with(Faults { lost, ..Faults::default() }, seed);
    let (client, server) = pair(&net);
    carry(&net, &*client, &*server, 4 << 20)
}

#[test]
fn losses_do_not_cost_a_second_each() {
    let mean = |lost| (0..24).map(|seed| one_way(lost, 20 + seed)).sum::<Duration>() / 24;
    // By smoltcp alone 19 and 253 s, for 29 and 145 frames lost and as many acknowledgements; without a look at what the peer says to
    // have 0.31 and 3.1 s.
    assert!(mean(10) < Duration::from_millis(260), "{:?}", mean(10));
    assert!(mean(50) < Duration::from_millis(2500), "{:?}", mean(50));
}
