//! The table against a naive model.
