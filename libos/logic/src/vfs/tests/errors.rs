//! One row for each error the manual pages name.

use super::*;
use trapless_abi::flags::AccessMode;

/// What the tables below run against.
fn sample() -> Arc<Vfs<Fake>> {
    tree(&[
        "/d/",
        "/d/e/",
        "/f",
        "/d/g",
        "/to-d -> d",
        "/to-f -> /f",
        "/dangling -> nowhere/at/all",
        "/to-new -> d/new",
        "/loop -> loop",
        "/a -> b",
        "/b -> a",
        "/up -> d/..",
        "/slash -> f/",
    ])
}

#[test]
fn walking() {
    let vfs = sample();
    let long_name = std::format!("/{}", "n".repeat(256));
    let long_path = "/d/..".repeat(820);
    let table: &[(&str, Option<Errno>)] = &[
        ("", Some(Errno::ENOENT)),
        ("/", None),
        ("//d///e", None),
        ("/d/e/", None),
        ("/d/./e/../g", None),
        ("/../../f", None),
        ("/to-d/g", None),
        ("/to-d/", None),
        ("/to-f", None),
        ("/up/f", None),
        ("/missing", Some(Errno::ENOENT)),
        ("/missing/x", Some(Errno::ENOENT)),
        ("/f/", Some(Errno::ENOTDIR)),
        ("/f/x", Some(Errno::ENOTDIR)),
        ("/f/.", Some(Errno::ENOTDIR)),
        ("/f/..", Some(Errno::ENOTDIR)),
        ("/to-f/", Some(Errno::ENOTDIR)),
        ("/slash", Some(Errno::ENOTDIR)),
        ("/dangling", Some(Errno::ENOENT)),
        ("/loop", Some(Errno::ELOOP)),
        ("/loop/x", Some(Errno::ELOOP)),
        ("/a", Some(Errno::ELOOP)),
        (&long_name, Some(Errno::ENAMETOOLONG)),
        (&long_path, Some(Errno::ENAMETOOLONG)),
        (&long_path[..4095], None),
    ];
    for (path, error) in table {
        assert_eq!(stat(&vfs, path).err(), *error, "{path}");
    }
    assert_eq!(stat(&vfs, &long_name[..256]).err(), Some(Errno::ENOENT));
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let mut paths: Vec<String> = Vec::from(["/l0".into()]);
    paths.extend((1..=41).map(|n| std::format!("/l{n} -> l{}", n - 1)));
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let vfs = tree(&paths);
    assert_eq!(stat(&vfs, "/l40").err(), None);
    assert_eq!(stat(&vfs, "/l41").err(), Some(Errno::ELOOP));
    assert_eq!(vfs.stat(&At::Cwd, b"/l41", Follow::No).err(), None);
}

#[test]
fn opening() {
    use OpenFlags as O;
    let (r, w, rw, c, x) = (O::empty(), O::O_WRONLY, O::O_RDWR, O::O_CREAT, O::O_EXCL);
    let table: &[(&str, OpenFlags, Option<Errno>)] = &[
        ("/f", rw, None),
        ("/missing", r, Some(Errno::ENOENT)),
        ("/missing", w | c, None),
        ("/missing/x", w | c, Some(Errno::ENOENT)),
        ("/f", w | c, None),
        ("/f", w | c | x, Some(Errno::EEXIST)),
        ("/d", r | c | x, Some(Errno::EEXIST)),
        ("/to-f", w | c | x, Some(Errno::EEXIST)),
        ("/dangling", w | c | x, Some(Errno::EEXIST)),
        ("/dangling", w | c, Some(Errno::ENOENT)),
        ("/to-new", w | c, None),
        ("/new/", w | c, Some(Errno::EISDIR)),
        ("/d/", r | c, Some(Errno::EISDIR)),
        ("/d", r | c, Some(Errno::EISDIR)),
        ("/d/.", r | c, Some(Errno::EISDIR)),
        ("/", r | c, Some(Errno::EISDIR)),
        ("/d", r, None),
        ("/d", w, Some(Errno::EISDIR)),
        ("/d", rw, Some(Errno::EISDIR)),
        ("/d", O::O_TRUNC, Some(Errno::EISDIR)),
        ("/d", O::O_DIRECTORY, None),
        ("/f", O::O_DIRECTORY, Some(Errno::ENOTDIR)),
        ("/f", O::O_DIRECTORY | c, Some(Errno::EINVAL)),
        ("/to-d", O::O_DIRECTORY, None),
        ("/to-f", O::O_NOFOLLOW, Some(Errno::ELOOP)),
        ("/to-d", O::O_NOFOLLOW | O::O_DIRECTORY, Some(Errno::ENOTDIR)),
        ("/to-d/g", O::O_NOFOLLOW, None),
        ("/to-f", O::O_NOFOLLOW | c, Some(Errno::ELOOP)),
        ("/to-f", O::O_NOFOLLOW | O::O_PATH, None),
        ("/d", O::O_PATH | rw, None),
        ("/f", w | rw, Some(Errno::EINVAL)),
        ("/d", O::O_TMPFILE | rw, Some(Errno::EOPNOTSUPP)),
    ];
    for (path, flags, error) in table {
        let vfs = sample();
        assert_eq!(open(&vfs, path, *flags).err(), *error, "{path} {flags:?}");
    }
    let vfs = sample();
    open(&vfs, "/to-new", w | c).unwrap();
    assert!(stat(&vfs, "/d/new").is_ok());
}

#[test]
fn what_a_description_remembers() {
    use OpenFlags as O;
    let vfs = sample();
    write(&vfs, "/f", "hello");
    let all = O::O_RDWR | O::O_CREAT | O::O_APPEND | O::O_CLOEXEC | O::O_NONBLOCK;
    assert_eq!(open(&vfs, "/f", all).unwrap().flags(), (O::O_RDWR | O::O_APPEND | O::O_NONBLOCK).bits());
    let path = open(&vfs, "/f", O::O_PATH).unwrap();
    assert_eq!(path.read(&mut Vec::with_capacity(1)), Err(Errno::EBADF));
    assert_eq!(path.file.stat().unwrap().st_size, 5);
    let write_only = open(&vfs, "/f", O::O_WRONLY).unwrap();
    assert_eq!(write_only.read(&mut Vec::with_capacity(1)), Err(Errno::EBADF));
    let read_only = open(&vfs, "/f", O::O_TRUNC).unwrap();
    assert_eq!(read_only.write(&mut &b"x"[..]), Err(Errno::EBADF));
    assert_eq!(stat(&vfs, "/f").unwrap().st_size, 0);
}

#[test]
fn making_and_removing() {
    let c = At::Cwd::<Fake>;
    type Call = fn(&Vfs<Fake>, &At<'_, Fake>, &[u8]) -> SysResult<()>;
    let mkdir: Call = |v, at, p| v.mkdir(at, p, 0o777);
    let rmdir: Call = |v, at, p| v.rmdir(at, p);
    let unlink: Call = |v, at, p| v.unlink(at, p);
    let symlink: Call = |v, at, p| v.symlink(b"text", at, p);
    let link: Call = |v, at, p| v.link(at, b"/f", at, p, Follow::No);
    let mknod: Call = |v, at, p| v.mknod(at, p, 0o100_644);
    let table: &[(Call, &str, Option<Errno>)] = &[
        (mkdir, "/new", None),
        (mkdir, "/new/", None),
        (mkdir, "/f", Some(Errno::EEXIST)),
        (mkdir, "/d/.", Some(Errno::EEXIST)),
        (mkdir, "/", Some(Errno::EEXIST)),
        (mkdir, "/dangling", Some(Errno::EEXIST)),
        (mkdir, "/f/x", Some(Errno::ENOTDIR)),
        (mkdir, "/missing/x", Some(Errno::ENOENT)),
        (rmdir, "/d/e", None),
        (rmdir, "/d/e/", None),
        (rmdir, "/d", Some(Errno::ENOTEMPTY)),
        (rmdir, "/d/e/.", Some(Errno::EINVAL)),
        (rmdir, "/d/e/..", Some(Errno::ENOTEMPTY)),
        (rmdir, "/", Some(Errno::EBUSY)),
        (rmdir, "/f", Some(Errno::ENOTDIR)),
        (rmdir, "/to-d", Some(Errno::ENOTDIR)),
        (rmdir, "/to-d/", Some(Errno::ENOTDIR)),
        (rmdir, "/missing", Some(Errno::ENOENT)),
        (unlink, "/f", None),
        (unlink, "/to-d", None),
        (unlink, "/loop", None),
        (unlink, "/d", Some(Errno::EISDIR)),
        (unlink, "/d/", Some(Errno::EISDIR)),
        (unlink, "/f/", Some(Errno::ENOTDIR)),
        (unlink, "/.", Some(Errno::EISDIR)),
        (unlink, "/missing", Some(Errno::ENOENT)),
        (symlink, "/new", None),
        (symlink, "/new/", Some(Errno::ENOENT)),
        (symlink, "/f", Some(Errno::EEXIST)),
        (link, "/new", None),
        (link, "/new/", Some(Errno::ENOENT)),
        (link, "/d", Some(Errno::EEXIST)),
        (mknod, "/new", None),
        (mknod, "/f", Some(Errno::EEXIST)),
    ];
    for (n, (call, path, error)) in table.iter().enumerate() {
        assert_eq!(call(&sample(), &c, path.as_bytes()).err(), *error, "row {n}: {path}");
    }
    let vfs = sample();
    assert_eq!(vfs.symlink(b"", &c, b"/new"), Err(Errno::ENOENT));
    assert_eq!(vfs.symlink(&[b'x'; 4096], &c, b"/new"), Err(Errno::ENAMETOOLONG));
    assert_eq!(vfs.link(&c, b"/d", &c, b"/new", Follow::No), Err(Errno::EPERM));
    assert_eq!(vfs.link(&c, b"/missing", &c, b"/new", Follow::No), Err(Errno::ENOENT));
    assert_eq!(vfs.mknod(&c, b"/new", 0o010_644), Err(Errno::EPERM));
    assert_eq!(vfs.mknod(&c, b"/new", 0o120_644), Err(Errno::EINVAL));
    assert_eq!(vfs.readlink(&c, b"/f"), Err(Errno::EINVAL));
    assert_eq!(vfs.readlink(&c, b"/to-d").as_deref(), Ok(&b"d"[..]));
    assert_eq!(vfs.truncate(b"/d", 0), Err(Errno::EISDIR));
    assert_eq!(vfs.chdir(b"/f"), Err(Errno::ENOTDIR));
}

#[test]
fn access_as_root() {
    let (vfs, c) = (sample(), At::Cwd);
    vfs.change(&c, b"/f", Follow::Yes, &Change::mode(0)).unwrap();
    let all = AccessMode::R_OK | AccessMode::W_OK;
    assert_eq!(vfs.access(&c, b"/f", all, Follow::Yes), Ok(()));
    assert_eq!(vfs.access(&c, b"/f", AccessMode::X_OK, Follow::Yes), Err(Errno::EACCES));
    vfs.change(&c, b"/f", Follow::Yes, &Change::mode(0o001)).unwrap();
    assert_eq!(vfs.access(&c, b"/f", AccessMode::X_OK, Follow::Yes), Ok(()));
    assert_eq!(vfs.access(&c, b"/d", AccessMode::X_OK, Follow::Yes), Ok(()));
    assert_eq!(vfs.access(&c, b"/dangling", AccessMode::empty(), Follow::Yes), Err(Errno::ENOENT));
    assert_eq!(vfs.access(&c, b"/dangling", AccessMode::empty(), Follow::No), Ok(()));
}

#[test]
fn the_start_of_relative_paths() {
    let vfs = sample();
    let d = open(&vfs, "/d", OpenFlags::O_PATH).unwrap();
    let f = open(&vfs, "/f", OpenFlags::empty()).unwrap();
    let at = At::Directory(&*d);
    assert!(vfs.stat(&at, b"g", Follow::Yes).is_ok());
    assert!(vfs.stat(&at, b"../f", Follow::Yes).is_ok());
    assert!(vfs.stat(&at, b"/f", Follow::Yes).is_ok());
    assert_eq!(vfs.stat(&at, b"f", Follow::Yes).err(), Some(Errno::ENOENT));
    assert_eq!(vfs.stat(&At::Directory(&*f), b"g", Follow::Yes).err(), Some(Errno::ENOTDIR));
    let (reader, _writer) = crate::pipe::pipe::<Fake>();
    let pipe = OpenFile::<Fake>::new(reader, 0);
    assert_eq!(vfs.stat(&At::Directory(&*pipe), b"g", Follow::Yes).err(), Some(Errno::ENOTDIR));
    assert!(vfs.stat(&At::Directory(&*pipe), b"/f", Follow::Yes).is_ok());
}

#[test]
fn the_working_directory() {
    let vfs = sample();
    assert_eq!(vfs.getcwd().as_deref(), Ok(&b"/"[..]));
    vfs.chdir(b"to-d/e").unwrap();
    assert_eq!(vfs.getcwd().as_deref(), Ok(&b"/d/e"[..]));
    vfs.rename(&At::Cwd, b"/d", &At::Cwd, b"/moved", true).unwrap();
    assert_eq!(vfs.getcwd().as_deref(), Ok(&b"/moved/e"[..]));
    vfs.rmdir(&At::Cwd, b"../e").unwrap();
    assert_eq!(vfs.getcwd(), Err(Errno::ENOENT));
    assert_eq!(open(&vfs, "x", OpenFlags::O_CREAT).err(), Some(Errno::ENOENT));
    assert_eq!(vfs.mkdir(&At::Cwd, b"x", 0o777), Err(Errno::ENOENT));
    vfs.chdir(b"..").unwrap();
    assert_eq!(vfs.getcwd().as_deref(), Ok(&b"/moved"[..]));
}

#[test]
fn the_umask() {
    let vfs = sample();
    assert_eq!(vfs.umask(0o077), 0o022);
    vfs.mkdir(&At::Cwd, b"/m", 0o777).unwrap();
    write(&vfs, "/m/f", "");
    assert_eq!(stat(&vfs, "/m").unwrap().st_mode, 0o040_700);
    assert_eq!(stat(&vfs, "/m/f").unwrap().st_mode, 0o100_600);
}

/// A directory in which somebody else makes the file between the first look and the attempt to make it.
struct Late(Arc<Inode<Fake>>, std::sync::atomic::AtomicBool);

impl Node<Fake> for Late {
    fn kind(&self) -> Kind {
        Kind::Directory
    }
    fn ino(&self) -> u64 {
        self.0.ino()
    }
    fn stat(&self) -> SysResult<trapless_abi::structs::Stat> {
        Node::stat(&*self.0)
    }
    fn lookup(&self, name: &[u8]) -> SysResult<Arc<dyn Node<Fake>>> {
        if self.1.swap(false, Ordering::Relaxed) { Err(Errno::ENOENT) } else { self.0.lookup(name) }
    }
    fn create(self: Arc<Self>, name: &[u8], new: New<'_, Fake>) -> SysResult<Arc<dyn Node<Fake>>> {
        self.0.clone().create(name, new)
    }
    fn statfs(&self) -> trapless_abi::structs::Statfs {
        self.0.statfs()
    }
    fn open(self: Arc<Self>, _flags: OpenFlags) -> SysResult<Arc<dyn crate::file::File<Fake>>> {
        Err(Errno::EISDIR)
    }
}

#[test]
fn somebody_else_is_faster() {
    let root = Tmpfs::<Fake>::new(1, 1 << 20).root();
    root.clone().create(b"f", New::File(0o644)).unwrap();
    let vfs = || Vfs::new(Arc::new(Late(root.clone(), true.into())));
    assert_eq!(open(&vfs(), "/f", OpenFlags::O_CREAT).err(), None);
    assert_eq!(open(&vfs(), "/f", OpenFlags::O_CREAT | OpenFlags::O_EXCL).err(), Some(Errno::EEXIST));
}

#[test]
fn one_of_many_makes_the_file() {
    let vfs = sample();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let vfs = vfs.clone();
            let make = move |n| open(&vfs, &std::format!("/d/{n}"), OpenFlags::O_CREAT | OpenFlags::O_EXCL).map(drop);
            std::thread::spawn(move || (0..500).map(make).collect::<Vec<_>>())
        })
        .collect();
    let results: Vec<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 500);
    assert!(results.iter().all(|r| matches!(r, Ok(()) | Err(Errno::EEXIST))));
}
