//! QEMU's monitor protocol, as much of it as the harness needs: one command, one answer.
//! (QEMU documentation, "QEMU Machine Protocol Specification".)

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A connection to one QEMU.
pub struct Qmp {
    to: UnixStream,
    from: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects to the socket that QEMU was told to make, which may take QEMU a moment.
    ///
    /// # Errors
    /// The socket does not appear within the deadline, or what answers is no QEMU.
    pub fn connect(socket: &Path, deadline: Duration) -> Result<Self> {
        let give_up = Instant::now() + deadline;
        let to = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > give_up => return Err(error).context("QEMU's monitor does not answer"),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        };
        to.set_read_timeout(Some(deadline))?;
        let from = BufReader::new(to.try_clone()?);
        let mut qmp = Self { to, from };
        let greeting = qmp.read()?;
        if greeting.get("QMP").is_none() {
            bail!("QEMU's monitor greets with {greeting}");
        }
        qmp.command("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command, and returns its answer. Events that come in between are dropped.
    ///
    /// # Errors
    /// QEMU refuses the command, or is gone.
    pub fn command(&mut self, name: &str, arguments: Value) -> Result<Value> {
        let line = json!({ "execute": name, "arguments": arguments });
        writeln!(self.to, "{line}").with_context(|| format!("cannot send {name} to QEMU"))?;
        loop {
            let mut answer = self.read()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {name}: {error}");
            }
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        let count = self.from.read_line(&mut line).context("cannot read from QEMU's monitor")?;
        if count == 0 {
            bail!("QEMU closed its monitor");
        }
        serde_json::from_str(&line).with_context(|| format!("QEMU's monitor said {line:?}"))
    }
}
