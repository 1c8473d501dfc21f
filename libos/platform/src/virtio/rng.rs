//! The virtio entropy device (virtio 1.2, 5.4), used by polling: at boot it is waited for, later it is asked now for what is taken at the next turn.

use super::device::{Device, Doorbell, Error};
use super::hal::{Buffers, DmaHal};
use bitflags::bitflags;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::{SomeTransport, Transport};

const QUEUE: u16 = 0;
/// Descriptors; one request is under way at most.
const QUEUE_LEN: usize = 8;
/// Bytes of one request.
const REQUEST_LEN: usize = 256;

/// Polls before a request is given up. A host answers within microseconds, or, when it has run out of entropy, not for seconds.
const MAX_POLLS: u32 = 50_000_000;

bitflags! {
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        /// Virtio 1.0 or later.
        const VERSION_1 = 1 << 32;
    }
}

/// A running entropy device.
pub struct VirtioRng {
    // Kept because dropping it would reset the device.
    _transport: SomeTransport<'static>,
    queue: VirtQueue<DmaHal, QUEUE_LEN>,
    doorbell: Doorbell,
    buffer: Buffers,
    /// The request that the device has not answered yet, or whose answer nobody has taken: the device has the buffer.
    pending: Option<u16>,
}

impl VirtioRng {
    /// Takes the device over and starts it, without interrupts.
    ///
    /// # Errors
    /// As the variants of [`Error`] say; the device is reset then.
    pub fn new(mut device: Device) -> Result<VirtioRng, Error> {
        device.negotiate(|offered: Features| offered)?;
        let mut queue = VirtQueue::new(&mut device.transport, QUEUE, false, false)?;
        queue.set_dev_notify(false);
        let doorbell = device.doorbell(QUEUE)?;
        let buffer = Buffers::new(1, REQUEST_LEN).ok_or(Error::NoMemory)?;
        device.transport.finish_init();
        Ok(VirtioRng { _transport: device.transport, queue, doorbell, buffer, pending: None })
    }

    /// What the host has sent since the last call, if it has, and asks it for more. Never waits.
    pub fn take(&mut self) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        let len = self.collect(&mut bytes);
        self.ask();
        (len == bytes.len()).then_some(bytes)
    }

    /// Fills `out` with random bytes from the host; false when the host does not deliver. Then `out` may be filled in part.
    pub fn fill(&mut self, out: &mut [u8]) -> bool {
        let mut done = 0;
        while done < out.len() {
            match self.request(&mut out[done..]) {
                0 => return false,
                n => done += n,
            }
        }
        true
    }

    /// One request; returns how many bytes came, 0 for failure.
    fn request(&mut self, out: &mut [u8]) -> usize {
        self.ask();
        let answered = (0..MAX_POLLS).any(|_| {
            core::hint::spin_loop();
            self.queue.can_pop()
        });
        if answered { self.collect(out) } else { 0 }
    }

    /// Gives the device the buffer to fill, unless it has it.
    fn ask(&mut self) {
        if self.pending.is_some() {
            return;
        }
        // SAFETY: nothing is pending, so the device does not have the buffer; it keeps it until pop_used in `collect` succeeds.
        self.pending = unsafe { self.queue.add(&[], &mut [self.buffer.get(0)]) }.ok();
        self.doorbell.ring();
    }

    /// Takes the answer, if there is one; returns how many bytes came.
    fn collect(&mut self, out: &mut [u8]) -> usize {
        let Some(token) = self.pending.filter(|_| self.queue.can_pop()) else { return 0 };
        // SAFETY: the buffer that was added under this token.
        let Ok(len) = (unsafe { self.queue.pop_used(token, &[], &mut [self.buffer.get(0)]) }) else { return 0 };
        self.pending = None;
        let n = out.len().min(len as usize).min(REQUEST_LEN);
        // SAFETY: the device has given the buffer back.
        let bytes = unsafe { self.buffer.get(0) };
        out[..n].copy_from_slice(&bytes[..n]);
        bytes.fill(0);
        n
    }
}
