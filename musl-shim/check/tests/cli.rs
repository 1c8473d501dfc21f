//! The command's exit status is what a link step goes by.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};

fn nosyscall(files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nosyscall")).args(files).output().expect("the command starts")
}

fn object(name: &str, code: &[u8]) -> PathBuf {
    let mut file = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let section = file.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    file.append_section_data(section, code, 1);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, file.write().expect("the object is well formed")).expect("the object is written");
    path
}

#[test]
fn the_exit_status_tells_clean_from_guilty_from_unusable() {
    let clean = object("clean.o", &[0x90, 0xc3]);
    let guilty = object("guilty.o", &[0x0f, 0x05, 0xc3]);
    assert_eq!(nosyscall(&[&clean]).status.code(), Some(0));
    let output = nosyscall(&[&clean, &guilty]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("guilty.o: 0x0 <?> in .text: syscall"), "{message}");
    assert_eq!(nosyscall(&[&guilty, Path::new("/nonexistent")]).status.code(), Some(2));
    assert_eq!(nosyscall(&[]).status.code(), Some(2));
}
