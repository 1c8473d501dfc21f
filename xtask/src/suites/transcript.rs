//! What a running suite prints: `@@ start SUITE CASE`, `@@ VERDICT SUITE CASE REASON`, and at last `@@ end RESULT`. What only prepares or
//! cleans up (`init_per_group` and the like) says `@@ done SUITE GROUPS/FUNCTION` when nothing went wrong.

use super::outcome::{Outcome, Verdict};

/// The lines of a suite, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Results in the order in which they came.
    pub results: Vec<(String, Outcome)>,
    /// What has started and has no result; those of a parallel group run at the same time.
    pub running: Vec<String>,
    /// Whether the suite came to its end.
    pub ended: bool,
    /// The last line that says something, whoever printed it.
    pub last_line: String,
}

impl Transcript {
    /// Reads all lines that are the runner's; a last line that is not whole yet does not count.
    pub fn read(text: &str) -> Self {
        let mut transcript = Self::default();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let Some((_, line)) = line.split_once("@@ ") else { continue };
            let mut words = line.trim_end().splitn(4, ' ');
            let (what, _suite, case) = (words.next().unwrap_or_default(), words.next(), words.next());
            if what == "end" {
                transcript.ended = true;
            }
            let Some(case) = case else { continue };
            match what {
                "start" => transcript.running.push(case.to_owned()),
                "done" => transcript.has_ended(case),
                _ => {
                    let Ok(verdict) = what.parse::<Verdict>() else { continue };
                    transcript.has_ended(case);
                    let reason = words.next().unwrap_or_default().trim().to_owned();
                    transcript.results.push((case.to_owned(), Outcome { verdict, reason }));
                }
            }
        }
        let said = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
        transcript.last_line = said.unwrap_or_default().chars().take(200).collect();
        transcript
    }

    fn has_ended(&mut self, case: &str) {
        if let Some(at) = self.running.iter().position(|running| running == case) {
            self.running.swap_remove(at);
        }
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
        assert_eq!((transcript.running, transcript.ended), (vec!["c".to_owned()], false));
        assert!(Transcript::read("@@ end {1,0,{0,0}}\n").ended);
    }

    #[test]
    fn what_prepares_runs_until_it_is_done() {
        let text = "@@ start x g/init_per_group\n";
        assert_eq!(Transcript::read(text).running, ["g/init_per_group"]);
        let text = "@@ start x g/init_per_group\n@@ done x g/init_per_group\n@@ start x g/a\n@@ start x g/b\n@@ ok x g/a \noh dear \n\n";
        let transcript = Transcript::read(text);
        assert_eq!((transcript.running, transcript.last_line.as_str()), (vec!["g/b".to_owned()], "oh dear"));
        assert_eq!(transcript.results.len(), 1);
    }
}
