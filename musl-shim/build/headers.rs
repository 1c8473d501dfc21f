//! The headers: musl's own, those its Makefile generates, and the way to the kernel's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::entry::list;
use crate::plan::ARCH;

/// Rows of the system call table, as in `libos.h`.
const SYSTAB_ROWS: u32 = 512;

/// Fills `include` with what `make install-headers` would install from the tree `musl`.
pub fn install(musl: &Path, include: &Path) -> Result<(), String> {
    copy_tree(&musl.join("include"), include)?;
    let bits = include.join("bits");
    for arch in ["generic", ARCH] {
        copy_tree(&musl.join("arch").join(arch).join("bits"), &bits)?;
    }
    let arch_bits = musl.join("arch").join(ARCH).join("bits");
    write(&bits.join("alltypes.h"), &alltypes(musl, &arch_bits)?)?;
    write(&bits.join("syscall.h"), &syscall_numbers(&read(&arch_bits.join("syscall.h.in"))?)?)
}

/// Writes `version.h`, which musl's own sources include, into `internal`.
pub fn internal(musl: &Path, internal: &Path) -> Result<(), String> {
    let version = read(&musl.join("VERSION"))?;
    write(&internal.join("version.h"), &format!("#define VERSION \"{}\"\n", version.trim()))
}

/// Makes `folder` hold links to the kernel's headers of this host (`linux/`, `asm/`, `asm-generic/`) and to
/// nothing else of it, so that a compiler that sees musl's headers can see these too.
pub fn link_kernel_headers(folder: &Path) -> Result<(), String> {
    const ROOTS: [&str; 2] = ["/usr/include", "/usr/include/x86_64-linux-gnu"];
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("cannot clear {}: {error}", folder.display()))?;
    }
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    for name in ["linux", "asm", "asm-generic"] {
        let target = ROOTS.iter().map(|root| Path::new(root).join(name)).find(|path| path.is_dir());
        let target = target.ok_or_else(|| {
            format!("the kernel's headers ({name}/) are missing; on Debian: apt-get install linux-libc-dev")
        })?;
        std::os::unix::fs::symlink(&target, folder.join(name))
            .map_err(|error| format!("cannot link {}: {error}", target.display()))?;
    }
    Ok(())
}

/// `alltypes.h`, by the sed script that musl ships for it.
fn alltypes(musl: &Path, arch_bits: &Path) -> Result<String, String> {
    let output = Command::new("sed")
        .arg("-f")
        .arg(musl.join("tools/mkalltypes.sed"))
        .arg(arch_bits.join("alltypes.h.in"))
        .arg(musl.join("include/alltypes.h.in"))
        .output()
        .map_err(|error| format!("cannot run sed: {error}"))?;
    if !output.status.success() {
        return Err(format!("sed failed on alltypes.h.in: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("alltypes.h is not text: {error}"))
}

/// `syscall.h`: the numbers, each under its `__NR_` name and again under its `SYS_` name.
fn syscall_numbers(numbers: &str) -> Result<String, String> {
    let mut header = numbers.to_owned();
    for line in numbers.lines().filter(|line| line.contains("__NR_")) {
        let number = line.split_whitespace().nth(2).and_then(|word| word.parse::<u32>().ok());
        if number.is_none_or(|number| number >= SYSTAB_ROWS) {
            return Err(format!("a system call without a row in a table of {SYSTAB_ROWS}: {line}"));
        }
        header.push_str(&line.replace("__NR_", "SYS_"));
        header.push('\n');
    }
    Ok(header)
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| format!("cannot make {}: {error}", to.display()))?;
    for path in list(from)? {
        let target: PathBuf = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_tree(&path, &target)?;
        } else if path.extension().is_some_and(|extension| extension == "h") {
            fs::copy(&path, &target).map_err(|error| format!("cannot copy {}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|error| format!("cannot make a folder: {error}"))?;
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
