//! What the profiler has sampled, as folded stacks: /proc/trapless/profile, and the end of the console's output with `profile=`.
//! See [`trapless_platform::profile`].

use crate::console::say;
use crate::kernel::kernel;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};
use trapless_abi::flags::OpenFlags;
use trapless_abi::{Errno, SysResult};
use trapless_logic::profile::Names;
use trapless_logic::vfs::At;
use trapless_platform::{profile, thread};

/// Where the JIT writes down what its code is (`+JPperf map`); 1 is the process id.
const MAP: &[u8] = b"/tmp/perf-1.map";
/// Bytes of it that one read asks for.
const CHUNK: usize = 16 * 1024;
/// The most samples a second.
const MOST: u32 = 1000;

/// Whether the machine ends with what was sampled on the console.
static SUMMARY: AtomicBool = AtomicBool::new(false);

/// The rate that a text tells: samples a second.
pub fn rate(text: &str) -> Option<u32> {
    text.parse().ok().filter(|hz| (1..=MOST).contains(hz))
}

/// Does what the command line asks for.
pub fn start() {
    let Some(hz) = kernel().config.profile else { return };
    SUMMARY.store(true, Ordering::Relaxed);
    if let Err(errno) = profile::start(hz) {
        log::warn!("no profile: {errno}");
    }
}

/// Obeys what is written to the file: a number of samples a second, `off`, `reset`.
///
/// # Errors
/// EINVAL for anything else, ENOMEM.
pub fn obey(command: &[u8]) -> SysResult<()> {
    match command {
        b"off" => profile::stop(),
        b"reset" => profile::tables().for_each(|table| table.clear()),
        _ => {
            let hz = core::str::from_utf8(command).ok().and_then(rate).ok_or(Errno::EINVAL)?;
            profile::start(hz)?;
        }
    }
    Ok(())
}

/// Writes what was sampled: lines of a thread and its stack, the outermost function first, between semicolons, and how often that was
/// seen. An address without a name is one of the image's.
pub fn write(w: &mut dyn fmt::Write) -> fmt::Result {
    let lost: u32 = profile::tables().map(|table| table.lost()).sum();
    writeln!(w, "# {} samples a second and CPU, {lost} lost", profile::hz())?;
    let mut addresses = Vec::new();
    profile::tables().for_each(|table| table.for_each(|_, frames, _| addresses.extend_from_slice(frames)));
    let mut names = Names::of(addresses);
    // Without a map there are no names.
    let _ = read_map(&mut names);
    let threads = thread::all();
    let mut result = Ok(());
    for table in profile::tables() {
        table.for_each(|id, frames, count| {
            let found = threads.iter().find(|thread| thread.id() == id);
            if result.is_ok() {
                result = line(w, id, found.map(|thread| thread.name()), frames, &names, count);
            }
        });
    }
    result
}

fn line(
    w: &mut dyn fmt::Write,
    id: u32,
    name: Option<[u8; 16]>,
    frames: &[u64],
    names: &Names,
    count: u32,
) -> fmt::Result {
    match &name {
        Some(name) => w.write_str(&String::from_utf8_lossy(name.split(|&b| b == 0).next().unwrap_or_default()))?,
        None => write!(w, "thread {id}")?,
    }
    for &frame in frames {
        match names.get(frame) {
            Some(name) => write!(w, ";{name}")?,
            None => write!(w, ";{frame:#010x}")?,
        }
    }
    writeln!(w, " {count}")
}

/// Learns the names in the map file.
fn read_map(names: &mut Names) -> SysResult<()> {
    let file = kernel().vfs.open(&At::Cwd, MAP, OpenFlags::empty(), 0)?;
    let mut text: Vec<u8> = Vec::new();
    loop {
        text.try_reserve(CHUNK).map_err(|_| Errno::ENOMEM)?;
        let more = file.read(&mut text)? > 0;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        String::from_utf8_lossy(&text[..whole]).lines().for_each(|line| names.learn(line));
        text.drain(..whole);
        if !more {
            return Ok(());
        }
    }
}

/// Prints everything, if the command line asked for a profile: the machine is about to end.
pub fn summarize() {
    if !SUMMARY.load(Ordering::Relaxed) {
        return;
    }
    profile::stop();
    let mut lines = Lines(String::new());
    // Only memory can be missing, and then what there is of it has been said.
    let _ = write(&mut lines);
}

/// Prints line by line.
struct Lines(String);

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        while let Some(end) = self.0.find('\n') {
            say!("profile: {}", &self.0[..end]);
            self.0.drain(..=end);
        }
        Ok(())
    }
}
