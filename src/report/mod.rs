//! Documents: made from what the store keeps, and the forms they are printed in.
//!
//! Job: one file per document that makes a [`paper::Paper`] of rows and parameters, and [`render`] for its forms.
//! Invariants: pure; every form shows the figures of one paper; BPJS's own words stay out (they may name a patient); every
//! document names the journal's checkpoint; what the data do not tell is asked for or left blank. Neighbours: `http` asks
//! the store and answers with the file, `cli` writes it. What it does not do: compare, query, connect.

pub mod claims;
pub mod deadlines;
pub mod frame;
pub mod journal;
pub mod kbk;
pub mod minutes;
pub mod network;
pub mod outage;
pub mod paper;
pub mod prolanis;
pub mod reckon;
pub mod reconciliation;
pub mod render;
pub mod telekonsultasi;
pub mod uat;
pub mod visits;

#[cfg(test)]
mod tests;
