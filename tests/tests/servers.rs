//! Servers as Debian packages them: nothing of them is changed, and clients that nobody here wrote talk to them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context, Result, ensure};
use erts_recipe::Flavor;
use rootfs_recipe::ARCHIVE_VARIABLE;
use rootfs_release::{applications::Otp, files, start::Additions};
use sources::Console;
use trapless_tests::{
    erl, initrd, load,
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
    let erts = erts_recipe::build(Flavor::from_environment()?, &Console)?;
    let objects = [&*erts.beam, &erts.crypto];
    let otp = Otp { root: &erts.otp, erts: &erts.erts_version, objects: &objects, libc: &erts.libc() };
    let wish = files::Wish {
        files: &files,
        otp: &more,
        additions,
        app: None,
        strip: true,
        nifs: None,
        no_syscalls: variant::entry() == "direct",
    };
    fs::create_dir_all(scratch(name))?;
    let packed = files::pack(&wish, &otp, &repository().join("rootfs"), &scratch(name))?;
    let archive = scratch(name).join("rootfs.cpio");
    fs::write(&archive, &packed.bytes)?;
    variant::build(&format!("servers-{name}"), |cargo| {
        cargo.env(ARCHIVE_VARIABLE, &archive);
    })
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
    let image = image_of("rabbitmq", &["rabbitmq"], &["eldap"], args, &env)?;
    // The user `guest` may come from the machine itself only, unless this is said; what is logged goes to the console.
    let config = "loopback_users = none\nlog.console = true\nlog.file = false\n";
    let initrd =
        initrd::write(&scratch("rabbitmq").join("initrd"), &[("etc/rabbitmq/rabbitmq.conf", config.as_bytes())])?;
    // `recon`, which comes with it, looks into the node when the server has started.
    let watch =
        "[{_, _, _}, _, _] = recon:proc_count(memory, 3), io:format(\"=recon ~p~n\", [recon_alloc:memory(used) > 0])";
    let append = erl(watch).replace("-noshell ", "");
    let forwards = vec![forward(5672)?];
    let machine = Machine { cpus: 2, memory: 1024, append, forwards, extra: initrd, ..Machine::new(image) };
    let mut vm = Vm::boot("servers-rabbitmq", &machine)?;
    for line in ["Enabling free disk space monitoring", "Server startup complete", "=recon true"] {
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
    let errors =
        vm.console().text().lines().filter(|line| line.contains("[error]") && !line.contains("hannel")).count();
    ensure!(errors == 0, vm.fail("the server logged an error"));
    Ok(())
}

/// Answers with the square of a number, by Erlang that the server compiles when it is first asked.
const SQUARE: &str = "<erl>
out(A) ->
    {ok, N} = queryvar(A, \"n\"),
    {html, integer_to_list(list_to_integer(N) * list_to_integer(N))}.
</erl>
";

/// A key and a certificate for `localhost` that names itself, as PEM.
fn certificate(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    run_quietly(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate))?;
    Ok((key, certificate))
}

/// Yaws serves files and pages that are programs to curl, with TLS and without. Its driver, which takes another user's rights, is left out.
#[test]
fn yaws_serves_curl() -> Result<()> {
    let args = "-pa /usr/lib/yaws/ebin -run yaws -conf /etc/yaws/yaws.conf -yaws id default";
    let image = image_of("yaws", &["yaws", "erlang-yaws"], &["compiler", "sasl", "ssl", "xmerl"], args, &[])?;
    let (key, certificate) = certificate(&scratch("yaws"))?;
    let big = load::bytes(2_000_000, 1);
    let server = |port: u16, tls: &str| {
        format!("<server localhost>\nport = {port}\nlisten = 0.0.0.0\ndocroot = /srv/www\n{tls}</server>\n")
    };
    let tls = "<ssl>\nkeyfile = /srv/key.pem\ncertfile = /srv/certificate.pem\n</ssl>\n";
    let initrd = initrd::write(
        &scratch("yaws").join("initrd"),
        &[
            ("etc/yaws/conf.d/test.conf", [server(8080, ""), server(8443, tls)].concat().as_bytes()),
            ("srv/key.pem", &fs::read(key)?),
            ("srv/certificate.pem", &fs::read(&certificate)?),
            ("srv/www/big.bin", &big),
            ("srv/www/square.yaws", SQUARE.as_bytes()),
            // The package has the folder of its logs made when it is installed.
            ("var/log/yaws/.keep", &[]),
        ],
    )?;
    let forwards = vec![forward(8080)?, forward(8443)?];
    let machine = Machine { cpus: 2, memory: 512, forwards, extra: initrd, ..Machine::new(image) };
    let mut vm = Vm::boot("servers-yaws", &machine)?;
    for _ in 0..2 {
        vm.wait_for("Yaws: Listening to")?;
    }
    let ports = [8080, 8443].map(|port| vm.address(port).map(|address| address.port()));
    let [plain, secure] = ports;
    let roots = [format!("http://localhost:{}", plain?), format!("https://localhost:{}", secure?)];
    let curl = |url: String| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--cacert"]).arg(&certificate).arg(url);
        curl
    };
    // A few clients at once, each with one connection: QEMU's user network holds one back that is not taken at once.
    thread::scope(|scope| {
        let clients: Vec<_> = roots.iter().chain(&roots).map(|root| scope.spawn(|| squares(&vm, curl, root))).collect();
        clients.into_iter().try_for_each(|client| client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
    })?;
    for root in &roots {
        let output = curl(format!("{root}/big.bin")).output()?;
        ensure!(output.stdout == big, vm.fail(&format!("{root}/big.bin came with {} bytes", output.stdout.len())));
        let missing = curl(format!("{root}/none")).output()?;
        ensure!(String::from_utf8_lossy(&missing.stderr).contains("404"), vm.fail("what is not there was served"));
    }
    Ok(())
}

/// Asks for many squares on one connection.
fn squares(vm: &Vm, curl: impl Fn(String) -> Command, root: &str) -> Result<()> {
    const COUNT: u64 = 200;
    let said = client(vm, &mut curl(format!("{root}/square.yaws?n=[1-{COUNT}]")))?;
    let expected: Vec<_> = (1..=COUNT).map(|n| (n * n).to_string()).collect();
    let got: Vec<_> = said.split_whitespace().collect();
    ensure!(got == expected, vm.fail(&format!("{root} said {got:?}")));
    Ok(())
}
