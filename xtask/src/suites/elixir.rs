//! Elixir's own tests: of its source package, run with the package of the same version, on Linux and in the image.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use erts_recipe::Erts;
use rootfs_release::{applications::Otp, files, start::Additions};
use sources::Console;
use trapless_tests::{repository, run_quietly};

use super::{Side, stage};
use crate::{build, cli::BuildOptions, nifs};

/// Applications of Elixir, which a suite is asked for by: `elixir:enum_test`.
pub const APPLICATIONS: [&str; 4] = ["elixir", "ex_unit", "iex", "logger"];
/// What is run when nothing is named.
pub const DEFAULT: [(&str, &[&str]); 2] = [
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
    let sources = [package, folder.join("files")];
    // Some tests look into modules for what stripping would take out.
    let wish = files::Wish {
        files: &sources,
        otp: &["crypto".into()],
        additions,
        app: None,
        strip: false,
        nifs: None,
        no_syscalls: nifs::no_syscalls(options),
    };
    let otp =
        Otp { root: &erts.otp, erts: &erts.erts_version, objects: &[&erts.beam, &erts.crypto], libc: &erts.libc() };
    let packed = files::pack(&wish, &otp, &repository().join("rootfs"), &folder)?;
    let archive = folder.join("rootfs.cpio");
    fs::write(&archive, &packed.bytes).with_context(|| format!("cannot write {}", archive.display()))?;
    let image = build::build_with(options, Some(&archive), None)?;
    let disk = stage::unpack(&folder, &image)?;
    Ok(Side { image, disk, libs: Some(LIB), arguments })
}

/// The top folder of a source archive.
fn unpacked(archive: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    run_quietly(std::process::Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(to))?;
    let mut entries = rootfs_recipe::tree::list(to)?;
    ensure!(entries.len() == 1, "{} should hold one folder", archive.display());
    Ok(entries.remove(0))
}

/// The arguments of Erlang that run one file of tests behind the case `last`; `root` is where the image's files are.
fn arguments(root: &str, application: &str, suite: &str, last: Option<&str>) -> Vec<String> {
    let tests = format!("{root}/{TESTS}/lib/{application}/test");
    // Those of Elixir itself lie a folder deeper than those of the others.
    let folder = if application == "elixir" { format!("{tests}/elixir") } else { tests };
    let start = ["-noshell", "-s", "elixir", "start_cli", "-extra"].map(str::to_owned);
    let runner = [format!("{root}/{TESTS}/runner.exs"), suite.to_owned(), format!("{folder}/test_helper.exs")];
    let file = format!("{folder}/{suite}.exs");
    start.into_iter().chain(runner).chain([file]).chain(last.map(str::to_owned)).collect()
}
