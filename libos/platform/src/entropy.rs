//! The machine's random numbers: a generator, and everything that can seed it.

use crate::clock;
use crate::virtio::rng::VirtioRng;
use bitflags::bitflags;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdrand64_step, _rdseed64_step, _rdtsc};
use core::sync::atomic::{AtomicBool, Ordering};
use spin::{Mutex, Once};
use trapless_logic::random::{Aging, KEY_LEN};
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

/// What to tell people when [`lapsed`] says yes.
pub const LAPSE: &str = "random numbers are no longer renewed: neither the CPU nor the host gives any. What was seeded before stays unguessable.";

/// The machine's generator; seeded with what the CPU has when it is first used.
static GENERATOR: Once<Mutex<Aging>> = Once::new();
/// The host's entropy device.
static HOST: Mutex<Option<VirtioRng>> = Mutex::new(None);
/// The last seed was strong.
static STRONG: AtomicBool = AtomicBool::new(false);
/// A strong seed was followed by one that is not, and nobody has been told.
static LAPSED: AtomicBool = AtomicBool::new(false);

/// Seeds the generator from everything there is, keeps the device for later seeds, and says what there was. The caller warns if it is
/// not strong ([`WARNING`]). To be called once.
pub fn init(mut rng: Option<VirtioRng>) -> Sources {
    let (seed, sources) = seed(rng.as_mut().and_then(ask));
    // The first answer to be taken later.
    rng.as_mut().and_then(VirtioRng::take);
    without_interrupts(|| *HOST.lock() = rng);
    with_generator(|generator| generator.mix(seed, clock::now_ns()));
    STRONG.store(sources.is_strong(), Ordering::Relaxed);
    sources
}

/// Fills `buf` with random bytes, after a new seed when the last one is old.
pub fn fill(buf: &mut [u8]) {
    if with_generator(|generator| generator.claim(clock::now_ns())) {
        renew();
    }
    // Only the fork is made under the lock: one block of the cipher.
    with_generator(Aging::fork).fill(buf);
}

/// Whether random numbers have stopped being renewed since this was last asked.
pub fn lapsed() -> bool {
    LAPSED.load(Ordering::Relaxed) && LAPSED.swap(false, Ordering::Relaxed)
}

fn renew() {
    // Whoever finds the device taken does without it: the one who has it seeds the same generator.
    let host = without_interrupts(|| HOST.try_lock().and_then(|mut rng| rng.as_mut()?.take()));
    let (seed, sources) = seed(host.map(words));
    with_generator(|generator| generator.mix(seed, clock::now_ns()));
    if STRONG.swap(sources.is_strong(), Ordering::Relaxed) && !sources.is_strong() {
        LAPSED.store(true, Ordering::Relaxed);
    }
}

fn with_generator<R>(f: impl FnOnce(&mut Aging) -> R) -> R {
    let first = || Mutex::new(Aging::new(seed(None).0, 0));
    without_interrupts(|| f(&mut GENERATOR.call_once(first).lock()))
}

/// Tries of RDRAND or RDSEED before the CPU counts as broken (Intel SDM vol. 1, 7.3.17.1 asks for 10; RDSEED runs dry more easily).
const TRIES: usize = 100;
/// Samples of the cycle counter; each gives a fraction of a bit.
const SAMPLES: usize = 1024;

type Words = [u64; 4];

/// Collects 32 bytes from all sources, mixed by XOR, so that the best one counts.
fn seed(host: Option<Words>) -> ([u8; KEY_LEN], Sources) {
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
    mix(host, Sources::VIRTIO);
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

/// What the host answers, waited for.
fn ask(rng: &mut VirtioRng) -> Option<Words> {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes).then(|| words(bytes))
}

fn words(bytes: [u8; 32]) -> Words {
    core::array::from_fn(|i| bytes[8 * i..][..8].iter().fold(0, |word, &byte| word << 8 | u64::from(byte)))
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
