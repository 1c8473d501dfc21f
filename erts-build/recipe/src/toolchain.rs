//! The compilers OTP is built with: the host's gcc and g++ over musl's headers, with our own C++ runtime shim.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sources::Progress;

use crate::inputs::Inputs;
use crate::openssl::Openssl;
use crate::run::{Result, Step, hermetic, io, output_of};
use crate::sysroot::Sysroot;
use crate::tinfo::Tinfo;

const CC: &str = include_str!("../toolchain/cc.sh");
const CXX: &str = include_str!("../toolchain/cxx.sh");
const LINK_BEAM: &str = include_str!("../toolchain/link-beam.sh");
const SHIM: &str = include_str!("../toolchain/shim.cpp");

/// Members of the host's libstdc++.a that stand on their own: the red-black tree and the hash tables' primes.
const LIBSTDCXX_MEMBERS: [&str; 2] = ["tree.o", "hashtable_c++0x.o"];

/// How every object of the emulator is compiled: position-dependent code for one static image, nothing that needs runtime
/// support, one section per function and datum so that the final link may drop and order them. `-g` is for the debugger;
/// what is linked is stripped of it.
pub(crate) const CFLAGS: &str = "-O2 -g -fno-pie -fno-pic -fno-stack-protector -fcf-protection=none -ffunction-sections \
                                 -fdata-sections -fno-strict-aliasing";

/// The compiler drivers, in one folder.
pub(crate) struct Toolchain {
    pub cc: PathBuf,
    pub cxx: PathBuf,
}

/// Adds what the toolchain depends on to `inputs`.
pub(crate) fn add_inputs(inputs: &mut Inputs, sysroot: &Sysroot, tinfo: &Tinfo, openssl: &Openssl) {
    for (name, content) in [
        ("sysroot", &*sysroot.hash),
        ("tinfo", &*tinfo.hash),
        ("openssl", &*openssl.hash),
        ("cflags", CFLAGS),
        ("cc", CC),
        ("cxx", CXX),
        ("link", LINK_BEAM),
        ("shim", SHIM),
    ] {
        inputs.add(name, content);
    }
}

/// Writes the drivers into `tools` and builds the shim library there.
pub(crate) fn install(
    tools: &Path,
    sysroot: &Sysroot,
    tinfo: &Tinfo,
    openssl: &Openssl,
    progress: &dyn Progress,
) -> Result<Toolchain> {
    fs::create_dir_all(tools).map_err(io(tools))?;
    let includes = cxx_includes(sysroot)?;
    let write = |name: &str, template: &str| {
        let path = tools.join(name);
        let text = template
            .replace("@SYSROOT@", &sysroot.root.display().to_string())
            .replace("@TINFO@", &tinfo.root.display().to_string())
            .replace("@OPENSSL@", &openssl.root.display().to_string())
            .replace("@TOOLS@", &tools.display().to_string())
            .replace("@CXX_INCLUDES@", &includes);
        fs::write(&path, text).map_err(io(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(io(&path))?;
        Ok::<_, crate::Error>(path)
    };
    let toolchain = Toolchain { cc: write("cc", CC)?, cxx: write("c++", CXX)? };
    write("link-beam", LINK_BEAM)?;
    build_shim(tools, &toolchain, progress)?;
    Ok(toolchain)
}

fn build_shim(tools: &Path, toolchain: &Toolchain, progress: &dyn Progress) -> Result<()> {
    let source = tools.join("shim.cpp");
    fs::write(&source, SHIM).map_err(io(&source))?;
    let libstdcxx = output_of("gcc", &["-print-file-name=libstdc++.a"])?;
    let log = tools.join("shim.log");
    let step = |what| Step { what, log: &log, log_size: 1 };
    step("compiling the C++ runtime shim").run(
        hermetic(&toolchain.cxx, tools)
            .current_dir(tools)
            .args(["-std=c++17", "-D_GLIBCXX_EXTERN_TEMPLATE=0", "-c", "shim.cpp", "-o", "shim.o"])
            .args(CFLAGS.split_whitespace()),
        progress,
    )?;
    let mut extract = hermetic("ar", tools);
    extract.current_dir(tools).args(["x", libstdcxx.trim()]).args(LIBSTDCXX_MEMBERS);
    step("taking two members of libstdc++").run(&mut extract, progress)?;
    let mut archive = hermetic("ar", tools);
    archive.current_dir(tools).args(["rcs", "libcxxshim.a", "shim.o"]).args(LIBSTDCXX_MEMBERS);
    step("archiving the C++ runtime shim").run(&mut archive, progress)
}

/// Where the C++ compiler looks for headers: libstdc++'s folders, then musl's, then the compiler's own.
fn cxx_includes(sysroot: &Sysroot) -> Result<String> {
    // The list is printed on standard error, between two fixed lines.
    let text = output_of("sh", &["-c", "g++ -E -x c++ -v /dev/null 2>&1 >/dev/null"])?;
    let own = output_of("gcc", &["-print-file-name=include"])?;
    let mut folders = libstdcxx_folders(&text);
    folders.push(sysroot.root.join("include").display().to_string());
    folders.push(own.trim().to_owned());
    Ok(folders.iter().map(|folder| format!("-isystem {folder}")).collect::<Vec<_>>().join(" "))
}

fn libstdcxx_folders(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| !line.starts_with("#include <...>"))
        .take_while(|line| !line.starts_with("End of search list"))
        .filter(|line| line.starts_with(' ') && line.contains("c++"))
        .map(|line| line.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_libstdcxx_out_of_the_search_list() {
        let text = "ignoring nonexistent directory \"/usr/include/c++/nope\"\n#include \"...\" search starts here:\n\
                    #include <...> search starts here:\n /usr/include/c++/12\n /usr/include/x86_64-linux-gnu/c++/12\n\
                    \x20/usr/lib/gcc/x86_64-linux-gnu/12/include\n /usr/include\nEnd of search list.\n /tmp/c++\n";
        assert_eq!(libstdcxx_folders(text), ["/usr/include/c++/12", "/usr/include/x86_64-linux-gnu/c++/12"]);
    }
}
