//! Several queues that are heard in turn.

/// How many in a row one queue may have when others wait as well.
const TURN: u32 = 32;

/// Whose turn it is of so many queues.
pub struct Turns {
    count: usize,
    at: usize,
    left: u32,
}

impl Turns {
    /// `count` queues, at least one.
    pub const fn new(count: usize) -> Self {
        Self { count, at: 0, left: TURN }
    }

    fn pass(&mut self) {
        self.at = (self.at + 1) % self.count;
        self.left = TURN;
    }

    /// The next thing that `take` finds in a queue, asked for at most once in each; and which queue that was.
    pub fn next<T>(&mut self, mut take: impl FnMut(usize) -> Option<T>) -> Option<(usize, T)> {
        if self.left == 0 {
            self.pass();
        }
        for _ in 0..self.count {
            if let Some(found) = take(self.at) {
                self.left -= 1;
                return Some((self.at, found));
            }
            self.pass();
        }
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn take_from(queues: &mut [u32]) -> impl FnMut(usize) -> Option<()> + '_ {
        |at| {
            queues[at] = queues[at].checked_sub(1)?;
            Some(())
        }
    }

    #[test]
    fn everybody_gets_a_turn() {
        let (mut turns, mut queues) = (Turns::new(3), [1000, 0, 1000]);
        let order: Vec<usize> = (0..200).map_while(|_| turns.next(take_from(&mut queues))).map(|(at, ())| at).collect();
        assert_eq!(order.len(), 200);
        assert!(order[..32].iter().all(|&at| at == 0) && order[32..64].iter().all(|&at| at == 2) && order[64] == 0);
        // Only while the others wait.
        let (mut turns, mut queues) = (Turns::new(2), [100, 0]);
        assert_eq!((0..200).map_while(|_| turns.next(take_from(&mut queues))).count(), 100);
    }

    #[test]
    fn empty_queues_are_asked_once() {
        for count in 1..4 {
            let (mut turns, mut asked) = (Turns::new(count), Vec::new());
            for _ in 0..40 {
                assert!(
                    turns
                        .next(|at| {
                            asked.push(at);
                            None::<()>
                        })
                        .is_none()
                );
                assert_eq!(asked.len(), count);
                asked.sort_unstable();
                assert!(asked.drain(..).eq(0..count));
            }
        }
    }
}
