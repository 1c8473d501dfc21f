//! fork(2) as ERTS uses it: once, to start its forker. See [`trapless_logic::forker`].

use crate::kernel::Open;
use alloc::sync::{Arc, Weak};
use trapless_abi::{Errno, SysResult};
use trapless_logic::forker::next_request;
use trapless_logic::sync::Lock;
use trapless_platform::thread;
use trapless_platform::x86::X86;

/// Bytes of the service's stack.
const STACK: usize = 32 * 1024;
/// The process id that fork(2) answers.
const FORKER_PID: usize = 2;

/// The second end of the newest socket pair: the one a child would keep.
static NEWEST: Lock<X86, Option<Weak<Open>>> = Lock::new(None);

/// An end on its way to the service that is being started.
static HANDOVER: Lock<X86, Option<Arc<Open>>> = Lock::new(None);

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
    thread::spawn_kernel("forker", serve, 0, STACK).map(|_| FORKER_PID)
}

/// The service: every program is unknown.
fn serve(_: usize) {
    let Some(end) = HANDOVER.lock().take() else { return };
    let Some(socket) = end.file.as_socket() else { return };
    loop {
        match next_request(socket) {
            Ok(Some(request)) => {
                // ERTS may have closed the port meanwhile; then nobody waits for the answer.
                let _ = request.refuse(Errno::ENOENT);
            }
            Ok(None) => return,
            Err(e) => {
                log::warn!("forker: {e}");
                return;
            }
        }
    }
}
