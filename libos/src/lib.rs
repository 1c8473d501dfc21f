//! The library OS: the wiring between what C calls, the algorithms, and the machine.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

mod chart;
mod config;
mod console;
mod counters;
#[expect(unsafe_code, reason = "no_mangle: musl calls through the table")]
mod dispatch;
mod files;
mod forker;
mod hostname;
pub mod init;
mod kernel;
mod layers;
mod load;
mod machine_info;
mod network;
mod ntp;
mod power;
mod profile;
mod reports;
#[expect(unsafe_code, reason = "no_mangle: musl calls these by name")]
mod seam;
mod selftest;
mod signals;
pub mod start;
mod syscall;
mod task;
mod trace;
mod user;
