//! AF_UNIX sockets: who sleeps at one end is told what happens at the other (INV-WAIT-1), or elsewhere (INV-UNIX-1).
#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use trapless_abi::{Errno, SysResult};
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::file::{File, O_RDWR, OpenFile};
use trapless_logic::socket::unix::{Names, Style, UnixSocket};
use trapless_logic::socket::{MsgFlags, SockAddr, Socket};
use trapless_logic::vfs::{Tmpfs, Vfs};
use trapless_logic::wait::{Ready, block_on};

type Open = Arc<OpenFile<Fake>>;

fn names() -> Arc<Names<Fake>> {
    Names::new(Arc::new(Vfs::new(Tmpfs::new(1, 1 << 20).root())))
}

fn pair() -> (Open, Open) {
    let (a, b) = UnixSocket::pair(&names(), Style::Stream);
    (OpenFile::new(a, O_RDWR), OpenFile::new(b, O_RDWR))
}

fn read(file: &Open, most: usize) -> SysResult<usize> {
    file.read_blocking(&mut Vec::with_capacity(most), None)
}

#[test]
fn a_sleeping_reader_gets_what_is_sent() {
    explore(None, || {
        let (a, b) = pair();
        let reader = thread::spawn(move || (read(&b, 8), b));
        assert_eq!(a.write_blocking(&mut &b"x"[..], None), Ok(1));
        assert_eq!(reader.join().unwrap().0, Ok(1));
    });
}

#[test]
fn a_sleeping_reader_sees_the_end() {
    explore(None, || {
        let (a, b) = pair();
        let reader = thread::spawn(move || read(&b, 8));
        drop(a);
        assert_eq!(reader.join().unwrap(), Ok(0));
    });
}

/// Fills the other end.
fn fill(file: &Open) {
    while file.write(&mut &[0; 1 << 16][..]).is_ok() {}
}

#[test]
fn a_sleeping_writer_gets_room() {
    explore(None, || {
        let (a, b) = pair();
        fill(&a);
        let writer = thread::spawn(move || (a.write_blocking(&mut &b"x"[..], None), a));
        assert_eq!(read(&b, 1), Ok(1));
        assert_eq!(writer.join().unwrap().0, Ok(1));
    });
}

#[test]
fn a_sleeping_writer_learns_that_nobody_reads() {
    explore(None, || {
        let (a, b) = pair();
        fill(&a);
        let writer = thread::spawn(move || a.write_blocking(&mut &b"x"[..], None));
        drop(b);
        assert_eq!(writer.join().unwrap(), Err(Errno::EPIPE));
    });
}

type Bare = Arc<UnixSocket<Fake>>;

fn named(names: &Arc<Names<Fake>>, style: Style) -> (Bare, SockAddr) {
    let (socket, name) = (UnixSocket::new(names.clone(), style), SockAddr::Unix(b"\0n"[..].into()));
    socket.bind(&name).unwrap();
    (socket, name)
}

/// A socket that listens, with room for one connection.
fn listener(names: &Arc<Names<Fake>>) -> (Bare, SockAddr) {
    let (socket, name) = named(names, Style::Stream);
    socket.listen(0).unwrap();
    (socket, name)
}

fn accept(listener: &UnixSocket<Fake>) -> SysResult<Arc<dyn Socket<Fake>>> {
    block_on(listener.queue().unwrap(), Ready::READABLE, None, || Ok(listener.accept()?.0))
}

fn connect(socket: &UnixSocket<Fake>, to: &SockAddr) -> SysResult<()> {
    block_on(socket.queue().unwrap(), Ready::WRITABLE, None, || socket.connect(to))
}

fn send_to(socket: &UnixSocket<Fake>, to: &SockAddr) -> SysResult<usize> {
    socket.send(&mut &b"x"[..], Some(to), &mut Vec::new(), &[], MsgFlags::empty())
}

#[test]
fn a_sleeping_accept_gets_the_connection() {
    explore(None, || {
        let names = names();
        let (listener, name) = listener(&names);
        let client = UnixSocket::new(names, Style::Stream);
        let server = thread::spawn(move || accept(&listener).map(|_| ()));
        assert_eq!(connect(&client, &name), Ok(()));
        assert_eq!(server.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_sleeping_connect_gets_room() {
    explore(None, || {
        let names = names();
        let (listener, name) = listener(&names);
        let [first, second] = [(); 2].map(|()| UnixSocket::new(names.clone(), Style::Stream));
        assert_eq!(connect(&first, &name), Ok(()));
        let client = thread::spawn(move || connect(&second, &name));
        assert!(accept(&listener).is_ok());
        assert_eq!(client.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_sleeping_connect_learns_that_nobody_listens() {
    explore(None, || {
        let names = names();
        let (listener, name) = listener(&names);
        let listener = OpenFile::new(listener, O_RDWR);
        let [first, second] = [(); 2].map(|()| UnixSocket::new(names.clone(), Style::Stream));
        assert_eq!(connect(&first, &name), Ok(()));
        let client = thread::spawn(move || connect(&second, &name));
        drop(listener);
        assert_eq!(client.join().unwrap(), Err(Errno::ECONNREFUSED));
    });
}

/// Another one takes the room when there is some, so the first note of the one that sleeps is used up.
#[test]
fn a_sleeping_connect_gets_room_in_the_end() {
    explore(None, || {
        let names = names();
        let (listener, name) = listener(&names);
        let [first, second, third] = [(); 3].map(|()| UnixSocket::new(names.clone(), Style::Stream));
        assert_eq!(connect(&first, &name), Ok(()));
        let (again, to) = (second.clone(), name.clone());
        let client = thread::spawn(move || connect(&again, &to));
        assert!(accept(&listener).is_ok());
        let _ = third.connect(&name);
        assert!(accept(&listener).is_ok());
        assert_eq!(client.join().unwrap(), Ok(()));
    });
}

/// Neither gets anywhere, as both listen; but each locks the other.
#[test]
fn connecting_crosswise_ends() {
    explore(None, || {
        let names = names();
        let [a, b] = [b"\0a", b"\0b"].map(|name| {
            let socket = UnixSocket::new(names.clone(), Style::Stream);
            socket.bind(&SockAddr::Unix(name[..].into())).unwrap();
            socket.listen(0).unwrap();
            socket
        });
        let (to, back) = (b.local().unwrap(), a.local().unwrap());
        let other = thread::spawn(move || b.connect(&back));
        a.connect(&to).unwrap_err();
        other.join().unwrap().unwrap_err();
    });
}

/// A sender without a peer is not told of every datagram that is read.
#[test]
fn a_sleeping_sender_of_datagrams_gets_room() {
    explore(None, || {
        let names = names();
        let (receiver, name) = named(&names, Style::Datagram);
        let sender = UnixSocket::new(names, Style::Datagram);
        while send_to(&sender, &name).is_ok() {}
        let thread = thread::spawn(move || {
            let queue = sender.queue().unwrap();
            block_on(queue, Ready::WRITABLE, None, || send_to(&sender, &name))
        });
        assert!(receiver.recv(&mut Vec::with_capacity(1), MsgFlags::empty()).is_ok());
        assert_eq!(thread.join().unwrap(), Ok(1));
    });
}

#[test]
fn noting_a_full_backlog_late_is_found() {
    must_fail("a_sleeping_connect_gets_room_in_the_end", "unix_connect_notes_late", "deadlock");
}

#[test]
fn locks_without_an_order_are_found() {
    must_fail("connecting_crosswise_ends", "unix_locks_own_first", "deadlock");
}

#[test]
fn a_sleep_without_a_second_look_is_found() {
    for model in [
        "a_sleeping_reader_gets_what_is_sent",
        "a_sleeping_reader_sees_the_end",
        "a_sleeping_writer_gets_room",
        "a_sleeping_writer_learns_that_nobody_reads",
        "a_sleeping_accept_gets_the_connection",
        "a_sleeping_connect_gets_room",
        "a_sleeping_connect_learns_that_nobody_listens",
        "a_sleeping_sender_of_datagrams_gets_room",
    ] {
        must_fail(model, "wait_trusts_first_attempt", "deadlock");
    }
}
