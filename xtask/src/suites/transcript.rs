//! What a running suite prints: `@@ start SUITE CASE`, `@@ VERDICT SUITE CASE REASON`, and at last `@@ end RESULT`.

use super::{Outcome, Verdict};

/// The lines of a suite, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Results in the order in which they came.
    pub results: Vec<(String, Outcome)>,
    /// The case that has started and has no result.
    pub running: Option<String>,
    /// Whether the suite came to its end.
    pub ended: bool,
}

impl Transcript {
    /// Reads all lines that are the runner's; a last line that is not whole yet does not count.
    pub fn read(text: &str) -> Self {
        let mut transcript = Self::default();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let Some((_, line)) = line.split_once("@@ ") else { continue };
            let mut words = line.trim_end().splitn(4, ' ');
            let verdict = match words.next() {
                Some("ok") => Some(Verdict::Ok),
                Some("skipped") => Some(Verdict::Skipped),
                Some("failed") => Some(Verdict::Failed),
                Some("start") => None,
                Some("end") => {
                    transcript.ended = true;
                    continue;
                }
                _ => continue,
            };
            let (Some(_suite), Some(case)) = (words.next(), words.next()) else { continue };
            let Some(verdict) = verdict else {
                transcript.running = Some(case.to_owned());
                continue;
            };
            if transcript.running.as_deref() == Some(case) {
                transcript.running = None;
            }
            let reason = words.next().unwrap_or_default().trim().to_owned();
            transcript.results.push((case.to_owned(), Outcome { verdict, reason }));
        }
        transcript
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_runner_are_found_in_noise() {
        let text = "noise\n@@ start x g/a\r\n 1.2 @@ ok x g/a \r\n@@ start x b\n@@ failed x b {badmatch, 1}\n@@ start x c\n@@ ok x c";
        let transcript = Transcript::read(text);
        let ok = Outcome { verdict: Verdict::Ok, reason: String::new() };
        let failed = Outcome { verdict: Verdict::Failed, reason: "{badmatch, 1}".into() };
        assert_eq!(transcript.results, [("g/a".to_owned(), ok), ("b".to_owned(), failed)]);
        assert_eq!((transcript.running.as_deref(), transcript.ended), (Some("c"), false));
        assert!(Transcript::read("@@ end {1,0,{0,0}}\n").ended);
    }
}
