//! Boot scripts: what Erlang loads and starts first.
//!
//! Each is OTP's own `start_clean` rewritten by `tools/rootfs_tool.erl`, which says what is changed and why.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::{
    Inputs,
    manifest::Boot,
    otp::LIB,
    tree::{Tree, read},
};

/// Adds `/otp/bin/NAME.boot`. `applications` are the folders below [`LIB`].
///
/// # Errors
/// The script names a module or an application that the archive does not hold, or Erlang cannot write it.
pub fn add(tree: &mut Tree, inputs: &Inputs, applications: &[String], boot: &Boot) -> Result<()> {
    for module in boot.early.iter().chain(&boot.later) {
        let path = |folder: &String| format!("{LIB}/{folder}/ebin/{module}.beam");
        let there = applications.iter().any(|folder| tree.file(&path(folder)).is_some());
        ensure!(there, "it names the module {module}, which is in no application");
    }
    let from = inputs.otp_root.join("bin/start_clean.boot");
    let to = inputs.work.join(format!("{}.boot", boot.name));
    let mut arguments = vec!["boot".into(), from.clone().into_os_string(), to.clone().into_os_string()];
    let mut set = |key: &str, value: &str| arguments.push(format!("{key}={value}").into());
    for folder in applications {
        set("path", folder);
        let name = folder.split('-').next().unwrap_or(folder);
        let file = format!("{LIB}/{folder}/ebin/{name}.app");
        if let Some(description) = tree.file(&file).filter(|_| !matches!(name, "kernel" | "stdlib")) {
            let copy = inputs.work.join(format!("{name}.app"));
            fs::write(&copy, description).with_context(|| format!("cannot write {}", copy.display()))?;
            set("load", &copy.to_string_lossy());
        }
    }
    for (key, values) in [("start", &boot.start), ("early", &boot.early), ("later", &boot.later)] {
        values.iter().for_each(|value| set(key, value));
    }
    set("distribution", &boot.distribution.to_string());
    inputs.erlang.run(inputs.work, &inputs.rootfs.join("tools/rootfs_tool.erl"), &arguments)?;
    tree.note_source(&from);
    tree.add_file(&format!("otp/bin/{}.boot", boot.name), read(&to)?)
}
