//! A random number generator: ChaCha20 (RFC 8439, 2.3) with fast key erasure, so that a later look at memory does not tell what was
//! given out before.

/// Words of "expand 32-byte k" (RFC 8439, 2.3).
const SIGMA: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Bytes of a key.
pub const KEY_LEN: usize = 32;
/// Bytes of a key stream block.
const BLOCK_LEN: usize = 64;

/// A generator. All that it ever gives follows from its key, which changes with every use.
#[derive(Clone)]
pub struct Generator {
    key: [u32; 8],
}

impl Generator {
    /// A generator that is as good as its seed.
    pub const fn new(seed: [u8; KEY_LEN]) -> Self {
        let mut key = [0; 8];
        let mut i = 0;
        while i < key.len() {
            key[i] = u32::from_le_bytes([seed[4 * i], seed[4 * i + 1], seed[4 * i + 2], seed[4 * i + 3]]);
            i += 1;
        }
        Generator { key }
    }

    /// Adds a seed: the generator is then as good as the better of the two.
    pub fn mix(&mut self, seed: [u8; KEY_LEN]) {
        let other = Generator::new(seed).key;
        self.key.iter_mut().zip(other).for_each(|(k, o)| *k ^= o);
        let _ = self.fork();
    }

    /// A new generator that tells nothing about this one; the way to use one generator from many CPUs with a short lock.
    pub fn fork(&mut self) -> Generator {
        let block = block(&self.key, 0, &[0; 3]);
        let mut child = [0; 8];
        self.key.copy_from_slice(&block[..8]);
        child.copy_from_slice(&block[8..]);
        Generator { key: child }
    }

    /// Fills `buf` with random bytes (at most 256 GiB of them, where the block counter ends).
    pub fn fill(&mut self, buf: &mut [u8]) {
        // Block 0 becomes the next key.
        for (i, chunk) in buf.chunks_mut(BLOCK_LEN).enumerate() {
            let words = block(&self.key, i as u32 + 1, &[0; 3]);
            for (bytes, word) in chunk.chunks_mut(4).zip(words) {
                bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
            }
        }
        let _ = self.fork();
    }
}

/// How long a seed counts as fresh, in nanoseconds: a minute, as on Linux (`CRNG_RESEED_INTERVAL`, drivers/char/random.c).
pub const SEED_LIFETIME_NS: u64 = 60_000_000_000;

/// A generator that knows how old its seed is. Somebody who has seen its key once can follow it only until it is seeded again.
pub struct Aging {
    generator: Generator,
    /// When the last seed came, or when somebody set out to fetch the next one.
    seeded_ns: u64,
}

impl Aging {
    /// A generator of this seed, `now_ns` nanoseconds after some moment.
    pub const fn new(seed: [u8; KEY_LEN], now_ns: u64) -> Self {
        Aging { generator: Generator::new(seed), seeded_ns: now_ns }
    }

    /// Whether the caller is to fetch a seed and [`Aging::mix`] it in. Says so once a lifetime, so that of many callers one fetches.
    pub fn claim(&mut self, now_ns: u64) -> bool {
        let due = now_ns.saturating_sub(self.seeded_ns) >= SEED_LIFETIME_NS;
        if due {
            self.seeded_ns = now_ns;
        }
        due
    }

    /// Adds a seed, as [`Generator::mix`] does.
    pub fn mix(&mut self, seed: [u8; KEY_LEN], now_ns: u64) {
        self.generator.mix(seed);
        self.seeded_ns = now_ns;
    }

    /// A new generator, as by [`Generator::fork`].
    pub fn fork(&mut self) -> Generator {
        self.generator.fork()
    }
}

/// One block of the key stream (RFC 8439, 2.3.1).
fn block(key: &[u32; 8], counter: u32, nonce: &[u32; 3]) -> [u32; 16] {
    let mut start = [0; 16];
    start[..4].copy_from_slice(&SIGMA);
    start[4..12].copy_from_slice(key);
    start[12] = counter;
    start[13..].copy_from_slice(nonce);
    let mut state = start;
    for _ in 0..10 {
        quarter_round(&mut state, 0, 4, 8, 12);
        quarter_round(&mut state, 1, 5, 9, 13);
        quarter_round(&mut state, 2, 6, 10, 14);
        quarter_round(&mut state, 3, 7, 11, 15);
        quarter_round(&mut state, 0, 5, 10, 15);
        quarter_round(&mut state, 1, 6, 11, 12);
        quarter_round(&mut state, 2, 7, 8, 13);
        quarter_round(&mut state, 3, 4, 9, 14);
    }
    state.iter_mut().zip(start).for_each(|(s, b)| *s = s.wrapping_add(b));
    state
}

/// RFC 8439, 2.1.
fn quarter_round(s: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    let mut half = |left: u32, right: u32| {
        s[a] = s[a].wrapping_add(s[b]);
        s[d] = (s[d] ^ s[a]).rotate_left(left);
        s[c] = s[c].wrapping_add(s[d]);
        s[b] = (s[b] ^ s[c]).rotate_left(right);
    };
    half(16, 12);
    half(8, 7);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting_key() -> [u8; KEY_LEN] {
        core::array::from_fn(|i| i as u8)
    }

    #[test]
    fn block_function_of_the_rfc() {
        // RFC 8439, 2.3.2: key 00 01 .. 1f, counter 1, nonce 00 00 00 09 00 00 00 4a 00 00 00 00.
        let words = block(&Generator::new(counting_key()).key, 1, &[0x0900_0000, 0x4a00_0000, 0]);
        assert_eq!(words[..4], [0xe4e7_f110, 0x1559_3bd1, 0x1fdd_0f50, 0xc471_20a3]);
        assert_eq!(words[12..], [0xd19c_12b5, 0xb94e_16de, 0xe883_d0cb, 0x4e3c_50a2]);
    }

    #[test]
    fn first_output_is_the_key_stream_and_then_the_key_is_gone() {
        // RFC 8439, A.1, test vector 2: all-zero key and nonce, counter 1.
        let mut generator = Generator::new([0; KEY_LEN]);
        let mut out = [0; 8];
        generator.fill(&mut out);
        assert_eq!(out, [0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a]);
        let mut again = [0; 8];
        generator.fill(&mut again);
        assert_ne!(out, again);
    }

    #[test]
    fn every_length_is_filled_to_the_end() {
        for len in [1, 3, 4, 63, 64, 65, 200] {
            // A byte stays 0 in 32 fillings with probability 2^-256.
            let mut seen = alloc::vec![0u8; len];
            for round in 0..32 {
                let mut seed = counting_key();
                seed[0] = round;
                let mut buf = alloc::vec![0u8; len];
                Generator::new(seed).fill(&mut buf);
                seen.iter_mut().zip(buf).for_each(|(s, b)| *s |= b);
            }
            assert!(seen.iter().all(|&b| b != 0), "length {len}");
        }
    }

    #[test]
    fn a_seed_is_asked_for_once_a_lifetime() {
        let mut aging = Aging::new(counting_key(), 5);
        assert!(!aging.claim(5) && !aging.claim(4 + SEED_LIFETIME_NS));
        assert!(aging.claim(5 + SEED_LIFETIME_NS));
        // The others go on with what there is while the first one fetches.
        assert!(!aging.claim(5 + SEED_LIFETIME_NS) && !aging.claim(4 + 2 * SEED_LIFETIME_NS));
        assert!(aging.claim(5 + 2 * SEED_LIFETIME_NS));
        // A seed that comes unasked starts the time anew, and a clock that stands behind does not run ahead.
        aging.mix([1; KEY_LEN], 7 + 2 * SEED_LIFETIME_NS);
        assert!(!aging.claim(6 + 3 * SEED_LIFETIME_NS) && !aging.claim(0));
    }

    #[test]
    fn who_knows_the_key_does_not_know_it_behind_the_next_seed() {
        let output = |aging: &mut Aging| {
            let mut out = [0; 32];
            aging.fork().fill(&mut out);
            out
        };
        let (mut ours, mut seen) = (Aging::new(counting_key(), 0), Aging::new(counting_key(), 0));
        assert_eq!(output(&mut ours), output(&mut seen));
        ours.mix([7; KEY_LEN], 1);
        assert_ne!(output(&mut ours), output(&mut seen));
        // And a seed that somebody has made up takes nothing away.
        let (mut ours, mut other) = (Aging::new(counting_key(), 0), Aging::new([9; KEY_LEN], 0));
        ours.mix([0; KEY_LEN], 1);
        other.mix([0; KEY_LEN], 1);
        assert_ne!(output(&mut ours), output(&mut other));
    }

    #[test]
    fn forks_and_mixing_change_the_stream() {
        let stream = |generator: &mut Generator| {
            let mut out = [0; 32];
            generator.fill(&mut out);
            out
        };
        let mut parent = Generator::new(counting_key());
        let (mut a, mut b) = (parent.fork(), parent.fork());
        assert_ne!(stream(&mut a), stream(&mut b));
        let mut mixed = parent.clone();
        mixed.mix([7; KEY_LEN]);
        assert_ne!(stream(&mut mixed), stream(&mut parent));
    }
}
