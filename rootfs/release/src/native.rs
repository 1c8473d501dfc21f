//! Machine code in a release: nothing here can load it, unless it is in the emulator already.
//!
//! The image has no dynamic linker. NIFs that were linked into the emulator are found there by `erlang:load_nif/2` under the name of
//! their file, so their files are not needed.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use object::{Object, ObjectSymbol};
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

/// Looks through a folder for machine code. `shown` is what to call the folder.
///
/// # Errors
/// Something in it cannot be read.
pub fn look_through(folder: &Path, shown: &str, linked: &BTreeSet<String>, findings: &mut Findings) -> Result<()> {
    for path in list(folder)? {
        let shown = format!("{shown}/{}", name_of(&path)?);
        if path.is_dir() {
            look_through(&path, &shown, linked, findings)?;
        } else {
            look_at(&path, &shown, linked, findings)?;
        }
    }
    Ok(())
}

/// The same for one file. Whether it is machine code that stays out.
///
/// # Errors
/// It cannot be read.
pub fn look_at(path: &Path, shown: &str, linked: &BTreeSet<String>, findings: &mut Findings) -> Result<bool> {
    let Some(code) = code_of(path)?.filter(|_| !is_built_in(path)) else { return Ok(false) };
    judge(path, shown, code, linked, findings);
    findings.files.insert(path.to_owned());
    Ok(true)
}

fn is_built_in(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| BUILT_IN.contains(&name))
}

fn judge(path: &Path, shown: &str, code: Code, linked: &BTreeSet<String>, findings: &mut Findings) {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    if code == Code::Program {
        findings.notes.push(format!("{shown} is a program: it is left out, for there is nothing that could run it"));
    } else if linked.contains(name) {
        // The emulator has it.
    } else if let Some((_, what)) = OPTIONAL.iter().find(|(library, _)| *library == name) {
        findings.notes.push(format!("{shown} is left out: {what} will not work"));
    } else {
        findings.problems.push(format!(
            "{shown} is a shared library, and the image cannot load any: use an application that does without it, or \
             --allow-native to leave it out (whoever calls it then gets an error from erlang:load_nif/2)"
        ));
    }
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
    use crate::testing::Folder;

    #[test]
    fn each_file_is_named_with_what_to_do() {
        let folder = Folder::new();
        folder.write("priv/lib/asn1rt_nif.so", "\x7fELF");
        folder.write("priv/lib/dyntrace.so", "\x7fELF");
        folder.write("priv/argon2_nif.so", "\x7fELF");
        folder.write("priv/bin/memsup", "\x7fELF");
        folder.write("priv/bin/tool", "\x7fELF");
        folder.write("priv/static/app.css", "body {}");
        let linked = BTreeSet::from(["asn1rt_nif".to_owned()]);
        let mut findings = Findings::default();
        look_through(&folder.path().join("priv"), "lib/a-1/priv", &linked, &mut findings).unwrap();
        assert_eq!(findings.problems.len(), 1);
        assert!(findings.problems[0].starts_with("lib/a-1/priv/argon2_nif.so is a shared library"));
        assert!(findings.problems[0].contains("--allow-native"));
        assert_eq!(findings.notes.len(), 2, "{:?}", findings.notes);
        assert!(findings.notes[0].contains("tool") && findings.notes[1].contains("dynamic tracing"));
        assert_eq!(findings.files.len(), 4, "all machine code stays out but what the system answers for");
    }
}
