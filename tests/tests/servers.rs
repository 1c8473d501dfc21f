//! Servers as Debian packages them: nothing of them is changed, and clients that nobody here wrote talk to them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context, Result, ensure};
use erts_recipe::{Erts, Flavor};
use rootfs_native::{Names, Project, Toolchain, compile};
use rootfs_recipe::{ARCHIVE_VARIABLE, tree::list};
use rootfs_release::{applications::Otp, files, start::Additions};
use sources::{Console, Lock, Patches};
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

fn erts() -> Result<Erts> {
    Ok(erts_recipe::build(Flavor::from_environment()?, &Console)?)
}

/// What an image is made of, and how it is started.
#[derive(Default)]
struct Contents<'a> {
    packages: &'a [&'a str],
    otp: &'a [&'a str],
    args: &'a str,
    env: &'a [&'a str],
    /// A folder with NIFs, see [`rootfs_recipe::shared::add`].
    nifs: Option<&'a Path>,
}

fn image_of(name: &str, contents: &Contents<'_>) -> Result<PathBuf> {
    let files = contents.packages.iter().map(|name| package(name)).collect::<Result<Vec<_>>>()?;
    let [more, env] =
        [contents.otp, contents.env].map(|list| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
    let additions = Additions { env, args: contents.args.into(), shell: false };
    let erts = erts()?;
    let objects = [&*erts.beam, &erts.crypto];
    let otp = Otp { root: &erts.otp, erts: &erts.erts_version, objects: &objects, libc: &erts.libc() };
    let wish = files::Wish {
        files: &files,
        otp: &more,
        additions,
        app: None,
        strip: true,
        nifs: contents.nifs,
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

/// Code as a command line takes it.
fn one_line(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn forward(guest: u16) -> Result<Forward> {
    Ok(Forward { host: free_port()?, guest, udp: false })
}

/// A client of these packages, which is in `tests/servers`.
fn python(script: &str, packages: &[&str]) -> Result<Command> {
    let folder = scratch("python").join(script);
    fs::create_dir_all(&folder)?;
    for name in packages {
        run_quietly(Command::new("dpkg-deb").arg("-x").args([&package(name)?, &folder]))?;
    }
    let mut python = Command::new("python3");
    python.arg(repository().join("tests/servers").join(script));
    python.env("PYTHONPATH", folder.join("usr/lib/python3/dist-packages"));
    Ok(python)
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
    // As its start script does, in a node with a name: the script would have the server give itself one.
    let args =
        "-name rabbit@127.0.0.1 -start_epmd true -s rabbit boot +W w -kernel prevent_overlapping_partitions false";
    let env = [
        "ERL_LIBS=/usr/lib/rabbitmq/lib/rabbitmq_server-4.0.5/plugins:/usr/lib/erlang/lib",
        "RABBITMQ_USE_LONGNAME=true",
        "RABBITMQ_NODENAME=rabbit@127.0.0.1",
    ];
    let contents = Contents { packages: &["rabbitmq"], otp: &["eldap"], args, env: &env, ..Contents::default() };
    let image = image_of("rabbitmq", &contents)?;
    // The user `guest` may come from the machine itself only, unless this is said; what is logged goes to the console.
    let config = "loopback_users = none\nlog.console = true\nlog.file = false\n";
    let initrd =
        initrd::write(&scratch("rabbitmq").join("initrd"), &[("etc/rabbitmq/rabbitmq.conf", config.as_bytes())])?;
    // When the server has started, `recon`, which comes with it, looks into the node, and its monitor of `epmd` does what it does each minute.
    let watch = r#"
        [{_, _, _}, _, _] = recon:proc_count(memory, 3), io:format("=recon ~p~n", [recon_alloc:memory(used) > 0]),
        Monitor = whereis(rabbit_epmd_monitor), Monitor ! check, _ = sys:get_state(Monitor),
        io:format("=epmd ~p~n", [whereis(rabbit_epmd_monitor) =:= Monitor])
    "#;
    let append = erl(&one_line(watch)).replace("-noshell ", "");
    let forwards = vec![forward(5672)?];
    let machine = Machine { cpus: 2, memory: 1024, append, forwards, extra: initrd, ..Machine::new(image) };
    let mut vm = Vm::boot("servers-rabbitmq", &machine)?;
    for line in ["Enabling free disk space monitoring", "Server startup complete", "=recon true", "=epmd true"] {
        vm.wait_for(line)?;
    }
    let port = vm.address(5672)?.port().to_string();
    let said = client(&vm, python("amqp.py", &["pika"])?.args([&*port, MESSAGES]))?;
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
    let (packages, otp) = (&["yaws", "erlang-yaws"], &["compiler", "sasl", "ssl", "xmerl"]);
    let image = image_of("yaws", &Contents { packages, otp, args, ..Contents::default() })?;
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

/// The applications with NIFs that ejabberd stands on, unpacked: the upstream tarballs of those that Debian changes nothing of.
fn sources_of_nifs() -> Result<Vec<PathBuf>> {
    let folder = scratch("ejabberd").join("sources");
    let place = |lock: &Path| Ok::<_, anyhow::Error>(folder.join(lock.file_stem().context("a lock has a name")?));
    let mut trees = Vec::new();
    for lock in ["jiffy", "erlang-p1-tls"].map(|name| repository().join("tests/nifs").join(name).with_extension("lock"))
    {
        let files = sources::fetch(&Lock::read(&lock)?, &Console)?;
        sources::unpack(&files, &place(&lock)?, Patches::All, &Console)?;
        trees.push(place(&lock)?);
    }
    for lock in list(&repository().join("tests/servers/ejabberd/nifs"))? {
        let (tarball, tree) = (sources::fetch_source(&lock, &Console)?, place(&lock)?);
        fs::create_dir_all(&tree)?;
        let mut tar = Command::new("tar");
        run_quietly(
            tar.args(["--extract", "--strip-components=1", "--file"]).arg(tarball).arg("--directory").arg(&tree),
        )?;
        trees.push(tree);
    }
    Ok(trees)
}

/// NIFs compiled for the image, with the libraries that they stand on.
fn nifs(trees: &[PathBuf]) -> Result<PathBuf> {
    let (erts, cxx) = (erts()?, repository().join("rootfs/native/cxx"));
    let toolchain = Toolchain { erts: &erts, cxx: &cxx, no_syscalls: variant::entry() == "direct" };
    let names = Names::of(&[&erts.beam], &erts.libc())?;
    let (out, work) = (scratch("ejabberd").join("nifs"), scratch("ejabberd").join("work"));
    for tree in trees {
        compile(&Project::read(&tree.display().to_string())?, &toolchain, &names, &out, &work)?;
    }
    Ok(out)
}

/// What ejabberd is told.
const EJABBERD: &str = "\
loglevel: info
hosts: [localhost]
certfiles: [/etc/ejabberd/ejabberd.pem]
acme: {auto: false}
registration_timeout: infinity
listen:
  - {port: 5222, ip: \"::\", module: ejabberd_c2s, starttls_required: true}
modules:
  mod_disco: {}
  mod_muc: {}
  mod_offline: {}
  mod_ping: {}
  mod_register: {}
  mod_roster: {}
  mod_vcard: {}
";

/// In the place of the application that converts images: it would start a program, time and again.
const EIMP: &str =
    "{application, eimp, [{vsn, \"1.0.23\"}, {modules, []}, {registered, []}, {applications, [kernel, stdlib]}]}.";

/// ejabberd lets slixmpp's clients sign up and talk to each other, over TLS by the OpenSSL that its NIF brings. All of its NIFs work: those of
/// XML, names, caches and TLS do so for the clients, that of YAML for the configuration, and the others are asked.
#[test]
fn ejabberd_serves_slixmpp() -> Result<()> {
    let locks = list(&repository().join("tests/servers/ejabberd"))?;
    let stems = locks.iter().filter(|path| path.is_file()).filter_map(|path| path.file_stem()?.to_str());
    let packages: Vec<_> = stems.map(|name| format!("ejabberd/{name}")).collect();
    let env = [
        "ERL_LIBS=/usr/lib/x86_64-linux-gnu:/usr/lib/erlang/lib",
        "EJABBERD_CONFIG_PATH=/etc/ejabberd/ejabberd.yml",
        "EJABBERD_LOG_PATH=/var/log/ejabberd/ejabberd.log",
    ];
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    let nifs = nifs(&sources_of_nifs()?)?;
    let contents = Contents {
        packages: &packages,
        args: "-sname ejabberd@localhost -mnesia dir '\"/var/lib/ejabberd\"' -s ejabberd",
        env: &env,
        nifs: Some(&nifs),
        ..Contents::default()
    };
    let image = image_of("ejabberd", &contents)?;
    let (key, certificate) = certificate(&scratch("ejabberd"))?;
    let initrd = initrd::write(
        &scratch("ejabberd").join("initrd"),
        &[
            ("etc/ejabberd/ejabberd.yml", EJABBERD.as_bytes()),
            ("etc/ejabberd/ejabberd.pem", &[fs::read(key)?, fs::read(&certificate)?].concat()),
            ("usr/lib/erlang/lib/p1_eimp-1.0.23/ebin/eimp.app", EIMP.as_bytes()),
            // The package has these folders made when it is installed.
            ("var/lib/ejabberd/.keep", &[]),
            ("var/log/ejabberd/.keep", &[]),
        ],
    )?;
    let asked = r#"
        Tree = mqtree:new(), ok = mqtree:insert(Tree, <<"a/+">>), Text = binary:copy(<<"text">>, 1000),
        {ok, Small} = ezlib:compress(ezlib:new(), Text), true = byte_size(Small) < 100,
        io:format("=nifs ~p~n", [{mqtree:match(Tree, <<"a/b">>), ezlib:decompress(ezlib:new(), Small) =:= {ok, Text}, jiffy:encode([1])}])
    "#;
    let append = erl(&one_line(asked));
    let forwards = vec![forward(5222)?];
    let machine = Machine { cpus: 2, memory: 1024, append, forwards, extra: initrd, ..Machine::new(image) };
    let mut vm = Vm::boot("servers-ejabberd", &machine)?;
    vm.wait_for("is started in the node ejabberd@localhost")?;
    vm.wait_for(r#"=nifs {[<<"a/+">>],true,<<"[1]">>}"#)?;

    let port = vm.address(5222)?.port().to_string();
    let mut python = python("xmpp.py", &["slixmpp", "pyasn1", "pyasn1-modules"])?;
    let said = client(&vm, python.arg(port).arg(certificate).arg("200"))?;
    ensure!(said.contains("with TLSv1.3") && said.contains("all is well"), vm.fail(&said));
    let errors = vm.console().text().lines().filter(|line| line.contains("[error]")).count();
    ensure!(errors == 0, vm.fail("the server logged an error"));
    Ok(())
}
