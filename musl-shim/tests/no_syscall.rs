//! The reason for this package: what it makes holds no instruction that enters a kernel.

use std::path::Path;

#[test]
fn the_archives_hold_no_system_call_instruction() {
    for (archive, at_least) in [(env!("TRAPLESS_MUSL_LIBC"), 300_000), (env!("TRAPLESS_MUSL_CRT1"), 10)] {
        let report = nosyscall::check(Path::new(archive)).unwrap_or_else(|error| panic!("{archive}: {error}"));
        assert!(report.code_bytes >= at_least, "{archive} has only {} bytes of code", report.code_bytes);
        assert!(report.findings.is_empty(), "{archive}: {:#?}", report.findings);
    }
}
