//! jembatan carries a puskesmas's service entries to the web services of BPJS Kesehatan: nothing lost, nothing twice,
//! nothing leaked, nobody left guessing.
//!
//! The flow, and the modules in reading order:
//!
//! ```text
//! SIM ──▶ http ──▶ intake ──▶ store ──▶ push ──▶ remote ──▶ BPJS
//!                               ▲         │
//!                               └─ reconcile (leases, unanswered, outages, differences) ─▶ report, status
//! ```
//!
//! * [`queue`] decides (pure): states, events, transitions, what may be sent next.
//! * [`catalogue`] knows the remote operations; [`protocol`] their bytes; [`contract`] the dates of the agreement.
//! * [`store`] keeps everything; [`vault`] keeps the secrets.
//! * [`intake`], [`push`], [`reconcile`] are the stages; they share rows and wake-ups, never call one another.
//! * [`keep`] keeps what reads brought, for outages.
//! * [`nodes`] says which node sends for which facility, where several share a database.
//! * [`remote`] is the only way out; [`http`] and [`status`] are the faces; [`cli`] the commands.
//! * [`inbound`] is what Mobile JKN calls at the facility.
//! * [`simulator`] plays BPJS; [`daemon`] puts everything together.
#![forbid(unsafe_code)]

#[macro_use]
pub mod failpoint;

mod words;

pub mod bell;
pub mod chance;
pub mod clock;
pub mod config;
pub mod observe;
pub mod secret;
pub mod telemetry;
pub mod vault;

pub mod catalogue;
pub mod contract;
pub mod protocol;
pub mod queue;

pub mod audit;
pub mod remote;
pub mod store;

pub mod intake;
pub mod keep;
pub mod nodes;
pub mod push;
pub mod reconcile;
pub mod report;

pub mod cli;
pub mod daemon;
pub mod http;
pub mod inbound;
pub mod simulator;

pub mod status;

#[cfg(test)]
mod simulation;
