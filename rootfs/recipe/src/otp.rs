//! Applications of OTP itself.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{
    beam,
    tree::{Tree, list, name_of, read},
};

/// Where the archive keeps applications; the code server finds each `<name>-<version>/ebin` below it by itself.
pub const LIB: &str = "otp/lib";

/// Adds applications of OTP, and returns their names with version.
///
/// # Errors
/// An application is not among those that were built, or a file of it cannot be used.
pub fn add(tree: &mut Tree, otp_lib: &Path, names: &[String]) -> Result<Vec<String>> {
    names
        .iter()
        .map(|name| add_application(tree, otp_lib, name).with_context(|| format!("the OTP application {name}")))
        .collect()
}

fn add_application(tree: &mut Tree, otp_lib: &Path, name: &str) -> Result<String> {
    let folder = find(otp_lib, name)?;
    let ebin = folder.join("ebin");
    let application = read(&ebin.join(format!("{name}.app")))?;
    let full = format!("{name}-{}", version(&application).context("its .app file names no version")?);
    add_ebin(tree, &ebin, &format!("{LIB}/{full}/ebin"))?;
    Ok(full)
}

/// In a source tree the folder is `kernel`, in an installed one `kernel-10.2.7`.
fn find(otp_lib: &Path, name: &str) -> Result<std::path::PathBuf> {
    let plain = otp_lib.join(name);
    if plain.is_dir() {
        return Ok(plain);
    }
    for entry in list(otp_lib)? {
        if name_of(&entry)?.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')) {
            return Ok(entry);
        }
    }
    bail!("it is not in {}", otp_lib.display())
}

/// Adds the `.app` and `.beam` files of an `ebin` folder, the modules stripped.
///
/// # Errors
/// The folder cannot be read, or a module in it is damaged.
pub fn add_ebin(tree: &mut Tree, ebin: &Path, at: &str) -> Result<usize> {
    tree.note_source(ebin);
    let mut modules = 0;
    for file in list(ebin)? {
        let path = format!("{at}/{}", name_of(&file)?);
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("beam") => {
                let stripped =
                    beam::strip(&read(&file)?).with_context(|| format!("{} cannot be used", file.display()))?;
                tree.add_file(&path, stripped)?;
                modules += 1;
            }
            Some("app") => tree.add_file(&path, read(&file)?)?,
            _ => {}
        }
    }
    Ok(modules)
}

/// The value of `{vsn,"..."}` in an application's `.app` file.
pub fn version(application: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(application).ok()?;
    let mut rest = text;
    while let Some(at) = rest.find("vsn") {
        rest = rest[at + 3..].trim_start();
        if let Some(value) = rest.strip_prefix(',') {
            let version = value.trim_start().strip_prefix('"')?.split('"').next()?;
            return (!version.is_empty()).then(|| version.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_found_in_any_layout() {
        let version = |text: &str| super::version(text.as_bytes());
        assert_eq!(
            version(r#"{application, kernel, [{description, "x"}, {vsn, "10.2.7.1"}]}."#).as_deref(),
            Some("10.2.7.1")
        );
        assert_eq!(version("{application,a,\n [{vsn\t,\n\"1\"}]}.").as_deref(), Some("1"));
        assert_eq!(version(r#"{application, vsn_tool, [{vsn, "2"}]}."#).as_deref(), Some("2"));
        assert_eq!(version(r#"{application, a, [{vsn, ""}]}."#), None);
        assert_eq!(version("{application, a, []}."), None);
    }
}
