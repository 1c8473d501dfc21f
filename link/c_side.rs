//! The C side as one object: the program, musl and libgcc, joined before the image is linked.
//!
//! Only the names by which the two sides call each other cross its border. So the library OS and the program never share a function that
//! both happen to need, such as memcpy, and a variant with the program in ring 3 can keep either from executing the other's code.

use std::path::Path;
use std::process::Command;

/// The object's name, by which `image.ld` knows the C side.
const NAME: &str = "c_side.o";
/// What the library OS calls in it: where musl starts.
const ENTRY: &str = "_start_c";

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

/// Makes the object of those of the program in the folder `out` and returns its path.
///
/// # Errors
/// What the tools say, if they fail or are missing.
pub fn join(program: &[String], archives: &Archives, out: &Path) -> Result<String, String> {
    let object = out.join(NAME);
    // `-d`: common symbols become ordinary ones, since only those can be local.
    let mut link = Command::new("cc");
    link.args(["-r", "-nostdlib", "-fuse-ld=bfd", "-Wl,-d"]).args(program);
    link.args(["-Wl,--whole-archive", &archives.crt1, "-Wl,--no-whole-archive"]).args(archives.group());
    run(link.arg("-o").arg(&object))?;
    run(Command::new("objcopy").arg(format!("--keep-global-symbol={ENTRY}")).arg(&object))?;
    object.into_os_string().into_string().map_err(|path| format!("{} is not UTF-8", path.display()))
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
