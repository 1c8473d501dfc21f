//! Machine code in a release: shared libraries that the image can load, and what it can do nothing with.
//!
//! NIFs that were linked into the emulator are found there by `erlang:load_nif/2` under the name of their file, so their files are not
//! needed. Of the others, the image's own loader says whether it will load them.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use object::{Object, ObjectSymbol};
use rootfs_native::{Names, check::advice, compile::refuse_syscalls};
use rootfs_recipe::tree::{list, name_of};

/// What a statically linked NIF's function is called behind the name of its library (erl_nif(3), `ERL_NIF_INIT`).
const INIT: &str = "_nif_init";

/// Libraries that OTP's own applications do without until somebody asks for what is in them.
const OPTIONAL: [(&str, &str); 3] =
    [("dyntrace", "dynamic tracing"), ("trace_ip_drv", "dbg's trace ports"), ("trace_file_drv", "dbg's trace ports")];

/// Programs of OTP that the system answers for (`libos/logic/src/programs`): their files are there to be found.
const BUILT_IN: [&str; 2] = ["cpu_sup", "memsup"];

/// What kind of machine code a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Library,
    Program,
}

/// What there is to say about the machine code of a release.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What cannot work.
    pub problems: Vec<String>,
    /// What will be missed only by those who use it.
    pub notes: Vec<String>,
    /// Files that are not put in.
    pub files: BTreeSet<PathBuf>,
}

/// The names of the NIF libraries in these object files.
///
/// # Errors
/// One cannot be read, or is no object file.
pub fn linked_in(objects: &[&Path]) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for path in objects {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let file = object::File::parse(&*bytes).with_context(|| format!("cannot read {}", path.display()))?;
        let defined = file.symbols().filter(|symbol| symbol.is_definition());
        names.extend(defined.filter_map(|symbol| Some(symbol.name().ok()?.strip_suffix(INIT)?.to_owned())));
    }
    Ok(names)
}

/// How files are judged.
pub struct Judge {
    /// NIF libraries that are in the emulator.
    pub linked: BTreeSet<String>,
    /// What libraries may use.
    pub names: Names,
    /// The folder in which they may find each other, without links in its path.
    pub root: PathBuf,
    /// Files, as they are shown, that others take the place of.
    pub replaced: BTreeSet<String>,
    /// Whether the image has no way to take a system call instruction.
    pub no_syscalls: bool,
}

impl Judge {
    /// Looks through a folder for machine code. `shown` is what to call the folder.
    ///
    /// # Errors
    /// Something in it cannot be read.
    pub fn look_through(&self, folder: &Path, shown: &str, findings: &mut Findings) -> Result<()> {
        for path in list(folder)? {
            let shown = format!("{shown}/{}", name_of(&path)?);
            if path.is_dir() {
                self.look_through(&path, &shown, findings)?;
            } else {
                self.look_at(&path, &shown, findings)?;
            }
        }
        Ok(())
    }

    /// Looks at one file. Whether it is machine code that stays out.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn look_at(&self, path: &Path, shown: &str, findings: &mut Findings) -> Result<bool> {
        let code = code_of(path)?.filter(|_| !is_built_in(path));
        let stays_out = code.is_some_and(|code| !self.goes_in(path, shown, code, findings));
        if stays_out {
            findings.files.insert(path.to_owned());
        }
        Ok(stays_out)
    }

    /// Whether a file of machine code goes in; if not, it may be a problem or a note.
    fn goes_in(&self, path: &Path, shown: &str, code: Code, findings: &mut Findings) -> bool {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if code == Code::Program {
            findings
                .notes
                .push(format!("{shown} is a program: it is left out, for there is nothing that could run it"));
        } else if self.linked.contains(name) || self.replaced.contains(shown) {
            // The emulator has it, or another comes in its place.
        } else if let Some((_, what)) = OPTIONAL.iter().find(|(library, _)| *library == name) {
            findings.notes.push(format!("{shown} is left out: {what} will not work"));
        } else {
            match self.loads(path, shown) {
                Ok(()) => return true,
                Err(why) => findings.problems.push(format!(
                    "{why}. Or --allow-native leaves it out (whoever calls it then gets an error from erlang:load_nif/2)"
                )),
            }
        }
        false
    }

    fn loads(&self, path: &Path, shown: &str) -> Result<(), String> {
        // Links are followed, for a library looks for others in the folder that it is really in.
        let path = &path.canonicalize().map_err(|error| format!("{shown}: {error}"))?;
        if let Err(failure) = self.names.check(path, &self.root) {
            return Err(format!("{shown} is a shared library that the image cannot load: {}", advice(&failure)));
        }
        if self.no_syscalls {
            refuse_syscalls(path, shown).map_err(|why| format!("{why:#}"))?;
        }
        Ok(())
    }
}

fn is_built_in(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| BUILT_IN.contains(&name))
}

/// Whether a file holds machine code for ELF systems, and which.
fn code_of(path: &Path) -> Result<Option<Code>> {
    /// `e_type` of an ELF header lies at 16; `ET_DYN` is 3.
    const TYPE: usize = 16;
    const SHARED: u8 = 3;
    let mut head = Vec::new();
    let file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(20).read_to_end(&mut head).with_context(|| format!("cannot read {}", path.display()))?;
    let named = name_of(path)?;
    if named.ends_with(".so") || named.contains(".so.") {
        return Ok(Some(Code::Library));
    }
    if !head.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    // Programs are position-independent nowadays, and of that type, too; a library is called one.
    let library = head.get(TYPE) == Some(&SHARED) && named.starts_with("lib");
    Ok(Some(if library { Code::Library } else { Code::Program }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use trapless_scratch::Folder;

    #[test]
    fn each_file_is_named_with_what_to_do() {
        let folder = Folder::new();
        folder.write("priv/lib/asn1rt_nif.so", "\x7fELF");
        folder.write("priv/lib/dyntrace.so", "\x7fELF");
        folder.write("priv/argon2_nif.so", "\x7fELF");
        folder.write("priv/replaced.so", "\x7fELF");
        folder.write("priv/bin/memsup", "\x7fELF");
        folder.write("priv/bin/tool", "\x7fELF");
        folder.write("priv/static/app.css", "body {}");
        let findings = look(&folder, |judge| {
            judge.linked.insert("asn1rt_nif".to_owned());
            judge.replaced.insert("lib/a-1/priv/replaced.so".to_owned());
        });
        assert_eq!(findings.problems.len(), 1);
        assert!(findings.problems[0].starts_with("lib/a-1/priv/argon2_nif.so is a shared library"));
        assert!(findings.problems[0].contains("--allow-native") && findings.problems[0].contains("--nif"));
        assert_eq!(findings.notes.len(), 2, "{:?}", findings.notes);
        assert!(findings.notes[0].contains("tool") && findings.notes[1].contains("dynamic tracing"));
        assert_eq!(findings.files.len(), 5, "all machine code stays out but what the system answers for");
    }

    /// A library of this host's compiler with glibc, and one that needs nothing.
    #[test]
    fn what_can_be_loaded_goes_in() {
        let folder = Folder::new();
        let source = folder.write("x.c", "int puts(const char *); int f(void) { return puts(\"x\"); }");
        let bare = folder.write("y.c", "int y(void) { return 1; }");
        std::fs::create_dir_all(folder.path().join("priv")).unwrap();
        for (source, name, more) in [(&source, "glibc.so", None), (&bare, "bare.so", Some("-nostdlib"))] {
            let made = folder.path().join("priv").join(name);
            let mut cc = Command::new("cc");
            cc.args(["-shared", "-fPIC"]).args(more).arg(source).arg("-o").arg(made);
            assert!(cc.status().unwrap().success());
        }
        let findings = look(&folder, |_| {});
        assert_eq!(findings.problems.len(), 1, "{:?}", findings.problems);
        assert!(findings.problems[0].contains("glibc.so") && findings.problems[0].contains("built for glibc"));
        assert_eq!(findings.files.len(), 1);
    }

    fn look(folder: &Folder, adjust: impl FnOnce(&mut Judge)) -> Findings {
        let libc = folder.write("libc.a", "!<arch>\n");
        let mut judge = Judge {
            linked: BTreeSet::new(),
            names: Names::of(&[], &libc).unwrap(),
            root: folder.path().canonicalize().unwrap(),
            replaced: BTreeSet::new(),
            no_syscalls: true,
        };
        adjust(&mut judge);
        let mut findings = Findings::default();
        judge.look_through(&folder.path().join("priv"), "lib/a-1/priv", &mut findings).unwrap();
        findings
    }
}
