//! The speed of the host, taken out of what was timed on it.
//!
//! Whatever else runs on the host's processor makes everything on it slower for a while, by a factor of two at times, and which variant
//! that falls on is chance. So the measuring programs time a yardstick before and after each sample: code that enters no system and is
//! the same in all of them. A sample during which it took twice as long as on the undisturbed host counts half. How much of the time a host
//! is disturbed differs from run to run, so its usual speed would be another in each.

use super::{data::Run, data::Samples, systems::NATIVE};

/// One in so many yardsticks is taken for undisturbed; the very fastest may be a slip of the clock.
const UNDISTURBED: usize = 20;

/// What the yardstick takes on the undisturbed host in `runs`, in nanoseconds, on processors like that of `system`: emulated ones or the
/// host's own. None where it was not used.
pub fn undisturbed(runs: &[Run], system: &str) -> Option<f64> {
    let alike = runs.iter().filter(|run| (run.system == NATIVE) == (system == NATIVE));
    let mut all: Vec<_> = alike.flat_map(|run| &run.samples).flat_map(|samples| &samples.yardstick).collect();
    all.sort_unstable();
    all.get(all.len() / UNDISTURBED).map(|&&ns| ns as f64)
}

/// Nanoseconds of each sample, as if the yardstick had taken as long as `undisturbed` around it.
pub fn adjusted(samples: &Samples, undisturbed: Option<f64>) -> Vec<f64> {
    let factor = |index: usize| match (undisturbed, samples.yardstick.get(index)) {
        (Some(undisturbed), Some(&ns)) if ns > 0 => undisturbed / ns as f64,
        _ => 1.0,
    };
    samples.ns.iter().enumerate().map(|(index, &ns)| ns as f64 * factor(index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(ns: &[u64], yardstick: &[u64]) -> Samples {
        Samples { name: "x".into(), operations: 1, ns: ns.to_vec(), yardstick: yardstick.to_vec(), ticks: Vec::new() }
    }

    fn run(system: &str, samples: Samples) -> Run {
        Run { system: system.into(), cpus: 1, round: 1, place: 0, samples: vec![samples], absent: Vec::new() }
    }

    #[test]
    fn a_slow_moment_is_taken_out() {
        let runs = [
            run("direct", samples(&[10, 20, 10], &[100, 200, 100])),
            run("trap", samples(&[40, 30], &[200, 100])),
            run(NATIVE, samples(&[1], &[7])),
        ];
        let (emulated, native) = (undisturbed(&runs, "trap"), undisturbed(&runs, NATIVE));
        assert_eq!((emulated, native), (Some(100.0), Some(7.0)));
        assert_eq!(adjusted(&runs[0].samples[0], emulated), [10.0, 10.0, 10.0]);
        assert_eq!(adjusted(&runs[1].samples[0], emulated), [20.0, 30.0]);
    }

    #[test]
    fn mostly_slow_is_not_undisturbed() {
        let mut yardstick = [200; 60];
        yardstick[..4].copy_from_slice(&[1, 100, 100, 100]);
        assert_eq!(undisturbed(&[run("direct", samples(&[10; 60], &yardstick))], "direct"), Some(100.0));
    }

    #[test]
    fn without_a_yardstick_samples_stay_as_they_are() {
        let runs = [run("direct", samples(&[10, 20], &[]))];
        assert_eq!(undisturbed(&runs, "direct"), None);
        assert_eq!(adjusted(&runs[0].samples[0], None), [10.0, 20.0]);
    }
}
