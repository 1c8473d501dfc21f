//! The files of the archive before they are written: a sorted map from path to content.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

/// One entry of the archive.
#[derive(Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file and its content.
    File(Vec<u8>),
    /// A symbolic link and its text.
    Link(String),
}

/// Links that lead to links that lead to links: Linux gives up at this depth (path_resolution(7)).
const LINKS: usize = 40;

/// Paths without a leading slash, in byte order, so that a directory comes before what is in it.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
    sources: Vec<PathBuf>,
}

impl Tree {
    /// The entries in the order in which they are written.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The content of a file, if it is there.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        match self.nodes.get(path)? {
            Node::File(content) => Some(content),
            Node::Directory | Node::Link(_) => None,
        }
    }

    /// Files and folders on the host that were read.
    pub fn sources(&self) -> &[PathBuf] {
        &self.sources
    }

    /// Notes that the archive depends on a file or folder of the host.
    pub fn note_source(&mut self, path: &Path) {
        self.sources.push(path.to_owned());
    }

    /// Forgets the sources noted after the first `count`: intermediate files of the build itself.
    pub fn forget_sources(&mut self, count: usize) {
        self.sources.truncate(count);
    }

    /// Adds a directory and those above it. Adding one twice is fine.
    ///
    /// # Errors
    /// A file stands where the directory should be, or the path cannot be named in an archive.
    pub fn add_directory(&mut self, path: &str) -> Result<()> {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return Ok(());
        }
        check_name(path)?;
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let kind = match self.nodes.entry(path[..end].to_owned()).or_insert(Node::Directory) {
                Node::Directory => continue,
                Node::File(_) => "file",
                Node::Link(_) => "link",
            };
            bail!("/{} is a {kind}, and /{path} needs it to be a directory", &path[..end]);
        }
        Ok(())
    }

    /// Adds a file, with the directories above it.
    ///
    /// # Errors
    /// The path is taken already (nothing is ever replaced silently), or cannot be named in an archive.
    pub fn add_file(&mut self, path: &str, content: Vec<u8>) -> Result<()> {
        self.add(path, Node::File(content))
    }

    /// Adds a symbolic link, with the directories above it.
    ///
    /// # Errors
    /// As [`Tree::add_file`].
    pub fn add_link(&mut self, path: &str, text: &str) -> Result<()> {
        self.add(path, Node::Link(text.to_owned()))
    }

    fn add(&mut self, path: &str, node: Node) -> Result<()> {
        let path = path.trim_start_matches('/');
        check_name(path)?;
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.add_directory(parent)?;
        }
        if self.nodes.contains_key(path) {
            bail!("two sources both want to be /{path}");
        }
        self.nodes.insert(path.to_owned(), node);
        Ok(())
    }

    /// Takes out the links that lead to nothing, and returns their paths.
    pub fn remove_dead_links(&mut self) -> Vec<String> {
        let links = self.nodes.iter().filter(|(_, node)| matches!(node, Node::Link(_))).map(|(path, _)| path);
        let dead: Vec<_> = links.filter(|path| self.follow(path).is_none()).cloned().collect();
        self.nodes.retain(|path, _| !dead.contains(path));
        dead
    }

    /// What a path leads to, links followed (path_resolution(7)).
    fn follow(&self, path: &str) -> Option<&Node> {
        let mut left = LINKS;
        let mut at: Vec<&str> = Vec::new();
        let mut rest: Vec<&str> = path.rsplit('/').collect();
        while let Some(part) = rest.pop() {
            match part {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                part => at.push(part),
            }
            match self.nodes.get(&at.join("/"))? {
                Node::Link(text) => {
                    left = left.checked_sub(1)?;
                    at.pop();
                    if text.starts_with('/') {
                        at.clear();
                    }
                    rest.extend(text.rsplit('/'));
                }
                Node::File(_) if !rest.is_empty() => return None,
                _ => {}
            }
        }
        if at.is_empty() { Some(&Node::Directory) } else { self.nodes.get(&at.join("/")) }
    }

    /// Adds a file in the place of one that may be there.
    ///
    /// # Errors
    /// As [`Tree::add_file`], but for that.
    pub fn replace_file(&mut self, path: &str, content: Vec<u8>) -> Result<()> {
        if matches!(self.nodes.get(path), Some(Node::File(_))) {
            self.nodes.remove(path);
        }
        self.add_file(path, content)
    }

    /// Adds everything below a folder of the host at `at`. Names that begin with a dot are left out.
    ///
    /// # Errors
    /// The folder or a file in it cannot be read, or a name is not UTF-8.
    pub fn add_folder(&mut self, folder: &Path, at: &str) -> Result<()> {
        self.note_source(folder);
        for entry in list(folder)? {
            let name = name_of(&entry)?;
            let path = format!("{at}/{name}");
            if entry.is_dir() {
                self.add_directory(&path)?;
                self.add_folder(&entry, &path)?;
            } else {
                self.add_file(&path, read(&entry)?)?;
            }
        }
        Ok(())
    }
}

/// The entries of a folder of the host, sorted, without those whose name begins with a dot.
///
/// # Errors
/// The folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            entries.push(path);
        }
    }
    entries.sort();
    Ok(entries)
}

/// Reads a file of the host.
///
/// # Errors
/// Names the file that cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The last part of a path as text.
///
/// # Errors
/// The name is not UTF-8, which the archive's readers do not expect.
pub fn name_of(path: &Path) -> Result<&str> {
    path.file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("the name of {} is not UTF-8", path.display()))
}

fn check_name(path: &str) -> Result<()> {
    ensure!(!path.is_empty(), "a file of the archive has no name");
    ensure!(!path.contains('\0'), "the name {path:?} has a NUL in it");
    ensure!(path != "TRAILER!!!", "TRAILER!!! is the name that ends an archive");
    ensure!(
        path.split('/').all(|part| !matches!(part, "" | "." | "..")),
        "the name {path:?} is not in its plainest form"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_brings_its_directories_first() {
        let mut tree = Tree::default();
        tree.add_file("/a/b/c", vec![1]).unwrap();
        let paths: Vec<_> = tree.nodes().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/b", "a/b/c"]);
    }

    #[test]
    fn nothing_is_replaced() {
        let mut tree = Tree::default();
        tree.add_file("a", vec![1]).unwrap();
        assert!(tree.add_file("a", vec![2]).unwrap_err().to_string().contains("both want"));
        assert!(tree.add_file("a/b", vec![2]).unwrap_err().to_string().contains("is a file"));
        assert_eq!(tree.file("a"), Some(&[1][..]));
        tree.replace_file("a", vec![3]).unwrap();
        assert_eq!(tree.file("a"), Some(&[3][..]));
        tree.add_directory("d").unwrap();
        assert!(tree.replace_file("d", vec![4]).is_err(), "a folder is not replaced by a file");
    }

    #[test]
    fn links_that_lead_to_nothing_are_taken_out() {
        let mut tree = Tree::default();
        tree.add_file("etc/demo/demo.conf", vec![1]).unwrap();
        for (path, text) in [
            ("opt/folder", "/etc/demo"),
            ("opt/up", "../../../etc/./demo/demo.conf"),
            ("opt/by", "folder/demo.conf"),
            ("opt/self", "/opt"),
            ("opt/root", "/"),
            ("opt/gone", "/etc/passwd"),
            ("opt/loop", "loop"),
            ("opt/through", "up/demo.conf"),
        ] {
            tree.add_link(path, text).unwrap();
        }
        assert_eq!(tree.remove_dead_links(), ["opt/gone", "opt/loop", "opt/through"]);
        assert_eq!(tree.follow("opt/folder/../demo/demo.conf"), Some(&Node::File(vec![1])));
        let error = tree.add_file("opt/folder/x", vec![]).unwrap_err().to_string();
        assert!(error.contains("/opt/folder is a link"), "{error}");
    }

    #[test]
    fn odd_names_are_refused() {
        let mut tree = Tree::default();
        for name in ["", "a//b", "a/../b", "./a", "a\0b", "TRAILER!!!"] {
            assert!(tree.add_file(name, vec![]).is_err(), "{name:?}");
        }
    }
}
