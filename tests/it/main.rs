//! The integration tests: one binary, one file per behaviour.

mod api;
mod docs;
mod simulator;
mod tidy;
mod unit_file;
