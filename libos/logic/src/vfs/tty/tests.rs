//! Typing and reading.
