//! Archives that are laid over an image's files.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use rootfs_recipe::{newc, tree::Tree};

/// Writes an archive with these files, and returns the arguments by which QEMU gives it to a machine.
///
/// # Errors
/// A path is there twice, or the file cannot be written.
pub fn write(file: &Path, files: &[(&str, &[u8])]) -> Result<Vec<String>> {
    let mut tree = Tree::default();
    for (path, content) in files {
        tree.add_file(path, content.to_vec())?;
    }
    fs::write(file, newc::write(&tree)?).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(vec!["-initrd".to_owned(), file.display().to_string()])
}
