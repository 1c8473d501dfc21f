//! Pipe semantics.
