//! The only way out: signs, sends, opens and judges what BPJS answers.
//!
//! Job: one call to BPJS per question, with one stamp, and one typed value for how it ended. Invariants: nothing is ever
//! sent a second time from here (the queue is the only retrier); redirects are not followed; a certificate that does not
//! check stops the connection; an end of which it is not certain that no byte left is never *not sent*; URLs, bodies and
//! credentials are printed nowhere. Neighbours: `push` sends, `reconcile` reads and probes, `http::gateway` passes calls
//! through; `protocol`, `catalogue` and `vault` are used. What it does not do: SQL, retries, waiting for a circuit.
//!
//! In reading order: [`transport`] (the seam), [`https`] (the network behind it), [`target`] (addresses that may be
//! called), [`classify`] (what an answer means), [`client`] (sign, send, open, judge), [`probe`] (whose fault it is),
//! [`limits`] (how fast), [`circuit`] (when to stop).

pub mod circuit;
pub mod classify;
pub mod client;
pub mod https;
pub mod lanes;
mod layers;
pub mod limits;
mod pass;
pub mod probe;
mod read;
pub mod target;
mod tls;
pub mod transport;

#[cfg(test)]
mod testing;

pub use circuit::Circuit;
pub use client::{Attempted, Evidence, Remote};
pub use https::{HttpsTransport, SetupError};
pub use lanes::Lane;
pub use limits::Bucket;
pub use pass::{Answer, Passed};
pub use probe::{Check, ProbeReport, Status, Step, Verdict};
pub use read::{ReadFailure, Rows};
pub use transport::{Layer, LayerCheck, Reply, Request, Transport, TransportError};
