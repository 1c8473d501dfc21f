//! The two sides: how a suite is started in the image and on Linux.

use std::{
    env,
    fs::{self, File},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use erts_recipe::Erts;
use rootfs_recipe::tree::Tree;
use trapless_tests::{
    host, initrd,
    machine::Machine,
    peers::{self, Peers},
    repository,
    vm::{Vm, free_port},
};

use super::{outcome::Outcomes, watch::Run};

/// Where the suites of an application are below the root.
pub fn folder(application: &str) -> String {
    format!("suites/{application}_test")
}

/// Below the root: the file with the cases that are left out.
pub const LEFT_OUT: &str = "suites/left-out";

/// Where suites are, and how one is started.
pub struct Side {
    pub image: PathBuf,
    /// Files that are laid over those of the image.
    pub beside: Tree,
    /// All these files on this host.
    pub disk: PathBuf,
    /// A folder below the root with applications that are not OTP's.
    pub libs: Option<&'static str>,
    /// Arguments of Erlang for the suite of an application; the first is where the image's root is.
    pub arguments: fn(root: &str, application: &str, suite: &str) -> Vec<String>,
}

/// The arguments of Erlang that run one suite of OTP. They want a node with a name, for nodes that suites start beside it.
pub fn arguments(root: &str, application: &str, suite: &str) -> Vec<String> {
    let (suites, logs) = (format!("{root}/{}", folder(application)), format!("{root}/tmp/{suite}"));
    let left_out = format!("{root}/{LEFT_OUT}");
    let node = ["-noshell", "-sname", "suites", "-start_epmd", "true"];
    let run = ["-run", "trapless_suites", "run", application, &suites, &logs, suite, &left_out];
    node.into_iter().chain(run).map(str::to_owned).collect()
}

/// The names of the cases that have an outcome, one a line.
fn left_out(outcomes: &Outcomes) -> String {
    outcomes.cases.keys().map(|case| format!("{case}\n")).collect()
}

/// A log's name for one start of a suite.
fn log(side: &str, suite: &str) -> String {
    static STARTS: AtomicU32 = AtomicU32::new(0);
    format!("{side}-{}-{}", suite.replace('/', "-"), STARTS.fetch_add(1, Ordering::Relaxed))
}

/// A suite in a machine, and the machines with the nodes that it starts beside its own.
pub struct InImage {
    vm: Vm,
    peers: Peers,
}

impl InImage {
    /// Boots a machine with a suite, without the cases that have an outcome.
    ///
    /// # Errors
    /// QEMU cannot be started.
    pub fn start(machine: &Machine, side: &Side, application: &str, suite: &str, outcomes: &Outcomes) -> Result<Self> {
        let archive = side.disk.with_extension("cpio");
        let left_out = left_out(outcomes);
        let beside = side.beside.nodes().filter_map(|(path, _)| Some((path, side.beside.file(path)?)));
        let files: Vec<_> = beside.chain([(LEFT_OUT, left_out.as_bytes()), peers::LEAVE]).collect();
        let initrd = initrd::write(&archive, &files)?;
        let extra = machine.extra.iter().cloned().chain(initrd).collect();
        let log = log("suite", suite);
        let peers = Peers::new(&log, Machine { extra, ..machine.clone() })?;
        let arguments = (side.arguments)("", application, suite);
        let vm = Vm::boot(&log, &peers.first(arguments.iter().map(String::as_str)))?;
        Ok(Self { vm, peers })
    }
}

impl Run for InImage {
    fn text(&mut self) -> Result<String> {
        let text = self.vm.console().text();
        // A case that does not get its node fails; the others are not to wait for that.
        if let Err(why) = self.peers.attend(&text) {
            eprintln!("a node was asked for in vain: {why:#}");
        }
        Ok(text)
    }

    fn is_running(&mut self) -> Result<bool> {
        Ok(!self.vm.console().is_closed())
    }

    fn explain(&mut self) {
        if let Err(why) = self.vm.ask() {
            eprintln!("it does not tell where its threads are: {why:#}");
        }
    }
}

/// A program on Linux that ends with this value.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A suite on Linux, with the daemon that its nodes find each other by.
pub struct OnLinux {
    erlang: Program,
    _epmd: Program,
    output: PathBuf,
    disk: PathBuf,
}

impl OnLinux {
    /// Starts a suite without the cases that have an outcome.
    ///
    /// # Errors
    /// Erlang cannot be started.
    pub fn start(erts: &Erts, side: &Side, application: &str, suite: &str, outcomes: &Outcomes) -> Result<Self> {
        let disk = &side.disk;
        let file = disk.join(LEFT_OUT);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&file, left_out(outcomes)).with_context(|| format!("cannot write {}", file.display()))?;
        let root = disk.join("otp");
        // Linux can run the programs that Erlang starts there, `erl` among them.
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([erts.otp.join("bin")].into_iter().chain(env::split_paths(&path)))?;
        let bin = erts.otp.join(format!("erts-{}/bin", erts.erts_version));
        let output = repository().join("target/trapless-logs").join(log("linux", suite)).with_extension("log");
        output.parent().map_or(Ok(()), fs::create_dir_all)?;
        let file = File::create(&output).with_context(|| format!("cannot make {}", output.display()))?;
        let (epmd, port) = epmd(&bin.join("epmd"))?;
        let mut command = Command::new(&erts.beam_host);
        command.args(["--", "-root"]).arg(&root).arg("-bindir").arg(&bin).args(["-progname", "erl", "--", "-home"]);
        command.arg(disk).args(["--", "-boot"]).arg(root.join("bin/start"));
        // `erl` would make one of the other: nodes that a suite starts see the variable.
        let port = port.to_string();
        command.args(["-epmd_port", &port]).env("ERL_EPMD_PORT", &port);
        command.args((side.arguments)(&disk.to_string_lossy(), application, suite));
        command.envs(side.libs.map(|libs| ("ERL_LIBS", disk.join(libs)))).env("LANG", "C.UTF-8");
        command.env("PATH", path).env("BINDIR", &bin).env("ERL_CRASH_DUMP_BYTES", "0").current_dir(disk);
        command.env("HOME", disk);
        command.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file);
        let erlang = Program(host::not_alone(&mut command).spawn().context("cannot start Erlang on Linux")?);
        Ok(Self { erlang, _epmd: epmd, output, disk: disk.clone() })
    }
}

/// Starts a daemon that nodes find each other by, and waits until it listens. Its port is its own: others on this host may have a daemon
/// that knows the same names.
fn epmd(program: &Path) -> Result<(Program, u16)> {
    let port = free_port()?;
    let mut command = Command::new(program);
    command.args(["-address", "127.0.0.1", "-port", &port.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = host::not_alone(&mut command).spawn();
    let mut epmd = Program(child.context("cannot start epmd on Linux")?);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if let Some(status) = epmd.0.try_wait().context("cannot wait for epmd on Linux")? {
            bail!("epmd on Linux ended at once, with {status}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok((epmd, port))
}

impl Run for OnLinux {
    fn text(&mut self) -> Result<String> {
        let bytes = fs::read(&self.output).with_context(|| format!("cannot read {}", self.output.display()))?;
        // Paths as in the image, whose disk this is.
        Ok(String::from_utf8_lossy(&bytes).replace(&*self.disk.to_string_lossy(), ""))
    }

    fn is_running(&mut self) -> Result<bool> {
        Ok(self.erlang.0.try_wait().context("cannot wait for Erlang on Linux")?.is_none())
    }
}
