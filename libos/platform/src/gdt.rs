//! Segments, and the stacks that traps run on (Intel SDM vol. 3, chapters 3.4 and 8.7).
//!
//! Every vector names an interrupt stack (IST), so the CPU never stores a byte on the stack of whoever was interrupted: C code owns
//! the 128 bytes below RSP, and JIT code keeps live data right there. Each stack has a guard page below it.

use crate::percpu::{self, PerCpu};
use crate::stack::Stack;
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use trapless_abi::Errno;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

/// Which interrupt stack a vector uses, in hardware's counting from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ist {
    /// Interrupts. They never nest.
    Interrupt = 1,
    /// Page faults, which may be interrupted.
    PageFault = 2,
    /// Double faults.
    DoubleFault = 3,
    /// NMIs.
    Nmi = 4,
    /// Machine checks.
    MachineCheck = 5,
    /// All other exceptions.
    Exception = 6,
}

/// Interrupt stacks with their sizes in bytes.
const STACKS: [(Ist, usize); 6] = [
    (Ist::Interrupt, 16 << 10),
    (Ist::PageFault, 16 << 10),
    (Ist::DoubleFault, 16 << 10),
    (Ist::Nmi, 16 << 10),
    (Ist::MachineCheck, 16 << 10),
    (Ist::Exception, 16 << 10),
];
/// Bytes of the scheduler's stack, which softirqs (the network stack among them) run on.
const SCHED_STACK: usize = 64 << 10;

/// Ring 0 code selector: second entry of every table.
pub const KERNEL_CS: u64 = 0x08;
/// Ring 0 data selector.
pub const KERNEL_SS: u64 = 0x10;

/// Code and stack selectors, as a thread runs with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Code segment.
    pub cs: u64,
    /// Stack segment.
    pub ss: u64,
}

impl Segments {
    /// The libos's.
    pub const RING_0: Self = Self { cs: KERNEL_CS, ss: KERNEL_SS };
    /// Those of the program where it runs in ring 3. SYSRET wants SS right behind the libos's selectors, and CS behind that.
    pub const RING_3: Self = Self { cs: (KERNEL_SS + 16) | 3, ss: (KERNEL_SS + 8) | 3 };

    /// The privilege level.
    pub const fn ring(self) -> u64 {
        self.cs & 3
    }
}

/// Bytes at the top of each interrupt stack, which hold the address of the CPU's block: [`crate::trap`] has code that cannot rely on GS.
const IST_RESERVE: u64 = 16;

/// Notes whose stack this is that ends at `top`, and returns where its frames start.
fn interrupt_stack(top: u64, cpu: &'static PerCpu) -> VirtAddr {
    let start = top - IST_RESERVE;
    // SAFETY: the topmost bytes of a stack that is not in use yet.
    unsafe { (start as *mut *const PerCpu).write(cpu) };
    VirtAddr::new(start)
}

/// The tables of one CPU.
pub struct Tables {
    gdt: GlobalDescriptorTable,
    tss: TaskStateSegment,
    tss_selector: SegmentSelector,
}

/// Guarded stacks of one CPU.
struct Stacks {
    ist: [Stack; STACKS.len()],
    sched: Stack,
}

impl Stacks {
    fn new() -> Result<Self, Errno> {
        let mut made: [Option<Stack>; STACKS.len()] = [const { None }; STACKS.len()];
        for (slot, (_, size)) in made.iter_mut().zip(STACKS) {
            *slot = Some(Stack::new(size)?);
        }
        Ok(Self { ist: made.map(|s| s.expect("each was just made")), sched: Stack::new(SCHED_STACK)? })
    }
}

/// The tables of the CPU with this block, with guarded stacks behind them, and the top of its scheduler stack. All of it stays for good.
///
/// # Errors
/// ENOMEM.
pub fn build(cpu: &'static PerCpu) -> Result<(&'static mut Tables, u64), Errno> {
    let stacks = Box::leak(Box::new(Stacks::new()?));
    let tables = Box::leak(Box::new(Tables::empty()));
    for (stack, (ist, _)) in stacks.ist.iter().zip(STACKS) {
        tables.tss.interrupt_stack_table[ist as usize - 1] = interrupt_stack(stack.top(), cpu);
    }
    // Every vector has an interrupt stack, so the CPU never takes this one.
    tables.tss.privilege_stack_table[0] = tables.tss.interrupt_stack_table[Ist::Interrupt as usize - 1];
    Ok((tables, stacks.sched.top()))
}

impl Tables {
    const fn empty() -> Self {
        Self { gdt: GlobalDescriptorTable::empty(), tss: TaskStateSegment::new(), tss_selector: SegmentSelector(0) }
    }

    /// Loads the tables on the calling CPU.
    pub fn load(&'static mut self) {
        let cs = self.gdt.append(Descriptor::kernel_code_segment());
        let ss = self.gdt.append(Descriptor::kernel_data_segment());
        let user_ss = self.gdt.append(Descriptor::user_data_segment());
        let user_cs = self.gdt.append(Descriptor::user_code_segment());
        let segments = |cs: SegmentSelector, ss: SegmentSelector| Segments { cs: cs.0.into(), ss: ss.0.into() };
        assert!(segments(cs, ss) == Segments::RING_0 && segments(user_cs, user_ss) == Segments::RING_3);
        self.tss_selector = self.gdt.append(Descriptor::tss_segment(&self.tss));
        self.gdt.load();
        // SAFETY: the selectors name entries of the table just loaded: a flat code segment, a flat data segment, and a TSS that is
        // never freed and not in use anywhere else.
        unsafe {
            CS::set_reg(cs);
            SS::set_reg(ss);
            DS::set_reg(SegmentSelector(0));
            ES::set_reg(SegmentSelector(0));
            load_tss(self.tss_selector);
        }
    }
}

/// What the boot CPU uses until there is memory for guarded stacks: one small stack for all vectors.
#[repr(C, align(16))]
struct Early {
    tables: UnsafeCell<Tables>,
    stack: UnsafeCell<[u8; 8 << 10]>,
}

// SAFETY: used by the boot CPU only, once.
unsafe impl Sync for Early {}

static EARLY: Early = Early { tables: UnsafeCell::new(Tables::empty()), stack: UnsafeCell::new([0; 8 << 10]) };

/// Loads the boot CPU's first tables. Called once, before interrupts are enabled.
pub fn load_early() {
    // SAFETY: called once, and nothing else touches these tables.
    let tables = unsafe { &mut *EARLY.tables.get() };
    let top = EARLY.stack.get() as u64 + (8 << 10);
    tables.tss.interrupt_stack_table = [interrupt_stack(top, &percpu::BOOT); 7];
    tables.load();
}
