//! Threads and futexes: futex(2), set_tid_address(2), sched_setaffinity(2), prctl(2) and relatives, and clone(2) where it is
//! a system call like any other: what it does is in [`crate::seam`].

use crate::kernel::kernel;
use crate::seam::{self, Clone};
use crate::task;
use crate::user::{Get, Put};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use trapless_abi::structs::{RobustListHead, SchedParam, Timespec};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::futex::WakeOp;
use trapless_logic::platform::Platform;
use trapless_logic::sched::SLICE_NS;
use trapless_logic::time::{Instant, duration_from_timespec};
use trapless_platform::thread::{Thread, UserEntry};
use trapless_platform::x86::X86;
use trapless_platform::{context, entry, percpu, sched, smp, thread, user};

pub fn futex(
    uaddr: InOut<u32>,
    futex_op: FutexOp,
    val: U32,
    timeout: In<Timespec>,
    uaddr2: InOut<u32>,
    val3: U32,
) -> SysResult {
    let table = &kernel().futex;
    let key = word(uaddr)?;
    let load = || user::load_u32(key);
    // Of the waking operations the fourth argument is a second count (futex(2), "val2").
    let count2 = U32(timeout.addr() as u32);
    let count = val.0 as i32 as usize;
    match futex_op.cmd {
        FutexCmd::FUTEX_WAIT => {
            let limit = limit(timeout)?;
            table.wait(key, val.0, FUTEX_BITSET_MATCH_ANY, limit.map(|d| X86::now() + d), load).map(|()| 0)
        }
        FutexCmd::FUTEX_WAIT_BITSET => {
            let at = limit(timeout)?.map(|d| absolute(d, futex_op.realtime));
            table.wait(key, val.0, val3.0, at, load).map(|()| 0)
        }
        FutexCmd::FUTEX_WAKE | FutexCmd::FUTEX_WAKE_BITSET => {
            let bits = if futex_op.cmd == FutexCmd::FUTEX_WAKE { FUTEX_BITSET_MATCH_ANY } else { val3.0 };
            if bits == 0 {
                return Err(Errno::EINVAL);
            }
            // A word of one process is told by its address alone; a shared one has to be there.
            if !futex_op.private {
                load()?;
            }
            Ok(table.wake(key, count, bits))
        }
        FutexCmd::FUTEX_REQUEUE => table.requeue(key, word(uaddr2)?, number(val)?, number(count2)?, || Ok(true)),
        FutexCmd::FUTEX_CMP_REQUEUE => {
            let unchanged = || load().map(|v| v == val3.0);
            table.requeue(key, word(uaddr2)?, number(val)?, number(count2)?, unchanged)
        }
        FutexCmd::FUTEX_WAKE_OP => {
            let (second, op) = (word(uaddr2)?, WakeOp::decode(val3.0)?);
            let update = || user::update_u32(second, |old| op.apply(old));
            table.wake_op(key, second, count, count2.0 as i32 as usize, op, update)
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// The address of a futex word. EINVAL if it is not aligned, EFAULT if no program has such addresses.
fn word(word: InOut<u32>) -> SysResult<usize> {
    match word.addr() {
        at if !at.is_multiple_of(4) => Err(Errno::EINVAL),
        at if at >= 1 << 47 => Err(Errno::EFAULT),
        at => Ok(at),
    }
}

/// A number of waiters. EINVAL if it is negative.
fn number(count: U32) -> SysResult<usize> {
    usize::try_from(count.0 as i32).map_err(|_| Errno::EINVAL)
}

fn limit(timeout: In<Timespec>) -> SysResult<Option<core::time::Duration>> {
    timeout.get_opt()?.map(|t| duration_from_timespec(t.tv_sec, t.tv_nsec)).transpose()
}

/// A time of a clock as an instant.
fn absolute(at: core::time::Duration, realtime: bool) -> Instant {
    let epoch = if realtime { X86::realtime_ns().saturating_sub(X86::now().as_nanos()) } else { 0 };
    Instant::from_nanos(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX).saturating_sub(epoch))
}

/// sched_yield(2). A loop around it is a wait of a kind, so it takes signals.
pub fn sched_yield() -> SysResult {
    sched::yield_now();
    crate::signals::take_pending();
    Ok(0)
}

/// The new thread goes on where the caller does, on its own stack and with 0 for a result.
pub fn clone(flags: CloneFlags, stack: UserPtr, parent_tid: Out<i32>, child_tid: Out<i32>, tls: Usize) -> SysResult {
    let caller = entry::caller().ok_or(Errno::ENOSYS)?;
    let start = UserEntry { rsp: stack.addr() as u64, ..caller };
    let (parent_tid, child_tid) = (parent_tid.addr(), child_tid.addr());
    seam::clone(&Clone { flags, parent_tid, child_tid, tls: tls.0 }, start)
}

pub fn exit(_status: I32) -> SysResult {
    crate::seam::end_thread(None)
}

pub fn exit_group(status: I32) -> SysResult {
    crate::power::exit_process(status.0)
}

pub fn gettid() -> SysResult {
    Ok(X86::current().id() as usize)
}

pub fn set_tid_address(tidptr: Out<i32>) -> SysResult {
    task::current(|thread, task| {
        task.clear_child_tid.store(tidptr.addr(), Ordering::Release);
        Ok(thread.id() as usize)
    })
}

pub fn set_robust_list(head: In<RobustListHead>, len: Len) -> SysResult {
    if len.0 != size_of::<RobustListHead>() {
        return Err(Errno::EINVAL);
    }
    task::current(|_, task| task.robust_list.store(head.addr(), Ordering::Relaxed));
    Ok(0)
}

/// The thread with this id; 0 is the caller. ESRCH.
fn find(pid: Tid) -> SysResult<Arc<Thread>> {
    match u32::try_from(pid.0) {
        Ok(0) => Ok(X86::current()),
        Ok(id) => thread::find(id).filter(|t| task::of(t).is_some()).ok_or(Errno::ESRCH),
        Err(_) => Err(Errno::EINVAL),
    }
}

pub fn get_robust_list(pid: Tid, head_ptr: Out<usize>, len_ptr: Out<usize>) -> SysResult {
    let thread = find(pid)?;
    let task = task::of(&thread).ok_or(Errno::ESRCH)?;
    head_ptr.put(&task.robust_list.load(Ordering::Relaxed))?;
    len_ptr.put(&size_of::<RobustListHead>()).map(|()| 0)
}

pub fn sched_setaffinity(pid: Tid, cpusetsize: Len, mask: In<u8>) -> SysResult {
    let thread = find(pid)?;
    let mut bytes = [0; 8];
    let n = cpusetsize.0.min(bytes.len());
    user::copy_in(mask.addr(), &mut bytes[..n])?;
    if thread.set_affinity(u64::from_ne_bytes(bytes)) { Ok(0) } else { Err(Errno::EINVAL) }
}

pub fn sched_getaffinity(pid: Tid, cpusetsize: Len, mask: Out<u8>) -> SysResult {
    let thread = find(pid)?;
    if cpusetsize.0 < 8 || !cpusetsize.0.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    // CPUs that have started count even if the host has not let them come to run threads yet: ERTS counts them once, at boot.
    let started = percpu::all().fold(0, |mask, cpu| mask | 1 << cpu.index());
    let bits: u64 = thread.affinity() & started;
    mask.cast::<u64>().put(&bits).map(|()| 8)
}

pub fn getcpu(cpu: Out<u32>, node: Out<u32>, _tcache: UserPtr) -> SysResult {
    cpu.put_opt(&(X86::cpu() as u32))?;
    node.put_opt(&0).map(|()| 0)
}

pub fn getpriority(_which: PriorityWhich, _who: I32) -> SysResult {
    Ok(20)
}

pub fn setpriority(_which: PriorityWhich, _who: I32, prio: I32) -> SysResult {
    if prio.0 == 0 { Ok(0) } else { Err(Errno::EACCES) }
}

pub fn sched_setparam(pid: Tid, param: In<SchedParam>) -> SysResult {
    find(pid)?;
    if param.get()?.sched_priority == 0 { Ok(0) } else { Err(Errno::EINVAL) }
}

pub fn sched_getparam(pid: Tid, param: Out<SchedParam>) -> SysResult {
    find(pid)?;
    param.put(&SchedParam { sched_priority: 0 }).map(|()| 0)
}

pub fn sched_setscheduler(pid: Tid, policy: SchedPolicy, param: In<SchedParam>) -> SysResult {
    find(pid)?;
    match (policy, param.get()?.sched_priority) {
        (SchedPolicy::SCHED_OTHER, 0) => Ok(0),
        (SchedPolicy::SCHED_OTHER, _) => Err(Errno::EINVAL),
        _ => Err(Errno::EPERM),
    }
}

pub fn sched_getscheduler(pid: Tid) -> SysResult {
    find(pid).map(|_| SchedPolicy::SCHED_OTHER as usize)
}

pub fn sched_get_priority_max(policy: SchedPolicy) -> SysResult {
    Ok(if matches!(policy, SchedPolicy::SCHED_FIFO | SchedPolicy::SCHED_RR) { 99 } else { 0 })
}

pub fn sched_get_priority_min(policy: SchedPolicy) -> SysResult {
    Ok(if matches!(policy, SchedPolicy::SCHED_FIFO | SchedPolicy::SCHED_RR) { 1 } else { 0 })
}

pub fn sched_rr_get_interval(pid: Tid, tp: Out<Timespec>) -> SysResult {
    find(pid)?;
    tp.put(&Timespec::from_nanos(SLICE_NS)).map(|()| 0)
}

pub fn prctl(option: Prctl, arg2: Usize, _arg3: Usize, _arg4: Usize, _arg5: Usize) -> SysResult {
    match option {
        Prctl::PR_SET_NAME => {
            let name = user::read_cstr(arg2.0, 16).or_else(|e| match e {
                // A longer name is cut.
                Errno::E2BIG => crate::user::bytes(arg2.0, 15),
                e => Err(e),
            })?;
            X86::current().set_name(&name);
            Ok(0)
        }
        Prctl::PR_GET_NAME => Out::new(arg2.0).put(&X86::current().name()).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}

pub fn arch_prctl(code: ArchPrctl, addr: UserPtr) -> SysResult {
    match code {
        ArchPrctl::ARCH_SET_FS if addr.addr() >= 1 << 47 => Err(Errno::EPERM),
        ArchPrctl::ARCH_SET_FS => {
            context::set_fs_base(addr.addr() as u64);
            Ok(0)
        }
        ArchPrctl::ARCH_GET_FS => Out::new(addr.addr()).put(&context::fs_base()).map(|()| 0),
        // GS leads to the libos's per-CPU data.
        ArchPrctl::ARCH_SET_GS | ArchPrctl::ARCH_GET_GS => Err(Errno::EPERM),
    }
}

pub fn membarrier(cmd: MembarrierCmd, _flags: U32, _cpu_id: I32) -> SysResult {
    const SUPPORTED: usize = 1 | 2 | 4 | 8 | 16;
    match cmd {
        MembarrierCmd::MEMBARRIER_CMD_QUERY => Ok(SUPPORTED),
        MembarrierCmd::MEMBARRIER_CMD_GLOBAL
        | MembarrierCmd::MEMBARRIER_CMD_GLOBAL_EXPEDITED
        | MembarrierCmd::MEMBARRIER_CMD_PRIVATE_EXPEDITED => {
            // An interrupt that every other running CPU has answered is a full barrier there.
            smp::flush_tlb_others();
            Ok(0)
        }
        MembarrierCmd::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
        | MembarrierCmd::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
