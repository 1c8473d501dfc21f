//! The loader on libraries that the host's compiler makes, and on damaged ones.

use super::Problem;
use super::exports::Exports;
use super::loader::{Failure, Files, Identity, Libraries, Memory};
use super::symbols::Value;
use crate::mm::{PAGE, Range};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};
use trapless_abi::flags::Prot;
use trapless_abi::{Errno, SysResult};

/// Where the fake memory begins.
const START: u64 = 0x1000_0000;
/// What the image of these tests has: names and their addresses, in order.
const IMAGE: [(&str, u32); 3] = [("__tls_get_addr", 0x30_0000), ("enif_alloc", 0x40_0010), ("memcpy", 0x40_0020)];

/// Memory that checks what is done to it.
#[derive(Default)]
struct Fake {
    bytes: BTreeMap<u64, Vec<u8>>,
    rights: BTreeMap<u64, Prot>,
}

impl Fake {
    fn word(&self, at: u64) -> u64 {
        let (start, bytes) = self.bytes.range(..=at).next_back().expect("mapped memory");
        let at = (at - start) as usize;
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    fn rights(&self, at: u64) -> Prot {
        self.rights[&(at & !(PAGE - 1))]
    }
}

impl Memory for Fake {
    fn reserve(&mut self, len: u64, align: u64) -> SysResult<u64> {
        if len > 16 << 20 {
            return Err(Errno::ENOMEM);
        }
        let last = self.bytes.iter().next_back().map_or(START, |(start, bytes)| start + bytes.len() as u64);
        let start = (last + PAGE).next_multiple_of(align);
        self.bytes.insert(start, vec![0; len as usize]);
        (start..start + len).step_by(PAGE as usize).for_each(|page| {
            self.rights.insert(page, Prot::PROT_READ | Prot::PROT_WRITE);
        });
        Ok(start)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> SysResult<()> {
        let (start, memory) = self.bytes.range_mut(..=at).next_back().ok_or(Errno::EFAULT)?;
        let offset = (at - start) as usize;
        let place = memory.get_mut(offset..offset + bytes.len()).ok_or(Errno::EFAULT)?;
        let pages = (at & !(PAGE - 1)..at + bytes.len() as u64).step_by(PAGE as usize);
        assert!(
            pages.into_iter().all(|page| self.rights[&page].contains(Prot::PROT_WRITE)),
            "it writes where it must not"
        );
        place.copy_from_slice(bytes);
        Ok(())
    }

    fn protect(&mut self, pages: Range, prot: Prot) -> SysResult<()> {
        assert!(!prot.contains(Prot::PROT_WRITE | Prot::PROT_EXEC), "INV-DL-1");
        for page in (pages.start..pages.end).step_by(PAGE as usize) {
            *self.rights.get_mut(&page).ok_or(Errno::ENOMEM)? = prot;
        }
        Ok(())
    }

    fn release(&mut self, pages: Range) {
        self.bytes.remove(&pages.start).expect("what is given back was mapped");
        self.rights.retain(|&page, _| !pages.contains(page));
    }
}

/// A folder with libraries, and a view of it as `/lib`.
struct Folder {
    path: PathBuf,
    files: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("trapless-dl-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self { path, files: BTreeMap::new() }
    }

    /// Compiles a library, and adds it.
    fn make(&mut self, name: &str, source: &str, arguments: &[&str]) -> Vec<u8> {
        let file = self.path.join(format!("{name}.c"));
        fs::write(&file, source).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-fno-stack-protector", "-fcf-protection=none"]).arg(&file);
        cc.current_dir(&self.path).args(arguments).args(["-o", name]);
        let output = cc.output().expect("a C compiler (Debian: build-essential)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let bytes = fs::read(self.path.join(name)).unwrap();
        self.add(name, bytes.clone());
        bytes
    }

    fn add(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.insert(format!("/lib/{name}").into_bytes(), bytes);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Files for Folder {
    fn identity(&self, path: &[u8]) -> SysResult<Identity> {
        let index = self.files.keys().position(|file| file == path).ok_or(Errno::ENOENT)?;
        Ok((1, index as u64))
    }

    fn read(&self, path: &[u8]) -> SysResult<Vec<u8>> {
        self.files.get(path).cloned().ok_or(Errno::ENOENT)
    }
}

fn image() -> Vec<u8> {
    let mut offset = 4 + 8 * IMAGE.len() as u32;
    let mut table = (IMAGE.len() as u32).to_le_bytes().to_vec();
    for (name, address) in IMAGE {
        table.extend([offset.to_le_bytes(), address.to_le_bytes()].concat());
        offset += name.len() as u32 + 1;
    }
    IMAGE.iter().for_each(|(name, _)| table.extend(name.bytes().chain([0])));
    table
}

fn load_into(known: &Libraries, name: &str, folder: &Folder, memory: &mut Fake) -> Result<(Libraries, usize), Failure> {
    known.load(format!("/lib/{name}").as_bytes(), false, Exports::new(&image()), folder, memory)
}

fn load(name: &str, folder: &Folder) -> Result<(Libraries, usize, Fake), Failure> {
    let mut memory = Fake::default();
    let loaded = load_into(&Libraries::new(), name, folder, &mut memory);
    if loaded.is_err() {
        assert!(memory.bytes.is_empty(), "INV-DL-2: a load that fails leaves nothing mapped");
    }
    loaded.map(|(libraries, number)| (libraries, number, memory))
}

fn problem(name: &str, folder: &Folder) -> Problem {
    load(name, folder).map(drop).expect_err("it cannot be loaded").problem
}

fn address(libraries: &Libraries, number: usize, name: &str) -> u64 {
    match libraries.symbol(Some(number), name.as_bytes(), Exports::default()) {
        Some((Value::Address(address), _)) => address,
        other => panic!("{name}: {other:?}"),
    }
}

const PLAIN: &str = "
    extern void *enif_alloc(unsigned long); extern int nowhere(void) __attribute__((weak));
    static int own = 7; int public_one = 8; const char text[] = \"text\";
    int *to_own = &own; int *to_public = &public_one; void *(*to_image)(unsigned long) = enif_alloc;
    int (*to_weak)(void) = nowhere; const char *const to_text = text + 2; int zeros[5000];
    void *call(void) { return enif_alloc(public_one); } int test(void) { return nowhere ? nowhere() : own; }
    __attribute__((constructor)) static void start(void) { zeros[0] = 1; }
    __attribute__((destructor)) static void end(void) { zeros[1] = 1; }";

#[test]
fn a_library_is_placed_and_relocated() {
    let styles: [&[&str]; 3] =
        [&["-Wl,--hash-style=gnu"], &["-Wl,--hash-style=sysv"], &["-Wl,-z,pack-relative-relocs"]];
    for style in styles {
        let mut folder = Folder::new();
        folder.make("plain.so", PLAIN, &[&["-nostdlib"], style].concat());
        let (libraries, number, memory) = load("plain.so", &folder).unwrap();
        let at = |name| address(&libraries, number, name);
        let library = libraries.get(number).unwrap();
        assert_eq!(memory.word(at("to_public")), at("public_one"));
        assert_eq!(memory.word(memory.word(at("to_own"))) as u32, 7);
        assert_eq!(memory.word(at("to_image")), 0x40_0010);
        assert_eq!(memory.word(at("to_weak")), 0);
        assert_eq!(memory.word(at("to_text")), at("text") + 2);
        assert_eq!(memory.word(at("zeros") + 19_992), 0);
        assert_eq!(memory.rights(at("call")), Prot::PROT_READ | Prot::PROT_EXEC);
        assert_eq!(memory.rights(at("public_one")), Prot::PROT_READ | Prot::PROT_WRITE);
        assert_eq!(memory.rights(at("to_text")), Prot::PROT_READ, "read-only once it is relocated");
        assert_eq!(memory.rights(at("text")), Prot::PROT_READ);
        for calls in [library.init, library.fini] {
            assert_eq!(calls.array.size, 8);
            let function = memory.word(calls.array.address);
            assert_eq!(memory.rights(function), Prot::PROT_READ | Prot::PROT_EXEC);
        }
        assert!(libraries.symbol(Some(number), b"own", Exports::default()).is_none(), "a static variable is nobody's");
        assert!(library.pages.contains(library.headers.0) && library.headers.1 > 3);
    }
}

#[test]
fn the_same_file_is_loaded_once() {
    let mut folder = Folder::new();
    folder.make("plain.so", PLAIN, &["-nostdlib"]);
    let (libraries, number, mut memory) = load("plain.so", &folder).unwrap();
    let (again, same) = load_into(&libraries, "plain.so", &folder, &mut memory).unwrap();
    assert_eq!((again.len(), same), (1, number));
}

#[test]
fn what_a_library_needs_comes_before_it() {
    let mut folder = Folder::new();
    let bare = ["-nostdlib"];
    folder.make("libc_end.so", "int end_value = 5; int last(void) { return end_value; }", &bare);
    folder.make(
        "libb.so",
        "extern int last(void); int middle(void) { return last(); }",
        &[&bare[..], &["libc_end.so"]].concat(),
    );
    let needs_both = [&bare[..], &["libb.so", "libc_end.so"]].concat();
    folder.make(
        "a.so",
        "extern int middle(void), end_value; int *p = &end_value; int (*f)(void) = middle;",
        &needs_both,
    );
    let (libraries, number, memory) = load("a.so", &folder).unwrap();
    let path = |number: usize| String::from_utf8(libraries.get(number).unwrap().path.clone()).unwrap();
    assert_eq!([path(0), path(1), path(2)], ["/lib/libc_end.so", "/lib/libb.so", "/lib/a.so"]);
    assert_eq!(number, 2);
    assert_eq!(memory.word(address(&libraries, 2, "p")), address(&libraries, 0, "end_value"));
    assert_eq!(memory.word(address(&libraries, 2, "f")), address(&libraries, 1, "middle"));
    assert_eq!(address(&libraries, 2, "last"), address(&libraries, 0, "last"), "dlsym(3) looks into what it needs");
    assert!(libraries.symbol(None, b"last", Exports::new(&image())).is_none(), "it was not loaded for everybody");

    folder.files.remove(&b"/lib/libc_end.so"[..]);
    let failure = load("a.so", &folder).map(drop).unwrap_err();
    assert_eq!(failure.problem, Problem::Needed("libc_end.so".into()));
}

#[test]
fn a_library_for_everybody_helps_those_that_come_later() {
    let mut folder = Folder::new();
    folder.make("first.so", "int shared_value = 3;", &["-nostdlib"]);
    folder.make("second.so", "extern int shared_value; int *p = &shared_value;", &["-nostdlib"]);
    assert_eq!(problem("second.so", &folder), Problem::Missing("shared_value".into()));
    let mut memory = Fake::default();
    let image = image();
    let (libraries, _) =
        Libraries::new().load(b"/lib/first.so", true, Exports::new(&image), &folder, &mut memory).unwrap();
    let (libraries, second) = load_into(&libraries, "second.so", &folder, &mut memory).unwrap();
    assert_eq!(memory.word(address(&libraries, second, "p")), address(&libraries, 0, "shared_value"));
}

#[test]
fn thread_local_variables_ask_by_number() {
    let mut folder = Folder::new();
    let source = "__thread int a = 4; __thread int b; int *where(void) { return &b; } int sum(void) { return a + b; }";
    folder.make("tls.so", source, &["-nostdlib"]);
    let (libraries, number, memory) = load("tls.so", &folder).unwrap();
    let tls = libraries.get(number).unwrap().tls.unwrap();
    assert_eq!((tls.file_size, tls.memory_size), (4, 8));
    assert_eq!(memory.word(tls.address) as u32, 4);
    assert!(matches!(libraries.symbol(Some(number), b"b", Exports::default()), Some((Value::Tls(4), 1))));
    let fixed = "__thread int a __attribute__((tls_model(\"initial-exec\"))); int get(void) { return a; }";
    folder.make("fixed.so", fixed, &["-nostdlib"]);
    let text = problem("fixed.so", &folder).to_string();
    assert!(text.contains("-ftls-model=global-dynamic"), "{text}");
}

#[test]
fn what_cannot_be_loaded_says_why() {
    let mut folder = Folder::new();
    folder.make("glibc.so", "int puts(const char *); int f(void) { return puts(\"x\"); }", &[]);
    let text = problem("glibc.so", &folder).to_string();
    assert!(text.contains("built for glibc (it needs libc.so.6)") && text.contains("--nif DIR"), "{text}");

    folder.make(
        "missing.so",
        "extern int nobody_has_this(void); int f(void) { return nobody_has_this(); }",
        &["-nostdlib"],
    );
    assert_eq!(problem("missing.so", &folder), Problem::Missing("nobody_has_this".into()));

    folder.add("text.so", b"#!/bin/sh\n".to_vec());
    assert_eq!(problem("text.so", &folder), Problem::NotElf);
    assert_eq!(problem("absent.so", &folder), Problem::System(Errno::ENOENT));

    let plain = folder.make("plain.so", PLAIN, &["-nostdlib"]);
    let mut changed = |at: usize, byte: u8| {
        let mut bytes = plain.clone();
        bytes[at] = byte;
        folder.add("changed.so", bytes);
        problem("changed.so", &folder)
    };
    assert_eq!(changed(4, 1), Problem::OtherMachine);
    assert_eq!(changed(18, 183), Problem::OtherMachine);
    assert_eq!(changed(16, 1), Problem::NotShared);
    // The flags of the first program headers of type PT_LOAD: writable and executable.
    assert_eq!(changed(64 + 4, 7), Problem::WritableCode);
}

#[test]
fn text_that_would_have_to_change_is_refused() {
    let mut folder = Folder::new();
    let source = "extern int memcpy; __asm__(\".text\\n.globl f\\nf: .quad memcpy\\n\");";
    folder.make("text.so", source, &["-nostdlib", "-Wl,-z,notext"]);
    assert_eq!(problem("text.so", &folder), Problem::NotPositionIndependent);
}

/// INV-DL-2 holds wherever the file ends.
#[test]
fn no_file_that_is_cut_off_is_loaded() {
    let mut folder = Folder::new();
    let whole = folder.make("plain.so", PLAIN, &["-nostdlib", "-s"]);
    let (_, _, memory) = load("plain.so", &folder).unwrap();
    // Behind the last byte of the last segment there are section headers only, which nobody needs to load it.
    let needed = super::elf::Object::parse(&whole).unwrap().segments.iter().map(|s| s.offset + s.file_size).max();
    drop(memory);
    let mut seen = std::collections::BTreeSet::new();
    for len in 0..needed.unwrap() as usize {
        folder.add("cut.so", whole[..len].to_vec());
        seen.insert(problem("cut.so", &folder).to_string());
    }
    assert!(seen.iter().any(|text| text.contains("cut off: the file ends before its segments")), "{seen:?}");
    folder.add("cut.so", whole[..needed.unwrap() as usize].to_vec());
    load("cut.so", &folder).unwrap();
}

/// A damaged file is refused or loaded, but never makes the loader panic, write elsewhere, or leave something behind.
#[test]
fn damage_does_no_harm() {
    let mut folder = Folder::new();
    for (name, source) in [("plain.so", PLAIN), ("tls.so", "__thread int a = 4; int *where(void) { return &a; }")] {
        let whole = folder.make(name, source, &["-nostdlib", "-s", "-Wl,-z,max-page-size=4096"]);
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..4000 {
            let mut bytes = whole.clone();
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The headers and tables lie in the first page and in the dynamic section, near the end.
            let at = (random >> 33) as usize % if random & 1 == 0 { 1024 } else { bytes.len() };
            bytes[at] = (random >> 20) as u8;
            folder.add("damaged.so", bytes);
            let _ = load("damaged.so", &folder);
        }
    }
}
