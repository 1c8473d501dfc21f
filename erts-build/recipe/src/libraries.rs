//! Libraries that NIFs stand on, for those whose sources include a header of theirs: static, over the stock musl, in code that may lie
//! anywhere, since it becomes part of a shared library.
//!
//! All but OpenSSL are compiled source by source: their packages have no configure script before somebody runs autoconf, and what it would
//! find out about musl is a few definitions.

use std::fs;
use std::path::{Path, PathBuf};

use sources::host::{self, Task};
use sources::{Lock, Patches, Progress, cache};

use crate::inputs::{Inputs, OPENSSL_LOCK, repository, short};
use crate::openssl::{Purpose, openssl};
use crate::run::{Result, Step, hermetic, io};
use crate::sysroot::Sysroot;

/// How they are compiled: as a NIF is, with a section for each function and datum, so that a NIF gets no more of them than it calls.
pub(crate) const CFLAGS: &str =
    "-O2 -g0 -fPIC -fno-stack-protector -fcf-protection=none -U_FORTIFY_SOURCE -ffunction-sections -fdata-sections";

/// A library that NIFs may ask for.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    /// Its name, as its project spells it.
    pub name: &'static str,
    /// Path of its lock file below the root of the repository.
    pub lock: &'static str,
    /// Its headers, or the folder that they are in, with a slash behind it.
    headers: &'static [&'static str],
    made: Made,
}

/// How a library is built.
#[derive(Debug, PartialEq, Eq)]
enum Made {
    /// Its sources are compiled.
    Compiled(Recipe),
    /// By OpenSSL's own makefile.
    Openssl,
}

/// What a library is compiled of. Paths begin at the root of its package.
#[derive(Debug, PartialEq, Eq)]
struct Recipe {
    /// The folder of its headers.
    include: &'static str,
    /// The folder of its sources.
    folder: &'static str,
    /// Their names, without `.c`.
    names: &'static [&'static str],
    /// What its configure script would find out, as arguments for the compiler.
    flags: &'static [&'static str],
    /// The header that its configure script would write that into.
    config: Option<&'static str>,
}

/// All of them.
pub static LIBRARIES: [Library; 4] = [
    Library {
        name: "expat",
        lock: "erts-build/libraries/expat.lock",
        headers: &["expat.h", "expat_external.h"],
        made: Made::Compiled(Recipe {
            include: "expat/lib",
            folder: "expat/lib",
            names: &["random_getrandom", "xmlparse", "xmlrole", "xmltok"],
            flags: &[
                "-DHAVE_GETRANDOM=1",
                "-DXML_CONTEXT_BYTES=1024",
                "-DXML_DTD=1",
                "-DXML_GE=1",
                "-DXML_NS=1",
                "-DBYTEORDER=1234",
            ],
            config: Some("expat_config.h"),
        }),
    },
    Library {
        name: "libyaml",
        lock: "erts-build/libraries/libyaml.lock",
        headers: &["yaml.h"],
        made: Made::Compiled(Recipe {
            include: "include",
            folder: "src",
            names: &["api", "dumper", "emitter", "loader", "parser", "reader", "scanner", "writer"],
            flags: &[
                "-DYAML_VERSION_MAJOR=0",
                "-DYAML_VERSION_MINOR=2",
                "-DYAML_VERSION_PATCH=5",
                "-DYAML_VERSION_STRING=\"0.2.5\"",
            ],
            config: None,
        }),
    },
    Library { name: "OpenSSL", lock: OPENSSL_LOCK, headers: &["openssl/"], made: Made::Openssl },
    Library {
        name: "zlib",
        lock: "erts-build/libraries/zlib.lock",
        headers: &["zlib.h", "zconf.h"],
        made: Made::Compiled(Recipe {
            include: "",
            folder: "",
            names: &[
                "adler32", "compress", "crc32", "deflate", "gzclose", "gzlib", "gzread", "gzwrite", "infback",
                "inffast", "inflate", "inftrees", "trees", "uncompr", "zutil",
            ],
            flags: &["-DHAVE_UNISTD_H", "-DHAVE_STDARG_H"],
            config: None,
        }),
    },
];

/// A library that is there to be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The folder of its headers.
    pub include: PathBuf,
    /// Its archives, each before those that it needs.
    pub archives: Vec<PathBuf>,
}

impl Library {
    /// The library that has a header of this name, as a source includes it.
    #[must_use]
    pub fn of_header(header: &str) -> Option<&'static Self> {
        let has = |own: &&str| if own.ends_with('/') { header.starts_with(*own) } else { header == *own };
        LIBRARIES.iter().find(|library| library.headers.iter().any(has))
    }

    /// Returns the library, building it unless the cache has it.
    ///
    /// # Errors
    /// [`crate::Error`]: no sources, no tools, no room, or a failing build.
    pub fn build(&self, sysroot: &Sysroot, progress: &dyn Progress) -> Result<Built> {
        match &self.made {
            Made::Compiled(recipe) => self.compiled(recipe, sysroot, progress),
            Made::Openssl => {
                let root = openssl(Purpose::Nifs, sysroot, progress)?.root;
                let archives = Purpose::Nifs.archives().iter().map(|name| root.join("lib").join(name)).collect();
                Ok(Built { include: root.join("include"), archives })
            }
        }
    }

    fn compiled(&self, recipe: &Recipe, sysroot: &Sysroot, progress: &dyn Progress) -> Result<Built> {
        host::require(Task::Musl)?;
        let lock = Lock::read(&repository().join(self.lock))?;
        let mut inputs = Inputs::common()?;
        inputs.add("library", &lock.to_text()).add("sysroot", &sysroot.hash).add("cflags", CFLAGS);
        inputs.add("sources", &recipe.names.join(" ")).add("flags", &recipe.flags.join(" "));
        let hash = inputs.hash();
        let root = cache::root()?.join(format!("{}-{}", self.name, short(&hash)));
        let built = Built { include: root.join("include"), archives: vec![root.join("lib.a")] };
        let complete = root.join("complete");
        let _guard = cache::guard(self.name, progress)?;
        if !complete.is_file() {
            if root.exists() {
                fs::remove_dir_all(&root).map_err(io(&root))?;
            }
            let tree = root.join("src");
            sources::unpack(&sources::fetch(&lock, progress)?, &tree, Patches::All, progress)?;
            self.install(recipe, &tree, sysroot, &built, progress)?;
            fs::remove_dir_all(&tree).map_err(io(&tree))?;
            cache::write_atomically(&complete, format!("{hash}\n").as_bytes())?;
        }
        Ok(built)
    }

    /// Compiles what `tree` holds, there, and puts what is to stay where `built` says.
    fn install(
        &self,
        recipe: &Recipe,
        tree: &Path,
        sysroot: &Sysroot,
        built: &Built,
        progress: &dyn Progress,
    ) -> Result<()> {
        let folder = tree.join(recipe.folder);
        if let Some(header) = recipe.config {
            let path = folder.join(header);
            fs::write(&path, "").map_err(io(&path))?;
        }
        let mut compiler = hermetic(&sysroot.musl_gcc, tree);
        compiler.current_dir(&folder).args(CFLAGS.split(' ')).args(recipe.flags);
        compiler.arg("-I").arg(tree.join(recipe.include)).arg("-c");
        compiler.args(recipe.names.iter().map(|name| format!("{name}.c")));
        let what = format!("compiling {}", self.name);
        Step { what: &what, log: &built.include.with_file_name("compile.log"), log_size: 1 }
            .run(&mut compiler, progress)?;
        let mut ar = hermetic("ar", tree);
        ar.current_dir(&folder).arg("rcs").args(&built.archives);
        ar.args(recipe.names.iter().map(|name| format!("{name}.o")));
        let what = format!("archiving {}", self.name);
        Step { what: &what, log: &built.include.with_file_name("archive.log"), log_size: 1 }.run(&mut ar, progress)?;

        fs::create_dir_all(&built.include).map_err(io(&built.include))?;
        for header in self.headers {
            let from = tree.join(recipe.include).join(header);
            fs::copy(&from, built.include.join(header)).map_err(io(&from))?;
        }
        Ok(())
    }
}

/// Full paths of the lock files of those that have one of their own.
#[must_use]
pub fn library_locks() -> Vec<PathBuf> {
    let own = LIBRARIES.iter().filter(|library| library.made != Made::Openssl);
    own.map(|library| repository().join(library.lock)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_leads_to_its_library() {
        let name = |header| Library::of_header(header).map(|library| library.name);
        assert_eq!(name("zlib.h"), Some("zlib"));
        assert_eq!(name("openssl/ssl.h"), Some("OpenSSL"));
        for other in ["openssl.h", "yaml.hpp", "x/expat.h", "erl_nif.h", ""] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn each_has_a_lock() {
        for library in &LIBRARIES {
            assert!(Lock::read(&repository().join(library.lock)).is_ok(), "{}", library.name);
        }
    }
}
