//! Servers as Debian packages them: nothing of them is changed, and clients that nobody here wrote talk to them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use erts_recipe::{Erts, Flavor};
use rootfs_recipe::{ARCHIVE_VARIABLE, newc, tree::Tree};
use rootfs_release::{applications::Otp, files, start::Additions};
use sources::Console;
use trapless_tests::{
    machine::{Forward, Machine},
    repository, run_quietly, variant,
    vm::{Vm, free_port},
};

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers").join(name)
}

/// A pinned package.
fn package(name: &str) -> Result<PathBuf> {
    Ok(sources::fetch_binary(&repository().join("tests/servers").join(name).with_extension("lock"), &Console)?)
}

/// An image of packages, started with these arguments.
fn image_of(name: &str, packages: &[&str], otp: &[&str], args: &str, env: &[&str]) -> Result<PathBuf> {
    let files = packages.iter().map(|name| package(name)).collect::<Result<Vec<_>>>()?;
    let [more, env] = [otp, env].map(|list| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
    let additions = Additions { env, args: args.into(), shell: false };
    let Erts { otp, erts_version, beam, crypto, .. } = erts_recipe::build(Flavor::from_environment()?, &Console)?;
    let otp = Otp { root: &otp, erts: &erts_version, objects: &[&beam, &crypto] };
    let wish = files::Wish { files: &files, otp: &more, additions, app: None, strip: true };
    fs::create_dir_all(scratch(name))?;
    let packed = files::pack(&wish, &otp, &repository().join("rootfs"), &scratch(name))?;
    let archive = scratch(name).join("rootfs.cpio");
    fs::write(&archive, &packed.bytes)?;
    variant::build(&format!("servers-{name}"), |cargo| {
        cargo.env(ARCHIVE_VARIABLE, &archive);
    })
}

/// An initrd with these files.
fn initrd(name: &str, files: &[(&str, Vec<u8>)]) -> Result<Vec<String>> {
    let mut tree = Tree::default();
    for (path, content) in files {
        tree.add_file(path, content.clone())?;
    }
    let file = scratch(name).join("initrd");
    fs::write(&file, newc::write(&tree)?)?;
    Ok(vec!["-initrd".to_owned(), file.display().to_string()])
}

fn forward(guest: u16) -> Result<Forward> {
    Ok(Forward { host: free_port()?, guest, udp: false })
}

/// Runs a client and returns what it printed; what it complained about is in the error.
fn client(vm: &Vm, command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), vm.fail(&format!("{command:?} ended with {}:\n{said}", output.status)));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// RabbitMQ takes messages with confirms from pika, and gives them out unchanged and in order. Its configuration is in an initrd.
#[test]
fn rabbitmq_serves_pika() -> Result<()> {
    const MESSAGES: &str = "2000";
    // As its start script does, in a node with a name: the script would have the server start `epmd` and give itself one.
    let args = "-name rabbit@127.0.0.1 -s rabbit boot +W w -kernel prevent_overlapping_partitions false";
    let env = [
        "ERL_LIBS=/usr/lib/rabbitmq/lib/rabbitmq_server-4.0.5/plugins:/usr/lib/erlang/lib",
        "RABBITMQ_USE_LONGNAME=true",
        "RABBITMQ_NODENAME=rabbit@127.0.0.1",
    ];
    let image = image_of("rabbitmq", &["rabbitmq", "eldap"], &[], args, &env)?;
    // The user `guest` may come from the machine itself only, unless this is said; what is logged goes to the console.
    let config = "loopback_users = none\nlog.console = true\nlog.file = false\n";
    let initrd = initrd("rabbitmq", &[("etc/rabbitmq/rabbitmq.conf", config.into())])?;
    let machine =
        Machine { cpus: 2, memory: 1024, forwards: vec![forward(5672)?], extra: initrd, ..Machine::new(image) };
    let mut vm = Vm::boot("servers-rabbitmq", &machine)?;
    for line in ["Enabling free disk space monitoring", "Server startup complete"] {
        vm.wait_for(line)?;
    }
    let pika = scratch("rabbitmq").join("pika");
    run_quietly(Command::new("dpkg-deb").arg("-x").args([&package("pika")?, &pika]))?;
    let script = repository().join("tests/servers/amqp.py");
    let port = vm.address(5672)?.port().to_string();
    let mut python = Command::new("python3");
    python.arg(script).args([&*port, MESSAGES]).env("PYTHONPATH", pika.join("usr/lib/python3/dist-packages"));
    let said = client(&vm, &mut python)?;
    ensure!(said.contains("all is well"), vm.fail(&said));
    // The client asked for a queue that is not there.
    let errors = vm.console().text().lines().filter(|line| line.contains("[error]") && !line.contains("hannel")).count();
    ensure!(errors == 0, vm.fail("the server logged an error"));
    Ok(())
}
