//! Applications from outside OTP: ours, and those of the user's `--app DIR`.
//!
//! A folder is one of three things, told apart by what is in it:
//! an application (it has `ebin/` or `src/`), a folder of applications (its sub-folders have), or loose modules
//! (`.erl`, `.beam` and `.app` files). Source is compiled here, for the very BEAM it will run on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::{
    Inputs,
    otp::{self, LIB},
    tree::{Tree, list, name_of, read},
};

/// The environment variable that hands the folder of `--app` to the build.
pub const APP_VARIABLE: &str = "TRAPLESS_APP";

/// Adds what `folder` holds, and returns the names (with version, where there is one) of the applications added.
///
/// # Errors
/// The folder holds nothing of use, or something in it does not compile or cannot be read.
pub fn add(tree: &mut Tree, inputs: &Inputs, folder: &Path) -> Result<Vec<String>> {
    ensure!(folder.is_dir(), "{} is not a folder", folder.display());
    if is_application(folder) {
        return Ok(vec![add_one(tree, inputs, folder)?]);
    }
    let entries = list(folder)?;
    let applications: Vec<_> = entries.iter().filter(|entry| is_application(entry)).collect();
    if applications.is_empty() {
        return Ok(vec![add_one(tree, inputs, folder)?]);
    }
    tree.note_source(folder);
    applications.into_iter().map(|entry| add_one(tree, inputs, entry)).collect()
}

fn is_application(folder: &Path) -> bool {
    folder.join("ebin").is_dir() || folder.join("src").is_dir()
}

/// Adds one application: its compiled modules, those compiled from source, its `.app` file and its `priv` folder.
fn add_one(tree: &mut Tree, inputs: &Inputs, folder: &Path) -> Result<String> {
    let folder = &folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    let loose = !is_application(folder);
    let ebin = if loose { folder.clone() } else { folder.join("ebin") };
    let source = if loose { folder.clone() } else { folder.join("src") };
    let (description, fallback) = (description(&[&ebin, &source])?, name_of(folder)?);
    let full = match &description {
        Some(description) => match otp::version(&description.content) {
            Some(version) => format!("{}-{version}", description.name),
            None => description.name.clone(),
        },
        None => fallback.to_owned(),
    };
    let at = format!("{LIB}/{full}/ebin");

    let mut modules = 0;
    if ebin.is_dir() {
        modules += otp::add_ebin(tree, &ebin, &at)?;
    }
    if source.is_dir() {
        modules += add_compiled(tree, inputs, &source, &folder.join("include"), &at)?;
    }
    ensure!(modules > 0, "{} holds no .beam and no .erl file (nor folders with ebin/ or src/)", folder.display());
    if let Some(description) = description
        && tree.file(&format!("{at}/{}.app", description.name)).is_none()
    {
        tree.add_file(&format!("{at}/{}.app", description.name), description.content)?;
    }
    let private = folder.join("priv");
    if private.is_dir() {
        tree.add_folder(&private, &format!("{LIB}/{full}/priv"))?;
    }
    Ok(full)
}

struct Description {
    name: String,
    content: Vec<u8>,
}

/// The `.app` file, or the `.app.src` it would be made from.
fn description(folders: &[&Path]) -> Result<Option<Description>> {
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for file in list(folder)? {
            let name = name_of(&file)?;
            if let Some(name) = name.strip_suffix(".app").or_else(|| name.strip_suffix(".app.src")) {
                return Ok(Some(Description { name: name.to_owned(), content: read(&file)? }));
            }
        }
    }
    Ok(None)
}

/// Compiles the modules whose `.beam` is not there already.
fn add_compiled(tree: &mut Tree, inputs: &Inputs, source: &Path, include: &Path, at: &str) -> Result<usize> {
    tree.note_source(source);
    let mut wanted = Vec::new();
    for file in list(source)? {
        let is_source = file.extension().is_some_and(|extension| extension == "erl");
        let module = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if is_source && tree.file(&format!("{at}/{module}.beam")).is_none() {
            wanted.push(file);
        }
    }
    if wanted.is_empty() {
        return Ok(0);
    }
    let out = fresh_folder(&inputs.work.join("compiled").join(at))?;
    let tool = inputs.rootfs.join("tools/rootfs_tool.erl");
    inputs
        .erlang
        .compile(&tool, &out, include, &wanted)
        .with_context(|| format!("the modules in {} do not compile", source.display()))?;
    let before = tree.sources().len();
    let modules = otp::add_ebin(tree, &out, at)?;
    tree.forget_sources(before);
    Ok(modules)
}

fn fresh_folder(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path.to_owned())
}
