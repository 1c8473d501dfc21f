//! A virtqueue (virtio 1.2, 2.7) together with its buffers and its doorbell: every chain is one descriptor and one buffer long.
//!
//! Notifications are suppressed by the ring flags (2.7.7, 2.7.10), not by `VIRTIO_F_EVENT_IDX`, with which the queue type cannot mask.

use super::device::{Device, Doorbell, Error};
use super::hal::{Buffers, DmaHal};
use alloc::boxed::Box;
use core::sync::atomic::{Ordering, fence};
use virtio_drivers::queue::VirtQueue;

/// Buffers, and so descriptors, per queue. A power of two.
const LEN: usize = 256;
/// Bytes per buffer: a whole fraction of a page, so that none crosses one.
const BUFFER_LEN: usize = 2048;

/// No buffer under this token.
const NOBODY: u16 = u16::MAX;

/// Who writes the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The driver, for the device to read.
    ToDevice,
    /// The device, for the driver to read.
    ToDriver,
}

pub(super) struct Ring {
    queue: VirtQueue<DmaHal, LEN>,
    buffers: Buffers,
    doorbell: Doorbell,
    direction: Direction,
    /// Which buffer, and how many bytes of it, the device has under which token (first descriptor).
    owner: [(u16, u16); LEN],
    /// Buffers that the device does not have; `free[..free_len]` counts.
    free: [u16; LEN],
    free_len: usize,
    /// Buffers were added since the doorbell was last considered.
    dirty: bool,
    /// The device has given back what it did not have: it is not listened to any more.
    broken: bool,
}

impl Ring {
    /// Queue `index` of a device whose features are agreed, with all its buffers free.
    // Not inlined: its tables pass over the stack on their way to the heap, and the boot stack is small.
    #[inline(never)]
    pub(super) fn new(device: &mut Device, index: u16, direction: Direction) -> Result<Box<Ring>, Error> {
        let queue = VirtQueue::new(&mut device.transport, index, false, false)?;
        device.assign_vector(index)?;
        Ok(Box::new(Ring {
            queue,
            buffers: Buffers::new(LEN, BUFFER_LEN).ok_or(Error::NoMemory)?,
            doorbell: device.doorbell(index)?,
            direction,
            owner: [(NOBODY, 0); LEN],
            free: core::array::from_fn(|i| i as u16),
            free_len: LEN,
            dirty: false,
            broken: false,
        }))
    }

    /// Asks the device to interrupt, or not to. It may still do so once: the hint takes effect when it looks.
    pub(super) fn interrupts(&mut self, on: bool) {
        self.queue.set_dev_notify(on);
    }

    /// Whether [`Ring::take`] would return a buffer.
    pub(super) fn has_room(&self) -> bool {
        self.free_len > 0
    }

    /// Whether [`Ring::reclaim`] would return a buffer.
    pub(super) fn pending(&self) -> bool {
        !self.broken && self.queue.can_pop()
    }

    /// Takes a buffer that the device does not have.
    pub(super) fn take(&mut self) -> Option<usize> {
        self.free_len = self.free_len.checked_sub(1)?;
        Some(self.free[self.free_len].into())
    }

    /// Undoes [`Ring::take`], or ends the use of a reclaimed buffer.
    pub(super) fn put_back(&mut self, buffer: usize) {
        self.free[self.free_len] = buffer as u16;
        self.free_len += 1;
    }

    /// The contents of a buffer.
    ///
    /// # Safety
    /// The caller has taken or reclaimed the buffer and not yet handed it over or put it back.
    pub(super) unsafe fn bytes(&mut self, buffer: usize) -> &mut [u8] {
        // SAFETY: by the caller, the device does not have it.
        unsafe { self.buffers.get(buffer) }
    }

    /// Hands the first `len` bytes of a taken or reclaimed buffer to the device.
    pub(super) fn hand_over(&mut self, buffer: usize, len: usize) {
        // SAFETY: the device does not have the buffer; from here on nobody touches it until `reclaim` returns it.
        let added = unsafe {
            let bytes = &mut self.buffers.get(buffer)[..len];
            match self.direction {
                Direction::ToDevice => self.queue.add(&[bytes], &mut []),
                Direction::ToDriver => self.queue.add(&[], &mut [bytes]),
            }
        };
        match added {
            Ok(token) => {
                self.owner[usize::from(token)] = (buffer as u16, len as u16);
                self.dirty = true;
            }
            // Cannot be: there are as many descriptors as buffers.
            Err(_) => self.put_back(buffer),
        }
    }

    /// Hands all of a taken or reclaimed buffer to the device.
    pub(super) fn hand_over_whole(&mut self, buffer: usize) {
        self.hand_over(buffer, BUFFER_LEN);
    }

    /// The next buffer that the device is done with, and how many bytes it has written.
    pub(super) fn reclaim(&mut self) -> Option<(usize, usize)> {
        let token = self.queue.peek_used().filter(|_| !self.broken)?;
        let Some(&(buffer, len)) = self.owner.get(usize::from(token)).filter(|(buffer, _)| *buffer != NOBODY) else {
            self.broken = true;
            return None;
        };
        let buffer = usize::from(buffer);
        // SAFETY: the same bytes as were added under this token; the queue only looks at their place and length.
        let popped = unsafe {
            let bytes = &mut self.buffers.get(buffer)[..usize::from(len)];
            match self.direction {
                Direction::ToDevice => self.queue.pop_used(token, &[bytes], &mut []),
                Direction::ToDriver => self.queue.pop_used(token, &[], &mut [bytes]),
            }
        };
        self.owner[usize::from(token)].0 = NOBODY;
        Some((buffer, popped.ok()? as usize))
    }

    /// Rings the doorbell if buffers were handed over and the device wants to hear of them.
    pub(super) fn kick(&mut self) {
        if core::mem::take(&mut self.dirty) {
            // The device clears its "do not tell me" flag and then looks at the ring once more; so we must have written the ring for
            // sure before we read the flag (2.7.13.4.1).
            fence(Ordering::SeqCst);
            if self.queue.should_notify() {
                self.doorbell.ring();
            }
        }
    }
}
