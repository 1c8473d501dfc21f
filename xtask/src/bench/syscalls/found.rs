//! What the steps of a run find, and how that becomes its data.

use serde::{Deserialize, Serialize};

use super::{
    data::{About, BootRun, CallRun, CountRun, Data, RequestRun, Run, Trace},
    plan::Step,
};
use crate::bench::journal;

/// The journal of such a run.
pub type Journal = journal::Journal<About, Step, Found>;

/// What one step found.
#[derive(Serialize, Deserialize)]
pub enum Found {
    Count(CountRun),
    Path(Vec<Trace>),
    Boot(BootRun),
    Calls(CallRun),
    Requests(Vec<RequestRun>),
    Micro(Run),
    Erlang(Run),
}

/// All results, in the order in which they came.
pub fn data(journal: Journal) -> Data {
    let contents = journal.contents();
    let (about, records) = journal.into_parts();
    let mut data = Data { about, ..Data::default() };
    data.about.seconds = records.iter().map(|record| record.seconds).sum::<f64>() as u64;
    data.about.contents = contents;
    for record in records {
        match record.found {
            Found::Count(run) => data.counts.push(run),
            Found::Path(traces) => data.paths.extend(traces),
            Found::Boot(run) => data.boots.push(run),
            Found::Calls(run) => data.calls.push(run),
            Found::Requests(runs) => data.requests.extend(runs),
            Found::Micro(run) => data.micro.push(run),
            Found::Erlang(run) => data.erlang.push(run),
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::{super::plan::What, *};

    #[test]
    fn results_are_sorted_by_what_they_are() {
        let folder = std::env::temp_dir().join(format!("trapless-found-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut journal = Journal::begin(&folder, About { rounds: 3, ..About::default() }).unwrap();
        for round in [1, 2] {
            let step = Step { system: "direct".into(), what: What::Micro, round };
            let (samples, absent) = (Vec::new(), Vec::new());
            let run = Run { system: "direct".into(), cpus: 1, round, place: 0, samples, absent };
            journal.add(step, "hash", 1.5, Found::Micro(run)).unwrap();
        }
        let data = data(journal);
        assert_eq!((data.micro.len(), data.erlang.len(), data.about.rounds, data.about.seconds), (2, 0, 3, 3));
        assert_eq!(data.about.contents["direct"], "hash");
    }
}
