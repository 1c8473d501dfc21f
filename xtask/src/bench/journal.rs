//! Results as they come: a file to which each step adds a line, so that an interrupted run can go on, or be reported as far as it came.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The file of a run that goes on, or was interrupted, ...
const UNFINISHED: &str = "unfinished.jsonl";
/// ... and of the last one that came to its end.
const FINISHED: &str = "finished.jsonl";

/// Something that is measured on one system.
pub trait OnSystem {
    /// The name of the system.
    fn system(&self) -> &str;
}

/// A line of the file, but for the first, which says what the run is about.
#[derive(Serialize, Deserialize)]
pub struct Record<S, F> {
    pub step: S,
    /// A hash of everything that was run.
    pub contents: String,
    pub seconds: f64,
    pub found: F,
}

/// The results so far, in a file and here.
pub struct Journal<A, S, F> {
    path: PathBuf,
    about: A,
    records: Vec<Record<S, F>>,
}

impl<A, S, F> Journal<A, S, F>
where
    A: Serialize + DeserializeOwned,
    S: OnSystem + PartialEq + Serialize + DeserializeOwned,
    F: Serialize + DeserializeOwned,
{
    /// A new run. What an earlier one left unfinished is gone.
    pub fn begin(folder: &Path, about: A) -> Result<Self> {
        let path = folder.join(UNFINISHED);
        let line = serde_json::to_string(&about)? + "\n";
        fs::write(&path, line).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, about, records: Vec::new() })
    }

    /// The unfinished run, if there is one. A line that was not written to its end counts for nothing.
    pub fn open(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(UNFINISHED);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let wrong = || format!("{} does not read as results; remove it", path.display());
        let mut lines = whole(&text).lines();
        let about = serde_json::from_str(lines.next().unwrap_or_default()).with_context(wrong)?;
        let records = lines.map(|line| serde_json::from_str(line).with_context(wrong)).collect::<Result<_>>()?;
        Ok(Some(Self { path, about, records }))
    }

    /// The unfinished run, to go on with.
    pub fn resume(folder: &Path) -> Result<Self> {
        let Some(journal) = Self::open(folder)? else {
            bail!("there is no unfinished run in {}: start one without --resume", folder.display())
        };
        // Behind half a line nothing could be added.
        let wrong = || format!("cannot write {}", journal.path.display());
        let text = fs::read_to_string(&journal.path).with_context(wrong)?;
        let file = File::options().write(true).open(&journal.path).with_context(wrong)?;
        file.set_len(whole(&text).len() as u64).with_context(wrong)?;
        Ok(journal)
    }

    pub fn about(&self) -> &A {
        &self.about
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this step has its result.
    pub fn has(&self, step: &S) -> bool {
        self.records.iter().any(|record| record.step == *step)
    }

    /// What was done, and how long it took in seconds.
    pub fn done(&self) -> impl Iterator<Item = (&S, f64)> {
        self.records.iter().map(|record| (&record.step, record.seconds))
    }

    /// Refuses results of another `system`: what is compared would not be the same.
    pub fn check(&self, system: &str, contents: &str) -> Result<()> {
        let other = |record: &&Record<S, F>| record.step.system() == system && record.contents != contents;
        ensure!(
            !self.records.iter().any(|record| other(&record)),
            "{system} is not what the unfinished run measured: start anew, without --resume"
        );
        Ok(())
    }

    /// Writes a result down.
    pub fn add(&mut self, step: S, contents: &str, seconds: f64, found: F) -> Result<()> {
        let record = Record { step, contents: contents.to_owned(), seconds, found };
        let line = serde_json::to_string(&record)? + "\n";
        let mut file =
            File::options().append(true).open(&self.path).with_context(|| self.path.display().to_string())?;
        file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))?;
        self.records.push(record);
        Ok(())
    }

    /// Nothing is left to do.
    pub fn finish(&self) -> Result<()> {
        let finished = self.path.with_file_name(FINISHED);
        fs::rename(&self.path, &finished).with_context(|| format!("cannot make {}", finished.display()))
    }

    /// The hash of what was run, by system.
    pub fn contents(&self) -> BTreeMap<String, String> {
        self.records.iter().map(|record| (record.step.system().to_owned(), record.contents.clone())).collect()
    }

    /// What the run is about, and all results in the order in which they came.
    pub fn into_parts(self) -> (A, Vec<Record<S, F>>) {
        (self.about, self.records)
    }
}

/// The lines that were written to their end.
fn whole(text: &str) -> &str {
    &text[..text.rfind('\n').map_or(0, |end| end + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    /// A round on one system.
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Step(String, u32);

    impl OnSystem for Step {
        fn system(&self) -> &str {
            &self.0
        }
    }

    type Numbers = Journal<u32, Step, u32>;

    fn folder(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("trapless-journal-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn step(round: u32) -> Step {
        Step("direct".into(), round)
    }

    #[test]
    fn an_interrupted_run_goes_on_behind_its_last_whole_line() {
        let folder = folder("resume");
        assert!(Numbers::open(&folder).unwrap().is_none() && Numbers::resume(&folder).is_err());
        let mut journal = Numbers::begin(&folder, 3).unwrap();
        for round in [1, 2] {
            journal.add(step(round), "hash", 1.5, round).unwrap();
        }
        let text = fs::read_to_string(journal.path()).unwrap();
        fs::write(journal.path(), &text[..text.len() - 9]).unwrap();

        let mut journal = Numbers::resume(&folder).unwrap();
        assert!(journal.has(&step(1)) && !journal.has(&step(2)));
        journal.add(step(2), "hash", 1.5, 2).unwrap();
        let journal = Numbers::open(&folder).unwrap().unwrap();
        assert_eq!(journal.done().collect::<Vec<_>>(), [(&step(1), 1.5), (&step(2), 1.5)]);
        assert_eq!(journal.contents(), [("direct".to_owned(), "hash".to_owned())].into());
        journal.finish().unwrap();
        let (about, records) = journal.into_parts();
        assert_eq!((about, records.iter().map(|record| record.found).collect::<Vec<_>>()), (3, vec![1, 2]));
        assert!(Numbers::open(&folder).unwrap().is_none());
    }

    #[test]
    fn results_of_other_images_are_refused() {
        let folder = folder("images");
        let mut journal = Numbers::begin(&folder, 1).unwrap();
        journal.check("direct", "one").unwrap();
        journal.add(step(1), "one", 1.0, 1).unwrap();
        let journal = Numbers::resume(&folder).unwrap();
        journal.check("direct", "one").unwrap();
        journal.check("trap", "two").unwrap();
        assert!(journal.check("direct", "two").unwrap_err().to_string().contains("--resume"));
    }
}
