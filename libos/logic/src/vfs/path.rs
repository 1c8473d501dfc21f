//! From a node back to a path, and the working directory.

use super::node::{Kind, Node, same};
use super::{At, Follow, Vfs};
use crate::file::OpenFile;
use crate::platform::Platform;
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

impl<P: Platform> Vfs<P> {
    /// chdir(2). ENOTDIR.
    pub fn chdir(&self, path: &[u8]) -> SysResult<()> {
        self.enter(self.find(&At::Cwd, path, Follow::Yes)?)
    }

    /// fchdir(2). ENOTDIR.
    pub fn fchdir(&self, file: &OpenFile<P>) -> SysResult<()> {
        self.enter(self.start(&At::Directory(file))?)
    }

    fn enter(&self, node: Arc<dyn Node<P>>) -> SysResult<()> {
        if node.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        // The old one is dropped after the lock is released.
        let _old = core::mem::replace(&mut *self.cwd.lock(), node);
        Ok(())
    }

    /// getcwd(2), without the NUL. ENOENT if the directory was removed.
    pub fn getcwd(&self) -> SysResult<Vec<u8>> {
        let cwd = self.cwd.lock().clone();
        self.directory_path(cwd)
    }

    /// The path of a directory. ENOENT if it has none any more.
    fn directory_path(&self, node: Arc<dyn Node<P>>) -> SysResult<Vec<u8>> {
        // Built backwards: the names are found from the bottom to the top.
        let mut reversed: Vec<u8> = Vec::new();
        let mut at = node;
        while !same(&at, &self.root) {
            let parent = at.parent().ok_or(Errno::ENOENT)?;
            let name = parent.name_of(&at).ok_or(Errno::ENOENT)?;
            reversed.try_reserve(name.len() + 1).map_err(|_| Errno::ENOMEM)?;
            reversed.extend(name.iter().rev());
            reversed.push(b'/');
            at = parent;
        }
        if reversed.is_empty() {
            reversed.push(b'/');
        }
        reversed.reverse();
        Ok(reversed)
    }

    /// A path that leads to a node, for `/proc/self/fd`. A file does not know its names, so the tree is searched: slow, but nothing
    /// has to be kept for it. ENOENT if it has no name any more.
    pub fn path_of(&self, node: &Arc<dyn Node<P>>) -> SysResult<Vec<u8>> {
        if node.kind() == Kind::Directory {
            return self.directory_path(node.clone());
        }
        let mut todo = Vec::from([self.root.clone()]);
        while let Some(directory) = todo.pop() {
            if let Some(name) = directory.name_of(node) {
                let mut path = self.directory_path(directory)?;
                if path.len() > 1 {
                    path.push(b'/');
                }
                path.extend_from_slice(&name);
                return Ok(path);
            }
            directory.list(2, &mut |_, _, kind, name| {
                if kind == Kind::Directory.d_type()
                    && let Ok(below) = directory.lookup(name)
                {
                    todo.push(below);
                }
                true
            })?;
        }
        Err(Errno::ENOENT)
    }
}
