//! The applications of OTP that other applications need, as their `.app` files say (`applications` and `included_applications`; what is
//! in `optional_applications`, too, is left out). Erlang reads those files: they are terms of it.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{
    Inputs,
    otp::LIB,
    tree::{Tree, read},
};

/// Names of the applications in `otp_lib` that those of the tree need, each behind what it needs itself, without those in the tree.
/// `applications` are the folders below [`LIB`].
///
/// # Errors
/// An application needs one that is in neither place, or a `.app` file cannot be read.
pub fn by(tree: &Tree, inputs: &Inputs, otp_lib: &Path, applications: &[String]) -> Result<Vec<String>> {
    let given = inputs.work.join("given");
    fs::create_dir_all(&given).with_context(|| format!("cannot make {}", given.display()))?;
    let answer = inputs.work.join("required");
    let mut arguments = vec!["required".into(), answer.clone().into_os_string(), otp_lib.as_os_str().to_owned()];
    for folder in applications {
        let name = folder.split('-').next().unwrap_or(folder);
        if let Some(description) = tree.file(&format!("{LIB}/{folder}/ebin/{name}.app")) {
            let copy = given.join(format!("{name}.app"));
            fs::write(&copy, description).with_context(|| format!("cannot write {}", copy.display()))?;
            arguments.push(copy.into_os_string());
        }
    }
    inputs.erlang.run(inputs.work, &inputs.rootfs.join("tools/rootfs_tool.erl"), &arguments)?;
    let names = String::from_utf8(read(&answer)?).context("an application's name is not UTF-8")?;
    Ok(names.lines().map(str::to_owned).collect())
}
