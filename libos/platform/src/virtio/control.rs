//! The control queue of a network card (virtio 1.2, 5.1.6.5): a command at a time, waited for.

use super::device::{Device, Doorbell, Error};
use super::hal::{Buffers, DmaHal};
use core::mem::ManuallyDrop;
use trapless_logic::virtio::control::{LONGEST, OK};
use virtio_drivers::queue::VirtQueue;

/// Descriptors: a command and its answer are two.
const QUEUE_LEN: usize = 4;
/// Polls before an answer is given up. A device answers within microseconds.
const MAX_POLLS: u32 = 50_000_000;

pub(super) struct Control {
    /// Never given back: the device goes on looking at a queue that it was given.
    queue: ManuallyDrop<VirtQueue<DmaHal, QUEUE_LEN>>,
    doorbell: Doorbell,
    /// A command, and the byte for the answer behind it.
    buffer: Buffers,
}

impl Control {
    /// Queue `index` of a device whose features are agreed. Without a vector it never interrupts.
    pub(super) fn new(device: &mut Device, index: u16, event_idx: bool) -> Result<Control, Error> {
        let mut queue = VirtQueue::new(&mut device.transport, index, false, event_idx)?;
        queue.set_dev_notify(false);
        let doorbell = device.doorbell(index)?;
        let buffer = Buffers::new(1, LONGEST + 1).ok_or(Error::NoMemory)?;
        Ok(Control { queue: ManuallyDrop::new(queue), doorbell, buffer })
    }

    /// Has the device obey, which must be running; false if it does not.
    pub(super) fn obeys(mut self, command: &[u8]) -> bool {
        // SAFETY: no command is under way: there is one in the life of this value.
        let (bytes, answer) = unsafe { self.buffer.get(0) }.split_at_mut(LONGEST);
        let Some(bytes) = bytes.get_mut(..command.len()) else { return false };
        bytes.copy_from_slice(command);
        answer[0] = !OK;
        // SAFETY: the buffers live for ever, and nobody touches them before the device gives them back.
        let Ok(token) = (unsafe { self.queue.add(&[&*bytes], &mut [&mut *answer]) }) else { return false };
        self.doorbell.ring();
        let answered = (0..MAX_POLLS).any(|_| {
            core::hint::spin_loop();
            self.queue.can_pop()
        });
        // SAFETY: the buffers that were added under this token.
        let taken = answered && unsafe { self.queue.pop_used(token, &[&*bytes], &mut [&mut *answer]) }.is_ok();
        taken && answer[0] == OK
    }
}
