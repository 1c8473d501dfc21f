//! observer_cli, a page about a node for a terminal: in the very modules that RabbitMQ's package has, on the console of a machine.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use anyhow::{Result, ensure};
use rootfs_recipe::app::APP_VARIABLE;
use sources::Console;
use trapless_tests::{exit::Exit, machine::Machine, repository, run_quietly, variant, vm::Vm};

/// Where the package has it, and the application that it needs.
const PLUGINS: &str = "usr/lib/rabbitmq/lib/rabbitmq_server-4.0.5/plugins";
const APPLICATIONS: [&str; 2] = ["observer_cli-1.7.5", "recon-2.5.6"];

#[test]
fn observer_cli_shows_the_node_on_its_console() -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("observer");
    let (files, applications) = (folder.join("files"), folder.join("applications"));
    let package = sources::fetch_binary(&repository().join("tests/servers/rabbitmq.lock"), &Console)?;
    fs::create_dir_all(&applications)?;
    run_quietly(Command::new("dpkg-deb").arg("-x").args([&package, &files]))?;
    for name in APPLICATIONS {
        if !applications.join(name).is_dir() {
            symlink(files.join(PLUGINS).join(name), applications.join(name))?;
        }
    }
    let image = variant::build("observer", |cargo| {
        cargo.env(APP_VARIABLE, &applications);
    })?;
    let mut vm = Vm::boot("observer", &Machine { cpus: 2, append: "window=140x50 -- ".into(), ..Machine::new(image) })?;
    vm.wait_for("1> ")?;
    // The first page: what the node is, what it does, and its largest processes. Then what it is connected to, and its applications.
    for (typed, shown) in [
        ("observer_cli:start().", &["Home(H)", "Erlang/OTP 27", "Proc", "code_server"][..]),
        ("N", &["Network(N)", "recv"]),
        ("A", &["kernel", "stdlib"]),
    ] {
        vm.type_in(&format!("{typed}\r"))?;
        for text in shown {
            vm.wait_for(text)?;
        }
    }
    vm.type_in("q\r")?;
    vm.wait_for("2> ")?;
    vm.type_in("halt(11).\r")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(11), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}
