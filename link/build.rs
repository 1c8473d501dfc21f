//! Hands the C side to the linker, and looks at what comes out.
//!
//! Only the build script of the package that owns the binary may add link arguments, so the archives' paths arrive here as
//! metadata (`links =`) of the packages that made them. The linker itself is wrapped: GNU ld is called through a copy of this very
//! program, which checks the finished image and leaves it as `image.elf` at the repository root (see `post_link.rs`).

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod c_side;
mod exports;
mod post_link;

/// The environment variable that names another program.
const PROGRAM: &str = "TRAPLESS_PROGRAM";
/// The environment variables that name Erlang code and native code to put in, and an archive that holds a release.
const OTHERS: [&str; 3] = ["TRAPLESS_APP", "TRAPLESS_NIFS", "TRAPLESS_ROOTFS"];

fn main() -> ExitCode {
    if let Some(role) = post_link::role() {
        return role.run();
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let script = root.join("link/image.ld");

    let program = program();
    let entry = metadata("TRAPLESS_MUSL_ENTRY");
    // Only the image with ERTS in it and with nothing added is the product, and only one of its variants has the plain name.
    let image = match entry.as_str() {
        _ if program.is_some() || has_app() => out.join("image.elf"),
        post_link::DIRECT => root.join("image.elf"),
        entry => root.join(format!("image-{entry}.elf")),
    };
    let wrapper = post_link::install(&out, &image, &entry);
    let mut args = vec![
        "-nostartfiles".to_owned(),
        "-nostdlib".to_owned(),
        "-static".to_owned(),
        "-no-pie".to_owned(),
        "-fuse-ld=bfd".to_owned(),
        format!("-B{}", wrapper.display()),
        format!("-Wl,-T,{}", script.display()),
        "-Wl,--build-id=none,-z,max-page-size=4096,-z,norelro,--no-warn-rwx-segments".to_owned(),
    ];
    println!("cargo::rustc-env=TRAPLESS_ROOTFS_CPIO={}", metadata("TRAPLESS_ROOTFS_CPIO"));
    let archives = c_side::Archives { crt1: metadata("TRAPLESS_MUSL_CRT1"), libc: metadata("TRAPLESS_MUSL_LIBC") };
    // Only Erlang loads libraries.
    let loader = program.is_none().then(|| loader(&root));
    let program = program.map_or_else(emulator, |object| vec![object]);
    match c_side::join(&program, &archives, loader.as_ref(), &out) {
        Ok(object) => args.push(object),
        Err(error) => {
            println!("cargo::error={error}");
            return ExitCode::FAILURE;
        }
    }
    // The compiler lets Rust code call memcpy and its like too: the library OS has copies of its own.
    args.extend(archives.group());
    for arg in args {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
    println!("cargo::rerun-if-changed={}", script.display());
    println!("cargo::rerun-if-changed=link/build.rs");
    println!("cargo::rerun-if-changed=link/c_side.rs");
    println!("cargo::rerun-if-changed=link/exports.rs");
    println!("cargo::rerun-if-changed=link/loader");
    println!("cargo::rerun-if-changed=link/post_link.rs");
    ExitCode::SUCCESS
}

/// What a package that the image depends on says about itself by `links =` metadata.
fn metadata(key: &str) -> String {
    env::var(format!("DEP_{key}")).unwrap_or_else(|_| panic!("no {key} from the build script that makes it"))
}

/// The objects of ERTS: the emulator, and crypto's NIF where the archive has the application.
fn emulator() -> Vec<String> {
    let mut objects = vec![metadata("TRAPLESS_ERTS_BEAM")];
    if metadata("TRAPLESS_ROOTFS_APPLICATIONS").split(' ').any(|name| name.split('-').next() == Some("crypto")) {
        objects.push(metadata("TRAPLESS_ERTS_CRYPTO"));
    }
    objects
}

/// What loading the shared libraries of the root file system takes.
fn loader(root: &Path) -> c_side::Loader {
    c_side::Loader {
        sources: root.join("link/loader"),
        include: metadata("TRAPLESS_MUSL_INCLUDE"),
        wanted: metadata("TRAPLESS_ROOTFS_IMPORTS").split_whitespace().map(str::to_owned).collect(),
    }
}

/// Whether somebody's Erlang code is put in.
fn has_app() -> bool {
    let given = OTHERS.map(|variable| {
        println!("cargo::rerun-if-env-changed={variable}");
        env::var_os(variable).is_some_and(|path| !path.is_empty())
    });
    given.contains(&true)
}

/// The object file that takes the place of ERTS, if there is one (README.md, "Another program").
fn program() -> Option<String> {
    println!("cargo::rerun-if-env-changed={PROGRAM}");
    let path = env::var_os(PROGRAM)?.into_string().expect("a path that cargo can pass on");
    println!("cargo::rerun-if-changed={path}");
    Some(path)
}
