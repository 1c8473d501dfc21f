//! ioctl(2) on sockets that asks for the network interfaces (netdevice(7)).

use crate::kernel::kernel;
use crate::user::{Get, Put};
use trapless_abi::structs::{Ifconf, Ifreq};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::net::netdevice;
use trapless_logic::socket::Socket;
use trapless_platform::x86::X86;

/// Whether [`ioctl`] answers this request.
pub fn is_for(request: IoctlRequest) -> bool {
    request == IoctlRequest::SIOCGIFCONF || netdevice::is_query(request)
}

/// Answers a request for which [`is_for`] is true.
pub fn ioctl(socket: &dyn Socket<X86>, request: IoctlRequest, argp: usize) -> SysResult {
    let interfaces = kernel().net.interfaces();
    if request == IoctlRequest::SIOCGIFCONF {
        return put_list(&netdevice::list(&interfaces), InOut::new(argp));
    }
    let asked = InOut::<Ifreq>::new(argp);
    let mut answer = asked.get()?;
    let inet = socket.kind().0 == AddressFamily::AF_INET as i32;
    netdevice::query(&interfaces, request, inet, &mut answer)?;
    asked.put(&answer).map(|()| 0)
}

/// As many entries as fit, or for a NULL buffer the room that all of them need.
fn put_list(entries: &[Ifreq], conf: InOut<Ifconf>) -> SysResult {
    const SIZE: usize = size_of::<Ifreq>();
    let Ifconf { ifc_len, ifc_buf, __pad0 } = conf.get()?;
    let fit = if ifc_buf == 0 { entries.len() } else { usize::try_from(ifc_len).unwrap_or(0) / SIZE };
    let told = &entries[..fit.min(entries.len())];
    if let Some(to) = Out::<Ifreq>::new(ifc_buf).non_null() {
        for (i, entry) in told.iter().enumerate() {
            Out::<Ifreq>::new(to.addr() + i * SIZE).put(entry)?;
        }
    }
    let ifc_len = i32::try_from(told.len() * SIZE).map_err(|_| Errno::EINVAL)?;
    conf.put(&Ifconf { ifc_len, ifc_buf, __pad0 }).map(|()| 0)
}
