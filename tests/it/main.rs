//! The integration tests: one binary, one file per behaviour. `docs/defects.md` maps the defects of other bridges to the
//! tests that show that this one does not have them.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod antrean_inbound;
mod api;
mod bodies;
mod books;
mod breaks;
mod bridge;
mod catalogue;
mod cli;
mod clients;
mod crash;
mod day;
mod defects;
mod docs;
mod faults;
mod gateway;
mod harness;
mod hostile;
mod kill;
mod memory;
mod month;
mod nodes;
mod papers;
mod postgres;
mod promises;
mod reconcile;
mod reconcile_runs;
mod scale;
mod secrets;
mod services;
mod simulator;
#[cfg(feature = "failpoints")]
mod stall;
mod systemd;
mod tidy;
mod uat;
mod unit_file;
