//! AF_UNIX sockets with names.

use super::unix::{Names, Style, UnixSocket};
use super::unix_tests::names;
use super::{MsgFlags, Received, Shutdown, SockAddr, Socket};
use crate::fake::Fake;
use crate::file::{File, OpenFile};
use crate::vfs::{At, Follow, Tmpfs, Vfs};
use crate::wait::Ready;
use std::sync::Arc;
use std::vec::Vec;
use trapless_abi::{Errno, SysResult};

type Bare = Arc<UnixSocket<Fake>>;
const CONNECTED: [Style; 2] = [Style::Stream, Style::SeqPacket];

fn at(name: &str) -> SockAddr {
    SockAddr::Unix(name.as_bytes().into())
}

/// A file system with a directory `/d`, and names in it.
fn tree() -> (Arc<Vfs<Fake>>, Arc<Names<Fake>>) {
    let vfs = Arc::new(Vfs::new(Tmpfs::new(1, 1 << 20).root()));
    vfs.mkdir(&At::Cwd, b"/d", 0o777).unwrap();
    (vfs.clone(), Names::new(vfs))
}

fn bound(names: &Arc<Names<Fake>>, style: Style, name: &str) -> Bare {
    let socket = UnixSocket::new(names.clone(), style);
    socket.bind(&at(name)).unwrap();
    socket
}

fn listening(names: &Arc<Names<Fake>>, style: Style, name: &str, backlog: usize) -> Bare {
    let socket = bound(names, style, name);
    socket.listen(backlog).unwrap();
    socket
}

fn connecting(names: &Arc<Names<Fake>>, style: Style, to: &str) -> SysResult<Bare> {
    let socket = UnixSocket::new(names.clone(), style);
    socket.connect(&at(to)).map(|()| socket)
}

fn send(socket: &dyn Socket<Fake>, to: Option<&str>, data: &[u8]) -> SysResult<usize> {
    socket.send(&mut &data[..], to.map(at).as_ref(), &mut Vec::new(), &[], MsgFlags::empty())
}

fn recv(socket: &dyn Socket<Fake>) -> SysResult<(Vec<u8>, Option<SockAddr>)> {
    let mut buf = Vec::with_capacity(64);
    let Received { from, .. } = socket.recv(&mut buf, MsgFlags::empty())?;
    Ok((buf, from))
}

#[test]
fn a_connection_has_the_names_of_both_ends() {
    let (_, names) = tree();
    for (style, name) in [(Style::Stream, "/d/s"), (Style::SeqPacket, "\0s")] {
        let listener = listening(&names, style, name, 1);
        let client = connecting(&names, style, name).unwrap();
        // Nobody has to accept before something is sent.
        assert_eq!(send(&*client, None, b"early"), Ok(5));
        let (server, peer) = listener.accept().unwrap();
        assert_eq!((peer, server.local(), server.peer()), (at(""), Ok(at(name)), Ok(at(""))));
        assert_eq!((client.local(), client.peer()), (Ok(at("")), Ok(at(name))));
        assert_eq!(recv(&*server), Ok((b"early".to_vec(), None)));
        assert_eq!(send(&*server, None, b"back"), Ok(4));
        assert_eq!(recv(&*client), Ok((b"back".to_vec(), Some(at(name)))));
        // A name that comes late is seen all the same, and is remembered.
        client.bind(&at("\0late")).unwrap();
        client.close();
        drop(client);
        assert_eq!(server.peer(), Ok(at("\0late")));
    }
}

#[test]
fn a_path_is_a_socket_in_the_file_system() {
    let (vfs, names) = tree();
    let socket = bound(&names, Style::Stream, "/d/s");
    let stat = vfs.stat(&At::Cwd, b"/d/s", Follow::Yes).unwrap();
    assert_eq!((stat.st_mode, stat.st_nlink, stat.st_size), (0o140_755, 1, 0));
    let again = UnixSocket::new(names.clone(), Style::Stream);
    for (path, error) in [
        ("/d/s", Errno::EADDRINUSE),
        ("/d", Errno::EADDRINUSE),
        ("/", Errno::EADDRINUSE),
        ("/d/new/", Errno::ENOENT),
        ("/missing/s", Errno::ENOENT),
        ("/d/s/t", Errno::ENOTDIR),
    ] {
        assert_eq!(again.bind(&at(path)), Err(error), "{path}");
    }
    // A second name is refused, and leaves nothing behind.
    assert_eq!(socket.bind(&at("/d/t")), Err(Errno::EINVAL));
    assert_eq!(vfs.stat(&At::Cwd, b"/d/t", Follow::Yes).map(drop), Err(Errno::ENOENT));
    assert_eq!(socket.bind(&at("")), Ok(()), "it has a name, as was asked for");
    assert_eq!(socket.local(), Ok(at("/d/s")));
}

#[test]
fn the_inode_leads_to_the_socket_whatever_it_is_called() {
    let (vfs, names) = tree();
    let listener = listening(&names, Style::Stream, "/d/s", 9);
    let connect = |to: &str| connecting(&names, Style::Stream, to).map(drop);
    vfs.symlink(b"s", &At::Cwd, b"/d/link").unwrap();
    vfs.link(&At::Cwd, b"/d/s", &At::Cwd, b"/d/hard", Follow::No).unwrap();
    assert_eq!((connect("/d/link"), connect("/d/hard")), (Ok(()), Ok(())));
    vfs.rename(&At::Cwd, b"/d/s", &At::Cwd, b"/moved", true).unwrap();
    assert_eq!((connect("/d/s"), connect("/moved")), (Err(Errno::ENOENT), Ok(())));
    assert_eq!(listener.local(), Ok(at("/d/s")));
    vfs.unlink(&At::Cwd, b"/moved").unwrap();
    assert_eq!(connect("/moved"), Err(Errno::ENOENT));
    // The name is free, the old socket still has a way in.
    let other = listening(&names, Style::Stream, "/moved", 0);
    assert_eq!((connect("/moved"), connect("/d/hard")), (Ok(()), Ok(())));
    other.close();
    assert_eq!(connect("/moved"), Err(Errno::ECONNREFUSED));
    assert_eq!(connecting(&names, Style::Stream, "/d").map(drop), Err(Errno::ECONNREFUSED));
}

#[test]
fn abstract_names_are_free_again_after_close_and_one_for_each_type() {
    let names = names();
    let stream = bound(&names, Style::Stream, "\0n");
    let again = UnixSocket::new(names.clone(), Style::Stream);
    assert_eq!(again.bind(&at("\0n")), Err(Errno::EADDRINUSE));
    assert_eq!(stream.bind(&at("\0m")), Err(Errno::EINVAL));
    let _datagram = bound(&names, Style::Datagram, "\0n");
    stream.close();
    assert_eq!(again.bind(&at("\0n")), Ok(()));
}

#[test]
fn an_accepted_connection_does_not_take_the_name_with_it() {
    let names = names();
    let listener = listening(&names, Style::Stream, "\0n", 1);
    let _client = connecting(&names, Style::Stream, "\0n").unwrap();
    let (server, _) = listener.accept().unwrap();
    server.close();
    assert!(connecting(&names, Style::Stream, "\0n").is_ok());
}

#[test]
fn a_name_can_be_chosen() {
    let names = names();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let socket = UnixSocket::new(names.clone(), Style::Datagram);
        socket.bind(&at("")).unwrap();
        let Ok(SockAddr::Unix(name)) = socket.local() else { panic!("no name") };
        assert!(name.len() == 6 && name[0] == 0 && name[1..].iter().all(u8::is_ascii_hexdigit));
        assert!(!seen.iter().any(|(_, other)| *other == name));
        seen.push((socket, name));
    }
}

#[test]
fn a_full_backlog_sends_away_and_accepting_makes_room() {
    let names = names();
    for (style, backlog) in [(Style::Stream, 0), (Style::SeqPacket, 2)] {
        let listener = listening(&names, style, "\0n", backlog);
        let waiting: Vec<_> = (0..=backlog).map(|_| connecting(&names, style, "\0n").unwrap()).collect();
        assert_eq!(connecting(&names, style, "\0n").map(drop), Err(Errno::EAGAIN));
        assert_eq!(waiting[0].connect(&at("\0n")), Err(Errno::EAGAIN), "the backlog is looked at first");
        assert!(listener.ready().contains(Ready::IN) && !listener.ready().contains(Ready::OUT));
        listener.accept().unwrap();
        assert_eq!(waiting[0].connect(&at("\0n")), Err(Errno::EISCONN));
        assert!(connecting(&names, style, "\0n").is_ok());
        listener.listen(backlog + 1).unwrap();
        assert!(connecting(&names, style, "\0n").is_ok());
        listener.close();
    }
}

#[test]
fn what_is_not_accepted_is_reset() {
    let names = names();
    for style in CONNECTED {
        let listener = listening(&names, style, "\0n", 1);
        let client = connecting(&names, style, "\0n").unwrap();
        listener.close();
        assert!(client.ready().contains(Ready::ERR | Ready::HUP | Ready::IN));
        assert_eq!(recv(&*client), Err(Errno::ECONNRESET));
        assert_eq!(recv(&*client), Ok((Vec::new(), None)));
        assert_eq!(send(&*client, None, b"x"), Err(Errno::EPIPE));
    }
}

#[test]
fn calls_in_the_wrong_state() {
    let names = names();
    for style in CONNECTED {
        let idle = UnixSocket::new(names.clone(), style);
        let none = if style == Style::Stream { Errno::EINVAL } else { Errno::ENOTCONN };
        assert_eq!((recv(&*idle).map(drop), send(&*idle, None, b"x")), (Err(none), Err(Errno::ENOTCONN)));
        assert_eq!((idle.listen(1), idle.accept().map(drop)), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
        assert_eq!((idle.peer(), idle.ready()), (Err(Errno::ENOTCONN), Ready::HUP | Ready::WRITABLE));
        for refused in ["", "\0n"] {
            let error = if refused.is_empty() { Errno::EINVAL } else { Errno::ECONNREFUSED };
            assert_eq!(idle.connect(&at(refused)), Err(error));
        }
        assert_eq!(idle.connect(&SockAddr::Unspecified), Err(Errno::EINVAL));
        let listener = listening(&names, style, "\0n", 1);
        assert_eq!(listener.connect(&at("\0n")), Err(Errno::EINVAL));
        assert_eq!(listener.accept().map(drop), Err(Errno::EAGAIN));
        assert_eq!(listener.option(1, 30), Ok(1i32.to_ne_bytes().to_vec()));
        let client = connecting(&names, style, "\0n").unwrap();
        client.bind(&at("\0c")).unwrap();
        assert_eq!((client.listen(1), client.accept().map(drop)), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
        let addressed = if style == Style::Stream { Err(Errno::EISCONN) } else { Ok(1) };
        assert_eq!(send(&*client, Some("\0c"), b"x"), addressed);
        listener.accept().unwrap();
        listener.shutdown(Shutdown::Read).unwrap();
        assert_eq!(listener.accept().map(drop), Err(Errno::EINVAL));
        assert_eq!(connecting(&names, style, "\0n").map(drop), Err(Errno::ECONNREFUSED));
        listener.close();
    }
}

#[test]
fn types_must_agree_where_a_path_leads() {
    let (_, names) = tree();
    let _datagram = bound(&names, Style::Datagram, "/d/s");
    let _other = bound(&names, Style::Datagram, "\0s");
    for style in CONNECTED {
        assert_eq!(connecting(&names, style, "/d/s").map(drop), Err(Errno::EPROTOTYPE));
        assert_eq!(connecting(&names, style, "\0s").map(drop), Err(Errno::ECONNREFUSED));
    }
}

#[test]
fn datagrams_find_their_way_and_tell_where_they_come_from() {
    let (_, names) = tree();
    let a = bound(&names, Style::Datagram, "/d/a");
    let b = bound(&names, Style::Datagram, "\0b");
    let nameless = UnixSocket::new(names.clone(), Style::Datagram);
    assert_eq!((send(&*a, Some("\0b"), b"1"), send(&*nameless, Some("\0b"), b"")), (Ok(1), Ok(0)));
    assert_eq!(recv(&*b), Ok((b"1".to_vec(), Some(at("/d/a")))));
    assert_eq!(recv(&*b), Ok((Vec::new(), None)));
    assert_eq!(send(&*b, Some("/d/a"), b"2"), Ok(1));
    assert_eq!(recv(&*a), Ok((b"2".to_vec(), Some(at("\0b")))));
    assert_eq!(send(&*a, Some("/d/none"), b"x"), Err(Errno::ENOENT));
    assert_eq!(send(&*a, Some(""), b"x"), Err(Errno::EINVAL));
    assert_eq!(send(&*a, None, b"x"), Err(Errno::ENOTCONN));
    assert_eq!((a.listen(1), a.accept().map(drop)), (Err(Errno::EOPNOTSUPP), Err(Errno::EOPNOTSUPP)));
    b.close();
    assert_eq!(send(&*a, Some("\0b"), b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(send(&*a, Some("/d/a"), b"self"), Ok(4));
    assert_eq!(recv(&*a), Ok((b"self".to_vec(), Some(at("/d/a")))));
}

#[test]
fn a_datagram_socket_that_is_connected_hears_its_peer_only() {
    let names = names();
    let [a, b, c] = ["\0a", "\0b", "\0c"].map(|name| bound(&names, Style::Datagram, name));
    a.connect(&at("\0b")).unwrap();
    assert_eq!((a.peer(), b.peer()), (Ok(at("\0b")), Err(Errno::ENOTCONN)));
    assert_eq!((send(&*c, Some("\0a"), b"x"), c.connect(&at("\0a"))), (Err(Errno::EPERM), Err(Errno::EPERM)));
    assert_eq!((send(&*b, Some("\0a"), b"1"), send(&*a, None, b"2")), (Ok(1), Ok(1)));
    assert_eq!(send(&*a, Some("\0c"), b"3"), Ok(1), "an address in the message goes first");
    // What was not read is lost with the association.
    a.connect(&SockAddr::Unspecified).unwrap();
    assert_eq!((a.peer(), recv(&*a).map(drop)), (Err(Errno::ENOTCONN), Err(Errno::EAGAIN)));
    assert_eq!(send(&*c, Some("\0a"), b"x"), Ok(1));
    assert!(!b.ready().contains(Ready::ERR), "b was not connected to it");
}

#[test]
fn leaving_a_peer_that_is_connected_too_is_told_if_something_was_lost() {
    let names = names();
    let [a, b, _c] = ["\0a", "\0b", "\0c"].map(|name| bound(&names, Style::Datagram, name));
    a.connect(&at("\0b")).unwrap();
    b.connect(&at("\0a")).unwrap();
    send(&*b, None, b"lost").unwrap();
    assert_eq!(a.connect(&at("\0a")), Err(Errno::EPERM), "not to itself while it hears another");
    a.connect(&at("\0c")).unwrap();
    assert!(b.ready().contains(Ready::ERR));
    assert_eq!((recv(&*b).map(drop), send(&*b, None, b"x")), (Err(Errno::ECONNRESET), Err(Errno::EPERM)));
}

#[test]
fn a_peer_that_closed_is_lost_once() {
    let names = names();
    let a = UnixSocket::new(names.clone(), Style::Datagram);
    let b = bound(&names, Style::Datagram, "\0b");
    a.connect(&at("\0b")).unwrap();
    b.close();
    assert_eq!((send(&*a, None, b"x"), send(&*a, None, b"x")), (Err(Errno::ECONNREFUSED), Err(Errno::ENOTCONN)));
    assert_eq!(a.peer(), Err(Errno::ENOTCONN));
}

#[test]
fn strangers_find_a_short_queue_and_peers_a_long_one() {
    let names = names();
    let [a, b] = ["\0a", "\0b"].map(|name| bound(&names, Style::Datagram, name));
    a.connect(&at("\0b")).unwrap();
    let sent = (0..100).take_while(|_| send(&*a, None, b"x").is_ok()).count();
    assert_eq!((sent, send(&*a, None, b"x")), (11, Err(Errno::EAGAIN)));
    assert!(!a.ready().contains(Ready::OUT));
    recv(&*b).unwrap();
    assert!(a.ready().contains(Ready::OUT));
    b.connect(&at("\0a")).unwrap();
    assert_eq!((0..100).take_while(|_| send(&*a, None, b"x").is_ok()).count(), 100);
}

#[test]
fn a_listener_in_flight_still_listens() {
    let names = names();
    let listener = OpenFile::new(listening(&names, Style::Stream, "\0n", 1), 2);
    let (a, b) = super::unix_tests::pair(Style::Stream);
    a.send(&mut &b"x"[..], None, &mut Vec::from([listener.clone()]), &[], MsgFlags::empty()).unwrap();
    drop(listener);
    let client = connecting(&names, Style::Stream, "\0n").unwrap();
    let received = b.recv(&mut Vec::with_capacity(1), MsgFlags::empty()).unwrap();
    assert!(received.rights[0].file.as_socket().unwrap().accept().is_ok());
    drop(received);
    assert_eq!(connecting(&names, Style::Stream, "\0n").map(drop), Err(Errno::ECONNREFUSED));
    assert!(!client.ready().is_empty());
}

#[test]
fn options_without_a_meaning_are_kept() {
    let socket = UnixSocket::new(names(), Style::Stream);
    let bytes = |numbers: &[i32]| numbers.iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<u8>>();
    for (name, set, got) in [(2, &[7][..], &[1][..]), (12, &[7], &[7]), (13, &[7, 9], &[1, 9])] {
        assert_eq!(socket.option(1, name).unwrap(), bytes(&[0, 0][..got.len()]));
        assert_eq!(socket.set_option(1, name, &bytes(set)), Ok(()));
        assert_eq!(socket.option(1, name).unwrap(), bytes(got));
        assert_eq!(socket.set_option(1, name, &[1, 0, 0]), Err(Errno::EINVAL));
    }
    assert_eq!(socket.set_option(1, 13, &bytes(&[1])), Err(Errno::EINVAL));
    assert_eq!(
        (socket.set_option(1, 999, &bytes(&[1])), socket.option(1, 999)),
        (Err(Errno::ENOPROTOOPT), Err(Errno::ENOPROTOOPT))
    );
    assert_eq!(
        (socket.set_option(0, 1, &bytes(&[1])), socket.option(0, 1)),
        (Err(Errno::EOPNOTSUPP), Err(Errno::EOPNOTSUPP))
    );
}
