//! Runs the Linux build of the same BEAM on the host, for what only Erlang can do.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// An `erl` of the host that belongs to the OTP whose modules go into the archive.
pub struct Erlang {
    program: PathBuf,
}

/// Compiles and loads the tool, then calls it with the rest of the arguments.
const START: &str = "[Tool | Arguments] = init:get_plain_arguments(), \
    {ok, Module, Code} = compile:file(Tool, [binary, report]), \
    {module, Module} = code:load_binary(Module, Tool, Code), \
    Module:main(Arguments), halt(0, [{flush, true}]).";

impl Erlang {
    /// `program` is started with the arguments of `erl`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Runs `main/1` of the Erlang source file `tool` in the folder `work`.
    ///
    /// # Errors
    /// Holds what Erlang printed, when it did not end well.
    pub fn run<S: AsRef<OsStr>>(&self, work: &Path, tool: &Path, arguments: &[S]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["-noinput", "-boot", "start_clean", "-eval", START, "-extra"]).arg(tool).args(arguments);
        command.current_dir(work).env("HOME", work).env("ERL_CRASH_DUMP_BYTES", "0").env_remove("ERL_FLAGS");
        command.env_remove("ERL_LIBS").env_remove("ERL_AFLAGS").env_remove("ERL_ZFLAGS").env_remove("ERL_ROOTDIR");
        let output = command.output().with_context(|| format!("cannot run {}", self.program.display()))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("Erlang ended with {}:\n{}", output.status, String::from_utf8_lossy(&said).trim());
        }
        Ok(())
    }

    /// Compiles Erlang source files into the folder `out`; `include` is searched for header files.
    ///
    /// # Errors
    /// Holds the compiler's messages.
    pub fn compile(&self, tool: &Path, out: &Path, include: &Path, files: &[PathBuf]) -> Result<()> {
        let fixed = [OsString::from("compile"), out.into(), include.into()];
        let files = files.iter().map(|file| file.clone().into_os_string());
        self.run(out, tool, &fixed.into_iter().chain(files).collect::<Vec<_>>())
    }
}
