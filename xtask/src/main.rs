//! `cargo xtask`: the one door to everything one does with this repository.
//!
//! [`cli`] says what can be asked for, one module answers each question, and [`setup`] sees to it that a fresh
//! machine has what is needed before anything starts.

mod accel;
mod bench;
mod build;
mod cli;
mod docs;
mod fuzz;
mod gdb;
mod image;
mod nifs;
mod profile;
mod run;
mod setup;
mod soak;
mod sources_lock;
mod suites;
mod symbols;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use cli::{Cli, Command};

fn main() -> ExitCode {
    match perform(Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Performs one command, and returns the exit status.
fn perform(command: Command) -> Result<u8> {
    match command {
        Command::Run(options) => run::run(&options),
        Command::Build(options) => build::build(&options).map(|image| {
            println!("{}", image.display());
            0
        }),
        Command::Image(options) => image::image(&options).map(|()| 0),
        Command::Test(options) => test::test(&options),
        Command::Gdb(options) => gdb::gdb(&options),
        Command::Symbols(options) => symbols::symbols(&options).map(|()| 0),
        Command::Profile(options) => profile::profile(&options).map(|()| 0),
        Command::Soak(options) => soak::soak(&options),
        Command::Fuzz(options) => fuzz::fuzz(&options),
        Command::Suites(options) => suites::suites(&options),
        Command::Docs(options) => docs::docs(&options).map(|()| 0),
        Command::Bench(options) => bench::bench(&options),
        Command::Setup => setup::prepare(sources::host::Task::Test).map(|()| 0),
        Command::Ci => test::ci(),
        Command::Sources(options) => sources_lock::sources(&options).map(|()| 0),
    }
}
