//! The end of the program: its connections end with it, and their peers hear of that.
//!
//! Linux closes what a program has open when it ends (exit_group(2)), and sends what is left to send. A machine that ends with its
//! program has to wait until that is done: nobody would send it any more.

use super::conn::Owner;
use super::shards::NetStack;
use super::stack::Inner;
use super::table::Entry;
use crate::platform::Platform;
use smoltcp::socket::tcp::State;

impl<P: Platform> NetStack<P> {
    /// Ends all connections of the program as close(2) does.
    pub fn end_connections(&self) {
        (0..self.shards()).for_each(|shard| self.on(shard).with(Inner::end_connections));
    }

    /// How much peers have not acknowledged yet, in bytes and ends of connections.
    pub fn last_words(&self) -> usize {
        (0..self.shards()).map(|shard| self.on(shard).look(|inner| inner.last_words())).sum()
    }
}

impl<P: Platform> Inner<P> {
    fn end_connections(&mut self) {
        // Memory may be what has run out.
        for id in 0..self.table.bound() {
            let Some((socket, conn)) = self.both(id).filter(|(_, conn)| !conn.sending.local) else { continue };
            let unread = socket.recv_queue() + conn.leftover.len() > 0 && socket.state() != State::TimeWait;
            match conn.owner {
                Owner::Nobody(_) => {}
                Owner::Program if !unread => self.finish(id),
                // Nobody will ever read that, or accept it: the peer must know (RFC 2525, 2.17).
                Owner::Program => self.abort(id),
                Owner::Listener(..) => {
                    self.abort(id);
                    self.bury(id);
                }
            }
        }
    }

    fn last_words(&self) -> usize {
        self.table.iter().filter(|entry| !entry.conn.sending.local).map(last_words_of).sum()
    }
}

fn last_words_of(entry: &Entry) -> usize {
    let socket = entry.socket();
    let end = match socket.state() {
        State::FinWait1 | State::Closing | State::LastAck => true,
        // A reset that is not out.
        State::Closed => socket.remote_endpoint().is_some(),
        _ => false,
    };
    usize::from(end) + socket.send_queue()
}
