//! Pages of results: one document, written as Markdown, as HTML that needs nothing else, and with its plots as files.

pub mod document;
mod html;
mod markdown;
pub mod plot;
pub mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use document::{Block, Document};

#[cfg(test)]
pub use self::{html::render as html, markdown::render as markdown};

/// Writes `NAME.md`, `NAME.html` and the plots into `folder`, and returns the path of the page for people.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, name: &str, page: &Document) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let write = |name: &str, text: String| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    };
    for block in &page.blocks {
        if let Block::Figure(figure) = block {
            write(figure.file, plot::with_paper(&figure.svg))?;
        }
    }
    write(&format!("{name}.md"), markdown::render(page))?;
    write(&format!("{name}.html"), html::render(page))
}
