//! What is given to the program, gathered from all its sources (`trapless_logic::layers`).

use crate::config::Config;
use crate::power::refuse_boot;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;
use trapless_logic::erl_args::ENVIRONMENT;
use trapless_logic::layers::{self, ARGS, ENV, Layer, LayerError, TEMPLATE, TEMPLATES};
use trapless_logic::vfs::cpio::{self, ArchiveError};
use trapless_platform::boot::BootInfo;
use trapless_platform::frames;
use trapless_platform::fw_cfg::{FwCfg, LARGEST};

/// Files of QEMU's fw_cfg, by the files of other layers that they stand beside.
const GIVEN_TO_QEMU: [(&str, &str); 2] = [(ARGS, "opt/org.trapless/args"), (ENV, "opt/org.trapless/env")];

/// What the program is given.
pub struct Given {
    /// Arguments as for `erl`; None if there are none anywhere.
    pub args: Option<Vec<String>>,
    /// `NAME=VALUE`, each name once.
    pub env: Vec<String>,
    /// Files made from templates, by their path without the leading slash.
    pub files: Vec<(&'static str, &'static [u8])>,
}

/// The initrd, if the machine has one.
pub fn initrd(info: &'static BootInfo) -> Option<&'static [u8]> {
    frames::initrd_bytes(info).unwrap_or_else(|(start, end)| {
        refuse_boot(format_args!(
            "the initrd is at {start:#x}..{end:#x}, where no memory is free for it: give the machine more (QEMU: -m)"
        ))
    })
}

/// Reads every layer. What cannot be read is a boot that cannot go on.
pub fn gather(rootfs: &'static [u8], initrd: Option<&'static [u8]>, config: &Config) -> Given {
    let archives = [("the image", Some(rootfs)), ("the initrd", initrd)];
    let archives = || archives.into_iter().filter_map(|(origin, archive)| Some((origin, archive?)));
    let mut all: Vec<(&str, Layer)> =
        archives().map(|(origin, archive)| (origin, of_archive(origin, archive))).collect();
    all.push(("fw_cfg", of_fw_cfg()));
    let on_line =
        Layer { args: config.erl.clone().unwrap_or_default(), env: config.environment.clone(), ..Layer::default() };
    all.push(("the command line", on_line));

    let env = layers::environment(all.iter().flat_map(|(_, layer)| &layer.env).map(String::as_str));
    let variables = layers::environment(ENVIRONMENT.iter().copied().chain(env.iter().map(String::as_str)));
    let expanded = |origin: &str, file: &str, text: &str| {
        layers::expand(text, &variables).unwrap_or_else(|e| refuse(origin, file, e))
    };
    let mut args = Vec::new();
    for (origin, layer) in all {
        args.push(layer.template.iter().map(|word| expanded(origin, TEMPLATE, word)).collect());
        args.push(layer.args);
    }
    let given = config.erl.is_some() || args.iter().any(|words: &Vec<String>| !words.is_empty());
    let args = given.then(|| layers::merge(args));

    // The uppermost archive that has a file wins, as in the tree.
    let find = |path: &str| {
        archives().filter_map(|(origin, archive)| Some((origin, file(origin, archive, path)?))).next_back()
    };
    let mut files = Vec::new();
    if let Some((origin, list)) = find(TEMPLATES) {
        for path in text(origin, TEMPLATES, list).lines().map(|line| line.trim().trim_start_matches('/')) {
            let template = alloc::format!("{path}.src");
            let Some((origin, content)) = find(&template).filter(|_| !path.is_empty()) else {
                refuse(origin, TEMPLATES, format_args!("there is no file {template:?} to make {path:?} from"))
            };
            let content = expanded(origin, &template, text(origin, &template, content));
            files.push((path, &*content.into_bytes().leak()));
        }
    }
    Given { args, env, files }
}

fn of_archive(origin: &str, archive: &'static [u8]) -> Layer {
    let read = |path: &str| file(origin, archive, path);
    let checked = |path: &str, list: Result<Vec<String>, LayerError>| list.unwrap_or_else(|e| refuse(origin, path, e));
    Layer {
        template: read(TEMPLATE).map(|bytes| checked(TEMPLATE, layers::words(bytes))).unwrap_or_default(),
        args: read(ARGS).map(|bytes| checked(ARGS, layers::words(bytes))).unwrap_or_default(),
        env: read(ENV).map(|bytes| checked(ENV, layers::variables(bytes))).unwrap_or_default(),
    }
}

fn of_fw_cfg() -> Layer {
    let mut layer = Layer::default();
    let Some(device) = FwCfg::open() else { return layer };
    for (file, name) in GIVEN_TO_QEMU {
        let content = device.read(name).unwrap_or_else(|size| {
            refuse("fw_cfg", name, format_args!("it has {size} bytes, and no more than {LARGEST} are read"))
        });
        let Some(content) = content else { continue };
        let (list, parsed) = match file {
            ARGS => (&mut layer.args, layers::words(&content)),
            _ => (&mut layer.env, layers::variables(&content)),
        };
        *list = parsed.unwrap_or_else(|e| refuse("fw_cfg", name, e));
    }
    layer
}

fn file(origin: &str, archive: &'static [u8], path: &str) -> Option<&'static [u8]> {
    let found = cpio::find(archive, path.as_bytes());
    found.unwrap_or_else(|e: ArchiveError| refuse_boot(format_args!("{origin} is damaged: {e}")))
}

fn text(origin: &str, path: &str, content: &'static [u8]) -> &'static str {
    core::str::from_utf8(content).unwrap_or_else(|_| refuse(origin, path, LayerError::NotText))
}

fn refuse(origin: &str, file: &str, why: impl Display) -> ! {
    refuse_boot(format_args!("{file} of {origin}: {why}"))
}

/// The program's whole environment: what it has by itself, what its arguments set, and what is set for it, which wins.
pub fn environment(given: &Given, from_erl: &[(String, String)]) -> Vec<String> {
    let from_erl: Vec<String> = from_erl.iter().map(|(name, value)| alloc::format!("{name}={value}")).collect();
    layers::environment(ENVIRONMENT.iter().copied().chain(from_erl.iter().chain(&given.env).map(String::as_str)))
}
