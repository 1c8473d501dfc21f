//! Finds the applications of a release, and checks that they fit the emulator.
//!
//! An application of OTP in the very version that is built here is taken from there, since the emulator was built with it; everything else
//! is the release's own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rootfs_recipe::tree::list;

use crate::{
    layout::Layout,
    rel::{App, numbers},
};

/// OTP as it is built here.
pub struct Otp<'a> {
    /// The installation, with `lib/APP-VSN`.
    pub root: &'a Path,
    /// Version of ERTS.
    pub erts: &'a str,
    /// The object files of the emulator and of what can be linked beside it.
    pub objects: &'a [&'a Path],
    /// The C library as an archive.
    pub libc: &'a Path,
}

/// An application that was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// `NAME-VERSION`.
    pub full_name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it is OTP's, built here.
    pub ours: bool,
}

/// The applications of the release, all of them usable.
///
/// # Errors
/// All that is missing or does not fit, each with what to do.
pub fn find(layout: &Layout, otp: &Otp<'_>) -> Result<Vec<Found>> {
    check_major(layout, otp)?;
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for application in &layout.rel.applications {
        let (name, full_name) = (&application.name, application.full_name());
        let described =
            |folder: PathBuf| Some(folder).filter(|folder| folder.join(format!("ebin/{name}.app")).is_file());
        let ours = described(otp.root.join("lib").join(&full_name));
        let own = || [&full_name, name].into_iter().find_map(|folder| described(layout.root.join("lib").join(folder)));
        let is_ours = ours.is_some();
        match ours.or_else(own) {
            Some(folder) => found.push(Found { name: name.clone(), full_name, folder, ours: is_ours }),
            None => problems.push(missing(name, &full_name, layout, otp)),
        }
    }
    for application in found.iter().filter(|application| !application.ours) {
        problems.extend(check(application, otp)?);
    }
    report(&problems, layout)?;
    Ok(found)
}

/// One error of all problems.
///
/// # Errors
/// If there is one.
pub fn report(problems: &[String], layout: &Layout) -> Result<()> {
    match problems {
        [] => Ok(()),
        [one] => bail!("{} {} cannot be used: {one}", layout.rel.name, layout.rel.version),
        all => bail!("{} {} cannot be used:\n  {}", layout.rel.name, layout.rel.version, all.join("\n  ")),
    }
}

/// The first number of ERTS's version goes with OTP's: code and applications of one do not work on another's emulator.
fn check_major(layout: &Layout, otp: &Otp<'_>) -> Result<()> {
    let (theirs, ours) = (&layout.rel.erts, otp.erts);
    if numbers(theirs).first() != numbers(ours).first() {
        bail!(
            "{} was made for erts-{theirs}{}, and the image has erts-{ours}{}: make the release with that OTP",
            layout.rel_file.display(),
            of_otp(theirs),
            of_otp(ours)
        );
    }
    Ok(())
}

/// ERTS 11 came with OTP 23, and both have counted on together since.
fn of_otp(erts: &str) -> String {
    let major = numbers(erts).first().copied().unwrap_or_default();
    if major < 11 { String::new() } else { format!(" (OTP {})", major + 12) }
}

fn missing(name: &str, full_name: &str, layout: &Layout, otp: &Otp<'_>) -> String {
    let other = |lib: &Path| {
        let names = list(lib).unwrap_or_default();
        let mut names = names.iter().filter_map(|path| path.file_name()?.to_str());
        names.find(|found| found.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))).map(str::to_owned)
    };
    let lib = layout.root.join("lib");
    let hint = match (other(&lib), other(&otp.root.join("lib"))) {
        (Some(found), _) => format!("the release has {found} in its place: make it anew"),
        (None, Some(found)) => {
            format!("this OTP has {found}: make the release with `include_erts` or with that version")
        }
        (None, None) => "it is not among OTP's applications here, either: make the release with it in it".to_owned(),
    };
    format!("the application {full_name}, which {} names, is not in lib/; {hint}", layout.rel_file.display())
}

/// What is wrong with an application of the release's own.
fn check(application: &Found, otp: &Otp<'_>) -> Result<Vec<String>> {
    let Found { name, full_name, folder, .. } = application;
    let file = folder.join(format!("ebin/{name}.app"));
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let app = App::parse(&text).with_context(|| format!("{} is wrong", file.display()))?;
    let mut problems = Vec::new();
    if let Some(needs) = app.erts.filter(|needs| numbers(needs) > numbers(otp.erts)) {
        let ours = otp.erts;
        problems.push(format!(
            "{full_name} needs erts-{needs}, and the image has erts-{ours}: make the release with an older OTP{}",
            of_otp(ours)
        ));
    }
    let absent = app.modules.iter().filter(|module| !folder.join(format!("ebin/{module}.beam")).is_file());
    problems.extend(
        absent.map(|module| format!("{full_name} lacks ebin/{module}.beam, which {name}.app names: make it anew")),
    );
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    struct Sample {
        folder: Folder,
    }

    impl Sample {
        fn new(erts: &str) -> Self {
            let folder = Folder::new();
            folder.write("r/releases/1.0/start.boot", "");
            let rel =
                format!("{{release,{{\"demo\",\"1.0\"}},{{erts,\"{erts}\"}},[{{kernel,\"10.2\"}},{{demo,\"1.0\"}}]}}.");
            folder.write("r/releases/1.0/demo.rel", rel);
            folder.write("otp/lib/kernel-10.2/ebin/kernel.app", "");
            folder.write("r/lib/demo-1.0/ebin/demo.app", "{application,demo,[{vsn,\"1.0\"},{modules,[demo]}]}.");
            folder.write("r/lib/demo-1.0/ebin/demo.beam", "");
            Self { folder }
        }

        fn find(&self) -> Result<Vec<Found>, String> {
            let otp = Otp { root: &self.folder.path().join("otp"), erts: "15.2.7", objects: &[], libc: Path::new("") };
            find(&Layout::read(&self.folder.path().join("r")).unwrap(), &otp).map_err(|error| format!("{error:#}"))
        }
    }

    #[test]
    fn otps_own_come_from_here_and_the_rest_from_the_release() {
        let sample = Sample::new("15.2.6");
        let origins: Vec<_> =
            sample.find().unwrap().iter().map(|found| (found.full_name.clone(), found.ours)).collect();
        assert_eq!(origins, [("kernel-10.2".to_owned(), true), ("demo-1.0".to_owned(), false)]);
    }

    #[test]
    fn another_otp_is_named() {
        let error = Sample::new("14.2.5").find().unwrap_err();
        assert!(error.contains("made for erts-14.2.5 (OTP 26), and the image has erts-15.2.7 (OTP 27)"), "{error}");
    }

    #[test]
    fn a_missing_application_is_named_with_what_there_is() {
        let sample = Sample::new("15.2.7");
        let of = |path: &str| sample.folder.path().join(path);
        std::fs::rename(of("otp/lib/kernel-10.2"), of("otp/lib/kernel-10.3")).unwrap();
        let error = sample.find().unwrap_err();
        assert!(error.contains("kernel-10.2, which") && error.contains("this OTP has kernel-10.3"), "{error}");
        std::fs::remove_dir_all(of("r/lib/demo-1.0")).unwrap();
        let error = sample.find().unwrap_err();
        assert!(error.contains("\n  the application demo-1.0") && error.contains("not among OTP's"), "{error}");
        sample.folder.write("r/lib/demo-0.9/ebin/demo.app", "");
        assert!(sample.find().unwrap_err().contains("the release has demo-0.9"));
    }

    #[test]
    fn what_needs_a_newer_emulator_or_lacks_a_module_is_named() {
        let sample = Sample::new("15.2.7");
        let app = "{application,demo,[{vsn,\"1.0\"},{modules,[demo,gone]},{runtime_dependencies,[\"erts-15.3\"]}]}.";
        sample.folder.write("r/lib/demo-1.0/ebin/demo.app", app);
        let error = sample.find().unwrap_err();
        assert!(error.contains("demo-1.0 needs erts-15.3") && error.contains("lacks ebin/gone.beam"), "{error}");
    }
}
