//! The file system and the first descriptors.

use crate::config::Config;
use crate::kernel::Open;
use crate::layers::Given;
use crate::machine_info::MachineInfo;
use crate::reports;
use alloc::string::String;
use alloc::sync::Arc;
use trapless_abi::SysResult;
use trapless_logic::fd::FdTable;
use trapless_logic::file::O_RDWR;
use trapless_logic::programs;
use trapless_logic::vfs::tty::Tty;
use trapless_logic::vfs::{Tmpfs, Vfs, cpio, dev, proc, sys};
use trapless_platform::frames;
use trapless_platform::x86::X86;

/// Descriptors a program may have (RLIMIT_NOFILE).
const NOFILE: usize = 1 << 16;
/// Device number of the root file system.
const ROOT_DEV: u64 = 1;

/// The tree, and the descriptors.
pub type Files = (Arc<Vfs<X86>>, Arc<FdTable<X86>>);

/// The tree a program sees (the image's archive, the initrd over it, and what is made at boot), and a descriptor table with the terminal as
/// 0, 1 and 2.
///
/// # Errors
/// A text: what is wrong with the archive, or that there is no memory.
pub fn mount(
    archive: &'static [u8],
    initrd: Option<&'static [u8]>,
    given: &Given,
    config: &Config,
    tty: &Arc<Tty<X86>>,
    system: &Arc<MachineInfo>,
) -> Result<Files, String> {
    // Files may take half of what is free, as tmpfs does on Linux.
    let limit = config.tmpfs.unwrap_or(frames::free_frames() as u64 * frames::FRAME / 2);
    let root = Tmpfs::<X86>::new(ROOT_DEV, limit);
    let loaded = cpio::load(archive, &root).map_err(|e| alloc::format!("root file system archive, {e}"))?;
    log::info!("root file system: {} entries, {} bytes", loaded.entries, loaded.bytes);
    if let Some(initrd) = initrd {
        let loaded = cpio::load_over(initrd, &root).map_err(|e| alloc::format!("initrd: {e}"))?;
        log::info!("initrd over it: {} entries, {} bytes", loaded.entries, loaded.bytes);
    }
    for (path, content) in &given.files {
        cpio::put(&root, path.as_bytes(), content).map_err(|e| alloc::format!("/{path}: {}", e.description()))?;
    }
    let vfs = Arc::new(Vfs::new(root.root()));
    let fds = Arc::new(FdTable::new(NOFILE));
    let rest = || -> SysResult<()> {
        dev::mount(&vfs, Some(tty.clone()), limit)?;
        proc::mount(&vfs, fds.clone(), system)?;
        sys::mount(&vfs, system)?;
        reports::add(&vfs)?;
        programs::install(&vfs)?;
        let console = Open::new(tty.clone(), O_RDWR);
        (0..3).try_for_each(|_| fds.insert(console.clone(), false).map(drop))
    };
    rest().map_err(|e| alloc::format!("file system: {e}"))?;
    Ok((vfs, fds))
}
