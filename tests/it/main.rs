//! The integration tests: one binary, one file per behaviour.

mod cli;
mod docs;
mod harness;
mod simulator;
mod unit_file;
