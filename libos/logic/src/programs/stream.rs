//! Where a program's bytes come from and go to.

use crate::file::OpenFile;
use crate::platform::Platform;
use crate::time::Instant;
use crate::wait::{Ready, block_on};
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use trapless_abi::{Errno, SysResult};

/// Bytes that one read asks for.
const CHUNK: usize = 4096;
/// Most bytes between two programs of a pipeline: they run one after the other.
const BUFFER_MAX: usize = 1 << 20;

/// One of a program's three streams.
pub enum Stream<P: Platform> {
    /// Nothing comes, and what is written is gone (null(4)).
    Null,
    /// An open file: a port's pipe, or what a redirection has opened.
    File(Arc<OpenFile<P>>),
    /// What one program leaves for the next, or for the shell.
    Buffer(Rc<RefCell<Vec<u8>>>),
}

impl<P: Platform> Clone for Stream<P> {
    fn clone(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            Self::File(file) => Self::File(file.clone()),
            Self::Buffer(buffer) => Self::Buffer(buffer.clone()),
        }
    }
}

impl<P: Platform> Stream<P> {
    /// An empty buffer.
    pub fn buffer() -> Self {
        Self::Buffer(Rc::default())
    }

    /// The next bytes, waiting for them; none at the end.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn read(&self) -> SysResult<Vec<u8>> {
        self.read_until(None)
    }

    /// The same, waiting no longer than until `deadline` if there is one.
    ///
    /// # Errors
    /// EAGAIN when the time is over; those of read(2).
    pub fn read_until(&self, deadline: Option<Instant>) -> SysResult<Vec<u8>> {
        match self {
            Self::Null => Ok(Vec::new()),
            Self::File(file) => {
                let mut bytes = Vec::new();
                bytes.try_reserve_exact(CHUNK).map_err(|_| Errno::ENOMEM)?;
                match file.file.queue() {
                    Some(queue) => block_on(queue, Ready::READABLE, deadline, || file.read(&mut bytes))?,
                    None => file.read(&mut bytes)?,
                };
                Ok(bytes)
            }
            Self::Buffer(buffer) => Ok(buffer.take()),
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// Those of write(2); ENOSPC for more than a pipeline holds.
    pub fn write(&self, bytes: &[u8]) -> SysResult<()> {
        match self {
            Self::Null => Ok(()),
            Self::File(file) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    // Blocking whatever its flags say: the console is Erlang's, too, who may have set them.
                    let taken = match file.file.queue() {
                        Some(queue) => block_on(queue, Ready::WRITABLE, None, || file.write(&mut rest))?,
                        None => file.write(&mut rest)?,
                    };
                    if taken == 0 {
                        return Err(Errno::EIO);
                    }
                }
                Ok(())
            }
            Self::Buffer(buffer) => {
                let mut buffer = buffer.borrow_mut();
                if buffer.len() + bytes.len() > BUFFER_MAX {
                    return Err(Errno::ENOSPC);
                }
                buffer.try_reserve(bytes.len()).map_err(|_| Errno::ENOMEM)?;
                buffer.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}
