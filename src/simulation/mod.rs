//! The whole bridge in one thread, under virtual time, with everything going wrong that can: one seed, one run.
//!
//! Job: intake, push and reconciliation as the daemon composes them, over a real store, against the real [`simulator`]
//! called in process; a seed decides workload, interleaving and faults, and every step is held against a model. Invariants:
//! the same seed gives the same events (compared by hash); nothing is drawn but from the seed; a broken promise prints
//! its options, its last events and how to see it again. Neighbours: uses every stage; `simulator` plays BPJS, this module
//! plays the world around the bridge. What it does not do: sockets, TLS, the faces (`tests/it` drives those), threads.
//!
//! Reading order: `options` (what a seed turns on), `run` (one run), `process` (one life of the bridge), `store` and
//! `network` (its two ways out), `weather`, `people` and `dates` (what happens to it), `model`, `steps`, `ending` (what must hold),
//! `sweep` (many seeds).
//!
//! [`simulator`]: crate::simulator

mod dates;
mod dice;
mod disk;
mod ending;
mod hub;
mod model;
mod network;
mod notes;
mod options;
mod people;
mod process;
mod run;
mod steps;
mod store;
mod sweep;
mod tests;
mod weather;
mod workload;
