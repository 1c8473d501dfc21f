//! Programs and the shell on a file system with the files of proc(5) that they read.

use super::*;
use crate::fake::Fake;
use crate::vfs::Tmpfs;
use alloc::sync::Arc;
use std::string::String;
use std::vec::Vec;
use trapless_abi::flags::OpenFlags;

/// A file system with programs, and files with these texts.
pub fn system(files: &[(&str, &str)]) -> Arc<Vfs<Fake>> {
    let vfs = Arc::new(Vfs::new(Tmpfs::new(1, 16 << 20).root()));
    install(&vfs).unwrap();
    for (path, text) in files {
        for (slash, _) in path.match_indices('/').skip(1) {
            let _ = vfs.mkdir(&At::Cwd, &path.as_bytes()[..slash], 0o755);
        }
        let file = vfs.open(&At::Cwd, path.as_bytes(), OpenFlags::O_WRONLY | OpenFlags::O_CREAT, 0o644).unwrap();
        file.write(&mut text.as_bytes()).unwrap();
    }
    vfs
}

fn machine() -> Arc<Vfs<Fake>> {
    system(&[
        ("/proc/loadavg", "0.50 1.00 2.25 3/17 42\n"),
        ("/proc/stat", "cpu  40 0 0 60 0 8 0 0 0 0\ncpu0 10 0 0 30 0 5 0 0 0 0\ncpu1 30 0 0 30 0 3 0 0 0 0\nctxt 1\n"),
        (
            "/proc/meminfo",
            "MemTotal:        2048 kB\nMemFree:         1024 kB\nMemAvailable:    1024 kB\nCached:          16 kB\n",
        ),
        ("/proc/uptime", "93784.20 5.00\n"),
        ("/proc/sys/kernel/hostname", "beam.example.org\n"),
        ("/proc/sys/kernel/ostype", "Linux\n"),
        ("/proc/sys/kernel/osrelease", "6.12.0\n"),
        ("/proc/sys/kernel/version", "#1\n"),
        ("/etc/words", "one\ntwo\n"),
    ])
}

/// Output, error output and status of a program.
pub fn run(vfs: &Arc<Vfs<Fake>>, args: &[&str], input: &[u8]) -> (Vec<u8>, String, SysResult<Status>) {
    let (stdin, stdout, stderr) = (Stream::buffer(), Stream::buffer(), Stream::buffer());
    stdin.write(input).unwrap();
    let mut process = Process {
        vfs: vfs.clone(),
        args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        env: [b"HOME=/etc".to_vec(), b"GREETING=hello  you".to_vec()].to_vec(),
        cwd: b"/".to_vec(),
        depth: 0,
        stdin,
        stdout: stdout.clone(),
        stderr: stderr.clone(),
    };
    let status = find(vfs, args[0].as_bytes()).and_then(|program| program(&mut process));
    (stdout.read().unwrap(), String::from_utf8(stderr.read().unwrap()).unwrap(), status)
}

/// What `sh -c` writes, and its status.
fn sh(line: &str) -> (String, u8) {
    let (output, errors, status) = run(&machine(), &["sh", "-c", line], b"");
    (String::from_utf8(output).unwrap() + &errors, status.unwrap())
}

fn says(args: &[&str]) -> String {
    let (output, errors, status) = run(&machine(), args, b"");
    assert_eq!((errors.as_str(), status), ("", Ok(0)), "{args:?}");
    String::from_utf8(output).unwrap()
}

#[test]
fn programs_are_found_by_name_and_by_path() {
    let vfs = system(&[("/opt/own", "text"), ("/opt/sh", "not executable")]);
    assert!(find(&vfs, b"echo").is_ok() && find(&vfs, b"/bin/echo").is_ok());
    assert!(find(&vfs, b"/usr/bin/df").is_ok() && find(&vfs, b"/otp/lib/os_mon-1/priv/bin/x86_64/memsup").is_ok());
    assert_eq!(find(&vfs, b"/opt/df").err(), Some(Errno::ENOENT));
    assert_eq!(find(&vfs, b"vi").err(), Some(Errno::ENOENT));
    assert_eq!(find(&vfs, b"/bin/vi").err(), Some(Errno::ENOENT));
    assert_eq!(find(&vfs, b"/opt/sh").err(), Some(Errno::EACCES));
    vfs.change(&At::Cwd, b"/opt/own", Follow::Yes, &crate::vfs::Change::mode(0o755)).unwrap();
    assert_eq!(find(&vfs, b"/opt/own").err(), Some(Errno::ENOEXEC));
    assert!(NAMES.iter().all(|name| builtin::<Fake>(name.as_bytes()).is_some()));
    assert!(NAMES.is_sorted());
    // What is there already stays.
    let vfs = system(&[("/bin/x", "")]);
    install(&vfs).unwrap();
}

#[test]
fn the_machine_is_told_about() {
    assert_eq!(says(&["uname"]), "Linux\n");
    assert_eq!(says(&["uname", "-a"]), "Linux beam.example.org 6.12.0 #1 x86_64 GNU/Linux\n");
    assert_eq!(says(&["uname", "-sm"]), "Linux x86_64\n");
    assert_eq!(says(&["hostname"]), "beam.example.org\n");
    assert_eq!(says(&["hostname", "-s"]), "beam\n");
    assert_eq!(says(&["nproc"]), "2\n");
    assert_eq!(says(&["getconf", "PAGESIZE"]), "4096\n");
    assert!(says(&["uptime"]).ends_with(" up 1 days,  2:03,  0 users,  load average: 0.50, 1.00, 2.25\n"));
    assert!(says(&["date", "+%s"]).trim().parse::<u64>().is_ok());
    assert_eq!(run(&machine(), &["uname", "-Z"], b"").1, "uname: invalid option -- 'Z'\n");
    assert_eq!(says(&["date", "-u", "+%Z %%"]), "UTC %\n");
    assert!(says(&["date"]).contains(" UTC "));
    for (words, problem) in [
        (&["date", "+%Q"][..], "unknown conversion: %Q"),
        (&["date", "11291120"], "invalid date '11291120' (ntp= sets the clock)"),
        (&["date", "+%F", "+%T"], "extra operand '+%T'"),
        (&["date", "-r"], "invalid option -- 'r'"),
    ] {
        let (output, errors, status) = run(&machine(), words, b"");
        assert_eq!((output, errors, status), (Vec::new(), std::format!("date: {problem}\n"), Ok(1)));
    }
}

#[test]
fn files_are_told_about() {
    assert_eq!(says(&["cat", "/etc/words"]), "one\ntwo\n");
    assert_eq!(says(&["ls", "/etc"]), "words\n");
    assert_eq!(run(&machine(), &["cat", "/etc/none", "/etc/words"], b"").0, b"one\ntwo\n");
    let df = says(&["df", "-lk", "-x", "squashfs", "/etc"]);
    let lines: Vec<&str> = df.lines().collect();
    assert!(lines[0].starts_with("Filesystem") && lines[0].ends_with("Use% Mounted on"), "{df}");
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert!(words[0] == "tmpfs" && words[1] == "16384" && words[5] == "/" && lines.len() == 2, "{df}");
    let sum = words[2].parse::<u64>().unwrap() + words[3].parse::<u64>().unwrap();
    assert_eq!(sum, 16384, "{df}");
    assert_eq!(run(&machine(), &["df", "/none"], b"").2, Ok(1));
}

#[test]
fn conditions_are_tested() {
    for (line, status) in [
        ("test -f /etc/words", 0),
        ("[ -d /etc ]", 0),
        ("[ -d /etc/words ]", 1),
        ("[ ! -e /none ]", 0),
        ("[ a = a ]", 0),
        ("[ a != a ]", 1),
        ("[ 3 -gt 2 ]", 0),
        ("[ -x /bin/sh ]", 0),
        ("[ \"\" ]", 1),
    ] {
        assert_eq!(sh(line), (String::new(), status), "{line}");
    }
    assert_eq!(sh("[ a").1, 2);
}

#[test]
fn os_mon_is_answered_in_its_protocols() {
    let numbers = |bytes: &[u8]| -> Vec<u32> {
        bytes.chunks(4).map(|four| u32::from_be_bytes(four.try_into().unwrap())).collect()
    };
    let (output, _, status) = run(&machine(), &["cpu_sup"], b"pn15fq");
    assert_eq!((numbers(&output), status), ([4711, 17, 128, 256, 576].to_vec(), Ok(0)));
    let (output, ..) = run(&machine(), &["cpu_sup"], b"u");
    let cpu = |cpu, user, idle, irq| [0, cpu, 1, user, 2, 0, 3, 0, 4, 0, 5, idle, 6, irq, 7, 0, 8, 0];
    assert_eq!(numbers(&output), [&[2, 9][..], &cpu(0, 10, 30, 5), &cpu(1, 30, 30, 3)].concat());
    assert_eq!(run(&machine(), &["cpu_sup"], b"x").2, Ok(1));

    let (output, _, status) = run(&machine(), &["memsup"], b"\x01\x01\x01\x03");
    assert_eq!((&output[..], status), (&b"\x06100000\x06200000"[..], Ok(0)));
    let (output, ..) = run(&machine(), &["memsup"], b"\x01\x02");
    assert!(
        output.starts_with(b"\x01\x02\x06200000\x01\x03\x06100000\x01\x06\x010")
            && output.ends_with(b"\x01\x01\x06200000\x01\x00")
    );
}

#[test]
fn a_line_is_taken_apart() {
    for (line, output, status) in [
        ("echo a   b", "a b\n", 0),
        ("echo 'a   b' \"c  d\" e\\ f", "a   b c  d e f\n", 0),
        ("echo $GREETING \"$GREETING\" '$GREETING' ${GREETING}x", "hello you hello  you $GREETING hello youx\n", 0),
        ("echo ${NONE:-some} [$NONE] \"\" end", "some []  end\n", 0),
        ("echo a; echo b # c\necho d", "a\nb\nd\n", 0),
        ("true && echo yes || echo no", "yes\n", 0),
        ("false && echo yes || echo no", "no\n", 0),
        ("! false; echo $?", "0\n", 0),
        ("(exit 3); echo $?", "3\n", 0),
        ("exit 4; echo no", "", 4),
        ("{ echo a; echo b; } | cat", "a\nb\n", 0),
        ("X=1; (X=2; echo $X); echo $X", "2\n1\n", 0),
        ("X=5 printenv X; printenv X || echo none", "5\nnone\n", 0),
        ("export Y=6; printenv Y", "6\n", 0),
        ("echo $(echo one; echo two) \"$(echo a; echo b)\" `nproc`", "one two a\nb 2\n", 0),
        ("X=$(false) || echo failed", "failed\n", 0),
        ("cd /etc && cat words && pwd", "one\ntwo\n/etc\n", 0),
        ("cd; pwd", "/etc\n", 0),
        ("cat < /etc/words", "one\ntwo\n", 0),
        ("echo new > /tmp_file; echo more >> /tmp_file; cat /tmp_file", "new\nmore\n", 0),
        ("none 2>&1 >/dev_null", "sh: none: not found\n", 127),
        ("none 2>/err; cat /err", "sh: none: not found\n", 0),
        ("/etc/words", "sh: /etc/words: Permission denied\n", 126),
        ("exec echo only; echo never", "only\n", 0),
        ("command -v df && which none", "/bin/df\n", 1),
        ("cat </none; echo $?", "1\nsh: cannot open /none: No such file or directory\n", 0),
    ] {
        let (said, ended) = sh(line);
        let expected: String = output.into();
        assert_eq!((said, ended), (expected, status), "{line}");
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (line, part) in [
        ("for x in a; do echo $x; done", "for is not supported"),
        ("sleep 1 &", "background jobs are not supported"),
        ("cat <<E", "here-documents are not supported"),
        ("echo $((1+1))", "arithmetic is not supported"),
        ("echo )", "\")\" unexpected"),
        ("echo (", "\"(\" unexpected"),
        ("&& a", "\"&&\" unexpected"),
        ("echo 'open", "unexpected end of file"),
        ("(echo a", "unexpected end of file"),
        ("((((((((((a))))))))))", "too many groups"),
        ("x='sh -c \"$x\"'; export x; sh -c \"$x\"", "too deep"),
        ("a >&7", "bad descriptor"),
    ] {
        let (said, status) = sh(line);
        assert!(said.contains(part) && status != 0, "{line}: {said} {status}");
    }
}

#[test]
fn commands_are_performed_as_they_come() {
    // As os:cmd/1 and disksup send them.
    let input = b"(echo a\n) </dev/null; echo  \"\x04\"\n(uname -m\n) </dev/null; echo \"\r\"\n\n";
    let vfs = system(&[
        ("/dev/null", ""),
        ("/proc/sys/kernel/ostype", ""),
        ("/proc/sys/kernel/hostname", ""),
        ("/proc/sys/kernel/osrelease", ""),
        ("/proc/sys/kernel/version", ""),
    ]);
    let (output, errors, status) = run(&vfs, &["sh", "-s", "unix:cmd"], input);
    assert_eq!((&output[..], errors.as_str(), status), (&b"a\n\x04\nx86_64\n\r\n"[..], "", Ok(0)));
    let (output, ..) = run(&vfs, &["sh", "-c", "exec /bin/sh -s unix:cmd"], input);
    assert_eq!(&output[..], b"a\n\x04\nx86_64\n\r\n");
    // A mistake does not end it.
    let (output, errors, _) = run(&vfs, &["sh"], b"if\necho on\n");
    assert_eq!((&output[..], errors.contains("if is not supported")), (&b"on\n"[..], true));
}
