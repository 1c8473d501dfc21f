//! The algorithms of the library OS: everything that can be said without touching hardware or C memory.
//!
//! All of it is safe Rust, generic over [`platform::Platform`], and tested on the host: with a fake platform, with property tests,
//! and, for whatever waits and wakes, with the loom model checker (`--cfg loom`).
#![cfg_attr(not(any(test, loom, feature = "fake")), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod cmdline;
pub mod data;
pub mod dirent;
pub mod dl;
pub mod epoll;
pub mod erl_args;
pub mod eventfd;
#[cfg(any(test, loom, feature = "fake"))]
pub mod fake;
pub mod fd;
pub mod file;
pub mod firmware;
pub mod forker;
pub mod futex;
pub mod gate;
pub mod itimer;
pub mod layers;
pub mod load;
pub mod mm;
mod mutant;
pub mod net;
pub mod ntp;
pub mod pipe;
pub mod platform;
pub mod poll;
pub mod profile;
pub mod programs;
pub mod random;
pub mod sched;
pub mod shootdown;
pub mod signal;
pub mod socket;
pub mod stack_image;
pub mod statx;
pub mod sync;
pub mod time;
pub mod timer;
pub mod timerfd;
pub mod vfs;
pub mod virtio;
pub mod wait;
pub mod wall;
