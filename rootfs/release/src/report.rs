//! What went into an image, and how big it is.

use std::fmt;

/// A part of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name: an application with its version, or what else it is.
    pub name: String,
    /// Where it comes from.
    pub origin: &'static str,
    /// Files.
    pub files: usize,
    /// Bytes of them in the archive.
    pub bytes: usize,
}

/// All parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they were added.
    pub parts: Vec<Part>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.parts.clone();
        parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        let width = parts.iter().map(|part| part.name.len()).max().unwrap_or_default();
        for Part { name, origin, files, bytes } in &parts {
            writeln!(f, "{name:width$} {files:>5} files {:>9} kB  {origin}", kilobytes(*bytes))?;
        }
        let (files, bytes) = parts.iter().fold((0, 0), |sum, part| (sum.0 + part.files, sum.1 + part.bytes));
        write!(f, "{:width$} {files:>5} files {:>9} kB", "together", kilobytes(bytes))
    }
}

fn kilobytes(bytes: usize) -> usize {
    bytes.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_comes_first() {
        let part = |name: &str, bytes| Part { name: name.into(), origin: "release", files: 2, bytes };
        let text = Report { parts: vec![part("a-1", 1), part("long_name-1", 5_000)] }.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "long_name-1     2 files         5 kB  release");
        assert_eq!(lines[2], "together        4 files         6 kB");
    }
}
