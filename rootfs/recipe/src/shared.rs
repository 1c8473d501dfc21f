//! Shared libraries: those that were made for the image, and what all of them ask for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use object::{Object, ObjectSymbol};

use crate::{
    required,
    tree::{Tree, list, name_of, read},
};

/// The environment variable that names a folder of libraries to put in, see [`add`].
pub const NIFS_VARIABLE: &str = "TRAPLESS_NIFS";

/// Adds libraries to the applications they belong to, in the place of those that are there already. `folder` has a folder for each
/// application, by its name, and in that the files as they are to lie (`priv/NAME.so`). An application is where its `.app` file is.
///
/// # Errors
/// There is no such application; something cannot be read.
pub fn add(tree: &mut Tree, folder: &Path) -> Result<()> {
    tree.note_source(folder);
    let described = required::descriptions(tree);
    let known: BTreeMap<_, _> = described.iter().filter_map(|path| path.rsplit_once("/ebin/")).collect();
    for application in list(folder)? {
        let name = name_of(&application)?;
        let is_its = |file: &str| file.strip_suffix(".app") == Some(name);
        let places: Vec<_> = known.iter().filter(|(_, file)| is_its(file)).map(|(place, _)| *place).collect();
        let all = || known.values().filter_map(|file| file.strip_suffix(".app")).collect::<Vec<_>>().join(", ");
        ensure!(
            !places.is_empty(),
            "a library is for the application {name} (--nif), which is not put in: give it with --app, --files or --release, or say \
             whose library it is by --nif APPLICATION=DIR. There are {}",
            all()
        );
        for (path, file) in files(&application, "")? {
            for place in &places {
                tree.replace_file(&format!("{place}/{path}"), read(&file)?)?;
            }
            tree.note_source(&file);
        }
    }
    Ok(())
}

/// The files that [`add`] puts into an application, as paths below `at`.
///
/// # Errors
/// Something cannot be read.
pub fn of(folder: &Path, application: &str, at: &str) -> Result<BTreeSet<String>> {
    let own = folder.join(application);
    let found = if own.is_dir() { files(&own, "")? } else { Vec::new() };
    Ok(found.into_iter().map(|(path, _)| format!("{at}/{path}")).collect())
}

/// All files below a folder, with their paths from there.
fn files(folder: &Path, at: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in list(folder)? {
        let path = format!("{at}{}", name_of(&entry)?);
        if entry.is_dir() {
            found.extend(files(&entry, &format!("{path}/"))?);
        } else {
            found.push((path, entry));
        }
    }
    ensure!(!found.is_empty() || !at.is_empty(), "there is nothing in {}", folder.display());
    Ok(found)
}

/// The names that the shared libraries of an archive ask others for.
pub fn imports(archive: &[u8]) -> BTreeSet<String> {
    let is_library =
        |entry: &cpio_reader::Entry<'_>| entry.name().contains(".so") && entry.file().starts_with(b"\x7fELF");
    cpio_reader::iter_files(archive).filter(is_library).flat_map(|entry| undefined(entry.file())).collect()
}

/// The names that a library asks others for; none if it is no library that can be read, which is not found out here.
pub fn undefined(library: &[u8]) -> BTreeSet<String> {
    let Ok(file) = object::File::parse(library) else { return BTreeSet::new() };
    let names = file.dynamic_symbols().filter(|symbol| symbol.is_undefined());
    names.filter_map(|symbol| Some(symbol.name().ok().filter(|name| !name.is_empty())?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_library_goes_to_its_application() {
        let folder = std::env::temp_dir().join(format!("trapless-shared-{}", std::process::id()));
        fs::create_dir_all(folder.join("demo/priv/lib")).unwrap();
        fs::write(folder.join("demo/priv/lib/x.so"), "new").unwrap();
        let mut tree = Tree::default();
        tree.add_file("otp/lib/demo-1.0/ebin/demo.app", Vec::new()).unwrap();
        tree.add_file("otp/lib/demo-1.0/priv/lib/x.so", b"old".to_vec()).unwrap();
        tree.add_file("usr/lib/erlang/lib/p1_demo/ebin/demo.app", Vec::new()).unwrap();
        tree.add_file("otp/lib/other-2/ebin/other.app", Vec::new()).unwrap();
        add(&mut tree, &folder).unwrap();
        for place in ["otp/lib/demo-1.0", "usr/lib/erlang/lib/p1_demo"] {
            assert_eq!(tree.file(&format!("{place}/priv/lib/x.so")), Some(&b"new"[..]), "{place}");
        }
        assert_eq!(tree.file("otp/lib/other-2/priv/lib/x.so"), None);
        let mut tree = Tree::default();
        tree.add_file("otp/lib/other-2/ebin/other.app", Vec::new()).unwrap();
        let error = add(&mut tree, &folder).unwrap_err().to_string();
        assert!(error.contains("application demo") && error.contains("There are other"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_no_library_asks_for_nothing() {
        assert!(undefined(b"").is_empty() && undefined(b"\x7fELF and no more").is_empty());
    }
}
