//! The integration tests: one binary, one file per behaviour.

mod simulator;
mod unit_file;
