//! What peers hear when a program ends.

use super::sim::{Faults, Net};
use super::*;

#[test]
fn what_was_written_arrives_and_then_the_end() {
    let net = Net::with(Faults { lost: 50, ..Faults::default() }, 7);
    net.cable.lock().unwrap().delay = 10_000_000;
    let (client, server) = pair(&net);
    let (idle, idle_server) = pair_on(&net, 81);
    send(&*server, &pattern(60_000)).unwrap();
    net.b.end_connections();
    assert!(net.b.last_words() > 60_000);
    assert!(net.run(LONG, || net.b.last_words() == 0));
    // The machine may be gone now: all of it is there.
    let mut all = Vec::new();
    while let Ok(more) = recv(&*client, 100_000)
        && !more.is_empty()
    {
        all.extend(more);
    }
    assert!(all == pattern(60_000));
    assert_eq!((recv(&*client, 10), recv(&*idle, 10)), (Ok(Vec::new()), Ok(Vec::new())));
    assert_eq!(send(&*idle_server, b"x"), Err(Errno::EPIPE));
}

#[test]
fn who_is_not_heard_gets_a_reset() {
    let net = Net::new();
    let (client, _server) = pair(&net);
    let _listener = listener(&net.b, 81, 8);
    let waiting = connecting(&net.a, "10.0.0.2:81");
    send(&*client, b"nobody reads this").unwrap();
    net.sleep(Duration::from_millis(10));
    net.b.end_connections();
    assert!(net.run(LONG, || net.b.last_words() == 0));
    net.sleep(Duration::from_millis(1));
    for (end, which) in [(&client, "unread"), (&waiting, "not accepted")] {
        assert_eq!(recv(&**end, 10), Err(Errno::ECONNRESET), "{which}");
    }
}

#[test]
fn a_peer_that_is_gone_has_not_heard_it() {
    let net = Net::new();
    let (_client, _server) = pair(&net);
    net.cable.lock().unwrap().cut = true;
    net.b.end_connections();
    net.sleep(Duration::from_secs(5));
    assert_eq!(net.b.last_words(), 1);
}
