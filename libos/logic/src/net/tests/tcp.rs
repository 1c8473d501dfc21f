//! What one TCP connection promises.

use super::sim::Net;
use super::*;
use crate::file::IoctlArg;
use crate::socket::Shutdown;
use trapless_abi::SysResult;

const DEAD: Ready = Ready::READABLE.union(Ready::WRITABLE).union(Ready::RDHUP).union(Ready::HUP);

/// Sends until the buffer is full; what was sent.
fn fill(end: &dyn Socket<Sim>) -> Vec<u8> {
    let data = pattern(1 << 20);
    let mut sent = 0;
    while let Ok(n) = send(end, &data[sent..]) {
        sent += n;
    }
    data[..sent].to_vec()
}

#[test]
fn a_refused_port_says_so_once_and_another_attempt_is_free() {
    let net = Net::new();
    let client = connecting(&net.a, "10.0.0.2:81");
    assert_eq!(client.connect(&addr("10.0.0.2:81")), Err(Errno::EALREADY));
    assert_eq!(client.ready(), Ready::empty());
    net.sleep(Duration::from_secs(1));
    assert_eq!(client.ready(), DEAD | Ready::ERR);
    assert_eq!(so_error(&*client), i32::from(Errno::ECONNREFUSED.code()));
    assert_eq!((so_error(&*client), client.ready()), (0, DEAD));
    let _server = listener(&net.b, 81, 1);
    assert_eq!(client.connect(&addr("10.0.0.2:81")), Err(Errno::EINPROGRESS));
    net.sleep(Duration::from_secs(1));
    assert_eq!(client.connect(&addr("10.0.0.2:81")), Ok(()));
    assert_eq!(client.connect(&addr("10.0.0.2:81")), Err(Errno::EISCONN));
}

#[test]
fn a_connection_has_the_names_of_its_ends() {
    let net = Net::new();
    let (client, server) = pair(&net);
    assert_eq!(client.peer(), Ok(addr("10.0.0.2:80")));
    assert_eq!(server.local(), Ok(addr("10.0.0.2:80")));
    assert_eq!(client.local(), server.peer());
    assert!(matches!(client.local(), Ok(SockAddr::Inet(a)) if a.ip().to_string() == "10.0.0.1" && a.port() >= 32768));
}

/// What has come without anything but the way having taken time.
fn at_once(net: &Net, end: &dyn Socket<Sim>) -> Vec<u8> {
    net.sleep(Duration::from_micros(60));
    recv(end, 10_000).unwrap_or_default()
}

#[test]
fn the_end_of_an_answer_does_not_wait_for_an_acknowledgement() {
    let net = Net::new();
    let (client, server) = pair(&net);
    for _ in 0..5 {
        send(&*client, &pattern(2000)).unwrap();
        assert_eq!(at_once(&net, &*server), pattern(2000));
        net.sleep(Duration::from_secs(1));
    }
}

#[test]
fn short_segments_wait_for_each_other() {
    let net = Net::new();
    for (first, port) in [(3, 80), (2000, 81)] {
        let (client, server) = pair_on(&net, port);
        send(&*client, &pattern(first)).unwrap();
        send(&*client, b"more").unwrap();
        send(&*client, b" of it").unwrap();
        assert_eq!(at_once(&net, &*server), pattern(first));
        assert_eq!(recv(&*server, 9), Err(Errno::EAGAIN));
        net.sleep(Duration::from_secs(1));
        assert_eq!(recv(&*server, 99), Ok(b"more of it".to_vec()));
        set(&*client, 6, 1, 1);
        send(&*client, &pattern(first)).unwrap();
        send(&*client, b"more").unwrap();
        assert_eq!(at_once(&net, &*server), [&pattern(first)[..], b"more"].concat());
    }
}

#[test]
fn each_direction_ends_by_itself() {
    let net = Net::new();
    let (client, server) = pair(&net);
    send(&*client, b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(send(&*client, b"x"), Err(Errno::EPIPE));
    assert_eq!(recv_all(&net, &*server).unwrap(), b"question");
    assert_eq!(server.ready(), Ready::READABLE | Ready::WRITABLE | Ready::RDHUP);
    let answer = pattern(300_000);
    let mut sent = 0;
    let mut got = Vec::new();
    assert!(net.run(LONG, || {
        sent += send(&*server, &answer[sent..]).unwrap_or(0);
        got.extend(recv(&*client, 100_000).unwrap_or_default());
        got.len() == answer.len()
    }));
    assert!(got == answer);
    server.close();
    assert_eq!(recv_all(&net, &*client).unwrap(), b"");
    assert_eq!((so_error(&*client), client.ready()), (0, DEAD));
}

#[test]
fn close_delivers_what_was_written() {
    let net = Net::new();
    let (client, server) = pair(&net);
    let sent = fill(&*client);
    assert!(sent.len() >= 65_535);
    client.close();
    net.sleep(Duration::from_secs(50));
    assert!(recv_all(&net, &*server).unwrap() == sent);
    server.close();
    net.sleep(LONG);
    assert_eq!((net.a.sockets(), net.b.sockets()), (0, 0));
}

#[test]
fn a_closed_connection_whose_peer_never_reads_ends_some_day() {
    let net = Net::new();
    let (client, server) = pair(&net);
    while net.run(Duration::from_secs(1), || send(&*client, &pattern(4096)).is_ok()) {}
    client.close();
    net.sleep(LONG);
    assert_eq!(net.a.sockets(), 0);
    assert!(server.ready().contains(Ready::ERR));
}

#[test]
fn a_closed_connection_whose_peer_never_ends_is_given_up_in_the_time_asked_for() {
    for (linger, seconds) in [(None, 60), (Some(2), 2), (Some(-1), 0)] {
        let net = Net::new();
        let (client, server) = pair(&net);
        if let Some(linger) = linger {
            set(&*client, 6, 8, linger);
        }
        client.close();
        let begun = Sim::now();
        assert!(net.run(LONG, || so_error(&*server) == Errno::EPIPE as i32), "{linger:?}");
        let took = Sim::now().saturating_since(begun).as_secs();
        assert!((seconds..seconds + 3).contains(&took), "{linger:?}: {took} s");
        net.sleep(Duration::from_secs(10));
        assert_eq!(net.a.sockets(), 0);
    }
}

#[test]
fn linger_zero_resets() {
    let net = Net::new();
    let (client, server) = pair(&net);
    send(&*client, b"last words").unwrap();
    net.sleep(Duration::from_secs(1));
    set_linger(&*client, 0);
    client.close();
    net.sleep(Duration::from_secs(1));
    assert_eq!(server.ready(), DEAD | Ready::ERR);
    assert_eq!(recv(&*server, 100), Ok(b"last words".to_vec()));
    assert_eq!(recv(&*server, 100), Err(Errno::ECONNRESET));
    assert_eq!(recv(&*server, 100), Ok(vec![]));
    assert_eq!(send(&*server, b"x"), Err(Errno::EPIPE));
    assert_eq!(server.peer(), Err(Errno::ENOTCONN));
    assert_eq!(net.a.sockets(), 0);
}

#[test]
fn close_with_unread_data_resets() {
    let net = Net::new();
    let (client, server) = pair(&net);
    send(&*server, b"unread").unwrap();
    net.sleep(Duration::from_secs(1));
    client.close();
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv(&*server, 100), Err(Errno::ECONNRESET));
}

#[test]
fn data_for_a_closed_socket_is_answered_with_a_reset() {
    let net = Net::new();
    let (client, server) = pair(&net);
    client.close();
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv(&*server, 100), Ok(vec![]));
    send(&*server, b"anybody there?").unwrap();
    net.sleep(Duration::from_secs(1));
    assert_eq!(send(&*server, b"hello?"), Err(Errno::EPIPE));
    assert_eq!(net.a.sockets(), 0);
}

#[test]
fn a_peer_that_vanishes_is_noticed_in_the_time_asked_for() {
    // TCP_USER_TIMEOUT; tcp_retries2; keep-alive with 10 s, 5 s, 3 probes; nothing to send and nothing asked for.
    let user = |end: &Tcp| set(&**end, 6, 18, 5000);
    let keepalive = |end: &Tcp| {
        for (level, name, value) in [(1, 9, 1), (6, 4, 10), (6, 5, 5), (6, 6, 3)] {
            set(&**end, level, name, value);
        }
    };
    type Case<'a> = (&'a dyn Fn(&Tcp), bool, u64, u64);
    let cases: [Case; 4] =
        [(&user, true, 5, 6), (&|_| {}, true, 920, 930), (&keepalive, false, 20, 26), (&|_| {}, false, u64::MAX, 0)];
    for (prepare, sends, from, to) in cases {
        let net = Net::new();
        let (client, _server) = pair(&net);
        prepare(&client);
        net.sleep(Duration::from_secs(1));
        net.cable.lock().unwrap().cut = true;
        let start = Sim::now();
        if sends {
            send(&*client, b"hello?").unwrap();
        }
        let noticed = net.run(LONG, || client.ready().contains(Ready::ERR));
        let seconds = (Sim::now() - start).as_secs();
        assert_eq!(noticed, from != u64::MAX);
        if noticed {
            assert!((from..=to).contains(&seconds), "{seconds} s");
            assert_eq!(recv(&*client, 1), Err(Errno::ETIMEDOUT));
        }
    }
}

#[test]
fn time_limits_for_data_leave_idle_connections_alone() {
    let net = Net::new();
    let (client, server) = pair(&net);
    set(&*client, 6, 18, 1000);
    for _ in 0..3 {
        send(&*client, b"ping").unwrap();
        net.sleep(Duration::from_secs(100));
        assert_eq!(recv(&*server, 100), Ok(b"ping".to_vec()));
    }
}

#[test]
fn keep_alive_does_not_disturb_a_living_connection() {
    let net = Net::new();
    let (client, server) = pair(&net);
    for (level, name, value) in [(1, 9, 1), (6, 4, 2), (6, 5, 1), (6, 6, 2)] {
        set(&*client, level, name, value);
    }
    net.sleep(Duration::from_secs(100));
    send(&*client, b"ping").unwrap();
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv(&*server, 100), Ok(b"ping".to_vec()));
    assert_eq!(recv(&*server, 100), Err(Errno::EAGAIN));
}

#[test]
fn connecting_fails_with_the_right_error() {
    let net = Net::new();
    let to = |text| TcpSocket::new(net.a.clone(), Family::Inet).connect(&addr(text));
    assert_eq!(to("192.0.2.1:80"), Err(Errno::ENETUNREACH));
    assert_eq!(to("224.0.0.1:80"), Err(Errno::ENETUNREACH));
    assert_eq!(to("10.0.0.255:80"), Err(Errno::ENETUNREACH));
    assert_eq!(to("10.0.0.2:0"), Err(Errno::ECONNREFUSED));
    assert_eq!(to("[::1]:80"), Err(Errno::EAFNOSUPPORT));
    let client = connecting(&net.a, "10.0.0.77:80");
    assert!(net.run(LONG, || client.ready().contains(Ready::ERR)));
    assert!((120..140).contains(&Sim::now().as_nanos().div_euclid(1_000_000_000)));
    assert_eq!(client.connect(&addr("10.0.0.77:80")), Err(Errno::ETIMEDOUT));
}

#[test]
fn names_are_given_by_the_rules() {
    let net = Net::new();
    let socket = || TcpSocket::new(net.a.clone(), Family::Inet);
    let s = socket();
    assert_eq!(s.local(), Ok(addr("0.0.0.0:0")));
    assert_eq!(s.bind(&addr("10.0.0.9:80")), Err(Errno::EADDRNOTAVAIL));
    s.bind(&addr("10.0.0.1:80")).unwrap();
    assert_eq!(s.bind(&addr("10.0.0.1:81")), Err(Errno::EINVAL));
    assert_eq!(s.local(), Ok(addr("10.0.0.1:80")));
    assert_eq!(socket().bind(&addr("0.0.0.0:80")), Err(Errno::EADDRINUSE));
    socket().bind(&addr("127.0.0.1:80")).unwrap();
    s.close();
    socket().bind(&addr("0.0.0.0:80")).unwrap();
    let auto = socket();
    auto.listen(5).unwrap();
    assert!(matches!(auto.local(), Ok(SockAddr::Inet(a)) if a.port() >= 32768));
    let any = socket();
    any.bind(&addr("0.0.0.0:0")).unwrap();
    assert_ne!(any.local(), auto.local());
}

#[test]
fn a_listeners_port_is_free_for_its_successor() {
    let net = Net::new();
    let server = listener(&net.b, 80, 5);
    let other = TcpSocket::new(net.b.clone(), Family::Inet);
    set(&*other, 1, 2, 1);
    assert_eq!(other.bind(&addr("0.0.0.0:80")), Err(Errno::EADDRINUSE));
    server.close();
    // With connections left over, only if both set SO_REUSEADDR.
    for reuse in [false, true] {
        let server = TcpSocket::new(net.b.clone(), Family::Inet);
        set(&*server, 1, 2, reuse.into());
        server.bind(&addr("0.0.0.0:80")).unwrap();
        server.listen(5).unwrap();
        let client = connecting(&net.a, "10.0.0.2:80");
        let mut accepted = Err(Errno::EAGAIN);
        net.run(LONG, || {
            accepted = server.accept();
            accepted.is_ok()
        });
        server.close();
        let next = TcpSocket::new(net.b.clone(), Family::Inet);
        set(&*next, 1, 2, 1);
        assert_eq!(next.bind(&addr("0.0.0.0:80")), if reuse { Ok(()) } else { Err(Errno::EADDRINUSE) });
        drop((accepted, client, next));
        net.sleep(LONG);
    }
}

#[test]
fn data_survives_the_end_of_time_wait() {
    let net = Net::new();
    let (client, server) = pair(&net);
    client.shutdown(Shutdown::Write).unwrap();
    let data = pattern(30_000);
    assert_eq!(send(&*server, &data), Ok(data.len()));
    server.close();
    net.sleep(Duration::from_secs(100));
    assert_eq!(client.ready(), DEAD);
    assert!(recv_all(&net, &*client).unwrap() == data);
    assert_eq!(so_error(&*client), 0);
}

#[test]
fn a_full_buffer_is_not_ready_until_it_drains() {
    let net = Net::new();
    let (client, server) = pair(&net);
    // The other side's buffer holds twice as much.
    for _ in 0..3 {
        fill(&*client);
        net.sleep(Duration::from_secs(10));
    }
    assert_eq!(client.ready(), Ready::empty());
    assert_eq!(send(&*client, b"x"), Err(Errno::EAGAIN));
    let mut got = Vec::new();
    net.run(LONG, || {
        got.extend(recv(&*server, 1000).unwrap_or_default());
        client.ready() == Ready::WRITABLE
    });
    assert!(got.len() >= 64 * 1024 / 3, "woken for {} bytes", got.len());
}

struct Word(i32);

impl IoctlArg for Word {
    fn get(&mut self, _: &mut [u8]) -> SysResult<()> {
        Err(Errno::EFAULT)
    }
    fn put(&mut self, from: &[u8]) -> SysResult<()> {
        self.0 = i32::from_ne_bytes(from.try_into().unwrap());
        Ok(())
    }
    fn value(&self) -> usize {
        0
    }
}

#[test]
fn queued_bytes_can_be_counted_and_looked_at() {
    let net = Net::new();
    let (client, server) = pair(&net);
    // Makes the ring wrap later.
    let data = pattern(60_000);
    send(&*client, &data).unwrap();
    net.sleep(Duration::from_secs(1));
    assert!(recv(&*server, 70_000).unwrap() == data);
    send(&*client, &data).unwrap();
    net.sleep(Duration::from_secs(1));
    let mut word = Word(0);
    server.ioctl(0x541b, &mut word).unwrap();
    assert_eq!(word.0, 60_000);
    let mut seen = Vec::with_capacity(70_000);
    assert_eq!(server.recv(&mut seen, MsgFlags::PEEK).unwrap().len, 60_000);
    assert!(seen == data && recv(&*server, 70_000).unwrap() == data);
    assert_eq!(server.ioctl(0x1234, &mut word), Err(Errno::ENOTTY));
}

#[test]
fn a_peer_is_told_of_room_in_large_pieces_when_the_program_reads_small_ones() {
    let net = Net::new();
    let (client, server) = pair(&net);
    let data = pattern(1 << 20);
    let mut sent = fill(&*client).len();
    net.sleep(Duration::from_secs(1));
    let before = net.cable.lock().unwrap().frames;
    let mut got = Vec::new();
    while got.len() < data.len() {
        got.extend(recv(&*server, 500).unwrap_or_default());
        sent += send(&*client, &data[sent..]).unwrap_or(0);
        net.sleep(Duration::from_millis(1));
    }
    assert!(got == data);
    // The data alone is 718 segments.
    let frames = net.cable.lock().unwrap().frames - before;
    assert!(frames < 900, "{frames} frames");
}

#[test]
fn calls_that_need_a_connection_say_so() {
    let net = Net::new();
    let s = TcpSocket::new(net.a.clone(), Family::Inet);
    assert_eq!(s.ready(), Ready::WRITABLE | Ready::HUP);
    assert_eq!(recv(&*s, 1), Err(Errno::ENOTCONN));
    assert_eq!(send(&*s, b"x"), Err(Errno::EPIPE));
    assert_eq!(s.shutdown(Shutdown::Both), Err(Errno::ENOTCONN));
    assert_eq!(s.peer(), Err(Errno::ENOTCONN));
    assert_eq!(s.accept().err(), Some(Errno::EINVAL));
    let (client, _server) = pair(&net);
    assert_eq!(client.listen(1), Err(Errno::EINVAL));
    let oob = client.send(&mut &b"x"[..], None, &mut Vec::new(), &[], MsgFlags::OOB);
    assert_eq!(oob, Err(Errno::EOPNOTSUPP));
}

#[test]
fn an_idle_connection_wakes_nobody() {
    let net = Net::new();
    let (_client, _server) = pair(&net);
    net.sleep(Duration::from_secs(1));
    let (steps, frames) = (net.steps.get(), net.cable.lock().unwrap().frames);
    net.sleep(LONG);
    assert_eq!((net.steps.get(), net.cable.lock().unwrap().frames), (steps, frames));
}

#[test]
fn what_was_idle_for_long_still_ends_in_order() {
    let net = Net::new();
    let (client, server) = pair(&net);
    net.sleep(Duration::from_secs(5000));
    client.shutdown(Shutdown::Write).unwrap();
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv(&*server, 1), Ok(Vec::new()));
    net.sleep(Duration::from_secs(5000));
    send(&*server, b"late").unwrap();
    server.close();
    assert_eq!(recv_all(&net, &*client), Ok(b"late".to_vec()));
}
