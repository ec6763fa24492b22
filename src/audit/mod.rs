//! The security log's chain (Lampiran X angka 7).
//!
//! Job: link each entry to the one before by a hash, and verify a chain. Pure. Invariants: an entry's hash covers the
//! hash before it and every field; order is by number, never by clock. Neighbours: `store` writes entries in the same
//! transaction as what they are about; `cli audit` verifies. What it does not do: personal data (ids and words only).

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Domain separation of the chain.
const LABEL: &[u8] = b"jembatan.log.v1";

/// An entry of the security log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// On what.
    pub object: String,
    /// Reason or remark.
    pub detail: String,
    /// Hash of the chain up to and including this entry, hexadecimal.
    pub hash: String,
}

/// The hash before the first entry.
#[must_use]
pub fn genesis() -> String {
    "0".repeat(64)
}

/// The hash of an entry that follows `previous`.
#[must_use]
pub fn link(previous: &str, entry: &Entry) -> String {
    let mut hash = Sha256::new();
    hash.update(LABEL);
    let (seq, at) = (entry.seq.to_string(), entry.at.as_millisecond().to_string());
    for part in [previous, &seq, &at, &entry.actor, &entry.action, &entry.object, &entry.detail] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a run of entries that follows `previous`; returns the last hash, or the number of the first entry that does
/// not fit.
///
/// # Errors
/// The number of the first broken entry.
pub fn verify(previous: &str, first: i64, entries: &[Entry]) -> Result<String, i64> {
    let mut last = previous.to_owned();
    for (expected, entry) in (first..).zip(entries) {
        let hash = link(&last, entry);
        if entry.seq != expected || entry.hash != hash {
            return Err(entry.seq);
        }
        last = hash;
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(count: i64) -> Vec<Entry> {
        let mut previous = genesis();
        (1..=count)
            .map(|seq| {
                let mut entry = Entry {
                    seq,
                    at: Timestamp::UNIX_EPOCH,
                    actor: "operator".into(),
                    action: "delivery.retry".into(),
                    object: format!("d{seq}"),
                    detail: String::new(),
                    hash: String::new(),
                };
                entry.hash = link(&previous, &entry);
                previous.clone_from(&entry.hash);
                entry
            })
            .collect()
    }

    #[test]
    fn an_untouched_chain_verifies() {
        assert!(verify(&genesis(), 1, &chain(5)).is_ok());
    }

    #[test]
    fn an_edit_and_a_gap_are_found() {
        let mut edited = chain(5);
        edited[2].actor = "orang lain".into();
        assert_eq!(verify(&genesis(), 1, &edited), Err(3));
        let mut gap = chain(5);
        gap.remove(3);
        assert_eq!(verify(&genesis(), 1, &gap), Err(5));
    }
}
