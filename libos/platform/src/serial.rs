//! The console: a 16550 UART at COM1 (National PC16550D data sheet; section numbers below are its own).
//!
//! Three ways to use it, from simplest to best:
//! - [`write`] polls until every byte is out. It works from the first instruction of Rust on any CPU.
//! - [`try_write`] hands over what fits into the transmit FIFO now; [`notify_when_writable`] asks for an interrupt when there is
//!   room again.
//! - [`read`] takes bytes that the receive interrupt has put aside. When nobody reads, the UART is left full, so that the other end
//!   stops sending: input is delayed, never lost.
//!
//! [`write_dying`] is for a machine that will not go on: it takes no lock.

use crate::irq::{self, Softirq};
use crate::port::{inb, outb};
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use x86_64::instructions::interrupts::without_interrupts;

/// I/O base of COM1, and its ISA interrupt line: fixed since the IBM PC/AT.
const COM1: u16 = 0x3f8;
const COM1_IRQ: u8 = 4;

/// Receive (read) and transmit (write) holding register; divisor low byte while DLAB is set (8.1).
const DATA: u16 = COM1;
/// Interrupt enable register (8.8); divisor high byte while DLAB is set.
const IER: u16 = COM1 + 1;
/// Interrupt identification on read (8.6), FIFO control on write (8.5).
const IIR_FCR: u16 = COM1 + 2;
/// Line control (8.1).
const LCR: u16 = COM1 + 3;
/// Modem control (8.7).
const MCR: u16 = COM1 + 4;
/// Line status (8.4).
const LSR: u16 = COM1 + 5;
/// Modem status (8.9).
const MSR: u16 = COM1 + 6;
/// A byte of memory with no meaning (8.10): tells a UART from an empty socket.
const SCRATCH: u16 = COM1 + 7;

const IER_RECEIVE: u8 = 1 << 0;
const IER_TRANSMIT: u8 = 1 << 1;
const LSR_DATA_READY: u8 = 1 << 0;
const LSR_TRANSMIT_EMPTY: u8 = 1 << 5;
const LCR_8N1: u8 = 0b011;
const LCR_DLAB: u8 = 1 << 7;
/// FIFOs on and emptied, receive trigger at 14 of 16 bytes (a timeout interrupt covers the rest).
const FCR_ON: u8 = 0b1100_0111;
/// DTR, RTS, and OUT2: on a PC the latter lets the interrupt line through.
const MCR_ON: u8 = 0b1011;
/// Depth of the transmit FIFO, bytes.
const FIFO: usize = 16;

/// Bytes put aside for [`read`]. A power of two.
const RING: usize = 4096;

/// What the interrupt enable register is to hold; see [`sync_ier`].
static WANTED_IER: AtomicU8 = AtomicU8::new(0);
/// Held for one FIFO load at most, with interrupts off.
static TRANSMITTER: AtomicBool = AtomicBool::new(false);

/// Receive ring: the interrupt handler produces (one CPU, never nested), any number of readers consume.
/// Both counters only grow; `HEAD <= TAIL <= HEAD + RING`.
static RECEIVED: [AtomicU8; RING] = [const { AtomicU8::new(0) }; RING];
static HEAD: AtomicUsize = AtomicUsize::new(0);
static TAIL: AtomicUsize = AtomicUsize::new(0);

/// Why the console cannot be used by interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No UART answers at COM1.
    Absent,
    /// No interrupt vector or no I/O APIC pin for it.
    NoInterrupt,
}

/// Sets the UART to 115200 baud, 8N1, FIFOs on, interrupts off. Call once, before any output.
pub fn init() {
    // SAFETY: COM1 belongs to this module; the sequence is the data sheet's set-up.
    unsafe {
        outb(IER, 0);
        outb(LCR, LCR_DLAB);
        outb(DATA, 1); // divisor 1: 115200 baud
        outb(IER, 0);
        outb(LCR, LCR_8N1);
        outb(IIR_FCR, FCR_ON);
        outb(MCR, MCR_ON);
    }
}

/// Whether a UART answers at COM1.
pub fn present() -> bool {
    [0x5a, 0xa5].iter().all(|&probe| {
        // SAFETY: the scratch register is memory without side effects.
        unsafe {
            outb(SCRATCH, probe);
            inb(SCRATCH) == probe
        }
    })
}

/// Writes all of `bytes`, waiting for the UART where it must.
pub fn write(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        match try_write(rest) {
            0 => core::hint::spin_loop(),
            n => rest = &rest[n..],
        }
    }
}

/// Writes as many of `bytes` as the transmit FIFO takes at once; returns how many, perhaps 0.
pub fn try_write(bytes: &[u8]) -> usize {
    without_interrupts(|| {
        if TRANSMITTER.swap(true, Ordering::Acquire) {
            return 0;
        }
        let n = load_fifo(bytes);
        TRANSMITTER.store(false, Ordering::Release);
        n
    })
}

/// Writes all of `bytes` without taking a lock: for the last words of a machine whose other CPUs may have stopped anywhere.
pub fn write_dying(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[load_fifo(rest)..];
    }
}

/// One FIFO load. The transmitter reports "empty" only when the whole FIFO is (8.4), so then 16 bytes fit.
fn load_fifo(bytes: &[u8]) -> usize {
    // SAFETY: reading LSR clears error bits only, which nobody looks at; writing DATA sends.
    unsafe {
        if inb(LSR) & LSR_TRANSMIT_EMPTY == 0 {
            return 0;
        }
        let n = bytes.len().min(FIFO);
        for &byte in &bytes[..n] {
            outb(DATA, byte);
        }
        n
    }
}

/// Raises [`Softirq::CONSOLE`] once when the transmit FIFO is empty (at once if it is now).
/// Needs [`enable_interrupts`].
pub fn notify_when_writable() {
    WANTED_IER.fetch_or(IER_TRANSMIT, Ordering::SeqCst);
    sync_ier();
}

/// Turns on interrupt-driven input: from now on arriving bytes raise [`Softirq::CONSOLE`]. Call once, after the I/O APICs are up.
///
/// # Errors
/// [`Error::Absent`] without a UART, [`Error::NoInterrupt`] when its line cannot be routed; polled output works in both cases.
pub fn enable_interrupts() -> Result<(), Error> {
    if !present() {
        return Err(Error::Absent);
    }
    let vector = irq::alloc_vector("console", on_interrupt, 0).ok_or(Error::NoInterrupt)?;
    crate::ioapic::route_isa(COM1_IRQ, vector, irq::lapic_id_of(0)).map_err(|_| Error::NoInterrupt)?;
    WANTED_IER.fetch_or(IER_RECEIVE, Ordering::SeqCst);
    sync_ier();
    Ok(())
}

/// Whether [`read`] would return bytes.
pub fn readable() -> bool {
    HEAD.load(Ordering::Acquire) != TAIL.load(Ordering::Acquire)
}

/// Takes received bytes, oldest first; returns how many, 0 when there are none.
pub fn read(buf: &mut [u8]) -> usize {
    let mut n = 0;
    while n < buf.len() {
        let head = HEAD.load(Ordering::Acquire);
        if head == TAIL.load(Ordering::Acquire) {
            break;
        }
        let byte = RECEIVED[head % RING].load(Ordering::Relaxed);
        if HEAD.compare_exchange(head, head.wrapping_add(1), Ordering::SeqCst, Ordering::Relaxed).is_ok() {
            buf[n] = byte;
            n += 1;
        }
    }
    // The handler turns reception off when the ring is full.
    if n > 0 && WANTED_IER.fetch_or(IER_RECEIVE, Ordering::SeqCst) & IER_RECEIVE == 0 {
        sync_ier();
    }
    n
}

/// Brings the interrupt enable register to what [`WANTED_IER`] says. Two CPUs may do this at once: the one whose write was overtaken
/// sees that the wish has changed and writes again, so the last wish wins.
fn sync_ier() {
    loop {
        let wanted = WANTED_IER.load(Ordering::SeqCst);
        // SAFETY: only selects which interrupts the UART raises; on_interrupt handles each of them.
        unsafe { outb(IER, wanted) };
        if WANTED_IER.load(Ordering::SeqCst) == wanted {
            return;
        }
    }
}

/// COM1's line is edge-triggered: loops until the UART has nothing left to say, or no later event would make an edge.
fn on_interrupt(_arg: usize) {
    // SAFETY: the reads below have exactly the acknowledging side effects the data sheet's table IV gives for each cause.
    unsafe {
        loop {
            let cause = inb(IIR_FCR);
            if cause & 1 != 0 {
                break;
            }
            match (cause >> 1) & 0b111 {
                0b010 | 0b110 => receive(),
                0b001 => {
                    WANTED_IER.fetch_and(!IER_TRANSMIT, Ordering::SeqCst);
                    sync_ier();
                }
                0b011 => _ = inb(LSR),
                _ => _ = inb(MSR),
            }
        }
    }
    irq::raise(Softirq::CONSOLE);
}

/// Moves bytes from the UART to the ring; when the ring is full, leaves the rest there and stops asking.
fn receive() {
    // SAFETY: as in on_interrupt: a byte is taken only when the UART says that there is one.
    while unsafe { inb(LSR) } & LSR_DATA_READY != 0 {
        let tail = TAIL.load(Ordering::Relaxed);
        if full(tail) {
            WANTED_IER.fetch_and(!IER_RECEIVE, Ordering::SeqCst);
            // A reader that made room before it could see the bit cleared will not set it again: look once more.
            if full(tail) {
                sync_ier();
                return;
            }
            WANTED_IER.fetch_or(IER_RECEIVE, Ordering::SeqCst);
        }
        // SAFETY: as above.
        RECEIVED[tail % RING].store(unsafe { inb(DATA) }, Ordering::Relaxed);
        TAIL.store(tail.wrapping_add(1), Ordering::Release);
    }
}

/// Whether a ring whose producer stands at `tail` has no room.
fn full(tail: usize) -> bool {
    tail.wrapping_sub(HEAD.load(Ordering::SeqCst)) >= RING
}

/// Formatted polled output: `write!(serial::Console, ...)`.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        write(s.as_bytes());
        Ok(())
    }
}
