//! Compiles sources to a shared library for the image: against musl's headers and those of ERTS, without a C library of its own, for that is
//! in the image.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use erts_recipe::{Erts, libraries::Built};
use sources::Console;
use trapless_logic::dl::Problem;

use crate::{
    check::Names,
    headers::Asked,
    project::{Library, Project, is_cxx},
};

/// How everything is compiled.
const FLAGS: [&str; 8] = [
    "-O2",
    "-g0",
    "-fPIC",
    "-fno-strict-aliasing",
    // What distributions switch on for programs under glibc.
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-U_FORTIFY_SOURCE",
    "-w",
];
/// How it is linked: its own names are its own, those of libraries in it are nobody else's, and what is written to only while it is loaded is
/// read-only afterwards.
const LINK: [&str; 8] = [
    "-shared",
    "-nostdlib",
    "-Wl,-Bsymbolic",
    "-Wl,--exclude-libs,ALL",
    "-Wl,--gc-sections",
    "-Wl,-z,relro,-z,now,-z,noexecstack",
    "-Wl,--build-id=none",
    "-Wl,--no-undefined-version",
];
/// Members of libstdc++ that stand on their own: the red-black tree, the hash tables' primes, and their hash.
const CXX_MEMBERS: [&str; 3] = ["tree.o", "hashtable_c++0x.o", "hash_bytes.o"];
/// The replacement for the rest that ERTS is built with (`erts-build/recipe/toolchain`).
const CXX_SHIM: &str = "shim.cpp";

/// How the names begin that only libstdc++ has.
const CXX_LIBRARY: [&str; 7] = ["_ZSt", "_ZNSt", "_ZNKSt", "_ZTVN10__cxxabi", "__cxa_", "__gxx_", "_Unwind_"];

/// The compilers and headers.
pub struct Toolchain<'a> {
    /// OTP as it is built here, with musl and the C++ compiler that it was built with.
    pub erts: &'a Erts,
    /// `rootfs/native/cxx`: headers that take the place of libstdc++'s, and what else its runtime lacks.
    pub cxx: &'a Path,
    /// Whether the image has no way to take a system call instruction.
    pub no_syscalls: bool,
}

/// Compiles the libraries of a project, checks that the image will load them, and puts them below `out`, in a folder of the application's
/// name.
///
/// # Errors
/// What the compiler says; why the image would not load a library.
pub fn compile(project: &Project, toolchain: &Toolchain<'_>, names: &Names, out: &Path, work: &Path) -> Result<()> {
    for library in &project.libraries {
        let work = work.join(&project.application).join(library.file.replace('/', "."));
        fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
        let made = work.join("library.so");
        build(project, library, toolchain, &work, &made)?;
        let shown = format!("{} of {}", library.file, project.application);
        check(&made, &shown, toolchain, names)?;
        let place = out.join(&project.application).join(&library.file);
        let parent = place.parent().context("a library lies in a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let bytes = fs::read(&made).with_context(|| format!("cannot read {}", made.display()))?;
        // One that is as it was keeps its time: nothing is linked again for it.
        if !fs::read(&place).is_ok_and(|old| old == bytes) {
            fs::write(&place, bytes).with_context(|| format!("cannot write {}", place.display()))?;
        }
    }
    Ok(())
}

fn build(project: &Project, library: &Library, toolchain: &Toolchain<'_>, work: &Path, made: &Path) -> Result<()> {
    let cxx = library.sources.iter().any(|source| is_cxx(source) == Some(true));
    let (mut objects, mut archives) = (Vec::new(), library.archives.clone());
    for (index, source) in library.sources.iter().enumerate() {
        let object = work.join(format!("{index}.o"));
        let mut compiler = compiler_in(project, library, source, toolchain)?;
        let asked = Asked::by(source, compiler_in(project, library, source, toolchain)?, &project.folder)?;
        for other in &asked.libraries {
            let Built { include, archives: own } = other.build(&toolchain.erts.sysroot, &Console)?;
            compiler.arg("-isystem").arg(include);
            archives.extend(own);
        }
        compiler.arg("-c").arg(source).arg("-o").arg(&object);
        let hint = if is_cxx(source) == Some(true) {
            "\n(C++ has no exceptions, no RTTI, no iostreams and no locale but \"C\" here)"
        } else {
            ""
        };
        run(&mut compiler).with_context(|| format!("{} does not compile{hint}{}", source.display(), asked.advice()))?;
        objects.push(object);
    }
    let mut link = Command::new("gcc");
    link.args(LINK).args(&objects);
    if cxx {
        link.args(cxx_runtime(toolchain, work).context("the C++ runtime cannot be had")?);
    }
    run(link.args(archives).arg("-lgcc").arg("-o").arg(made))
        .with_context(|| format!("{} cannot be linked", library.file))
}

/// The compiler of a source of a project, with all headers but those of other libraries.
fn compiler_in(project: &Project, library: &Library, source: &Path, toolchain: &Toolchain<'_>) -> Result<Command> {
    let mut compiler = compiler(source, toolchain)?;
    compiler.current_dir(&project.folder).args(FLAGS);
    for folder in &library.include {
        compiler.arg("-I").arg(folder);
    }
    if is_cxx(source) == Some(true) {
        compiler.arg("-I").arg(toolchain.cxx.join("include"));
    }
    compiler.args(&library.flags).arg("-isystem").arg(toolchain.erts.include());
    // Where headers are wont to lie. There may be some for other systems among them, with names of musl's own.
    for folder in ["", "include", "c_src", "c_src/include"].map(|part| project.folder.join(part)) {
        compiler.arg("-idirafter").arg(folder);
    }
    Ok(compiler)
}

/// Objects that a library in C++ is linked with.
fn cxx_runtime(toolchain: &Toolchain<'_>, work: &Path) -> Result<Vec<PathBuf>> {
    let shim = work.join("shim.o");
    let mut compiler = compiler(Path::new(CXX_SHIM), toolchain)?;
    compiler.args(FLAGS).args(["-std=c++17", "-D_GLIBCXX_EXTERN_TEMPLATE=0", "-c"]);
    run(compiler.arg(toolchain.erts.tools.join(CXX_SHIM)).arg("-o").arg(&shim))?;
    let guard = work.join("guard.o");
    let source = toolchain.cxx.join("guard.c");
    run(self::compiler(&source, toolchain)?.args(FLAGS).arg("-c").arg(&source).arg("-o").arg(&guard))?;
    let libstdcxx = gcc_says("-print-file-name=libstdc++.a")?;
    run(Command::new("ar").current_dir(work).args(["x", &libstdcxx]).args(CXX_MEMBERS))?;
    Ok([shim, guard].into_iter().chain(CXX_MEMBERS.map(|name| work.join(name))).collect())
}

/// The compiler of a source, with the headers of musl.
fn compiler(source: &Path, toolchain: &Toolchain<'_>) -> Result<Command> {
    if is_cxx(source) == Some(true) {
        return Ok(Command::new(toolchain.erts.tools.join("c++")));
    }
    let mut gcc = Command::new("gcc");
    gcc.arg("-nostdinc").arg("-isystem").arg(toolchain.erts.sysroot.root.join("include"));
    // Headers that are the compiler's: vector instructions, atomics.
    gcc.arg("-isystem").arg(gcc_says("-print-file-name=include")?);
    Ok(gcc)
}

fn gcc_says(question: &str) -> Result<String> {
    let output = Command::new("gcc").arg(question).output();
    let output = output.context("there is no C compiler (Debian: apt-get install build-essential)")?;
    Ok(String::from_utf8(output.stdout).context("what gcc says is no text")?.trim().to_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
    Ok(())
}

fn check(made: &Path, shown: &str, toolchain: &Toolchain<'_>, names: &Names) -> Result<()> {
    if toolchain.no_syscalls {
        refuse_syscalls(made, shown)?;
    }
    let folder = made.parent().context("a library lies in a folder")?;
    let Err(failure) = names.check(made, folder) else { return Ok(()) };
    match &failure.problem {
        Problem::Missing(name) if CXX_LIBRARY.iter().any(|start| name.starts_with(start)) => {
            bail!(
                "{shown} needs {name} of the C++ library, of which there is no more than containers and `new`: no exceptions, \
                 no RTTI, no iostreams"
            )
        }
        Problem::Missing(name) => bail!(
            "{shown} needs {name}, which is neither in its sources nor in musl nor in ERTS: if it is of another library, give that one's \
             sources or archive in a nif.toml (docs/nifs.md)"
        ),
        problem => bail!("{shown} cannot be loaded: {problem}"),
    }
}

/// In the direct variant nothing takes a `syscall` instruction: the program calls the library OS.
///
/// # Errors
/// Names one that the library holds.
pub fn refuse_syscalls(library: &Path, shown: &str) -> Result<()> {
    let report = nosyscall::check(library).map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
    if let Some(finding) = report.findings.first() {
        bail!(
            "{shown} makes a system call by itself ({finding}), which nothing takes in this image: let it call the C library \
             (syscall(2) is there), or build with --entry trap"
        );
    }
    Ok(())
}
