//! Where the parts of a release are, however it was made: by rebar3, mix, systools or reltool.
//!
//! What all of them have in common is described in OTP's System Principles ("Releases", "Release Handling"): `lib/APP-VSN`,
//! `releases/VSN/` with a boot script, and the `.rel` file it was made from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use rootfs_recipe::tree::{list, name_of};

use crate::rel::Rel;

/// `.rel` files that come with OTP, and that tools put beside the release's own.
const NOT_THE_RELEASE: [&str; 4] = ["start_clean", "no_dot_erlang", "start_sasl", "start_all_example"];

/// A release on this host.
#[derive(Debug)]
pub struct Layout {
    /// Its top folder.
    pub root: PathBuf,
    /// `releases/VSN`.
    pub version: PathBuf,
    /// What it consists of.
    pub rel: Rel,
    /// The `.rel` file.
    pub rel_file: PathBuf,
    /// The boot script.
    pub boot: PathBuf,
    /// `vm.args` or, as a template, `vm.args.src`.
    pub vm_args: Option<Source>,
    /// `sys.config`, or `sys.config.src`.
    pub sys_config: Option<Source>,
    /// Whether `mix release` made it.
    pub mix: bool,
}

/// A file that may be a template.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Whether `${NAME}` in it stands for variables.
    pub template: bool,
}

impl Layout {
    /// Looks at the folder of a release.
    ///
    /// # Errors
    /// Says what is missing, and where a release is to be found.
    pub fn read(root: &Path) -> Result<Self> {
        ensure!(root.is_dir(), "there is no folder {}", root.display());
        let releases = root.join("releases");
        if !releases.is_dir() {
            bail!("{} is not a release: it has no folder releases/. {}", root.display(), advice(root));
        }
        let version = version_folder(&releases)?;
        let (rel_file, rel) = rel_of(&releases, &version)?;
        let boot = ["start", rel.name.as_str()].map(|name| version.join(format!("{name}.boot")));
        let boot = boot.into_iter().find(|path| path.is_file()).with_context(|| {
            format!("{} has no boot script: neither start.boot nor {}.boot", version.display(), rel.name)
        })?;
        let source = |name: &str| {
            let template = version.join(format!("{name}.src"));
            let plain = version.join(name);
            let found = if template.is_file() { (template, true) } else { (plain, false) };
            Some(Source { path: found.0, template: found.1 }).filter(|source| source.path.is_file())
        };
        let mix = rel.applications.iter().any(|application| application.name == "elixir")
            && (root.join("releases/COOKIE").is_file() || version.join("env.sh").is_file());
        Ok(Self {
            vm_args: source("vm.args"),
            sys_config: source("sys.config"),
            root: root.to_owned(),
            version,
            rel,
            rel_file,
            boot,
            mix,
        })
    }

    /// The version as the folder is called.
    ///
    /// # Errors
    /// The name is not UTF-8.
    pub fn version_name(&self) -> Result<&str> {
        name_of(&self.version)
    }
}

/// What to do with a folder that is none.
fn advice(root: &Path) -> &'static str {
    let has = |name: &str| root.join(name).exists();
    if has("mix.exs") {
        "It is a project: `MIX_ENV=prod mix release` makes a release of it, in _build/prod/rel/NAME"
    } else if has("rebar.config") {
        "It is a project: `rebar3 as prod release` makes a release of it, in _build/prod/rel/NAME"
    } else if has("ebin") || has("src") {
        "It is an application: `cargo xtask run --app DIR` takes it as it is"
    } else {
        "`rebar3 release` leaves one in _build/default/rel/NAME, `mix release` in _build/dev/rel/NAME"
    }
}

/// `releases/VSN`: the one that `start_erl.data` names, or the only one.
fn version_folder(releases: &Path) -> Result<PathBuf> {
    let data = releases.join("start_erl.data");
    if data.is_file() {
        let text = fs::read_to_string(&data).with_context(|| format!("cannot read {}", data.display()))?;
        let words: Vec<_> = text.split_whitespace().collect();
        let [_, version] = words[..] else {
            bail!(
                "{} should hold two words, the versions of ERTS and of the release; it holds {:?}",
                data.display(),
                text.trim()
            )
        };
        let folder = releases.join(version);
        ensure!(
            folder.is_dir(),
            "{} names the version {version}, and {} is not there",
            data.display(),
            folder.display()
        );
        return Ok(folder);
    }
    let is_version = |path: &PathBuf| list(path).is_ok_and(|files| files.iter().any(|file| has_ending(file, "boot")));
    let mut folders: Vec<_> = list(releases)?.into_iter().filter(|path| path.is_dir() && is_version(path)).collect();
    match folders.len() {
        1 => Ok(folders.remove(0)),
        0 => bail!("{} holds no version with a boot script (releases/VSN/start.boot)", releases.display()),
        _ => bail!(
            "{} holds {} versions and no start_erl.data to say which: write one, a line `ERTS-VERSION RELEASE-VERSION`",
            releases.display(),
            folders.len()
        ),
    }
}

/// The `.rel` file of a version, beside the boot script or above it.
fn rel_of(releases: &Path, version: &Path) -> Result<(PathBuf, Rel)> {
    let name = name_of(version)?;
    let mut found = Vec::new();
    for folder in [version, releases] {
        for file in list(folder)?.into_iter().filter(|file| has_ending(file, "rel")) {
            let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if NOT_THE_RELEASE.contains(&stem) {
                continue;
            }
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let rel = Rel::parse(&text).with_context(|| format!("{} is not a .rel file", file.display()))?;
            found.push((file, rel));
        }
    }
    let best = found.iter().position(|(_, rel)| rel.version == name).unwrap_or(0);
    ensure!(
        !found.is_empty(),
        "{} has no .rel file, which says of what applications the release consists: copy the one it was made from there",
        version.display()
    );
    Ok(found.swap_remove(best))
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    const REL: &str = "{release,{\"demo\",\"1.0\"},{erts,\"15.2.7\"},[{kernel,\"10.2\"}]}.";

    fn read(files: &[(&str, &str)]) -> Result<Layout, String> {
        let folder = Folder::new();
        for (path, content) in files {
            folder.write(path, content);
        }
        Layout::read(folder.path()).map_err(|error| format!("{error:#}"))
    }

    fn wrong(files: &[(&str, &str)], words: &str) {
        let error = read(files).unwrap_err();
        assert!(error.contains(words), "{words:?} is not in: {error}");
    }

    #[test]
    fn the_layouts_of_the_tools_are_read() {
        let systools = read(&[("releases/demo.rel", REL), ("releases/1.0/start.boot", "")]).unwrap();
        assert_eq!((systools.rel.name.as_str(), systools.vm_args, systools.mix), ("demo", None, false));
        let relx = read(&[
            ("releases/start_erl.data", "15.2.7 1.0\n"),
            ("releases/0.9/start.boot", ""),
            ("releases/1.0/demo.rel", REL),
            ("releases/1.0/start_clean.rel", "no .rel file"),
            ("releases/1.0/demo.boot", ""),
            ("releases/1.0/vm.args", ""),
            ("releases/1.0/vm.args.src", ""),
            ("releases/1.0/sys.config", ""),
        ])
        .unwrap();
        assert!(relx.boot.ends_with("releases/1.0/demo.boot"));
        assert!(relx.vm_args.is_some_and(|source| source.template));
        assert!(relx.sys_config.is_some_and(|source| !source.template));
    }

    #[test]
    fn what_is_no_release_is_told_what_to_do() {
        let error = Layout::read(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.contains("no folder /nowhere"), "{error}");
        wrong(&[("mix.exs", "")], "`MIX_ENV=prod mix release`");
        wrong(&[("rebar.config", "")], "`rebar3 as prod release`");
        wrong(&[("src/a.erl", "")], "`cargo xtask run --app DIR`");
        wrong(&[("readme", "")], "_build/default/rel/NAME");
    }

    #[test]
    fn a_version_is_found_or_asked_for() {
        wrong(&[("releases/readme", "")], "holds no version with a boot script");
        wrong(
            &[("releases/1/start.boot", ""), ("releases/2/start.boot", "")],
            "holds 2 versions and no start_erl.data",
        );
        wrong(&[("releases/start_erl.data", "15.2.7")], "should hold two words");
        wrong(&[("releases/start_erl.data", "15.2.7 1.0")], "names the version 1.0, and");
    }

    #[test]
    fn what_a_version_lacks_is_named() {
        wrong(&[("releases/1.0/start.boot", "")], "has no .rel file");
        wrong(&[("releases/1.0/start.boot", ""), ("releases/1.0/demo.rel", "{x}.")], "demo.rel is not a .rel file");
        let rel = ("releases/1.0/demo.rel", REL);
        wrong(&[("releases/start_erl.data", "15.2.7 1.0"), rel], "neither start.boot nor demo.boot");
    }
}
