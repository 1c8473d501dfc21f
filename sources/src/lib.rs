//! The source packages Trapless is built from: pinned in lock files, fetched once, verified always, unpacked with their
//! security patches.
//!
//! A lock file names one Debian source package: its version, where the archive keeps it, and the size and SHA-256 of each
//! file. [`fetch`] returns those files from the cache, from the folder in `TRAPLESS_SOURCES`, or from the machine's own
//! Debian mirror through apt's downloader. [`unpack`] makes a source tree of them and applies the chosen part of the
//! package's patch series. [`update_lock`] moves a lock to what the archive has now.
//!
//! ```no_run
//! let lock = sources::Lock::read("musl-shim/musl.lock".as_ref())?;
//! let files = sources::fetch(&lock, &sources::Console)?;
//! sources::unpack(&files, "/somewhere/musl".as_ref(), sources::Patches::All, &sources::Console)?;
//! # Ok::<(), sources::Error>(())
//! ```
//!
//! Build scripts and `xtask` use this crate; nothing of it is linked into the image.

mod apt;
mod apt_list;
mod binary;
pub mod cache;
mod error;
mod fetch;
pub mod host;
mod lock;
mod progress;
mod unpack;
mod update;
mod verify;

pub use binary::{fetch_binary, fetch_source};
pub use error::{Error, Result};
pub use fetch::{SOURCES_VARIABLE, Sources, fetch};
pub use lock::{File, Lock};
pub use progress::{Console, Progress, Quiet};
pub use unpack::{Patches, unpack};
pub use update::{Change, update_lock};
pub use verify::{sha256_file, sha256_hex, verify};
