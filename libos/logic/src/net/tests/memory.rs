//! What happens when memory runs out, and when it comes back.

use super::sim::{DISCARDED, MEMORY, Net};
use super::*;
use crate::platform::Supply;

#[test]
fn when_memory_is_scarce_new_connections_wait_and_old_ones_go_on() {
    let net = Net::new();
    let server = listener(&net.b, 80, 128);
    let clients: Vec<_> = (0..70).map(|_| connecting(&net.a, "10.0.0.2:80")).collect();
    let mut accepted = Vec::new();
    MEMORY.set(Supply::Scarce);
    let mut accept = |count| {
        net.run(Duration::from_secs(2), || {
            accepted.extend(core::iter::from_fn(|| server.accept().ok()));
            accepted.len() == count
        })
    };
    assert!(!accept(70), "nobody was kept waiting");
    assert!(accept(64), "some are always served");
    let connected = clients.iter().filter(|client| client.connect(&addr("10.0.0.2:80")).is_ok()).collect::<Vec<_>>();
    assert_eq!(connected.len(), 64);
    assert_eq!(send(&**connected[0], b"still here"), Ok(10));
    MEMORY.set(Supply::Ample);
    assert!(net.run(Duration::from_secs(10), || {
        accepted.extend(core::iter::from_fn(|| server.accept().ok()));
        accepted.len() == 70
    }));
    assert!(accepted.iter().any(|(socket, _)| recv(&**socket, 99) == Ok(b"still here".to_vec())));
}

#[test]
fn when_memory_is_short_data_waits_and_nothing_is_lost() {
    let net = Net::new();
    let (client, server) = pair(&net);
    let data = pattern(20_000);
    assert_eq!(send(&*client, &data), Ok(data.len()));
    MEMORY.set(Supply::Short);
    net.sleep(Duration::from_secs(3));
    assert_eq!(recv(&*server, 99), Err(Errno::EAGAIN));
    assert_eq!(send(&*server, b"no room"), Err(Errno::ENOBUFS));
    assert_eq!(TcpSocket::new(net.b.clone(), Family::Inet).connect(&addr("10.0.0.1:9")), Err(Errno::ENOBUFS));
    // The end of a connection needs no memory, and frees some.
    server.close();
    MEMORY.set(Supply::Ample);
    assert_eq!(recv_all(&net, &*client), Ok(Vec::new()));
    let (client, server) = pair_on(&net, 81);
    assert_eq!(send(&*client, &data), Ok(data.len()));
    MEMORY.set(Supply::Short);
    net.sleep(Duration::from_secs(3));
    MEMORY.set(Supply::Ample);
    client.close();
    assert_eq!(recv_all(&net, &*server), Ok(data));
}

#[test]
fn when_memory_is_scarce_empty_buffers_give_theirs_back() {
    let net = Net::new();
    let (client, server) = pair(&net);
    let discarded = || {
        DISCARDED.take();
        net.sleep(Duration::from_secs(2));
        // Something must happen for the stacks to look.
        send(&*client, b"x").unwrap();
        net.sleep(Duration::from_secs(2));
        DISCARDED.take().len()
    };
    assert_eq!(discarded(), 0);
    MEMORY.set(Supply::Scarce);
    assert_eq!(discarded(), 2, "the client's; what the server has is not read yet");
    assert_eq!(recv(&*server, 99), Ok(b"xx".to_vec()));
    assert_eq!(discarded(), 2 + 2, "the server's before the third x came");
    assert_eq!(recv(&*server, 99), Ok(b"x".to_vec()));
}
