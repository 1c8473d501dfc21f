//! Readiness of network sockets as epoll(7) and sleeping threads see it.

use super::sim::Net;
use super::*;
use crate::epoll::{Control, Epoll, Interest};
use crate::fake::Fake;
use crate::file::OpenFile;
use crate::net::{Addressing, NetStack};
use crate::wait::Ready;

fn watch(epoll: &Epoll<Sim>, file: &Arc<OpenFile<Sim>>, events: Ready, edge: bool) {
    epoll.control(3, file, Control::Add(Interest { events, edge, oneshot: false, data: 0 })).unwrap();
}

fn events(epoll: &Epoll<Sim>) -> Vec<Ready> {
    epoll.collect(8).iter().map(|event| event.events).collect()
}

#[test]
fn a_connection_becomes_writable_and_its_listener_readable() {
    let net = Net::new();
    let (of_client, of_server) = (Epoll::new(), Epoll::new());
    let server = OpenFile::new(listener(&net.b, 80, 4), 2);
    watch(&of_server, &server, Ready::IN, false);
    let socket = connecting(&net.a, "10.0.0.2:80");
    let client = OpenFile::new(socket.clone(), 2);
    watch(&of_client, &client, Ready::IN | Ready::OUT, true);
    assert_eq!((events(&of_client), events(&of_server)), (vec![], vec![]));
    net.sleep(Duration::from_secs(1));
    assert_eq!((events(&of_client), events(&of_server)), (vec![Ready::OUT], vec![Ready::IN]));
    assert_eq!((events(&of_client), events(&of_server)), (vec![], vec![Ready::IN]));
    server.file.as_socket().unwrap().accept().unwrap();
    assert_eq!(events(&of_server), []);
}

#[test]
fn edges_come_with_each_arrival_and_levels_stay() {
    let net = Net::new();
    let (client, server) = pair(&net);
    let client = OpenFile::new(client, 2);
    let (edge, level) = (Epoll::new(), Epoll::new());
    watch(&edge, &client, Ready::IN, true);
    watch(&level, &client, Ready::IN, false);
    assert_eq!((events(&edge), events(&level)), (vec![], vec![]));
    for _ in 0..2 {
        send(&*server, b"data").unwrap();
        net.sleep(Duration::from_secs(1));
        assert_eq!((events(&edge), events(&level)), (vec![Ready::IN], vec![Ready::IN]));
        assert_eq!((events(&edge), events(&level)), (vec![], vec![Ready::IN]));
    }
    client.read(&mut Vec::with_capacity(100)).unwrap();
    assert_eq!((events(&edge), events(&level)), (vec![], vec![]));
    server.close();
    net.sleep(Duration::from_secs(1));
    assert_eq!((events(&edge), events(&level)), (vec![Ready::IN], vec![Ready::IN]));
}

#[test]
fn a_writer_is_told_once_there_is_room() {
    let net = Net::new();
    let (client, server) = pair(&net);
    let file = OpenFile::new(client.clone(), 2);
    let edge = Epoll::new();
    watch(&edge, &file, Ready::OUT, true);
    assert_eq!(events(&edge), [Ready::OUT]);
    while net.run(Duration::from_secs(1), || send(&*client, &pattern(4096)).is_ok()) {}
    events(&edge);
    assert_eq!(events(&edge), []);
    let mut seen = Vec::new();
    net.run(Duration::from_secs(60), || {
        let _ = recv(&*server, 100_000);
        seen.extend(events(&edge));
        !seen.is_empty()
    });
    assert_eq!(seen, [Ready::OUT]);
}

#[test]
fn sleeping_threads_are_woken() {
    blocking_calls(1);
}

#[test]
fn sleeping_threads_are_woken_whatever_shard_their_connection_is_on() {
    blocking_calls(4);
}

/// Real threads that sleep in blocking calls, real time, one host without a card that has so many CPUs.
fn blocking_calls(cpus: usize) {
    let stack: Arc<NetStack<Fake>> = NetStack::new(None, Addressing::None, Addressing6::None, cpus);
    let server = TcpSocket::new(stack.clone(), Family::Inet);
    server.bind(&addr("127.0.0.1:80")).unwrap();
    server.listen(8).unwrap();
    let total = 300_000;
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let stack = stack.clone();
            std::thread::spawn(move || {
                let socket = TcpSocket::new(stack, Family::Inet);
                socket.connect(&addr("127.0.0.1:80")).unwrap();
                let file = OpenFile::new(socket, 2);
                assert_eq!(file.write_blocking(&mut &pattern(total)[..], None), Ok(total));
            })
        })
        .collect();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let accept = || server.accept();
            let queue = server.queue().unwrap();
            let (socket, _) = crate::wait::block_on(queue, Ready::READABLE, None, accept).unwrap();
            std::thread::spawn(move || {
                let file = OpenFile::<Fake>::new(socket, 2);
                let mut got = Vec::new();
                loop {
                    let mut buf = Vec::with_capacity(9000);
                    if file.read_blocking(&mut buf, None).unwrap() == 0 {
                        return got == pattern(total);
                    }
                    got.extend(buf);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    assert!(readers.into_iter().all(|reader| reader.join().unwrap()));
}
