//! Errors of each call, as Linux gives them.
