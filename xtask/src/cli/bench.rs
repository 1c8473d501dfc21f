//! The options of `cargo xtask bench`. The comments here are its help.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use trapless_tests::machine::Kind;

use super::{BuildOptions, Entry, Flavor, MachineOptions};
use crate::bench::net::What;

#[derive(Args)]
pub struct BenchOptions {
    #[command(subcommand)]
    pub what: Benchmark,
}

/// What can be measured.
#[derive(Subcommand)]
pub enum Benchmark {
    /// How long a boot takes and how little it needs, beside a Linux guest with the same BEAM and files
    Boot(BootOptions),
    /// What a system call costs by each way into the library OS, beside a Linux guest and the host's Linux
    Syscalls(SyscallsOptions),
    /// What a network costs Erlang, beside a Linux guest with the same BEAM, in a network made for that (as root)
    Net(NetOptions),
    /// Which functions a boot spends its instructions in
    Profile(ProfileOptions),
}

#[derive(Args)]
pub struct ProfileOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    /// How many functions to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub most: usize,
}

#[derive(Args)]
pub struct BootOptions {
    /// Flavours of ERTS
    #[arg(long, value_enum, value_delimiter = ',', default_value = "jit")]
    pub flavor: Vec<Flavor>,
    /// Machine types of QEMU
    #[arg(long, value_name = "TYPE", value_delimiter = ',', default_value = "q35,microvm")]
    pub machine: Vec<Kind>,
    /// Numbers of virtual CPUs
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2,8")]
    pub cpus: Vec<u32>,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    pub memory: u32,
    /// How often everything is measured
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub runs: u32,
    /// Leave out the smallest memory, the idle CPU use and the parts of the image
    #[arg(long)]
    pub no_footprint: bool,
    /// Measure this image instead of building one
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
}

#[derive(Args)]
pub struct SyscallsOptions {
    /// A first look, in minutes: fewer rounds, shorter samples, nothing counted but the C program; not enough to conclude much from
    #[arg(long)]
    pub quick: bool,
    /// Go on with an interrupted run of the same images, with its options
    #[arg(long, conflicts_with_all = ["quick", "rounds", "seed", "entry", "machine", "memory", "report_only"])]
    pub resume: bool,
    /// How often every system is booted and measured [default: 10, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// Decides the order in which everything is measured [default: the time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Ways into the library OS; the first is what the others are compared with [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub entry: Vec<Entry>,
    /// QEMU's machine type
    #[arg(long, value_name = "TYPE", default_value = "q35")]
    pub machine: Kind,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    pub memory: u32,
    /// Say on the page how far this agrees with an earlier run, of which this is the overhead.json
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Measure nothing, and write the pages from what there is: an interrupted run, or overhead.json
    #[arg(long)]
    pub report_only: bool,
}

#[derive(Args)]
pub struct NetOptions {
    /// A first look, in minutes: fewer rounds, shorter loads, fewer connections; not enough to conclude from
    #[arg(long)]
    pub quick: bool,
    /// Go on with an interrupted run of the same image, with its options
    #[arg(long, conflicts_with_all = ["quick", "rounds", "seed", "cpus", "only", "idle", "machine", "memory", "report_only"])]
    pub resume: bool,
    /// How often everything is measured; fewer than 6 allow no conclusion [default: 6, with --quick 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// Decides the order in which everything is measured [default: the time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Numbers of virtual CPUs; what is not traffic is measured on the first only
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "2", value_parser = clap::value_parser!(u32).range(1..=255))]
    pub cpus: Vec<u32>,
    /// Only these kinds of measurements [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<What>,
    /// How many connections are opened to be idle [default: 10000, with --quick 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub idle: Option<u32>,
    /// QEMU's machine type
    #[arg(long, value_name = "TYPE", default_value = "q35")]
    pub machine: Kind,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub memory: u32,
    /// Measure nothing, and write the pages from what there is: an interrupted run, or net.json
    #[arg(long)]
    pub report_only: bool,
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use clap::Parser;

    #[test]
    fn a_resumed_run_keeps_its_options() {
        let parse = |what: &str, words: &[&str]| {
            Cli::try_parse_from([&["xtask", "bench", what, "--resume"], words].concat()).is_ok()
        };
        for what in ["syscalls", "net"] {
            assert!(parse(what, &[]));
            for other in [&["--quick"][..], &["--rounds", "3"], &["--machine", "pc"], &["--memory", "512"]] {
                assert!(!parse(what, other), "{what} {other:?}");
            }
        }
    }
}
