//! The integration tests: one binary, one file per behaviour. `docs/defects.md` maps the defects of other bridges to the
//! tests that show that this one does not have them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod bridge;
mod cli;
mod day;
mod docs;
mod faults;
mod harness;
mod kill;
mod papers;
mod promises;
mod simulator;
mod systemd;
mod tidy;
mod unit_file;
