//! The C side as one object: the program, musl and libgcc, joined before the image is linked.
//!
//! Only the names by which the two sides call each other cross its border. So the library OS and the program never share a function that
//! both happen to need, such as memcpy, and a variant with the program in ring 3 can keep either from executing the other's code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exports;

/// The object's name, by which `image.ld` knows the C side.
const NAME: &str = "c_side.o";
/// What the library OS calls in it: where musl starts.
const ENTRY: &str = "_start_c";

/// The loader's sources.
pub const LOADER: [&str; 3] = ["loader.c", "headers.c", "tls.c"];

/// What the program is linked with.
pub struct Archives {
    /// musl's start code.
    pub crt1: String,
    /// musl.
    pub libc: String,
}

impl Archives {
    /// The arguments for musl and libgcc, which need each other.
    pub fn group(&self) -> [String; 4] {
        ["-Wl,--start-group", &self.libc, "-lgcc", "-Wl,--end-group"].map(str::to_owned)
    }
}

/// What shared libraries need of the program's side.
pub struct Loader {
    /// The folder with its sources, `link/loader`.
    pub sources: PathBuf,
    /// musl's headers.
    pub include: String,
    /// Names that libraries in the image ask for.
    pub wanted: Vec<String>,
}

/// Makes the object of those of the program in the folder `out` and returns its path. With a loader, the program can load shared libraries,
/// and the object has a table of the names they may use.
///
/// # Errors
/// What the tools say, if they fail or are missing.
pub fn join(program: &[String], archives: &Archives, loader: Option<&Loader>, out: &Path) -> Result<String, String> {
    let object = out.join(NAME);
    // `-d`: common symbols become ordinary ones, since only those can be local.
    let mut link = partial_link();
    link.arg("-Wl,-d").args(program);
    let libc = match loader {
        Some(loader) => {
            link.args(compile(loader, out)?);
            // What is in the C library and nobody but a library in the image asks for.
            let libc = exports::defined(Path::new(&archives.libc))?;
            link.args(loader.wanted.iter().filter(|name| libc.contains(*name)).map(|name| format!("-Wl,-u,{name}")));
            Some(libc)
        }
        None => None,
    };
    link.args(["-Wl,--whole-archive", &archives.crt1, "-Wl,--no-whole-archive"]).args(archives.group());
    match libc {
        Some(libc) => {
            let joined = out.join("joined.o");
            run(link.arg("-o").arg(&joined))?;
            let names = exports::chosen(&exports::defined(&joined)?, &libc);
            let (text, table) = (out.join("exports.s"), out.join("exports.o"));
            fs::write(&text, exports::assembler(&names)).map_err(|error| format!("{}: {error}", text.display()))?;
            run(Command::new("cc").arg("-c").arg(&text).arg("-o").arg(&table))?;
            run(partial_link().arg(&joined).arg(&table).arg("-o").arg(&object))?;
        }
        None => run(link.arg("-o").arg(&object))?,
    }
    run(Command::new("objcopy").arg(format!("--keep-global-symbol={ENTRY}")).arg(&object))?;
    object.into_os_string().into_string().map_err(|path| format!("{} is not UTF-8", path.display()))
}

fn partial_link() -> Command {
    let mut link = Command::new("cc");
    link.args(["-r", "-nostdlib", "-fuse-ld=bfd"]);
    link
}

/// Compiles the loader's sources as musl is compiled (`musl-shim/build/compile.rs`), and returns the objects.
fn compile(loader: &Loader, out: &Path) -> Result<Vec<PathBuf>, String> {
    const FLAGS: &str = "-std=gnu99 -nostdinc -Wall -Wextra -O2 -fno-pie -fno-pic -ffunction-sections -fdata-sections \
                         -fomit-frame-pointer -fno-asynchronous-unwind-tables -mno-red-zone -fno-stack-protector \
                         -fcf-protection=none";
    let mut objects = Vec::new();
    for name in LOADER {
        let object = out.join(name).with_extension("o");
        let mut cc = Command::new("cc");
        cc.args(FLAGS.split_whitespace()).args(["-isystem", &loader.include, "-c"]).arg(loader.sources.join(name));
        run(cc.arg("-o").arg(&object))?;
        objects.push(object);
    }
    Ok(objects)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
            Err(format!("{program} cannot join the C side: {said}"))
        }
        Err(error) => Err(format!("{program} (Debian: build-essential): {error}")),
    }
}
