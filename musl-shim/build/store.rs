//! The cache of compiled archives: one folder per key, and the key hashes everything that went in.

use std::fs;
use std::path::{Path, PathBuf};

use sources::{Console, Lock, Patches, Progress, cache};

use crate::compile::{self, Places};
use crate::entry::{Entry, list};
use crate::headers;

/// A finished build: `include/`, `lib/libmuslc.a` and `lib/libcrt1.a`.
pub struct Built {
    /// Its folder in the cache.
    pub folder: PathBuf,
    /// Its key: 64 lower-case hex digits.
    pub hash: String,
}

/// The build for `lock` and `entry`, from the cache or made now. `package` is this package's folder.
pub fn get(package: &Path, lock: &Lock, entry: &Entry) -> Result<Built, String> {
    let hash = key(package, lock, entry)?;
    let all = cache::root().map_err(text)?.join("musl");
    let folder = all.join(&hash);
    if !folder.is_dir() {
        let _guard = cache::guard("musl", &Console).map_err(text)?;
        // Another build may have made it while this one waited.
        if !folder.is_dir() {
            let work = cache::temporary_name(&folder);
            let made = make(&work, lock, entry).and_then(|()| {
                fs::rename(work.join("out"), &folder).map_err(|error| format!("{}: {error}", folder.display()))
            });
            // Objects and sources; what cannot be removed is only clutter.
            let _ = fs::remove_dir_all(&work);
            made?;
        }
    }
    Ok(Built { folder, hash })
}

/// Hash of the lock, the entry variant's files, this build script, the compiler and its flags.
fn key(package: &Path, lock: &Lock, entry: &Entry) -> Result<String, String> {
    let mut input = format!("{}\n{}\n{}\n", lock.to_text(), entry.name, compile::fingerprint()?).into_bytes();
    let mut folders = vec![entry.folder.clone(), package.join("build")];
    while let Some(folder) = folders.pop() {
        for path in list(&folder)? {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(package).unwrap_or(&path);
            let content = sources::sha256_file(&path).map_err(text)?;
            input.extend(format!("{} {content}\n", name.display()).into_bytes());
        }
    }
    Ok(sources::sha256_hex(&input))
}

/// Fetches, unpacks and compiles below `work`; the result is `work/out`.
fn make(work: &Path, lock: &Lock, entry: &Entry) -> Result<(), String> {
    let (musl, objects, internal) = (work.join("musl"), work.join("objects"), work.join("internal"));
    let (include, lib) = (work.join("out/include"), work.join("out/lib"));
    for folder in [&objects, &internal, &include, &lib] {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    let files = sources::fetch(lock, &Console).map_err(text)?;
    sources::unpack(&files, &musl, Patches::All, &Console).map_err(text)?;
    headers::install(&musl, &include)?;
    headers::internal(&musl, &internal)?;
    Console.step(&format!("compiling musl {} ({} entry)", lock.version, entry.name));
    compile::archives(&Places { musl: &musl, include: &include, internal: &internal, out: &objects }, entry)?;
    for archive in compile::ARCHIVES {
        fs::rename(objects.join(archive), lib.join(archive)).map_err(|error| format!("{archive}: {error}"))?;
    }
    Ok(())
}

fn text(error: sources::Error) -> String {
    error.to_string()
}
