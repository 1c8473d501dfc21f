//! What a machine printed: kept as it arrives, each line with its time, in memory and in a file.

use std::{
    fs::File,
    io::{Read, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// One line and when its first byte arrived, counted from the start of QEMU.
#[derive(Clone, Debug)]
pub struct Line {
    /// Since QEMU was started.
    pub at: Duration,
    /// Without its end of line; the last one may still grow.
    pub text: String,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Where each line begins and when that byte came.
    starts: Vec<(usize, Duration)>,
    closed: bool,
}

/// A console that another thread fills. Clones share it.
#[derive(Clone, Default)]
pub struct Console(Arc<(Mutex<State>, Condvar)>);

impl Console {
    /// Reads `from` to its end on a thread of its own. Every line also goes to `log`, behind `mark`.
    pub fn fill(
        &self,
        mut from: impl Read + Send + 'static,
        started: Instant,
        log: Arc<Mutex<File>>,
        mark: &'static str,
    ) -> JoinHandle<()> {
        let console = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match from.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => console.take(&buffer[..count], started.elapsed(), &log, mark),
                }
            }
            console.lock().closed = true;
            console.0.1.notify_all();
        })
    }

    fn take(&self, bytes: &[u8], at: Duration, log: &Mutex<File>, mark: &str) {
        let mut state = self.lock();
        let mut stamped = Vec::new();
        for &byte in bytes {
            if matches!(state.bytes.last(), None | Some(b'\n')) {
                let start = state.bytes.len();
                state.starts.push((start, at));
                stamped.extend_from_slice(format!("{:9.3} {mark}", at.as_secs_f64()).as_bytes());
            }
            state.bytes.push(byte);
            stamped.push(byte);
        }
        drop(state);
        // The log is for people; a full disk must not look like a failed machine.
        let _ = log.lock().unwrap_or_else(PoisonError::into_inner).write_all(&stamped);
        self.0.1.notify_all();
    }

    /// Everything so far, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<Line> {
        let state = self.lock();
        let ends = state.starts.iter().skip(1).map(|(start, _)| *start).chain([state.bytes.len()]);
        let line = |(&(start, at), end): (&(usize, Duration), usize)| Line {
            at,
            text: String::from_utf8_lossy(&state.bytes[start..end]).trim_end_matches(['\r', '\n']).to_owned(),
        };
        state.starts.iter().zip(ends).map(line).collect()
    }

    /// Waits until a line holds `pattern`, looking from the byte `from` on.
    /// Returns that line and the offset behind the pattern; None when the deadline passed or the console was closed.
    pub fn wait_for(&self, pattern: &str, from: usize, deadline: Duration) -> Option<(Line, usize)> {
        let give_up = Instant::now() + deadline;
        let mut state = self.lock();
        loop {
            let unseen = state.bytes.get(from..).unwrap_or_default();
            if let Some(at) = find(unseen, pattern.as_bytes()) {
                let end = from + at + pattern.len();
                drop(state);
                return self.line_at(from + at).map(|line| (line, end));
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the machine closed its console.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn line_at(&self, offset: usize) -> Option<Line> {
        let index = self.lock().starts.partition_point(|(start, _)| *start <= offset).checked_sub(1)?;
        self.lines().into_iter().nth(index)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(parts: &[&str]) -> Console {
        let console = Console::default();
        let log = Mutex::new(File::create("/dev/null").unwrap());
        for (second, part) in parts.iter().enumerate() {
            console.take(part.as_bytes(), Duration::from_secs(second as u64), &log, "");
        }
        console
    }

    #[test]
    fn lines_keep_the_time_of_their_first_byte() {
        let lines = filled(&["one\ntw", "o\r\nthree"]).lines();
        let seen: Vec<_> = lines.iter().map(|line| (line.text.as_str(), line.at.as_secs())).collect();
        assert_eq!(seen, [("one", 0), ("two", 0), ("three", 1)]);
    }

    #[test]
    fn a_pattern_is_found_once_from_where_one_looks() {
        let console = filled(&["boot 1\n", "boot 2\n"]);
        let (line, end) = console.wait_for("boot", 0, Duration::ZERO).unwrap();
        assert_eq!(line.text, "boot 1");
        assert_eq!(console.wait_for("boot", end, Duration::ZERO).unwrap().0.text, "boot 2");
        assert!(console.wait_for("boot 3", 0, Duration::ZERO).is_none());
    }
}
