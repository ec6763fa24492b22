//! Sealing of one record: AES-256-GCM with everything that gives the record its meaning as associated data.
//!
//! Job: turn a value and its label into nonce and ciphertext, and back. Invariants: a fresh random 96-bit nonce per
//! sealing (a vault sees some thousands in its life, far from the 2^32 of NIST SP 800-38D); the label is length-prefixed
//! so that no two labels have the same bytes. Neighbours: `file` lays the records out, `key` derives the key.
//! What it does not do: choose the key (by id, never by trial) or touch files.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::VaultError;

/// The version of the record layout.
pub(super) const FORMAT: u8 = 1;
/// AES-256-GCM, the only algorithm so far.
pub(super) const AES_256_GCM: u8 = 1;
/// Length of a nonce in bytes.
const NONCE: usize = 12;

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// The root of the store's keys: one record.
    Root,
    /// A credential of a facility at BPJS.
    Credential,
    /// The local credentials of a gateway client; `facility` holds the client's id.
    Gateway,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Credential => "credential",
            Self::Gateway => "gateway",
        }
    }
}

/// The public part of a record, bound to the ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) purpose: Purpose,
    pub(super) facility: String,
    pub(super) name: String,
    pub(super) version: u64,
    /// Milliseconds since the epoch.
    pub(super) set_at: i64,
}

impl Label {
    fn associated_data(&self, key_id: &str) -> Vec<u8> {
        let mut data = vec![FORMAT, AES_256_GCM];
        for part in [key_id, self.purpose.as_str(), &self.facility, &self.name] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data.extend_from_slice(&self.version.to_be_bytes());
        data.extend_from_slice(&self.set_at.to_be_bytes());
        data
    }
}

/// Fills a fixed buffer from the operating system's random source.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, VaultError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| VaultError::Crypto { what: "no random numbers" })?;
    Ok(bytes)
}

/// Seals `plain` under `key`; gives nonce and ciphertext with tag.
pub(super) fn seal(
    key: &[u8; 32],
    key_id: &str,
    label: &Label,
    plain: &[u8],
) -> Result<([u8; NONCE], Vec<u8>), VaultError> {
    seal_bytes(key, &label.associated_data(key_id), plain)
}

/// Opens what [`seal`] made; `None` if any bit of value, label or key id differs.
pub(super) fn open(
    key: &[u8; 32],
    key_id: &str,
    label: &Label,
    nonce: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    open_bytes(key, &label.associated_data(key_id), nonce, sealed)
}

/// Seals with associated data of the caller's own layout.
pub(super) fn seal_bytes(key: &[u8; 32], aad: &[u8], plain: &[u8]) -> Result<([u8; NONCE], Vec<u8>), VaultError> {
    let nonce = random::<NONCE>()?;
    let cipher = Aes256Gcm::new(key.into());
    let sealed = cipher
        .encrypt(&Nonce::from(*nonce), Payload { msg: plain, aad })
        .map_err(|_| VaultError::Crypto { what: "sealing failed" })?;
    Ok((*nonce, sealed))
}

/// Opens what [`seal_bytes`] made.
pub(super) fn open_bytes(key: &[u8; 32], aad: &[u8], nonce: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    let cipher = Aes256Gcm::new(key.into());
    cipher.decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad }).ok().map(Zeroizing::new)
}
