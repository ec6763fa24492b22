//! Bytes in, bytes out: what BPJS's services understand, and nothing else.
//!
//! Job: sign a request, seal and open a response, read and write the envelope. Pure: no clock, no network, no files.
//! Invariants: one [`sign::Stamp`] per attempt serves the header, the signature and the key of the response; whatever
//! comes from outside is bounded. Neighbours: `remote` signs and opens, `simulator` verifies and seals.
//! What it does not do: say what a code means (`remote::classify`).
//!
//! In reading order: [`sign`] (headers), [`lz`] (compression), [`json`] (bounded parsing), [`seal`] (the sealed
//! response), [`envelope`] (what carries it).

pub mod envelope;
pub mod json;
pub mod lz;
pub mod seal;
pub mod sign;

#[cfg(test)]
mod golden;
