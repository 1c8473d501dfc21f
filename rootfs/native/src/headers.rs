//! Headers that a source includes and that are not there: they tell which libraries it stands on.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use erts_recipe::libraries::{LIBRARIES, Library};

/// What a source asks for that is neither its project's nor musl's nor ERTS's.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Libraries that are built for those who ask.
    pub libraries: Vec<&'static Library>,
    /// Headers of none of them.
    pub unknown: Vec<String>,
}

impl Asked {
    /// Has the compiler say what a source includes. `compiler` is how it would be compiled, in `folder`.
    ///
    /// # Errors
    /// There is no compiler.
    pub fn by(source: &Path, mut compiler: Command, folder: &Path) -> Result<Self> {
        // A rule for make, with the headers that are not found, too.
        compiler.args(["-M", "-MG"]).arg(source).stdin(Stdio::null());
        let output = compiler.output().with_context(|| format!("cannot run {}", compiler.get_program().display()))?;
        // What is wrong with a source that cannot be read so far says its compilation.
        if !output.status.success() {
            return Ok(Self::default());
        }
        Ok(Self::of(&String::from_utf8_lossy(&output.stdout), |header| folder.join(header).exists()))
    }

    /// The same of a rule for make.
    fn of(rule: &str, exists: impl Fn(&str) -> bool) -> Self {
        let (_, includes) = rule.split_once(':').unwrap_or_default();
        let mut asked = Self::default();
        for header in includes.split_whitespace().filter(|word| *word != "\\" && !exists(word)) {
            match Library::of_header(header) {
                Some(library) if asked.libraries.contains(&library) => {}
                Some(library) => asked.libraries.push(library),
                None => asked.unknown.push(header.to_owned()),
            }
        }
        asked
    }

    /// What to do about headers that nobody has; nothing if there are none.
    pub fn advice(&self) -> String {
        let [first, ..] = &self.unknown[..] else { return String::new() };
        let names: Vec<_> = LIBRARIES.iter().map(|library| library.name).collect();
        format!(
            "\n({first} is not among its headers. If it is of another library: {} are built for those who include them; of any other, give \
             the sources or an archive in a nif.toml, see docs/nifs.md)",
            names.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_headers_lead_to_libraries() {
        let rule = "fast_tls.o: /p/c_src/fast_tls.c /musl/include/stdio.h \\\n openssl/err.h openssl/ssl.h \\\n zlib.h sodium.h\n";
        let asked = Asked::of(rule, |header| header.starts_with('/'));
        assert_eq!(asked.libraries.iter().map(|library| library.name).collect::<Vec<_>>(), ["OpenSSL", "zlib"]);
        assert_eq!(asked.unknown, ["sodium.h"]);
        let advice = asked.advice();
        assert!(advice.contains("sodium.h is not among its headers") && advice.contains("libyaml"), "{advice}");
    }

    #[test]
    fn a_project_may_bring_a_library_itself() {
        let asked = Asked::of("x.o: x.c c_src/zlib/zlib.h", |_| true);
        assert_eq!((&asked, &*asked.advice()), (&Asked::default(), ""));
    }
}
