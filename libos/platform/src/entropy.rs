//! The seed of the machine's random numbers: 32 bytes from everything that can tell them.

use crate::virtio::rng::VirtioRng;
use bitflags::bitflags;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdrand64_step, _rdseed64_step, _rdtsc};

bitflags! {
    /// What went into a seed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Sources: u8 {
        /// The CPU's entropy source (RDSEED).
        const RDSEED = 1 << 0;
        /// The CPU's random number generator (RDRAND).
        const RDRAND = 1 << 1;
        /// The host, through a virtio entropy device.
        const VIRTIO = 1 << 2;
        /// The date and the jitter of the cycle counter. Always there, and guessable.
        const CLOCKS = 1 << 3;
    }
}

/// 32 bytes to seed a generator with, and what they are worth.
pub struct Seed {
    /// The bytes.
    pub bytes: [u8; 32],
    /// Where they came from.
    pub sources: Sources,
}

impl Seed {
    /// Whether an attacker who knows when the machine was started still cannot guess the bytes.
    pub fn is_strong(&self) -> bool {
        self.sources.intersects(Sources::RDSEED | Sources::RDRAND | Sources::VIRTIO)
    }
}

/// Tries of RDRAND or RDSEED before the CPU counts as broken (Intel SDM vol. 1, 7.3.17.1 asks for 10; RDSEED runs dry more easily).
const TRIES: usize = 100;
/// Samples of the cycle counter; each gives a fraction of a bit.
const SAMPLES: usize = 1024;

type Words = [u64; 4];

/// Collects a seed from all sources, mixed by XOR, so that the best one counts. The caller warns when [`Seed::is_strong`] says no.
pub fn seed(rng: Option<&mut VirtioRng>) -> Seed {
    let mut words = clocks();
    let mut sources = Sources::CLOCKS;
    let mut mix = |from: Option<Words>, source: Sources| {
        if let Some(from) = from {
            words.iter_mut().zip(from).for_each(|(w, f)| *w ^= f);
            sources |= source;
        }
    };
    mix(rdseed(), Sources::RDSEED);
    mix(rdrand(), Sources::RDRAND);
    mix(rng.and_then(virtio), Sources::VIRTIO);
    let mut bytes = [0; 32];
    bytes.chunks_exact_mut(8).zip(words).for_each(|(chunk, w)| chunk.copy_from_slice(&w.to_le_bytes()));
    Seed { bytes, sources }
}

/// Four words from a CPU instruction that says by 1 that it worked. Words that are all equal are a broken CPU's, not random.
fn four(step: impl Fn(&mut u64) -> i32) -> Option<Words> {
    let mut words = [0; 4];
    for word in &mut words {
        (0..TRIES).find(|_| step(word) == 1)?;
    }
    words.iter().any(|&w| w != words[0]).then_some(words)
}

fn rdseed() -> Option<Words> {
    #[target_feature(enable = "rdseed")]
    fn step(word: &mut u64) -> i32 {
        _rdseed64_step(word)
    }
    // CPUID leaf 7, EBX bit 18 (Intel SDM vol. 2, CPUID); leaf 0 says whether there is a leaf 7.
    let there = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & 1 << 18 != 0;
    // SAFETY: the CPU has the instruction.
    there.then(|| four(|word| unsafe { step(word) })).flatten()
}

fn rdrand() -> Option<Words> {
    #[target_feature(enable = "rdrand")]
    fn step(word: &mut u64) -> i32 {
        _rdrand64_step(word)
    }
    // CPUID leaf 1, ECX bit 30.
    let there = __cpuid(1).ecx & 1 << 30 != 0;
    // SAFETY: the CPU has the instruction.
    there.then(|| four(|word| unsafe { step(word) })).flatten()
}

fn virtio(rng: &mut VirtioRng) -> Option<Words> {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes).then(|| {
        let mut words = [0; 4];
        words
            .iter_mut()
            .zip(bytes.chunks_exact(8))
            .for_each(|(w, b)| *w = b.iter().fold(0, |w, &b| w << 8 | u64::from(b)));
        words
    })
}

/// The date, and how long it takes the machine to do next to nothing, over and over.
fn clocks() -> Words {
    let mut words = [crate::rtc::unix_time().unwrap_or(0), 0, 0, 0];
    for i in 0..SAMPLES {
        // SAFETY: RDTSC is allowed in ring 0.
        let now = unsafe { _rdtsc() };
        let word = &mut words[i % 4];
        // An odd multiplier (2^64 divided by the golden ratio) spreads the low, jittery bits over the word.
        *word = (word.rotate_left(19) ^ now).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    words
}
