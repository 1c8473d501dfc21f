//! What a `rebar.config` says about native code: `port_specs` and `port_env`, as rebar2 and rebar3's plugin pc read them.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use rootfs_recipe::term::{self, Term};

use crate::{described::expand, project::Library};

/// The libraries of `port_specs`; None if there are none.
///
/// # Errors
/// The file has them and cannot be understood; a source is not there.
pub fn libraries(folder: &Path) -> Result<Option<Vec<Library>>> {
    let path = folder.join("rebar.config");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
    if !text.contains("port_specs") {
        return Ok(None);
    }
    let advice =
        || format!("{} cannot be understood: describe its libraries in a nif.toml (docs/nifs.md)", path.display());
    let terms = Term::List(term::read(&text).with_context(advice)?);
    let Some(specs) = terms.get("port_specs").and_then(Term::list) else { return Ok(None) };
    let flags = flags(&terms);
    let libraries = specs.iter().filter_map(|spec| library(folder, spec, &flags)).collect::<Result<Vec<_>>>();
    Ok(Some(libraries.with_context(|| path.display().to_string())?))
}

/// One of `port_specs`: `{File, Sources}`, or `{System, File, Sources}`, or the same with options; None if it is for another system.
fn library(folder: &Path, spec: &Term, flags: &[String]) -> Option<Result<Library>> {
    let (file, sources) = match spec.tuple()? {
        [file, sources] => (file, sources),
        [system, file, sources, ..] if is_ours(system.text()?) => (file, sources),
        _ => return None,
    };
    let file = file.text()?.trim_start_matches("./");
    let stem = file.strip_suffix(".so").or_else(|| file.strip_suffix(".dll")).unwrap_or(file);
    let patterns: Vec<String> = match sources {
        Term::Text(one) => vec![one.clone()],
        sources => sources.list()?.iter().filter_map(|source| Some(source.text()?.to_owned())).collect(),
    };
    let made = expand(folder, &patterns).map(|sources| Library {
        file: format!("{stem}.so"),
        sources,
        flags: flags.to_vec(),
        ..Library::default()
    });
    Some(made)
}

/// Whether a pattern for a system's name matches ours.
fn is_ours(pattern: &str) -> bool {
    pattern.is_empty() || pattern == ".*" || pattern.contains("linux") || pattern.contains("unix")
}

/// Of the compiler's flags in `port_env`, those that say what the source means: `-I`, `-D`, `-U`, `-std`. A folder that begins at the root has
/// headers for this host.
fn flags(terms: &Term) -> Vec<String> {
    const VARIABLES: [&str; 5] = ["CFLAGS", "CXXFLAGS", "DRV_CFLAGS", "DRV_CXXFLAGS", "CPPFLAGS"];
    let entries = terms.get("port_env").and_then(Term::list).unwrap_or_default();
    let values = entries.iter().filter_map(|entry| {
        let (name, value) = match entry.tuple()? {
            [name, value] => (name, value),
            [system, name, value] if is_ours(system.text()?) => (name, value),
            _ => return None,
        };
        VARIABLES.contains(&name.text()?).then(|| value.text())?
    });
    let words = values.flat_map(str::split_whitespace);
    let wanted = |word: &&str| {
        ["-I", "-D", "-U", "-std="].iter().any(|start| word.starts_with(start))
            && !word.starts_with("-I/")
            && !word.contains('$')
    };
    let mut flags: Vec<String> = words.filter(wanted).map(str::to_owned).collect();
    flags.dedup();
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    #[test]
    fn port_specs_are_followed() {
        let folder = Folder::new();
        folder.write(
            "rebar.config",
            r#"{port_specs, [{"priv/a.so", ["c_src/*.c", "c_src/x/*.cc"]},
                {"win32", "priv/a.dll", ["c_src/win.c"]}, {"(linux|darwin)", "./priv/lib/b", ["c_src/a.c"]}]}.
               {port_env, [{".*", "FLAG", ""}, {"(linux|solaris)", "CFLAGS", "-Ic_src/ -I/usr/local/include -g -Wall $FLAG -DX"},
                {"darwin", "CFLAGS", "-DMAC"}, {"CXXFLAGS", "-std=c++14 -O3"}]}."#,
        );
        folder.write("c_src/a.c", "");
        folder.write("c_src/x/b.cc", "");
        let found = libraries(folder.path()).unwrap().unwrap();
        assert_eq!(found.iter().map(|one| &*one.file).collect::<Vec<_>>(), ["priv/a.so", "priv/lib/b.so"]);
        assert_eq!(found[0].sources.len(), 2);
        assert_eq!(found[0].flags, ["-Ic_src/", "-DX", "-std=c++14"]);
    }

    #[test]
    fn without_them_nothing_is_said() {
        let folder = Folder::new();
        assert!(libraries(folder.path()).unwrap().is_none());
        folder.write("rebar.config", "{erl_opts, [fun() -> ok end]}.");
        assert!(libraries(folder.path()).unwrap().is_none());
        folder.write("rebar.config", "{port_specs, fun() -> ok end}.");
        assert!(format!("{:#}", libraries(folder.path()).unwrap_err()).contains("nif.toml"));
    }
}
