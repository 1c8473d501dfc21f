//! What the end of QEMU says about the end of Erlang.
//!
//! The image writes the status of `halt/1` to the device `isa-debug-exit`, and QEMU ends with `status * 2 + 1` (its
//! source: hw/misc/debugexit.c). An exit code has eight bits, so a status is told modulo 128. Without the device the
//! image powers the machine off and QEMU ends with 0: no status can be told.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Erlang ended with this status, modulo 128.
    Halted(u8),
    /// The machine was powered off or reset; no status was told.
    PoweredOff,
    /// QEMU refused to start; this is what it said.
    Refused(String),
    /// QEMU itself was ended by a signal.
    Killed(i32),
    /// QEMU ended with a code that neither it nor the image should give.
    Strange(i32),
}

impl Exit {
    /// Reads an exit status together with what QEMU wrote to its standard error.
    pub fn read(status: ExitStatus, errors: &str) -> Self {
        match (status.code(), status.signal()) {
            (Some(0), _) => Self::PoweredOff,
            (Some(1), _) if complaint(errors).is_some() => Self::Refused(complaint(errors).unwrap_or_default()),
            (Some(code), _) if code % 2 == 1 => Self::Halted(u8::try_from(code / 2).unwrap_or(u8::MAX)),
            (Some(code), _) => Self::Strange(code),
            (None, signal) => Self::Killed(signal.unwrap_or_default()),
        }
    }
}

/// QEMU's own words, when it says that it gives up: lines `qemu-system-x86_64: ...` that are not mere warnings.
pub fn complaint(errors: &str) -> Option<String> {
    let mut said = errors.lines().filter_map(|line| line.strip_prefix("qemu-system-x86_64: "));
    said.find(|line| !line.starts_with("warning:") && !line.starts_with("terminating on signal")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i32, errors: &str) -> Exit {
        Exit::read(ExitStatus::from_raw(code << 8), errors)
    }

    #[test]
    fn statuses_come_back() {
        for status in 0..128_u8 {
            let code = (i32::from(status) * 2 + 1) & 0xff;
            assert_eq!(exit(code, "qemu-system-x86_64: warning: TCG doesn't support it\n"), Exit::Halted(status));
        }
    }

    #[test]
    fn a_refusal_is_not_a_status() {
        let said = "qemu-system-x86_64: -netdev user: Could not set up host forwarding rule 'tcp::1-:1'\n";
        assert!(matches!(exit(1, said), Exit::Refused(text) if text.contains("forwarding rule")));
        assert_eq!(exit(15, said), Exit::Halted(7));
    }

    #[test]
    fn other_ends() {
        assert_eq!(exit(0, ""), Exit::PoweredOff);
        assert_eq!(exit(2, ""), Exit::Strange(2));
        assert_eq!(Exit::read(ExitStatus::from_raw(9), ""), Exit::Killed(9));
    }
}
