//! Names of AF_UNIX sockets (unix(7)): paths, which lead to sockets by way of inodes, and abstract names.

use super::{Style, UnixSocket};
use crate::platform::Platform;
use crate::socket::SockAddr;
use crate::sync::{AtomicU32, Lock, Ordering};
use crate::vfs::{At, Follow, Vfs};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::sync::{Arc, Weak};
use trapless_abi::{Errno, SysResult};

/// How many names bind(2) can choose from: those of five hexadecimal digits.
const AUTOMATIC: u32 = 1 << 20;

/// The name of a socket, once it has one; it never changes then. Its peer keeps it when the socket itself is gone.
///
/// The lock is the innermost of all.
pub(super) struct Address<P: Platform>(Lock<P, Option<Arc<[u8]>>>);

impl<P: Platform> Address<P> {
    pub(super) fn new(name: Option<Arc<[u8]>>) -> Arc<Self> {
        Arc::new(Self(Lock::new(name)))
    }

    /// The bytes of the name, as in [`SockAddr::Unix`].
    pub(super) fn get(&self) -> Option<Arc<[u8]>> {
        self.0.lock().clone()
    }

    /// As getsockname(2) tells it: a socket without a name has an empty one.
    pub(super) fn told(&self) -> SockAddr {
        SockAddr::Unix(self.get().unwrap_or_default())
    }

    /// Gives a name to a socket that has none. EINVAL.
    fn set(&self, name: Arc<[u8]>) -> SysResult<()> {
        let mut own = self.0.lock();
        if own.is_some() {
            return Err(Errno::EINVAL);
        }
        *own = Some(name);
        Ok(())
    }
}

/// Sockets by abstract name. As on Linux, sockets of different types may have the same.
type Abstract<P> = BTreeMap<(Style, Arc<[u8]>), Weak<UnixSocket<P>>>;

/// Where names are looked up.
pub struct Names<P: Platform> {
    vfs: Arc<Vfs<P>>,
    abstracts: Lock<P, Abstract<P>>,
    next: AtomicU32,
}

impl<P: Platform> Names<P> {
    /// Paths are those of `vfs`; there are no abstract names yet.
    pub fn new(vfs: Arc<Vfs<P>>) -> Arc<Self> {
        Arc::new(Self { vfs, abstracts: Lock::new(BTreeMap::new()), next: AtomicU32::new(0) })
    }

    /// The socket of a name. ECONNREFUSED if nobody has it, EPROTOTYPE if it is of another type, EINVAL for what is no name, and the
    /// errors of a walk.
    pub(super) fn find(&self, address: &SockAddr, style: Style) -> SysResult<Arc<UnixSocket<P>>> {
        let SockAddr::Unix(name) = address else { return Err(Errno::EINVAL) };
        let socket = match name.first() {
            None => return Err(Errno::EINVAL),
            Some(0) => self.abstracts.lock().get(&(style, name.clone())).and_then(Weak::upgrade),
            Some(_) => self.vfs.find(&At::Cwd, name, Follow::Yes)?.socket(),
        };
        let socket = socket.filter(|socket| !socket.is_closed()).ok_or(Errno::ECONNREFUSED)?;
        if socket.style == style { Ok(socket) } else { Err(Errno::EPROTOTYPE) }
    }

    /// bind(2). EADDRINUSE, EINVAL for a socket that has a name and for what is no name, and the errors of a walk.
    pub(super) fn bind(&self, socket: &UnixSocket<P>, address: &SockAddr) -> SysResult<()> {
        let SockAddr::Unix(name) = address else { return Err(Errno::EINVAL) };
        match name.first() {
            None => self.choose(socket),
            Some(0) => self.bind_abstract(socket, name.clone()),
            Some(_) => self.bind_path(socket, name.clone()),
        }
    }

    fn bind_path(&self, socket: &UnixSocket<P>, path: Arc<[u8]>) -> SysResult<()> {
        let made = self.vfs.bind(&path, socket.this.clone());
        made.map_err(|e| if e == Errno::EEXIST { Errno::EADDRINUSE } else { e })?;
        // As on Linux only now: a path that exists is told first.
        socket.address.set(path.clone()).inspect_err(|_| {
            // If it is gone already, so much the better.
            let _ = self.vfs.unlink(&At::Cwd, &path);
        })
    }

    fn bind_abstract(&self, socket: &UnixSocket<P>, name: Arc<[u8]>) -> SysResult<()> {
        let mut abstracts = self.abstracts.lock();
        if socket.address.get().is_some() {
            return Err(Errno::EINVAL);
        }
        match abstracts.entry((socket.style, name.clone())) {
            Entry::Occupied(_) => Err(Errno::EADDRINUSE),
            Entry::Vacant(place) => {
                socket.address.set(name)?;
                place.insert(socket.this.clone());
                Ok(())
            }
        }
    }

    /// bind(2) without a name: an abstract one that is free, unless the socket has one already. ENOSPC.
    fn choose(&self, socket: &UnixSocket<P>) -> SysResult<()> {
        if socket.address.get().is_some() {
            return Ok(());
        }
        for _ in 0..AUTOMATIC {
            let number = self.next.fetch_add(1, Ordering::Relaxed) % AUTOMATIC;
            let name = alloc::format!("\0{number:05x}");
            match self.bind_abstract(socket, name.as_bytes().into()) {
                Err(Errno::EADDRINUSE) => {}
                // Another thread was faster.
                Err(Errno::EINVAL) => return Ok(()),
                done => return done,
            }
        }
        Err(Errno::ENOSPC)
    }

    /// Forgets the name of a socket that is closed. A path stays, and leads nowhere.
    pub(super) fn release(&self, socket: &UnixSocket<P>) {
        let Some(name) = socket.address.get().filter(|name| name.first() == Some(&0)) else { return };
        let key = (socket.style, name);
        let mut abstracts = self.abstracts.lock();
        // An accepted connection bears the name of another socket.
        if abstracts.get(&key).is_some_and(|owner| owner.ptr_eq(&socket.this)) {
            abstracts.remove(&key);
        }
    }
}
