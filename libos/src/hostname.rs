//! The name of the host (hostname(7)): the command line's, else the one that a DHCP server gives, else a fixed one.

use crate::kernel::kernel;
use alloc::format;
use alloc::string::String;
use spin::Once;
use trapless_abi::SysResult;
use trapless_abi::flags::OpenFlags;
use trapless_logic::vfs::At;

/// With a dot, for Erlang asks a program for the domain of a name without one.
const DEFAULT: &str = "beam.localdomain";
/// Of a name without a domain.
const DOMAIN: &str = "localdomain";

/// What a DHCP server has given: its first word counts, for programs do not expect another name later.
static GIVEN: Once<String> = Once::new();

/// The name.
pub fn get() -> &'static str {
    kernel().config.hostname.as_deref().or(GIVEN.get().map(String::as_str)).unwrap_or(DEFAULT)
}

/// A DHCP server calls this host so.
pub fn given(name: &str) {
    if kernel().config.hostname.is_some() || GIVEN.get().is_some() {
        return;
    }
    let name = if name.contains('.') { name.into() } else { format!("{name}.{DOMAIN}") };
    log::info!("host name {name}");
    GIVEN.call_once(|| name);
    publish();
}

/// Has files say the name, if it is not the one that they say anyway.
pub fn publish() {
    let name = get();
    if name == DEFAULT {
        return;
    }
    let short = name.split('.').next().unwrap_or(name);
    let rewrite = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC;
    let extend = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_APPEND;
    for (path, flags, line) in
        [("/etc/hostname", rewrite, format!("{name}\n")), ("/etc/hosts", extend, format!("127.0.0.1 {name} {short}\n"))]
    {
        if let Err(error) = write(path, flags, &line) {
            log::warn!("{path}: {error}");
        }
    }
}

fn write(path: &str, flags: OpenFlags, text: &str) -> SysResult<usize> {
    kernel().vfs.open(&At::Cwd, path.as_bytes(), flags, 0o644)?.write(&mut text.as_bytes())
}
