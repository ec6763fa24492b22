//! Documents: typed reports made from what the store keeps, and the forms they are printed in.
//!
//! Job: one typed struct per report, and [`render`] for its forms. Invariants: pure; no BPJS words and no payload get
//! into a document (they may name a patient): meanings, references and ids only; every document names the journal's
//! checkpoint. Neighbours: `cli` reads the stored report over the API and writes the file. What it does not do: compare,
//! query, connect.

pub mod reconciliation;
pub mod render;
