//! Where arguments and environment come from, one layer over the other.
//!
//! In rising order: the image, the initrd, files given to QEMU (fw_cfg), the kernel command line. Each layer adds to the arguments of
//! those below; an option that can be there only once, and a variable of the environment, is the uppermost layer's. So one image
//! serves many configurations, and what is secret comes with the machine.

#[cfg(test)]
mod tests;

use crate::cmdline::{self, CmdlineError};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The file of a layer with arguments as for `erl`, split like those on the command line; ends of lines separate, too.
pub const ARGS: &str = "etc/trapless/args";
/// The same for arguments in which `${NAME}` stands for a variable of the environment; they come before those of [`ARGS`].
pub const TEMPLATE: &str = "etc/trapless/args.src";
/// The file of a layer with lines `NAME=VALUE`; lines that are empty or begin with `#` mean nothing.
pub const ENV: &str = "etc/trapless/env";
/// A list of files, one a line, that are made at boot: each from a template, the file with `.src` behind its name.
pub const TEMPLATES: &str = "etc/trapless/templates";

/// The port of nodes that have a name and do not say how others find them (docs/nodes.md).
const NODE_PORT: &str = "4370";

/// The module that answers as epmd, which a node has that is to start one (rootfs/apps/trapless_boot).
const EPMD_MODULE: &str = "trapless_epmd";

/// Options of which `init` or the kernel application looks at one only; those in one row stand for each other.
const SINGLE: &[&[&str]] =
    &[&["-name", "-sname"], &["-setcookie"], &["-boot"], &["-mode"], &["-start_epmd"], &["-erl_epmd_port"], &["-user"]];

/// What one source says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// Arguments in which variables are still to be replaced.
    pub template: Vec<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// `NAME=VALUE`, in order.
    pub env: Vec<String>,
}

/// What is wrong with a layer's file, or with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerError {
    /// It is not UTF-8.
    NotText,
    /// It cannot be split into words.
    Words(CmdlineError),
    /// This line is not `NAME=VALUE`.
    Line(usize),
    /// The variable is not in the environment.
    Unset(String),
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("it is not UTF-8"),
            Self::Words(error) => write!(f, "{error}"),
            Self::Line(line) => write!(f, "line {line} is not NAME=VALUE"),
            Self::Unset(name) => {
                write!(f, "{name} is not in the environment: give it, such as by env={name}=... on the command line")
            }
        }
    }
}

/// The words of a file of arguments.
///
/// # Errors
/// It is no text, or a quote is never closed.
pub fn words(content: &[u8]) -> Result<Vec<String>, LayerError> {
    let text = core::str::from_utf8(content).map_err(|_| LayerError::NotText)?;
    cmdline::split_words(text.trim_end_matches('\0')).map_err(LayerError::Words)
}

/// The variables of a file of environment.
///
/// # Errors
/// It is no text, or names the line that sets nothing.
pub fn variables(content: &[u8]) -> Result<Vec<String>, LayerError> {
    let text = core::str::from_utf8(content).map_err(|_| LayerError::NotText)?;
    let lines = text.trim_end_matches('\0').lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let set = |(number, line): (usize, &str)| match line.split_once('=') {
        Some((name, _)) if !name.is_empty() && !name.contains(char::is_whitespace) => Ok(line.into()),
        _ => Err(LayerError::Line(number + 1)),
    };
    lines.map(set).collect()
}

/// One environment of several, the later of which win.
#[must_use]
pub fn environment<'a>(layers: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for setting in layers {
        all.retain(|old| name_of(old) != name_of(setting));
        all.push(setting.into());
    }
    all
}

/// The value of a variable.
#[must_use]
pub fn value<'a>(environment: &'a [String], name: &str) -> Option<&'a str> {
    environment.iter().find_map(|setting| setting.strip_prefix(name)?.strip_prefix('='))
}

fn name_of(setting: &str) -> &str {
    setting.split('=').next().unwrap_or_default()
}

/// `text` with the values of variables in place of `${NAME}`, and of `${NAME:-DEFAULT}` where it is unset or empty. Whatever else begins
/// with a dollar stays.
///
/// # Errors
/// Names the variable that has neither a value nor a default.
pub fn expand(text: &str, environment: &[String]) -> Result<String, LayerError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        expanded.push_str(&rest[..at]);
        let behind = &rest[at + 2..];
        let reference = behind.split_once('}').and_then(|(reference, after)| {
            let (name, default) = match reference.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (reference, None),
            };
            is_name(name).then_some((name, default, after))
        });
        let Some((name, default, after)) = reference else {
            expanded.push_str("${");
            rest = behind;
            continue;
        };
        let value = match (value(environment, name), default) {
            (Some(""), Some(default)) | (None, Some(default)) => default,
            (Some(value), _) => value,
            (None, None) => return Err(LayerError::Unset(name.into())),
        };
        expanded.push_str(value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// One line of arguments of several. What a layer puts behind `-extra` comes last, for all that is behind it is Erlang code's; behind
/// `-S` there is one module's, so the last layer that has it wins.
#[must_use]
pub fn merge(layers: Vec<Vec<String>>) -> Vec<String> {
    let (mut line, mut tail): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for mut words in layers {
        let end = words.iter().position(|word| matches!(word.as_str(), "-extra" | "-S")).unwrap_or(words.len());
        let last = words.split_off(end);
        for row in SINGLE.iter().filter(|row| words.iter().any(|word| row.contains(&word.as_str()))) {
            remove(&mut line, row);
        }
        line.extend(words);
        match last.first().map(String::as_str) {
            Some("-extra") if !tail.is_empty() => tail.extend(last.into_iter().skip(1)),
            Some(_) => tail = last,
            None => {}
        }
    }
    if is_named(&line) && !finds_nodes(&line) {
        line.extend(["-start_epmd", "false", "-erl_epmd_port", NODE_PORT].map(String::from));
    }
    if starts_epmd(&line) {
        line.extend(["-epmd_module", EPMD_MODULE].map(String::from));
    }
    line.extend(tail);
    line
}

/// Takes the options of a row out, with their values. An option with two values, `-setcookie NODE COOKIE`, says something of one node
/// only, and stays.
fn remove(line: &mut Vec<String>, row: &[&str]) {
    let is_option = |word: &String| word.starts_with(['-', '+']);
    let mut at = 0;
    while at < line.len() {
        let values = line[at + 1..].iter().take_while(|word| !is_option(word)).count();
        if row.contains(&line[at].as_str()) && values < 2 {
            line.drain(at..=at + values);
        } else {
            at += 1;
        }
    }
}

fn has(line: &[String], options: &[&str]) -> bool {
    line.iter().any(|word| options.contains(&word.as_str()))
}

fn is_named(line: &[String]) -> bool {
    has(line, &["-name", "-sname"])
}

/// Whether the arguments say how other nodes are found.
fn finds_nodes(line: &[String]) -> bool {
    has(line, &["-start_epmd", "-erl_epmd_port", "-epmd_module", "-no_epmd"])
}

/// Whether the arguments ask for an epmd, and leave open which.
fn starts_epmd(line: &[String]) -> bool {
    let asked = line.windows(2).any(|words| words[0] == "-start_epmd" && words[1] == "true");
    asked && !has(line, &["-epmd_module", "-no_epmd"])
}
