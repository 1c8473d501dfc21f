//! When received data is acknowledged.

use super::sim::{Faults, Net};
use super::*;
use crate::net::device::Offloads;
use crate::socket::Shutdown;

const SOON: Duration = Duration::from_millis(3);

/// A connection, and how many frames were sent since it was there.
struct Counted {
    net: Net,
    client: Tcp,
    server: End,
    before: u64,
}

impl Counted {
    fn new() -> Self {
        Self::on(Net::new())
    }

    /// Segments need not be cut.
    fn on(net: Net) -> Self {
        net.cable.lock().unwrap().whole = true;
        let (client, server) = pair(&net);
        net.sleep(Duration::from_secs(1));
        let before = net.cable.lock().unwrap().frames;
        Self { net, client, server, before }
    }

    fn frames_after(&self, time: Duration) -> u64 {
        self.net.sleep(time);
        self.net.cable.lock().unwrap().frames - self.before
    }
}

#[test]
fn an_answer_that_is_late_because_the_program_reads_late_carries_the_acknowledgement() {
    let counted = Counted::new();
    send(&*counted.client, b"question").unwrap();
    assert_eq!(counted.frames_after(Duration::from_millis(35)), 1);
    assert_eq!(recv(&*counted.server, 100).unwrap(), b"question");
    send(&*counted.server, b"answer").unwrap();
    assert_eq!(counted.frames_after(SOON), 2);
    assert_eq!(recv(&*counted.client, 100).unwrap(), b"answer");
    // Of the client nothing is heard that it waits for.
    assert_eq!(counted.frames_after(Duration::from_secs(1)), 3);
}

#[test]
fn what_nobody_reads_is_acknowledged() {
    let counted = Counted::new();
    send(&*counted.client, b"question").unwrap();
    assert_eq!(counted.frames_after(Duration::from_millis(38)), 1);
    assert_eq!(counted.frames_after(Duration::from_millis(5)), 2);
    send(&*counted.client, b"another").unwrap();
    assert_eq!(counted.frames_after(Duration::from_millis(38)), 3);
    assert_eq!(counted.frames_after(Duration::from_millis(5)), 4);
}

#[test]
fn a_program_that_waits_for_more_has_it_acknowledged_soon() {
    let recv_again = |end: &End| assert_eq!(recv(&**end, 100), Err(Errno::EAGAIN));
    let poll = |end: &End| assert_eq!(end.ready(), Ready::WRITABLE);
    for wait in [recv_again as fn(&End), poll] {
        let counted = Counted::new();
        send(&*counted.client, b"one half").unwrap();
        assert_eq!(counted.frames_after(SOON), 1);
        assert_eq!(recv(&*counted.server, 100).unwrap(), b"one half");
        wait(&counted.server);
        assert_eq!(counted.frames_after(SOON), 2);
        // The first answer has not changed that.
        send(&*counted.client, b"and the other").unwrap();
        assert_eq!(counted.frames_after(SOON), 3);
    }
}

#[test]
fn a_full_segment_is_acknowledged_soon_and_more_at_once() {
    let full = Counted::new();
    send(&*full.client, &pattern(1460)).unwrap();
    assert_eq!(full.frames_after(SOON), 2);
    let offloads = Offloads { checksum: true, segmentation: Some(65_549), ..Offloads::default() };
    let more = Counted::on(Net::between([offloads; 2], Faults::default(), 7));
    send(&*more.client, &pattern(2000)).unwrap();
    assert_eq!(more.frames_after(Duration::from_micros(200)), 2);
}

#[test]
fn an_end_does_not_wait_for_the_program_to_read() {
    let counted = Counted::new();
    send(&*counted.client, b"question").unwrap();
    assert_eq!(counted.frames_after(SOON), 1);
    counted.server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(counted.frames_after(Duration::ZERO), 2);
}
