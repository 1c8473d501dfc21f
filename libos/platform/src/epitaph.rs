//! The last words of a machine that cannot go on: what happened, where, and what came before.
//!
//! Printed by polling and without a lock, because any lock may be held. Addresses are raw, with the offset from the image's start for
//! a symboliser on the host.

use crate::percpu::{self, PerCpu};
use crate::ring::Event;
use crate::serial;
use crate::smp::stop;
use crate::thread::{Status, Thread};
use crate::trap::TrapFrame;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};
use x86_64::instructions::interrupts;

/// Exit status of a machine that died.
const STATUS: u8 = 70;
/// Words of the stack that are searched for return addresses.
const STACK_WORDS: u64 = 512;
/// Return addresses printed of the thread that failed, and of each of the others.
const RETURNS: usize = 48;
const OTHER_RETURNS: usize = 16;
const NOBODY: u32 = u32::MAX;

/// The CPU that is writing the epitaph.
static DYING: AtomicU32 = AtomicU32::new(NOBODY);

struct Out;

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, line) in text.split('\n').enumerate() {
            if i > 0 {
                serial::write_dying(b"\r\n");
            }
            serial::write_dying(line.as_bytes());
        }
        Ok(())
    }
}

const NAMES: [&str; 32] = [
    "divide error",
    "debug",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid opcode",
    "device not available",
    "double fault",
    "vector 9",
    "invalid TSS",
    "segment not present",
    "stack segment fault",
    "general protection",
    "page fault",
    "vector 15",
    "x87 floating point",
    "alignment check",
    "machine check",
    "SIMD floating point",
    "virtualization",
    "control protection",
    "vector 22",
    "vector 23",
    "vector 24",
    "vector 25",
    "vector 26",
    "vector 27",
    "hypervisor injection",
    "VMM communication",
    "security",
    "vector 31",
];

/// Ends the machine because of a trap that nobody can handle. `cr2` is the address of a page fault.
pub fn trap(frame: &TrapFrame, cr2: Option<u64>, why: &str) -> ! {
    begin();
    let name = usize::try_from(frame.vector).ok().and_then(|v| NAMES.get(v)).copied().unwrap_or("interrupt");
    let _ = writeln!(Out, "\n*** {why}: {name} (vector {}, error {:#x})", frame.vector, frame.error);
    if let Some(address) = cr2 {
        let _ = writeln!(Out, "address {address:#018x}");
    }
    end(interrupted(frame))
}

/// Ends the machine because somebody outside asked for that by a non-maskable interrupt, which is how one asks a machine that hangs
/// what it is doing: tells also where all threads are.
pub fn asked(frame: &TrapFrame) -> ! {
    begin();
    let _ = writeln!(Out, "\n*** non-maskable interrupt: what the machine is doing");
    let cpu = interrupted(frame);
    threads();
    for other in percpu::all().filter(|other| !core::ptr::eq(*other, cpu)) {
        who(other);
        events(other);
    }
    end(cpu)
}

/// Ends the machine because of a Rust panic.
pub fn panic(info: &PanicInfo<'_>) -> ! {
    begin();
    let _ = writeln!(Out, "\n*** {info}");
    let cpu = percpu::this();
    who(cpu);
    let here: u64;
    // SAFETY: only reads RSP.
    unsafe { core::arch::asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags)) };
    returns(here, 0, RETURNS);
    end(cpu)
}

/// The first CPU to die speaks, the others are stopped. One that fails while it speaks ends the machine at once.
fn begin() {
    interrupts::disable();
    let me = percpu::this().index.load(Ordering::Relaxed);
    match DYING.compare_exchange(NOBODY, me, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => stop::stop_others(),
        Err(speaker) if speaker == me => {
            serial::write_dying(b"\r\n*** failed again while dying\r\n");
            crate::power::exit(STATUS);
        }
        Err(_) => stop::stop_self(),
    }
}

/// Tells what this CPU was doing.
fn interrupted(frame: &TrapFrame) -> &'static PerCpu {
    registers(frame);
    let cpu = percpu::this();
    who(cpu);
    returns(frame.rsp, frame.rip, RETURNS);
    cpu
}

fn end(cpu: &PerCpu) -> ! {
    events(cpu);
    crate::power::exit(STATUS)
}

fn registers(f: &TrapFrame) {
    let _ = writeln!(
        Out,
        "rip {:016x}  rsp {:016x}  rflags {:08x}  cs {:x}\n\
         rax {:016x}  rbx {:016x}  rcx {:016x}  rdx {:016x}\n\
         rsi {:016x}  rdi {:016x}  rbp {:016x}  r8  {:016x}\n\
         r9  {:016x}  r10 {:016x}  r11 {:016x}  r12 {:016x}\n\
         r13 {:016x}  r14 {:016x}  r15 {:016x}",
        f.rip,
        f.rsp,
        f.rflags,
        f.cs,
        f.rax,
        f.rbx,
        f.rcx,
        f.rdx,
        f.rsi,
        f.rdi,
        f.rbp,
        f.r8,
        f.r9,
        f.r10,
        f.r11,
        f.r12,
        f.r13,
        f.r14,
        f.r15
    );
}

fn who(cpu: &PerCpu) {
    let _ = write!(
        Out,
        "cpu {} of {}, preemption depth {}, ",
        cpu.index(),
        percpu::cpu_count(),
        cpu.preempt.load(Ordering::Relaxed)
    );
    // SAFETY: the CPU holds its current thread.
    match unsafe { cpu.current.load(Ordering::Relaxed).as_ref() } {
        Some(thread) => {
            let _ = writeln!(Out, "thread {} \"{}\"", thread.id(), printable(&thread_name(thread)));
        }
        None => {
            let _ = writeln!(Out, "no thread");
        }
    }
}

/// The name without its lock, which may be held.
fn thread_name(thread: &Thread) -> [u8; 16] {
    thread.try_name().unwrap_or(*b"?\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
}

fn printable(name: &[u8; 16]) -> &str {
    let len = name.iter().position(|&b| b == 0).unwrap_or(name.len());
    core::str::from_utf8(&name[..len]).unwrap_or("?")
}

unsafe extern "C" {
    static __libos_text_start: u8;
    static __libos_text_end: u8;
    static __erts_text_start: u8;
    static __erts_text_end: u8;
}

fn is_text(address: u64) -> bool {
    let libos = &raw const __libos_text_start as u64..&raw const __libos_text_end as u64;
    let erts = &raw const __erts_text_start as u64..&raw const __erts_text_end as u64;
    libos.contains(&address) || erts.contains(&address)
}

/// Prints every word near the top of the stack that points into code. Some are left over from earlier calls: the code here is compiled
/// without frame pointers, so nothing better is known.
fn returns(rsp: u64, rip: u64, mut left: usize) {
    let base = &raw const __libos_text_start as u64;
    let place = |address: u64| address.wrapping_sub(base);
    if rip != 0 && is_text(rip) {
        let _ = writeln!(Out, "at      {rip:#010x} image+{:#x}", place(rip));
    }
    for at in (0..STACK_WORDS).map(|i| (rsp & !7) + i * 8) {
        if left == 0 || !crate::paging::is_mapped(at) {
            break;
        }
        let word = match crate::user::read(at as usize) {
            Ok(word) => word,
            // SAFETY: not of the program, but mapped, and a word of any value may be read.
            Err(_) => unsafe { (at as *const u64).read_volatile() },
        };
        if is_text(word) {
            left -= 1;
            let _ = writeln!(Out, "stack+{:<4x} {word:#010x} image+{:#x}", at - rsp, place(word));
        }
    }
}

/// Stack pointer and instruction pointer of a thread; none if it runs on a CPU that has not stopped.
fn place(thread: &Thread, status: Status) -> Option<(u64, u64)> {
    let frame = if status == Status::Running {
        let cpu = percpu::all().find(|cpu| cpu.index() == thread.last_cpu())?;
        cpu.stopped_at.load(Ordering::Acquire).cast_const()
    } else {
        // SAFETY: only makes a pointer into memory that the thread owns.
        unsafe { &raw const (*thread.context()).frame }
    };
    // SAFETY: the frame of a CPU that stopped is on the stack that it stopped on. All CPUs but this one are stopped, so nobody writes the
    // context of a thread; of one that was about to leave or to arrive it may be half written, which is only a wrong address, and
    // addresses are checked.
    unsafe { frame.as_ref() }.map(|frame| (frame.rsp, frame.rip))
}

/// What each thread does, and where it is.
fn threads() {
    let told = crate::thread::try_for_each(|thread| {
        let name = thread_name(thread);
        let status = thread.status();
        let _ = writeln!(
            Out,
            "thread {} \"{}\": {status:?}, cpu {}, ran {} us",
            thread.id(),
            printable(&name),
            thread.last_cpu(),
            thread.cpu_ns() / 1000
        );
        if let Some((rsp, rip)) = place(thread, status) {
            returns(rsp, rip, OTHER_RETURNS);
            if let Some((rsp, rip)) = thread.entry.program_place(rsp) {
                returns(rsp, rip, OTHER_RETURNS);
            }
        }
    });
    if !told {
        let _ = writeln!(Out, "the list of threads is locked");
    }
}

fn events(own: &PerCpu) {
    let _ = writeln!(Out, "last events of cpu {} (tsc, kind, two words):", own.index());
    for (tsc, kind, a, b) in own.ring.events().filter(|(_, kind, ..)| *kind != Event::None) {
        let _ = writeln!(Out, "{tsc:>20} {kind:?} {a:#x} {b:#x}");
    }
}
