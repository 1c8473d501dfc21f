//! rename(2), hard links, and files that lose their names while they are open.

use super::*;

fn rename(vfs: &Vfs<Fake>, old: &str, new: &str) -> SysResult<()> {
    vfs.rename(&At::Cwd, old.as_bytes(), &At::Cwd, new.as_bytes(), true)
}

fn sample() -> Arc<Vfs<Fake>> {
    tree(&["/d/", "/d/e/", "/d/e/deep/", "/empty/", "/f", "/g", "/d/h", "/to-d -> d"])
}

#[test]
fn errors() {
    let table: &[(&str, &str, Option<Errno>)] = &[
        ("/f", "/new", None),
        ("/f", "/g", None),
        ("/f", "/f", None),
        ("/f", "/d/new", None),
        ("/f", "/d/h", None),
        ("/d/e", "/new", None),
        ("/d/e", "/new/", None),
        ("/d/e/", "/empty", None),
        ("/to-d", "/new", None),
        ("/f", "/to-d", None),
        ("/missing", "/new", Some(Errno::ENOENT)),
        ("/f", "/missing/new", Some(Errno::ENOENT)),
        ("/f", "/g/new", Some(Errno::ENOTDIR)),
        ("/f", "/empty", Some(Errno::EISDIR)),
        ("/empty", "/f", Some(Errno::ENOTDIR)),
        ("/empty", "/d", Some(Errno::ENOTEMPTY)),
        ("/d", "/d/e/new", Some(Errno::EINVAL)),
        ("/d", "/d/new", Some(Errno::EINVAL)),
        ("/d/e", "/d", Some(Errno::ENOTEMPTY)),
        ("/f/", "/new", Some(Errno::ENOTDIR)),
        ("/f", "/new/", Some(Errno::ENOTDIR)),
        ("/to-d/", "/new", Some(Errno::ENOTDIR)),
        ("/d/.", "/new", Some(Errno::EBUSY)),
        ("/f", "/d/..", Some(Errno::EBUSY)),
        ("/", "/new", Some(Errno::EBUSY)),
    ];
    for (old, new, error) in table {
        let vfs = sample();
        let before = vfs.stat(&At::Cwd, old.trim_end_matches('/').as_bytes(), Follow::No).ok();
        assert_eq!(rename(&vfs, old, new).err(), *error, "{old} to {new}");
        if error.is_none() {
            let after = vfs.stat(&At::Cwd, new.trim_end_matches('/').as_bytes(), Follow::No).unwrap();
            assert_eq!(before.unwrap().st_ino, after.st_ino);
            let left = vfs.stat(&At::Cwd, old.trim_end_matches('/').as_bytes(), Follow::No);
            assert_eq!(left.is_ok(), old == new, "{old} to {new}");
        }
    }
    let vfs = sample();
    let keep = |new: &[u8]| vfs.rename(&At::Cwd, b"/f", &At::Cwd, new, false);
    assert_eq!(keep(b"/g"), Err(Errno::EEXIST));
    assert_eq!(keep(b"/new"), Ok(()));
}

#[test]
fn link_counts_of_directories() {
    let vfs = sample();
    let links = |path: &str| stat(&vfs, path).unwrap().st_nlink;
    assert_eq!((links("/"), links("/d"), links("/d/e"), links("/empty")), (4, 3, 3, 2));
    rename(&vfs, "/d/e", "/empty").unwrap();
    assert_eq!((links("/"), links("/d"), links("/empty")), (4, 2, 3));
    rename(&vfs, "/empty/deep", "/deep").unwrap();
    assert_eq!((links("/"), links("/empty")), (5, 2));
    rename(&vfs, "/deep", "/d/deep").unwrap();
    assert_eq!((links("/"), links("/d")), (4, 3));
    rename(&vfs, "/d/deep", "/d/deeper").unwrap();
    assert_eq!(links("/d"), 3);
    vfs.rmdir(&At::Cwd, b"/d/deeper").unwrap();
    assert_eq!(links("/d"), 2);
    assert!(vfs.stat(&At::Cwd, b"/empty/../g", Follow::Yes).is_ok());
}

#[test]
fn a_replaced_directory_takes_no_more_names() {
    let vfs = sample();
    vfs.chdir(b"/empty").unwrap();
    rename(&vfs, "/d/e", "/empty").unwrap();
    assert_eq!(open(&vfs, "x", OpenFlags::O_CREAT).err(), Some(Errno::ENOENT));
    assert_eq!(names(&vfs, "/empty"), ["deep"]);
}

#[test]
fn hard_links_share_one_file() {
    let vfs = sample();
    let c = At::Cwd;
    write(&vfs, "/f", "one");
    vfs.link(&c, b"/f", &c, b"/d/second", Follow::No).unwrap();
    assert_eq!(stat(&vfs, "/f").unwrap().st_nlink, 2);
    write(&vfs, "/d/second", "two");
    assert_eq!(read(&vfs, "/f").unwrap(), "two");
    // Renaming one name of a file to the other does nothing.
    rename(&vfs, "/f", "/d/second").unwrap();
    assert_eq!(stat(&vfs, "/f").unwrap().st_nlink, 2);
    vfs.unlink(&c, b"/f").unwrap();
    assert_eq!(stat(&vfs, "/d/second").unwrap().st_nlink, 1);
    // A link to a link is a link.
    vfs.link(&c, b"/to-d", &c, b"/also-to-d", Follow::No).unwrap();
    assert_eq!(vfs.readlink(&c, b"/also-to-d").as_deref(), Ok(&b"d"[..]));
    assert_eq!(vfs.link(&c, b"/to-d", &c, b"/x", Follow::Yes), Err(Errno::EPERM));
}

#[test]
fn an_open_file_outlives_its_name_and_gives_its_memory_back() {
    let vfs = empty(200 << 10);
    let used = || vfs.statfs(b"/").unwrap().f_bfree;
    let before = used();
    let file = open(&vfs, "/f", OpenFlags::O_RDWR | OpenFlags::O_CREAT).unwrap();
    let data = std::vec![7; 100 << 10];
    assert_eq!(file.write(&mut &data[..]), Ok(data.len()));
    vfs.unlink(&At::Cwd, b"/f").unwrap();
    assert_eq!(file.file.stat().unwrap().st_nlink, 0);
    file.seek(0, 0).unwrap();
    let mut back = Vec::with_capacity(data.len());
    assert_eq!(file.read(&mut back), Ok(data.len()));
    assert!(back == data && used() < before);
    // Without names it gets no new one.
    let node = file.file.clone().node().unwrap();
    assert_eq!(vfs.root().link(b"again", &node), Err(Errno::ENOENT));
    drop((file, node));
    assert_eq!(used(), before);
}

#[test]
fn a_full_file_system_is_enospc() {
    let vfs = empty(96 << 10);
    let file = open(&vfs, "/f", OpenFlags::O_RDWR | OpenFlags::O_CREAT).unwrap();
    let data = std::vec![7; 200 << 10];
    let written = file.write(&mut &data[..]).unwrap();
    assert!((64 << 10..96 << 10).contains(&written), "{written}");
    let full = (0..1000).find_map(|n| vfs.mkdir(&At::Cwd, std::format!("/d{n}").as_bytes(), 0o777).err());
    assert_eq!(full, Some(Errno::ENOSPC));
    assert_eq!(file.write(&mut &data[..]), Err(Errno::ENOSPC));
    vfs.truncate(b"/f", 0).unwrap();
    assert_eq!(vfs.mkdir(&At::Cwd, b"/more", 0o777), Ok(()));
}

#[test]
fn nothing_moves_between_file_systems() {
    let vfs = sample();
    vfs.mount("/mnt", Tmpfs::new(9, 1 << 20).root(), "tmpfs").unwrap();
    vfs.mount("/empty", Tmpfs::new(10, 1 << 20).root(), "tmpfs").unwrap();
    let c = At::Cwd;
    assert_eq!(rename(&vfs, "/f", "/mnt/f"), Err(Errno::EXDEV));
    assert_eq!(vfs.link(&c, b"/f", &c, b"/mnt/f", Follow::No), Err(Errno::EXDEV));
    assert_eq!(rename(&vfs, "/mnt", "/d/mnt"), Err(Errno::EBUSY));
    assert_eq!(vfs.rmdir(&c, b"/mnt"), Err(Errno::EBUSY));
    assert_eq!(vfs.unlink(&c, b"/mnt"), Err(Errno::EISDIR));
    vfs.chdir(b"/mnt").unwrap();
    assert_eq!(vfs.getcwd().as_deref(), Ok(&b"/mnt"[..]));
    assert!(stat(&vfs, "../f").is_ok());
    assert_eq!(stat(&vfs, "/empty").unwrap().st_dev, 10);
    assert_eq!(names(&vfs, "/"), ["d", "empty", "f", "g", "mnt", "to-d"]);
}
