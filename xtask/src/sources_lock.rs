//! The pinned source packages: shown, or moved.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use sources::{Console, Lock};

use crate::cli::SourcesOptions;

/// Shows each lock, or with `--update` moves it to the newest revision that the archive serves and shows what changed. What cannot be moved
/// is told, and keeps nobody from moving the others.
///
/// # Errors
/// A lock cannot be read or written, or the archive does not answer.
pub fn sources(options: &SourcesOptions) -> Result<()> {
    let mut stayed = Vec::new();
    for path in locks() {
        if !options.update {
            let lock = Lock::read(&path)?;
            println!("{} {} ({})", lock.package, lock.version, lock.suite);
            continue;
        }
        match sources::update_lock(&path, &Console) {
            Ok(change) => println!("{change}"),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                stayed.push(path.display().to_string());
            }
        }
    }
    ensure!(stayed.is_empty(), "these could not be moved: {}", stayed.join(", "));
    Ok(())
}

fn locks() -> Vec<PathBuf> {
    let tests = ["tests/nifs/jiffy.lock", "tests/nifs/erlang-p1-tls.lock"];
    let tests = tests.map(|path| trapless_tests::repository().join(path));
    erts_recipe::lock_paths().into_iter().chain(tests).chain(erts_recipe::library_locks()).collect()
}
