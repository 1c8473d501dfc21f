//! The page and the JSON file of `bench boot`.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    boot::{Pair, Sample},
    footprint::Footprint,
    stats::Spread,
};
use crate::cli::name;

/// Writes both, and returns where the page is.
pub fn write(folder: &Path, kernel: &str, pairs: &[Pair], footprint: Option<&Footprint>) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let page = folder.join("boot.md");
    let data = folder.join("boot.json");
    let host = host();
    fs::write(&page, text(&host, kernel, pairs, footprint)?)
        .with_context(|| format!("cannot write {}", page.display()))?;
    let json = serde_json::to_string_pretty(&data_of(&host, kernel, pairs, footprint))?;
    fs::write(&data, json + "\n").with_context(|| format!("cannot write {}", data.display()))?;
    Ok(page)
}

/// What the numbers hang on: QEMU, the host's CPUs and how busy they were.
pub fn host() -> String {
    let qemu = Command::new("qemu-system-x86_64").arg("--version").output();
    let qemu = qemu.map(|output| String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned());
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<_> = load.split_whitespace().take(3).collect();
    format!("{}; {cpus} host CPUs; load {} at the end", qemu.unwrap_or_default(), load.join(" "))
}

fn text(host: &str, kernel: &str, pairs: &[Pair], footprint: Option<&Footprint>) -> Result<String> {
    let runs = pairs.first().map_or(0, |pair| pair.image.echo.len());
    let mut text = format!(
        "# Boot\n\nWritten by `cargo xtask bench boot`; [bench/README.md](../../bench/README.md) says what is compared.\n\n\
         - Linux guest: {kernel}\n- Host: {host}\n- Software emulation (TCG), `-cpu max`, {runs} rounds, image and Linux in turn. \
         Each cell: median (least to most), seconds.\n"
    );
    let stuck: u32 = pairs.iter().map(|pair| pair.stuck).sum();
    if stuck > 0 {
        writeln!(text, "- The Linux guest did not come up {stuck} times; the image always did.")?;
    }
    let same = "Linux";
    let stock = "Linux with OTP's own start";
    let first_line = "QEMU start to the first line of Erlang";
    let echo = "QEMU start to the echo served";
    table(&mut text, first_line, same, pairs, |pair| (&pair.image.first_line, &pair.linux.first_line))?;
    table(&mut text, echo, same, pairs, |pair| (&pair.image.echo, &pair.linux.echo))?;
    table(&mut text, echo, stock, pairs, |pair| (&pair.image.echo, &pair.stock))?;
    table(&mut text, echo, "image with futex=seed", pairs, |pair| (&pair.image.echo, &pair.seed))?;
    text += "\n## Memory of QEMU when it has echoed\n\n| | image, MiB | Linux, MiB |\n|---|---|---|\n";
    for pair in pairs {
        let [image, linux] = [&pair.image, &pair.linux].map(|samples| spread(&samples.echo, resident).median());
        writeln!(text, "| {} | {image:.0} | {linux:.0} |", pair.configuration)?;
    }
    if let Some(footprint) = footprint {
        text += "\n## The image\n\n| | |\n|---|---|\n";
        for (cpus, memory) in &footprint.smallest {
            writeln!(text, "| smallest memory that serves, smp {cpus} | {memory} MiB |")?;
        }
        writeln!(text, "| host CPU use when idle, smp 8 | {:.1} % of one CPU |", footprint.idle)?;
        writeln!(text, "| file | {:.2} MB |", mb(footprint.file))?;
        for (part, size) in &footprint.parts {
            writeln!(text, "| of it: {part} | {:.2} MB |", mb(*size))?;
        }
    }
    Ok(text)
}

fn table(
    text: &mut String,
    title: &str,
    other: &str,
    pairs: &[Pair],
    choose: fn(&Pair) -> (&[Sample], &[Sample]),
) -> Result<()> {
    write!(
        text,
        "\n## {title}: image and {other}\n\n| | image | {other} | ratio | image, CPU time | {other}, CPU time | ratio |\n\
         |---|---|---|---|---|---|---|\n"
    )?;
    for pair in pairs {
        let (image, linux) = choose(pair);
        write!(text, "| {} |", pair.configuration)?;
        for value in [wall, cpu] {
            let (image, linux) = (spread(image, value), spread(linux, value));
            write!(text, " {} | {} | {:.2} |", cell(&image), cell(&linux), image.median() / linux.median())?;
        }
        text.push('\n');
    }
    Ok(())
}

fn spread(samples: &[Sample], value: fn(&Sample) -> f64) -> Spread {
    Spread::new(samples.iter().map(value))
}

fn cell(spread: &Spread) -> String {
    if spread.median().is_nan() {
        return "did not come up".into();
    }
    format!("{:.2} ({:.2} to {:.2})", spread.median(), spread.least(), spread.most())
}

fn wall(sample: &Sample) -> f64 {
    sample.wall.as_secs_f64()
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn resident(sample: &Sample) -> f64 {
    sample.resident as f64 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn data_of(host: &str, kernel: &str, pairs: &[Pair], footprint: Option<&Footprint>) -> Value {
    let samples = |samples: &[Sample]| -> Vec<Value> {
        let one = |s: &Sample| json!({"wall_s": wall(s), "cpu_s": cpu(s), "rss_kib": s.resident});
        samples.iter().map(one).collect()
    };
    let pairs = pairs.iter().map(|pair| {
        let [image, linux] = [&pair.image, &pair.linux]
            .map(|system| json!({"first_line": samples(&system.first_line), "echo": samples(&system.echo)}));
        let what = pair.configuration;
        json!({"flavor": name(what.flavor), "machine": what.kind.name(), "cpus": what.cpus, "image": image, "linux": linux,
            "linux_stuck": pair.stuck, "linux_stock_echo": samples(&pair.stock), "image_seed_echo": samples(&pair.seed)})
    });
    let footprint = footprint.map(|footprint| {
        json!({
            "smallest_memory_mib": footprint.smallest.iter().map(|(cpus, mib)| json!({"cpus": cpus, "mib": mib})).collect::<Vec<_>>(),
            "idle_cpu_percent": footprint.idle,
            "file_bytes": footprint.file,
            "parts_bytes": footprint.parts.iter().map(|(part, size)| json!({"part": part, "bytes": size})).collect::<Vec<_>>(),
        })
    });
    json!({"host": host, "linux": kernel, "boots": pairs.collect::<Vec<_>>(), "image": footprint})
}
