//! Somebody's release becomes an image: what it is given comes in layers, and what cannot work is named before.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
};

use anyhow::{Context, Result, bail, ensure};
use erts_recipe::{Erts, Flavor};
use rootfs_recipe::{
    ARCHIVE_VARIABLE,
    erlang::Erlang,
    tree::{list, name_of},
};
use rootfs_release::{Packed, Wish, applications::Otp, start::Additions, unpack};
use sources::Console;
use trapless_tests::{
    exit::Exit,
    image, initrd,
    machine::{Kind, Machine},
    repository, run_quietly, variant,
    vm::Vm,
};

/// The status of a boot that is refused before Erlang starts.
const REFUSED: Exit = Exit::Halted(125);

fn erts() -> Result<Erts> {
    Ok(erts_recipe::build(Flavor::from_environment()?, &Console)?)
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("release").join(name)
}

/// An archive that OTP's systools made of `tests/release/demo`.
fn archive() -> Result<PathBuf> {
    // One test makes it, and the others wait for that.
    static MADE: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = &*made {
        return Ok(made.clone());
    }
    let folder = scratch(&format!("made-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let tests = repository().join("tests/release");
    let arguments = [tests.join("demo"), folder.clone()];
    Erlang::new(erts()?.otp.join("bin/erl")).run(&folder, &tests.join("release_tool.erl"), &arguments)?;
    Ok(made.insert(folder.join("demo.tar.gz")).clone())
}

/// The release as a folder, with a `vm.args`, to be changed at will.
fn release(name: &str) -> Result<PathBuf> {
    let folder = unpack::unpack(&archive()?, &scratch(name))?;
    fs::copy(repository().join("tests/release/vm.args"), folder.join("releases/1.2.3/vm.args"))?;
    Ok(folder)
}

fn pack(release: &Path, additions: Additions) -> Result<Packed> {
    pack_with(release, additions, None)
}

/// The same with shared libraries that were made for the image.
fn pack_with(release: &Path, additions: Additions, nifs: Option<&Path>) -> Result<Packed> {
    let erts = erts()?;
    let otp = Otp { root: &erts.otp, erts: &erts.erts_version, objects: &[&erts.beam], libc: &erts.libc() };
    let no_syscalls = variant::entry() == "direct";
    let wish = Wish { release, additions, app: None, strip: true, allow_native: false, nifs, no_syscalls };
    rootfs_release::pack(&wish, &otp, &repository().join("rootfs"), &release.with_extension("work"))
}

/// An image of a packed release.
fn image_of(name: &str, packed: &Packed) -> Result<PathBuf> {
    let file = scratch(name).with_extension("cpio");
    fs::write(&file, &packed.bytes)?;
    variant::build(&format!("release-{name}"), |cargo| {
        cargo.env(ARCHIVE_VARIABLE, &file);
    })
}

/// The image of the release above.
fn demo() -> Result<PathBuf> {
    static IMAGE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = IMAGE.get_or_init(|| {
        let make = || -> Result<PathBuf> {
            let additions = Additions { env: vec!["DEMO_B=image".into()], ..Additions::default() };
            let packed = pack(&release("demo")?, additions)?;
            ensure!(packed.report.to_string().contains("demo-1.2.3"), "the report names no demo-1.2.3");
            image_of("demo", &packed)
        };
        make().map_err(|error| format!("{error:#}"))
    });
    built.clone().map_err(anyhow::Error::msg)
}

/// An initrd with these files.
fn initrd(name: &str, files: &[(&str, &str)]) -> Result<PathBuf> {
    let file = scratch(name).with_extension("initrd");
    fs::create_dir_all(scratch(""))?;
    let files: Vec<_> = files.iter().map(|(path, content)| (*path, content.as_bytes())).collect();
    initrd::write(&file, &files)?;
    Ok(file)
}

fn with_initrd(file: &Path) -> Vec<String> {
    vec!["-initrd".to_owned(), file.display().to_string()]
}

/// Boots to the end, which has to come with this status, and looks for lines on the console.
fn prints(name: &str, machine: &Machine, status: &Exit, lines: &[&str]) -> Result<()> {
    let mut vm = Vm::boot(name, machine)?;
    let exit = vm.wait_exit()?;
    let console = vm.console().text();
    for line in lines {
        ensure!(console.contains(line), vm.fail(&format!("the console does not say {line:?}")));
    }
    ensure!(exit == *status, vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

#[test]
fn a_release_starts_with_its_own_configuration() -> Result<()> {
    let machine = Machine { append: "-- -demo_halt 3".into(), ..Machine::new(demo()?) };
    let lines = [
        "=greeting configured number 1",
        "=env \"from vm.args\" \"image\"",
        "=arguments {ok,[[\"one\",\"two words\"]]}",
        "=node 'demo@127.0.0.1' cookie fromfile",
        "=mode embedded limit 8192",
        "=priv from priv",
        "=running [demo,kernel,sasl,stdlib]",
        "=done",
    ];
    prints("release-own", &machine, &Exit::Halted(3), &lines)
}

/// The image's epmd is a module that no release names, and in embedded mode nothing is loaded when it is called.
#[test]
fn a_release_has_the_epmd_of_the_image() -> Result<()> {
    let machine = Machine { append: "-- -demo_halt 3 -start_epmd true".into(), ..Machine::new(demo()?) };
    let lines = ["=node 'demo@127.0.0.1' cookie fromfile", "=mode embedded", "=done"];
    prints("release-epmd", &machine, &Exit::Halted(3), &lines)
}

/// Image, initrd, fw_cfg, command line: each layer has something that the one above takes over, and something that stays. On every
/// machine type, for each has another way to tell where an initrd is.
#[test]
fn what_comes_later_wins() -> Result<()> {
    let config = "[{demo, [{greeting, overlaid}, {number, 2}]}].\n";
    let initrd = initrd(
        "layers",
        &[
            ("etc/demo.conf", "from the initrd"),
            ("etc/trapless/args", "-given initrd\n-setcookie initrd\n"),
            ("etc/trapless/env", "# a comment\nDEMO_A=initrd\nDEMO_B=initrd\n"),
            ("otp/releases/1.2.3/sys.config", config),
        ],
    )?;
    for kind in Kind::ALL {
        let mut extra = with_initrd(&initrd);
        for (name, text) in [("args", "-given fw_cfg -setcookie secret -demo_halt 1"), ("env", "DEMO_B=fw_cfg")] {
            extra.extend(["-fw_cfg".to_owned(), format!("name=opt/org.trapless/{name},string={text}")]);
        }
        let append = "env=DEMO_A=line -- -given line -demo number 3 -name other@127.0.0.1".to_owned();
        let machine = Machine { kind, append, extra, ..Machine::new(demo()?) };
        let lines = [
            "=greeting overlaid number 3",
            "=env \"line\" \"fw_cfg\"",
            "=arguments {ok,[[\"one\",\"two words\"],[\"initrd\"],[\"fw_cfg\"],[\"line\"]]}",
            "=node 'other@127.0.0.1' cookie secret",
            "=overlay {ok,<<\"from the initrd\">>}",
        ];
        prints(&format!("release-layers-{kind}"), &machine, &Exit::Halted(1), &lines)?;
    }
    Ok(())
}

/// `${NAME}` in arguments and in files is the environment's, and one that is not there is named.
#[test]
fn variables_are_replaced_at_boot() -> Result<()> {
    let initrd = initrd(
        "templates",
        &[
            ("etc/trapless/args.src", "-given ${WHO} ${PORT:-8080} -demo_halt 2"),
            ("etc/trapless/templates", "/otp/releases/1.2.3/sys.config\n"),
            ("otp/releases/1.2.3/sys.config.src", "[{demo, [{greeting, ${WHO}}]}].\n"),
        ],
    )?;
    let machine = Machine { extra: with_initrd(&initrd), ..Machine::new(demo()?) };
    prints(
        "release-unset",
        &machine,
        &REFUSED,
        &["etc/trapless/args.src of the initrd: WHO is not in the environment"],
    )?;
    let machine = Machine { append: "env=WHO=somebody".into(), ..machine };
    let lines = ["=greeting somebody number 1", "[\"somebody\",\"8080\"]"];
    prints("release-templates", &machine, &Exit::Halted(2), &lines)
}

/// An initrd that is cut off or is none ends the boot with a message, in a release and without one.
#[test]
fn a_damaged_initrd_is_refused() -> Result<()> {
    let whole = fs::read(initrd("whole", &[("etc/demo.conf", "x"), ("etc/demo.more", "y")])?)?;
    let file = scratch("damaged").with_extension("initrd");
    let mut wrong = whole.clone();
    wrong[0] = b'x';
    let gzip = [&[0x1f, 0x8b, 8, 0][..], &whole[..]].concat();
    for (bytes, words) in [
        (&whole[..whole.len() - 40], "the archive ends inside this entry"),
        (&whole[..150], "the archive ends inside this entry"),
        (&wrong[..], "no header of the format newc"),
        (&gzip[..], "it is compressed (gzip)"),
    ] {
        fs::write(&file, bytes)?;
        let machine = Machine { extra: with_initrd(&file), ..Machine::new(image()) };
        prints("release-initrd", &machine, &REFUSED, &["cannot boot: the initrd is damaged: ", words])?;
    }
    Ok(())
}

/// What a layer asks for and is wrong is named with its place.
#[test]
fn a_wrong_layer_is_refused() -> Result<()> {
    let initrd = initrd("wrong", &[("etc/trapless/env", "A=1\nB\n")])?;
    let machine = Machine { extra: with_initrd(&initrd), ..Machine::new(image()) };
    let words = "etc/trapless/env of the initrd: line 2 is not NAME=VALUE";
    prints("release-wrong-env", &machine, &REFUSED, &[words])?;
    let extra = ["-fw_cfg", "name=opt/org.trapless/args,string='open"].map(str::to_owned).to_vec();
    let machine = Machine { extra, ..Machine::new(image()) };
    prints("release-wrong-args", &machine, &REFUSED, &["opt/org.trapless/args of fw_cfg: the quote at character 0"])?;
    let machine = Machine { append: "-- -detached".into(), ..Machine::new(image()) };
    prints("release-detached", &machine, &REFUSED, &["-detached is not possible without an operating system"])
}

/// A library for glibc makes a release unusable, unless one that was made for the image takes its place.
#[test]
fn a_library_for_glibc_is_named_or_replaced() -> Result<()> {
    let folder = release("glibc")?;
    let source = scratch("glibc.c");
    fs::write(&source, "int puts(const char *); int nif_init(void) { return puts(\"x\"); }")?;
    let library = folder.join("lib/demo-1.2.3/priv/demo_nif.so");
    run_quietly(Command::new("cc").args(["-shared", "-fPIC"]).arg(&source).arg("-o").arg(&library))?;
    let refused = pack(&folder, Additions::default()).err().context("a library for glibc is taken")?;
    let refused = format!("{refused:#}");
    for word in ["lib/demo-1.2.3/priv/demo_nif.so", "built for glibc", "--nif DIR", "--allow-native"] {
        ensure!(refused.contains(word), "it does not say {word:?}: {refused}");
    }
    let nifs = scratch("glibc-nifs");
    fs::create_dir_all(nifs.join("demo/priv"))?;
    fs::write(nifs.join("demo/priv/demo_nif.so"), "made for the image")?;
    let packed = pack_with(&folder, Additions::default(), Some(&nifs))?;
    let holds = |text: &[u8]| packed.bytes.windows(text.len()).any(|bytes| bytes == text);
    ensure!(holds(b"made for the image") && !holds(b"GLIBC_2"), "the library was not replaced");
    Ok(())
}

/// Why a release is refused that was changed.
fn refusal(name: &str, change: impl FnOnce(&Path) -> Result<()>) -> Result<String> {
    let folder = release(name)?;
    change(&folder)?;
    match pack(&folder, Additions::default()) {
        Ok(_) => bail!("{name}: the release was taken"),
        Err(error) => Ok(format!("{error:#}")),
    }
}

fn replace(file: &Path, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(file)?;
    ensure!(text.contains(from), "{} holds no {from}", file.display());
    fs::write(file, text.replace(from, to)).context("cannot write")
}

#[test]
fn what_cannot_work_is_named() -> Result<()> {
    let rel = "releases/1.2.3/demo.rel";
    let erts = erts()?.erts_version;
    let says = |text: String, words: &[&str]| -> Result<()> {
        for word in words {
            ensure!(text.contains(word), "it does not say {word:?}: {text}");
        }
        Ok(())
    };
    let older = refusal("older", |folder| replace(&folder.join(rel), &format!("\"{erts}\""), "\"14.2.5\""))?;
    says(
        older,
        &["made for erts-14.2.5 (OTP 26)", &format!("erts-{erts} (OTP 27)"), "make the release with that OTP"],
    )?;
    let missing = refusal("missing", |folder| replace(&folder.join(rel), "{sasl,\"", "{cowboy,\"2\"},{sasl,\""))?;
    says(missing, &["the application cowboy-2", "is not in lib/"])?;
    let native =
        refusal("native", |folder| Ok(fs::write(folder.join("lib/demo-1.2.3/priv/bcrypt_nif.so"), "\x7fELF")?))?;
    says(native, &["lib/demo-1.2.3/priv/bcrypt_nif.so is a shared library", "--allow-native"])?;
    let detached =
        refusal("detached", |folder| replace(&folder.join("releases/1.2.3/vm.args"), "+P", "-detached\n+P"))?;
    says(detached, &["vm.args: -detached is not possible"])?;
    let empty = pack(&scratch(""), Additions::default()).err().context("a folder was taken for a release")?;
    says(format!("{empty:#}"), &["is not a release", "rebar3 release"])
}

/// Elixir as Debian packages it, unpacked.
fn elixir() -> Result<PathBuf> {
    let package = sources::fetch_binary(&repository().join("tests/release/elixir.lock"), &Console)?;
    let folder = scratch("elixir-package");
    run_quietly(Command::new("dpkg-deb").arg("-x").args([&package, &folder]))?;
    Ok(folder.join("usr/lib/elixir"))
}

/// What `mix release` makes of `tests/release/elixir`, with the OTP that is built here.
fn mix_release(otp: &Path) -> Result<PathBuf> {
    let project = scratch("mix");
    for file in ["mix.exs", "lib/demo.ex", "config/runtime.exs"] {
        let to = project.join(file);
        fs::create_dir_all(to.parent().context("it is in a folder")?)?;
        fs::copy(repository().join("tests/release/elixir").join(file), to)?;
    }
    let path = [otp.join("bin"), elixir()?.join("bin")].map(|folder| folder.display().to_string()).join(":");
    let path = format!("{path}:{}", std::env::var("PATH").unwrap_or_default());
    let mut mix = Command::new("mix");
    mix.args(["release", "--overwrite"]).current_dir(&project).env("PATH", path);
    mix.env("MIX_ENV", "prod").env("HOME", &project).env("LANG", "C.UTF-8");
    run_quietly(&mut mix)?;
    Ok(project.join("_build/prod/rel/demo"))
}

#[test]
fn a_release_of_mix_boots() -> Result<()> {
    let otp = erts()?.otp;
    if !list(&otp.join("lib"))?.iter().any(|folder| name_of(folder).is_ok_and(|name| name.starts_with("crypto-"))) {
        eprintln!("not run: mix wants OTP's application crypto, which is not among those that are built here");
        return Ok(());
    }
    let packed = pack(&mix_release(&otp)?, Additions::default())?;
    let image = image_of("mix", &packed)?;
    for (append, greeting) in [("", "from runtime.exs"), ("env=GREETING=hello", "hello")] {
        let mut vm = Vm::boot("release-mix", &Machine { append: append.into(), ..Machine::new(&image) })?;
        vm.wait_for(&format!("=greeting {greeting} of demo"))?;
        vm.wait_for("=node demo@")?;
        vm.wait_for("=squares [1, 4, 9, 16, 25, 36, 49, 64] true")?;
        vm.wait_for("=done")?;
        ensure!(vm.console().text().contains("[info] =logged"), vm.fail("nothing was logged"));
    }
    Ok(())
}
