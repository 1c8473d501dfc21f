//! Elixir as Debian packages it: its shell on the console, its standard library, its own tests. Releases of mix are in `release.rs`.
