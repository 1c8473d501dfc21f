//! What /proc, /sys and /dev show.

use super::super::system::{CpuTime, Memory, ProgramMemory, SystemInfo};
use super::super::{dev, proc, sys};
use super::*;
use crate::fd::FdTable;
use core::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A machine of 8 CPUs, or as many as it is told.
struct Machine {
    cpus: usize,
    asked: AtomicU64,
}

impl SystemInfo for Machine {
    fn pid(&self) -> i32 {
        42
    }
    fn cpus(&self) -> usize {
        self.cpus
    }
    fn cpu_model(&self) -> (String, String) {
        ("GenuineIntel".into(), "Test CPU".into())
    }
    fn cpu_khz(&self) -> u64 {
        2_000_007
    }
    fn cpu_flags(&self) -> String {
        "sse2".into()
    }
    fn cpu_time(&self, cpu: usize) -> CpuTime {
        CpuTime { busy: 10_000_000 * (cpu as u64 + 1), idle: 1_000_000_000, interrupts: 0 }
    }
    fn memory(&self) -> Memory {
        Memory { total: 128 << 20, free: 64 << 20, files: 4096 }
    }
    fn program_memory(&self) -> ProgramMemory {
        ProgramMemory { virtual_size: 1 << 30, resident: 40 << 20, text: 4 << 20, data: 30 << 20 }
    }
    fn threads(&self) -> usize {
        26
    }
    fn running(&self) -> usize {
        3
    }
    fn load(&self) -> [u64; 3] {
        [105, 50, 7]
    }
    fn switches(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::Relaxed)
    }
    fn hostname(&self) -> String {
        "beam.localdomain".into()
    }
    fn release(&self) -> String {
        "6.1.0".into()
    }
    fn version(&self) -> String {
        "#1 SMP".into()
    }
    fn executable(&self) -> String {
        "/otp/bin/beam.smp".into()
    }
    fn arguments(&self) -> Vec<u8> {
        b"beam.smp\0--\0".to_vec()
    }
    fn environment(&self) -> Vec<u8> {
        b"LATIN=\xe9\0".to_vec()
    }
    fn boot_arguments(&self) -> String {
        "log=1".into()
    }
    fn maps(&self, w: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(w, "00400000-00800000 r-xp 00000000 00:00 0 ")
    }
}

fn machine(cpus: usize) -> (Arc<Vfs<Fake>>, Arc<FdTable<Fake>>) {
    let vfs = tree(&["/tmp/", "/tmp/f"]);
    let (table, system) = (Arc::new(FdTable::new(100)), Arc::new(Machine { cpus, asked: AtomicU64::new(0) }));
    proc::mount(&vfs, table.clone(), &system).unwrap();
    sys::mount(&vfs, &system).unwrap();
    dev::mount(&vfs, None, 1 << 20).unwrap();
    (vfs, table)
}

#[test]
fn proc_tells_what_the_machine_says() {
    let (vfs, _) = machine(2);
    let text = |path: &str| read(&vfs, path).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(text("/proc/loadavg"), "1.05 0.50 0.07 3/26 42\n");
    assert_eq!(text("/proc/self/comm"), "beam.smp\n");
    assert_eq!(text("/proc/self/cmdline"), "beam.smp\0--\0");
    assert_eq!(text("/proc/self/cgroup"), "0::/\n");
    assert_eq!(text("/proc/self/maps"), "00400000-00800000 r-xp 00000000 00:00 0 \n");
    assert_eq!(text("/proc/sys/kernel/hostname"), "beam.localdomain\n");
    assert!(text("/proc/meminfo").contains("MemTotal:         131072 kB\n"));
    assert!(text("/proc/stat").contains("cpu  3 0 0 200 0 0 0 0 0 0\ncpu0 1 0"));
    assert!(text("/proc/cpuinfo").contains("cpu MHz\t\t: 2000.007\n"));
    assert_eq!(text("/proc/cpuinfo").matches("processor\t").count(), 2);
    assert!(text("/proc/self/status").contains("Threads:\t26\n"));
    assert!(text("/proc/self/status").contains("CapEff:\t000001ffffffffff\n"));
    let stat = text("/proc/self/stat");
    let fields: Vec<&str> = stat.split_whitespace().collect();
    // utime is the time that all CPUs were busy; nice and threads are where they belong.
    assert_eq!((fields.len(), fields[13], fields[18], fields[19]), (52, "3", "0", "26"));
    assert_eq!(text("/proc/self/statm"), "262144 10240 0 1024 0 7680 0\n");
    assert!(text("/proc/mounts").contains("proc /proc proc rw 0 0\n"));
    assert!(text("/proc/self/mountinfo").starts_with("1 0 0:1 / / rw - rootfs rootfs rw\n"));
    assert_eq!(vfs.readlink(&At::Cwd, b"/proc/self").as_deref(), Ok(&b"42"[..]));
    assert_eq!(vfs.readlink(&At::Cwd, b"/proc/self/exe").as_deref(), Ok(&b"/otp/bin/beam.smp"[..]));
    let environment = open(&vfs, "/proc/self/environ", OpenFlags::empty()).unwrap();
    let mut bytes = Vec::with_capacity(100);
    environment.read(&mut bytes).unwrap();
    assert_eq!(bytes, b"LATIN=\xe9\0");
}

#[test]
fn a_text_stays_the_same_while_it_is_read() {
    let (vfs, _) = machine(1);
    let file = open(&vfs, "/proc/stat", OpenFlags::empty()).unwrap();
    let mut pieces = Vec::with_capacity(4096);
    loop {
        let mut piece = Vec::with_capacity(7);
        if file.read(&mut piece).unwrap() == 0 {
            break;
        }
        pieces.extend_from_slice(&piece);
    }
    assert_eq!(String::from_utf8(pieces).unwrap().matches("ctxt 0\n").count(), 1);
    assert!(read(&vfs, "/proc/stat").unwrap().contains("ctxt 1\n"));
}

#[test]
fn programs_cannot_change_proc_or_sys() {
    let (vfs, _) = machine(1);
    let c = At::Cwd;
    assert_eq!(open(&vfs, "/proc/new", OpenFlags::O_CREAT).err(), Some(Errno::EPERM));
    assert_eq!(open(&vfs, "/proc/stat", OpenFlags::O_WRONLY).err(), Some(Errno::EACCES));
    assert_eq!(vfs.mkdir(&c, b"/sys/new", 0o777), Err(Errno::EPERM));
    assert_eq!(vfs.unlink(&c, b"/proc/stat"), Err(Errno::EPERM));
    assert_eq!(vfs.rename(&c, b"/proc/stat", &c, b"/proc/x", true), Err(Errno::EPERM));
    vfs.add_synthetic("/proc/trapless/calls", |w| fmt::Write::write_str(w, "7\n")).unwrap();
    assert_eq!(read(&vfs, "/proc/trapless/calls").unwrap(), "7\n");
    assert_eq!(vfs.add_synthetic("/proc/trapless/calls", |_| Ok(())), Err(Errno::EEXIST));
}

#[test]
fn a_control_file_takes_commands() {
    let (vfs, _) = machine(1);
    let orders = Arc::new(std::sync::Mutex::new(Vec::new()));
    let given = orders.clone();
    let obey = move |order: &[u8]| match order {
        b"bad" => Err(Errno::EINVAL),
        _ => {
            given.lock().unwrap().push(order.to_vec());
            Ok(())
        }
    };
    vfs.add_control("/proc/trapless/switch", |w| fmt::Write::write_str(w, "state\n"), obey).unwrap();
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC;
    let file = open(&vfs, "/proc/trapless/switch", flags).unwrap();
    assert_eq!(file.write(&mut &b"on\n"[..]), Ok(3));
    assert_eq!(file.write(&mut &b" off"[..]), Ok(4));
    assert_eq!(file.write(&mut &b"bad"[..]), Err(Errno::EINVAL));
    assert_eq!(file.write(&mut &[b'x'; 300][..]), Err(Errno::EINVAL));
    assert_eq!(*orders.lock().unwrap(), [b"on".to_vec(), b"off".to_vec()]);
    assert_eq!(read(&vfs, "/proc/trapless/switch").unwrap(), "state\n");
    let mode = vfs.stat(&At::Cwd, b"/proc/trapless/switch", Follow::Yes).unwrap().st_mode;
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn topology_as_erts_reads_it() {
    let (vfs, _) = machine(8);
    let text = |path: &str| read(&vfs, path).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(text("/sys/devices/system/cpu/online"), "0-7\n");
    let cpu5 = "/sys/devices/system/node/node0/cpu5/topology";
    assert_eq!(text(&std::format!("{cpu5}/core_id")), "5\n");
    assert_eq!(text(&std::format!("{cpu5}/physical_package_id")), "0\n");
    assert_eq!(text(&std::format!("{cpu5}/thread_siblings")), "00000020\n");
    assert_eq!(text("/sys/devices/system/node/node0/cpumap"), "000000ff\n");
    assert_eq!(names(&vfs, "/sys/devices/system/node/node0").iter().filter(|n| n.starts_with("cpu")).count(), 10);
    assert_eq!(text("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"), "2097152\n");
    let (large, _) = machine(40);
    assert_eq!(read(&large, "/sys/devices/system/cpu/cpu33/topology/thread_siblings").unwrap(), "00000002,00000000\n");
}

#[test]
fn descriptors_show_up_as_links() {
    let (vfs, table) = machine(1);
    let file = open(&vfs, "/tmp/f", OpenFlags::O_RDWR).unwrap();
    file.write(&mut &b"text"[..]).unwrap();
    assert_eq!(table.insert(file, false), Ok(0));
    let (reader, writer) = crate::pipe::pipe::<Fake>();
    let pipe = [OpenFile::<Fake>::new(reader, 0), OpenFile::<Fake>::new(writer, 1)];
    table.insert_pair(pipe, false).unwrap();
    assert_eq!(names(&vfs, "/proc/self/fd"), ["0", "1", "2"]);
    assert_eq!(names(&vfs, "/dev/fd"), ["0", "1", "2"]);
    let link = |path: &[u8]| String::from_utf8(vfs.readlink(&At::Cwd, path).unwrap()).unwrap();
    assert_eq!(link(b"/proc/self/fd/0"), "/tmp/f");
    assert!(link(b"/dev/fd/1").starts_with("pipe:["));
    assert_eq!(read(&vfs, "/dev/stdin").unwrap(), "text");
    // A second description of the write end is a second writer.
    let second = open(&vfs, "/proc/self/fd/2", OpenFlags::O_WRONLY).unwrap();
    table.close(2).unwrap();
    second.write(&mut &b"x"[..]).unwrap();
    assert_eq!(table.get(1).unwrap().read(&mut Vec::with_capacity(9)), Ok(1));
    assert_eq!(table.get(1).unwrap().read(&mut Vec::with_capacity(9)), Err(Errno::EAGAIN));
    drop(second);
    assert_eq!(table.get(1).unwrap().read(&mut Vec::with_capacity(9)), Ok(0));
    for missing in ["/proc/self/fd/7", "/proc/self/fd/01", "/proc/self/fd/+1", "/proc/self/fd/x", "/proc/self/fd/-1"] {
        assert_eq!(stat(&vfs, missing).err(), Some(Errno::ENOENT), "{missing}");
    }
    vfs.unlink(&At::Cwd, b"/tmp/f").unwrap();
    assert_eq!(link(b"/proc/self/fd/0"), "/ (deleted)");
}

#[test]
fn memory_devices() {
    let (vfs, _) = machine(1);
    let device = |name: &str| open(&vfs, &std::format!("/dev/{name}"), OpenFlags::O_RDWR).unwrap();
    let bytes = |name: &str| {
        let mut buf = Vec::with_capacity(1000);
        device(name).read(&mut buf).map(|_| buf)
    };
    assert_eq!(bytes("null"), Ok(Vec::new()));
    assert_eq!(bytes("zero"), Ok(std::vec![0; 1000]));
    assert_eq!(bytes("full"), Ok(std::vec![0; 1000]));
    assert!(bytes("urandom").unwrap().iter().any(|&b| b != 0));
    assert_eq!(device("null").write(&mut &b"gone"[..]), Ok(4));
    assert_eq!(device("full").write(&mut &b"x"[..]), Err(Errno::ENOSPC));
    assert_eq!(stat(&vfs, "/dev/null").unwrap().st_rdev, 0x103);
    assert_eq!(stat(&vfs, "/dev/null").unwrap().st_mode, 0o020_666);
    assert_eq!(stat(&vfs, "/dev/ptmx").err(), Some(Errno::ENOENT));
    assert_eq!(stat(&vfs, "/dev/shm").unwrap().st_mode, 0o041_777);
    write(&vfs, "/dev/shm/segment", "shared");
    assert_eq!(open(&vfs, "/dev/null", OpenFlags::O_WRONLY | OpenFlags::O_TRUNC | OpenFlags::O_CREAT).err(), None);
}
