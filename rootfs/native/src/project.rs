//! What the sources in a folder are to become.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use rootfs_recipe::tree::{list, name_of};

use crate::{described, rebar};

/// How the names of sources end.
const C: [&str; 1] = ["c"];
const CXX: [&str; 3] = ["cc", "cpp", "cxx"];
/// The macros by which a source becomes a library that Erlang loads (erl_nif(3), erl_driver(3)).
const ENTRIES: [&str; 2] = ["ERL_NIF_INIT", "DRIVER_INIT"];

/// One shared library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    /// Where it lies in its application, such as `priv/NAME.so`.
    pub file: String,
    /// Its sources.
    pub sources: Vec<PathBuf>,
    /// Static libraries that it is linked with.
    pub archives: Vec<PathBuf>,
    /// Folders with headers, beside the usual ones.
    pub include: Vec<PathBuf>,
    /// Further arguments for the compiler.
    pub flags: Vec<String>,
}

/// The native code of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The application's name.
    pub application: String,
    /// The folder.
    pub folder: PathBuf,
    /// The libraries.
    pub libraries: Vec<Library>,
}

impl Project {
    /// Reads what `--nif` was given: `DIR`, or `APPLICATION=DIR`.
    ///
    /// A `nif.toml` in the folder says what is made of what; else `port_specs` of a `rebar.config` do; else each source with `ERL_NIF_INIT`
    /// or `DRIVER_INIT` becomes a library of its own name, together with the other sources of its folder.
    ///
    /// # Errors
    /// There is no such folder, there are no sources in it, or what is written there cannot be understood.
    pub fn read(given: &str) -> Result<Self> {
        let (name, folder) = match given.split_once('=') {
            Some((name, folder)) if !name.contains('/') => (Some(name.to_owned()), folder),
            _ => (None, given),
        };
        let folder = Path::new(folder);
        let folder =
            folder.canonicalize().with_context(|| format!("there is no folder {} (--nif)", folder.display()))?;
        ensure!(folder.is_dir(), "{} is no folder: --nif takes the folder with the sources", folder.display());
        let described = described::read(&folder)?;
        let (own_name, libraries) = match described {
            Some(described) => (described.application, described.libraries),
            None => (None, rebar::libraries(&folder)?.map_or_else(|| by_macro(&folder), Ok)?),
        };
        let application = match name.or(own_name) {
            Some(name) => name,
            None => application_of(&folder)?,
        };
        ensure!(!libraries.is_empty(), "{} makes no library", folder.display());
        for library in &libraries {
            ensure!(!library.sources.is_empty(), "{}: there are no sources for {}", folder.display(), library.file);
        }
        Ok(Self { application, folder, libraries })
    }
}

/// Whether it is a source, and of which language.
pub fn is_cxx(path: &Path) -> Option<bool> {
    let ending = path.extension()?.to_str()?;
    if C.contains(&ending) { Some(false) } else { CXX.contains(&ending).then_some(true) }
}

/// The name of the application whose folder it is, by its `.app` file, its source, mix's project, or the folder's own name.
fn application_of(folder: &Path) -> Result<String> {
    // Given is perhaps only the part with the sources.
    let top = if folder.ends_with("c_src") { folder.parent().unwrap_or(folder) } else { folder };
    for place in [top.join("ebin"), top.join("src"), top.to_owned()] {
        if !place.is_dir() {
            continue;
        }
        for file in list(&place)? {
            let name = name_of(&file)?;
            if let Some(name) = name.strip_suffix(".app").or_else(|| name.strip_suffix(".app.src")) {
                return Ok(name.to_owned());
            }
        }
    }
    if let Ok(mix) = fs::read_to_string(top.join("mix.exs"))
        && let Some(name) = mix.split("app:").nth(1).and_then(|rest| rest.trim_start().strip_prefix(':'))
    {
        return Ok(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
    }
    Ok(name_of(top)?.split('-').next().unwrap_or_default().to_owned())
}

/// Libraries by the macros in the sources of `c_src`, or of the folder itself.
fn by_macro(folder: &Path) -> Result<Vec<Library>> {
    for place in [folder.join("c_src"), folder.to_owned()] {
        let sources = if place.is_dir() { sources_in(&place)? } else { Vec::new() };
        if sources.is_empty() {
            continue;
        }
        let (entries, common): (Vec<_>, Vec<_>) = sources.into_iter().partition(|source| has_entry(source));
        ensure!(
            !entries.is_empty(),
            "none of the sources in {} has {}: name the library they make in a nif.toml (docs/nifs.md)",
            place.display(),
            ENTRIES.join(" or ")
        );
        return entries
            .into_iter()
            .map(|entry| {
                let stem = entry.file_stem().and_then(|stem| stem.to_str()).context("a source's name is not UTF-8")?;
                let file = place_of(folder, stem)?;
                Ok(Library { file, sources: [vec![entry], common.clone()].concat(), ..Library::default() })
            })
            .collect();
    }
    bail!("{} has no sources in C or C++ (*.c, *.cc, *.cpp), nor has a c_src in it", folder.display())
}

fn has_entry(source: &Path) -> bool {
    fs::read(source).is_ok_and(|text| {
        ENTRIES.iter().any(|entry| text.windows(entry.len()).any(|window| window == entry.as_bytes()))
    })
}

/// The sources right in a folder.
pub fn sources_in(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(list(folder)?.into_iter().filter(|path| path.is_file() && is_cxx(path).is_some()).collect())
}

/// Where in `priv` the library of this name lies that an earlier build has left; right in it if there is none.
fn place_of(folder: &Path, stem: &str) -> Result<String> {
    fn search(folder: &Path, name: &str, at: &str) -> Result<Option<String>> {
        for entry in list(folder)? {
            let path = format!("{at}/{}", name_of(&entry)?);
            if entry.is_dir() {
                if let Some(found) = search(&entry, name, &path)? {
                    return Ok(Some(found));
                }
            } else if name_of(&entry)? == name {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
    let (name, private) = (format!("{stem}.so"), folder.join("priv"));
    let found = if private.is_dir() { search(&private, &name, "priv")? } else { None };
    Ok(found.unwrap_or_else(|| format!("priv/{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    fn read(folder: &Folder) -> Result<Project> {
        Project::read(folder.path().to_str().unwrap())
    }

    #[test]
    fn each_source_with_the_macro_is_a_library() {
        let folder = Folder::new();
        folder.write("src/demo.app.src", "{application, demo, []}.");
        folder.write("c_src/one.c", "ERL_NIF_INIT(one, f, 0, 0, 0, 0)");
        folder.write("c_src/two.cc", "DRIVER_INIT(two)");
        folder.write("c_src/help.c", "int help;");
        folder.write("priv/lib/two.so", "");
        let project = read(&folder).unwrap();
        assert_eq!(project.application, "demo");
        let files: Vec<_> = project.libraries.iter().map(|library| library.file.as_str()).collect();
        assert_eq!(files, ["priv/one.so", "priv/lib/two.so"]);
        assert!(project.libraries.iter().all(|library| library.sources.len() == 2));
    }

    #[test]
    fn the_application_is_found_or_given() {
        let folder = Folder::new();
        folder.write("c_src/x.c", "ERL_NIF_INIT");
        folder.write("mix.exs", "def project do\n [app: :argon, version: 1]");
        assert_eq!(read(&folder).unwrap().application, "argon");
        let given = |name: &str, part: &str| Project::read(&format!("{name}={}{part}", folder.path().display()));
        assert_eq!(given("other", "").unwrap().application, "other");
        assert_eq!(Project::read(&format!("{}/c_src", folder.path().display())).unwrap().application, "argon");
    }

    #[test]
    fn what_makes_nothing_says_so() {
        let folder = Folder::new();
        folder.write("src/a.erl", "");
        let error = read(&folder).unwrap_err().to_string();
        assert!(error.contains("no sources in C or C++"), "{error}");
        folder.write("a.c", "int a;");
        let error = read(&folder).unwrap_err().to_string();
        assert!(error.contains("ERL_NIF_INIT") && error.contains("nif.toml"), "{error}");
        let error = Project::read("/nowhere/at/all").unwrap_err().to_string();
        assert!(error.contains("there is no folder"), "{error}");
    }
}
