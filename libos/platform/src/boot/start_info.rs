//! What the loader tells: `hvm_start_info` of Xen's public interface (`arch-x86/hvm/start_info.h`).

use spin::Once;

/// "xEn3" with the top bit of the first character set.
const MAGIC: u32 = 0x336e_c578;
/// Longest command line, in bytes, without the terminating zero.
const MAX_CMDLINE: usize = 4096;
/// Most memory regions that are looked at. QEMU reports at most about ten.
const MAX_REGIONS: usize = 128;
/// Size of one `hvm_memmap_table_entry`, in bytes.
const ENTRY_SIZE: u64 = 24;

/// `struct hvm_start_info`, version 1. Every field is read unaligned: some loaders align the tables to 4 bytes only.
#[repr(C)]
#[derive(Clone, Copy)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    nr_modules: u32,
    modlist: u64,
    cmdline: u64,
    rsdp: u64,
    memmap: u64,
    memmap_entries: u32,
    reserved: u32,
}

/// `struct hvm_modlist_entry`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Module {
    address: u64,
    size: u64,
    cmdline: u64,
    reserved: u64,
}

/// What a range of physical addresses is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind {
    /// Ordinary memory (type 1).
    Usable,
    /// ACPI tables that may be overwritten once they were read (type 3).
    AcpiReclaimable,
    /// Anything else: firmware, devices, broken memory.
    Reserved,
}

/// A range of physical addresses.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// First byte.
    pub start: u64,
    /// First byte after it.
    pub end: u64,
    /// What it is good for.
    pub kind: RegionKind,
}

/// The machine as the loader describes it.
#[derive(Debug)]
pub struct BootInfo {
    cmdline: [u8; MAX_CMDLINE],
    cmdline_len: usize,
    cmdline_cut: bool,
    regions: [Region; MAX_REGIONS],
    region_count: usize,
    rsdp: u64,
    initrd: (u64, u64),
}

impl BootInfo {
    /// The command line (`-append`), lossless unless [`BootInfo::cmdline_cut`].
    pub fn cmdline(&self) -> &[u8] {
        &self.cmdline[..self.cmdline_len]
    }

    /// Whether the command line was longer than 4096 bytes and has lost its end.
    pub fn cmdline_cut(&self) -> bool {
        self.cmdline_cut
    }

    /// Physical addresses of the initrd (`-initrd`), the loader's first module: its first byte and the first behind it. Empty without
    /// one.
    pub fn initrd(&self) -> (u64, u64) {
        self.initrd
    }

    /// The memory map, in the loader's order, without empty entries.
    pub fn regions(&self) -> &[Region] {
        &self.regions[..self.region_count]
    }

    /// Physical address of ACPI's root pointer, if the loader knows it.
    pub fn rsdp(&self) -> Option<u64> {
        (self.rsdp != 0).then_some(self.rsdp)
    }

    /// Bytes of ordinary memory.
    pub fn usable_bytes(&self) -> u64 {
        self.regions().iter().filter(|r| r.kind == RegionKind::Usable).map(|r| r.end - r.start).sum()
    }

    /// Whether the range `start..end` is ordinary memory from end to end.
    pub fn is_usable(&self, start: u64, end: u64) -> bool {
        self.regions().iter().any(|r| r.kind == RegionKind::Usable && r.start <= start && end <= r.end)
    }
}

static INFO: Once<BootInfo> = Once::new();

/// Copies everything at `address` into static memory, because the loader may have put it where memory is used later.
pub(super) fn take(address: u64) -> &'static BootInfo {
    INFO.call_once(|| read(address))
}

fn read(address: u64) -> BootInfo {
    let empty = Region { start: 0, end: 0, kind: RegionKind::Reserved };
    let mut info = BootInfo {
        cmdline: [0; MAX_CMDLINE],
        cmdline_len: 0,
        cmdline_cut: false,
        regions: [empty; MAX_REGIONS],
        region_count: 0,
        rsdp: 0,
        initrd: (0, 0),
    };
    let start: StartInfo = load(address);
    if start.magic != MAGIC {
        return info;
    }
    info.rsdp = start.rsdp;
    read_cmdline(&mut info, start.cmdline);
    if start.nr_modules > 0 {
        let module: Module = load(start.modlist);
        info.initrd = (module.address, module.address.saturating_add(module.size));
    }
    // Version 0 had no memory map; such a loader leaves us without memory, which the caller reports.
    if start.version >= 1 {
        for i in 0..u64::from(start.memmap_entries) {
            let at = start.memmap + i * ENTRY_SIZE;
            add_region(&mut info, load(at), load(at + 8), load(at + 16));
        }
    }
    info
}

fn read_cmdline(info: &mut BootInfo, address: u64) {
    if address == 0 {
        return;
    }
    for at in 0..=MAX_CMDLINE {
        let byte: u8 = load(address + at as u64);
        if byte == 0 {
            break;
        }
        match info.cmdline.get_mut(at) {
            Some(place) => {
                *place = byte;
                info.cmdline_len = at + 1;
            }
            None => info.cmdline_cut = true,
        }
    }
}

/// Adds one entry; the types are those of the E820 map. qboot ends its table with an entry of zeros.
fn add_region(info: &mut BootInfo, start: u64, size: u64, kind: u32) {
    let kind = match kind {
        1 => RegionKind::Usable,
        3 => RegionKind::AcpiReclaimable,
        _ => RegionKind::Reserved,
    };
    let Some(end) = start.checked_add(size) else { return };
    if size == 0 || info.region_count == MAX_REGIONS {
        return;
    }
    info.regions[info.region_count] = Region { start, end, kind };
    info.region_count += 1;
}

/// Reads a `T` that the loader left at physical address `address`.
fn load<T: Copy>(address: u64) -> T {
    // SAFETY: only called with addresses out of the loader's start info while the boot page tables map the first 4 GiB one to
    // one; the bytes are plain integers and nobody else runs yet.
    unsafe { core::ptr::read_unaligned(address as *const T) }
}
