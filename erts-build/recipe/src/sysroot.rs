//! Stock musl for this host: what OTP is configured and compiled against, and what Linux programs of the tests link with.

use std::fs;
use std::path::{Path, PathBuf};

use sources::host::{self, Task};
use sources::{Lock, Patches, Progress, cache};

use crate::inputs::{Inputs, KERNEL_HEADERS, Locks, short};
use crate::run::{Result, Step, hermetic, io, jobs};

/// An installed musl with kernel headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysroot {
    /// Its root, with `include` (musl's headers, and Linux' `linux`, `asm`, `asm-generic`) and `lib`.
    pub root: PathBuf,
    /// The compiler driver that uses it. Add `-static -no-pie`.
    pub musl_gcc: PathBuf,
    /// Hash of everything it was made from.
    pub hash: String,
}

/// Returns the stock musl of the lock file, building it unless the cache has it.
///
/// # Errors
/// [`crate::Error`]: no sources, no tools, no room, or a failing build.
pub fn musl_sysroot(progress: &dyn Progress) -> Result<Sysroot> {
    host::require(Task::Musl)?;
    let lock = Locks::read()?.musl;
    let hash = Inputs::common()?.add("musl", &lock.to_text()).hash();
    let root = cache::root()?.join(format!("musl-{}", short(&hash)));
    let sysroot = Sysroot { musl_gcc: root.join("bin/musl-gcc"), root, hash };
    let complete = sysroot.root.join("complete");
    let _guard = cache::guard("musl", progress)?;
    if !complete.is_file() {
        install(&lock, &sysroot.root, progress)?;
        cache::write_atomically(&complete, format!("{}\n", sysroot.hash).as_bytes())?;
    }
    Ok(sysroot)
}

fn install(lock: &Lock, root: &Path, progress: &dyn Progress) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root).map_err(io(root))?;
    }
    fs::create_dir_all(root).map_err(io(root))?;
    let source = root.join("src");
    sources::unpack(&sources::fetch(lock, progress)?, &source, Patches::All, progress)?;

    let prefix = format!("--prefix={}", root.display());
    Step { what: "configuring musl for the host", log: &root.join("configure.log"), log_size: 4_400 }.run(
        hermetic("./configure", root).current_dir(&source).args(["CC=gcc", "--disable-shared", &prefix]),
        progress,
    )?;
    Step { what: "building musl for the host", log: &root.join("make.log"), log_size: 1_480_000 }
        .run(hermetic("make", root).current_dir(&source).args([&jobs(), "install"]), progress)?;
    fs::remove_dir_all(&source).map_err(io(&source))?;

    let include = Path::new(KERNEL_HEADERS).parent().unwrap_or(Path::new("/usr/include"));
    copy_tree(Path::new(KERNEL_HEADERS), &root.join("include/linux"))?;
    copy_tree(&include.join("asm-generic"), &root.join("include/asm-generic"))?;
    // Debian keeps the headers of one architecture in a folder named after it; others do not.
    let asm = [include.join("x86_64-linux-gnu/asm"), include.join("asm")];
    let asm = asm.iter().find(|folder| folder.is_dir()).unwrap_or(&asm[0]);
    copy_tree(asm, &root.join("include/asm"))
}

/// Copies a folder with everything in it, following symbolic links.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(io(to))?;
    for entry in fs::read_dir(from).map_err(io(from))? {
        let path = entry.map_err(io(from))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_tree(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(io(&target))?;
        }
    }
    Ok(())
}
