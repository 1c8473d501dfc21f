//! The command line of `cargo xtask`. The comments here are its help.

mod bench;

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};
use trapless_tests::machine::{Forward, Kind};

pub use bench::{BenchOptions, Benchmark, BootOptions, NetOptions, SyscallsOptions};

/// Trapless: Erlang/OTP and a Rust library OS as one bootable ELF.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Build the image and boot it here, console on this terminal (Ctrl-a x ends it)
    Run(RunOptions),
    /// Run all tests: host, models, and the image in QEMU
    Test(TestOptions),
    /// Build the image and print where it is
    Build(BuildOptions),
    /// Make an image of somebody's release, or of the files of a server
    Image(ImageOptions),
    /// Boot the image stopped, with gdb attached
    Gdb(RunOptions),
    /// Name the functions in what a machine printed when it died or was asked what it does
    Symbols(SymbolsOptions),
    /// Name the functions in a profile that a machine made, and add it up
    Profile(ProfileOptions),
    /// Boot the image again and again, and stop at the first boot that does not serve
    Soak(SoakOptions),
    /// Have what comes by the network changed at random, and see that nothing breaks
    Fuzz(FuzzOptions),
    /// Run suites of OTP's own tests, or of Elixir's, in the image and on Linux, and write down how they differ
    Suites(SuitesOptions),
    /// Write the pages of docs/ that are made from the sources
    Docs(DocsOptions),
    /// Measure, beside Linux, and write down what came out
    Bench(BenchOptions),
    /// Install what building, running and testing need on this machine
    Setup,
    /// What is checked before a change is taken: format, lints, all tests
    Ci,
    /// Show the pinned source packages, or move them to newer ones
    Sources(SourcesOptions),
}

/// How the image is built.
#[derive(Args, Clone)]
pub struct BuildOptions {
    /// Which ERTS: with the JIT compiler, or the interpreter
    #[arg(long, value_enum, default_value_t = Flavor::Jit)]
    pub flavor: Flavor,
    /// How musl enters the library OS
    #[arg(long, value_enum, default_value_t = Entry::Direct)]
    pub entry: Entry,
    /// Put your own code in: a folder with modules (.erl, .beam), an application, or several applications
    #[arg(long, value_name = "DIR")]
    pub app: Option<PathBuf>,
    /// Compile an application's NIFs or drivers (C, C++) and put them in, in the place of its own shared libraries (may be given several
    /// times)
    #[arg(long, value_name = "[APP=]DIR")]
    pub nif: Vec<String>,
    /// Build with checks (debug assertions, overflow)
    #[arg(long)]
    pub debug: bool,
}

/// Whose release goes in, or whose files.
#[derive(Args, Clone, Default)]

pub struct ReleaseOptions {
    /// Put a release in, and start it: a folder as `rebar3 release`, `mix release`, systools or reltool lay it out, or a .tar.gz of one
    #[arg(long, value_name = "DIR", group = "whose")]
    pub release: Option<PathBuf>,
    /// Lay files over the image, each at its own path, with what their .app files name of OTP: a folder, or a Debian package (may be
    /// given several times)
    #[arg(long, value_name = "DIR|DEB", group = "whose", conflicts_with_all = ["release", "allow_native"])]
    pub files: Vec<PathBuf>,
    /// Put an application of OTP in, with what it needs, that no .app file among the files names (may be given several times)
    #[arg(long, value_name = "APPLICATION", requires = "files", conflicts_with = "release")]
    pub otp: Vec<String>,
    /// A variable of the program's environment (may be given several times)
    #[arg(long, value_name = "NAME=VALUE", requires = "whose")]
    pub env: Vec<String>,
    /// Arguments as for erl, behind those of a release's vm.args
    #[arg(long, value_name = "ARGS", default_value = "", requires = "whose", allow_hyphen_values = true)]
    pub args: String,
    /// Start with a shell
    #[arg(long, requires = "whose")]
    pub shell: bool,
    /// Take debug information and documentation out of the modules (this is the default)
    #[arg(long, overrides_with = "no_strip", requires = "whose")]
    pub strip: bool,
    /// Put the modules in as they are
    #[arg(long, requires = "whose")]
    pub no_strip: bool,
    /// Leave shared libraries out that the image cannot load, instead of refusing the release
    #[arg(long, requires = "release")]
    pub allow_native: bool,
}

#[derive(Args)]
pub struct ImageOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    #[command(flatten)]
    pub whose: ReleaseOptions,
    /// Where to put the image [default: NAME-VERSION.elf of the release, or NAME.elf of the first files, in this folder]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What the image boots on.
#[derive(Args, Clone)]
pub struct MachineOptions {
    /// Virtual CPUs
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=255))]
    pub cpus: u32,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    pub memory: u32,
    /// QEMU's machine type: q35, pc or microvm
    #[arg(long, value_name = "TYPE", default_value = "q35")]
    pub machine: Kind,
    /// QEMU's CPU model ("default" leaves the choice to QEMU)
    #[arg(long, value_name = "MODEL", default_value = "max")]
    pub cpu: String,
    /// Hardware virtualisation; auto takes it where it is seen to work
    #[arg(long, value_enum, default_value_t = Accel::Auto)]
    pub accel: Accel,
    /// Settings of the image, key=value
    #[arg(long, value_name = "SETTINGS", default_value = "", allow_hyphen_values = true)]
    pub append: String,
    /// Do without a network card
    #[arg(long)]
    pub no_net: bool,
    /// Write the packets of the network card to a file
    #[arg(long, value_name = "FILE", conflicts_with = "no_net")]
    pub pcap: Option<PathBuf>,
    /// Further arguments for QEMU, split at blanks (may be given several times)
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub qemu: Vec<String>,
}

#[derive(Args)]
pub struct RunOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    #[command(flatten)]
    pub whose: ReleaseOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    /// Lead a port of this machine's loopback address into the image (udp:HOST:GUEST for UDP; may be given several times)
    #[arg(long, value_name = "HOST:GUEST", default_value = "5555:5555", conflicts_with = "no_net")]
    pub forward: Vec<Forward>,
    /// Arguments as for erl, instead of the echo server: `cargo xtask run -- -s mymodule`
    #[arg(last = true, value_name = "ERL ARGUMENTS")]
    pub erl: Vec<String>,
}

#[derive(Args)]
pub struct TestOptions {
    /// Only tests whose name contains one of these
    pub filter: Vec<String>,
    /// Only this part of the tests
    #[arg(long, value_enum)]
    pub only: Option<Part>,
    /// How musl enters the library OS in the images that are tested: one way, or all
    #[arg(long, value_name = "ENTRY", default_value = "direct")]
    pub entry: Entries,
}

#[derive(Args)]
pub struct SymbolsOptions {
    /// The text; standard input if it is not given
    pub file: Option<PathBuf>,
    /// The image that printed it, if that is not image.elf
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
}

#[derive(Args)]
pub struct ProfileOptions {
    /// The profile, or a console's log with one; standard input if it is not given
    pub file: Option<PathBuf>,
    /// The image that made it, if that is not image.elf
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
}

#[derive(Args)]
pub struct SoakOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    /// How often to boot
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub boots: u32,
}

#[derive(Args)]
pub struct FuzzOptions {
    /// How long
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub minutes: u64,
    /// The seed of the first round [default: made from the time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

// Suites run side by side with nothing, and some fill a gigabyte.
#[derive(Args)]
#[command(mut_arg("cpus", |arg| arg.default_value("2")), mut_arg("memory", |arg| arg.default_value("2048")))]
pub struct SuitesOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    /// Leave a suite after so long on each side; --resume goes on there
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub minutes: u32,
    /// Give up on a case that has run for so long, and go on without it
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub case_minutes: u32,
    /// Go on with what has no result from an earlier run
    #[arg(long)]
    pub resume: bool,
    /// Run again what passed on Linux only, and go on with what has no result
    #[arg(long, conflicts_with = "resume")]
    pub again: bool,
    /// Run on this side only, and leave the results of the other as they are
    #[arg(long, value_enum, value_name = "SIDE")]
    pub on: Option<OneSide>,
    /// Run only a part of the suites: 1/3 is the first of three such parts
    #[arg(long, value_name = "N/OF")]
    pub shard: Option<Shard>,
    /// Leave the pages as they are, and end with status 1 if a case passes on Linux only and no reason is known
    #[arg(long, conflicts_with = "again")]
    pub check: bool,
    /// What to run: stdlib:lists_SUITE, elixir:enum_test; all suites of an application, such as crypto; all, for those of thirteen applications
    /// of OTP; elixir, for a selection of Elixir's; a small selection of OTP's when nothing is named
    #[arg(value_name = "APPLICATION[:SUITE]")]
    pub suites: Vec<String>,
}

/// One of the sides that suites are run on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum OneSide {
    /// This host
    Linux,
    /// The image in QEMU
    Image,
}

/// One part of several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Counted from 1.
    pub number: usize,
    pub of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        let part = numbers.filter(|(number, of)| (1..=*of).contains(number));
        part.map(|(number, of)| Self { number, of }).ok_or_else(|| format!("{text:?} is not N/OF, such as 1/3"))
    }
}

#[derive(Args)]
pub struct DocsOptions {
    /// Build the image and watch it first, to see what ERTS uses
    #[arg(long)]
    pub record: bool,
}

#[derive(Args)]
pub struct SourcesOptions {
    /// Move the pins to the newest revisions of the archive, and show what changed
    #[arg(long)]
    pub update: bool,
}

/// A part of the tests.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Tests that need no machine
    Host,
    /// Every interleaving of the waiting and waking code (loom)
    Models,
    /// The image in QEMU
    Image,
}

/// A flavour of ERTS.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Flavor {
    /// BeamAsm, the just-in-time compiler
    Jit,
    /// The interpreter: slower, boots faster
    Emu,
}

/// A way from musl into the library OS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Entry {
    /// A function call
    Direct,
    /// The syscall instruction, in ring 0
    Trap0,
    /// The syscall instruction, from ring 3
    Trap,
}

/// One way from musl into the library OS, or all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entries(pub Vec<Entry>);

impl FromStr for Entries {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(Entry::value_variants().to_vec()));
        }
        let names = || Entry::value_variants().iter().map(|&entry| name(entry)).collect::<Vec<_>>().join(", ");
        Entry::from_str(text, false).map(|one| Self(vec![one])).map_err(|_| format!("it takes {} or all", names()))
    }
}

/// An accelerator of QEMU.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// KVM where it works, else TCG
    Auto,
    /// The host's virtualisation
    Kvm,
    /// Software: works everywhere
    Tcg,
}

/// The name by which a value is written on a command line.
pub fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn run(arguments: &[&str]) -> RunOptions {
        match Cli::try_parse_from([&["xtask", "run"], arguments].concat()).unwrap().command {
            Command::Run(options) => options,
            _ => unreachable!("the sub-command is run"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_behind_the_dashes_are_for_erl() {
        let options = run(&["--cpus", "2", "--", "-noshell", "-s", "x"]);
        assert_eq!(options.erl, ["-noshell", "-s", "x"]);
        assert_eq!(options.machine.cpus, 2);
    }

    #[test]
    fn what_begins_with_a_dash_can_be_appended() {
        assert_eq!(run(&["--append", "-- -noshell"]).machine.append, "-- -noshell");
        assert_eq!(run(&["--qemu", "-d int"]).machine.qemu, ["-d int"]);
    }

    #[test]
    fn all_entries_can_be_tested_or_one() {
        let entries = |text: &str| text.parse::<Entries>().map(|entries| entries.0);
        assert_eq!(entries("trap0"), Ok(vec![Entry::Trap0]));
        assert!(entries("all").is_ok_and(|all| all.len() > 1 && all[0] == Entry::Direct));
        assert!(entries("al").is_err_and(|why| why.contains("direct, trap0")));
    }

    #[test]
    fn suites_have_a_machine_of_their_own_size_and_can_be_shared_out() {
        let suites = |arguments: &[&str]| match Cli::try_parse_from([&["xtask", "suites"], arguments].concat())?.command
        {
            Command::Suites(options) => Ok::<_, clap::Error>(options),
            _ => unreachable!("the sub-command is suites"),
        };
        let options = suites(&["--shard", "2/3", "--on", "image", "crypto"]).unwrap();
        assert_eq!((options.machine.cpus, options.machine.memory), (2, 2048));
        assert_eq!((options.shard, options.on), (Some(Shard { number: 2, of: 3 }), Some(OneSide::Image)));
        assert_eq!(suites(&["--memory", "4096"]).unwrap().machine.memory, 4096);
        assert_eq!(run(&[]).machine.memory, 512);
        for wrong in ["0/3", "4/3", "1", "a/b"] {
            assert!(suites(&["--shard", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn checks_can_be_had() {
        assert!(!run(&[]).build.debug);
        assert!(run(&["--debug"]).build.debug);
        assert!(Cli::try_parse_from(["xtask", "run", "--cpus", "0"]).is_err());
    }

    #[test]
    fn native_code_is_of_several_applications() {
        assert_eq!(run(&["--nif", "deps/jiffy", "--nif", "x=y"]).build.nif, ["deps/jiffy", "x=y"]);
    }

    #[test]
    fn what_is_added_to_a_release_wants_one() {
        let options = run(&["--release", "rel", "--env", "A=1", "--env", "B=2", "--args", "-x y", "--no-strip"]).whose;
        assert_eq!(options.env, ["A=1", "B=2"]);
        assert_eq!((options.args.as_str(), options.no_strip, options.shell), ("-x y", true, false));
        assert!(Cli::try_parse_from(["xtask", "run", "--env", "A=1"]).is_err());
        assert!(Cli::try_parse_from(["xtask", "image", "--release"]).is_err());
        assert!(!run(&["--release", "rel", "--no-strip", "--strip"]).whose.no_strip);
    }

    #[test]
    fn files_take_the_place_of_a_release() {
        let options =
            run(&["--files", "a.deb", "--files", "etc", "--otp", "ssl", "--env", "A=1", "--args", "-s a"]).whose;
        assert_eq!((options.files.len(), options.otp.len(), options.args.as_str()), (2, 1, "-s a"));
        for wrong in [
            &["--files", "a", "--release", "b"][..],
            &["--release", "a", "--otp", "ssl"],
            &["--files", "a", "--allow-native"],
            &["--args", "-x"],
        ] {
            assert!(Cli::try_parse_from([&["xtask", "run"], wrong].concat()).is_err(), "{wrong:?}");
        }
    }
}
