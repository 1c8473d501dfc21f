//! What a shard has of a card: a pair of queues, or, where there are fewer pairs than shards, the sending half of one that others have as
//! well. What comes by a pair is heard by the shard with its number.

use super::device::{Counters, Nic, Offloads, Orders, Pair, Receiver, Transmitter};
use crate::platform::Platform;
use crate::sync::Lock;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A shard's part of a card.
pub(super) struct Lane {
    pub(super) mac: [u8; 6],
    pub(super) offloads: Offloads,
    /// None: others hear for this one.
    pub(super) receiver: Option<Box<dyn Receiver>>,
    pub(super) transmitter: Box<dyn Transmitter>,
}

impl Nic {
    /// Divides the card among so many shards, which are as many as it has pairs of queues at least.
    pub(super) fn divide<P: Platform>(self, shards: usize) -> Vec<Lane> {
        let Self { mac, offloads, pairs } = self;
        let count = pairs.len();
        let mut lanes: Vec<Lane> = Vec::with_capacity(shards);
        let mut shared: Vec<(usize, SharedTransmitter<P>)> = Vec::new();
        for (number, Pair { receiver, transmitter }) in pairs.into_iter().enumerate() {
            let transmitter: Box<dyn Transmitter> = if number + count < shards {
                let transmitter = SharedTransmitter(Arc::new(Lock::new(transmitter)));
                shared.push((number, transmitter.clone()));
                Box::new(transmitter)
            } else {
                transmitter
            };
            lanes.push(Lane { mac, offloads, receiver: Some(receiver), transmitter });
        }
        for number in count..shards {
            let transmitter = shared.iter().find(|(of, _)| *of == number % count).map(|(_, shared)| shared.clone());
            lanes.extend(transmitter.map(|shared| Lane {
                mac,
                offloads,
                receiver: None,
                transmitter: Box::new(shared),
            }));
        }
        lanes
    }
}

/// The sending half of a pair of queues that several shards have, locked for one frame at a time.
struct SharedTransmitter<P: Platform>(Arc<Lock<P, Box<dyn Transmitter>>>);

impl<P: Platform> Clone for SharedTransmitter<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Platform> Transmitter for SharedTransmitter<P> {
    fn transmit(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8]) -> Option<Orders>) -> bool {
        self.0.lock().transmit(len, fill)
    }

    fn can_transmit(&mut self) -> bool {
        self.0.lock().can_transmit()
    }

    fn kick(&mut self) {
        self.0.lock().kick();
    }

    fn rearm(&mut self) -> bool {
        self.0.lock().rearm()
    }

    fn counters(&self) -> Counters {
        self.0.lock().counters()
    }
}
