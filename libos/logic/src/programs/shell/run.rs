//! Commands, performed.

use super::super::process::{Process, Status, show};
use super::super::stream::Stream;
use super::lex::Word;
use super::parse::{self, Command, Join, Kind, List, Outcome, Pipeline, Redirection};
use super::{DEPTH_MAX, builtins, expand};
use crate::platform::Platform;
use crate::vfs::Vfs;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Arguments;
use trapless_abi::flags::OpenFlags;
use trapless_abi::{Errno, SysResult};

/// Why no further command is performed.
pub enum Stop {
    /// exit(1).
    Exit(Status),
    /// Nobody reads what is written any more, or nothing can be read.
    Broken(Errno),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Broken(errno)
    }
}

/// The three streams of a command.
pub struct Streams<P: Platform> {
    pub stdin: Stream<P>,
    pub stdout: Stream<P>,
    pub stderr: Stream<P>,
}

impl<P: Platform> Clone for Streams<P> {
    fn clone(&self) -> Self {
        Self { stdin: self.stdin.clone(), stdout: self.stdout.clone(), stderr: self.stderr.clone() }
    }
}

/// A variable.
#[derive(Clone)]
pub struct Variable {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
    /// Whether programs get it.
    pub exported: bool,
}

/// The state that commands change.
pub struct Shell<P: Platform> {
    pub vfs: Arc<Vfs<P>>,
    pub cwd: Vec<u8>,
    pub variables: Vec<Variable>,
    /// Of the last command.
    pub status: Status,
    /// What it calls itself.
    name: String,
    /// `$1` and on.
    arguments: Vec<Vec<u8>>,
    depth: usize,
}

impl<P: Platform> Shell<P> {
    pub fn new(process: &Process<P>) -> Self {
        let variable = |pair: &Vec<u8>| {
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            Some(Variable { name: pair[..equals].to_vec(), value: pair[equals + 1..].to_vec(), exported: true })
        };
        let arguments = match process.operands() {
            [flag, _, _, rest @ ..] if flag == b"-c" => rest,
            [flag, ..] if flag == b"-c" => &[],
            [_, rest @ ..] => rest,
            [] => &[],
        };
        Self {
            vfs: process.vfs.clone(),
            cwd: process.cwd.clone(),
            variables: process.env.iter().filter_map(variable).collect(),
            status: 0,
            name: process.name(),
            arguments: arguments.to_vec(),
            depth: process.depth,
        }
    }

    /// Tells what is wrong.
    pub fn complain(&self, streams: &Streams<P>, text: Arguments<'_>) -> SysResult<()> {
        streams.stderr.write(alloc::format!("{}: {text}\n", self.name).as_bytes())
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &[u8]) -> Option<Vec<u8>> {
        Some(match name {
            b"?" => self.status.to_string().into_bytes(),
            b"$" => b"1".to_vec(),
            b"0" => self.name.clone().into_bytes(),
            b"#" => self.arguments.len().to_string().into_bytes(),
            b"@" | b"*" => self.arguments.join(&b' '),
            [digit @ b'1'..=b'9'] => self.arguments.get(usize::from(digit - b'1'))?.clone(),
            _ => self.variables.iter().find(|variable| variable.name == name)?.value.clone(),
        })
    }

    /// Gives a variable a value.
    pub fn set(&mut self, name: &[u8], value: Vec<u8>) {
        match self.variables.iter_mut().find(|variable| variable.name == name) {
            Some(variable) => variable.value = value,
            None => self.variables.push(Variable { name: name.to_vec(), value, exported: false }),
        }
    }

    /// Performs a list.
    pub fn list(&mut self, list: &List, streams: &Streams<P>) -> Result<(), Stop> {
        for (join, pipeline) in list {
            let is_due = match join {
                Join::Always => true,
                Join::AfterSuccess => self.status == 0,
                Join::AfterFailure => self.status != 0,
            };
            if is_due {
                self.pipeline(pipeline, streams)?;
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, streams: &Streams<P>) -> Result<(), Stop> {
        let mut stdin = streams.stdin.clone();
        let last = pipeline.commands.len() - 1;
        for (index, command) in pipeline.commands.iter().enumerate() {
            let stdout = if index == last { streams.stdout.clone() } else { Stream::buffer() };
            let own = Streams { stdin, stdout: stdout.clone(), stderr: streams.stderr.clone() };
            if last == 0 {
                self.command(command, &own)?;
            } else {
                // Each in a shell of its own: what it changes stays there.
                self.apart(&own, |shell| shell.command(command, &own))?;
            }
            stdin = stdout;
        }
        if pipeline.negated {
            self.status = u8::from(self.status == 0);
        }
        Ok(())
    }

    /// What is done in a shell of its own changes nothing here but the status.
    fn apart(&mut self, streams: &Streams<P>, work: impl FnOnce(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        if self.depth > DEPTH_MAX {
            self.complain(streams, format_args!("too deep: more than {DEPTH_MAX} groups in one another"))?;
            return Err(Stop::Exit(2));
        }
        let (cwd, variables) = (self.cwd.clone(), self.variables.clone());
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        (self.cwd, self.variables) = (cwd, variables);
        match result {
            Err(Stop::Exit(status)) => self.status = status,
            other => other?,
        }
        Ok(())
    }

    /// What commands write, without newlines at the end (XCU 2.6.3).
    pub fn substitute(&mut self, text: &[u8], streams: &Streams<P>) -> Result<Vec<u8>, Stop> {
        let list = match parse::parse(text) {
            Outcome::Done(list) => list,
            Outcome::Incomplete | Outcome::Wrong(_) => {
                self.complain(streams, format_args!("syntax error in $({})", show(text)))?;
                return Err(Stop::Exit(2));
            }
        };
        let stdout = Stream::buffer();
        let own = Streams { stdout: stdout.clone(), ..streams.clone() };
        self.apart(&own, |shell| shell.list(&list, &own))?;
        let mut written = stdout.read()?;
        while written.last() == Some(&b'\n') {
            written.pop();
        }
        Ok(written)
    }

    fn command(&mut self, command: &Command, streams: &Streams<P>) -> Result<(), Stop> {
        let Some(streams) = self.redirected(&command.redirections, streams)? else {
            self.status = 1;
            return Ok(());
        };
        match &command.kind {
            Kind::Subshell(list) => self.apart(&streams, |shell| shell.list(list, &streams)),
            Kind::Group(list) => self.list(list, &streams),
            Kind::Simple { assignments, words } => self.simple(assignments, words, &streams),
        }
    }

    /// The streams with redirections applied, in order; none, and the reason told, when one fails.
    fn redirected(&mut self, redirections: &[Redirection], streams: &Streams<P>) -> Result<Option<Streams<P>>, Stop> {
        let mut own = streams.clone();
        for Redirection { fd, operator, target } in redirections {
            let target = expand::single(self, target, &own)?;
            let flags = match *operator {
                "<" => OpenFlags::empty(),
                ">" => OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC,
                ">>" => OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_APPEND,
                _ => OpenFlags::empty(),
            };
            let stream = match (*operator, &target[..]) {
                ("<&" | ">&", b"0") => own.stdin.clone(),
                ("<&" | ">&", b"1") => own.stdout.clone(),
                ("<&" | ">&", b"2") => own.stderr.clone(),
                ("<&" | ">&", b"-") => Stream::Null,
                ("<&" | ">&", other) => {
                    self.complain(&own, format_args!("{}: bad descriptor", show(other)))?;
                    return Ok(None);
                }
                (_, path) => match self.process(Vec::new(), &own).open(path, flags) {
                    Ok(file) => Stream::File(file),
                    Err(errno) => {
                        self.complain(&own, format_args!("cannot open {}: {}", show(path), errno.description()))?;
                        return Ok(None);
                    }
                },
            };
            match fd {
                0 => own.stdin = stream,
                1 => own.stdout = stream,
                _ => own.stderr = stream,
            }
        }
        Ok(Some(own))
    }

    fn simple(&mut self, assignments: &[(Vec<u8>, Word)], words: &[Word], streams: &Streams<P>) -> Result<(), Stop> {
        let mut fields = expand::fields(self, words, streams)?;
        if fields.is_empty() {
            // What remains is the status of the last substitution.
            self.status = 0;
        }
        let mut assigned = Vec::new();
        for (name, word) in assignments {
            assigned.push((name, expand::single(self, word, streams)?));
        }
        if fields.is_empty() {
            assigned.into_iter().for_each(|(name, value)| self.set(name, value));
            return Ok(());
        }
        let is_exec = fields[0] == b"exec";
        if is_exec {
            fields.remove(0);
            if fields.is_empty() {
                self.status = 0;
                return Ok(());
            }
        }
        // For the time of the command only, and seen by it.
        let kept = (!assigned.is_empty()).then(|| self.variables.clone());
        for (name, value) in assigned {
            self.set(name, value);
            self.variables
                .iter_mut()
                .filter(|variable| variable.name == *name)
                .for_each(|variable| variable.exported = true);
        }
        let result = self.perform(fields, streams);
        if let Some(kept) = kept {
            self.variables = kept;
        }
        self.status = result?;
        if is_exec { Err(Stop::Exit(self.status)) } else { Ok(()) }
    }

    /// Performs what the shell does itself, or a program.
    fn perform(&mut self, fields: Vec<Vec<u8>>, streams: &Streams<P>) -> Result<Status, Stop> {
        if let Some(status) = builtins::perform(self, &fields, streams)? {
            return Ok(status);
        }
        let path = self.process(Vec::new(), streams);
        let path = if fields[0].contains(&b'/') { path.absolute(&fields[0]) } else { fields[0].clone() };
        match super::super::find(&self.vfs, &path) {
            Ok(program) => Ok(program(&mut self.process(fields, streams))?),
            Err(errno) => {
                let name = show(&fields[0]);
                Ok(match errno {
                    Errno::ENOENT | Errno::ENOTDIR => {
                        self.complain(streams, format_args!("{name}: not found"))?;
                        127
                    }
                    Errno::ENOEXEC => {
                        self.complain(streams, format_args!("{name}: not a program of this system"))?;
                        126
                    }
                    errno => {
                        self.complain(streams, format_args!("{name}: {}", errno.description()))?;
                        126
                    }
                })
            }
        }
    }

    /// A process for a program.
    pub fn process(&self, args: Vec<Vec<u8>>, streams: &Streams<P>) -> Process<P> {
        let exported = self.variables.iter().filter(|variable| variable.exported);
        Process {
            vfs: self.vfs.clone(),
            args,
            env: exported.map(|variable| [&variable.name[..], b"=", &variable.value].concat()).collect(),
            cwd: self.cwd.clone(),
            depth: self.depth + 1,
            stdin: streams.stdin.clone(),
            stdout: streams.stdout.clone(),
            stderr: streams.stderr.clone(),
        }
    }
}
