//! Making threads.

use super::{Name, REGISTRY, Thread, XsaveArea, padded};
use crate::context::{self, Context, X87_CW_DEFAULT};
use crate::cpu;
use crate::entry;
use crate::gdt::Segments;
use crate::sched;
use crate::stack::Stack;
use crate::trap::{RFLAGS_INITIAL, TrapFrame};
use alloc::sync::Arc;
use core::alloc::Layout;
use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use spin::Once;
use trapless_abi::{Errno, SysResult};
use trapless_logic::sched::{Habit, ParkState};
use trapless_logic::sync::Lock;

/// Where a C thread begins: as the child of clone(2) does, with everything but these registers zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserEntry {
    /// First instruction.
    pub rip: u64,
    /// Stack pointer. A function expects it 8 below a multiple of 16, with its return address there.
    pub rsp: u64,
    /// First argument.
    pub rdi: u64,
    /// Second argument.
    pub rsi: u64,
    /// Third argument.
    pub rdx: u64,
    /// Fourth argument of a system call.
    pub r10: u64,
    /// Fifth argument.
    pub r8: u64,
    /// Sixth argument.
    pub r9: u64,
    /// FS base: the thread pointer.
    pub fs_base: u64,
}

/// Starts a libos thread that runs `entry(arg)` on a guarded stack of `stack_size` bytes and ends when that returns.
///
/// # Errors
/// ENOMEM; EAGAIN when all thread numbers are in use.
pub fn spawn_kernel(name: &str, entry: fn(usize), arg: usize, stack_size: usize) -> SysResult<Arc<Thread>> {
    let stack = Stack::new(stack_size)?;
    // As after a call: the return address's place is below a multiple of 16.
    let rsp = (stack.top() & !15) - 8;
    let start = UserEntry {
        rip: kernel_thread as *const () as u64,
        rsp,
        rdi: entry as usize as u64,
        rsi: arg as u64,
        ..UserEntry::default()
    };
    let thread = prepare(&start, padded(name.as_bytes()), Some(stack), entry::ThreadPart::for_libos())?;
    sched::start(&thread);
    Ok(thread)
}

/// Makes a C thread with the name, affinity and floating-point modes of the calling thread. It runs after
/// [`sched::start`](crate::sched::start).
///
/// # Errors
/// ENOMEM; EAGAIN when all thread numbers are in use.
pub fn prepare_user(entry: &UserEntry) -> SysResult<Arc<Thread>> {
    let parent = (!super::current_ptr().is_null()).then(super::current);
    let name = parent.as_ref().map_or([0; 16], |p| p.name());
    let thread = prepare(entry, name, None, entry::ThreadPart::for_program()?)?;
    if let Some(parent) = parent {
        thread.affinity.store(parent.affinity(), Ordering::Relaxed);
    }
    Ok(thread)
}

/// A thread that starts at `start`; one of the libos if it comes with a stack.
fn prepare(start: &UserEntry, name: Name, stack: Option<Stack>, entry: entry::ThreadPart) -> SysResult<Arc<Thread>> {
    let area = XsaveArea::new()?;
    let Segments { cs, ss } = if stack.is_some() { Segments::RING_0 } else { entry::PROGRAM };
    let frame = TrapFrame {
        rip: start.rip,
        rsp: start.rsp,
        rdi: start.rdi,
        rsi: start.rsi,
        rdx: start.rdx,
        r10: start.r10,
        r8: start.r8,
        r9: start.r9,
        cs,
        ss,
        rflags: RFLAGS_INITIAL,
        ..TrapFrame::default()
    };
    let context = Context { frame, fs_base: start.fs_base, full: 1, xsave: area.at, mxcsr: 0, x87_cw: 0 };
    let here = crate::percpu::this().index() as u32;
    let mut registry = REGISTRY.lock();
    sched::reserve(registry.user.len() + registry.kernel.len() + 1)?;
    let ids = if stack.is_some() { &mut registry.kernel } else { &mut registry.user };
    let id = ids.reserve().ok_or(Errno::EAGAIN)?;
    let thread = Arc::new(Thread {
        id,
        name: Lock::new(name),
        park: ParkState::new_parked(),
        context: UnsafeCell::new(context),
        farewell: Cell::new(None),
        affinity: AtomicU64::new(u64::MAX),
        last_cpu: AtomicU32::new(here),
        on_cpu: AtomicBool::new(false),
        cpu_ns: AtomicU64::new(0),
        vruntime: AtomicI64::new(sched::floor_of(here as usize)),
        habit: Habit::new(),
        attention: AtomicBool::new(false),
        ext: Once::new(),
        entry,
        _xsave: area,
        _stack: stack,
    });
    ids.insert(id, thread.clone());
    Ok(thread)
}

/// First code of a libos thread.
extern "C" fn kernel_thread(entry: *const (), arg: usize) -> ! {
    // SAFETY: `spawn_kernel` passed a fn(usize).
    let entry: fn(usize) = unsafe { core::mem::transmute(entry) };
    entry(arg);
    super::exit_current()
}

/// Offsets in the legacy region of an XSAVE area (SDM vol. 1, table 10-2), and of XSTATE_BV in the header behind it.
const FCW: usize = 0;
const MXCSR: usize = 24;
const XSTATE_BV: usize = 512;
/// x87 and SSE: the components that the area of a new thread holds; all others start in their initial state.
const X87_AND_SSE: u64 = 0b11;

impl XsaveArea {
    /// The extended state of a new thread: initial, but for the caller's rounding and exception modes.
    fn new() -> SysResult<Self> {
        let layout = Layout::from_size_align(cpu::features().xsave_size, 64).map_err(|_| Errno::ENOMEM)?;
        // SAFETY: the size is at least that of the legacy region and the header.
        let at = unsafe { alloc::alloc::alloc_zeroed(layout) };
        if at.is_null() {
            return Err(Errno::ENOMEM);
        }
        let (mxcsr, cw) = if super::current_ptr().is_null() {
            (context::MXCSR_DEFAULT, X87_CW_DEFAULT)
        } else {
            context::fp_control()
        };
        // SAFETY: all three places are inside the area, aligned for their types.
        unsafe {
            at.add(FCW).cast::<u16>().write(cw as u16);
            at.add(MXCSR).cast::<u32>().write(mxcsr);
            at.add(XSTATE_BV).cast::<u64>().write(X87_AND_SSE);
        }
        Ok(Self { at, layout })
    }
}
