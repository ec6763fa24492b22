//! Sealing of rows: AES-256-GCM with row, column and facility as associated data, and keyed hashes to find things again.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Version of the record's form.
const VERSION: u8 = 1;
/// AES-256-GCM with a random 96-bit nonce.
const ALGORITHM: u8 = 1;
/// Bytes of the nonce.
const NONCE: usize = 12;
/// Bytes before the ciphertext: version, algorithm, nonce.
const HEADER: usize = 2 + NONCE;

/// A record that cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// Wrong key, damaged, or moved from another row, column or facility.
    #[error("sealed record does not open")]
    Unopenable,
    /// The system has no randomness to give.
    #[error("no randomness")]
    NoRandomness,
    /// The content is not what the column holds.
    #[error("sealed record has another form")]
    Malformed,
}

/// Seals and opens the store's columns.
pub struct Sealer {
    cipher: Aes256Gcm,
    index: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// From the vault's key for rows and its key for look-ups.
    #[must_use]
    pub fn new(rows: &[u8; 32], index: &[u8; 32]) -> Self {
        Self { cipher: Aes256Gcm::new(rows.into()), index: Zeroizing::new(*index) }
    }

    /// Seals a value for `column` of `row` in `facility`.
    ///
    /// # Errors
    /// [`SealingError::NoRandomness`].
    pub fn seal<T: Serialize>(
        &self,
        facility: &str,
        column: &str,
        row: &str,
        value: &T,
    ) -> Result<Vec<u8>, SealingError> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|_| SealingError::Malformed)?);
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealingError::NoRandomness)?;
        let aad = associated(facility, column, row);
        let payload = Payload { msg: plain.as_slice(), aad: &aad };
        let sealed = self.cipher.encrypt((&nonce).into(), payload).map_err(|_| SealingError::NoRandomness)?;
        let mut record = Vec::with_capacity(HEADER + sealed.len());
        record.extend([VERSION, ALGORITHM]);
        record.extend(nonce);
        record.extend(sealed);
        Ok(record)
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealingError::Unopenable`] if anything about it is different.
    pub fn open<T: DeserializeOwned>(
        &self,
        facility: &str,
        column: &str,
        row: &str,
        record: &[u8],
    ) -> Result<T, SealingError> {
        let [VERSION, ALGORITHM, rest @ ..] = record else { return Err(SealingError::Unopenable) };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(SealingError::Unopenable)?;
        let aad = associated(facility, column, row);
        let payload = Payload { msg: sealed, aad: &aad };
        let plain = self.cipher.decrypt(nonce.into(), payload).map_err(|_| SealingError::Unopenable)?;
        let plain = Zeroizing::new(plain);
        serde_json::from_slice(&plain).map_err(|_| SealingError::Malformed)
    }

    /// A keyed hash of `parts` for `purpose`: equal parts, equal text; nothing can be read from it without the key.
    #[must_use]
    pub fn index(&self, purpose: &str, parts: &[&str]) -> String {
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(self.index.as_slice()) else {
            return String::new();
        };
        for part in std::iter::once(&purpose).chain(parts) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn associated(facility: &str, column: &str, row: &str) -> Vec<u8> {
    let mut aad = vec![VERSION, ALGORITHM];
    for part in [facility, column, row] {
        aad.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        aad.extend(part.as_bytes());
    }
    aad
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&[7; 32], &[9; 32])
    }

    #[test]
    fn a_record_opens_only_where_it_was_sealed() {
        let sealer = sealer();
        let record = sealer.seal("0114A026", "body", "row", &"SITI").unwrap();
        assert_eq!(sealer.open::<String>("0114A026", "body", "row", &record).unwrap(), "SITI");
        for (facility, column, row) in
            [("0114A027", "body", "row"), ("0114A026", "why", "row"), ("0114A026", "body", "r")]
        {
            assert_eq!(sealer.open::<String>(facility, column, row, &record), Err(SealingError::Unopenable));
        }
    }

    #[test]
    fn every_flipped_byte_is_refused_and_nothing_shows_in_clear() {
        let sealer = sealer();
        let record = sealer.seal("F", "c", "r", &"0009900000000").unwrap();
        assert!(!record.windows(13).any(|window| window == b"0009900000000"));
        for at in 0..record.len() {
            let mut bad = record.clone();
            bad[at] ^= 1;
            assert_eq!(sealer.open::<String>("F", "c", "r", &bad), Err(SealingError::Unopenable));
        }
    }

    #[test]
    fn the_index_separates_purposes_and_parts() {
        let sealer = sealer();
        assert_eq!(sealer.index("lane", &["a", "b"]), sealer.index("lane", &["a", "b"]));
        assert_ne!(sealer.index("lane", &["a", "b"]), sealer.index("lane", &["ab"]));
        assert_ne!(sealer.index("lane", &["a"]), sealer.index("remote", &["a"]));
    }
}
