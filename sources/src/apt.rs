//! Talks to the archive through apt: its downloader for one file, its index reader for what there is.
//!
//! A pinned file is fetched by its address in the archive's pool, not through the index: a mirror keeps files of a revision
//! for a while after its index has moved on, and the lock's hash says more than any index could.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::apt_list::Archives;
use crate::error::{Error, Result};
use crate::lock::File;
use crate::progress::Progress;

/// apt's downloader; part of the package `apt` itself.
const DOWNLOADER: &str = "/usr/lib/apt/apt-helper";

/// Signs both archives, the index of the next release included.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// How the folders of the archive of security updates begin.
pub(crate) const UPDATES: &str = "pool/updates/";

/// How a download ended without a file.
pub(crate) enum Failure {
    /// The server has no such file.
    NotFound,
    /// Any other failure.
    Other(Error),
}

/// Fetches `uri` to `path`, reporting megabytes. The content is not checked here.
pub(crate) fn download(
    uri: &str,
    path: &Path,
    file: &File,
    progress: &dyn Progress,
) -> std::result::Result<(), Failure> {
    let failed = |error| Failure::Other(Error::io(path, error));
    let mut child = Command::new(DOWNLOADER)
        .args(["-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", "download-file", uri])
        .arg(path)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::Other(Error::Command { command: DOWNLOADER.into(), output: error.to_string() }))?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        let done = fs::metadata(path).map_or(0, |metadata| metadata.len());
        progress.amount(done >> 20, file.size >> 20, "MB");
        std::thread::sleep(Duration::from_millis(200));
    };
    if status.success() {
        return Ok(());
    }
    let mut output = String::new();
    // The pipe holds the few lines apt prints; nothing is lost by reading them at the end.
    child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut output)).transpose().map_err(failed)?;
    Err(classify(&output, uri, path))
}

/// Makes an error of what the downloader printed.
fn classify(output: &str, uri: &str, path: &Path) -> Failure {
    let lower = output.to_lowercase();
    if lower.contains("no space left") {
        return Failure::Other(Error::DiskFull { path: path.to_owned() });
    }
    if lower.contains("404") || lower.contains("file not found") || lower.contains("no such file") {
        return Failure::NotFound;
    }
    // `E: Failed to fetch URI  REASON`, then a line that says only that it failed.
    let told = output.lines().find_map(|line| line.strip_prefix("E: Failed to fetch "));
    let reason = told.and_then(|line| line.split_once(' ')).map_or(output, |(_, reason)| reason);
    Failure::Other(Error::NoNetwork { uri: uri.to_owned(), reason: reason.trim().to_owned() })
}

/// One revision of a source package, as the archive's signed index describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    pub version: String,
    pub pool: String,
    pub files: Vec<File>,
}

/// What the index of `suite` (and of its security updates) says about `package`, newest last; of one revision in both, what the main archive
/// says is the last.
pub(crate) fn revisions(archives: &Archives, suite: &str, package: &str, private: &Path) -> Result<Vec<Revision>> {
    let mut list = String::new();
    for (roots, suffix) in [(&archives.main, ""), (&archives.security, "-security")] {
        for uri in roots {
            list += &format!("deb-src [signed-by={KEYRING}] {uri} {suite}{suffix} main\n");
        }
    }
    for folder in ["lists/partial", "cache/archives/partial", "state"] {
        let folder = private.join(folder);
        fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
    }
    let list_path = private.join("sources.list");
    fs::write(&list_path, list).map_err(|error| Error::io(&list_path, error))?;
    run(private, "apt-get", &["-q", "update", "-o", "APT::Get::List-Cleanup=false"])
        .map_err(|output| Error::NoNetwork { uri: format!("the index of {suite}"), reason: output })?;
    let text = run(private, "apt-cache", &["showsrc", "--only-source", package])
        .map_err(|output| Error::Command { command: format!("apt-cache showsrc {package}"), output })?;
    let mut revisions = parse_showsrc(&text);
    let mut failure = None;
    revisions.sort_by(|a, b| {
        let by_version = compare(&a.version, &b.version).unwrap_or_else(|error| {
            failure = Some(error);
            std::cmp::Ordering::Equal
        });
        by_version.then_with(|| is_update(b).cmp(&is_update(a)))
    });
    failure.map_or(Ok(revisions), Err)
}

/// Runs an apt program on private folders; its output, or the error text it printed.
fn run(private: &Path, program: &str, arguments: &[&str]) -> std::result::Result<String, String> {
    let mut command = Command::new(program);
    for (key, value) in [
        ("Dir::Etc::SourceList", "sources.list"),
        ("Dir::Etc::SourceParts", "/dev/null"),
        ("Dir::State", "state"),
        ("Dir::State::Lists", "lists"),
        ("Dir::Cache", "cache"),
        ("APT::Sandbox::User", "root"),
    ] {
        let value = match key.strip_prefix("Dir::") {
            Some(_) => private.join(value).display().to_string(),
            None => value.to_owned(),
        };
        command.arg("-o").arg(format!("{key}={value}"));
    }
    let output = command
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// Stanzas of `apt-cache showsrc`: Version, Directory, and a Checksums-Sha256 block of `hash size name` lines.
fn parse_showsrc(text: &str) -> Vec<Revision> {
    let mut revisions = Vec::new();
    for stanza in text.split("\n\n") {
        let mut revision = Revision { version: String::new(), pool: String::new(), files: Vec::new() };
        let mut field = "";
        for line in stanza.lines() {
            if let Some(continued) = line.strip_prefix(' ') {
                if field == "Checksums-Sha256" {
                    revision.files.extend(parse_checksum(continued));
                }
            } else if let Some((name, value)) = line.split_once(':') {
                field = name;
                match name {
                    "Version" => revision.version = value.trim().to_owned(),
                    "Directory" => revision.pool = value.trim().to_owned(),
                    _ => {}
                }
            }
        }
        if !revision.files.is_empty() && !revisions.contains(&revision) {
            revisions.push(revision);
        }
    }
    revisions
}

/// `hash size name`, for the two tarballs only: signatures and the .dsc are not built from.
fn parse_checksum(line: &str) -> Option<File> {
    let mut words = line.split_whitespace();
    let (sha256, size, name) = (words.next()?, words.next()?, words.next()?);
    let wanted = name.contains(".tar.") && !name.ends_with(".asc");
    wanted.then_some(File { name: name.to_owned(), size: size.parse().ok()?, sha256: sha256.to_owned() })
}

/// Whether this is what the archive of security updates has.
fn is_update(revision: &Revision) -> bool {
    revision.pool.starts_with(UPDATES)
}

/// Orders Debian versions, by dpkg's own rules.
pub(crate) fn compare(a: &str, b: &str) -> Result<std::cmp::Ordering> {
    let holds = |relation: &str| {
        Command::new("dpkg")
            .args(["--compare-versions", a, relation, b])
            .status()
            .map(|status| status.success())
            .map_err(|error| Error::Command { command: "dpkg --compare-versions".into(), output: error.to_string() })
    };
    if holds("eq")? {
        return Ok(std::cmp::Ordering::Equal);
    }
    Ok(if holds("lt")? { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_the_downloader() {
        let path = Path::new("/tmp/x");
        let other = |output| match classify(output, "http://m.example/x", path) {
            Failure::NotFound => panic!("{output}: taken for a missing file"),
            Failure::Other(error) => error,
        };
        assert!(matches!(classify("E: Failed to fetch u  404  Not Found [IP: ::1 80]", "u", path), Failure::NotFound));
        assert!(matches!(other("E: write error: No space left on device"), Error::DiskFull { .. }));
        match other("W: hm\nE: Failed to fetch u  Could not resolve 'm.example'\nE: Download Failed\n") {
            Error::NoNetwork { reason, .. } => {
                assert_eq!(reason, "Could not resolve 'm.example'")
            }
            error => panic!("{error:?}"),
        }
    }

    #[test]
    fn reads_the_index() {
        let text = "\
Package: musl
Version: 1.2.5-3
Directory: pool/main/m/musl
Files:
 0123 10 musl_1.2.5-3.dsc
Checksums-Sha256:
 aa 10 musl_1.2.5-3.dsc
 bb 20 musl_1.2.5.orig.tar.gz
 cc 30 musl_1.2.5.orig.tar.gz.asc
 dd 40 musl_1.2.5-3.debian.tar.xz
Homepage: https://m.example/

";
        let revisions = parse_showsrc(&format!("{text}{text}"));
        assert_eq!(revisions.len(), 1, "the same stanza twice is one revision");
        assert_eq!(revisions[0].version, "1.2.5-3");
        assert_eq!(revisions[0].pool, "pool/main/m/musl");
        let names: Vec<_> = revisions[0].files.iter().map(|file| (file.name.as_str(), file.size)).collect();
        assert_eq!(names, [("musl_1.2.5.orig.tar.gz", 20), ("musl_1.2.5-3.debian.tar.xz", 40)]);
    }
}
