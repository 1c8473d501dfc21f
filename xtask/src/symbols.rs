//! Names in place of addresses, in what a machine printed.

use std::{fs, io};

use anyhow::{Context, Result};
use trapless_tests::{image, symbols as names};

use crate::cli::SymbolsOptions;

/// Prints the text with the names of the image's functions.
///
/// # Errors
/// The text or the image cannot be read.
pub fn symbols(options: &SymbolsOptions) -> Result<()> {
    let text = match &options.file {
        Some(file) => fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => io::read_to_string(io::stdin()).context("cannot read standard input")?,
    };
    let symbols = names::of(&options.image.clone().unwrap_or_else(image))?;
    print!("{}", names::name_addresses(&text, &symbols));
    Ok(())
}
