//! Puts a release into the tree that becomes the archive.

use std::{
    collections::BTreeSet,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use rootfs_recipe::{
    beam,
    tree::{Tree, list, name_of, read},
};

use crate::{applications::Found, layout::Layout};

/// What of an application is needed to run it.
const PARTS: [&str; 2] = ["ebin", "priv"];
/// What is at the top of a release and not needed: its scripts, ERTS, and what is put in otherwise.
const NOT_AT_THE_TOP: [&str; 6] = ["bin", "lib", "releases", "log", "tmp", "Install"];
/// Files of `releases/VSN` that are read here, or are for a shell.
const NOT_OF_THE_VERSION: [&str; 9] =
    ["vm.args", "vm.args.src", "remote.vm.args", "env.sh", "env.bat", "elixir", "elixir.bat", "iex", "iex.bat"];
/// Chunks of a module that Elixir keeps when it strips, beyond those that OTP keeps.
const KEPT: [&[u8; 4]; 1] = [b"Attr"];

/// How files are put in.
pub struct Packer<'a> {
    /// The tree.
    pub tree: &'a mut Tree,
    /// Whether modules lose what running them does not need.
    pub strip: bool,
    /// Files that stay out.
    pub left_out: &'a BTreeSet<PathBuf>,
}

impl Packer<'_> {
    /// Adds an application.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub fn application(&mut self, found: &Found) -> Result<()> {
        for part in PARTS {
            let folder = found.folder.join(part);
            if folder.is_dir() {
                self.folder(&folder, &format!("{}/{}/{part}", rootfs_recipe::otp::LIB, found.full_name), &|_| true)?;
            }
        }
        Ok(())
    }

    /// Adds what the release holds besides its applications. The boot script is not among it, nor is the cookie.
    ///
    /// # Errors
    /// As [`Packer::application`].
    pub fn rest(&mut self, layout: &Layout, configured_at_boot: bool) -> Result<()> {
        let wanted = |path: &Path| {
            let name = name_of(path).unwrap_or_default();
            !(NOT_AT_THE_TOP.contains(&name) || name.starts_with("erts-") || name.ends_with(".tar.gz"))
        };
        for entry in list(&layout.root)?.into_iter().filter(|entry| wanted(entry)) {
            self.entry(&entry, &format!("otp/{}", name_of(&entry)?), &|_| true)?;
        }
        for name in ["RELEASES", "start_erl.data"] {
            let file = layout.root.join("releases").join(name);
            if file.is_file() {
                self.file(&file, &format!("otp/releases/{name}"))?;
            }
        }
        let at = format!("otp/releases/{}", layout.version_name()?);
        let needed = |path: &Path| {
            let name = name_of(path).unwrap_or_default();
            // What is made at boot needs no older copy, and a template has its place below.
            let made = configured_at_boot && matches!(name, "sys.config" | "sys.config.src");
            !(made || NOT_OF_THE_VERSION.contains(&name) || name.ends_with(".boot") || name.ends_with(".script"))
        };
        self.folder(&layout.version, &at, &needed)?;
        if let Some(source) = layout.sys_config.as_ref().filter(|_| configured_at_boot) {
            self.file(&source.path, &format!("{at}/sys.config.src"))?;
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path, at: &str, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
        self.tree.add_directory(at)?;
        for entry in list(folder)?.into_iter().filter(|entry| wanted(entry) && !self.left_out.contains(entry)) {
            self.entry(&entry, &format!("{at}/{}", name_of(&entry)?), wanted)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Path, at: &str, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
        if entry.is_dir() { self.folder(entry, at, wanted) } else { self.file(entry, at) }
    }

    fn file(&mut self, file: &Path, at: &str) -> Result<()> {
        let mut content = read(file)?;
        if file.extension().is_some_and(|ending| ending == "beam") {
            content = module(content, self.strip).with_context(|| format!("{} cannot be used", file.display()))?;
        }
        self.tree.add_file(at, content)
    }
}

/// A module as it goes in: not compressed, for the boot should not inflate.
///
/// # Errors
/// It is no module, or it is damaged.
pub fn module(content: Vec<u8>, strip: bool) -> Result<Vec<u8>> {
    let plain = if content.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        GzDecoder::new(&*content).read_to_end(&mut plain).context("it is damaged")?;
        plain
    } else {
        content
    };
    if strip { beam::strip_but(&plain, &KEPT) } else { Ok(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use trapless_scratch::Folder;

    fn beam() -> Vec<u8> {
        let mut body = b"BEAM".to_vec();
        for name in [b"Code", b"ExpT", b"ImpT", b"StrT", b"Attr", b"Dbgi"] {
            body.extend_from_slice(name);
            body.extend_from_slice(&[0, 0, 0, 0]);
        }
        [b"FOR1", &u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn modules_are_inflated_and_stripped() {
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(&beam()).unwrap();
        let compressed = gz.finish().unwrap();
        assert_eq!(module(compressed.clone(), false).unwrap(), beam());
        let stripped = module(compressed.clone(), true).unwrap();
        assert!(stripped.windows(4).any(|name| name == b"Attr") && !stripped.windows(4).any(|name| name == b"Dbgi"));
        assert!(module(compressed[..20].to_vec(), false).is_err());
    }

    #[test]
    fn what_is_needed_goes_in() {
        let folder = Folder::new();
        folder.write("releases/1/demo.rel", "{release,{\"demo\",\"1\"},{erts,\"15.2\"},[]}.");
        for file in [
            "releases/1/start.boot",
            "releases/1/sys.config",
            "releases/1/runtime.exs",
            "releases/1/env.sh",
            "releases/1/vm.args",
            "releases/1/consolidated/x.txt",
            "releases/COOKIE",
            "releases/RELEASES",
            "bin/demo",
            "erts-15.2/bin/erl",
            "etc/demo.conf",
        ] {
            folder.write(file, "x");
        }
        let layout = Layout::read(folder.path()).unwrap();
        let paths = |configured_at_boot| {
            let mut tree = Tree::default();
            Packer { tree: &mut tree, strip: true, left_out: &BTreeSet::new() }
                .rest(&layout, configured_at_boot)
                .unwrap();
            let files = tree.nodes().map(|(path, _)| path.to_owned()).filter(|path| tree.file(path).is_some());
            files.collect::<Vec<_>>()
        };
        let all = [
            "otp/etc/demo.conf",
            "otp/releases/1/consolidated/x.txt",
            "otp/releases/1/demo.rel",
            "otp/releases/1/runtime.exs",
            "otp/releases/1/sys.config",
            "otp/releases/RELEASES",
        ];
        assert_eq!(paths(false), all);
        assert!(paths(true).contains(&"otp/releases/1/sys.config.src".to_owned()));
        assert!(!paths(true).contains(&"otp/releases/1/sys.config".to_owned()));
    }
}
