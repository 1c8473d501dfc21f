//! Elixir's own tests: of its source package, run with the package of the same version, on Linux and in the image.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use erts_recipe::Erts;
use rootfs_recipe::tree::Tree;
use rootfs_release::{files, start::Additions};
use sources::Console;
use trapless_tests::{repository, run_quietly};

use super::{
    sides::{LEFT_OUT, Side},
    stage,
    wanted::{Wanted, Which},
};
use crate::cli::BuildOptions;

/// Applications of Elixir, which a suite is asked for by: `elixir:enum_test`.
pub const APPLICATIONS: [&str; 4] = ["elixir", "ex_unit", "iex", "logger"];
/// What `elixir` alone stands for.
pub const SELECTION: [(&str, &[&str]); 2] = [
    (
        "elixir",
        &[
            "agent_test",
            "base_test",
            "dynamic_supervisor_test",
            "enum_test",
            "file_test",
            "gen_server_test",
            "io_test",
            "map_test",
            "partition_supervisor_test",
            "port_test",
            "process_test",
            "registry_test",
            "stream_test",
            "string_io_test",
            "string_test",
            "supervisor_test",
            "system_test",
            "task_test",
            "task/supervisor_test",
        ],
    ),
    ("logger", &["logger_test", "logger/formatter_test", "logger/translator_test"]),
];

/// The suites that are wanted of an application; the application as a whole stands for those of the selection.
pub fn suites(wanted: &Wanted) -> Vec<String> {
    match &wanted.suites {
        Which::These(suites) => suites.clone(),
        Which::All => {
            let selected = SELECTION.iter().filter(|(application, _)| *application == wanted.application);
            selected.flat_map(|(_, suites)| suites.iter().map(|&suite| suite.to_owned())).collect()
        }
    }
}

/// Where the image has the tests.
const TESTS: &str = "elixir";
/// Where Debian's package has Elixir.
const LIB: &str = "usr/lib/elixir/lib";

/// The image with Elixir and its tests, and its files for Linux.
pub fn stage(erts: &Erts, options: &BuildOptions) -> Result<Side> {
    let lock = |name: &str| repository().join("tests").join(name);
    let package = sources::fetch_binary(&lock("release/elixir.lock"), &Console)?;
    let source = sources::fetch_source(&lock("elixir/source.lock"), &Console)?;
    let folder = repository().join("target/suites-elixir");
    super::fresh(&folder)?;
    let tree = unpacked(&source, &folder.join("source"))?;
    let to = folder.join("files").join(TESTS);
    for application in APPLICATIONS {
        stage::copy(&tree.join("lib").join(application).join("test"), &to.join("lib").join(application).join("test"))?;
    }
    fs::copy(repository().join("tests/elixir/runner.exs"), to.join("runner.exs")).context("cannot copy the runner")?;

    let additions = Additions { env: vec![format!("ERL_LIBS=/{LIB}")], ..Additions::default() };
    let (files, crypto) = ([package, folder.join("files")], ["crypto".to_owned()]);
    let wish = files::Wish { files: &files, ..stage::wish(&crypto, additions, options) };
    let image = stage::image(erts, options, &folder, wish)?;
    let disk = folder.join("disk");
    Ok(Side { image, beside: Tree::default(), disk, libs: Some(LIB), arguments })
}

/// The top folder of a source archive.
fn unpacked(archive: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    run_quietly(std::process::Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(to))?;
    let mut entries = rootfs_recipe::tree::list(to)?;
    ensure!(entries.len() == 1, "{} should hold one folder", archive.display());
    Ok(entries.remove(0))
}

/// The arguments of Erlang that run one file of tests; `root` is where the image's files are.
fn arguments(root: &str, application: &str, suite: &str) -> Vec<String> {
    let tests = format!("{root}/{TESTS}/lib/{application}/test");
    // Those of Elixir itself lie a folder deeper than those of the others.
    let folder = if application == "elixir" { format!("{tests}/elixir") } else { tests };
    let start = ["-noshell", "-s", "elixir", "start_cli", "-extra"].map(str::to_owned);
    let runner = [format!("{root}/{TESTS}/runner.exs"), suite.to_owned(), format!("{folder}/test_helper.exs")];
    let files = [format!("{folder}/{suite}.exs"), format!("{root}/{LEFT_OUT}")];
    start.into_iter().chain(runner).chain(files).collect()
}
