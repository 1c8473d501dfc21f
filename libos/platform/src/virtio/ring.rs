//! A split virtqueue (virtio 1.2, 2.7) with descriptors that each stand alone: one chain, one descriptor, one piece of memory.
//!
//! Not `virtio-drivers`' queue: that cannot ask for silence where `VIRTIO_F_EVENT_IDX` is agreed, forgets to notify when its index
//! wraps, and writes each descriptor anew for each use. Here a descriptor is written when what it describes changes.

use super::device::{Device, Doorbell, Error};
use super::hal::zeroed_pages;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, Ordering, fence};
use trapless_logic::virtio::event;
use virtio_drivers::PAGE_SIZE;
use virtio_drivers::transport::Transport;

/// Descriptors. A power of two.
pub(super) const LEN: usize = 256;

/// Where the parts are (2.7, and 2.7.2 for devices from before virtio 1.0, which know this layout only). In the rings stand flags, an
/// index, the elements, and the event index of the other ring.
const AVAILABLE: usize = 16 * LEN;
const USED: usize = (AVAILABLE + 6 + 2 * LEN).next_multiple_of(PAGE_SIZE);
const END: usize = USED + 6 + 8 * LEN;
const INDEX: usize = 2;
const ELEMENTS: usize = 4;
const USED_EVENT: usize = AVAILABLE + ELEMENTS + 2 * LEN;
const AVAILABLE_EVENT: usize = USED + ELEMENTS + 8 * LEN;

/// The device writes what a descriptor describes (2.7.5).
const WRITE: u16 = 2;
/// Flags of the rings: no interrupts, no notifications, please (2.7.6, 2.7.8).
const SILENCE: u16 = 1;

/// Who writes what a descriptor describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The driver, for the device to read.
    ToDevice,
    /// The device, for the driver to read.
    ToDriver,
}

/// A descriptor as the device reads it (2.7.5).
#[repr(C)]
struct Descriptor {
    address: u64,
    len: u32,
    flags: u16,
    next: u16,
}

pub(super) struct Ring {
    /// All parts; never given back, as the device may still look.
    memory: NonNull<u8>,
    doorbell: Doorbell,
    event_idx: bool,
    /// Index of the next element that we make available.
    available: u16,
    /// What it was when the device was last considered for a notification.
    announced: u16,
    /// Index of the next element that the device gives back.
    used: u16,
    /// Notifications so far.
    pub(super) kicks: u64,
}

// SAFETY: the memory is this ring's alone but for the device, and any CPU may access it.
unsafe impl Send for Ring {}

impl Ring {
    /// Queue `index` of a device whose features are agreed.
    pub(super) fn new(device: &mut Device, index: u16, event_idx: bool) -> Result<Ring, Error> {
        let transport = &mut device.transport;
        if transport.queue_used(index) {
            return Err(virtio_drivers::Error::AlreadyUsed.into());
        }
        if transport.max_queue_size(index) < LEN as u32 {
            return Err(virtio_drivers::Error::InvalidParam.into());
        }
        let memory = zeroed_pages(END.div_ceil(PAGE_SIZE)).ok_or(Error::NoMemory)?;
        let base = memory.as_ptr().expose_provenance() as u64;
        transport.queue_set(index, LEN as u32, base, base + AVAILABLE as u64, base + USED as u64);
        device.assign_vector(index)?;
        let doorbell = device.doorbell(index)?;
        Ok(Ring { memory, doorbell, event_idx, available: 0, announced: 0, used: 0, kicks: 0 })
    }

    /// A 16-bit field that both sides may look at while one of them writes.
    fn shared(&self, offset: usize) -> &AtomicU16 {
        debug_assert!(offset + 2 <= END);
        // SAFETY: all offsets are even and within the memory, which lives for ever.
        unsafe { AtomicU16::from_ptr(self.memory.as_ptr().add(offset).cast()) }
    }

    /// Says what descriptor `number` describes. The device must not have it.
    pub(super) fn describe(&mut self, number: u16, memory: &[u8], direction: Direction) {
        assert!(usize::from(number) < LEN);
        let descriptor = Descriptor {
            // All memory is identity mapped.
            address: memory.as_ptr().expose_provenance() as u64,
            len: memory.len() as u32,
            flags: if direction == Direction::ToDriver { WRITE } else { 0 },
            next: 0,
        };
        // SAFETY: within the table by the assertion; the table is at the start of pages, hence aligned.
        unsafe { self.memory.cast::<Descriptor>().add(number.into()).write_volatile(descriptor) };
    }

    /// Hands a descriptor to the device: from now on until [`Ring::take_used`] returns it nobody touches what it describes.
    pub(super) fn hand_over(&mut self, number: u16) {
        let slot = usize::from(self.available) % LEN;
        self.shared(AVAILABLE + ELEMENTS + 2 * slot).store(number, Ordering::Relaxed);
        self.available = self.available.wrapping_add(1);
        // The device reads the element after the index.
        self.shared(AVAILABLE + INDEX).store(self.available, Ordering::Release);
    }

    /// How many descriptors the device has not given back.
    pub(super) fn outstanding(&self) -> u16 {
        self.available.wrapping_sub(self.used)
    }

    /// Whether [`Ring::take_used`] would return something.
    pub(super) fn pending(&self) -> bool {
        self.shared(USED + INDEX).load(Ordering::Acquire) != self.used
    }

    /// The next descriptor that the device gives back, and how many bytes it says to have written: neither can be trusted.
    pub(super) fn take_used(&mut self) -> Option<(u32, u32)> {
        if !self.pending() {
            return None;
        }
        let at = USED + ELEMENTS + 8 * (usize::from(self.used) % LEN);
        // SAFETY: within the memory and aligned; the device has written it before the index, and writes it again only after we have
        // made another descriptor available.
        let (number, written) = unsafe {
            let element = self.memory.as_ptr().add(at).cast::<u32>();
            (element.read_volatile(), element.add(1).read_volatile())
        };
        self.used = self.used.wrapping_add(1);
        Some((number, written))
    }

    /// Asks the device to interrupt when it gives back the `count`th descriptor from now on, or sooner; for 0, not to. It may still do so
    /// once: it looks when it looks.
    pub(super) fn interrupt_after(&mut self, count: u16) {
        if self.event_idx {
            self.shared(USED_EVENT).store(event::after(self.used, count), Ordering::Release);
        } else {
            self.shared(AVAILABLE).store(if count == 0 { SILENCE } else { 0 }, Ordering::Release);
        }
    }

    /// Notifies the device if descriptors were handed over and it wants to hear of them.
    pub(super) fn kick(&mut self) {
        let before = core::mem::replace(&mut self.announced, self.available);
        if before == self.available {
            return;
        }
        // The device says when to notify it and then looks at the ring once more; so the ring must be written for sure before we read
        // what it said (2.7.13.4.1).
        fence(Ordering::SeqCst);
        let wanted = if self.event_idx {
            event::is_due(self.shared(AVAILABLE_EVENT).load(Ordering::Acquire), before, self.available)
        } else {
            self.shared(USED).load(Ordering::Acquire) & SILENCE == 0
        };
        if wanted {
            self.kicks += 1;
            self.doorbell.ring();
        }
    }
}
