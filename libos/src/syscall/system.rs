//! The machine.

use crate::load;
use crate::power;
use crate::user::{self, Put};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::data::Sink;
use trapless_logic::platform::Platform;
use trapless_platform::x86::X86;
use trapless_platform::{entropy, frames, thread};

/// sysinfo(2).
pub fn sysinfo(info: Out<Sysinfo>) -> SysResult {
    info.put(&Sysinfo {
        uptime: X86::now().as_nanos().div_ceil(NSEC_PER_SEC) as i64,
        loads: load::averages().fixed_point(),
        totalram: frames::total_frames() as u64 * frames::FRAME,
        freeram: frames::available_frames() as u64 * frames::FRAME,
        // Linux counts threads here.
        procs: thread::user_count().try_into().unwrap_or(u16::MAX),
        mem_unit: 1,
        ..Sysinfo::default()
    })?;
    Ok(0)
}

/// personality(2).
pub fn personality(_persona: Usize) -> SysResult {
    Ok(0)
}

/// reboot(2).
pub fn reboot(magic: U32, magic2: U32, op: RebootCmd, _arg: UserPtr) -> SysResult {
    /// The other values of the second magic number that Linux takes.
    const MORE_MAGIC: [u32; 3] = [85_072_278, 369_367_448, 537_993_216];
    let magic2_right = magic2.0 == LINUX_REBOOT_MAGIC2 || MORE_MAGIC.contains(&magic2.0);
    if magic.0 != LINUX_REBOOT_MAGIC1 || !magic2_right {
        return Err(Errno::EINVAL);
    }
    match op {
        RebootCmd::LINUX_REBOOT_CMD_HALT | RebootCmd::LINUX_REBOOT_CMD_POWER_OFF => power::off(),
        RebootCmd::LINUX_REBOOT_CMD_RESTART => power::restart(),
        RebootCmd::LINUX_REBOOT_CMD_CAD_OFF | RebootCmd::LINUX_REBOOT_CMD_CAD_ON => Err(Errno::EINVAL),
    }
}

/// getrandom(2): the generator is seeded before the program starts, so it never waits.
pub fn getrandom(buf: Out<u8>, buflen: Len, flags: GetrandomFlags) -> SysResult {
    /// Most bytes of one call.
    const MAX: usize = 33_554_431;
    if flags.contains(GetrandomFlags::GRND_RANDOM | GetrandomFlags::GRND_INSECURE) {
        return Err(Errno::EINVAL);
    }
    if entropy::lapsed() {
        log::warn!("{}", entropy::LAPSE);
    }
    let mut to = user::buffer(buf.addr(), Len(buflen.0.min(MAX)));
    let mut done = 0;
    let mut block = [0; 256];
    while to.remaining() > 0 {
        let part = &mut block[..to.remaining().min(256)];
        X86::random(part);
        match to.push(part) {
            Ok(n) => done += n,
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}
