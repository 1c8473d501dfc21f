//! Running a model, and showing that it would find a fault.

use std::process::Command;
use std::string::String;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Runs `model` in every order of events with at most `preemptions` of them forced upon a thread (None: any number), and says how
/// many orders those were. `LOOM_MAX_PREEMPTIONS` overrides the bound.
///
/// The checker takes sequentially consistent accesses for acquiring and releasing ones: only fences keep their full meaning.
pub fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    let (begun, orders) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let counter = orders.clone();
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let name = std::thread::current().name().unwrap_or("model").to_owned();
    println!("{name}: {} orders in {:.2} s", orders.load(Ordering::Relaxed), begun.elapsed().as_secs_f64());
}

/// Variable of the environment that names the fault to run with.
const MUTANT: &str = "TRAPLESS_MUTANT";

/// Whether this process is to run with the known fault `name`.
pub fn mutant(name: &str) -> bool {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var(MUTANT).ok()).as_deref() == Some(name)
}

/// Runs the test `name` of this program again with the fault `mutant` in: the checker must find it, and say `symptom`. In a child
/// process, because what the checker finds may end the process.
pub fn must_fail(name: &str, mutant: &str, symptom: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(MUTANT, mutant)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(out.contains("running 1 test"), "there is no test {name}:\n{out}");
    assert!(!child.status.success(), "{name} does not notice {mutant}:\n{out}");
    assert!(out.contains(symptom), "{name} fails for another reason with {mutant}:\n{out}");
}
