//! The names in a directory.
//!
//! Entries are kept in the order of a hash of their name: a look-up compares integers, and a position in a listing (the hash) stays
//! true while other names come and go.

use super::super::limits::NAME_MAX;
use super::super::node::Node;
use crate::platform::Platform;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// Names whose hashes collide are told apart by the low bits of their keys.
const COLLISION_BITS: u32 = 14;

/// A name: in place if it comes from the image.
pub enum Name {
    /// Part of the image.
    Static(&'static [u8]),
    /// Made by a program.
    Owned(Box<[u8]>),
}

impl Name {
    /// A copy of `name`. ENOSPC.
    pub fn owned(name: &[u8]) -> SysResult<Self> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(name.len()).map_err(|_| Errno::ENOSPC)?;
        copy.extend_from_slice(name);
        Ok(Self::Owned(copy.into_boxed_slice()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Static(s) => s,
            Self::Owned(o) => o,
        }
    }
}

struct Entry<P: Platform> {
    key: u64,
    name: Name,
    node: Arc<dyn Node<P>>,
}

/// One entry as a listing shows it, copied out so that no lock is held while it is passed on.
pub struct Listed {
    /// Inode number.
    pub ino: u64,
    /// `DT_*`.
    pub d_type: u8,
    /// Where to go on: the first key after this entry's.
    pub next: u64,
    name: [u8; NAME_MAX],
    len: u8,
}

impl Listed {
    /// The name.
    pub fn name(&self) -> &[u8] {
        &self.name[..usize::from(self.len)]
    }
}

/// The entries of one directory, without `.` and `..`.
pub struct Entries<P: Platform> {
    list: Vec<Entry<P>>,
}

impl<P: Platform> Entries<P> {
    /// An empty directory.
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The node of that name.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<dyn Node<P>>> {
        self.find(name).ok().map(|at| &self.list[at].node)
    }

    /// Adds a name. EEXIST, ENOSPC.
    pub fn insert(&mut self, name: Name, node: Arc<dyn Node<P>>) -> SysResult<()> {
        let (at, key) = match self.find(name.bytes()) {
            Ok(_) => return Err(Errno::EEXIST),
            Err(place) => place?,
        };
        self.list.try_reserve(1).map_err(|_| Errno::ENOSPC)?;
        self.list.insert(at, Entry { key, name, node });
        Ok(())
    }

    /// Makes an existing name lead to another node; returns the old one. ENOENT.
    pub fn replace(&mut self, name: &[u8], node: Arc<dyn Node<P>>) -> SysResult<Arc<dyn Node<P>>> {
        let at = self.find(name).map_err(|_| Errno::ENOENT)?;
        Ok(core::mem::replace(&mut self.list[at].node, node))
    }

    /// Takes a name out; returns its node.
    pub fn remove(&mut self, name: &[u8]) -> Option<Arc<dyn Node<P>>> {
        self.find(name).ok().map(|at| self.list.remove(at).node)
    }

    /// The first entry whose key is at least `from`.
    pub fn listed(&self, from: u64) -> Option<Listed> {
        let entry = self.list.get(self.list.partition_point(|e| e.key < from))?;
        let name = entry.name.bytes();
        let mut listed = Listed {
            ino: entry.node.ino(),
            d_type: entry.node.kind().d_type(),
            next: entry.key + 1,
            name: [0; NAME_MAX],
            len: name.len() as u8,
        };
        listed.name[..name.len()].copy_from_slice(name);
        Some(listed)
    }

    /// The nodes, for a search.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Arc<dyn Node<P>>)> {
        self.list.iter().map(|e| (e.name.bytes(), &e.node))
    }

    /// Where the name is, or where it would go and under which key (ENOSPC if too many names have its hash).
    fn find(&self, name: &[u8]) -> Result<usize, SysResult<(usize, u64)>> {
        let first = hash(name) << COLLISION_BITS;
        let last = first | ((1 << COLLISION_BITS) - 1);
        let mut at = self.list.partition_point(|e| e.key < first);
        let mut gap = None;
        let mut key = first;
        while let Some(entry) = self.list.get(at).filter(|e| e.key <= last) {
            if entry.name.bytes() == name {
                return Ok(at);
            }
            if entry.key > key && gap.is_none() {
                gap = Some((at, key));
            }
            key = entry.key + 1;
            at += 1;
        }
        Err(match gap {
            Some(gap) => Ok(gap),
            None if key <= last => Ok((at, key)),
            None => Err(Errno::ENOSPC),
        })
    }
}

/// 48 bits of the name's FNV-1a hash.
#[cfg(not(test))]
fn hash(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)) >> 16
}

/// In tests so poor that collisions are the rule.
#[cfg(test)]
fn hash(name: &[u8]) -> u64 {
    name.iter().fold(0, |h, &b| (h + u64::from(b)) % 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::vfs::tmpfs::Tmpfs;
    use std::collections::BTreeSet;
    use std::string::String;

    fn names(entries: &Entries<Fake>) -> BTreeSet<String> {
        let (mut all, mut from) = (BTreeSet::new(), 0);
        while let Some(e) = entries.listed(from) {
            assert!(all.insert(String::from_utf8(e.name().to_vec()).unwrap()), "listed twice");
            from = e.next;
        }
        all
    }

    #[test]
    fn colliding_names_are_all_found_listed_and_removed() {
        let node: Arc<dyn Node<Fake>> = Tmpfs::<Fake>::new(1, 1 << 20).root();
        let mut entries = Entries::new();
        let all: Vec<String> = (0..200).map(|n| std::format!("file{n}")).collect();
        for name in &all {
            entries.insert(Name::owned(name.as_bytes()).unwrap(), node.clone()).unwrap();
            assert_eq!(entries.insert(Name::Static(b"file0"), node.clone()), Err(Errno::EEXIST));
        }
        assert_eq!(names(&entries), all.iter().cloned().collect());
        for name in all.iter().step_by(2) {
            assert!(entries.remove(name.as_bytes()).is_some());
            assert!(entries.remove(name.as_bytes()).is_none());
        }
        for (n, name) in all.iter().enumerate() {
            assert_eq!(entries.get(name.as_bytes()).is_some(), n % 2 == 1);
            let _ = entries.insert(Name::owned(name.as_bytes()).unwrap(), node.clone());
        }
        assert_eq!(names(&entries), all.into_iter().collect());
    }

    #[test]
    fn removing_while_listing_skips_nothing_else() {
        let node: Arc<dyn Node<Fake>> = Tmpfs::<Fake>::new(1, 1 << 20).root();
        let mut entries = Entries::new();
        for n in 0..100 {
            entries.insert(Name::owned(std::format!("{n}").as_bytes()).unwrap(), node.clone()).unwrap();
        }
        let (mut seen, mut from) = (0, 0);
        while let Some(e) = entries.listed(from) {
            entries.remove(e.name()).unwrap();
            (seen, from) = (seen + 1, e.next);
        }
        assert_eq!((seen, entries.is_empty()), (100, true));
    }
}
