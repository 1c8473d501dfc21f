//! The table of names that shared libraries may use: functions and variables of the C library, and ERTS's interfaces for NIFs and drivers.
//!
//! It is made of the joined C side, which knows what of the C library is there. Read by `libos/logic/src/dl/exports.rs`.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use object::{Object, ObjectSymbol, SymbolFlags, elf, read::archive::ArchiveFile};

/// How the names of ERTS's interfaces begin (erl_nif(3), erl_driver(3)).
const INTERFACES: [&str; 3] = ["enif_", "driver_", "erl_drv_"];
/// Functions of erl_driver(3) that are called otherwise.
const OTHERS: [&str; 5] =
    ["add_driver_entry", "get_port_flags", "remove_driver_entry", "set_busy_port", "set_port_control_flags"];
/// Names under which libraries know something that has another name here (`link/loader/loader.h`).
const ALIASES: [(&str, &str); 1] = [("__tls_get_addr", "trapless_tls_get_addr")];

/// Names that an object file or an archive defines for others.
///
/// # Errors
/// It cannot be read.
pub fn defined(path: &Path) -> Result<BTreeSet<String>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = fs::read(path).map_err(|error| wrong(&error))?;
    let mut names = BTreeSet::new();
    if bytes.starts_with(b"!<arch>") {
        let archive = ArchiveFile::parse(&*bytes).map_err(|error| wrong(&error))?;
        for member in archive.members() {
            let data = member.and_then(|member| member.data(&*bytes)).map_err(|error| wrong(&error))?;
            add_defined(data, &mut names).map_err(|error| wrong(&error))?;
        }
    } else {
        add_defined(&bytes, &mut names).map_err(|error| wrong(&error))?;
    }
    Ok(names)
}

fn add_defined(bytes: &[u8], names: &mut BTreeSet<String>) -> object::Result<()> {
    let file = object::File::parse(bytes)?;
    names.extend(file.symbols().filter(is_for_others).filter_map(|symbol| Some(symbol.name().ok()?.to_owned())));
    Ok(())
}

/// Global or weak, defined, not hidden, and no thread-local variable: those of the program have no address.
fn is_for_others<'a>(symbol: &impl ObjectSymbol<'a>) -> bool {
    let SymbolFlags::Elf { st_info, st_other } = symbol.flags() else { return false };
    symbol.is_global() && !symbol.is_undefined() && st_other & 3 == elf::STV_DEFAULT && st_info & 15 != elf::STT_TLS
}

/// Which names of the joined C side are exported: those that are ERTS's interfaces, and those that `libc` defines, too.
pub fn chosen(joined: &BTreeSet<String>, libc: &BTreeSet<String>) -> Vec<(String, String)> {
    let is_interface = |name: &str| INTERFACES.iter().any(|start| name.starts_with(start)) || OTHERS.contains(&name);
    let alias = |name: &str| ALIASES.iter().find(|(_, own)| *own == name).map(|(known, _)| (*known).to_owned());
    let replaced = |name: &str| ALIASES.iter().any(|(known, _)| *known == name);
    let mut chosen: Vec<(String, String)> = joined
        .iter()
        .filter_map(|name| match alias(name) {
            Some(known) => Some((known, name.clone())),
            None if replaced(name) => None,
            None => (is_interface(name) || libc.contains(name)).then(|| (name.clone(), name.clone())),
        })
        .collect();
    chosen.sort();
    chosen
}

/// The table as assembler text.
pub fn assembler(chosen: &[(String, String)]) -> String {
    let mut text = String::from(".section .trapless.exports,\"a\",@progbits\n.balign 8\nstart:\n");
    let mut line = |arguments: std::fmt::Arguments<'_>| text.write_fmt(arguments).expect("text grows");
    line(format_args!(".long {}\n", chosen.len()));
    for (index, (_, symbol)) in chosen.iter().enumerate() {
        line(format_args!(".long name{index} - start, \"{symbol}\"\n"));
    }
    for (index, (name, _)) in chosen.iter().enumerate() {
        line(format_args!("name{index}: .asciz \"{name}\"\n"));
    }
    line(format_args!(".section .note.GNU-stack,\"\",@progbits\n"));
    text
}
