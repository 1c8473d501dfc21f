//! Which suites are wanted.

use anyhow::{Result, bail, ensure};

use super::elixir;
use crate::cli::Shard;

/// The applications of OTP whose suites are the yardstick; `all` stands for them.
pub const APPLICATIONS: [&str; 13] = [
    "crypto",
    "public_key",
    "asn1",
    "os_mon",
    "sasl",
    "runtime_tools",
    "mnesia",
    "inets",
    "ssl",
    "ssh",
    "kernel",
    "stdlib",
    "emulator",
];

/// What is run when nothing is named, and before a change is taken: short, and of each part of the system something.
const DEFAULT: [&str; 8] = [
    "stdlib:lists_SUITE",
    "kernel:gen_tcp_echo_SUITE",
    "kernel:gen_udp_SUITE",
    "kernel:prim_file_SUITE",
    "emulator:time_SUITE",
    "sasl:alarm_handler_SUITE",
    "os_mon:os_mon_SUITE",
    "public_key:public_key_SUITE",
];

/// The suites of one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub application: String,
    pub suites: Which,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    These(Vec<String>),
}

impl Wanted {
    /// The suites themselves, given all that there are.
    ///
    /// # Errors
    /// A suite that is wanted is not there.
    pub fn among(&self, all: &[String]) -> Result<Vec<String>> {
        match &self.suites {
            Which::All => Ok(all.to_vec()),
            Which::These(suites) => {
                if let Some(missing) = suites.iter().find(|suite| !all.contains(suite)) {
                    bail!("{} has no suite {missing}; it has {}", self.application, all.join(", "));
                }
                Ok(suites.clone())
            }
        }
    }

    fn add(&mut self, suite: Option<&str>) {
        match (&mut self.suites, suite) {
            (Which::These(suites), Some(suite)) if suites.iter().any(|known| known == suite) => {}
            (Which::These(suites), Some(suite)) => suites.push(suite.to_owned()),
            (suites, None) => *suites = Which::All,
            (Which::All, Some(_)) => {}
        }
    }
}

/// What the names mean: `APPLICATION:SUITE`, an application as a whole, `all` for those of the yardstick, `elixir` for a selection of
/// Elixir's; no names are a selection of OTP's. Applications come in the order in which they are named first.
///
/// # Errors
/// A name that is none.
pub fn wanted(names: &[String]) -> Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut add = |application: &str, suite: Option<&str>| {
        let known = wanted.iter().position(|known| known.application == application);
        let at = known.unwrap_or_else(|| {
            wanted.push(Wanted { application: application.to_owned(), suites: Which::These(Vec::new()) });
            wanted.len() - 1
        });
        wanted[at].add(suite);
    };
    let default = DEFAULT.map(str::to_owned);
    for name in if names.is_empty() { &default[..] } else { names } {
        match name.split_once(':') {
            Some((application, suite)) => {
                ensure!(!application.is_empty() && !suite.is_empty(), "{name:?} is not APPLICATION:SUITE");
                add(application, Some(suite));
            }
            None if name == "all" => APPLICATIONS.iter().for_each(|application| add(application, None)),
            None if name == "elixir" => elixir::SELECTION
                .iter()
                .flat_map(|(application, suites)| suites.iter().map(move |suite| (application, suite)))
                .for_each(|(application, suite)| add(application, Some(suite))),
            None => {
                ensure!(!name.ends_with("_SUITE"), "whose suite is it? Say APPLICATION:{name}");
                add(name, None);
            }
        }
    }
    Ok(wanted)
}

/// Every suite whose turn it is among `count`, the first being number `from`.
pub fn shard(suites: Vec<String>, shard: Option<Shard>, from: usize) -> Vec<String> {
    let Some(Shard { number, of }) = shard else { return suites };
    suites.into_iter().zip(from..).filter(|(_, at)| at % of == number - 1).map(|(suite, _)| suite).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(application: &str, suites: &[&str]) -> Wanted {
        let suites = Which::These(suites.iter().map(|&suite| suite.to_owned()).collect());
        Wanted { application: application.to_owned(), suites }
    }

    fn parsed(names: &[&str]) -> Result<Vec<Wanted>> {
        wanted(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn suites_are_asked_for_by_application() {
        let asked =
            parsed(&["stdlib:b_SUITE", "crypto", "stdlib:a_SUITE", "stdlib:b_SUITE", "crypto:x_SUITE"]).unwrap();
        let crypto = Wanted { application: "crypto".into(), suites: Which::All };
        assert_eq!(asked, [these("stdlib", &["b_SUITE", "a_SUITE"]), crypto]);
        assert_eq!(parsed(&["all"]).unwrap().len(), APPLICATIONS.len());
        assert!(parsed(&["elixir"]).unwrap().iter().any(|wanted| wanted.application == "logger"));
        let default = parsed(&[]).unwrap();
        assert!(default.iter().all(|wanted| APPLICATIONS.contains(&&*wanted.application)), "{default:?}");
    }

    #[test]
    fn mistakes_are_named() {
        for (name, message) in [("a_SUITE", "APPLICATION:a_SUITE"), (":a_SUITE", "is not APPLICATION:SUITE")] {
            assert!(parsed(&[name]).unwrap_err().to_string().contains(message), "{name}");
        }
        let all = ["a_SUITE".to_owned()];
        let error = these("x", &["a_SUITE", "b_SUITE"]).among(&all).unwrap_err().to_string();
        assert_eq!(error, "x has no suite b_SUITE; it has a_SUITE");
    }

    #[test]
    fn shards_share_all_suites_among_them() {
        let suites: Vec<_> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        let of = |number, from| shard(suites.clone(), Some(Shard { number, of: 2 }), from);
        assert_eq!((of(1, 0), of(2, 0)), (vec!["a".into(), "c".into(), "e".into()], vec!["b".into(), "d".into()]));
        assert_eq!(of(1, 5), ["b", "d"]);
        assert_eq!(shard(suites.clone(), None, 5), suites);
    }
}
