//! Linux is the oracle: one C program runs on it and in the image, and has to say the same. See `tests/oracle/README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};
use sources::Console;
use trapless_tests::{deadline, exit::Exit, machine::Machine, repository, run_quietly, variant, vm::Vm};

/// The program for both systems, and what it says on Linux.
struct Oracle {
    image: PathBuf,
    linux: Vec<Test>,
    known: Vec<Known>,
}

/// One test as it was run: its name and the lines it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Test {
    name: String,
    lines: Vec<String>,
}

/// What the program printed.
#[derive(Debug)]
struct Output {
    tests: Vec<Test>,
    /// It came to its end; else the last test did not.
    complete: bool,
}

/// A test whose answer differs, for a reason that is written down.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: String,
}

fn sources_folder() -> PathBuf {
    repository().join("tests/oracle")
}

/// All that a test says of what this Linux does not have, for want of which nothing is compared.
const ABSENT: &str = "not here";

/// Builds everything once, whatever tests are to run.
fn oracle() -> Result<&'static Oracle> {
    static ORACLE: OnceLock<std::result::Result<Oracle, String>> = OnceLock::new();
    ORACLE.get_or_init(|| prepare().map_err(|error| format!("{error:#}"))).as_ref().map_err(|text| anyhow!("{text}"))
}

fn prepare() -> Result<Oracle> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (object, native) = compile(&folder)?;
    let linux = run_on_linux(&native)?;
    let readme = fs::read_to_string(sources_folder().join("README.md")).context("tests/oracle has no README.md")?;
    // The program takes the place of ERTS.
    let image = variant::build("oracle", |cargo| {
        cargo.env("TRAPLESS_PROGRAM", &object);
    })?;
    Ok(Oracle { image, linux, known: known_differences(&readme) })
}

/// The same object for both: as a program of Linux, and to be linked into the image.
fn compile(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let compiler = erts_recipe::musl_sysroot(&Console).context("there is no C library to compile with")?.musl_gcc;
    let mut objects = Vec::new();
    for entry in fs::read_dir(sources_folder())? {
        let source = entry?.path();
        if source.extension().is_some_and(|ending| ending == "c") {
            let object = folder.join(source.file_name().unwrap_or_default()).with_extension("o");
            let flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-fno-pie", "-fno-builtin"];
            run_quietly(
                Command::new(&compiler)
                    .args(flags)
                    .arg("-fno-stack-protector")
                    .arg("-c")
                    .arg(&source)
                    .arg("-o")
                    .arg(&object),
            )?;
            objects.push(object);
        }
    }
    objects.sort();
    let (object, native) = (folder.join("program.o"), folder.join("program"));
    run_quietly(Command::new("ld").args(["-r", "-o"]).arg(&object).args(&objects))?;
    run_quietly(Command::new(&compiler).args(["-static", "-no-pie"]).arg(&object).arg("-o").arg(&native))?;
    Ok((object, native))
}

fn run_on_linux(program: &Path) -> Result<Vec<Test>> {
    let mut command = Command::new(program);
    // A file system in memory, as in the image, where there is one.
    if Path::new("/dev/shm").is_dir() {
        command.env("TMPDIR", "/dev/shm");
    }
    let output = command.stdin(Stdio::null()).output().context("cannot run the program on Linux")?;
    ensure!(output.status.success(), "on Linux the program ended with {}", output.status);
    let output = read_tests(&String::from_utf8_lossy(&output.stdout))?;
    ensure!(output.complete && !output.tests.is_empty(), "on Linux the program did not run its tests");
    Ok(output.tests)
}

/// Cuts the output of the program at its headings; the library OS's own messages between them do not count.
fn read_tests(output: &str) -> Result<Output> {
    let mut tests: Vec<Test> = Vec::new();
    for line in output.lines().map(str::trim_end).skip_while(|line| *line != "oracle begins").skip(1) {
        if line.starts_with("oracle ends") {
            return Ok(Output { tests, complete: true });
        } else if line.starts_with("trapless: ") {
            continue;
        } else if let Some(told) = line.strip_prefix("  ") {
            let test = tests.last_mut().context("a result before the first heading")?;
            test.lines.push(told.to_owned());
        } else {
            tests.push(Test { name: line.to_owned(), lines: Vec::new() });
        }
    }
    Ok(Output { tests, complete: false })
}

/// The list in README.md, below its heading: "- `area.test`: why".
fn known_differences(readme: &str) -> Vec<Known> {
    let section = readme.split_once("## KNOWN_DIFFERENCES").map_or("", |(_, section)| section);
    let names = section.lines().filter_map(|line| Some(line.strip_prefix("- `")?.split_once('`')?.0));
    names.map(|name| Known { name: name.to_owned() }).collect()
}

/// What is wrong with the image's answers; empty if nothing is.
fn compare(linux: &[Test], image: &Output, known: &[Known]) -> Vec<String> {
    let Output { tests: image, complete } = image;
    let mut wrong = Vec::new();
    let same_names = linux.iter().zip(image).all(|(on_linux, here)| on_linux.name == here.name);
    if !complete {
        let last = image.last().map_or("the first test", |test| &test.name);
        wrong.push(format!("it did not come to its end, but stopped in {last}"));
    } else if !same_names || linux.len() != image.len() {
        wrong.push("the two did not run the same tests".to_owned());
    }
    for (on_linux, here) in linux.iter().zip(image) {
        let listed = known.iter().any(|known| known.name == on_linux.name);
        match (on_linux == here, listed) {
            _ if on_linux.lines == [ABSENT] => {}
            (true, false) | (false, true) => {}
            (true, true) => wrong.push(format!("{}: no difference any more; take it off the list", on_linux.name)),
            (false, false) => wrong.push(difference(on_linux, here)),
        }
    }
    wrong
}

/// The first line that differs.
fn difference(linux: &Test, image: &Test) -> String {
    let end = "(nothing more)".to_owned();
    let longer = linux.lines.len().max(image.lines.len());
    let at = |test: &Test, i: usize| test.lines.get(i).unwrap_or(&end).clone();
    let first = (0..longer).find(|&i| at(linux, i) != at(image, i)).unwrap_or(0);
    format!("{}:\n  Linux: {}\n  image: {}", linux.name, at(linux, first), at(image, first))
}

/// Runs the program to its end. Each test has a deadline of its own, so that one that hangs is told soon.
fn run(vm: &mut Vm, tests: &[Test]) -> Result<()> {
    let mut seen = 0;
    for heading in tests.iter().map(|test| test.name.as_str()).chain(["oracle ends"]) {
        match vm.console().wait_for(heading, seen, deadline() / 3) {
            Some((_, end)) => seen = end,
            None => return Err(vm.fail(&format!("it did not come to {heading}"))),
        }
    }
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// Runs the program on a machine with this many CPUs.
fn agrees(cpus: u32) -> Result<()> {
    let oracle = oracle()?;
    let machine = Machine { cpus, memory: 512, append: "--".into(), ..Machine::new(&oracle.image) };
    let mut vm = Vm::boot(&format!("oracle-{cpus}"), &machine)?;
    let ran = run(&mut vm, &oracle.linux);
    // What it said up to where it stopped is compared all the same.
    let wrong = compare(&oracle.linux, &read_tests(&vm.console().text())?, &oracle.known);
    let differences = || format!("{} differences from Linux:\n{}", wrong.len(), wrong.join("\n"));
    ran.with_context(differences)?;
    ensure!(wrong.is_empty(), differences());
    Ok(())
}

#[test]
fn one_cpu_agrees_with_linux() -> Result<()> {
    agrees(1)
}

#[test]
fn two_cpus_agree_with_linux() -> Result<()> {
    agrees(2)
}

#[test]
fn four_cpus_agree_with_linux() -> Result<()> {
    agrees(4)
}

#[test]
fn eight_cpus_agree_with_linux() -> Result<()> {
    agrees(8)
}

#[test]
fn output_is_cut_at_the_headings() {
    let output =
        "noise\r\noracle begins\r\na.x\r\n  one\r\ntrapless: a message\r\n  two\r\na.y\r\noracle ends, 2 tests\r\n";
    let Output { tests, complete } = read_tests(output).unwrap();
    assert_eq!(tests[0], Test { name: "a.x".into(), lines: vec!["one".into(), "two".into()] });
    assert_eq!((tests.len(), tests[1].lines.len(), complete), (2, 0, true));
    assert!(!read_tests("oracle begins\na.x\n  one\n").unwrap().complete);
    assert!(read_tests("oracle begins\n  one\n").is_err());
}

#[test]
fn differences_are_found_unless_known_and_known_ones_must_be_there() {
    let test = |name: &str, line: &str| Test { name: name.into(), lines: vec![line.into()] };
    let output = |b: &str| Output { tests: vec![test("a", "1"), test("b", b)], complete: true };
    let (linux, image) = (output("1"), output("2"));
    let known = known_differences("- `a`: not in the list\n## KNOWN_DIFFERENCES\n\n- `b`: because\n");
    assert_eq!(known, [Known { name: "b".into() }]);
    assert!(compare(&linux.tests, &image, &known).is_empty());
    assert!(compare(&linux.tests, &image, &[])[0].contains("Linux: 1\n  image: 2"));
    assert!(compare(&linux.tests, &linux, &known)[0].contains("take it off"));
    let absent = Output { tests: vec![test("a", "1"), test("b", ABSENT)], complete: true };
    assert!(compare(&absent.tests, &image, &[]).is_empty() && !compare(&image.tests, &absent, &[]).is_empty());
    let shorter = Output { tests: vec![test("a", "1")], complete: true };
    assert!(compare(&linux.tests, &shorter, &known)[0].contains("the same tests"));
    let hung = Output { complete: false, ..shorter };
    assert!(compare(&linux.tests, &hung, &known)[0].contains("stopped in a"));
}
