//! Resource limits, getrlimit(2).

use crate::kernel::kernel;
use crate::user::{Get, Put};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::fd::NR_OPEN;
use trapless_logic::signal::SIGPENDING;
use trapless_logic::sync::Lock;
use trapless_platform::x86::X86;

/// Number of resources.
const COUNT: usize = 16;
/// The size of the main stack that Linux gives when nobody says otherwise, in bytes.
const STACK: u64 = 8 << 20;

/// The limits. The soft ones of RLIMIT_NOFILE and RLIMIT_SIGPENDING are kept by those who enforce them.
static LIMITS: Lock<X86, [Rlimit; COUNT]> = Lock::new(initial());

const fn initial() -> [Rlimit; COUNT] {
    let mut limits = [Rlimit { rlim_cur: RLIM_INFINITY, rlim_max: RLIM_INFINITY }; COUNT];
    limits[Resource::RLIMIT_STACK as usize].rlim_cur = STACK;
    limits[Resource::RLIMIT_CORE as usize].rlim_cur = 0;
    limits[Resource::RLIMIT_NOFILE as usize].rlim_max = NR_OPEN as u64;
    limits[Resource::RLIMIT_SIGPENDING as usize].rlim_max = SIGPENDING as u64;
    limits[Resource::RLIMIT_NICE as usize] = Rlimit { rlim_cur: 0, rlim_max: 0 };
    limits[Resource::RLIMIT_RTPRIO as usize] = Rlimit { rlim_cur: 0, rlim_max: 0 };
    limits
}

/// The limits of a resource.
fn get(resource: Resource) -> Rlimit {
    let limit = LIMITS.lock()[resource as usize];
    match resource {
        Resource::RLIMIT_NOFILE => Rlimit { rlim_cur: kernel().fds.limit() as u64, ..limit },
        Resource::RLIMIT_SIGPENDING => Rlimit { rlim_cur: kernel().signals.limit() as u64, ..limit },
        _ => limit,
    }
}

/// Sets the limits of a resource. EINVAL for a soft limit above the hard one, EPERM for too many descriptors.
fn set(resource: Resource, new: Rlimit) -> SysResult<()> {
    if new.rlim_cur > new.rlim_max {
        return Err(Errno::EINVAL);
    }
    if resource == Resource::RLIMIT_NOFILE {
        if new.rlim_max > NR_OPEN as u64 {
            return Err(Errno::EPERM);
        }
        kernel().fds.set_limit(new.rlim_cur as usize)?;
    }
    if resource == Resource::RLIMIT_SIGPENDING {
        kernel().signals.set_limit(new.rlim_cur as usize);
    }
    LIMITS.lock()[resource as usize] = new;
    Ok(())
}

/// getrlimit(2).
pub fn getrlimit(resource: Resource, rlim: Out<Rlimit>) -> SysResult {
    rlim.put(&get(resource))?;
    Ok(0)
}

/// setrlimit(2).
pub fn setrlimit(resource: Resource, rlim: In<Rlimit>) -> SysResult {
    set(resource, rlim.get()?)?;
    Ok(0)
}

/// prlimit(2).
pub fn prlimit64(pid: Pid, resource: Resource, new_limit: In<Rlimit>, old_limit: Out<Rlimit>) -> SysResult {
    super::this_process(pid)?;
    let new = new_limit.get_opt()?;
    let old = get(resource);
    if let Some(new) = new {
        set(resource, new)?;
    }
    old_limit.put_opt(&old)?;
    Ok(0)
}
