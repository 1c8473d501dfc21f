//! `fetch [--update] LOCK`: fetches and verifies the files of a lock file, or first moves it to what the archive has now.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--update", lock] => sources::update_lock(lock.as_ref(), &sources::Console).map(|change| change.to_string()),
        [lock] => sources::Lock::read(lock.as_ref())
            .and_then(|lock| sources::fetch(&lock, &sources::Console))
            .map(|files| format!("{}\n{}", files.orig.display(), files.debian.display())),
        _ => {
            eprintln!("usage: fetch [--update] LOCK");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
