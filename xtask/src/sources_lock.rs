//! The pinned source packages: shown, or moved.

use std::path::PathBuf;

use anyhow::Result;
use sources::{Console, Lock};

use crate::cli::SourcesOptions;

/// Shows each lock, or with `--update` moves it to the newest revision and shows what changed.
///
/// # Errors
/// A lock cannot be read or written, or the archive does not answer.
pub fn sources(options: &SourcesOptions) -> Result<()> {
    for path in locks() {
        if options.update {
            println!("{}", sources::update_lock(&path, &Console)?);
        } else {
            let lock = Lock::read(&path)?;
            println!("{} {} ({})", lock.package, lock.version, lock.suite);
        }
    }
    Ok(())
}

fn locks() -> Vec<PathBuf> {
    let tests = ["tests/nifs/jiffy.lock", "tests/nifs/erlang-p1-tls.lock"];
    let tests = tests.map(|path| trapless_tests::repository().join(path));
    erts_recipe::lock_paths().into_iter().chain(tests).chain(erts_recipe::library_locks()).collect()
}
