//! Arguments as for `erl`, sorted into what `beam.smp` wants.
//!
//! On Linux the program erlexec stands between the user and the emulator. It takes the emulator's own flags (`+S 4:4`) out of the
//! line and spells them with a minus, and leaves everything else to Erlang's `init`, with a few options replaced by others. Nothing
//! executes anything here, so this function does that part, by the same rules (`erts/etc/common/erlexec.c` of OTP 27; the options
//! are those of erl(1)). Not done: the environment variables `ERL_FLAGS` & co, and what needs a file or another program
//! (`-args_file`, `-man`, `-detached`, the options that print the command and exit). `-name` and `-sname` pass, but start no
//! epmd: see [`crate::layers`].

#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Where the root file system keeps OTP.
pub const ROOT: &str = "/otp";

/// The directory ERTS takes its programs from.
pub const BINDIR: &str = "/otp/bin";

/// Flags of the JIT, which the interpreter refuses: one mapping for code.
const JIT_FLAGS: usize = 2;

/// Emulator flags that suit a machine with nothing below it: those of the JIT first, then no busy waiting for work, since more
/// virtual CPUs than host cores is a normal case. Flags of the user come later and win.
pub const EMULATOR_FLAGS: &[&str] =
    &["-JMsingle", "true", "-sbwt", "none", "-sbwtdcpu", "none", "-sbwtdio", "none", "-swt", "very_high"];

/// Has the JIT write down where the code of each function is, and give that code frame pointers, for a profiler.
const PROFILE_FLAGS: [&str; 2] = ["-JPperf", "map"];

/// No process takes fewer bytes of memory than this.
const SMALLEST_PROCESS: u64 = 2048;

/// ERTS's own default for the most processes at a time.
const MOST_PROCESSES: u64 = 1 << 20;

/// [`EMULATOR_FLAGS`] as far as the emulator of this flavour, `jit` or `emu`, takes them; and a process table without room for more
/// processes than fit in `memory` bytes. ERTS fills that table when it starts: with its default size, that is 12 MiB. The code of an
/// emulator that is to be `profiled` can be followed.
#[must_use]
pub fn emulator_flags(flavor: &str, memory: u64, profiled: bool) -> Vec<String> {
    let flags = if flavor == "jit" { EMULATOR_FLAGS } else { &EMULATOR_FLAGS[JIT_FLAGS..] };
    let processes = (memory / SMALLEST_PROCESS).min(MOST_PROCESSES);
    let profile = PROFILE_FLAGS.iter().filter(|_| profiled && flavor == "jit");
    flags.iter().chain(profile).map(|&flag| flag.into()).chain(["-P".into(), processes.to_string()]).collect()
}

/// What opens `init`'s part of the arguments.
pub const OPENING: &[&str] =
    &["--", "-root", ROOT, "-bindir", BINDIR, "-progname", "erl", "--", "-home", "/root", "--"];

/// The environment of the emulator, unless the user says otherwise.
pub const ENVIRONMENT: &[&str] = &[
    "BINDIR=/otp/bin",
    "ROOTDIR=/otp",
    "EMU=beam",
    "PROGNAME=erl",
    "HOME=/root",
    "LANG=C.UTF-8",
    "TERM=xterm",
    "PATH=/otp/bin:/bin",
    // A crash dump is a file in memory: one of a node that has run out of it could only be lost, after minutes of writing.
    "ERL_CRASH_DUMP_BYTES=8388608",
];

/// A line of `erl` arguments, sorted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ErlArgs {
    /// For the emulator: flags with a minus, and their values.
    pub emulator: Vec<String>,
    /// For `init`: everything else, in order.
    pub init: Vec<String>,
    /// What `-env NAME VALUE` sets.
    pub environment: Vec<(String, String)>,
}

/// Why a line is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErlArgsError {
    /// The option wants a value.
    MissingValue(String),
    /// There is no such emulator flag.
    Unknown(String),
    /// The option exists but can do nothing here.
    Unsupported(String),
    /// The option stands in conflict with the others; the text says how.
    Conflict(&'static str),
}

impl fmt::Display for ErlArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingValue(option) => write!(f, "{option} wants a value"),
            Self::Unknown(option) => write!(f, "{option}: there is no such emulator flag"),
            Self::Unsupported(option) => write!(f, "{option} is not possible without an operating system"),
            Self::Conflict(text) => f.write_str(text),
        }
    }
}

impl ErlArgs {
    /// Sorts the arguments a user gave.
    ///
    /// # Errors
    /// [`ErlArgsError`], with the offending option.
    pub fn parse<S: AsRef<str>>(arguments: &[S]) -> Result<Self, ErlArgsError> {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let mut parser = Parser::default();
        let rest = parser.sort(&arguments)?;
        if parser.no_epmd && !parser.proto_dist {
            return Err(ErlArgsError::Conflict("-no_epmd wants -proto_dist, too"));
        }
        match rest {
            // Skips all behind it, and ends the node when it is done.
            _ if parser.make => parser.init(&["-s", "erlang", "halt"]),
            // What erlexec does not look into stands behind two separators, the one that closes every line and its own.
            ["-extra"] => parser.init(&["--", "--"]),
            ["-extra", ..] => {
                parser.init(&["--", "--"]);
                parser.init(rest);
            }
            ["-S", script @ ..] => {
                parser.init(&["--", "--", "-noshell", "-S"]);
                // The backslash tells a separator of the script's from erlexec's.
                script.iter().for_each(|&word| parser.init(&[if word == "--" { "\\--" } else { word }]));
            }
            _ => parser.init(&["--"]),
        }
        Ok(parser.result)
    }

    /// The emulator's whole `argv`: its name, the flags baked into the image, the user's flags (which win), the arguments that
    /// open `init`'s part (`-- -root ... --`), the arguments baked in, and the user's.
    #[must_use]
    pub fn argv(self, program: &str, flags: Vec<String>, opening: &[&str], baked: &[&str]) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.into()).collect::<Vec<String>>();
        [owned(&[program]), flags, self.emulator, owned(opening), owned(baked), self.init].concat()
    }
}

/// What a word that begins with `+` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// The next word if it is one of these.
    OneOf(&'static [&'static str]),
    Refused,
}

/// Flags `+L` whose one letter wants a value; longer words with the same beginning stand alone.
const LETTERS: &[&str] = &["a", "A", "C", "e", "i", "n", "P", "Q", "t", "T", "R", "W", "K", "S"];

/// Longer flags that want a value.
const WORDS: &[&str] = &[
    "SP", "SDcpu", "SDPcpu", "SDio", "IOt", "IOp", "IOPt", "IOPp", "IOs", "pc", "pad", "rg", // one of a kind
    "sbt", "sbwt", "sbwtdcpu", "sbwtdio", "scl", "sct", "secio", "sfwi", "stbt", "swct", "swt", "swtdcpu", "swtdio",
    "sws", "sss", "sssdcpu", "sssdio", "spp", "sub", // schedulers
    "h", "hms", "hmbs", "hpds", "hmax", "hmaxk", "hmaxel", "hmaxib", "hmqd", // heaps
    "zdbbl", "zdntgc", "zebwt", "zosrl", "zhft", // the rest
    "Mea", "Mummc", "Muycs", "Musac", "Mim", "Mis", "Mlpm", "MMamcbf", "MMrmcbf", "MMmcs", "MMscs", "MMscrfsd",
    "MMsco", "MMscrpm", "MMlp", "MYe", "MYm", "MYtp", "MYtt", "MIscs", "MXscs", "Mdai", // allocators
];

/// Letters of the allocators that `+M<letter><parameter>` sets.
const ALLOCATORS: &[char] = &['u', 'B', 'I', 'D', 'E', 'F', 'H', 'L', 'R', 'S', 'T', 'Z'];

/// Parameters of one allocator.
const ALLOCATOR_PARAMETERS: &[&str] = &[
    "as", "asbcst", "atags", "acul", "acnl", "acfml", "acful", "cp", "e", "t", "lmbcs", "mbcgs", "mbsd", "mmbcs",
    "mmmbc", "mmsbc", "msbclt", "ramv", "rmbcmt", "rsbcmt", "rsbcst", "sbct", "smbcs",
];

/// What the emulator flag `word` (without its plus) takes.
fn takes(word: &str) -> Takes {
    let allocator = || {
        let mut rest = word.strip_prefix('M')?.chars();
        Some(ALLOCATORS.contains(&rest.next()?) && ALLOCATOR_PARAMETERS.contains(&rest.as_str()))
    };
    if LETTERS.contains(&word) || WORDS.contains(&word) || word.starts_with('J') || allocator().unwrap_or(false) {
        return Takes::Value;
    }
    match word.as_bytes() {
        [b'B'] => Takes::OneOf(&["i", "c", "d"]),
        [b'B', b'i' | b'c' | b'd', ..] => Takes::Nothing,
        [b'c'] => Takes::OneOf(&["true", "false"]),
        // These continue one of the known words; the emulator itself judges them.
        [b'S', b'D', rest @ ..] if [&b"cpu"[..], b"Pcpu", b"io"].iter().any(|known| rest.starts_with(known)) => {
            Takes::Nothing
        }
        [b'I', b'O', b't' | b'p' | b's', ..] | [b'I', b'O', b'P', b't' | b'p', ..] => Takes::Nothing,
        [b'B' | b'I', ..] | [b'S', b'D', ..] => Takes::Refused,
        _ => Takes::Nothing,
    }
}

#[derive(Default)]
struct Parser {
    result: ErlArgs,
    no_epmd: bool,
    proto_dist: bool,
    make: bool,
}

impl Parser {
    /// Sorts words up to one that ends the sorting (`-extra`, `-S`, `-make`), and returns what is left.
    fn sort<'a>(&mut self, arguments: &'a [&'a str]) -> Result<&'a [&'a str], ErlArgsError> {
        let mut words = arguments;
        while let [word, rest @ ..] = words {
            if matches!(*word, "-extra" | "-S") {
                return Ok(words);
            }
            let used = match word.strip_prefix('+') {
                // `++x` is no flag of the emulator's.
                Some(flag) if !flag.starts_with('+') => self.flag(flag, rest)?,
                _ => self.option(word, rest)?,
            };
            words = &rest[used..];
            if self.make {
                return Ok(&[]);
            }
        }
        Ok(words)
    }

    /// One `+flag`; returns how many of the words behind it belong to it.
    fn flag(&mut self, flag: &str, rest: &[&str]) -> Result<usize, ErlArgsError> {
        let value = match takes(flag) {
            Takes::Nothing => None,
            Takes::Value => Some(value_of(&["+", flag].concat(), rest)?),
            Takes::OneOf(words) => rest.first().copied().filter(|word| words.contains(word)),
            Takes::Refused => return Err(ErlArgsError::Unknown(["+", flag].concat())),
        };
        self.result.emulator.push(["-", flag].concat());
        self.result.emulator.extend(value.map(String::from));
        Ok(usize::from(value.is_some()))
    }

    /// One word that is no flag of the emulator's; returns how many of the words behind it belong to it.
    fn option(&mut self, word: &str, rest: &[&str]) -> Result<usize, ErlArgsError> {
        match word {
            "-noinput" => self.init(&["-noshell", "-noinput"]),
            "-version" => self.result.emulator.push("-V".into()),
            "-compile" => {
                self.init(&["-noshell", "-noinput", "-s", "c", "lc_batch"]);
                self.result.emulator.push("-B".into());
            }
            "-make" => {
                self.init(&["-noshell", "-noinput", "-s", "make", "all_or_nothing"]);
                self.result.emulator.push("-B".into());
                self.make = true;
            }
            "-configfd" => {
                if value_of(word, rest)? == "0" {
                    self.init(&["-noshell", "-noinput"]);
                }
                self.init(&[word]);
            }
            "-name" | "-sname" | "-proto_dist" => {
                self.proto_dist |= word == "-proto_dist";
                self.init(&[word, value_of(word, rest)?]);
                return Ok(1);
            }
            "-start_epmd" => {
                let value = value_of(word, rest)?;
                if !matches!(value, "true" | "false") {
                    return Err(ErlArgsError::Conflict("-start_epmd is either true or false"));
                }
                self.init(&[word, value]);
                return Ok(1);
            }
            "-no_epmd" => {
                self.no_epmd = true;
                self.init(&[word]);
            }
            "-env" => {
                let name = value_of(word, rest)?;
                self.result.environment.push((name.into(), value_of(word, &rest[1..])?.into()));
                return Ok(2);
            }
            // The program to start as epmd: none is started.
            "-epmd" => return value_of(word, rest).map(|_| 1),
            "-smp" if rest.first() == Some(&"disable") => {
                return Err(ErlArgsError::Conflict("-smp disable is gone: use +S 1"));
            }
            "-smpdisable" => return Err(ErlArgsError::Conflict("-smp disable is gone: use +S 1")),
            // Print the command that would be executed; here the boot log shows it.
            "-emu_args" => {}
            "-args_file" | "-detached" | "-man" | "-emu_args_exit" | "-emu_name_exit" | "-emu_qouted_cmd_exit" => {
                return Err(ErlArgsError::Unsupported(word.into()));
            }
            _ => self.init(&[word]),
        }
        Ok(0)
    }

    fn init(&mut self, words: &[&str]) {
        self.result.init.extend(words.iter().map(|&word| String::from(word)));
    }
}

/// The word behind an option, which must be there and must not be the separator.
fn value_of<'a>(option: &str, rest: &[&'a str]) -> Result<&'a str, ErlArgsError> {
    match rest.first() {
        None | Some(&"--") => Err(ErlArgsError::MissingValue(option.into())),
        Some(value) => Ok(value),
    }
}
