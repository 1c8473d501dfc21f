//! trapless-abi against the headers of musl and of the kernel: sizes, alignments, offsets and values.
//!
//! The build script lists what trapless-abi declares and what the headers say of it. A name that only one of the two
//! header sets has is checked against that one. Where the sets differ, the kernel's is the contract.

use std::collections::BTreeMap;
use std::mem::offset_of;

use trapless_abi::structs as abi;
use trapless_abi::table::NAMES;

/// One structure in one set of headers.
struct Layout {
    name: &'static str,
    headers: &'static str,
    /// Size and alignment in bytes.
    declared: (usize, usize),
    found: (usize, usize),
    /// Name, declared offset, and the offset found if the header has a field of that name.
    fields: &'static [(&'static str, usize, Option<usize>)],
}

/// One constant in both sets.
struct Constant {
    name: &'static str,
    declared: Option<i128>,
    musl: Option<i128>,
    kernel: Option<i128>,
}

#[allow(warnings, clippy::all, reason = "generated")]
mod musl {
    include!(concat!(env!("OUT_DIR"), "/musl.rs"));
}

#[allow(warnings, clippy::all, reason = "generated")]
mod kernel {
    include!(concat!(env!("OUT_DIR"), "/kernel.rs"));
}

include!(concat!(env!("OUT_DIR"), "/checks.rs"));

/// Structures that are longer in a set of headers, with the reason why the declared size is right.
const OTHER_SIZE: &[(&str, &str, &str)] = &[
    ("Dirent64", "musl", "musl's has room for the longest name; getdents64 records end after theirs"),
    ("Rusage", "musl", "musl adds a reserve that the kernel does not write"),
    ("SchedParam", "musl", "musl adds the members of POSIX's sporadic server"),
    ("Sigaction", "musl", "musl translates its own to the kernel's"),
    ("Sysinfo", "musl", "musl adds a reserve that the kernel does not write"),
    ("Termios", "musl", "musl adds members after those of TCGETS"),
    ("Ucontext", "musl", "musl's signal set is longer and room for the FPU state follows"),
];

/// Structures whose declared alignment is larger than in a set of headers.
const OTHER_ALIGNMENT: &[(&str, &str, &str)] =
    &[("Cmsghdr", "musl", "musl splits the kernel's size_t into an int and its padding")];

/// Fields that are elsewhere in a set of headers.
const OTHER_OFFSET: &[(&str, &str, &str)] = &[
    ("Sigaction.sa_flags", "musl", "musl translates its own to the kernel's"),
    ("Sigaction.sa_mask", "musl", "musl translates its own to the kernel's"),
    ("Sigaction.sa_restorer", "musl", "musl translates its own to the kernel's"),
];

/// Structures that no header declares.
const NO_HEADER: &[(&str, &str)] = &[("PselectSigmask", "the kernel reads two words, without a type")];

/// Constants that a set of headers defines otherwise.
const OTHER_VALUE: &[(&str, &str, &str)] = &[
    ("O_ACCMODE", "musl", "musl counts O_SEARCH, which is O_PATH, as an access mode"),
    ("SOMAXCONN", "musl", "the kernel's limit rose in Linux 5.4; musl keeps the old one"),
];

/// Constants that no header of every supported host defines.
const NO_VALUE: &[(&str, &str)] = &[
    ("EPOLL_MAX_EVENTS", "internal to the kernel"),
    ("MAX", "the highest signal, ours"),
    ("MAX_ERRNO", "internal to the kernel"),
    ("MFD_EXEC", "since Linux 6.3"),
    ("MFD_NOEXEC_SEAL", "since Linux 6.3"),
    ("NSEC_PER_SEC", "internal to the kernel"),
    ("SIG_DFL", "a pointer in C"),
    ("SIG_IGN", "a pointer in C"),
    ("SOCK_TYPE_MASK", "internal to the kernel"),
    ("THREAD", "a combination, ours"),
    ("UTSNAME_LEN", "internal to the kernel"),
];

/// System calls that took an old free number, so that older headers lack them.
const NEW_CALLS: &[(&str, &str)] = &[("uretprobe", "since Linux 6.11")];

fn listed(list: &[(&str, &str, &str)], name: &str, headers: &str) -> bool {
    list.iter().any(|&(listed, set, _)| listed == name && set == headers)
}

/// Fails with every line of `wrong`, not only with the first.
#[track_caller]
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn structures_have_the_size_of_the_headers() {
    let mut wrong = Vec::new();
    for row in LAYOUTS {
        if (row.declared.0 == row.found.0) == listed(OTHER_SIZE, row.name, row.headers) {
            wrong.push(format!("{} in {}: declared {:?}, found {:?}", row.name, row.headers, row.declared, row.found));
        }
    }
    none(&wrong);
    assert_eq!(size_of::<abi::Dirent64>(), offset_of!(musl::dirent, d_name));
}

/// A smaller alignment does no harm: structures of the program are copied, never referred to.
#[test]
fn structures_are_not_aligned_more_than_in_the_headers() {
    let mut wrong = Vec::new();
    for row in LAYOUTS {
        if (row.declared.1 <= row.found.1) == listed(OTHER_ALIGNMENT, row.name, row.headers) {
            wrong.push(format!("{} in {}: declared {:?}, found {:?}", row.name, row.headers, row.declared, row.found));
        }
    }
    none(&wrong);
}

/// Names with a leading underscore are padding or reserved: each header calls them something else.
#[test]
fn fields_have_the_offsets_of_the_headers() {
    let mut wrong = Vec::new();
    let mut found_somewhere = BTreeMap::new();
    for row in LAYOUTS {
        for (field, declared, found) in row.fields.iter().filter(|(field, ..)| !field.starts_with('_')) {
            let name = format!("{}.{field}", row.name);
            let is_other = listed(OTHER_OFFSET, &name, row.headers);
            if found.is_some_and(|found| (found == *declared) == is_other) {
                wrong.push(format!("{name} in {}: declared {declared}, found {found:?}", row.headers));
            }
            *found_somewhere.entry(name).or_insert(false) |= found.is_some() && !is_other;
        }
    }
    let nowhere = found_somewhere.into_iter().filter(|(_, found)| !found);
    wrong.extend(nowhere.map(|(name, _)| format!("{name} is a field in no header")));
    none(&wrong);
}

#[test]
fn every_structure_is_in_a_header() {
    let is_known = |name: &&&str| {
        LAYOUTS.iter().any(|row| row.name == **name) || NO_HEADER.iter().any(|(listed, _)| listed == *name)
    };
    none(&STRUCTS.iter().filter(|name| !is_known(name)).map(ToString::to_string).collect::<Vec<_>>());
}

#[test]
fn constants_have_the_values_of_the_headers() {
    let mut wrong = Vec::new();
    for row in CONSTANTS {
        for (headers, found) in [("musl", row.musl), ("kernel", row.kernel)] {
            let Some(found) = found else { continue };
            let as_found = row.declared.is_some_and(|declared| same(declared, found));
            if as_found == listed(OTHER_VALUE, row.name, headers) {
                wrong.push(format!("{} in {headers}: declared {:?}, found {found}", row.name, row.declared));
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_constant_is_in_a_header() {
    let unknown = CONSTANTS.iter().filter(|row| row.musl.is_none() && row.kernel.is_none());
    let unlisted = unknown.filter(|row| !NO_VALUE.iter().any(|(listed, _)| *listed == row.name));
    none(&unlisted.map(|row| row.name.to_owned()).collect::<Vec<_>>());
}

/// Both ways, so that the table can neither lack a call that the headers have nor name one that is not there.
#[test]
fn system_calls_have_the_numbers_of_the_headers() {
    let mut wrong = Vec::new();
    for (name, number) in NUMBERS {
        if !NAMES.iter().any(|(is, known)| known == name && i128::from(*is) == *number) {
            wrong.push(format!("{number} {name} is in the headers, not in the table"));
        }
    }
    let newest = NUMBERS.iter().map(|(_, number)| *number).max().unwrap_or_default();
    for (number, name) in NAMES.iter().map(|(number, name)| (i128::from(*number), *name)) {
        let is_newer = number > newest || NEW_CALLS.iter().any(|(listed, _)| *listed == name);
        if !is_newer && !NUMBERS.contains(&(name, number)) {
            wrong.push(format!("{number} {name} is in the table, not in the headers"));
        }
    }
    assert!(NUMBERS.len() > 600, "two lists of more than 300 calls are expected");
    none(&wrong);
}

/// Whether two constants are the same number, or the same bits where C leaves the sign open.
fn same(a: i128, b: i128) -> bool {
    let narrow = |value: i128| (i32::MIN.into()..=u32::MAX.into()).contains(&value);
    a == b || a as u64 == b as u64 || (narrow(a) && narrow(b) && a as u32 == b as u32)
}
