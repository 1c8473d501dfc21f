//! The comparison, written as Rust for the test to include.

use std::fmt::Write;

use crate::bound::Bound;
use crate::declared::{Declared, Struct};

/// The tables `LAYOUTS` and `CONSTANTS`, of types that the test defines, the names of all `STRUCTS`, and the
/// `NUMBERS` of the system calls.
pub fn checks(declared: &Declared, musl: &Bound, kernel: &Bound) -> String {
    let mut text = String::from("const LAYOUTS: &[Layout] = &[\n");
    for item in &declared.structs {
        for (headers, bound) in [("musl", musl), ("kernel", kernel)] {
            layout(&mut text, item, headers, bound);
        }
    }
    text.push_str("];\nconst STRUCTS: &[&str] = &[\n");
    for item in &declared.structs {
        push(&mut text, format_args!("{:?},\n", item.name));
    }
    text.push_str("];\nconst CONSTANTS: &[Constant] = &[\n");
    for constant in &declared.constants {
        push(
            &mut text,
            format_args!(
                "Constant {{ name: {0:?}, declared: {1:?}, musl: {2:?}, kernel: {3:?} }},\n",
                constant.name,
                constant.value,
                musl.constants.get(&constant.name),
                kernel.constants.get(&constant.name)
            ),
        );
    }
    text.push_str("];\nconst NUMBERS: &[(&str, i128)] = &[\n");
    let musl = musl.constants.iter().filter_map(|(name, number)| Some((name.strip_prefix("SYS_")?, number)));
    let kernel = kernel.constants.iter().filter_map(|(name, number)| Some((name.strip_prefix("__NR_")?, number)));
    // Other constants begin so too, such as SYS_SECCOMP; names of calls are in lower case.
    let is_call = |name: &str| !name.contains(|c: char| c.is_ascii_uppercase());
    for (name, number) in musl.chain(kernel).filter(|(name, _)| is_call(name)) {
        push(&mut text, format_args!("({name:?}, {number}),\n"));
    }
    text.push_str("];\n");
    text
}

/// One row that compares `item` with the structure of that name in `bound`, if there is one.
fn layout(text: &mut String, item: &Struct, headers: &str, bound: &Bound) {
    let Some((name, fields)) = c_names(&item.name).into_iter().find_map(|name| {
        let fields = bound.structs.get(&name)?;
        Some((name, fields))
    }) else {
        return;
    };
    let (ours, theirs) = (&item.name, format!("{headers}::{name}"));
    push(
        text,
        format_args!(
            "Layout {{ name: {ours:?}, headers: {headers:?}, declared: (size_of::<abi::{ours}>(), align_of::<abi::{ours}>()), \
             found: (size_of::<{theirs}>(), align_of::<{theirs}>()), fields: &[\n"
        ),
    );
    for field in &item.fields {
        let path = c_path(ours, field);
        let known = path.split('.').next().is_some_and(|first| fields.contains(first));
        let offset = if known { format!("Some(offset_of!({theirs}, {path}))") } else { "None".to_owned() };
        push(text, format_args!("    ({field:?}, offset_of!(abi::{ours}, {field}), {offset}),\n"));
    }
    text.push_str("] },\n");
}

/// Where C keeps a field that it reaches by a macro, or the field itself.
fn c_path<'a>(item: &str, field: &'a str) -> &'a str {
    match (item, field) {
        ("Ifconf", "ifc_buf") => "ifc_ifcu.ifcu_buf",
        ("Ifreq", "ifr_name") => "ifr_ifrn.ifrn_name",
        ("Siginfo", "si_pid") => "__si_fields.__si_common.__first.__piduid.si_pid",
        ("Siginfo", "si_uid") => "__si_fields.__si_common.__first.__piduid.si_uid",
        ("Siginfo", "si_value") => "__si_fields.__si_common.__second.si_value",
        _ => field,
    }
}

/// The names under which a header may have a structure: its own in C spelling, or one that no rule gives.
fn c_names(rust: &str) -> Vec<String> {
    let mut snake = String::new();
    for (at, letter) in rust.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    let other = match rust {
        "Dirent64" => "dirent",
        "Mcontext" => "mcontext_t",
        "MmsgHdr" => "mmsghdr",
        "Siginfo" => "siginfo_t",
        "Ucontext" => "ucontext",
        "Utsname" => "new_utsname",
        _ => "",
    };
    vec![snake, other.to_owned()]
}

fn push(text: &mut String, arguments: std::fmt::Arguments) {
    text.write_fmt(arguments).expect("a String takes all text");
}
