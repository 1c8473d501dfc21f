//! The systems that are compared, and how a program is run on each.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use erts_recipe::Erts;
use sources::Console as Progress;
use trapless_logic::erl_args::EMULATOR_FLAGS;
use trapless_tests::{
    console::Console,
    deadline, host,
    machine::{ECHO_PORT, Forward, Kind, Machine},
    repository,
    vm::{Vm, free_port},
};

use super::{
    lines::{self, Line},
    programs::{self, Programs},
};
use crate::{
    bench::{
        boot::FIRST_LINE,
        linux::{self, Additions, Guest},
    },
    cli::{Entry, name},
    suites::unpack,
};

/// The name of the Linux guest, and that of the host's Linux; all others are names of entry variants.
pub const LINUX: &str = "linux";
pub const NATIVE: &str = "native";

/// Where the Erlang program answers HTTP requests.
const HTTP_PORT: u16 = 8080;
/// The Erlang program prints this first, ...
const HELLO: &str = "=hello";
/// ... and this when clients may come.
const SERVING: &str = "=serving";
/// On a very busy host a Linux guest sometimes stops while it boots. It is started again, so many times in all; an image never is.
const GUEST_TRIES: u32 = 3;
/// QEMU's counter of instructions as the clock of the machine: one for each nanosecond.
const COUNTING: [&str; 2] = ["-icount", "shift=0,sleep=off"];
/// The rate of the time stamp counter on that clock.
const COUNTING_KHZ: u64 = 1_000_000;

/// One thing to ask of the C program.
pub struct Work {
    /// A name for logs, and for the guest's list of starts.
    pub start: &'static str,
    pub arguments: Vec<String>,
}

/// A system.
pub struct System {
    pub name: String,
    /// A hash of everything that runs on it.
    pub contents: String,
    /// The file whose symbols name the code of the C program and, in an image, of all else.
    pub symbols: PathBuf,
    place: Place,
}

enum Place {
    Image(PathBuf),
    Guest(Guest),
    Host(Host),
}

/// The programs on the Linux that this runs on.
struct Host {
    micro: PathBuf,
    beam: PathBuf,
    bin: PathBuf,
    disk: PathBuf,
}

/// What all machines have in common.
pub struct Frame {
    pub kind: Kind,
    pub memory: u32,
    /// Of the Erlang program: the number of samples, and the length of each in milliseconds.
    pub erlang: (u32, u32),
    pub folder: PathBuf,
    /// A library for QEMU, see `bench/syscalls/backlog.c`.
    pub backlog: PathBuf,
}

impl Frame {
    /// What the Erlang program is started with.
    fn erlang_arguments(&self) -> Vec<String> {
        let (samples, ms) = self.erlang;
        let line = format!("-noshell -s trapless_bench -samples {samples} -sample_ms {ms}");
        line.split(' ').map(str::to_owned).collect()
    }

    /// The same with everything that the emulator gets besides, its own name first.
    fn emulator_arguments(&self) -> Result<Vec<String>> {
        let arguments = self.erlang_arguments();
        linux::erlang(self.memory, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// What all systems are made of.
pub struct Parts<'a> {
    pub erts: &'a Erts,
    pub kernel: &'a linux::Kernel,
    pub entries: &'a [Entry],
    /// What the C program will be asked for.
    pub works: &'a [&'a Work],
    pub frame: &'a Frame,
}

/// Builds all systems and hands each to `ready`, the host and the guest as soon as there is the first image, whose files they share.
/// The images of the other variants are built beside each other: most of it is one thread's work.
pub fn build(parts: &Parts<'_>, ready: impl Fn(System) + Sync) -> Result<()> {
    let folder = &parts.frame.folder;
    let programs = programs::programs(parts.erts, folder)?;
    let Some((&first, others)) = parts.entries.split_first() else { bail!("there is no variant to build") };
    let image = |entry, first| -> Result<PathBuf> {
        eprintln!("building the image of {}", name(entry));
        let image = programs::image(entry, first, &programs, folder)?;
        let contents = hash(&[&image])?;
        ready(System { name: name(entry), contents, symbols: image.clone(), place: Place::Image(image.clone()) });
        Ok(image)
    };
    let files = image(first, None)?;
    ready(guest(parts, &programs, &files)?);
    ready(host(parts, &programs, &files)?);
    thread::scope(|scope| {
        let image = &image;
        let builders: Vec<_> =
            others.iter().map(|&entry| scope.spawn(move || image(entry, Some(first)).map(drop))).collect();
        let ended =
            builders.into_iter().map(|builder| builder.join().map_err(|_| anyhow!("a builder has panicked"))?);
        // All are waited for, whatever the first of them says.
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

fn guest(parts: &Parts<'_>, programs: &Programs, image: &Path) -> Result<System> {
    let mut more = Additions { programs: vec![("micro".into(), programs.micro.clone())], starts: Vec::new() };
    for work in parts.works {
        let words = [&["micro".to_owned()], &work.arguments[..]].concat();
        more.starts.push((work.start.to_owned(), words));
    }
    more.starts.push(("erlang".into(), parts.frame.emulator_arguments()?));
    let guest = Guest::make(parts.kernel, parts.erts, image, &parts.frame.folder, parts.frame.memory, &more)?;
    let contents = hash(&[&guest.kernel, &guest.initramfs])?;
    Ok(System { name: LINUX.into(), contents, symbols: programs.micro.clone(), place: Place::Guest(guest) })
}

fn host(parts: &Parts<'_>, programs: &Programs, image: &Path) -> Result<System> {
    let disk = unpack(&parts.frame.folder, image)?;
    let bin = parts.erts.otp.join(format!("erts-{}/bin", parts.erts.erts_version));
    let host = Host { micro: programs.micro.clone(), beam: parts.erts.beam_linux.clone(), bin, disk };
    let contents = hash(&[&host.micro, &host.beam])?;
    Ok(System { name: NATIVE.into(), contents, symbols: programs.micro.clone(), place: Place::Host(host) })
}

/// One hash of several files.
fn hash(files: &[&Path]) -> Result<String> {
    let hashes: Vec<_> = files.iter().map(|file| Ok(sources::sha256_file(file)?)).collect::<Result<_>>()?;
    Ok(if let [one] = &hashes[..] { one.clone() } else { sources::sha256_hex(hashes.concat().as_bytes()) })
}

impl System {
    /// Whether it is an image, which counts its own system calls.
    pub fn is_image(&self) -> bool {
        matches!(self.place, Place::Image(_))
    }

    fn machine(&self, frame: &Frame, cpus: u32, start: &str, arguments: &str) -> Result<Machine> {
        let base = |image: PathBuf| Machine { kind: frame.kind, cpus, memory: frame.memory, ..Machine::new(image) };
        Ok(match &self.place {
            Place::Image(image) => Machine { append: arguments.to_owned(), ..base(image.clone()) },
            Place::Guest(guest) => Machine {
                append: linux::command_line(start),
                extra: vec!["-initrd".into(), guest.initramfs.to_string_lossy().into_owned()],
                ..base(guest.kernel.clone())
            },
            Place::Host(_) => bail!("{} is no machine", self.name),
        })
    }

    /// Runs the C program to its end.
    pub fn micro(&self, frame: &Frame, cpus: u32, work: &Work) -> Result<Vec<Line>> {
        if let Place::Host(host) = &self.place {
            return host.micro(cpus, work);
        }
        let machine = self.micro_machine(frame, cpus, work)?;
        lines::read(&self.run_micro(&machine, work)?)
    }

    /// Runs the C program on a machine whose time stamp counter counts instructions.
    pub fn count(&self, frame: &Frame, work: &Work) -> Result<Vec<Line>> {
        let mut machine = self.micro_machine(frame, 1, work)?;
        machine.extra.extend(COUNTING.map(str::to_owned));
        if matches!(self.place, Place::Guest(_)) {
            machine.append = linux::command_line_at(work.start, Some(COUNTING_KHZ));
        }
        lines::read(&self.run_micro(&machine, work)?)
    }

    /// The machine that runs the C program.
    pub fn micro_machine(&self, frame: &Frame, cpus: u32, work: &Work) -> Result<Machine> {
        let arguments = format!("-- micro {}", work.arguments.join(" "));
        self.machine(frame, cpus, work.start, &arguments)
    }

    /// Runs the C program on this machine to its end, and returns what it printed.
    pub fn run_micro(&self, machine: &Machine, work: &Work) -> Result<String> {
        self.patiently(|patience| {
            let vm = Vm::boot(&format!("bench-{}-{}", self.name, work.start), machine)?;
            match vm.console().wait_for("=end", 0, 3 * patience) {
                Some(_) => Ok(vm.console().text()),
                None => Err(vm.fail("the C program did not come to its end")),
            }
        })
    }

    /// Starts the Erlang program, and waits until it serves. `extra` is for QEMU.
    pub fn erlang(&self, frame: &Frame, cpus: u32, counters: bool, extra: &[String]) -> Result<Session> {
        if let Place::Host(host) = &self.place {
            return host.erlang(frame);
        }
        let settings = if counters { "counters=on " } else { "" };
        let arguments = format!("{settings}-- {}", frame.emulator_arguments()?.join(" "));
        let mut machine = self.machine(frame, cpus, "erlang", &arguments)?;
        machine.extra.extend_from_slice(extra);
        self.patiently(|patience| {
            machine.forwards = [ECHO_PORT, HTTP_PORT]
                .into_iter()
                .map(|guest| Ok(Forward { host: free_port()?, guest, udp: false }))
                .collect::<Result<_>>()?;
            machine.preload = Some(frame.backlog.clone());
            let vm = Vm::boot(&format!("bench-{}-erlang", self.name), &machine)?;
            let Some((hello, _)) = vm.console().wait_for(HELLO, 0, patience) else {
                return Err(vm.fail("Erlang printed nothing"));
            };
            if vm.console().wait_for(SERVING, 0, deadline()).is_none() {
                return Err(vm.fail("the Erlang program did not come to serve"));
            }
            Ok(Session {
                console: vm.console().clone(),
                hello: hello.at,
                echo: vm.address(ECHO_PORT)?,
                http: vm.address(HTTP_PORT)?,
                _running: Running::Machine(Box::new(vm)),
            })
        })
    }

    /// Boots an image on one CPU to Erlang's first line. `extra` is for QEMU.
    pub fn hello(&self, frame: &Frame, extra: &[String]) -> Result<Vm> {
        // In quotes, for the image splits its command line as a shell does.
        let words = linux::erlang(frame.memory, &["-noshell", "-eval", linux::HELLO])?;
        let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        let mut machine = self.machine(frame, 1, "hello", &format!("-- {}", words.join(" ")))?;
        machine.extra.extend_from_slice(extra);
        let mut vm = Vm::boot(&format!("bench-{}-hello", self.name), &machine)?;
        vm.wait_for(FIRST_LINE)?;
        Ok(vm)
    }

    /// A guest is started again when it does not come up.
    fn patiently<T>(&self, mut attempt: impl FnMut(Duration) -> Result<T>) -> Result<T> {
        let tries = if matches!(self.place, Place::Guest(_)) { GUEST_TRIES } else { 1 };
        for left in (0..tries).rev() {
            match attempt(deadline()) {
                Err(error) if left > 0 => eprintln!("{}: once more: {error:#}", self.name),
                result => return result,
            }
        }
        bail!("{} was not started", self.name)
    }
}

/// The Erlang program, while it serves.
pub struct Session {
    pub console: Console,
    /// From the start of QEMU, or of the process, to Erlang's first line.
    pub hello: Duration,
    pub echo: SocketAddr,
    pub http: SocketAddr,
    _running: Running,
}

/// What ends the program when it is dropped.
enum Running {
    Machine(#[expect(dead_code, reason = "kept to be dropped")] Box<Vm>),
    Process(#[expect(dead_code, reason = "kept to be dropped")] Process),
}

/// A process of the host that does not outlive this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Host {
    fn micro(&self, cpus: u32, work: &Work) -> Result<Vec<Line>> {
        let mut command = match cpus {
            1 => {
                let mut command = Command::new("taskset");
                command.args(["-c", "0"]).arg(&self.micro);
                command
            }
            _ => Command::new(&self.micro),
        };
        let output =
            command.args(&work.arguments).output().context("cannot run the C program (taskset is in util-linux)")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "on the host the C program ended with {}: {text}", output.status);
        lines::read(&text)
    }

    fn erlang(&self, frame: &Frame) -> Result<Session> {
        let (echo, http) = (free_port()?, free_port()?);
        let root = self.disk.join("otp");
        let mut command = Command::new(&self.beam);
        command.args(EMULATOR_FLAGS).args(["--", "-root"]).arg(&root).arg("-bindir").arg(&self.bin);
        command
            .args(["-progname", "erl", "--", "-home"])
            .arg(&self.disk)
            .args(["--", "-boot"])
            .arg(root.join("bin/start"));
        command.args(frame.erlang_arguments()).args(["-echo_port", &echo.to_string(), "-http_port", &http.to_string()]);
        command.env("BINDIR", &self.bin).current_dir(&self.disk);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let log = repository().join("target/trapless-logs/bench-native-erlang.log");
        log.parent().map_or(Ok(()), fs::create_dir_all)?;
        let log = File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        let started = Instant::now();
        let mut process = Process(host::not_alone(&mut command).spawn().context("cannot start Erlang on the host")?);
        let console = Console::default();
        if let Some(stdout) = process.0.stdout.take() {
            console.fill(stdout, started, Arc::new(Mutex::new(log)), "");
        }
        let hello = console.wait_for(HELLO, 0, deadline()).context("Erlang on the host printed nothing")?.0.at;
        console.wait_for(SERVING, 0, deadline()).context("the Erlang program on the host did not come to serve")?;
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Session { console, hello, echo: at(echo), http: at(http), _running: Running::Process(process) })
    }
}

/// Builds OTP, or finds it.
pub fn erts() -> Result<Erts> {
    erts_recipe::build(erts_recipe::Flavor::Jit, &Progress).context("OTP could not be built")
}
