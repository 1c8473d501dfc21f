//! One running QEMU: started, watched, and always ended with the value that stands for it.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result, anyhow, ensure};
use serde_json::json;

use crate::{
    console::{Console, Line},
    deadline,
    exit::Exit,
    host,
    machine::{ECHO_PORT, Forward, Machine},
    qmp::Qmp,
    repository, symbols,
};

/// What the default application prints when it serves.
pub const READY: &str = "listening on port 5555";

/// How long a machine may take to tell what it is doing.
const ANSWER: Duration = Duration::from_secs(20);

/// A running machine. Dropping it ends its QEMU, by process id.
pub struct Vm {
    name: String,
    image: PathBuf,
    child: Child,
    input: Option<ChildStdin>,
    console: Console,
    errors: Console,
    readers: Vec<JoinHandle<()>>,
    started: Instant,
    seen: usize,
    log: PathBuf,
    socket: PathBuf,
    forwards: Vec<Forward>,
}

impl Vm {
    /// Starts a machine. `name` names its log, which stays in `target/trapless-logs`.
    ///
    /// # Errors
    /// There is no image, or QEMU cannot be started.
    pub fn boot(name: &str, machine: &Machine) -> Result<Self> {
        ensure!(
            machine.image.is_file(),
            "there is no image at {}: run `cargo xtask build` first",
            machine.image.display()
        );
        let folder = repository().join("target/trapless-logs");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let log = folder.join(format!("{name}.log"));
        let socket = env::temp_dir().join(unique("trapless", ".qmp"));
        let mut arguments = machine.arguments();
        arguments.extend(["-serial", "stdio", "-monitor", "none", "-qmp"].map(OsString::from));
        arguments.push(format!("unix:{},server=on,wait=off", socket.display()).into());

        let mut file = File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        writeln!(file, "qemu-system-x86_64 {}", spell(&arguments))?;
        let file = Arc::new(Mutex::new(file));
        let mut command = Command::new("qemu-system-x86_64");
        command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(library) = &machine.preload {
            command.env("LD_PRELOAD", library);
        }
        let started = Instant::now();
        let mut child = host::not_alone(&mut command)
            .spawn()
            .context("cannot start qemu-system-x86_64 (Debian: apt-get install qemu-system-x86)")?;
        let (console, errors) = (Console::default(), Console::default());
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(console.fill(stdout, started, file.clone(), ""));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(errors.fill(stderr, started, file, "[qemu] "));
        }
        let input = child.stdin.take();
        let (name, image, forwards) = (name.to_owned(), machine.image.clone(), machine.forwards.clone());
        Ok(Self { name, image, child, input, console, errors, readers, started, seen: 0, log, socket, forwards })
    }

    /// Starts a machine whose default application can be reached, and waits until it serves.
    ///
    /// # Errors
    /// As [`Vm::boot`], or the machine does not come to serve.
    pub fn serve(name: &str, machine: &Machine) -> Result<Self> {
        let mut machine = machine.clone();
        machine.forwards.push(Forward { host: free_port()?, guest: ECHO_PORT, udp: false });
        let mut vm = Self::boot(name, &machine)?;
        vm.wait_for(READY)?;
        Ok(vm)
    }

    /// Waits until the console prints `pattern`, looking behind what the last call found.
    ///
    /// # Errors
    /// The machine ended or hung without printing it; the error holds the end of its console.
    pub fn wait_for(&mut self, pattern: &str) -> Result<Line> {
        match self.console.wait_for(pattern, self.seen, deadline()) {
            Some((line, end)) => {
                self.seen = end;
                Ok(line)
            }
            None if self.console.is_closed() => Err(self.fail(&format!("it ended without printing {pattern:?}"))),
            None => Err(self.hangs(&format!("{pattern:?} was not printed"))),
        }
    }

    /// Waits until the machine has ended by itself.
    ///
    /// # Errors
    /// It hangs.
    pub fn wait_exit(&mut self) -> Result<Exit> {
        self.ended_within(deadline())?.ok_or_else(|| self.hangs("it does not end"))
    }

    /// How the machine ended, all of its console read; None if it has not within the time.
    fn ended_within(&mut self, time: Duration) -> Result<Option<Exit>> {
        let give_up = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait for QEMU")? {
                for reader in self.readers.drain(..) {
                    let _ = reader.join();
                }
                return Ok(Some(Exit::read(status, &self.errors.text())));
            }
            if Instant::now() > give_up {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// An error about a machine that hangs. The machine is asked what it is doing, which also ends it; the answer goes into the log, with
    /// names in place of addresses.
    fn hangs(&mut self, what: &str) -> Error {
        let error = self.fail(&format!("it hangs: {what}"));
        match self.ask() {
            Ok(()) => error.context("where its threads are is at the end of its log"),
            Err(reason) => error.context(format!("it does not tell where its threads are: {reason:#}")),
        }
    }

    /// Has the machine tell what it is doing, by a non-maskable interrupt, which ends it, and adds that to the log with names in place of
    /// addresses.
    ///
    /// # Errors
    /// It says nothing, or the log cannot be written.
    pub fn ask(&mut self) -> Result<()> {
        let before = self.console.text().len();
        Qmp::connect(&self.socket, ANSWER)?.command("inject-nmi", json!({}))?;
        self.ended_within(ANSWER)?;
        let said = self.console.text().split_off(before);
        ensure!(!said.is_empty(), "it says nothing");
        let named = symbols::name_addresses(&said, &symbols::of(&self.image)?);
        File::options().append(true).open(&self.log)?.write_all(named.as_bytes())?;
        Ok(())
    }

    /// Whether QEMU still runs.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("cannot wait for QEMU")?.is_none())
    }

    /// Types into the machine's console.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn type_in(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().context("the console has no input")?;
        input.write_all(text.as_bytes()).and_then(|()| input.flush()).context("cannot type into the console")
    }

    /// Connects to a TCP port of the machine, which must be forwarded.
    ///
    /// # Errors
    /// The port is not forwarded, or QEMU does not take the connection.
    pub fn connect(&self, guest: u16) -> Result<TcpStream> {
        let stream =
            TcpStream::connect(self.address(guest)?).with_context(|| format!("cannot connect to port {guest}"))?;
        stream.set_read_timeout(Some(deadline()))?;
        stream.set_write_timeout(Some(deadline()))?;
        Ok(stream)
    }

    /// Where on the host a TCP port of the machine is.
    ///
    /// # Errors
    /// The port is not forwarded.
    pub fn address(&self, guest: u16) -> Result<SocketAddr> {
        let found = self.forwards.iter().find(|forward| forward.guest == guest && !forward.udp);
        let forward = found.with_context(|| format!("port {guest} is not forwarded"))?;
        Ok((Ipv4Addr::LOCALHOST, forward.host).into())
    }

    /// Opens QEMU's monitor.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn monitor(&self) -> Result<Qmp> {
        Qmp::connect(&self.socket, deadline())
    }

    /// What the machine printed so far.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// What QEMU itself said so far.
    pub fn errors(&self) -> &Console {
        &self.errors
    }

    /// When QEMU was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The process id of QEMU.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error about this machine, with the end of its console and where all of it is.
    pub fn fail(&self, what: &str) -> Error {
        let lines = self.console.lines();
        let tail: Vec<_> = lines
            .iter()
            .rev()
            .take(25)
            .rev()
            .map(|line| format!("{:9.3} {}", line.at.as_secs_f64(), line.text))
            .collect();
        let (name, qemu, log) = (&self.name, self.errors.text(), self.log.display());
        anyhow!("machine {name}: {what}\n{}\n{qemu}(all of it: {log})", tail.join("\n"))
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Both fail only when QEMU has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.socket);
        if thread::panicking() {
            eprintln!("{}", self.fail("its test failed"));
        }
    }
}

/// A TCP port of the host that nobody listens on just now.
///
/// # Errors
/// The host has none to give.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the host has no free port")?;
    Ok(listener.local_addr()?.port())
}

fn unique(prefix: &str, ending: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}-{}{ending}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The arguments as one could type them.
fn spell(arguments: &[OsString]) -> String {
    let quoted = arguments.iter().map(|word| {
        let word = word.to_string_lossy();
        if word.contains([' ', '"', '\'', '\\']) {
            format!("'{}'", word.replace('\'', "'\\''"))
        } else {
            word.into_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
