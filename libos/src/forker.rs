//! fork(2) as ERTS uses it: once, to start its forker; and the programs that the forker starts. See [`trapless_logic::forker`] and
//! [`trapless_logic::programs`].

use crate::kernel::{Open, kernel};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};
use trapless_abi::{Errno, SysResult};
use trapless_logic::forker::{Start, next_request, report_end};
use trapless_logic::programs;
use trapless_logic::sync::Lock;
use trapless_platform::thread;
use trapless_platform::x86::X86;

/// Bytes of the service's stack, and of a program's.
const STACK: usize = 32 * 1024;
const PROGRAM_STACK: usize = 96 * 1024;
/// The process id that fork(2) answers; programs are counted from the next one on.
const FORKER_PID: i32 = 2;

/// The second end of the newest socket pair: the one a child would keep.
static NEWEST: Lock<X86, Option<Weak<Open>>> = Lock::new(None);

/// An end on its way to the service that is being started.
static HANDOVER: Lock<X86, Option<Arc<Open>>> = Lock::new(None);

/// Programs on their way to the threads that are being started for them.
static STARTING: Lock<X86, Vec<Program>> = Lock::new(Vec::new());

/// The process id of the newest program.
static NEWEST_PID: AtomicI32 = AtomicI32::new(FORKER_PID);

struct Program {
    start: Start<X86>,
    /// Where its end is reported.
    service: Arc<Open>,
}

/// Notes a socket pair: if fork(2) follows, its second end is the forker's.
pub fn remember(end: &Arc<Open>) {
    let old = NEWEST.lock().replace(Arc::downgrade(end));
    drop(old);
}

/// fork(2): starts the service on the end that the child would have used.
///
/// # Errors
/// ENOSYS if no socket pair was made before: there is nobody to serve, and no other kind of child.
pub fn fork() -> SysResult {
    let end = NEWEST.lock().take().and_then(|weak| weak.upgrade()).ok_or(Errno::ENOSYS)?;
    *HANDOVER.lock() = Some(end);
    thread::spawn_kernel("forker", serve, 0, STACK).map(|_| FORKER_PID as usize)
}

/// The service: starts a thread for each program that is asked for.
fn serve(_: usize) {
    let Some(end) = HANDOVER.lock().take() else { return };
    let Some(socket) = end.file.as_socket() else { return };
    loop {
        match next_request(socket) {
            Ok(Some(start)) => begin(Program { start, service: end.clone() }),
            Ok(None) => return,
            Err(e) => {
                log::warn!("forker: {e}");
                return;
            }
        }
    }
}

/// Starts a program, or answers that it cannot be. Only the service calls this, so the thread that could not be started was that of the
/// program noted last, if no other thread has taken it.
fn begin(program: Program) {
    STARTING.lock().push(program);
    if let Err(errno) = thread::spawn_kernel("program", run, 0, PROGRAM_STACK) {
        let left_over = STARTING.lock().pop();
        if let Some(Program { start, .. }) = left_over {
            // ERTS may have closed the port meanwhile; then nobody waits for the answer.
            let _ = start.refuse(errno);
        }
    }
}

/// A program, from its start to the report of its end.
fn run(_: usize) {
    let Some(Program { start, service }) = STARTING.lock().pop() else { return };
    let pid = NEWEST_PID.fetch_add(1, Ordering::Relaxed) + 1;
    let port_id = start.port_id;
    let status = match start.accept(pid) {
        Ok(()) => programs::start(&kernel().vfs, start),
        Err(_) => return,
    };
    // ERTS may be gone: then nobody wants to know.
    let _ = report_end(&service, port_id, status);
}
