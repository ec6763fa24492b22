//! The integration tests: one binary, one file per behaviour.

mod api;
mod simulator;
mod unit_file;
