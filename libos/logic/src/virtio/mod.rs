//! What a virtio driver has to reckon with, apart from the device's registers and memory (virtio 1.2, OASIS).

pub mod control;
pub mod event;
pub mod features;
pub mod header;
pub mod merge;
pub mod queues;
pub mod runs;
