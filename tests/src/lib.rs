//! The harness: boots the image in QEMU and talks to it.
//!
//! [`machine`] says what QEMU is given, [`vm`] runs one, [`console`] keeps what it prints, [`exit`] reads what its
//! end means, [`qmp`] speaks to QEMU's monitor, [`load`] is clients of the echo server, [`symbols`] names
//! addresses, [`tap`] makes networks, [`variant`] builds images that are not the product, [`host`] runs programs of this host, [`dns`] and
//! [`ntp`] are servers, [`initrd`] makes archives that are laid over an image's files, [`nodes`] is what a cluster of Erlang nodes is made
//! of, [`peers`] are machines that a machine asks for. `cargo xtask` starts its machines with the same [`machine::Machine`], so that a test
//! boots exactly what a user boots.
//!
//! A deadline here detects a hang; how long something takes never makes a test fail.

pub mod console;
pub mod dns;
pub mod exit;
pub mod host;
pub mod initrd;
pub mod load;
pub mod machine;
pub mod nodes;
pub mod ntp;
pub mod peers;
pub mod qmp;
pub mod symbols;
pub mod tap;
pub mod variant;
pub mod vm;

use std::{env, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

/// How long to wait for something that is certain to come before calling it a hang: `TRAPLESS_DEADLINE` seconds, or
/// a value that a busy machine with two cores stays far below.
pub fn deadline() -> Duration {
    let seconds = env::var("TRAPLESS_DEADLINE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(180))
}

/// The root folder of the repository.
pub fn repository() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map_or(tests.clone(), PathBuf::from)
}

/// The image to boot: `TRAPLESS_IMAGE`, or the one that the last build left in the root folder.
pub fn image() -> PathBuf {
    env::var_os("TRAPLESS_IMAGE").map_or_else(|| repository().join("image.elf"), PathBuf::from)
}

/// Runs a command that prints nothing worth reading unless it fails.
///
/// # Errors
/// It cannot be started, or what it said when it failed.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
    Ok(())
}

/// The part of a kernel command line that runs one piece of Erlang and starts nothing else.
///
/// ```text
/// erl("halt(7).")  is  -- -noshell -eval "halt(7)."
/// ```
pub fn erl(code: &str) -> String {
    format!("-- -noshell -eval \"{}\"", code.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn code_is_quoted_as_the_image_splits_it() {
        assert_eq!(super::erl(r#"io:format("a~n\\")."#), r#"-- -noshell -eval "io:format(\"a~n\\\\\").""#);
    }
}
