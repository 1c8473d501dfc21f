//! Where the instructions of a boot go: exact counts by function, from a plugin of QEMU (`bench/profile/plugin.c`).
//!
//! Under software emulation these counts hardly depend on the host, so they tell a small change where times cannot.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    machine::Machine,
    repository, symbols,
    vm::{READY, Vm},
};

/// Code that no symbol of the image covers, by where it begins.
const FIRMWARE_END: u64 = 0x10_0000;

/// What one function, or one kind of code, cost.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Cost {
    instructions: u64,
    /// Pieces of code that the emulation translated; each costs as much as many thousand instructions.
    translations: u64,
}

/// Boots `image` until it serves, and prints the `most` costly functions.
///
/// # Errors
/// The plugin does not compile, or the image does not serve.
pub fn profile(machine: &Machine, most: usize) -> Result<()> {
    let folder = repository().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let counts = folder.join("profile.txt");
    let mut machine = machine.clone();
    machine
        .extra
        .extend(["-plugin".into(), format!("{},out={}", plugin(&counter(), &folder)?.display(), counts.display())]);
    let mut vm = Vm::boot("bench-profile", &machine)?;
    vm.wait_for(READY)?;
    // The plugin writes when QEMU ends by itself.
    vm.monitor()?.command("quit", serde_json::json!({}))?;
    vm.wait_exit()?;
    let text = fs::read_to_string(&counts).with_context(|| format!("QEMU left no {}", counts.display()))?;
    print(&costs(&text, &symbols::of(&machine.image)?)?, most);
    Ok(())
}

/// The plugin that counts by function.
pub fn counter() -> PathBuf {
    repository().join("bench/profile/plugin.c")
}

/// Compiles a plugin of QEMU. It is called by its folder, `path` or `profile`.
pub fn plugin(source: &Path, folder: &Path) -> Result<PathBuf> {
    let name = source.parent().and_then(Path::file_name).context("a plugin has a folder")?;
    let plugin = folder.join(name).with_extension("so");
    let mut command = Command::new("gcc");
    command.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&plugin);
    let status = command.arg(source).status().context("cannot run gcc")?;
    ensure!(status.success(), "the plugin does not compile");
    Ok(plugin)
}

/// A piece of code, as the plugin tells about it.
pub struct Piece {
    pub address: u64,
    pub instructions: u64,
    pub executions: u64,
    pub translations: u64,
}

/// Reads what the plugin wrote: lines `ADDRESS INSTRUCTIONS EXECUTIONS TRANSLATIONS`.
///
/// # Errors
/// A line is not like that.
pub fn pieces(text: &str) -> Result<Vec<Piece>> {
    let piece = |line: &str| {
        let mut words = line.split(' ');
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        Some(Piece { address, instructions: number()?, executions: number()?, translations: number()? })
    };
    text.lines().map(|line| piece(line).with_context(|| format!("the plugin wrote {line:?}"))).collect()
}

fn costs(counts: &str, symbols: &BTreeMap<u64, String>) -> Result<BTreeMap<String, Cost>> {
    let end = symbols.last_key_value().map_or(0, |(&address, _)| address);
    let mut costs: BTreeMap<String, Cost> = BTreeMap::new();
    for Piece { address, instructions, executions, translations } in pieces(counts)? {
        let name = match symbols.range(..=address).next_back() {
            _ if address < FIRMWARE_END => "(firmware)",
            _ if address > end => "(code made by the JIT)",
            Some((_, name)) => name,
            None => "(unknown)",
        };
        let cost = costs.entry(name.to_owned()).or_default();
        cost.instructions += instructions * executions;
        cost.translations += translations;
    }
    Ok(costs)
}

fn print(costs: &BTreeMap<String, Cost>, most: usize) {
    let sum = |choose: fn(&Cost) -> u64| costs.values().map(choose).sum::<u64>();
    let (all, translations) = (sum(|cost| cost.instructions), sum(|cost| cost.translations));
    println!("{all} instructions, {translations} translations\n\n  per mille  translations");
    let mut sorted: Vec<_> = costs.iter().collect();
    sorted.sort_by_key(|(_, cost)| std::cmp::Reverse(cost.instructions));
    for (name, cost) in sorted.into_iter().take(most) {
        println!("{:>11}  {:>12}  {name}", cost.instructions * 1000 / all.max(1), cost.translations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_up_by_function() {
        let symbols = BTreeMap::from([(0x10_0000, "one".to_owned()), (0x20_0000, "two".to_owned())]);
        let costs = costs("100010 3 2 1\n100020 1 4 1\n200000 5 1 2\nfff0 9 1 1\n300000 7 2 1\n", &symbols).unwrap();
        assert_eq!(costs["one"], Cost { instructions: 10, translations: 2 });
        assert_eq!(costs["two"], Cost { instructions: 5, translations: 2 });
        assert_eq!(costs["(firmware)"].instructions, 9);
        assert_eq!(costs["(code made by the JIT)"].instructions, 14);
        assert!(super::costs("nonsense", &symbols).is_err());
    }
}
