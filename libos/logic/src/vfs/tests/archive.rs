//! Archives, whole and broken.

use super::super::cpio::{ArchiveError, Problem, Summary, find, load, load_over, put};
use super::*;

/// One entry of the format newc: mode, inode, links, name, content.
pub(super) fn entry(mode: u32, ino: u32, nlink: u32, name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = b"070701".to_vec();
    let fields = [ino, mode, 7, 8, nlink, 1234, content.len() as u32, 0, 1, 0, 0, name.len() as u32 + 1, 0];
    fields.iter().for_each(|f| bytes.extend_from_slice(std::format!("{f:08x}").as_bytes()));
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn file(name: &str, content: &str) -> Vec<u8> {
    entry(0o100_640, 5, 1, name, content.as_bytes())
}

pub(super) fn trailer() -> Vec<u8> {
    entry(0, 0, 1, "TRAILER!!!", b"")
}

pub(super) fn loaded(parts: &[Vec<u8>]) -> (Arc<Vfs<Fake>>, Result<Summary, ArchiveError>) {
    let archive: &'static [u8] = Vec::leak(parts.concat());
    let fs = Tmpfs::new(1, 1 << 20);
    let summary = load(archive, &fs);
    (Arc::new(Vfs::new(fs.root())), summary)
}

#[test]
fn a_tree_comes_out_as_it_went_in() {
    let (vfs, summary) = loaded(&[
        entry(0o040_750, 1, 2, ".", b""),
        entry(0o040_700, 1, 2, "./lib", b""),
        file("./lib/a.beam", "FOR1"),
        file("deep/er/without/directories", "x"),
        entry(0o120_777, 9, 1, "link", b"lib/a.beam"),
        entry(0o100_644, 3, 2, "first", b""),
        entry(0o100_644, 3, 2, "lib/second", b"shared"),
        file("/absolute", ""),
        trailer(),
        std::vec![0; 300],
    ]);
    assert_eq!(summary, Ok(Summary { entries: 8, bytes: 4 + 1 + 10 + 6 }));
    assert_eq!(read(&vfs, "/link").unwrap(), "FOR1");
    assert_eq!(read(&vfs, "/deep/er/without/directories").unwrap(), "x");
    assert_eq!(read(&vfs, "/first").unwrap(), "shared");
    assert_eq!(names(&vfs, "/"), ["absolute", "deep", "first", "lib", "link"]);
    let a = stat(&vfs, "/lib/a.beam").unwrap();
    assert_eq!((a.st_mode, a.st_uid, a.st_gid, a.st_size, a.st_mtim.tv_sec), (0o100_640, 7, 8, 4, 1234));
    let [first, second] = ["/first", "/lib/second"].map(|path| stat(&vfs, path).unwrap());
    assert_eq!((first.st_ino, first.st_nlink), (second.st_ino, 2));
    assert_eq!((stat(&vfs, "/").unwrap().st_mode, stat(&vfs, "/lib").unwrap().st_mode), (0o040_750, 0o040_700));
}

#[test]
fn files_of_the_archive_can_be_changed_and_replaced() {
    let (vfs, _) = loaded(&[file("etc/hosts", "127.0.0.1 localhost"), trailer()]);
    let file = open(&vfs, "/etc/hosts", OpenFlags::O_RDWR | OpenFlags::O_APPEND).unwrap();
    assert_eq!(file.write(&mut &b" more"[..]), Ok(5));
    assert_eq!(read(&vfs, "/etc/hosts").unwrap(), "127.0.0.1 localhost more");
    vfs.unlink(&At::Cwd, b"/etc/hosts").unwrap();
    vfs.rmdir(&At::Cwd, b"/etc").unwrap();
    assert_eq!(names(&vfs, "/"), Vec::<String>::new());
}

#[test]
fn every_truncation_is_noticed() {
    let archive = [file("one", "11111"), file("two", "2"), trailer()].concat();
    // The trailer is complete with its name; 3 bytes of padding follow.
    for length in 0..archive.len() - 3 {
        let (_, summary) = loaded(&[archive[..length].to_vec()]);
        let error = summary.expect_err(&std::format!("cut at {length}"));
        assert!(matches!(error.problem, Problem::NoTrailer | Problem::Truncated), "cut at {length}: {error}");
        assert!(error.offset < length + 4 && error.entry <= 2, "cut at {length}: {error}");
    }
}

#[test]
fn damage_is_named_with_its_place() {
    let damaged = |at: usize, byte: u8| {
        let mut archive = [file("one", "11111"), file("two", "2"), trailer()].concat();
        archive[at] = byte;
        loaded(&[archive]).1.unwrap_err()
    };
    let second = file("one", "11111").len();
    let error = damaged(second, b'X');
    assert_eq!((error.offset, error.entry, error.problem), (second, 1, Problem::Header));
    let error = damaged(second + 20, b'?');
    assert_eq!((error.offset, error.name.as_str(), error.problem), (second, "two", Problem::Field));
    // A huge size: the file would end behind the archive.
    let error = damaged(second + 6 + 6 * 8, b'7');
    assert_eq!((error.name.as_str(), error.problem), ("two", Problem::Truncated));
    assert!(error.to_string().contains("\"two\"") && error.to_string().contains(&std::format!("{second:#x}")));
}

#[test]
fn names_and_types_that_do_not_belong() {
    let problem = |bytes: Vec<u8>| loaded(&[bytes, trailer()]).1.unwrap_err().problem;
    assert_eq!(problem(file("a/../../etc/passwd", "")), Problem::Name);
    assert_eq!(problem(file("..", "")), Problem::Name);
    assert_eq!(problem(file("dir/", "")), Problem::Name);
    assert_eq!(problem(file("a\0b", "")), Problem::Name);
    assert_eq!(problem(file(&"n".repeat(256), "")), Problem::Name);
    assert_eq!(problem(entry(0o020_666, 1, 1, "null", b"")), Problem::Type);
    assert_eq!(problem([file("x", ""), file("x", "")].concat()), Problem::Tree(Errno::EEXIST));
    assert_eq!(problem([file("x", ""), file("x/y", "")].concat()), Problem::Tree(Errno::ENOTDIR));
    // The "portable" format has headers of another size.
    assert_eq!(
        problem(b"0707070000010000021006440000000000000000010000000000000000000000200000000000a\0".to_vec()),
        Problem::Header
    );
}

/// The first archive, with the second laid over it.
fn laid_over(below: &[Vec<u8>], above: &[Vec<u8>]) -> (Arc<Vfs<Fake>>, Result<Summary, ArchiveError>) {
    let fs = Tmpfs::new(1, 1 << 20);
    load(Vec::leak(below.concat()), &fs).unwrap();
    let summary = load_over(Vec::leak(above.concat()), &fs);
    (Arc::new(Vfs::new(fs.root())), summary)
}

#[test]
fn a_second_archive_replaces_files_and_adds_to_directories() {
    let below = [file("etc/hosts", "below"), file("etc/passwd", "below"), file("a", "below"), trailer()];
    let (vfs, summary) = laid_over(
        &below,
        &[
            entry(0o040_700, 1, 2, "./etc", b""),
            file("./etc/hosts", "above"),
            file("etc/new", "above"),
            entry(0o120_777, 9, 1, "a", b"etc/new"),
            trailer(),
        ],
    );
    assert_eq!(summary, Ok(Summary { entries: 4, bytes: 5 + 5 + 7 }));
    assert_eq!(read(&vfs, "/etc/hosts").unwrap(), "above");
    assert_eq!(read(&vfs, "/etc/passwd").unwrap(), "below");
    assert_eq!(read(&vfs, "/a").unwrap(), "above");
    assert_eq!(names(&vfs, "/etc"), ["hosts", "new", "passwd"]);
    assert_eq!(stat(&vfs, "/etc").unwrap().st_mode, 0o040_700);
}

#[test]
fn a_file_does_not_replace_a_directory_nor_a_directory_a_file() {
    let problem =
        |above: Vec<u8>| laid_over(&[file("etc/hosts", ""), trailer()], &[above, trailer()]).1.unwrap_err().problem;
    assert_eq!(problem(file("etc", "")), Problem::Tree(Errno::EISDIR));
    assert_eq!(problem(file("etc/hosts/x", "")), Problem::Tree(Errno::ENOTDIR));
}

#[test]
fn one_file_is_found_in_an_archive() {
    let archive = Vec::leak([file("./etc/a", "first"), file("/b", "b"), file("etc/a", "last"), trailer()].concat());
    assert_eq!(find(archive, b"etc/a").unwrap(), Some(&b"last"[..]));
    assert_eq!(find(archive, b"b").unwrap(), Some(&b"b"[..]));
    assert_eq!(find(archive, b"etc").unwrap(), None);
    assert_eq!(find(&archive[..archive.len() - 20], b"b").unwrap_err().problem, Problem::Truncated);
}

#[test]
fn a_file_is_put_in_the_place_of_another() {
    let fs = Tmpfs::<Fake>::new(1, 1 << 20);
    load(Vec::leak([file("etc/a", "old"), trailer()].concat()), &fs).unwrap();
    assert_eq!(put(&fs, b"etc/a", b"new"), Ok(()));
    assert_eq!(put(&fs, b"deep/er/b", b"b"), Ok(()));
    assert_eq!(put(&fs, b"etc", b""), Err(Errno::EISDIR));
    assert_eq!(put(&fs, b"etc/../b", b""), Err(Errno::EINVAL));
    let vfs = Arc::new(Vfs::new(fs.root()));
    assert_eq!(read(&vfs, "/etc/a").unwrap(), "new");
    assert_eq!(read(&vfs, "/deep/er/b").unwrap(), "b");
}

#[test]
fn a_compressed_archive_is_named_as_such() {
    for (magic, by) in [(&b"\x1f\x8b"[..], "gzip"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")] {
        let error = loaded(&[[magic, &[1; 200]].concat()]).1.unwrap_err();
        assert_eq!(error.problem, Problem::Compressed(by));
        assert!(error.to_string().contains("give the plain archive"), "{error}");
    }
}
