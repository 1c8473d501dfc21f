//! The boot story.

use crate::config::Config;
use crate::kernel::{self, Kernel};
use crate::machine_info::MachineInfo;
use crate::power::{heed_button, refuse_boot};
use crate::start::{self, Program};
use crate::task::PID;
use crate::{chart, console, counters, files, hostname, layers, load, network, ntp, profile, selftest, trace};
use alloc::sync::Arc;
use trapless_abi::structs::NSEC_PER_SEC;
use trapless_logic::futex::{FutexTable, Policy};
use trapless_logic::signal::ProcessSignals;
use trapless_logic::socket::netlink::Netlink;
use trapless_logic::socket::unix::Names;
use trapless_platform::boot::BootInfo;
use trapless_platform::{acpi, clock, entropy, frames, ioapic, mm, paging, rtc, sched, serial, smp, virtio};

/// Buckets of the futex table.
const FUTEX_BUCKETS: usize = 256;

/// What the image consists of, for this crate knows none of it.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// The root file system archive.
    pub rootfs: &'static [u8],
    /// How to start the program.
    pub program: Program,
    /// Names and hashes of what was built in.
    pub contents: &'static [(&'static str, &'static str)],
}

/// From the first line of Rust to the first line of C: one line and one comment a step.
pub fn start(info: &'static BootInfo, image: &Image) -> ! {
    // Locks, traps and floating point work on the boot CPU.
    smp::init_early();
    // Words can be heard.
    serial::init();
    // Memory: frames (the libos's heap grows on them), then page tables with rights, then the program's address space.
    frames::init(info).unwrap_or_else(|e| refuse_boot(format_args!("{e}")));
    paging::init(info).unwrap_or_else(|e| refuse_boot(format_args!("{e}")));
    mm::init();
    // What the user wants, or a clear complaint.
    let line = core::str::from_utf8(info.cmdline())
        .unwrap_or_else(|_| refuse_boot(format_args!("the kernel command line is not UTF-8")));
    let config = Config::parse(line).unwrap_or_else(|e| refuse_boot(format_args!("{e}")));
    console::start_log(config.log);
    if config.bootchart {
        chart::show();
    }
    // The firmware's description of the machine, its clock, and guarded stacks; interrupts are on from here.
    acpi::init(info.rsdp());
    clock::init();
    // What day it is; a machine without a battery clock is in 1970.
    rtc::unix_time().into_iter().for_each(|seconds| clock::set_realtime_ns(seconds * NSEC_PER_SEC));
    ioapic::silence_8259();
    smp::init_boot_cpu().unwrap_or_else(|e| refuse_boot(format_args!("no memory for stacks: {e}")));
    ioapic::init();
    chart::mark("boot CPU up");
    // The other CPUs; each idles until there is a thread for it.
    let cpus = smp::start_others(config.cpus).unwrap_or_else(|e| refuse_boot(format_args!("other CPUs: {e}")));
    chart::mark("all CPUs up");
    // Devices, and random numbers from them.
    let mut devices = virtio::probe(info.cmdline());
    devices.problems.iter().for_each(|problem| log::warn!("{problem}"));
    if !entropy::init(devices.rng.take()).is_strong() {
        log::warn!("{}", entropy::WARNING);
    }
    chart::mark("devices");
    let tty = console::start(config.window);
    let net = network::start(core::mem::take(&mut devices.net), &config);
    // The program's arguments and environment: of the image, and of what came with the machine.
    let initrd = layers::initrd(info);
    let given = layers::gather(image.rootfs, initrd, &config);
    let (argv, from_erl) = start::arguments(&given, &image.program, &config);
    let envp = layers::environment(&given, &from_erl);
    // The file system it will see: the archive of the image and the initrd, in place, under a writable tree.
    let system = Arc::new(MachineInfo::new(&config, &argv, &envp));
    let (vfs, fds) = files::mount(image.rootfs, initrd, &given, &config, &tty, &system)
        .unwrap_or_else(|e| refuse_boot(format_args!("{e}")));
    chart::mark("file system");
    // A machine that is too small for Erlang should not fail without this having been said.
    start::warn_of_little_memory(&image.program, cpus.running);
    log::info!("{} of {} CPUs, {} MiB free", cpus.running, cpus.listed, frames::free_frames() / 256);
    image.contents.iter().for_each(|(name, hash)| log::info!("{name} {hash}"));
    // System calls work from here on.
    let futex = FutexTable::new(FUTEX_BUCKETS, Policy::seed(config.futex_spin_opens));
    let netlink = Netlink::new(net.clone(), PID as u32);
    let unix = Names::new(vfs.clone());
    kernel::install(Kernel { config, vfs, fds, futex, net, netlink, unix, signals: ProcessSignals::new() });
    heed_button();
    load::start();
    hostname::publish();
    ntp::start();
    profile::start();
    counters::start(kernel::kernel().config.counters);
    trace::start(&kernel::kernel().config.trace).unwrap_or_else(|e| refuse_boot(format_args!("{e}")));
    // The program's first thread, or a test in its place.
    let Config { selftest, mutant, .. } = &kernel::kernel().config;
    if !selftest.as_ref().is_some_and(|test| selftest::start(test, mutant.as_deref())) {
        start::first_thread(&argv, &envp).unwrap_or_else(|e| refuse_boot(format_args!("first thread: {e}")));
    }
    chart::mark("first thread");
    // The boot CPU becomes one of many.
    sched::run_threads()
}
