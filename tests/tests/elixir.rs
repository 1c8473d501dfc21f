//! Elixir as Debian packages it: its shell on the console, what it logs, its tasks. Releases of mix are in `release.rs`; Elixir's own tests
//! are run by `cargo xtask suites elixir`.

use std::{fs, path::PathBuf, sync::OnceLock};

use anyhow::{Context, Result, anyhow, ensure};
use erts_recipe::Flavor;
use rootfs_recipe::{ARCHIVE_VARIABLE, newc, tree::Tree};
use rootfs_release::{applications::Otp, files, start::Additions};
use sources::Console;
use trapless_tests::{exit::Exit, machine::Machine, repository, variant, vm::Vm};

const UP: &str = "\x1b[A";
const LEFT: &str = "\x1b[D";

/// The image with Elixir.
fn image() -> Result<PathBuf> {
    static IMAGE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || -> Result<PathBuf> {
        let package = sources::fetch_binary(&repository().join("tests/release/elixir.lock"), &Console)?;
        let env = vec!["ERL_LIBS=/usr/lib/elixir/lib".to_owned()];
        let additions = Additions { env, shell: true, ..Additions::default() };
        let erts = erts_recipe::build(Flavor::from_environment()?, &Console)?;
        let objects = [&*erts.beam, &erts.crypto];
        let otp = Otp { root: &erts.otp, erts: &erts.erts_version, objects: &objects, libc: &erts.libc() };
        let wish = files::Wish {
            files: &[package],
            otp: &["runtime_tools".into()],
            additions,
            app: None,
            strip: true,
            nifs: None,
            no_syscalls: variant::entry() == "direct",
        };
        let work = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("elixir");
        let packed = files::pack(&wish, &otp, &repository().join("rootfs"), &work)?;
        let archive = work.join("rootfs.cpio");
        fs::write(&archive, &packed.bytes).with_context(|| format!("cannot write {}", archive.display()))?;
        variant::build("elixir", |cargo| {
            cargo.env(ARCHIVE_VARIABLE, &archive);
        })
    };
    IMAGE.get_or_init(|| make().map_err(|error| format!("{error:#}"))).clone().map_err(|error| anyhow!(error))
}

fn machine(erl: &str) -> Result<Machine> {
    let append = format!("-- -elixir_root /usr/lib/elixir/lib {erl}");
    Ok(Machine { cpus: 2, memory: 512, append, ..Machine::new(image()?) })
}

#[test]
fn iex_answers_on_the_console() -> Result<()> {
    let mut vm = Vm::boot("elixir-iex", &machine("-user elixir -extra --no-halt +iex")?)?;
    vm.wait_for("Interactive Elixir (1.18")?;
    vm.wait_for("iex(1)> ")?;
    // What is typed is echoed, so no answer may be a part of it.
    let mut answers = |typed: &str, answer: &str, next: u32| -> Result<()> {
        vm.type_in(&format!("{typed}\r"))?;
        vm.wait_for(answer)?;
        vm.wait_for(&format!("iex({next})> "))?;
        Ok(())
    };
    answers("6 * 111", "666", 2)?;
    answers(&format!("7 * 11x\x7f {LEFT}1"), "777", 3)?;
    answers("Enum.sum(for n <- 1..3, do: n * 1111)", "6666", 4)?;
    answers("require Logger; Logger.warning(\"log\" <> \"ged\")", "[warning] logged", 5)?;
    answers("Enum.sum(Enum.map(Task.async_stream(1..64, &(&1 * &1)), &elem(&1, 1)))", "89440", 6)?;
    // The line before, again, and its end changed.
    vm.type_in(UP)?;
    vm.wait_for("&elem(&1, 1)))")?;
    vm.type_in(" + 1\r")?;
    vm.wait_for("89441")?;
    vm.wait_for("iex(7)> ")?;
    vm.type_in("Enum.map_inter\t")?;
    vm.wait_for("Enum.map_intersperse")?;
    vm.type_in("([1, 2], 0, &(&1 * 111)) |> Enum.sum()\r")?;
    vm.wait_for("333")?;
    vm.type_in("System.halt(3)\r")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(3), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// What OTP has to look into a running node: traces of calls and of messages, the time of the emulator's threads.
#[test]
fn a_node_can_be_watched() -> Result<()> {
    let mut tree = Tree::default();
    tree.add_file("watch.exs", fs::read(repository().join("tests/elixir/watch.exs"))?)?;
    let initrd = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("watch.initrd");
    fs::write(&initrd, newc::write(&tree)?)?;
    let extra = vec!["-initrd".to_owned(), initrd.display().to_string()];
    let machine = Machine { extra, ..machine("-noshell -s elixir start_cli -extra /watch.exs")? };
    let mut vm = Vm::boot("elixir-watch", &machine)?;
    let exit = vm.wait_exit()?;
    let console = vm.console().text();
    for line in ["=dbg lists:sum/1 6", "=trace received", "=trace sent", "=msacc true", "=busy true"] {
        ensure!(console.contains(line), vm.fail(&format!("the console does not say {line:?}")));
    }
    ensure!(exit == Exit::Halted(4), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}
