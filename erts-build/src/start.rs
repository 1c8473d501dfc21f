//! How the emulator's `main` is called when there is no erlexec in front of it.
//!
//! On Linux `erl` is a shell script that runs erlexec, which sorts the arguments, sets the environment and executes
//! `beam.smp`. In the image nobody does that, so the libos calls `main` with what erlexec would have made:
//!
//! ```text
//! beam.smp EMULATOR-FLAGS -- -root ROOT -bindir BINDIR -progname erl -- -home HOME -- ARGUMENTS
//! ```
//!
//! `EMULATOR-FLAGS` are [`EMULATOR_FLAGS`] and what the user gave as `+X value`, spelled `-X value`. `ARGUMENTS` are all his
//! others, in order. `trapless_logic::erl_args` does the sorting. The three places between the `--` must be given: `init` and
//! `code_server` read them. `BINDIR` must be in the environment and absolute, or the emulator refuses to start.

/// Name of the program, `argv[0]`.
pub const PROGRAM: &str = "beam.smp";

/// Root of the installation as Erlang sees it (`code:root_dir/0`).
pub const ROOT: &str = "/otp";

/// Where Erlang believes its programs are. None are: port programs are answered by the libos.
pub const BINDIR: &str = "/otp/bin";

/// Where the emulator looks for `.erlang` and the cookie.
pub const HOME: &str = "/";

/// What follows the emulator's flags, up to the user's arguments.
pub const INIT_ARGUMENTS: &[&str] =
    &["--", "-root", ROOT, "-bindir", BINDIR, "-progname", "erl", "--", "-home", HOME, "--"];

/// Environment of the emulator.
pub const ENVIRONMENT: &[&str] =
    &["BINDIR=/otp/bin", "ROOTDIR=/otp", "EMU=beam", "PROGNAME=erl", "HOME=/", "LANG=C.UTF-8"];

/// Flags baked into the image; they come first, so that the user's override them.
///
/// - `-JMsingle true`: JIT code lives in one read-write-execute mapping. The default maps a memfd twice, which buys nothing
///   where the emulator shares its privilege level with everything else, and costs page tables.
/// - `-sbwt none` and its two siblings: schedulers go to sleep at once when they run dry. Busy waiting burns the host's CPU,
///   and with more virtual CPUs than cores it takes the time from the scheduler that has work.
pub const EMULATOR_FLAGS: &[&str] = &["-JMsingle", "true", "-sbwt", "none", "-sbwtdcpu", "none", "-sbwtdio", "none"];
