//! `nosyscall FILE...`: exit status 0 when the files hold no system call instruction, 1 when one does (each is
//! printed), 2 when a file cannot be checked.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: nosyscall FILE...");
        return ExitCode::from(2);
    }
    let mut status = 0;
    for file in &files {
        let path = Path::new(file);
        match nosyscall::check(path) {
            Ok(report) => {
                for finding in &report.findings {
                    eprintln!("{}: {finding}", path.display());
                    status = status.max(1);
                }
            }
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                status = 2;
            }
        }
    }
    ExitCode::from(status)
}
