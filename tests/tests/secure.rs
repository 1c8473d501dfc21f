//! Cryptography: known answers, TLS and SSH in both directions, with the programs that everybody uses on the other side.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    deadline, erl,
    exit::Exit,
    host::{self, said},
    load,
    machine::{Forward, Machine},
    run_quietly, variant,
    vm::{Vm, free_port},
};

/// The machine's TLS servers (`trapless_secure_test`): one for everybody, one for whom the authority vouches for.
const TLS: u16 = 4433;
const MUTUAL: u16 = 4434;
/// Ports of the example `trapless_secure`.
const HTTPS: u16 = 8443;
const SSH: u16 = 8022;

/// An empty folder for what a test hands to the host's programs.
fn fresh(name: &str) -> Result<PathBuf> {
    host::fresh(&format!("secure/{name}"))
}

/// A machine with these ports of its forwarded.
fn machine(ports: &[u16], append: String) -> Result<Machine> {
    let forward = |&guest: &u16| Ok(Forward { host: free_port()?, guest, udp: false });
    let forwards = ports.iter().map(forward).collect::<Result<_>>()?;
    Ok(Machine { cpus: 2, memory: 512, forwards, append, ..Machine::new(variant::with_applications()?) })
}

/// A machine with its two TLS servers, and what its authority made, as files in `folder`: authority, client, server.
fn tls_machine(name: &str, folder: &Path, then: &str) -> Result<Vm> {
    let mut vm = Vm::boot(name, &machine(&[TLS, MUTUAL], erl(&format!("trapless_secure_test:serve(){then}.")))?)?;
    vm.wait_for("=vectors")?;
    vm.wait_for("=serving")?;
    for name in ["authority", "client", "server"] {
        let lines = vm.console().lines();
        let text = lines.iter().map(|line| line.text.as_str());
        let (begin, end) = (format!("=begin {name}"), format!("=end {name}"));
        let pem: Vec<_> = text.skip_while(|line| *line != begin).skip(1).take_while(|line| *line != end).collect();
        write(&folder.join(name), &(pem.join("\n") + "\n"))?;
    }
    Ok(vm)
}

/// Writes a file that only its owner reads, as ssh wants keys to be.
fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot protect {}", path.display()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// `openssl s_client` on a port of the machine, which says "hi". Certificates are checked against the authority in `folder`.
fn s_client(vm: &Vm, folder: &Path, port: u16, more: &[&str]) -> Result<Output> {
    let (address, authority) = (vm.address(port)?.to_string(), folder.join("authority").display().to_string());
    let mut arguments =
        vec!["s_client", "-connect", &address, "-servername", "localhost", "-verify_hostname", "localhost"];
    arguments.extend(["-verify_return_error", "-CAfile", &authority, "-ign_eof"]);
    arguments.extend(more);
    host::run("openssl", &arguments, "hi\n")
}

/// A program that runs beside the machine. Dropping it ends it, by process id.
struct Server(Child);

impl Server {
    /// Starts a program that will listen on a port of this host, and waits until it does.
    fn start(command: &mut Command, port: u16) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = Self(child.with_context(|| format!("cannot run {command:?}: `cargo xtask setup` installs it"))?);
        let give_up = Instant::now() + deadline();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(Instant::now() < give_up, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a machine says that has these CPUs and perhaps a host that gives random numbers.
fn said_at_boot(name: &str, cpu: &str, entropy: bool) -> Result<String> {
    let append = erl("halt(7).");
    let machine = Machine { cpu: Some(cpu.into()), entropy, append, ..Machine::new(trapless_tests::image()) };
    let mut vm = Vm::boot(name, &machine)?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(7), vm.fail(&format!("it ended with {exit:?}")));
    Ok(vm.console().text())
}

#[test]
fn guessable_random_numbers_are_warned_of() -> Result<()> {
    let warning = "RANDOM NUMBERS ARE GUESSABLE";
    let poor = said_at_boot("secure-poor", "qemu64", false)?;
    ensure!(poor.contains(warning), "it says: {poor}");
    for (name, cpu, entropy) in [("secure-host", "qemu64", true), ("secure-cpu", "max", false)] {
        let rich = said_at_boot(name, cpu, entropy)?;
        ensure!(!rich.contains(warning), "{name} says: {rich}");
    }
    Ok(())
}

#[test]
fn known_answers_and_a_tls_client_of_the_host() -> Result<()> {
    let folder = fresh("client")?;
    let mut vm = tls_machine("secure-tls", &folder, "")?;
    for (option, version) in [("-tls1_3", "tlsv1.3"), ("-tls1_2", "tlsv1.2")] {
        let output = s_client(&vm, &folder, TLS, &[option])?;
        ensure!(said(&output).contains(&format!("{version} unknown hi")), vm.fail(&said(&output)));
        ensure!(said(&output).contains("Verify return code: 0 (ok)"), vm.fail(&said(&output)));
    }
    // Neither side talks to whom it does not know.
    let name = s_client(&vm, &folder, TLS, &["-verify_hostname", "elsewhere"])?;
    ensure!(!name.status.success() && said(&name).contains("ostname mismatch"), vm.fail(&said(&name)));
    let pem = folder.join("client").display().to_string();
    let mutual = s_client(&vm, &folder, MUTUAL, &["-cert", &pem, "-key", &pem])?;
    ensure!(said(&mutual).contains("tlsv1.3 known hi"), vm.fail(&said(&mutual)));
    let nobody = s_client(&vm, &folder, MUTUAL, &[])?;
    ensure!(!said(&nobody).contains("known hi"), vm.fail(&said(&nobody)));
    vm.wait_for("=refused").map(drop)
}

#[test]
fn tls_sessions_are_resumed() -> Result<()> {
    let folder = fresh("session")?;
    let vm = tls_machine("secure-session", &folder, "")?;
    for option in ["-tls1_3", "-tls1_2"] {
        let session = folder.join(option).display().to_string();
        let first = s_client(&vm, &folder, TLS, &[option, "-sess_out", &session])?;
        ensure!(said(&first).contains("New, TLSv1"), vm.fail(&said(&first)));
        let second = s_client(&vm, &folder, TLS, &[option, "-sess_in", &session])?;
        ensure!(said(&second).contains("Reused, TLSv1"), vm.fail(&said(&second)));
    }
    Ok(())
}

#[test]
fn a_tls_server_of_the_host() -> Result<()> {
    let folder = fresh("server")?;
    let port = free_port()?;
    let versions = ["tlsv1.3", "tlsv1.2"].map(|version| format!(", Run({port}, '{version}', known)")).concat();
    // The server can only start when the machine has told its certificates: it is waited for.
    let then = format!(
        ", Run = fun Run(P, V, A) -> case gen_tcp:connect({{10,0,2,2}}, P, []) of {{ok, S}} -> gen_tcp:close(S), \
         trapless_secure_test:client(P, V, A); _ -> timer:sleep(200), Run(P, V, A) end end{versions}, \
         Run({port}, 'tlsv1.3', unknown)"
    );
    let mut vm = tls_machine("secure-client", &folder, &then)?;
    let [server, authority] = ["server", "authority"].map(|name| folder.join(name));
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", &port.to_string(), "-rev", "-Verify", "1", "-verify_return_error"]);
    command.arg("-cert").arg(&server).arg("-key").arg(&server).arg("-CAfile").arg(&authority);
    let _server = Server::start(&mut command, port)?;
    vm.wait_for("=client tlsv1.3 stressed")?;
    vm.wait_for("=client tlsv1.2 stressed")?;
    vm.wait_for("=client tlsv1.3 unknown_ca").map(drop)
}

/// A key pair of the host's ssh; returns the path of the secret half.
fn ssh_key(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name).display().to_string();
    run_quietly(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", &path]))?;
    Ok(path)
}

/// The example as its page tells to start it, for the owner of a key.
fn example(name: &str, key: &str) -> Result<Vm> {
    let public = read(Path::new(&format!("{key}.pub")))?;
    let keys = format!("-trapless_secure authorized_keys '\"{}\"'", public.trim());
    let mut vm = Vm::boot(name, &machine(&[HTTPS, SSH], format!("-- -noshell {keys} -s trapless_secure"))?)?;
    vm.wait_for("SSH on port 8022")?;
    Ok(vm)
}

#[test]
fn the_example_serves_https() -> Result<()> {
    let folder = fresh("https")?;
    let vm = example("secure-https", &ssh_key(&folder, "key")?)?;
    let lines = vm.console().lines();
    let pem = lines.iter().map(|line| line.text.as_str()).skip_while(|line| !line.starts_with("-----BEGIN"));
    let pem: Vec<_> = pem.take_while(|line| !line.starts_with("HTTPS")).collect();
    write(&folder.join("authority"), &(pem.join("\n") + "\n"))?;
    let url = format!("https://localhost:{}/", vm.address(HTTPS)?.port());
    let authority = folder.join("authority").display().to_string();
    let page = host::run("curl", &["--silent", "--show-error", "--ipv4", "--cacert", &authority, &url], "")?;
    ensure!(
        said(&page).contains("hello from Erlang/OTP 27 over tlsv1.3 with TLS_AES_256_GCM_SHA384"),
        vm.fail(&said(&page))
    );
    let stranger = host::run("curl", &["--silent", "--show-error", "--ipv4", &url], "")?;
    ensure!(stranger.status.code() == Some(60), vm.fail(&said(&stranger)));
    Ok(())
}

#[test]
fn the_example_is_a_shell_and_a_disk_by_ssh() -> Result<()> {
    let folder = fresh("ssh")?;
    let (key, stranger) = (ssh_key(&folder, "key")?, ssh_key(&folder, "stranger")?);
    let vm = example("secure-ssh", &key)?;
    let port = vm.address(SSH)?.port().to_string();
    let known = format!("UserKnownHostsFile={}", folder.join("known_hosts").display());
    let options = |key: &str| {
        let fixed =
            ["StrictHostKeyChecking=accept-new", "IdentitiesOnly=yes", "BatchMode=yes", "LogLevel=ERROR", &known];
        let options = fixed.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]);
        ["-F", "/dev/null", "-i", key].into_iter().map(str::to_owned).chain(options).collect::<Vec<_>>()
    };
    let run = |program: &str, key: &str, more: &[&str], input: &str| {
        let options = options(key);
        let arguments: Vec<&str> = options.iter().map(String::as_str).chain(more.iter().copied()).collect();
        host::run(program, &arguments, input)
    };
    let to = ["-p", &port, "erl@127.0.0.1"];
    let answer = run("ssh", &key, &[&to[..], &["6 * 7."]].concat(), "")?;
    ensure!(said(&answer).trim() == "42", vm.fail(&said(&answer)));
    let shell = run("ssh", &key, &[&["-tt"], &to[..]].concat(), "erlang:system_info(otp_release).\nexit().\n")?;
    ensure!(said(&shell).contains("\"27\""), vm.fail(&said(&shell)));
    let refused = run("ssh", &stranger, &[&to[..], &["6 * 7."]].concat(), "")?;
    ensure!(said(&refused).contains("Permission denied"), vm.fail(&said(&refused)));

    let data = load::bytes(1 << 20, 7);
    let [there, back] = ["there", "back"].map(|name| folder.join(name));
    fs::write(&there, &data)?;
    let batch = format!("put {} file\nls -l\nget file {}\nrm file\n", there.display(), back.display());
    let copied = run("sftp", &key, &["-b", "-", "-P", &port, "erl@127.0.0.1"], &batch)?;
    ensure!(copied.status.success(), vm.fail(&said(&copied)));
    ensure!(fs::read(&back)? == data, vm.fail("another file came back"));
    Ok(())
}

#[test]
fn an_ssh_server_of_the_host() -> Result<()> {
    let folder = fresh("sshd")?;
    let (key, host_key) = (ssh_key(&folder, "key")?, ssh_key(&folder, "host")?);
    write(&folder.join("authorized_keys"), &read(Path::new(&format!("{key}.pub")))?)?;
    let port = free_port()?;
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
         UsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n",
        folder.join("authorized_keys").display()
    );
    write(&folder.join("config"), &config)?;
    let user = String::from_utf8(host::run("id", &["-un"], "")?.stdout)?.trim().to_owned();
    if user == "root" {
        // Debian's service makes this for a server that starts as root.
        fs::create_dir_all("/run/sshd").context("cannot make /run/sshd")?;
    }
    let _server = Server::start(Command::new("/usr/sbin/sshd").arg("-D").arg("-f").arg(folder.join("config")), port)?;

    let known = format!("[10.0.2.2]:{port} {}", read(Path::new(&format!("{host_key}.pub")))?);
    let code = format!(
        "trapless_secure_test:ssh_client({port}, {user:?}, <<{}>>, <<{}>>), halt(7).",
        bytes(&read(Path::new(&key))?),
        bytes(&known)
    );
    let mut vm = Vm::boot("secure-sshd", &machine(&[], erl(&code))?)?;
    vm.wait_for("=ssh answer 42")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(7), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// The text as the bytes of an Erlang binary: line breaks do not survive a kernel command line.
fn bytes(text: &str) -> String {
    text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",")
}

#[test]
fn an_application_that_needs_what_is_nowhere_is_named() -> Result<()> {
    let folder = fresh("lacking")?.join("lacking");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lacking.erl"), "-module(lacking).\n")?;
    let description = "{application, lacking, [{vsn, \"1\"}, {applications, [kernel, ssl, nowhere_to_be_found]}]}.\n";
    fs::write(folder.join("src/lacking.app.src"), description)?;
    let built = variant::build("lacking", |cargo| {
        cargo.env("TRAPLESS_APP", &folder);
    });
    let error = built.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(error.contains("the application lacking needs the application nowhere_to_be_found"), "it says: {error}");
    Ok(())
}
