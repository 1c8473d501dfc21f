//! Files whose text is made when they are opened: /proc and /sys.

use super::node::{Kind, New, Node};
use super::tmpfs::{Inode, Name};
use super::{At, Follow, Vfs};
use crate::data::{Sink, Source};
use crate::file::{File, anonymous_inode};
use crate::platform::Platform;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;
use core::marker::PhantomData;
use trapless_abi::flags::{OpenFlags, PROC_SUPER_MAGIC};
use trapless_abi::structs::{Stat, Statfs, Timespec};
use trapless_abi::{Errno, SysResult};

/// Writes the text of a file.
type Make = dyn Fn(&mut Text) -> fmt::Result + Send + Sync;

/// Obeys a command written to a file.
type Obey = dyn Fn(&[u8]) -> SysResult<()> + Send + Sync;

/// Most bytes of a command.
const COMMAND_MAX: usize = 256;

/// A file whose text is made anew for each open, and stays as it was then while it is read. Some take commands, as files of sysfs do:
/// each write is one.
pub struct TextNode<P: Platform> {
    ino: u64,
    make: Box<Make>,
    obey: Option<Box<Obey>>,
    platform: PhantomData<fn() -> P>,
}

impl<P: Platform> TextNode<P> {
    /// A file with the text that `make` writes.
    pub fn new(make: impl Fn(&mut Text) -> fmt::Result + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { ino: anonymous_inode(), make: Box::new(make), obey: None, platform: PhantomData })
    }

    /// A file that also takes commands: `obey` gets what one write(2) brings, without blanks around it. EINVAL for what it does not know.
    pub fn control(
        make: impl Fn(&mut Text) -> fmt::Result + Send + Sync + 'static,
        obey: impl Fn(&[u8]) -> SysResult<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (make, obey) = (Box::new(make), Some(Box::new(obey) as Box<Obey>));
        Arc::new(Self { ino: anonymous_inode(), make, obey, platform: PhantomData })
    }
}

impl<P: Platform> Node<P> for TextNode<P> {
    fn kind(&self) -> Kind {
        Kind::Regular
    }

    fn ino(&self) -> u64 {
        self.ino
    }

    fn stat(&self) -> SysResult<Stat> {
        let now = Timespec::from_nanos(P::realtime_ns());
        Ok(Stat {
            st_ino: self.ino,
            st_nlink: 1,
            st_mode: Kind::Regular.mode() | if self.obey.is_some() { 0o644 } else { 0o444 },
            st_blksize: 1024,
            st_atim: now,
            st_mtim: now,
            st_ctim: now,
            ..Stat::default()
        })
    }

    /// Whoever writes a command may ask for an empty file to write it to.
    fn truncate(&self, _size: u64) -> SysResult<()> {
        if self.obey.is_some() { Ok(()) } else { Err(Errno::EACCES) }
    }

    fn statfs(&self) -> Statfs {
        Statfs { f_type: PROC_SUPER_MAGIC, f_bsize: 4096, f_frsize: 4096, f_namelen: 255, ..Statfs::default() }
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> SysResult<Arc<dyn File<P>>> {
        if flags.writable() && self.obey.is_none() {
            return Err(Errno::EACCES);
        }
        let mut text = Text(Vec::new());
        // The only thing that can fail is memory for the text.
        (self.make)(&mut text).map_err(|_| Errno::ENOMEM)?;
        Ok(Arc::new(TextFile { node: self, text: text.0 }))
    }
}

/// Text on its way into a file. Running out of memory is a formatting error, which open(2) tells as ENOMEM.
pub struct Text(Vec<u8>);

impl Text {
    /// Adds bytes that need not be text, such as the environment of a program.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        self.0.try_reserve(bytes.len()).map_err(|_| fmt::Error)?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.write_bytes(s.as_bytes())
    }
}

/// An open [`TextNode`].
struct TextFile<P: Platform> {
    node: Arc<TextNode<P>>,
    text: Vec<u8>,
}

impl<P: Platform> File<P> for TextFile<P> {
    fn seekable(&self) -> bool {
        true
    }

    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> SysResult<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        let left = &self.text[start..];
        to.push(&left[..left.len().min(to.remaining())])
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> SysResult<usize> {
        let obey = self.node.obey.as_ref().ok_or(Errno::EBADF)?;
        let mut command = [0; COMMAND_MAX];
        if from.remaining() > command.len() {
            return Err(Errno::EINVAL);
        }
        let taken = from.pull(&mut command)?;
        obey(command[..taken].trim_ascii())?;
        Ok(taken)
    }

    fn size(&self) -> u64 {
        self.text.len() as u64
    }

    fn stat(&self) -> SysResult<Stat> {
        self.node.stat()
    }

    fn node(self: Arc<Self>) -> Option<Arc<dyn Node<P>>> {
        Some(self.node.clone())
    }

    fn reopen(self: Arc<Self>) -> SysResult<Arc<dyn File<P>>> {
        self.node.clone().open(OpenFlags::empty())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl<P: Platform> Inode<P> {
    /// Adds a node under a path below this directory; directories that are missing are made. EEXIST, ENOTDIR, ENOSPC.
    pub fn add_below(self: &Arc<Self>, path: &str, new: New<'_, P>) -> SysResult<()> {
        let mut at = self.clone();
        let mut names = path.split('/').filter(|n| !n.is_empty()).peekable();
        while let Some(name) = names.next() {
            let name = Name::owned(name.as_bytes())?;
            if names.peek().is_none() {
                return at.add(name, new).map(drop);
            }
            at = at.directory(name, 0o555)?;
        }
        Err(Errno::EEXIST)
    }

    /// Adds a file whose text `make` writes when it is opened.
    pub fn add_text(
        self: &Arc<Self>,
        path: &str,
        make: impl Fn(&mut Text) -> fmt::Result + Send + Sync + 'static,
    ) -> SysResult<()> {
        self.add_below(path, New::Object(TextNode::new(make)))
    }
}

impl<P: Platform> Vfs<P> {
    /// Adds a file whose text `make` writes when it is opened, anywhere in the tree (`/proc/trapless/...`); directories that are
    /// missing are made. EEXIST, ENOTDIR, ENOSPC.
    pub fn add_synthetic(
        &self,
        path: &str,
        make: impl Fn(&mut Text) -> fmt::Result + Send + Sync + 'static,
    ) -> SysResult<()> {
        self.add_node(path, TextNode::new(make))
    }

    /// As [`Vfs::add_synthetic`], for a file that also takes commands (see [`TextNode::control`]).
    pub fn add_control(
        &self,
        path: &str,
        make: impl Fn(&mut Text) -> fmt::Result + Send + Sync + 'static,
        obey: impl Fn(&[u8]) -> SysResult<()> + Send + Sync + 'static,
    ) -> SysResult<()> {
        self.add_node(path, TextNode::control(make, obey))
    }

    /// Adds a node anywhere in the tree.
    fn add_node(&self, path: &str, node: Arc<TextNode<P>>) -> SysResult<()> {
        // From the deepest directory that exists.
        for (slash, _) in path.rmatch_indices('/') {
            let above = &path[..slash.max(1)];
            match self.find(&At::Cwd, above.as_bytes(), Follow::Yes) {
                Ok(found) => return Inode::of(found)?.add_below(&path[slash..], New::Object(node)),
                Err(Errno::ENOENT) => {}
                Err(e) => return Err(e),
            }
        }
        Err(Errno::ENOENT)
    }
}
