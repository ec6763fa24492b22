//! The sealed response: LZ-string, then AES-256-CBC, then base64.
//!
//! Job: open what BPJS sealed for one request, and seal as BPJS would. Invariants: the key is SHA-256 of
//! `consId ‖ secret ‖ stamp of the request`, its first half is also the initialisation vector; key material is wiped;
//! CBC carries no authentication, so a bad base64, padding, compression and JSON all give the same error and nobody
//! learns which. Neighbours: `remote` opens, `simulator` and `http/gateway` seal. What it does not do: guess whether a
//! string is sealed at all ([`super::envelope`]).

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use super::json::Limits;
use super::json::{self, JsonFault};
use super::lz::{self, LzError};
use super::sign::Stamp;
use crate::secret::{ConsId, SecretKey};

/// Why a sealed response could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// It does not open with this key: another consumer, another second, a damaged or an unsealed text.
    #[error("the response does not open")]
    Sealed,
    /// It opens to more than the limits allow.
    #[error("the response is larger than allowed")]
    TooLarge,
    /// It opens to JSON nested deeper than the limits allow.
    #[error("the response is nested deeper than allowed")]
    TooDeep,
}

impl From<LzError> for Unreadable {
    fn from(fault: LzError) -> Self {
        match fault {
            LzError::TooLarge => Self::TooLarge,
            LzError::Symbol | LzError::Truncated | LzError::Code | LzError::Surrogate => Self::Sealed,
        }
    }
}

impl From<JsonFault> for Unreadable {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::NotJson => Self::Sealed,
            JsonFault::TooLarge => Self::TooLarge,
            JsonFault::TooDeep => Self::TooDeep,
        }
    }
}

/// Key and initialisation vector of one exchange.
struct Key {
    key: Zeroizing<[u8; 32]>,
    iv: Zeroizing<[u8; 16]>,
}

impl Key {
    fn derive(cons: &ConsId, secret: &SecretKey, stamp: Stamp) -> Self {
        let (mut key, mut iv) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 16]));
        Sha256::new()
            .chain_update(cons.expose())
            .chain_update(secret.expose())
            .chain_update(stamp.to_string())
            .finalize_into((&mut *key).into());
        iv.copy_from_slice(&key[..16]);
        Self { key, iv }
    }

    fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        cbc::Encryptor::<Aes256>::new((&*self.key).into(), (&*self.iv).into()).encrypt_padded_vec::<Pkcs7>(plain)
    }

    fn decrypt<'a>(&self, sealed: &'a mut [u8]) -> Result<&'a [u8], Unreadable> {
        cbc::Decryptor::<Aes256>::new((&*self.key).into(), (&*self.iv).into())
            .decrypt_padded::<Pkcs7>(sealed)
            .map_err(|_| Unreadable::Sealed)
    }
}

/// Seals `json` as BPJS seals the `response` of the request signed at `stamp`.
#[must_use]
pub fn seal(cons: &ConsId, secret: &SecretKey, stamp: Stamp, json: &str) -> String {
    STANDARD.encode(Key::derive(cons, secret, stamp).encrypt(lz::compress(json).as_bytes()))
}

/// What lies under the encryption of a `response`: packed text, to be sealed for somebody else without opening it.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed(Zeroizing<String>);

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packed(…)")
    }
}

/// Takes the encryption off; whether the packed text is sound is not looked at.
#[must_use]
pub fn packed(cons: &ConsId, secret: &SecretKey, stamp: Stamp, wire: &str) -> Option<Packed> {
    let mut sealed = STANDARD.decode(wire.trim_ascii()).ok()?;
    let packed = Key::derive(cons, secret, stamp).decrypt(&mut sealed).ok()?;
    Some(Packed(Zeroizing::new(std::str::from_utf8(packed).ok()?.to_owned())))
}

/// Seals what was packed elsewhere: [`seal`] without packing anew.
#[must_use]
pub fn seal_packed(cons: &ConsId, secret: &SecretKey, stamp: Stamp, packed: &Packed) -> String {
    STANDARD.encode(Key::derive(cons, secret, stamp).encrypt(packed.0.as_bytes()))
}

/// Opens the `response` of the request signed at `stamp`.
///
/// A text that holds JSON once more (a string beginning with `{` or `[`, seen in the wild) is parsed a second time. A
/// sealed empty text gives null.
///
/// # Errors
/// [`Unreadable::Sealed`] for everything that a wrong key can cause; the other two when `limits` are passed.
pub fn open(cons: &ConsId, secret: &SecretKey, stamp: Stamp, wire: &str, limits: &Limits) -> Result<Value, Unreadable> {
    let mut sealed = STANDARD.decode(wire.trim_ascii()).map_err(|_| Unreadable::Sealed)?;
    let packed = Key::derive(cons, secret, stamp).decrypt(&mut sealed)?;
    let text = lz::decompress(packed, limits.max_output)?;
    if text.is_empty() {
        return Ok(Value::Null);
    }
    unwrap_text(json::parse_text(&text, limits)?, limits)
}

/// Parses a string that looks like JSON; one that only looks so stays a string.
fn unwrap_text(value: Value, limits: &Limits) -> Result<Value, Unreadable> {
    let Value::String(text) = value else { return Ok(value) };
    if !text.trim_start().starts_with(['{', '[']) {
        return Ok(Value::String(text));
    }
    match json::parse_text(&text, limits) {
        Ok(inner) => Ok(inner),
        Err(JsonFault::NotJson) => Ok(Value::String(text)),
        Err(fault @ (JsonFault::TooLarge | JsonFault::TooDeep)) => Err(fault.into()),
    }
}

#[cfg(test)]
mod tests;
