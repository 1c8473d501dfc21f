//! The Linux guest: Debian's cloud kernel, and an initramfs with the same BEAM and the same files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use erts_recipe::{Erts, Flavor};
use rootfs_recipe::{
    newc,
    tree::{Tree, list},
};
use sources::{Console, Progress, cache};
use trapless_logic::erl_args::{ENVIRONMENT, ErlArgs, OPENING, emulator_flags};
use trapless_tests::repository;

use super::boot::FIRST_LINE;
use crate::{build, setup};

/// What the package `rootfs` tells the image; that package itself can only be had by building the archive.
#[path = "../../../rootfs/src/arguments.rs"]
mod start;

/// The package whose dependency is the newest cloud kernel.
const META_PACKAGE: &str = "linux-image-cloud-amd64";
/// The modules that the network card needs, on PCI and on microvm's memory-mapped bus, in order of dependence.
const MODULES: [&str; 9] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_mmio",
    "failover",
    "net_failover",
    "virtio_net",
];
/// Erlang's first line: no blank and no quote in it, so that both command lines take it as it is.
pub const HELLO: &str = "io:put_chars(atom_to_list(hello_from_erlang)),io:nl().";

/// An unpacked kernel package.
pub struct Kernel {
    /// The package with its version, for the report.
    pub version: String,
    folder: PathBuf,
}

/// What an initramfs holds besides Erlang with its usual starts.
#[derive(Default)]
pub struct Additions {
    /// Programs, by their name in the root folder.
    pub programs: Vec<(String, PathBuf)>,
    /// Arguments by the name that [`command_line`] takes; the first is the name of the program.
    pub starts: Vec<(String, Vec<String>)>,
}

/// What QEMU boots.
pub struct Guest {
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
}

/// The kernel command line that runs the arguments under this name.
///
/// Under software emulation the guest's time stamp counter is the host's. Linux is told its rate, for on a busy host it fails to measure it
/// and may then not come up at all.
pub fn command_line(start: &str) -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    command_line_at(start, counter_rate(&cpus))
}

/// [`command_line`] for a time stamp counter of this rate in kHz.
pub fn command_line_at(start: &str, rate: Option<u64>) -> String {
    let rate = rate.map(|khz| format!(" tsc_early_khz={khz}")).unwrap_or_default();
    format!("console=ttyS0 quiet panic=-1{rate} rdinit=/init start={start}")
}

/// The rate of the host's time stamp counter in kHz: on x86, half of what Linux calls BogoMIPS is that rate in MHz.
fn counter_rate(cpuinfo: &str) -> Option<u64> {
    let line = cpuinfo.lines().find(|line| line.starts_with("bogomips"))?;
    let (mips, hundredths) = line.split_once(':')?.1.trim().split_once('.')?;
    Some((mips.parse::<u64>().ok()? * 1000 + hundredths.parse::<u64>().ok()? * 10) / 2)
}

/// The newest cloud kernel of the host's release, from the cache or through apt, which checks the archive's signature.
pub fn kernel() -> Result<Kernel> {
    let root = cache::root()?.join("linux-guest");
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    let _guard = cache::guard("linux-guest", &Console)?;
    let package = match newest(&root)? {
        Some(package) => package,
        None => download(&root, &package_name()?)?,
    };
    let version = package.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = root.join(&version);
    if !folder.exists() {
        let unpacking = cache::temporary_name(&folder);
        let status = Command::new("dpkg-deb").arg("-x").args([&package, &unpacking]).status();
        ensure!(status.context("cannot run dpkg-deb")?.success(), "{} cannot be unpacked", package.display());
        fs::rename(&unpacking, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(Kernel { version, folder })
}

fn newest(root: &Path) -> Result<Option<PathBuf>> {
    Ok(list(root)?.into_iter().rfind(|path| path.extension().is_some_and(|ending| ending == "deb")))
}

fn package_name() -> Result<String> {
    let output = Command::new("apt-cache").args(["depends", META_PACKAGE]).env("LC_ALL", "C.UTF-8").output();
    let output = output.context("cannot run apt-cache: the kernel of the Linux guest comes from Debian's archive")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let name = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    name.map(str::to_owned).with_context(|| format!("apt does not know {META_PACKAGE}; try apt-get update"))
}

fn download(root: &Path, name: &str) -> Result<PathBuf> {
    Console.step(&format!("fetching {name} for the Linux guest"));
    let fetch = || {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-o", "APT::Sandbox::User=root", "download", name]).current_dir(root);
        command.status().is_ok_and(|status| status.success())
    };
    if !fetch() {
        setup::update_index()?;
        ensure!(fetch(), "apt-get cannot fetch {name}; its message is above");
    }
    newest(root)?.with_context(|| format!("apt-get left no package in {}", root.display()))
}

impl Guest {
    /// Makes the initramfs of one flavour of ERTS for machines of `memory` MiB: the archive that is inside the image, and behind it
    /// what Linux needs.
    pub fn make(
        kernel: &Kernel,
        erts: &Erts,
        image: &Path,
        folder: &Path,
        memory: u32,
        more: &Additions,
    ) -> Result<Self> {
        let mut tree = Tree::default();
        tree.add_file("beam.smp", read(&erts.beam_linux)?)?;
        tree.add_file("init", init(erts, folder)?)?;
        let mut loaded = String::new();
        for module in MODULES {
            let path = find(&kernel.folder.join("lib/modules"), &format!("{module}.ko"))?
                .with_context(|| format!("{} has no module {module}", kernel.version))?;
            tree.add_file(&format!("modules/{module}.ko"), read(&path)?)?;
            loaded += &format!("/modules/{module}.ko\n");
        }
        tree.add_file("modules.list", loaded.into_bytes())?;
        tree.add_file("start/echo.argv", arguments(erts.flavor, memory, start::DEFAULT_ARGUMENTS, &[])?)?;
        let hello = ["-noshell", "-eval", HELLO];
        tree.add_file("start/hello.argv", arguments(erts.flavor, memory, start::ARGUMENTS, &hello)?)?;
        tree.add_file("start/stock.boot", read(&erts.otp.join("bin/start_clean.boot"))?)?;
        let stock = ["-boot", "/start/stock", "-noshell", "-s", "trapless_echo"];
        tree.add_file("start/stock.argv", strings(&ErlArgs::default().argv("beam.smp", Vec::new(), OPENING, &stock)))?;
        tree.add_file("start/environ", strings(ENVIRONMENT))?;
        for (name, program) in &more.programs {
            tree.add_file(name, read(program)?)?;
        }
        for (name, argv) in &more.starts {
            tree.add_file(&format!("start/{name}.argv"), strings(argv))?;
        }
        // The kernel unpacks one archive after the other.
        let mut bytes = build::archive_of(image)?;
        bytes.extend(newc::write(&tree)?);
        let initramfs = folder.join(format!("initramfs-{}.cpio", erts.flavor.name()));
        fs::write(&initramfs, bytes).with_context(|| format!("cannot write {}", initramfs.display()))?;
        let kernel =
            list(&kernel.folder.join("boot"))?.into_iter().find(|path| path.to_string_lossy().contains("vmlinuz"));
        Ok(Self { kernel: kernel.context("the package has no vmlinuz")?, initramfs })
    }
}

/// The arguments of the emulator, made as the image makes them.
fn arguments(flavor: Flavor, memory: u32, baked: &[&str], user: &[&str]) -> Result<Vec<u8>> {
    debug_assert!(HELLO.contains(FIRST_LINE));
    Ok(strings(&emulator(flavor, memory, baked, user)?))
}

/// The JIT's whole argument vector for Erlang's arguments `user`, with `memory` MiB.
pub fn erlang(memory: u32, user: &[&str]) -> Result<Vec<String>> {
    emulator(Flavor::Jit, memory, start::ARGUMENTS, user)
}

fn emulator(flavor: Flavor, memory: u32, baked: &[&str], user: &[&str]) -> Result<Vec<String>> {
    let erl = match user {
        [] => ErlArgs::default(),
        words => match ErlArgs::parse(words) {
            Ok(erl) => erl,
            Err(error) => bail!("erl arguments: {error}"),
        },
    };
    Ok(erl.argv("beam.smp", emulator_flags(flavor.name(), u64::from(memory) << 20, false), OPENING, baked))
}

fn strings<S: AsRef<str>>(words: &[S]) -> Vec<u8> {
    words.iter().flat_map(|word| word.as_ref().bytes().chain([0])).collect()
}

/// Compiles the guest's first program.
fn init(erts: &Erts, folder: &Path) -> Result<Vec<u8>> {
    let program = folder.join("init");
    let mut command = Command::new(&erts.sysroot.musl_gcc);
    command.args(["-static", "-no-pie", "-O2", "-Wall", "-Werror", "-s", "-o"]).arg(&program);
    let status = command.arg(repository().join("bench/linux/init.c")).status().context("cannot run musl-gcc")?;
    ensure!(status.success(), "the Linux guest's init does not compile");
    read(&program)
}

fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    for path in list(folder)? {
        if path.is_dir() && !path.is_symlink() {
            if let Some(found) = find(&path, name)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|other| other == name) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_the_counter_is_half_the_bogomips() {
        assert_eq!(counter_rate("model name\t: x\nbogomips\t: 5200.42\n"), Some(2_600_210));
        assert_eq!(counter_rate("bogomips : ?"), None);
    }

    #[test]
    fn the_guest_gets_the_arguments_of_the_image() {
        let bytes = arguments(Flavor::Jit, 512, &["-boot", "b"], &["-noshell", "-eval", HELLO]).unwrap();
        let words: Vec<_> = bytes.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect();
        assert_eq!(words[0], "beam.smp");
        assert!(words.iter().any(|word| word == HELLO));
        assert!(words.iter().any(|word| word == "-JMsingle"));
        assert!(bytes.ends_with(b"\0"));
    }
}
