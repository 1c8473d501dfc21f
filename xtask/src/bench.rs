//! Measures, and writes down what came out; `bench/README.md` says what is compared with what.

mod boot;
mod counter;
mod footprint;
mod http;
mod interval;
mod journal;
mod linux;
pub mod net;
mod order;
mod page;
mod profile;
mod report;
mod stats;
mod syscalls;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use sources::{Console, host::Task};
use trapless_tests::{
    machine::{Kind, Machine},
    repository,
};

use crate::{
    build,
    cli::{BenchOptions, Benchmark, BootOptions, BuildOptions, Entry, Flavor, name},
    run, setup,
};

use boot::{Configuration, Pair};

/// One flavour of ERTS, ready to boot on both systems.
struct Contender {
    flavor: Flavor,
    image: PathBuf,
    guest: linux::Guest,
}

/// Performs the benchmark that was asked for.
///
/// # Errors
/// Something cannot be built, or a boot fails.
pub fn bench(options: &BenchOptions) -> Result<u8> {
    match &options.what {
        Benchmark::Boot(options) => measure_boot(options)?,
        Benchmark::Syscalls(options) => syscalls::measure(options)?,
        Benchmark::Net(options) => net::measure(options)?,
        Benchmark::Profile(options) => {
            setup::prepare(Task::Test)?;
            let image = build::build(&options.build)?;
            // The counts come from the software emulation.
            let machine = Machine { accelerator: "tcg", ..run::machine(&options.machine, &image) };
            profile::profile(&machine, options.most)?;
        }
    }
    Ok(0)
}

fn measure_boot(options: &BootOptions) -> Result<()> {
    setup::prepare(Task::Test)?;
    let folder = repository().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let kernel = linux::kernel()?;
    let mut contenders = Vec::new();
    // The JIT comes last, so that image.elf in the root folder is the default one.
    for flavor in [Flavor::Emu, Flavor::Jit].into_iter().filter(|flavor| options.flavor.contains(flavor)) {
        contenders.push(contender(options, flavor, &folder, &kernel)?);
    }
    contenders.reverse();

    let mut pairs = Vec::new();
    for contender in &contenders {
        for &kind in &options.machine {
            for &cpus in &options.cpus {
                let configuration = Configuration { flavor: contender.flavor, kind, cpus };
                pairs.push(Pair::new(configuration, machines(contender, kind, cpus, options.memory)));
            }
        }
    }
    // A round measures everything once: what the host does meanwhile falls on all alike.
    for round in 1..=options.runs {
        for pair in &mut pairs {
            pair.measure().with_context(|| pair.configuration.to_string())?;
            eprintln!("round {round} of {}: {}", options.runs, pair.latest());
        }
    }
    let footprint = match contenders.first() {
        Some(contender) if !options.no_footprint => Some(footprint::measure(&contender.image)?),
        _ => None,
    };
    let page = report::write(&repository().join("docs/generated"), &kernel.version, &pairs, footprint.as_ref())?;
    println!("{}", page.display());
    Ok(())
}

fn contender(options: &BootOptions, flavor: Flavor, folder: &Path, kernel: &linux::Kernel) -> Result<Contender> {
    let built = match &options.image {
        Some(image) => image.clone(),
        None => {
            build::build(&BuildOptions { flavor, entry: Entry::Direct, app: None, nif: Vec::new(), debug: false })?;
            // What is given away, without line tables; not what cargo links.
            repository().join("image.elf")
        }
    };
    // Cargo has one place for all flavours.
    let image = folder.join(format!("image-{}.elf", name(flavor)));
    fs::copy(&built, &image).with_context(|| format!("cannot copy {}", built.display()))?;
    let erts = erts_recipe::build(build::recipe_flavor(flavor), &Console).context("OTP could not be built")?;
    let guest = linux::Guest::make(kernel, &erts, &image, folder, options.memory, &linux::Additions::default())?;
    Ok(Contender { flavor, image, guest })
}

/// The machine of the image, and that of the Linux guest.
fn machines(contender: &Contender, kind: Kind, cpus: u32, memory: u32) -> (Machine, Machine) {
    let image = Machine { kind, cpus, memory, ..Machine::new(&contender.image) };
    let linux = Machine {
        image: contender.guest.kernel.clone(),
        extra: vec!["-initrd".into(), contender.guest.initramfs.to_string_lossy().into_owned()],
        ..image.clone()
    };
    (image, linux)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The commit that is measured, marked when the tree differs from it; empty where there is no git.
fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(repository()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
