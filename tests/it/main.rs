//! The integration tests: one binary, one file per behaviour.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod docs;
mod simulator;
mod tidy;
mod unit_file;
