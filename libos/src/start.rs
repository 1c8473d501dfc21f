//! The program's first thread: its arguments, environment, stack, and the jump into musl's `_start_c`.

use crate::config::Config;
use crate::layers::Given;
use crate::power::refuse_boot;
use crate::task::Task;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use trapless_abi::SysResult;
use trapless_abi::flags::{MmapFlags, Prot};
use trapless_abi::structs::Sigset;
use trapless_logic::erl_args::{ErlArgs, OPENING, emulator_flags};
use trapless_logic::layers;
use trapless_logic::mm::space::MapRequest;
use trapless_logic::platform::Platform;
use trapless_logic::stack_image::{self, at};
use trapless_platform::thread::{self, UserEntry};
use trapless_platform::x86::X86;
use trapless_platform::{boot, cpu, frames, mm, sched, user};
use zerocopy::IntoBytes;

/// Memory that ERTS with its JIT fills before it serves, measured with the default application: for one CPU, and for each one.
const ERTS_NEEDS: u64 = 27 << 20;
const ERTS_NEEDS_PER_CPU: u64 = 1 << 19;

/// Bytes of the first thread's stack, as Linux's default RLIMIT_STACK.
const STACK: u64 = 8 << 20;

/// What the image says about the program in it.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// Erlang's runtime system.
    Erts {
        /// Its flavour, `jit` or `emu`.
        flavor: &'static str,
        /// `init` arguments before the user's.
        arguments: &'static [&'static str],
        /// `init` arguments when the user gave none.
        default_arguments: &'static [&'static str],
    },
    /// Any other C program: what follows `--` are its arguments, as they stand there.
    Plain {
        /// Its `argv[0]`.
        name: &'static str,
    },
}

/// The program's argument vector, and what it adds to the environment.
pub fn arguments(given: &Given, program: &Program, config: &Config) -> (Vec<String>, Vec<(String, String)>) {
    match *program {
        Program::Erts { flavor, arguments, default_arguments } => {
            erts_arguments(given, flavor, arguments, default_arguments, config.profile.is_some())
        }
        Program::Plain { name } => {
            let words = given.args.iter().flatten().cloned();
            (core::iter::once(name.to_owned()).chain(words).collect(), Vec::new())
        }
    }
}

fn erts_arguments(
    given: &Given,
    flavor: &str,
    arguments: &[&str],
    default_arguments: &[&str],
    profiled: bool,
) -> (Vec<String>, Vec<(String, String)>) {
    // One line, so that what is there once and is the user's takes the place of what is baked in.
    let baked = if given.args.is_some() { arguments } else { default_arguments };
    let baked = baked.iter().map(|&word| word.to_owned()).collect();
    let line = layers::merge(alloc::vec![baked, given.args.clone().unwrap_or_default()]);
    let erl = ErlArgs::parse(&line).unwrap_or_else(|e| refuse_boot(format_args!("erl arguments: {e}")));
    let environment = erl.environment.clone();
    let flags = emulator_flags(flavor, frames::total_frames() as u64 * frames::FRAME, profiled);
    (erl.argv("beam.smp", flags, OPENING, &[]), environment)
}

/// Says so if there is less memory than Erlang is known to need. Not a refusal: what it really needs depends on what it is to run, and
/// it has its own messages for not getting it.
pub fn warn_of_little_memory(program: &Program, cpus: usize) {
    let needs = ERTS_NEEDS + cpus as u64 * ERTS_NEEDS_PER_CPU;
    let free = frames::available_frames() as u64 * frames::FRAME;
    if matches!(program, Program::Erts { .. }) && free < needs {
        let (needs, free) = (needs >> 20, free >> 20);
        log::warn!("little memory: {free} MiB are free, and Erlang needs about {needs} MiB (QEMU: -m)");
    }
}

/// Makes the first thread, ready to run.
///
/// # Errors
/// ENOMEM.
pub fn first_thread(argv: &[String], envp: &[String]) -> SysResult<()> {
    let prot = Prot::PROT_READ | Prot::PROT_WRITE;
    let flags = MmapFlags::MAP_PRIVATE | MmapFlags::MAP_ANONYMOUS | MmapFlags::MAP_STACK;
    let stack = mm::mmap(&MapRequest { address: 0, len: STACK, prot, flags })?;
    // Overflow faults: the lowest page is out of bounds.
    mm::mprotect(stack, 4096, Prot::empty())?;
    // The loaded image has no program headers; the C library wants the one of the TLS template.
    let headers = stack + STACK - 64;
    user::copy_out(headers as usize, tls_program_header().as_bytes())?;
    let mut random = [0; 16];
    X86::random(&mut random);
    let name = argv.first().map_or("", String::as_str);
    let argv: Vec<&[u8]> = argv.iter().map(String::as_bytes).collect();
    let envp: Vec<&[u8]> = envp.iter().map(String::as_bytes).collect();
    let auxv = [
        (at::PAGESZ, 4096),
        (at::CLKTCK, 100),
        (at::PHDR, headers),
        (at::PHENT, 56),
        (at::PHNUM, 1),
        (at::ENTRY, 0),
        (at::UID, 0),
        (at::EUID, 0),
        (at::GID, 0),
        (at::EGID, 0),
        (at::SECURE, 0),
        (at::MINSIGSTKSZ, u64::max(2048, cpu::features().xsave_size as u64 + 1024)),
    ];
    let image = stack_image::build(headers, &argv, &envp, &auxv, random);
    user::copy_out(image.sp as usize, &image.bytes)?;
    // `_start_c(sp)` is called, so its return address lies below the image; there is no way back.
    let entry = UserEntry { rip: boot::program_entry(), rsp: image.sp - 8, rdi: image.sp, ..UserEntry::default() };
    let thread = thread::prepare_user(&entry)?;
    thread.set_name(name.as_bytes());
    Task::new(Sigset(0), 0).attach(&thread);
    sched::start(&thread);
    Ok(())
}

/// An Elf64_Phdr (elf(5)) of type PT_TLS: type and flags in one word, offset, address twice, sizes, alignment.
fn tls_program_header() -> [u64; 7] {
    const PT_TLS: u64 = 7;
    const PF_R: u64 = 4;
    let tls = boot::tls();
    [PT_TLS | PF_R << 32, 0, tls.address, tls.address, tls.file_size, tls.memory_size, tls.align]
}
