//! `.rel` and `.app` files: what a release consists of, and what an application needs (rel(4), app(4)).

use anyhow::{Context, Result, ensure};

use crate::term::{Term, read};

/// A `.rel` file.
#[derive(Debug, PartialEq, Eq)]
pub struct Rel {
    /// Name of the release.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of ERTS it was made for.
    pub erts: String,
    /// Its applications.
    pub applications: Vec<Application>,
}

/// An application of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Application {
    /// `NAME-VERSION`, as its folder is called.
    pub fn full_name(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

impl Rel {
    /// Reads `{release, {Name, Vsn}, {erts, Vsn}, [{Application, Vsn} | ...]}`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let terms = read(text)?;
        let whole = || -> Option<Self> {
            let [tag, names, erts, applications] = terms.first()?.tuple()? else { return None };
            let ([name, version], [erts_tag, erts]) = (names.tuple()?, erts.tuple()?) else { return None };
            if tag.atom() != Some("release") || erts_tag.atom() != Some("erts") {
                return None;
            }
            Some(Self {
                name: name.text().or(name.atom())?.to_owned(),
                version: version.text()?.to_owned(),
                erts: erts.text()?.to_owned(),
                applications: applications.list()?.iter().map(application).collect::<Option<_>>()?,
            })
        };
        whole().context("it should hold {release, {Name, Vsn}, {erts, Vsn}, [{Application, Vsn}, ...]}")
    }
}

/// `{Name, Vsn}`, with perhaps a type and a list of included applications behind it.
fn application(term: &Term) -> Option<Application> {
    let [name, version, ..] = term.tuple()? else { return None };
    Some(Application { name: name.atom()?.to_owned(), version: version.text()?.to_owned() })
}

/// What an `.app` file says.
#[derive(Debug, PartialEq, Eq)]
pub struct App {
    /// Its version.
    pub version: String,
    /// Its modules.
    pub modules: Vec<String>,
    /// The version of ERTS it needs at least.
    pub erts: Option<String>,
}

impl App {
    /// Reads `{application, Name, Keys}`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let terms = read(text)?;
        let keys = terms.first().and_then(Term::tuple).and_then(|whole| match whole {
            [tag, _, keys] if tag.atom() == Some("application") => Some(keys),
            _ => None,
        });
        let keys = keys.context("it should hold {application, Name, Keys}")?;
        let list = |key| keys.get(key).and_then(Term::list).unwrap_or_default();
        let version = keys.get("vsn").and_then(Term::text).unwrap_or_default().to_owned();
        ensure!(!version.is_empty(), "it names no version (vsn)");
        let erts = list("runtime_dependencies").iter().find_map(|need| need.text()?.strip_prefix("erts-"));
        Ok(Self {
            version,
            modules: list("modules").iter().filter_map(|module| module.atom().map(str::to_owned)).collect(),
            erts: erts.map(str::to_owned),
        })
    }
}

/// The parts of a version, to be compared; what is no number ends it.
pub fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rel_file_says_what_is_in() {
        let text = "{release,{\"demo\",\"0.1.0\"},{erts,\"15.2.7\"},[{kernel,\"10.2\"},{sasl,\"4.2\",load},{a,\"1\",temporary,[b]}]}.";
        let rel = Rel::parse(text).unwrap();
        assert_eq!((rel.name.as_str(), rel.version.as_str(), rel.erts.as_str()), ("demo", "0.1.0", "15.2.7"));
        let names: Vec<_> = rel.applications.iter().map(Application::full_name).collect();
        assert_eq!(names, ["kernel-10.2", "sasl-4.2", "a-1"]);
        for wrong in ["", "{release}.", "{release,{\"a\",\"1\"},{erts,\"1\"},[kernel]}.", "[]."] {
            assert!(Rel::parse(wrong).unwrap_err().to_string().contains("{release, "), "{wrong}");
        }
    }

    #[test]
    fn an_app_file_says_what_it_needs() {
        let text = "{application, a, [{vsn, \"1.2\"}, {modules, [a, 'A.B']}, {runtime_dependencies, [\"kernel-9\", \"erts-15.2\"]}]}.";
        let app = App::parse(text).unwrap();
        assert_eq!(
            app,
            App { version: "1.2".into(), modules: vec!["a".into(), "A.B".into()], erts: Some("15.2".into()) }
        );
        assert!(App::parse("{application, a, []}.").unwrap_err().to_string().contains("no version"));
        assert!(App::parse("x.").unwrap_err().to_string().contains("{application, "));
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("15.10") > numbers("15.9.9"));
        assert!(numbers("15.2.7.1") > numbers("15.2.7"));
        assert_eq!(numbers("15.2-rc1"), [15]);
    }
}
