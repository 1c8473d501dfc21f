//! The applications of OTP that other applications need, as their `.app` files say (`applications` and `included_applications`; what is
//! in `optional_applications`, too, is left out). Erlang reads those files: they are terms of it.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{
    Inputs,
    otp::LIB,
    tree::{Tree, read},
};

/// What applications need.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Required {
    /// Names of applications of OTP, each behind what it needs itself, without those in the tree.
    pub applications: Vec<String>,
    /// What is nowhere, `APPLICATION needs APPLICATION`.
    pub missing: Vec<String>,
}

/// The `.app` files of a tree, wherever its `ebin` folders are.
pub fn descriptions(tree: &Tree) -> Vec<String> {
    let described = |path: &&str| path.ends_with(".app") && path.rsplit('/').nth(1) == Some("ebin");
    tree.nodes().map(|(path, _)| path).filter(described).map(str::to_owned).collect()
}

/// What the applications of the tree need: those of the folders `applications` below [`LIB`] by all means, and those of the `.app` files
/// `guests` as far as `otp_lib` has it.
///
/// # Errors
/// An application of the first kind needs one that is in neither place, or its `.app` file cannot be read.
pub fn by(
    tree: &Tree,
    inputs: &Inputs,
    otp_lib: &Path,
    applications: &[String],
    guests: &[String],
) -> Result<Required> {
    let given = inputs.work.join("given");
    let answer = inputs.work.join("required");
    let mut arguments = vec!["required".into(), answer.clone().into_os_string(), otp_lib.as_os_str().to_owned()];
    fs::create_dir_all(&given).with_context(|| format!("cannot make {}", given.display()))?;
    let strict = applications.iter().map(|folder| {
        let name = folder.split('-').next().unwrap_or(folder);
        format!("{LIB}/{folder}/ebin/{name}.app")
    });
    let guests = guests.iter().cloned();
    for (dashes, paths) in [(None, strict.collect::<Vec<_>>()), (Some("--"), guests.collect())] {
        arguments.extend(dashes.map(Into::into));
        for (path, description) in paths.iter().filter_map(|path| Some((path, tree.file(path)?))) {
            let copy = given.join(path.replace('/', "_"));
            fs::write(&copy, description).with_context(|| format!("cannot write {}", copy.display()))?;
            arguments.push(copy.into_os_string());
        }
    }
    inputs.erlang.run(inputs.work, &inputs.rootfs.join("tools/rootfs_tool.erl"), &arguments)?;
    let lines = String::from_utf8(read(&answer)?).context("an application's name is not UTF-8")?;
    let (missing, applications) = lines.lines().map(str::to_owned).partition(|line| line.contains(' '));
    Ok(Required { applications, missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_found_wherever_they_lie() {
        let mut tree = Tree::default();
        for path in ["usr/lib/a/plugins/a-1/ebin/a.app", "otp/lib/b/ebin/b.app", "etc/c.app", "x/ebin/d.beam"] {
            tree.add_file(path, vec![]).unwrap();
        }
        assert_eq!(descriptions(&tree), ["otp/lib/b/ebin/b.app", "usr/lib/a/plugins/a-1/ebin/a.app"]);
    }
}
