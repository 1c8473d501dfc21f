//! How the release is started: what its own start script would do, for that script is not run here.
//!
//! The arguments end up in the image as `trapless_logic::layers` reads them, emulator flags and all; the library OS sorts them as
//! erlexec would.

use std::fs;

use anyhow::{Context, Result, ensure};
use trapless_logic::{cmdline::split_words, erl_args::ErlArgs, layers};

use crate::{
    layout::{Layout, Source},
    words,
};

/// Where the release is in the image: `$ROOT` of its boot script.
pub const ROOT: &str = "/otp";

/// Variables that make a start script of relx replace variables in `vm.args` and `sys.config`.
const REPLACE: [&str; 2] = ["RELX_REPLACE_OS_VARS", "REPLACE_OS_VARS"];

/// What the user adds to a release.
#[derive(Debug, Default, Clone)]
pub struct Additions {
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// Arguments as for `erl`, quoted as in a shell.
    pub args: String,
    /// Start with a shell.
    pub shell: bool,
}

impl Additions {
    fn check_env(&self) -> Result<()> {
        for setting in &self.env {
            let named = setting.split_once('=').is_some_and(|(name, _)| !name.is_empty());
            ensure!(named && !setting.contains('\n'), "--env takes NAME=VALUE on one line, not {setting:?}");
        }
        Ok(())
    }

    fn words(&self) -> Result<Vec<String>> {
        let words = split_words(&self.args).map_err(|error| anyhow::anyhow!("--args: {error}"))?;
        check(&words).context("--args")?;
        Ok(words)
    }
}

/// The start of a release.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Arguments in which the library OS replaces variables.
    pub template: Vec<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// The environment.
    pub env: Vec<String>,
    /// Whether `sys.config` is made from a template at boot.
    pub configured_at_boot: bool,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Start {
    /// Works out how `layout` is started.
    ///
    /// # Errors
    /// What of `vm.args` or of the additions cannot be done, or cannot be read.
    pub fn of(layout: &Layout, additions: &Additions) -> Result<Self> {
        let mut start = Self::default();
        let (mut first, mut last): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        let version = format!("{ROOT}/releases/{}", layout.version_name()?);
        first.extend(["-boot".to_owned(), format!("{version}/start")]);
        if layout.sys_config.is_some() {
            first.extend(["-config".into(), format!("{version}/sys")]);
        }
        if !additions.shell {
            first.push("-noshell".into());
        }
        if layout.mix {
            start.notes.extend(crate::mix::set_up(layout, additions, &mut start.env, &mut first, &mut last)?);
        } else {
            first.extend(["-mode", "embedded"].map(String::from));
            let names = [
                ("RELEASE_NAME", &*layout.rel.name),
                ("RELEASE_VSN", &*layout.rel.version),
                ("RELEASE_ROOT_DIR", ROOT),
            ];
            start.env.extend(names.map(|(name, value)| format!("{name}={value}")));
        }
        additions.check_env()?;
        start.env = layers::environment(start.env.iter().chain(&additions.env).map(String::as_str));

        let asked = REPLACE.iter().any(|name| layers::value(&start.env, name) == Some("true"));
        start.configured_at_boot = layout.sys_config.as_ref().is_some_and(|source| source.template || asked);
        let given = layout.vm_args.as_ref().map(read_vm_args).transpose()?.unwrap_or_default();
        let added = additions.words()?;
        if asked || layout.vm_args.as_ref().is_some_and(|source| source.template) {
            start.template = layers::merge(vec![first, given, last]);
            start.args = added;
        } else {
            start.args = layers::merge(vec![first, given, last, added]);
        }
        Ok(start)
    }

    /// The start of what is no release: nothing but what the user adds.
    ///
    /// # Errors
    /// What of the additions cannot be read.
    pub fn plain(additions: &Additions) -> Result<Self> {
        additions.check_env()?;
        let first = if additions.shell { Vec::new() } else { vec!["-noshell".to_owned()] };
        let env = layers::environment(additions.env.iter().map(String::as_str));
        Ok(Self { args: layers::merge(vec![first, additions.words()?]), env, ..Self::default() })
    }

    /// The files that carry it, by their path in the archive.
    pub fn files(&self, version: &str) -> Vec<(&'static str, String)> {
        let lines = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let mut files = vec![(layers::ENV, lines(&self.env))];
        let lists = [(layers::TEMPLATE, &self.template), (layers::ARGS, &self.args)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        files.extend(lists.map(|(path, list)| (path, words::to_file(list))));
        if self.configured_at_boot {
            files.push((layers::TEMPLATES, format!("{}/releases/{version}/sys.config\n", &ROOT[1..])));
        }
        files
    }
}

fn read_vm_args(source: &Source) -> Result<Vec<String>> {
    let shown = source.path.display();
    let text = fs::read_to_string(&source.path).with_context(|| format!("cannot read {shown}"))?;
    let words = words::of_vm_args(&text).with_context(|| format!("{shown} cannot be read"))?;
    check(&words).with_context(|| format!("{shown}"))?;
    Ok(words)
}

/// Whether the library OS will take these arguments.
fn check(words: &[String]) -> Result<()> {
    ErlArgs::parse(words).map(drop).map_err(|error| anyhow::anyhow!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    fn release(folder: &Folder, vm_args: &str, name: &str) -> Layout {
        folder.write("releases/1.0/start.boot", "");
        folder.write("releases/1.0/demo.rel", "{release,{\"demo\",\"1.0\"},{erts,\"15.2.7\"},[{kernel,\"10.2\"}]}.");
        folder.write("releases/1.0/sys.config", "[].");
        folder.write(&format!("releases/1.0/{name}"), vm_args);
        Layout::read(folder.path()).unwrap()
    }

    fn start(vm_args: &str, additions: &Additions) -> Result<Start> {
        let folder = Folder::new();
        Start::of(&release(&folder, vm_args, "vm.args"), additions)
    }

    #[test]
    fn the_image_starts_what_the_script_would() {
        let additions = Additions { env: vec!["A=1".into()], args: "-demo port 8080".into(), shell: false };
        let start = start("+P 5000\n-sname demo\n-setcookie secret\n", &additions).unwrap();
        let args = start.args.join(" ");
        assert!(args.starts_with(
            "-boot /otp/releases/1.0/start -config /otp/releases/1.0/sys -noshell -mode embedded +P 5000"
        ));
        assert!(
            args.ends_with("-sname demo -setcookie secret -demo port 8080 -start_epmd false -erl_epmd_port 4370"),
            "{args}"
        );
        assert!(start.env.contains(&"A=1".to_owned()) && start.env.contains(&"RELEASE_NAME=demo".to_owned()));
        let files = start.files("1.0");
        assert_eq!(files.len(), 2, "{files:?}");
    }

    #[test]
    fn vm_args_win_over_what_is_usual() {
        let start = start("-mode interactive\n", &Additions { shell: true, ..Additions::default() }).unwrap();
        assert!(!start.args.join(" ").contains("embedded"), "{:?}", start.args);
        assert!(!start.args.contains(&"-noshell".to_owned()));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_words() {
        let error = format!("{:#}", start("-detached\n", &Additions::default()).unwrap_err());
        assert!(error.contains("vm.args") && error.contains("-detached is not possible"), "{error}");
        assert!(start("-heart\n", &Additions::default()).unwrap().args.contains(&"-heart".to_owned()));
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |vm_args: &str, env: &str, args: &str| {
            let additions = Additions { env: vec![env.into()], args: args.into(), shell: false };
            format!("{:#}", start(vm_args, &additions).unwrap_err())
        };
        assert!(wrong("+I 1", "A=1", "").contains("+I: there is no such emulator flag"));
        assert!(wrong("-x 'open", "A=1", "").contains("line 1: the ' is never closed"));
        assert!(wrong("", "A", "").contains("--env takes NAME=VALUE"));
        assert!(wrong("", "A=1", "'x").contains("--args: the quote"));
    }

    #[test]
    fn templates_are_left_to_the_boot() {
        let folder = Folder::new();
        let layout = release(&folder, "-name ${NODE}\n", "vm.args.src");
        let start = Start::of(&layout, &Additions { args: "-x ${Y}".into(), ..Additions::default() }).unwrap();
        assert!(start.template.contains(&"${NODE}".to_owned()) && !start.configured_at_boot);
        assert_eq!(start.args, ["-x", "${Y}"], "what is added by hand is no template");
        let env = vec!["RELX_REPLACE_OS_VARS=true".to_owned()];
        let folder = Folder::new();
        let layout = release(&folder, "-name ${NODE}\n", "vm.args");
        let start = Start::of(&layout, &Additions { env, ..Additions::default() }).unwrap();
        assert!(start.configured_at_boot && start.args.is_empty());
        assert!(
            start
                .files("1.0")
                .iter()
                .any(|(path, text)| *path == layers::TEMPLATES && text == "otp/releases/1.0/sys.config\n")
        );
    }
}
