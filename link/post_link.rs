//! The build script's second life: as `ld.bfd` in front of the real one.
//!
//! `cc -B<dir> -fuse-ld=bfd` runs `<dir>/ld.bfd`. That file is a copy of this build script; it calls the real linker with the same
//! arguments, refuses an image with system call instructions where none may be, and copies the image to where
//! `qemu -kernel image.elf` finds it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// What this program is called when it is to link.
const NAME: &str = "ld.bfd";
/// The file beside it with three lines: the real linker, the place for the finished image, the entry variant.
const SETTINGS: &str = "post-link.settings";
/// The entry variant without system call instructions.
pub const DIRECT: &str = "direct";
/// The section with all code of the C side (image.ld).
const C_CODE: &str = ".erts.text";

/// The linker in front of the linker.
pub struct Wrapper {
    linker: PathBuf,
    image: PathBuf,
    entry: OsString,
}

/// The wrapper, if this program was called as one.
pub fn role() -> Option<Wrapper> {
    let own = env::current_exe().ok()?;
    if own.file_name()? != NAME {
        return None;
    }
    let settings = fs::read(own.with_file_name(SETTINGS)).ok()?;
    let mut lines = settings.split(|&b| b == b'\n').map(|l| OsString::from_vec(l.to_vec()));
    Some(Wrapper { linker: lines.next()?.into(), image: lines.next()?.into(), entry: lines.next()? })
}

/// Puts the wrapper for images of the entry variant `entry` into a folder of its own below `out` and returns that folder.
pub fn install(out: &Path, image: &Path, entry: &str) -> PathBuf {
    let dir = out.join("linker");
    fs::create_dir_all(&dir).expect("the build folder is writable");
    let own = env::current_exe().expect("a running program has a path");
    // A copy, removed first: a wrapper that is still running cannot be overwritten.
    let _ = fs::remove_file(dir.join(NAME));
    fs::copy(own, dir.join(NAME)).expect("the build folder is writable");
    let mut settings = real_linker().into_os_string().into_vec();
    settings.push(b'\n');
    settings.extend_from_slice(image.as_os_str().as_bytes());
    settings.push(b'\n');
    settings.extend_from_slice(entry.as_bytes());
    fs::write(dir.join(SETTINGS), settings).expect("the build folder is writable");
    dir
}

/// GNU ld as the C compiler would find it.
fn real_linker() -> PathBuf {
    let answer = Command::new("cc").arg("-print-prog-name=ld.bfd").output();
    match answer {
        Ok(found) if found.status.success() => PathBuf::from(OsString::from_vec(found.stdout.trim_ascii().to_vec())),
        _ => panic!("no C compiler: install gcc and binutils (Debian: apt-get install build-essential)"),
    }
}

impl Wrapper {
    /// Links, checks and copies; the exit status is the linker's where that failed.
    pub fn run(self) -> ExitCode {
        let args: Vec<OsString> = env::args_os().skip(1).collect();
        match Command::new(&self.linker).args(&args).status() {
            Ok(status) if status.success() => {}
            Ok(status) => return ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
            Err(error) => return fail(&format!("cannot run {}: {error}", self.linker.display())),
        }
        let Some(output) = output_of(&args) else {
            return fail("the linker was called without -o");
        };
        let report = match nosyscall::check(&output) {
            Ok(report) => report,
            Err(error) => return fail(&format!("{}: {error}", output.display())),
        };
        let traps = self.entry != DIRECT;
        let (expected, wrong): (Vec<_>, Vec<_>) = report
            .findings
            .iter()
            .partition(|finding| traps && finding.trap == nosyscall::Trap::Syscall && finding.section == C_CODE);
        if !wrong.is_empty() {
            wrong.iter().for_each(|finding| eprintln!("{finding}"));
            return fail("the image holds system call instructions where nothing takes them");
        }
        if traps && expected.is_empty() {
            return fail("the image holds no system call instruction: the C library is that of another entry variant");
        }
        match publish(&output, &self.image) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("cannot write {}: {error}", self.image.display())),
        }
    }
}

/// The argument of `-o`.
fn output_of(args: &[OsString]) -> Option<PathBuf> {
    let at = args.iter().position(|a| a == "-o")?;
    args.get(at + 1).map(PathBuf::from)
}

/// Copies the image, without its line tables, under a temporary name first, so that nobody ever boots half of one. The linker's output
/// keeps them, for gdb and backtraces.
fn publish(output: &Path, image: &Path) -> Result<(), String> {
    let half = image.with_extension(format!("elf.{}", std::process::id()));
    let stripped = Command::new("objcopy").arg("--strip-debug").arg(output).arg(&half).status();
    match stripped {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("objcopy: {status}")),
        Err(error) => return Err(format!("objcopy (Debian: binutils): {error}")),
    }
    fs::rename(&half, image).map_err(|error| error.to_string())
}

fn fail(message: &str) -> ExitCode {
    eprintln!("link: {message}");
    ExitCode::FAILURE
}
