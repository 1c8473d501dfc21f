//! What a sentinel thread puts into the registers, and what it finds there afterwards.

use crate::percpu;
use core::sync::atomic::Ordering;

/// Words of canary below the stack pointer; the red zone is the upper 16 of them.
pub const CANARY_WORDS: usize = 512;
/// Words of the stack that flags are pushed to: as deep, so that a frame that lands there spoils nothing else.
pub const SCRATCH_WORDS: usize = 512;
/// Words above the stack pointer that stand for the interrupted code's live stack.
const LIVE_WORDS: usize = 16;

/// General registers in the order of the arrays below. RSP is the block's own; RCX counts turns.
pub const GPRS: [&str; 14] =
    ["rax", "rbx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/// An FXSAVE image (Intel SDM vol. 1, table 10-2).
#[repr(C, align(16))]
#[derive(Clone, Copy)]
pub struct Fxsave(pub [u8; 512]);

/// A set of register values.
#[repr(C, align(64))]
pub struct Values {
    /// Vector registers: 16 of 32 bytes.
    pub ymm: [[u64; 4]; 16],
    /// x87 registers, control words, MXCSR, lower vector registers.
    pub fx: Fxsave,
    /// General registers.
    pub gpr: [u64; GPRS.len()],
    /// RFLAGS.
    pub rflags: u64,
}

impl Values {
    const fn zero() -> Self {
        Self { ymm: [[0; 4]; 16], fx: Fxsave([0; 512]), gpr: [0; GPRS.len()], rflags: 0 }
    }
}

/// A thread's test data. While the registers are loaded, RSP points at `live`.
#[repr(C, align(64))]
pub struct Block {
    /// A stack to push flags to.
    pub scratch: [u64; SCRATCH_WORDS],
    /// Below the stack pointer.
    pub canary: [u64; CANARY_WORDS],
    /// At and above it.
    pub live: [u64; LIVE_WORDS],
    /// What is loaded.
    pub put: Values,
    /// What is found.
    pub got: Values,
    /// Turns to spin, for RCX.
    pub turns: u64,
    /// The caller's stack pointer.
    pub rsp: u64,
    /// Whether the upper halves of the vector registers exist.
    pub avx: u64,
    seed: u64,
}

/// RFLAGS that are randomised: CF, PF, AF, ZF, SF, DF, OF.
const FLAGS: u64 = 0xcd5;
/// IF and the bit that is always 1.
const FLAGS_SET: u64 = 0x202;
/// MXCSR: status flags, DAZ, rounding, FTZ at random; all exceptions masked.
const MXCSR_RANDOM: u32 = 0xe07f;
const MXCSR_MASKS: u32 = 0x1f80;
/// x87 control word: precision and rounding at random, all exceptions masked.
const CW_RANDOM: u16 = 0x0f00;
const CW_MASKS: u16 = 0x7f;
/// Exponent in the middle of the x87 range, explicit integer bit: an ordinary number, whatever the fraction.
const X87_EXPONENT: u16 = 0x3fff;
const X87_INTEGER: u64 = 1 << 63;

impl Block {
    /// A block without values.
    pub fn new() -> Self {
        Self {
            scratch: [0; SCRATCH_WORDS],
            canary: [0; CANARY_WORDS],
            live: [0; LIVE_WORDS],
            put: Values::zero(),
            got: Values::zero(),
            turns: 0,
            rsp: 0,
            avx: percpu::this().has_avx.load(Ordering::Relaxed).into(),
            seed: 0,
        }
    }

    /// Chooses new values.
    pub fn fill(&mut self, random: &mut Random, turns: u64) {
        self.turns = turns;
        self.seed = random.next();
        let seed = self.seed;
        self.canary.iter_mut().enumerate().for_each(|(i, word)| *word = canary(seed, i));
        self.live.iter_mut().enumerate().for_each(|(i, word)| *word = canary(!seed, i));
        self.put.gpr.fill_with(|| random.next());
        self.put.ymm.as_flattened_mut().fill_with(|| random.next());
        self.put.rflags = (random.next() & FLAGS) | FLAGS_SET;
        let fx = &mut self.put.fx.0;
        let mut put = |at: usize, bytes: &[u8]| fx[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &((random.next() as u16 & CW_RANDOM) | CW_MASKS).to_le_bytes());
        // Status: top of stack 0; tags: all eight registers hold numbers.
        put(2, &[0, 0, 0xff, 0]);
        put(24, &((random.next() as u32 & MXCSR_RANDOM) | MXCSR_MASKS).to_le_bytes());
        for i in 0..8 {
            put(32 + 16 * i, &(random.next() | X87_INTEGER).to_le_bytes());
            put(40 + 16 * i, &(X87_EXPONENT ^ (random.next() as u16 & 0x83ff)).to_le_bytes());
        }
        for (i, ymm) in self.put.ymm.iter().enumerate() {
            put(160 + 16 * i, &ymm[0].to_le_bytes());
            put(168 + 16 * i, &ymm[1].to_le_bytes());
        }
    }

    /// The FS base of this round: any canonical address will do.
    pub fn fs_base(&self) -> u64 {
        self.seed >> 17
    }

    /// The first difference between what was loaded and what was found: where, expected, found.
    pub fn difference(&self, fs_base: u64) -> Option<(&'static str, u64, u64)> {
        let seed = self.seed;
        let differs = |name: &'static str, want: u64, got: u64| (want != got).then_some((name, want, got));
        let words = |words: &[u64], seed: u64, name: &'static str| {
            words.iter().enumerate().find_map(|(i, &got)| differs(name, canary(seed, i), got))
        };
        let red_zone = CANARY_WORDS - 16;
        let lower = self.canary[..red_zone]
            .iter()
            .enumerate()
            .find_map(|(i, &got)| differs("below the red zone", canary(seed, i), got));
        let upper = self.canary[red_zone..]
            .iter()
            .enumerate()
            .find_map(|(i, &got)| differs("red zone", canary(seed, red_zone + i), got));
        upper
            .or(lower)
            .or_else(|| words(&self.live, !seed, "live stack"))
            .or_else(|| differs("fs base", self.fs_base(), fs_base))
            .or_else(|| differs("rflags", self.put.rflags, self.got.rflags))
            .or_else(|| {
                let values = self.put.gpr.iter().zip(&self.got.gpr);
                GPRS.iter().zip(values).find_map(|(name, (&want, &got))| differs(name, want, got))
            })
            .or_else(|| self.fx_difference())
            .or_else(|| {
                let both = self.put.ymm.as_flattened().iter().zip(self.got.ymm.as_flattened());
                both.filter(|_| self.avx != 0).find_map(|(&want, &got)| differs("ymm", want, got))
            })
    }

    fn fx_difference(&self) -> Option<(&'static str, u64, u64)> {
        let word = |from: &Fxsave, at: usize, len: usize| {
            let mut bytes = [0; 8];
            bytes[..len].copy_from_slice(&from.0[at..at + len]);
            u64::from_le_bytes(bytes)
        };
        let field = |name: &'static str, at: usize, len: usize| {
            let (want, got) = (word(&self.put.fx, at, len), word(&self.got.fx, at, len));
            (want != got).then_some((name, want, got))
        };
        field("x87 control word", 0, 2)
            .or_else(|| field("x87 status and tags", 2, 3))
            .or_else(|| field("mxcsr", 24, 4))
            .or_else(|| {
                (0..8).find_map(|i| {
                    field("x87 register", 32 + 16 * i, 8).or_else(|| field("x87 register", 40 + 16 * i, 2))
                })
            })
            .or_else(|| (0..32).find_map(|i| field("xmm", 160 + 8 * i, 8)))
    }
}

/// Word `i` of the canary with seed `seed`: all different, so that moved words show as well.
fn canary(seed: u64, i: usize) -> u64 {
    seed ^ (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// xorshift64*: fast and good enough for test values.
pub struct Random(u64);

impl Random {
    /// A generator; any seed will do.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
