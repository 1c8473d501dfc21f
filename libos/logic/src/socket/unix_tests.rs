//! AF_UNIX pairs.

use super::unix::{Names, Style, UnixSocket};
use super::{MsgFlags, Shutdown, SockAddr, Socket};
use crate::eventfd::EventFd;
use crate::fake::Fake;
use crate::file::{File, OpenFile};
use crate::vfs::{Tmpfs, Vfs};
use crate::wait::Ready;
use std::sync::Arc;
use std::time::Duration;
use trapless_abi::Errno;

type End = Arc<UnixSocket<Fake>>;

/// An empty file system, and no other names.
pub(crate) fn names() -> Arc<Names<Fake>> {
    Names::new(Arc::new(Vfs::new(Tmpfs::new(1, 1 << 20).root())))
}

pub(crate) fn pair(style: Style) -> (End, End) {
    UnixSocket::pair(&names(), style)
}

fn send(end: &End, data: &[u8]) -> Result<usize, Errno> {
    end.write(&mut &data[..])
}

fn recv(end: &End, room: usize) -> Result<Vec<u8>, Errno> {
    let mut buf = Vec::with_capacity(room);
    end.read(&mut buf)?;
    Ok(buf)
}

#[test]
fn a_stream_joins_and_splits_messages() {
    let (a, b) = pair(Style::Stream);
    send(&a, b"hello ").unwrap();
    send(&a, b"world").unwrap();
    assert_eq!(recv(&b, 8).unwrap(), b"hello wo");
    assert_eq!(recv(&b, 8).unwrap(), b"rld");
    assert_eq!(recv(&b, 8), Err(Errno::EAGAIN));
}

#[test]
fn packets_keep_their_borders_and_lose_what_does_not_fit() {
    let (a, b) = pair(Style::Datagram);
    send(&a, b"hello").unwrap();
    send(&a, b"world").unwrap();
    let mut buf = Vec::with_capacity(3);
    let got = b.recv(&mut buf, MsgFlags::TRUNC).unwrap();
    assert_eq!((got.len, got.truncated, &buf[..]), (5, true, &b"hel"[..]));
    assert_eq!(recv(&b, 9).unwrap(), b"world");
}

#[test]
fn descriptors_arrive_with_the_bytes_they_were_sent_with() {
    let (a, b) = pair(Style::Stream);
    let file = OpenFile::<Fake>::new(EventFd::new(5, false), 2);
    send(&a, b"x").unwrap();
    a.send(&mut &b"y"[..], None, &mut vec![file.clone()], &[], MsgFlags::empty()).unwrap();
    send(&a, b"z").unwrap();
    let mut buf = Vec::with_capacity(9);
    let got = b.recv(&mut buf, MsgFlags::empty()).unwrap();
    assert_eq!(
        (&buf[..], got.rights.len()),
        (&b"xy"[..], 1),
        "as unix(7) has it, nothing is joined to what comes after"
    );
    assert!(Arc::ptr_eq(&got.rights[0], &file));
    assert_eq!(recv(&b, 9).unwrap(), b"z");
}

#[test]
fn closing_with_something_unread_resets_the_connection() {
    for (style, first, second) in [
        (Style::Stream, Ok(b"last".to_vec()), Err(Errno::ECONNRESET)),
        (Style::SeqPacket, Err(Errno::ECONNRESET), Ok(b"last".to_vec())),
    ] {
        let (a, b) = pair(style);
        send(&a, b"last").unwrap();
        send(&b, b"unread").unwrap();
        a.close();
        assert!(b.ready().contains(Ready::ERR | Ready::HUP));
        assert_eq!((recv(&b, 9), recv(&b, 9), recv(&b, 9)), (first, second, Ok(Vec::new())));
        assert!(!b.ready().contains(Ready::ERR));
    }
}

#[test]
fn a_datagram_socket_outlives_its_peer() {
    let (a, b) = pair(Style::Datagram);
    send(&a, b"last").unwrap();
    send(&b, b"unread").unwrap();
    a.close();
    assert_eq!((recv(&b, 9), recv(&b, 9)), (Ok(b"last".to_vec()), Err(Errno::EAGAIN)));
    assert_eq!(send(&b, b"x"), Err(Errno::ECONNREFUSED));
    assert!(!b.ready().intersects(Ready::HUP | Ready::IN));
}

#[test]
fn a_socket_without_a_peer_has_nobody_to_talk_to() {
    let lone = UnixSocket::new(names(), Style::Datagram);
    let name = SockAddr::Unix(b"\0x"[..].into());
    assert_eq!((send(&lone, b"x"), recv(&lone, 1)), (Err(Errno::ENOTCONN), Err(Errno::EAGAIN)));
    assert_eq!((lone.connect(&name), lone.peer()), (Err(Errno::ECONNREFUSED), Err(Errno::ENOTCONN)));
    let to = lone.send(&mut &b"x"[..], Some(&name), &mut Vec::new(), &[], MsgFlags::empty());
    assert_eq!(to, Err(Errno::ECONNREFUSED));
}

#[test]
fn time_limits_are_kept_and_checked() {
    let (a, _b) = pair(Style::Stream);
    let value: Vec<u8> = [1i64, 500_000].iter().flat_map(|w| w.to_ne_bytes()).collect();
    a.set_option(1, 20, &value).unwrap();
    assert_eq!((a.receive_timeout(), a.send_timeout()), (Some(Duration::from_millis(1500)), None));
    assert_eq!(a.option(1, 20).unwrap(), value);
    assert_eq!(a.set_option(1, 21, &value[..8]), Err(Errno::EINVAL));
}

#[test]
fn closing_is_end_of_file_for_one_side_and_a_broken_pipe_for_the_other() {
    let (a, b) = pair(Style::Stream);
    send(&a, b"last").unwrap();
    a.close();
    assert_eq!(recv(&b, 9).unwrap(), b"last");
    assert_eq!(recv(&b, 9).unwrap(), b"");
    assert_eq!(send(&b, b"x"), Err(Errno::EPIPE));
    assert!(b.ready().contains(Ready::HUP | Ready::RDHUP | Ready::IN));
}

#[test]
fn half_a_shutdown_leaves_the_other_half() {
    let (a, b) = pair(Style::Stream);
    a.shutdown(Shutdown::Write).unwrap();
    assert_eq!(send(&a, b"x"), Err(Errno::EPIPE));
    assert_eq!(recv(&b, 1).unwrap(), b"");
    send(&b, b"back").unwrap();
    assert_eq!(recv(&a, 9).unwrap(), b"back");
    assert!(!b.ready().contains(Ready::HUP));
}

#[test]
fn a_full_inbox_pushes_back() {
    let (a, b) = pair(Style::Stream);
    let chunk = vec![7; 100_000];
    let mut sent = 0;
    loop {
        match send(&a, &chunk) {
            Ok(n) => sent += n,
            Err(e) => break assert_eq!(e, Errno::EAGAIN),
        }
    }
    assert!(!a.ready().contains(Ready::OUT));
    let mut got = 0;
    while let Ok(bytes) = recv(&b, 65536) {
        got += bytes.len();
    }
    assert_eq!(got, sent);
    assert!(a.ready().contains(Ready::OUT));
}

#[test]
fn peeking_leaves_bytes_and_descriptors() {
    let (a, b) = pair(Style::Stream);
    let file = OpenFile::<Fake>::new(EventFd::new(5, false), 2);
    a.send(&mut &b"abc"[..], None, &mut vec![file], &[], MsgFlags::empty()).unwrap();
    let mut buf = Vec::with_capacity(9);
    assert_eq!(b.recv(&mut buf, MsgFlags::PEEK).unwrap().rights.len(), 1);
    assert_eq!(buf, b"abc");
    assert_eq!(b.recv(&mut Vec::with_capacity(9), MsgFlags::empty()).unwrap().rights.len(), 1);
}
