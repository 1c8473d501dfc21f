//! What the start script of `mix release` adds: the environment that Elixir's configuration reads, and its own start.
//!
//! The script is `bin/NAME` of a release (Elixir's `lib/mix/lib/mix/tasks/release.init.ex`), which runs `releases/VSN/elixir`, which
//! runs `erl`; `env.sh` is read by it before.

use std::fs;

use anyhow::{Context, Result, ensure};
use trapless_logic::layers;

use crate::{
    layout::Layout,
    start::{Additions, ROOT},
};

/// Adds to environment and arguments; returns what the user should know.
pub fn set_up(
    layout: &Layout,
    additions: &Additions,
    env: &mut Vec<String>,
    first: &mut Vec<String>,
    last: &mut Vec<String>,
) -> Result<Vec<String>> {
    let (name, version) = (&layout.rel.name, layout.version_name()?);
    let folder = format!("{ROOT}/releases/{version}");
    let cookie = read(layout, "releases/COOKIE")?.unwrap_or_default();
    for (variable, value) in [
        ("RELEASE_ROOT", ROOT),
        ("RELEASE_NAME", name),
        ("RELEASE_VSN", version),
        ("RELEASE_COMMAND", if additions.shell { "start_iex" } else { "start" }),
        ("RELEASE_PROG", name),
        ("RELEASE_MODE", "embedded"),
        ("RELEASE_COOKIE", cookie.trim()),
        ("RELEASE_NODE", name),
        ("RELEASE_DISTRIBUTION", "sname"),
        ("RELEASE_BOOT_SCRIPT", "start"),
        ("RELEASE_TMP", "/tmp"),
        ("RELEASE_VM_ARGS", &format!("{folder}/vm.args")),
        // Files can be written here, so the script's copy in RELEASE_TMP is not needed.
        ("RELEASE_SYS_CONFIG", &format!("{folder}/sys")),
    ] {
        env.push(format!("{variable}={value}"));
    }
    let mut notes = Vec::new();
    if let Some(text) = read(layout, &format!("releases/{version}/env.sh"))? {
        let (set, left) = exports(&text);
        env.extend(set);
        notes.extend(left.into_iter().map(|(line, text)| {
            format!(
                "releases/{version}/env.sh, line {line}: {text:?} is for a shell, and there is none; set variables by --env, \
                 or when the machine is started"
            )
        }));
    }
    // What the user sets decides what the script would do with it.
    let all = layers::environment(env.iter().chain(&additions.env).map(String::as_str));
    let value = |name| layers::value(&all, name).unwrap_or_default().to_owned();
    match value("RELEASE_DISTRIBUTION").as_str() {
        "none" => {}
        kind @ ("name" | "sname") => first.extend([format!("-{kind}"), value("RELEASE_NODE")]),
        other => anyhow::bail!("RELEASE_DISTRIBUTION is {other:?}; it takes name, sname or none"),
    }
    let cookie = value("RELEASE_COOKIE");
    if !cookie.is_empty() {
        first.extend(["-setcookie".into(), cookie]);
    }
    let mode = value("RELEASE_MODE");
    ensure!(
        matches!(mode.as_str(), "embedded" | "interactive"),
        "RELEASE_MODE is {mode:?}; it takes embedded or interactive"
    );
    first.extend(["-mode".into(), mode]);
    if additions.shell {
        first.extend(["-noshell", "-user", "elixir"].map(String::from));
        last.extend(["-extra", "--no-halt", "+iex"].map(String::from));
    } else {
        first.extend(["-s", "elixir", "start_cli"].map(String::from));
        last.extend(["-extra", "--no-halt"].map(String::from));
    }
    Ok(notes)
}

fn read(layout: &Layout, path: &str) -> Result<Option<String>> {
    let path = layout.root.join(path);
    if !path.is_file() {
        return Ok(None);
    }
    fs::read_to_string(&path).map(Some).with_context(|| format!("cannot read {}", path.display()))
}

/// What a script sets without asking anything, and the lines that do something else, by their number.
fn exports(text: &str) -> (Vec<String>, Vec<(usize, &str)>) {
    let (mut set, mut left) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line.strip_prefix("export ").unwrap_or(line)) {
            Some(setting) => set.push(setting),
            None => left.push((number + 1, line)),
        }
    }
    (set, left)
}

/// `NAME=VALUE` with a value that a shell would take as it stands.
fn assignment(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
    let value = value.trim_end();
    let inner = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
    let special: &[char] = if inner.len() < value.len() {
        &['$', '`', '\\', '"', '\'']
    } else {
        &['$', '`', '\\', '"', '\'', ' ', ';', '&', '|', '<', '>', '(', ')', '*', '?']
    };
    (is_name && !inner.contains(special)).then(|| format!("{name}={inner}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    fn release(env_sh: &str) -> (Folder, Layout) {
        let folder = Folder::new();
        folder.write("releases/COOKIE", "secret");
        folder.write("releases/start_erl.data", "15.2.7 0.1.0");
        folder.write("releases/0.1.0/start.boot", "");
        folder.write("releases/0.1.0/env.sh", env_sh);
        let rel = "{release,{\"demo\",\"0.1.0\"},{erts,\"15.2.7\"},[{kernel,\"10.2\"},{elixir,\"1.18.3\"}]}.";
        folder.write("releases/0.1.0/demo.rel", rel);
        let layout = Layout::read(folder.path()).unwrap();
        (folder, layout)
    }

    fn line(env_sh: &str, additions: &Additions) -> Result<(String, Vec<String>, Vec<String>)> {
        let (_folder, layout) = release(env_sh);
        let (mut env, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let notes = set_up(&layout, additions, &mut env, &mut first, &mut last)?;
        Ok((format!("{} {}", first.join(" "), last.join(" ")), env, notes))
    }

    #[test]
    fn it_starts_as_the_script_does() {
        let (line, env, notes) = line("#!/bin/sh\n# export A=1\n", &Additions::default()).unwrap();
        assert_eq!(line, "-sname demo -setcookie secret -mode embedded -s elixir start_cli -extra --no-halt");
        assert!(env.contains(&"RELEASE_SYS_CONFIG=/otp/releases/0.1.0/sys".to_owned()));
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn the_users_variables_decide() {
        let additions = |setting: &str| Additions { env: vec![setting.into()], ..Additions::default() };
        let of = |setting: &str| line("", &additions(setting)).map(|(line, ..)| line);
        assert!(of("RELEASE_DISTRIBUTION=none").unwrap().starts_with("-setcookie"));
        assert!(of("RELEASE_NODE=a").unwrap().starts_with("-sname a "));
        assert!(of("RELEASE_DISTRIBUTION=x").unwrap_err().to_string().contains("name, sname or none"));
        assert!(of("RELEASE_MODE=x").unwrap_err().to_string().contains("embedded or interactive"));
        assert!(
            line("", &Additions { shell: true, ..Additions::default() }).unwrap().0.ends_with("-extra --no-halt +iex")
        );
    }

    #[test]
    fn of_env_sh_only_what_needs_no_shell_is_taken() {
        let (line, env, notes) = line(
            "export RELEASE_DISTRIBUTION=name\nexport RELEASE_NODE=\"a@b\"\nexport H=$(hostname)\nulimit -n 5\n",
            &Additions::default(),
        )
        .unwrap();
        assert!(line.starts_with("-name a@b "), "{line}");
        assert!(!env.iter().any(|setting| setting.starts_with("H=")));
        assert_eq!(notes.len(), 2);
        assert!(notes[0].contains("line 3") && notes[0].contains("$(hostname)") && notes[1].contains("ulimit"));
    }
}
