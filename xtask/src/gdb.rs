//! Boots the image stopped at its first instruction, with gdb attached.

use std::{
    fs,
    process::{Child, Command},
};

use anyhow::{Context, Result};
use sources::host::Task;
use trapless_tests::{host, repository, vm::free_port};

use crate::{cli::RunOptions, image, run, setup};

/// A QEMU that ends with this value.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds, boots, and returns gdb's status. The image's console goes to a file, which is named.
///
/// # Errors
/// The image cannot be built, or QEMU or gdb cannot be started.
pub fn gdb(options: &RunOptions) -> Result<u8> {
    setup::prepare(Task::Test)?;
    let image = image::of(&options.build, &options.whose)?;
    let machine = run::machine_of(options, image.clone())?;
    let logs = repository().join("target/trapless-logs");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let console = logs.join("gdb-console.log");
    let address = format!("127.0.0.1:{}", free_port()?);
    let mut command = Command::new("qemu-system-x86_64");
    command.args(machine.arguments()).args(["-S", "-gdb", &format!("tcp:{address}"), "-monitor", "none"]);
    command.arg("-serial").arg(format!("file:{}", console.display()));
    let _qemu = Qemu(host::not_alone(&mut command).spawn().context("cannot start qemu-system-x86_64")?);
    eprintln!("The console goes to {}", console.display());
    let mut gdb = Command::new("gdb");
    gdb.args(["-quiet", "-ex", "set pagination off", "-ex", &format!("target remote {address}")]).arg(image);
    let status = gdb.status().context("cannot start gdb")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
