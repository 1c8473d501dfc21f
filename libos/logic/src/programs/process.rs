//! A program that runs, as far as there is a process around it.

use super::stream::Stream;
use crate::file::OpenFile;
use crate::platform::Platform;
use crate::vfs::{At, Vfs};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Arguments;
use trapless_abi::flags::OpenFlags;
use trapless_abi::{Errno, SysResult};

/// What a program ends with, 0 for success (exit(3)).
pub type Status = u8;

/// What a program is given, and what it may change for those that it starts.
pub struct Process<P: Platform> {
    /// The file system.
    pub vfs: Arc<Vfs<P>>,
    /// Its name, and its arguments.
    pub args: Vec<Vec<u8>>,
    /// Variables, `NAME=VALUE` each.
    pub env: Vec<Vec<u8>>,
    /// Where relative paths start, itself an absolute one.
    pub cwd: Vec<u8>,
    /// How many programs and groups of a shell it is inside of: each takes stack.
    pub depth: usize,
    /// Standard input.
    pub stdin: Stream<P>,
    /// Standard output.
    pub stdout: Stream<P>,
    /// Standard error output.
    pub stderr: Stream<P>,
}

impl<P: Platform> Process<P> {
    /// The name it was started by, without directories.
    pub fn name(&self) -> String {
        let name = self.args.first().map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(name.rsplit(|&byte| byte == b'/').next().unwrap_or_default()).into_owned()
    }

    /// Its arguments, without its name.
    pub fn operands(&self) -> &[Vec<u8>] {
        self.args.get(1..).unwrap_or_default()
    }

    /// The value of a variable.
    pub fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        self.env.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
    }

    /// The path from the top.
    pub fn absolute(&self, path: &[u8]) -> Vec<u8> {
        match path {
            [b'/', ..] => path.to_vec(),
            _ => [&self.cwd[..], b"/", path].concat(),
        }
    }

    /// Writes to the standard output.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn print(&self, text: Arguments<'_>) -> SysResult<()> {
        self.stdout.write(alloc::format!("{text}").as_bytes())
    }

    /// Tells on the standard error output what is wrong, and returns the status for that.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn fail(&self, text: Arguments<'_>) -> SysResult<Status> {
        self.stderr.write(alloc::format!("{}: {text}\n", self.name()).as_bytes())?;
        Ok(1)
    }

    /// The number of the one process that there is, the program that the image is for.
    ///
    /// # Errors
    /// Those of [`Process::text`].
    pub fn pid(&self) -> SysResult<i32> {
        let stat = self.text("/proc/self/stat")?;
        stat.split(' ').next().and_then(|pid| pid.parse().ok()).ok_or(Errno::ESRCH)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(&self, path: &[u8], flags: OpenFlags) -> SysResult<Arc<OpenFile<P>>> {
        self.vfs.open(&At::Cwd, &self.absolute(path), flags, 0o666)
    }

    /// The whole of a text file that the system makes, such as those of proc(5).
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    pub fn text(&self, path: &str) -> SysResult<String> {
        let file = Stream::File(self.open(path.as_bytes(), OpenFlags::empty())?);
        let mut text = Vec::new();
        loop {
            match file.read()? {
                bytes if bytes.is_empty() => return Ok(String::from_utf8_lossy(&text).into_owned()),
                bytes => text.extend_from_slice(&bytes),
            }
        }
    }
}

/// Bytes from C, for people.
pub fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
