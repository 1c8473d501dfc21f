//! The reason for this package: what it makes for the direct variant holds no instruction that enters a kernel. For the others it holds
//! just one kind.

use std::path::Path;

#[test]
fn the_archives_hold_no_system_call_instruction() {
    for (archive, at_least) in [(env!("TRAPLESS_MUSL_LIBC"), 300_000), (env!("TRAPLESS_MUSL_CRT1"), 10)] {
        let report = nosyscall::check(Path::new(archive)).unwrap_or_else(|error| panic!("{archive}: {error}"));
        assert!(report.code_bytes >= at_least, "{archive} has only {} bytes of code", report.code_bytes);
        let wanted = |trap| trap == nosyscall::Trap::Syscall && env!("TRAPLESS_MUSL_ENTRY") != "direct";
        let wrong: Vec<_> = report.findings.iter().filter(|finding| !wanted(finding.trap)).collect();
        assert!(wrong.is_empty(), "{archive}: {wrong:#?}");
    }
}
