//! NIFs and drivers in shared libraries: compiled for the image and loaded by it, and what it refuses.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use erts_recipe::{Erts, Flavor};
use rootfs_native::{Names, Project, Toolchain, compile};
use rootfs_recipe::{app::APP_VARIABLE, shared::NIFS_VARIABLE};
use sources::{Console, Lock, Patches};
use trapless_tests::{erl, exit::Exit, machine::Machine, repository, run_quietly, variant, vm::Vm};

const APPLICATION: &str = "trapless_nif_test";

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("nifs").join(variant::entry())
}

fn erts() -> Result<Erts> {
    Ok(erts_recipe::build(Flavor::from_environment()?, &Console)?)
}

/// Compiles the libraries of a folder for the image, and returns the folder with them, `name`.
fn compiled(erts: &Erts, given: &str, name: &str) -> Result<PathBuf> {
    let cxx = repository().join("rootfs/native/cxx");
    let toolchain = Toolchain { erts, cxx: &cxx, no_syscalls: variant::entry() == "direct" };
    let (out, work) = (scratch().join(format!("made-{name}")), scratch().join("work"));
    compile(&Project::read(given)?, &toolchain, &Names::of(&[&erts.beam], &erts.libc())?, &out, &work)?;
    Ok(out)
}

/// The test's application, with libraries beside it that cannot be loaded.
fn application(made: &Path) -> Result<PathBuf> {
    let folder = scratch().join(APPLICATION);
    let private = folder.join("priv");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&private)?;
    symlink(repository().join("tests/nifs").join(APPLICATION).join("src"), folder.join("src"))?;
    let good = fs::read(made.join(APPLICATION).join("priv/counter.so"))?;
    fs::write(private.join("cut.so"), &good[..good.len() / 3])?;
    let cc = |name: &str, source: &str, arguments: &[&str]| {
        let file = scratch().join(name).with_extension("c");
        fs::write(&file, source)?;
        let mut cc = Command::new("cc");
        run_quietly(cc.args(["-shared", "-fPIC"]).args(arguments).arg(&file).arg("-o").arg(private.join(name)))
    };
    cc("glibc.so", "int puts(const char *); int nif_init(void) { return puts(\"x\"); }", &[])?;
    // What --nif has made takes the place of this one.
    cc("words.so", "int puts(const char *); int nif_init(void) { return puts(\"x\"); }", &[])?;
    cc("missing.so", "int nobody_has_this(void); int nif_init(void) { return nobody_has_this(); }", &["-nostdlib"])?;
    Ok(folder)
}

#[test]
fn libraries_are_compiled_and_loaded() -> Result<()> {
    let erts = erts()?;
    let made = compiled(&erts, &repository().join("tests/nifs").join(APPLICATION).display().to_string(), "own")?;
    let application = application(&made)?;
    let image = variant::build("nifs", |cargo| {
        cargo.env(APP_VARIABLE, &application).env(NIFS_VARIABLE, &made);
    })?;
    let append = erl("trapless_nif_test:run(), halt(9).");
    let mut vm = Vm::boot("nifs", &Machine { cpus: 4, append, ..Machine::new(image) })?;
    let exit = vm.wait_exit()?;
    let console = vm.console().text();
    for line in [
        "state {7,[1,2,3],1}",
        "libc {true,'1.500_31'}",
        "resource 1",
        "dirty [1,1,1,1,1,1,1,1]",
        "local {1001,true}",
        "c++ [{be,two,2},{to,two,2},{'not',one,3},{'or',one,2}]",
        "driver {<<101,99,104,111>>,[99,98,97]}",
        "upgrade {{8,4},9,5}",
        "rights {true,true}",
        "glibc: load_failed Failed to load NIF library",
        "built for glibc (it needs libc.so.6)",
        "cargo xtask image --nif DIR",
        "it is cut off: the file ends before its segments",
        "symbol not found: nobody_has_this",
        "No such file or directory",
        "done",
    ] {
        ensure!(console.contains(line), vm.fail(&format!("the console does not say {line:?}")));
    }
    ensure!(exit == Exit::Halted(9), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// jiffy as Debian has it: C, and C++ for numbers; what is made of what says its `rebar.config`.
#[test]
fn jiffy_encodes_and_decodes() -> Result<()> {
    const CODE: &str = r#"
        Say = fun(Name, Value) -> io:format("~s ~w~n", [Name, Value]) end,
        io:format("text ~s~n", [jiffy:encode({[{<<"a">>, [1, 2.5, true, null, <<"b\"">>]}]})]),
        io:format("numbers ~s~n", [jiffy:encode([0.1, 1.0e22, 5.0e-324, 1.7976931348623157e308, 123456789012345678901])]),
        Say("map", jiffy:decode(<<"{\"pi\": 3.14159265358979, \"l\": [{}, [], null]}">>, [return_maps])),
        Say("wrong", try jiffy:decode(<<"{\"a\": nul}">>) catch error:Why -> Why end),
        Many = [#{<<"n">> => N, <<"f">> => N / 7} || N <- lists:seq(1, 20000)],
        Say("same", jiffy:decode(iolist_to_binary(jiffy:encode(Many)), [return_maps]) =:= Many),
        halt(5).
    "#;
    let erts = erts()?;
    let lock = Lock::read(&repository().join("tests/nifs/jiffy.lock"))?;
    let tree = scratch().join("jiffy");
    sources::unpack(&sources::fetch(&lock, &Console)?, &tree, Patches::All, &Console)?;
    let made = compiled(&erts, &tree.display().to_string(), "jiffy")?;
    let image = variant::build("jiffy", |cargo| {
        cargo.env(APP_VARIABLE, &tree).env(NIFS_VARIABLE, &made);
    })?;
    let code = CODE.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut vm = Vm::boot("jiffy", &Machine { cpus: 2, append: erl(&code), ..Machine::new(image) })?;
    let exit = vm.wait_exit()?;
    let console = vm.console().text();
    for line in [
        r#"text {"a":[1,2.5,true,null,"b\""]}"#,
        "numbers [0.1,1e+22,5e-324,1.7976931348623157e+308,123456789012345678901]",
        "map #{<<108>> => [#{},[],null],<<112,105>> => 3.14159265358979}",
        "wrong {7,invalid_literal}",
        "same true",
    ] {
        ensure!(console.contains(line), vm.fail(&format!("the console does not say {line:?}")));
    }
    ensure!(exit == Exit::Halted(5), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// A library that was built elsewhere for musl is linked if it is named.
#[test]
fn an_archive_is_linked() -> Result<()> {
    const SOURCE: &str = "int answer(void); int f(void) { return answer(); } // ERL_NIF_INIT";
    const DESCRIPTION: &str = "application = 'archive'\n[[library]]\nfile = 'priv/a.so'\nsources = ['a.c']\n";
    let erts = erts()?;
    let folder = scratch().join("archive");
    fs::create_dir_all(&folder)?;
    let write = |name: &str, text: &str| fs::write(folder.join(name), text);
    write("a.c", SOURCE)?;
    write("answer.c", "int answer(void) { return 42; }")?;
    let mut compiler = Command::new(&erts.sysroot.musl_gcc);
    run_quietly(compiler.current_dir(&folder).args(["-fPIC", "-c", "answer.c"]))?;
    run_quietly(Command::new("ar").current_dir(&folder).args(["rcs", "libanswer.a", "answer.o"]))?;
    write("nif.toml", DESCRIPTION)?;
    let given = folder.display().to_string();
    let error = format!("{:#}", compiled(&erts, &given, "archive").err().context("it needs nothing")?);
    ensure!(error.contains("needs answer"), "{error}");
    write("nif.toml", &format!("{DESCRIPTION}archives = ['libanswer.a']\n"))?;
    compiled(&erts, &given, "archive").map(drop)
}

/// What does not compile, or asks for what nobody has, is named when the image is made.
#[test]
fn mistakes_are_named_before() -> Result<()> {
    let erts = erts()?;
    for (name, file, source, message) in [
        ("syntax", "a.c", "#include <erl_nif.h>\nERL_NIF_INIT(", "a.c does not compile"),
        (
            "unknown",
            "a.c",
            "extern int nobody_has_this(void); int f(void) { return nobody_has_this(); } // ERL_NIF_INIT",
            "needs nobody_has_this",
        ),
        (
            "glibc",
            "a.c",
            "extern int __printf_chk(int, const char *, ...); int f(void) { return __printf_chk(1, \"x\"); } // ERL_NIF_INIT",
            "needs __printf_chk",
        ),
        ("header", "a.c", "#include <sodium.h> // ERL_NIF_INIT", "sodium.h is not among its headers"),
        ("throws", "a.cc", "int f() { throw 1; } // ERL_NIF_INIT", "no exceptions"),
        (
            "streams",
            "a.cc",
            "namespace std { void g(); } int f() { std::g(); return 1; } // ERL_NIF_INIT",
            "of the C++ library",
        ),
    ] {
        let folder = scratch().join(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(file), source)?;
        let error = compiled(&erts, &folder.display().to_string(), "wrong")
            .err()
            .with_context(|| format!("{name} compiles"))?;
        let error = format!("{error:#}");
        ensure!(error.contains(message), "{name}: {error}");
    }
    if variant::entry() == "direct" {
        let folder = scratch().join("trap");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("a.c"), "void f(void) { __asm__(\"syscall\"); } // ERL_NIF_INIT")?;
        let error =
            format!("{:#}", compiled(&erts, &folder.display().to_string(), "wrong").err().context("it compiles")?);
        ensure!(error.contains("makes a system call by itself"), "{error}");
    }
    Ok(())
}
