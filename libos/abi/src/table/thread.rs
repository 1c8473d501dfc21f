//! Threads, futexes and scheduling.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __thread_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__signal_rows! {
            [$($view)*] $($rows)*
            24 sched_yield thread::sched_yield() full;
            56 clone thread::clone(flags: CloneFlags, stack: UserPtr, parent_tid: Out<i32>, child_tid: Out<i32>,
                tls: Usize)
                partial "threads only; ENOSYS where a call is a function call: there the C library calls libos_clone";
            60 exit thread::exit(status: I32) full;
            140 getpriority thread::getpriority(which: PriorityWhich, who: I32)
                stub "all threads are equal: the answer is niceness 0";
            141 setpriority thread::setpriority(which: PriorityWhich, who: I32, prio: I32)
                partial "all threads are equal: only niceness 0 can be set, else EACCES";
            142 sched_setparam thread::sched_setparam(pid: Tid, param: In<SchedParam>)
                partial "all threads are SCHED_OTHER: only priority 0 can be set, else EINVAL";
            143 sched_getparam thread::sched_getparam(pid: Tid, param: Out<SchedParam>) full;
            144 sched_setscheduler thread::sched_setscheduler(pid: Tid, policy: SchedPolicy, param: In<SchedParam>)
                partial "all threads are SCHED_OTHER: any other policy is EPERM";
            145 sched_getscheduler thread::sched_getscheduler(pid: Tid) full;
            146 sched_get_priority_max thread::sched_get_priority_max(policy: SchedPolicy) full;
            147 sched_get_priority_min thread::sched_get_priority_min(policy: SchedPolicy) full;
            148 sched_rr_get_interval thread::sched_rr_get_interval(pid: Tid, tp: Out<Timespec>) full;
            157 prctl thread::prctl(option: Prctl, arg2: Usize, arg3: Usize, arg4: Usize, arg5: Usize)
                partial "PR_SET_NAME and PR_GET_NAME; other options are EINVAL";
            158 arch_prctl thread::arch_prctl(code: ArchPrctl, addr: UserPtr)
                partial "the FS base; GS belongs to the libOS";
            186 gettid thread::gettid() full;
            202 futex thread::futex(uaddr: InOut<u32>, futex_op: FutexOp, val: U32, timeout: In<Timespec>,
                uaddr2: InOut<u32>, val3: U32)
                partial "wait, wake, their bitset forms, requeue and wake_op; no priority inheritance";
            203 sched_setaffinity thread::sched_setaffinity(pid: Tid, cpusetsize: Len, mask: In<u8>) full;
            204 sched_getaffinity thread::sched_getaffinity(pid: Tid, cpusetsize: Len, mask: Out<u8>) full;
            218 set_tid_address thread::set_tid_address(tidptr: Out<i32>) full;
            231 exit_group thread::exit_group(status: I32) full;
            273 set_robust_list thread::set_robust_list(head: In<RobustListHead>, len: Len) full;
            274 get_robust_list thread::get_robust_list(pid: Tid, head_ptr: Out<usize>, len_ptr: Out<usize>) full;
            309 getcpu thread::getcpu(cpu: Out<u32>, node: Out<u32>, tcache: UserPtr) full;
            324 membarrier thread::membarrier(cmd: MembarrierCmd, flags: U32, cpu_id: I32) full;
            334 rseq thread::rseq(rseq: UserPtr, rseq_len: U32, flags: U32, sig: U32)
                absent "nothing in the image registers a restartable sequence";
            435 clone3 thread::clone3(cl_args: UserPtr, size: Len) absent "the C library uses clone";
            449 futex_waitv thread::futex_waitv(waiters: UserPtr, nr_futexes: U32, flags: U32, timeout: In<Timespec>,
                clockid: ClockId)
                absent "neither the C library nor ERTS waits for several futexes";
        }
    };
}
