//! The system calls, one file per area, named as in the table of `trapless-abi`. A handler reads like its man page: arguments are
//! decoded already, user memory is copied by [`crate::user`], and what takes more than a few lines lives in `trapless-logic`.

pub mod fs;
pub mod io;
pub mod library;
pub mod mem;
pub mod net;
mod netdevice;
pub mod poll;
pub mod process;
pub mod signal;
pub mod system;
pub mod thread;
pub mod time;
