//! What every CPU keeps for itself, found through the GS base.
//!
//! Where C code runs in ring 0, it never touches GS, so the base set when a CPU starts stays for good. Where it runs in ring 3, GS is its
//! own there, and every way into the libos changes the base ([`crate::trap`], [`crate::entry`]). A CPU is known by its logical index (0 is
//! the boot CPU); the local APIC's id is only ever looked up from that.

use crate::context::FpuMode;
use crate::irq::Kind;
use crate::ring::Ring;
use crate::thread::Thread;
use crate::trap::TrapFrame;
use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use trapless_logic::sched::Slice;
use trapless_logic::shootdown::Answered;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::GsBase;

/// Most CPUs that are used. Sets of CPUs are one machine word.
pub const MAX_CPUS: usize = 64;

/// Reasons for a visit to the scheduler, one bit each in [`PerCpu::pending`]; the softirqs of [`crate::irq::Softirq`] follow.
pub mod pending {
    /// Another thread may have a better claim to this CPU.
    pub const RESCHED: u32 = 1 << 0;
    /// The one-shot timer went off.
    pub const TIMER: u32 = 1 << 1;
    /// Somebody put a thread in this CPU's queue: the slice timer must run.
    pub const QUEUED: u32 = 1 << 2;
    /// The first softirq bit.
    pub const SOFTIRQ_SHIFT: u32 = 8;
}

/// One CPU's block. The fields up to `sched_top` are used by assembly.
#[repr(C, align(64))]
pub struct PerCpu {
    this: AtomicPtr<PerCpu>,
    /// Nesting depth of "stay on this CPU"; the scheduler and interrupt handlers count as one.
    pub preempt: AtomicU32,
    /// Bits of [`pending`].
    pub pending: AtomicU32,
    /// The running thread (owned: one count of its `Arc`), null in the scheduler.
    pub current: AtomicPtr<Thread>,
    /// Where the scheduler's stack begins (its highest address).
    pub sched_top: AtomicU64,
    /// State components that [`crate::context`] saves, for XSAVE.
    pub xsave_mask: AtomicU64,
    /// One of [`FpuMode`].
    pub fpu_mode: AtomicU32,
    /// 1 if AVX state is enabled.
    pub has_avx: AtomicU32,
    /// 1 if RDFSBASE and WRFSBASE may be used.
    pub has_fsgsbase: AtomicU32,
    /// Where the running thread's system calls start, in the entry variants that change the stack.
    pub entry_stack: AtomicU64,
    /// `trap`'s for a moment, with interrupts off.
    pub entry_scratch: AtomicU64,
    /// 1 if supervisor mode access prevention is on (CR4.SMAP): the libos lifts it where it means to touch C memory.
    pub has_smap: AtomicU32,
    /// Logical index.
    pub index: AtomicU32,
    /// Local APIC id.
    pub lapic_id: AtomicU32,
    /// A kick that [`crate::x86::X86::halt`](trapless_logic::platform::Platform::halt) has not consumed yet.
    pub kicked: AtomicBool,
    /// This CPU is about to halt, or halted, in `halt()`: a kick needs an interrupt.
    pub halting: AtomicBool,
    /// A page fault is being handled (its stack is in use).
    pub in_page_fault: AtomicBool,
    /// What an NMI interrupted that stopped this CPU for good; null while it runs.
    pub stopped_at: AtomicPtr<TrapFrame>,
    /// How long the running thread may stay.
    pub slice: Slice,
    /// What the one-shot timer is programmed for, ns; `u64::MAX` when it is off.
    pub timer_at: AtomicU64,
    /// When another CPU woke this one, ns; 0 when it has gone on since, or nobody did.
    pub woken_at: AtomicU64,
    /// When the profiler wants to see what runs, ns; `u64::MAX` while it is off.
    pub sample_at: AtomicU64,
    /// When the running thread was last switched to, ns.
    pub switched_at: AtomicU64,
    /// Its virtual run time then, ns.
    pub vruntime: AtomicI64,
    /// Requests to forget translations that this CPU has followed, see [`crate::smp::tlb`].
    pub tlb_answered: Answered,
    /// This CPU runs no thread and will catch up before it does.
    pub tlb_lazy: AtomicBool,
    /// Events for the epitaph.
    pub ring: Ring,
    /// Counters for /proc and tests.
    pub stats: Stats,
}

/// Events on one CPU since it started.
#[derive(Default)]
pub struct Stats {
    /// Switches to a thread.
    pub switches: AtomicU64,
    /// Threads that left by preemption.
    pub preemptions: AtomicU64,
    /// Interrupts and exceptions.
    pub traps: AtomicU64,
    /// Wake-up interrupts sent to other CPUs.
    pub ipis_sent: AtomicU64,
    /// Threads taken from other CPUs' queues.
    pub steals: AtomicU64,
    /// Times the CPU halted for want of work.
    pub halts: AtomicU64,
    /// Nanoseconds halted for want of work.
    pub idle_ns: AtomicU64,
    /// Page faults.
    pub page_faults: AtomicU64,
    /// Times the CPU halted at a contended lock.
    pub lock_halts: AtomicU64,
    /// Interrupts, by [`Kind`].
    pub interrupts: [AtomicU64; Kind::ALL.len()],
}

/// Adds one to a counter of the calling CPU: one instruction, so an interrupt cannot come in between. A thread that is moved just
/// before it may lose a count of the other CPU's.
#[inline]
pub fn count(counter: &AtomicU64) {
    // SAFETY: adds to a live 64-bit counter.
    unsafe { asm!("inc qword ptr [{}]", in(reg) counter.as_ptr(), options(nostack)) };
}

impl PerCpu {
    /// A block for the CPU with logical index `index`. Preemption starts disabled.
    pub const fn new(index: u32) -> Self {
        Self {
            this: AtomicPtr::new(core::ptr::null_mut()),
            preempt: AtomicU32::new(1),
            pending: AtomicU32::new(0),
            current: AtomicPtr::new(core::ptr::null_mut()),
            sched_top: AtomicU64::new(0),
            xsave_mask: AtomicU64::new(0),
            fpu_mode: AtomicU32::new(FpuMode::Fxsave as u32),
            has_avx: AtomicU32::new(0),
            has_fsgsbase: AtomicU32::new(0),
            entry_stack: AtomicU64::new(0),
            entry_scratch: AtomicU64::new(0),
            has_smap: AtomicU32::new(0),
            index: AtomicU32::new(index),
            lapic_id: AtomicU32::new(0),
            kicked: AtomicBool::new(false),
            halting: AtomicBool::new(false),
            in_page_fault: AtomicBool::new(false),
            stopped_at: AtomicPtr::new(core::ptr::null_mut()),
            slice: Slice::new(),
            timer_at: AtomicU64::new(u64::MAX),
            woken_at: AtomicU64::new(0),
            sample_at: AtomicU64::new(u64::MAX),
            switched_at: AtomicU64::new(0),
            vruntime: AtomicI64::new(0),
            tlb_answered: Answered::new(),
            tlb_lazy: AtomicBool::new(false),
            ring: Ring::new(),
            stats: Stats {
                switches: AtomicU64::new(0),
                preemptions: AtomicU64::new(0),
                traps: AtomicU64::new(0),
                ipis_sent: AtomicU64::new(0),
                steals: AtomicU64::new(0),
                halts: AtomicU64::new(0),
                idle_ns: AtomicU64::new(0),
                page_faults: AtomicU64::new(0),
                lock_halts: AtomicU64::new(0),
                interrupts: [const { AtomicU64::new(0) }; Kind::ALL.len()],
            },
        }
    }

    /// Makes this the calling CPU's block.
    pub fn install(&'static self) {
        self.this.store(core::ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
        GsBase::write(VirtAddr::from_ptr(self));
    }

    /// Switches to a thread so far.
    pub fn switches(&self) -> u64 {
        self.stats.switches.load(Ordering::Relaxed)
    }

    /// Nanoseconds halted for want of work so far.
    pub fn idle_ns(&self) -> u64 {
        self.stats.idle_ns.load(Ordering::Relaxed)
    }

    /// The virtual run time at `now` ns of the thread that runs; None if there is none.
    pub fn running_vruntime(&self, now: u64) -> Option<i64> {
        let ran = now.saturating_sub(self.switched_at.load(Ordering::Relaxed));
        (!self.current.load(Ordering::Relaxed).is_null()).then(|| self.vruntime.load(Ordering::Relaxed) + ran as i64)
    }

    /// Logical index.
    pub fn index(&self) -> usize {
        self.index.load(Ordering::Relaxed) as usize
    }
}

/// Offsets for assembly.
pub mod offset {
    use super::{PerCpu, offset_of};
    /// [`PerCpu::preempt`].
    pub const PREEMPT: usize = offset_of!(PerCpu, preempt);
    /// [`PerCpu::pending`].
    pub const PENDING: usize = offset_of!(PerCpu, pending);
    /// [`PerCpu::current`].
    pub const CURRENT: usize = offset_of!(PerCpu, current);
    /// [`PerCpu::sched_top`].
    pub const SCHED_TOP: usize = offset_of!(PerCpu, sched_top);
    /// [`PerCpu::xsave_mask`].
    pub const XSAVE_MASK: usize = offset_of!(PerCpu, xsave_mask);
    /// [`PerCpu::fpu_mode`].
    pub const FPU_MODE: usize = offset_of!(PerCpu, fpu_mode);
    /// [`PerCpu::has_avx`].
    pub const HAS_AVX: usize = offset_of!(PerCpu, has_avx);
    /// [`PerCpu::has_fsgsbase`].
    pub const HAS_FSGSBASE: usize = offset_of!(PerCpu, has_fsgsbase);
    /// [`PerCpu::entry_stack`].
    pub const ENTRY_STACK: usize = offset_of!(PerCpu, entry_stack);
    /// [`PerCpu::entry_scratch`].
    pub const ENTRY_SCRATCH: usize = offset_of!(PerCpu, entry_scratch);
    /// [`PerCpu::has_smap`].
    pub const HAS_SMAP: usize = offset_of!(PerCpu, has_smap);
}

/// The boot CPU's block.
pub static BOOT: PerCpu = PerCpu::new(0);

static ALL: [AtomicPtr<PerCpu>; MAX_CPUS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];
static COUNT: AtomicUsize = AtomicUsize::new(1);

/// Gives the boot CPU its block. The very first thing Rust does: every lock needs it.
pub fn init_boot() {
    BOOT.install();
    ALL[0].store((&raw const BOOT).cast_mut(), Ordering::Release);
}

/// Enters a CPU that is up into the list.
pub fn publish(cpu: &'static PerCpu) {
    let index = cpu.index();
    ALL[index].store(core::ptr::from_ref(cpu).cast_mut(), Ordering::Release);
    COUNT.fetch_max(index + 1, Ordering::AcqRel);
}

/// One more than the highest index of a CPU that is up.
pub fn cpu_count() -> usize {
    COUNT.load(Ordering::Acquire)
}

/// The block of CPU `index`, if it is up.
pub fn get(index: usize) -> Option<&'static PerCpu> {
    let block = ALL.get(index)?.load(Ordering::Acquire);
    // SAFETY: only 'static blocks are stored, and never taken out.
    unsafe { block.as_ref() }
}

/// All CPUs that are up, by index.
pub fn all() -> impl Iterator<Item = &'static PerCpu> {
    (0..cpu_count()).filter_map(get)
}

/// The calling CPU's block. Unless preemption is disabled the caller may be on another CPU a moment later.
#[inline]
pub fn this() -> &'static PerCpu {
    let block: *const PerCpu;
    // SAFETY: GS points at the block of this CPU from the first line of Rust on, wherever Rust runs, and its first word is its own
    // address.
    unsafe {
        asm!("mov {}, gs:[0]", out(reg) block, options(nostack, preserves_flags, pure, readonly));
        &*block
    }
}

/// Keeps the caller on its CPU until the matching [`preempt_enable`].
#[inline]
pub fn preempt_disable() {
    // SAFETY: one instruction, so no interrupt falls in between; it changes only this CPU's counter. Not `nomem`: the compiler must
    // not move accesses of the critical section out of it.
    unsafe { asm!("inc dword ptr gs:[{o}]", o = const offset::PREEMPT, options(nostack)) };
}

/// Ends the innermost [`preempt_disable`], and visits the scheduler if that became due meanwhile.
#[inline]
pub fn preempt_enable() {
    // SAFETY: as above. An interrupt between the two instructions finds the counter at zero and does the visit itself; if that moves
    // the thread, the comparison looks at the new CPU's bits, which is just as good.
    unsafe {
        asm!(
            "dec dword ptr gs:[{preempt}]",
            "jnz 2f",
            "cmp dword ptr gs:[{pending}], 0",
            "jne {slow}",
            "2:",
            preempt = const offset::PREEMPT,
            pending = const offset::PENDING,
            slow = label { crate::sched::reschedule_if_due() },
            options(nostack),
        );
    }
}

/// Whether the caller may be moved or put to sleep.
pub fn preemptible() -> bool {
    let depth: u32;
    // SAFETY: one read of this CPU's counter.
    unsafe {
        asm!("mov {:e}, gs:[{o}]", out(reg) depth, o = const offset::PREEMPT, options(nostack, preserves_flags, readonly));
    }
    depth == 0
}
