//! POSIX semantics.
