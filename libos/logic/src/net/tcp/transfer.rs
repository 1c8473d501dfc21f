//! Data through a TCP socket, and the end of it: send(2), recv(2), shutdown(2), close(2).

use super::status::peer_finished;
use super::{Core, Phase, TcpSocket};
use crate::data::{Sink, Source};
use crate::net::conn::Conn;
use crate::platform::{Platform, Supply};
use crate::socket::Shutdown;
use crate::wait::Ready;
use alloc::vec::Vec;
use smoltcp::socket::tcp::{Socket as Engine, State};
use trapless_abi::{Errno, SysResult};

impl<P: Platform> TcpSocket<P> {
    /// EAGAIN, EPIPE, ENOBUFS, and once what ended the connection.
    pub(super) fn do_send(&self, from: &mut dyn Source) -> SysResult<usize> {
        let mut core = self.core.lock();
        self.stack.enter(|inner| {
            self.settle_in(&mut core, inner);
            let result = (|| {
                if let Some(error) = core.error.take() {
                    return Err(error);
                }
                let Phase::Open(open) = &core.phase else { return Err(Errno::EPIPE) };
                if open.connecting {
                    return Err(Errno::EAGAIN);
                }
                let id = open.id;
                let Some((socket, _)) = inner.both(id) else { return Err(Errno::EPIPE) };
                if core.shut_write || !socket.may_send() {
                    return Err(Errno::EPIPE);
                }
                if P::memory() == Supply::Short {
                    return Err(Errno::ENOBUFS);
                }
                let wanted = from.remaining();
                let sent = fill(socket, from)?;
                if sent < wanted {
                    socket.register_send_waker(&self.waker);
                }
                if sent > 0 {
                    inner.table.touch(id);
                }
                if sent == 0 && wanted > 0 { Err(Errno::EAGAIN) } else { Ok(sent) }
            })();
            let run = result.is_ok_and(|sent| sent > 0);
            (result, run)
        })
    }

    /// EAGAIN, ENOTCONN, and once what ended the connection; 0 at its end.
    pub(super) fn do_recv(&self, to: &mut dyn Sink, peek: bool) -> SysResult<usize> {
        let mut core = self.core.lock();
        self.stack.enter(|inner| {
            self.settle_in(&mut core, inner);
            let core = &mut *core;
            let open = match &core.phase {
                Phase::Open(open) if open.connecting => return (Err(Errno::EAGAIN), false),
                Phase::Open(open) => open,
                Phase::Failed => return (core.error.take().map_or(Ok(0), Err), false),
                Phase::Idle | Phase::Listening(_) => return (Err(Errno::ENOTCONN), false),
            };
            let id = open.id;
            let Some((socket, conn)) = inner.both(id) else { return (Ok(0), false) };
            if to.remaining() == 0 {
                return (Ok(0), false);
            }
            let taken = if peek { look_at(socket, conn, to) } else { drain(socket, conn, to) };
            let result = match taken {
                Ok(0) => match core.error.take() {
                    Some(error) => Err(error),
                    None if core.shut_read || open.over || peer_finished(socket, conn) => Ok(0),
                    None => Err(Errno::EAGAIN),
                },
                taken => taken,
            };
            let news = conn.buffers.is_news(socket);
            if news {
                conn.answered();
                inner.table.touch(id);
            }
            if result == Err(Errno::EAGAIN) {
                inner.acknowledge_soon(id);
            }
            (result, news)
        })
    }

    /// ENOTCONN.
    pub(super) fn do_shutdown(&self, how: Shutdown) -> SysResult<()> {
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        let mut core = self.core.lock();
        self.settle(&mut core);
        match &core.phase {
            // As in Linux, which stops listening and gives up connecting.
            Phase::Listening(_) if read => self.leave(&mut core, false),
            Phase::Listening(_) => {}
            Phase::Open(open) if open.connecting => self.leave(&mut core, true),
            Phase::Open(open) if !open.over => {
                let id = open.id;
                core.shut_read |= read;
                if write && !core.shut_write {
                    core.shut_write = true;
                    self.stack.with(|inner| inner.finish(id));
                }
            }
            _ => return Err(Errno::ENOTCONN),
        }
        drop(core);
        self.events.queue.notify(Ready::all());
        Ok(())
    }

    pub(super) fn do_close(&self) {
        self.leave(&mut self.core.lock(), true);
        self.events.queue.notify(Ready::all());
    }

    /// Makes the socket idle: stops listening, or leaves the connection to the stack; gives the port back if asked to.
    pub(super) fn leave(&self, core: &mut Core, unbind: bool) {
        let reset = core.options.linger == Some(0);
        match core::mem::replace(&mut core.phase, Phase::Idle) {
            Phase::Idle | Phase::Failed => {}
            Phase::Listening(key) => self.stack.with(|inner| inner.unlisten(key)),
            Phase::Open(open) => self.stack.with(|inner| {
                let Some((socket, conn)) = inner.both(open.id) else { return };
                let unread = socket.recv_queue() + conn.leftover.len() > 0;
                if (reset || unread) && socket.state() != State::TimeWait {
                    inner.abort(open.id);
                } else {
                    inner.finish(open.id);
                }
                inner.bury(open.id);
            }),
        }
        if unbind && let Some(binding) = core.binding.take() {
            self.stack.look(|inner| inner.tcp_ports.give(binding));
        }
        (core.error, core.shut_read, core.shut_write) = (None, false, false);
    }
}

/// Copies from the source straight to the send buffer, in two pieces where the ring wraps. EFAULT.
fn fill(socket: &mut Engine, from: &mut dyn Source) -> SysResult<usize> {
    let mut total = 0;
    for _ in 0..2 {
        let pulled = socket.send(|room| match from.pull(room) {
            Ok(n) => (n, Ok(n)),
            Err(error) => (0, Err(error)),
        });
        match pulled {
            Ok(Ok(0)) | Err(_) => break,
            Ok(Ok(n)) => total += n,
            Ok(Err(error)) if total == 0 => return Err(error),
            Ok(Err(_)) => break,
        }
    }
    Ok(total)
}

/// Copies from the receive buffer straight to the sink. EFAULT.
fn drain(socket: &mut Engine, conn: &mut Conn, to: &mut dyn Sink) -> SysResult<usize> {
    if !conn.leftover.is_empty() {
        let n = to.push(&conn.leftover)?;
        conn.leftover.drain(..n);
        return Ok(n);
    }
    let mut total = 0;
    for _ in 0..2 {
        let pushed = socket.recv(|bytes| match to.push(bytes) {
            Ok(n) => (n, Ok(n)),
            Err(error) => (0, Err(error)),
        });
        match pushed {
            Ok(Ok(0)) | Err(_) => break,
            Ok(Ok(n)) => total += n,
            Ok(Err(error)) if total == 0 => return Err(error),
            Ok(Err(_)) => break,
        }
    }
    conn.buffers.took(total);
    Ok(total)
}

/// MSG_PEEK: copies and keeps. smoltcp shows both pieces of a wrapped ring only by copying. EFAULT, ENOBUFS.
fn look_at(socket: &mut Engine, conn: &Conn, to: &mut dyn Sink) -> SysResult<usize> {
    if !conn.leftover.is_empty() {
        return to.push(&conn.leftover);
    }
    let len = socket.recv_queue().min(to.remaining());
    let mut copy = Vec::new();
    copy.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
    copy.resize(len, 0);
    let len = socket.peek_slice(&mut copy).unwrap_or(0);
    if len == 0 { Ok(0) } else { to.push(&copy[..len]) }
}
