//! `mktemp`: a file or a directory of a name that nobody else has.

use super::args::Options;
use super::process::{Process, Status, show};
use crate::platform::Platform;
use crate::vfs::{At, Follow};
use trapless_abi::flags::OpenFlags;
use trapless_abi::{Errno, SysResult};

/// What `X` may become.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Fewest of them in a template.
const FEWEST: usize = 3;
/// Names that are tried.
const TRIES: usize = 100;

/// mktemp(1): `mktemp [-d] [-u] [-t] [-p DIRECTORY] [TEMPLATE]`.
pub fn mktemp<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let args = process.operands().to_vec();
    let options = match Options::new(&args, b"dut", b"p") {
        Ok(options) => options,
        Err(problem) => return process.fail(format_args!("{problem}")),
    };
    let (template, is_own) = match options.operands[..] {
        [] => (&b"tmp.XXXXXXXXXX"[..], true),
        [template] => (template, false),
        _ => return process.fail(format_args!("too many templates")),
    };
    let directory = options.of(b'p').last().or_else(|| {
        let usual = || process.variable(b"TMPDIR").unwrap_or(b"/tmp");
        (is_own || options.has(b't')).then(usual)
    });
    let template = match directory {
        Some(_) if template.starts_with(b"/") => {
            return process.fail(format_args!("invalid template, '{}': it may not be absolute", show(template)));
        }
        Some(directory) => [directory, b"/", template].concat(),
        None => template.to_vec(),
    };
    let end = template.iter().rposition(|&byte| byte == b'X').map_or(0, |last| last + 1);
    let start = end - template[..end].iter().rev().take_while(|&&byte| byte == b'X').count();
    if end - start < FEWEST || template[end..].contains(&b'/') {
        return process.fail(format_args!("too few X's in template '{}'", show(&template)));
    }
    for _ in 0..TRIES {
        let mut name = template.clone();
        P::random(&mut name[start..end]);
        name[start..end].iter_mut().for_each(|byte| *byte = LETTERS[usize::from(*byte) % LETTERS.len()]);
        match make(process, &name, &options) {
            Ok(()) => return process.stdout.write(&[&name[..], b"\n"].concat()).map(|()| 0),
            Err(Errno::EEXIST) => {}
            Err(errno) => return fail(process, &template, &options, errno),
        }
    }
    fail(process, &template, &options, Errno::EEXIST)
}

/// Makes what is asked for, or with `-u` only looks whether it is there.
///
/// # Errors
/// EEXIST, those of open(2) and mkdir(2).
fn make<P: Platform>(process: &Process<P>, name: &[u8], options: &Options<'_>) -> SysResult<()> {
    let path = process.absolute(name);
    if options.has(b'u') {
        return match process.vfs.find(&At::Cwd, &path, Follow::No) {
            Ok(_) => Err(Errno::EEXIST),
            // Where there is no directory, there is nothing of this name either.
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        };
    }
    if options.has(b'd') {
        return process.vfs.mkdir(&At::Cwd, &path, 0o700);
    }
    let flags = OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_EXCL;
    process.vfs.open(&At::Cwd, &path, flags, 0o600).map(drop)
}

fn fail<P: Platform>(process: &Process<P>, template: &[u8], options: &Options<'_>, errno: Errno) -> SysResult<Status> {
    let what = if options.has(b'd') { "directory" } else { "file" };
    process.fail(format_args!("failed to create {what} via template '{}': {}", show(template), errno.description()))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::tests::{run, system};
    use super::*;
    use crate::fake::Fake;
    use crate::vfs::Vfs;
    use alloc::sync::Arc;
    use std::string::String;

    /// What `mktemp` says, without the newline.
    fn mktemp(vfs: &Arc<Vfs<Fake>>, words: &[&str]) -> (String, SysResult<Status>) {
        let (output, errors, status) = run(vfs, &[&["mktemp"], words].concat(), b"");
        ((String::from_utf8(output).unwrap() + &errors).trim_end().into(), status)
    }

    #[test]
    fn what_is_made_has_a_name_of_its_own() {
        let vfs = system(&[("/tmp/x", ""), ("/own/x", ""), ("/other/x", "")]);
        for (words, start, end, length, mode) in [
            (&[][..], "/tmp/tmp.", "", 10, Some(0o100_600)),
            (&["-d", "-p", "/own"], "/own/tmp.", "", 10, Some(0o40_700)),
            (&["-t", "foo.XXXX"], "/tmp/foo.", "", 4, Some(0o100_600)),
            (&["XX.XXXXX.txt"], "XX.", ".txt", 5, Some(0o100_600)),
            (&["-u", "t.XXX"], "t.", "", 3, None),
            (&["-u", "/none/XXX"], "/none/", "", 3, None),
        ] {
            let (name, status) = mktemp(&vfs, words);
            let random = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            let random = random.unwrap_or_else(|| panic!("{words:?}: {name}"));
            assert!(status == Ok(0) && random.len() == length && !random.contains(['X', '/']), "{words:?}: {name}");
            let path = std::format!("/{}", name.trim_start_matches('/'));
            let found = vfs.find(&At::Cwd, path.as_bytes(), Follow::No);
            assert_eq!(found.ok().map(|node| node.stat().unwrap().st_mode), mode, "{words:?}");
        }
        let (output, ..) = run(&vfs, &["sh", "-c", "TMPDIR=/other mktemp -u"], b"");
        assert!(output.starts_with(b"/other/tmp."));
    }

    #[test]
    fn what_cannot_be_made_is_told() {
        let vfs = system(&[("/tmp/x", "")]);
        for (words, said) in [
            (
                &["-d", "/none/XXX"][..],
                "failed to create directory via template '/none/XXX': No such file or directory",
            ),
            (&["abc"], "too few X's in template 'abc'"),
            (&["XXX/x"], "too few X's in template 'XXX/x'"),
            (&["-p", "/tmp", "/XXX"], "invalid template, '/XXX': it may not be absolute"),
            (&["a.XXX", "b.XXX"], "too many templates"),
            (&["-p"], "option requires an argument -- 'p'"),
        ] {
            assert_eq!(mktemp(&vfs, words), (std::format!("mktemp: {said}"), Ok(1)), "{words:?}");
        }
        // The machine of the tests has always the same random numbers.
        assert_eq!(mktemp(&vfs, &["t.XXX"]).1, Ok(0));
        let taken = "mktemp: failed to create file via template 't.XXX': File exists";
        assert_eq!(mktemp(&vfs, &["t.XXX"]), (taken.into(), Ok(1)));
        assert_eq!(mktemp(&vfs, &["-u", "t.XXX"]), (taken.into(), Ok(1)));
    }
}
