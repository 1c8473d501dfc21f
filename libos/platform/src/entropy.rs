//! The machine's random numbers: a generator, and everything that can seed it.

use crate::virtio::rng::VirtioRng;
use bitflags::bitflags;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdrand64_step, _rdseed64_step, _rdtsc};
use spin::{Mutex, Once};
use trapless_logic::random::{Generator, KEY_LEN};
use x86_64::instructions::interrupts::without_interrupts;

bitflags! {
    /// What the generator was seeded from.
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

impl Sources {
    /// Whether an attacker who knows when the machine was started still cannot guess the random numbers.
    pub fn is_strong(self) -> bool {
        self.intersects(Sources::RDSEED | Sources::RDRAND | Sources::VIRTIO)
    }
}

/// What to tell people when [`Sources::is_strong`] says no.
pub const WARNING: &str = "RANDOM NUMBERS ARE GUESSABLE: this CPU has no RDRAND and there is no virtio-rng device. \
    Do not use keys, cookies or TLS on this machine. With QEMU: -cpu max, or -device virtio-rng-pci.";

/// The machine's generator; seeded with what the CPU has when it is first used.
static GENERATOR: Once<Mutex<Generator>> = Once::new();

/// Seeds the generator from everything there is, and says what that was. The caller warns if it is not strong ([`WARNING`]). May be
/// called again: seeds add up.
pub fn init(rng: Option<&mut VirtioRng>) -> Sources {
    let (seed, sources) = seed(rng);
    with_generator(|generator| generator.mix(seed));
    sources
}

/// Fills `buf` with random bytes.
pub fn fill(buf: &mut [u8]) {
    // Only the fork is made under the lock: one block of the cipher.
    with_generator(Generator::fork).fill(buf);
}

fn with_generator<R>(f: impl FnOnce(&mut Generator) -> R) -> R {
    without_interrupts(|| f(&mut GENERATOR.call_once(|| Mutex::new(Generator::new(seed(None).0))).lock()))
}

/// Tries of RDRAND or RDSEED before the CPU counts as broken (Intel SDM vol. 1, 7.3.17.1 asks for 10; RDSEED runs dry more easily).
const TRIES: usize = 100;
/// Samples of the cycle counter; each gives a fraction of a bit.
const SAMPLES: usize = 1024;

type Words = [u64; 4];

/// Collects 32 bytes from all sources, mixed by XOR, so that the best one counts.
fn seed(rng: Option<&mut VirtioRng>) -> ([u8; KEY_LEN], Sources) {
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
    let mut bytes = [0; KEY_LEN];
    bytes.chunks_exact_mut(8).zip(words).for_each(|(chunk, w)| chunk.copy_from_slice(&w.to_le_bytes()));
    (bytes, sources)
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
