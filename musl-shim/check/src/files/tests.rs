use object::write::{Object as Writer, Symbol, SymbolSection};
use object::{BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

use super::*;
use crate::sweep::Trap;

/// An ELF object with one text section that holds these functions, in order.
fn object(functions: &[(&str, &[u8])]) -> Vec<u8> {
    with_section(SectionKind::Text, functions)
}

fn with_section(kind: SectionKind, functions: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let section = file.add_section(Vec::new(), b".text.test".to_vec(), kind);
    for (name, code) in functions {
        let value = file.append_section_data(section, code, 1);
        file.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size: code.len() as u64,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        });
    }
    file.write().expect("the object is well formed")
}

#[test]
fn a_syscall_is_reported_with_its_function() {
    let data = object(&[("clean", &[0xc3]), ("guilty", &[0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3]), ("after", &[0xc3])]);
    let report = check_bytes(&data).expect("the object is readable");
    assert_eq!(report.code_bytes, 10);
    let [finding] = &report.findings[..] else { panic!("one finding, not {:?}", report.findings) };
    assert_eq!((finding.trap, finding.address), (Trap::Syscall, 6));
    assert_eq!(finding.symbol.as_deref(), Some("guilty"));
    assert_eq!(finding.to_string(), "0x6 <guilty> in .text.test: syscall");
}

#[test]
fn two_instructions_that_share_the_bytes_pass() {
    let data = object(&[("iconv", &[0x83, 0xe1, 0x0f, 0x05, 1, 0, 0, 0, 0xc3])]);
    assert!(data.windows(2).any(|bytes| bytes == [0x0f, 0x05]));
    assert_eq!(check_bytes(&data).expect("the object is readable").findings, []);
}

#[test]
fn data_is_not_code() {
    let data = with_section(SectionKind::ReadOnlyData, &[("table", &[0x0f, 0x05])]);
    assert!(matches!(check_bytes(&data), Err(Error::NoCode)));
}

#[test]
fn an_archive_is_searched_member_by_member() {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, code) in [("good.o/", [0x90, 0xc3]), ("bad.o/", [0x0f, 0x34])] {
        let member = object(&[("f", &code)]);
        archive.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, member.len()).into_bytes());
        archive.extend(&member);
        if member.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    let report = check_bytes(&archive).expect("the archive is readable");
    let [finding] = &report.findings[..] else { panic!("one finding, not {:?}", report.findings) };
    assert_eq!((finding.trap, finding.member.as_deref()), (Trap::Sysenter, Some("bad.o")));
}

#[test]
fn what_is_not_machine_code_of_this_machine_is_an_error() {
    assert!(matches!(check_bytes(b"#!/bin/sh\n"), Err(Error::Parse(_))));
    let other = Writer::new(BinaryFormat::Elf, Architecture::Aarch64, Endianness::Little).write().expect("writable");
    assert!(matches!(check_bytes(&other), Err(Error::Architecture(Architecture::Aarch64))));
}
