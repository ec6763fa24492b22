//! The headers that say who asks: timestamp, signature, P-Care login.
//!
//! Job: make and check `X-timestamp`, `X-signature` and `X-authorization`. Invariants: the stamp is taken once per
//! attempt by the caller and handed to every function here and in [`super::seal`]; signatures are compared in constant
//! time. Neighbours: `remote` makes these headers, `simulator` and `http/gateway` check them. What it does not do: judge
//! the age of a stamp (BPJS documents no tolerance; the caller has the clock).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::secret::{ConsId, Password, SecretKey, Username};

/// The application code that ends every `X-authorization` (P-Care catalogue: kdAplikasi 095).
pub const KD_APLIKASI: &str = "095";

/// The block of SHA-256 in bytes: HMAC pads shorter keys to it and hashes longer ones.
const HMAC_BLOCK: usize = 64;

/// The `X-timestamp` of one attempt: Unix time in whole seconds, UTC.
///
/// The same stamp signs the request and is part of the key of its response: a second one, taken a moment later, makes
/// the response unreadable whenever the second ticks over in between.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp(i64);

impl Stamp {
    /// The stamp of an attempt that begins at `now`; fractions of a second are cut off.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        // `as_second` rounds towards zero, which before 1970 would be the following second; nobody signs there.
        Self(now.as_second())
    }

    /// A stamp read back from a header or from a stored attempt.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `X-signature`: base64 of HMAC-SHA256 over `consId & stamp` under the consumer secret (44 characters, not
/// URL-encoded). Neither method nor path nor body is signed.
#[must_use]
pub fn signature(cons: &ConsId, secret: &SecretKey, stamp: Stamp) -> String {
    let message = format!("{}&{stamp}", cons.expose());
    hmac_base64(secret.expose().as_bytes(), message.as_bytes())
}

/// The bare function behind [`signature`], apart because the vector that BPJS publishes is not a signature.
pub(super) fn hmac_base64(key: &[u8], message: &[u8]) -> String {
    STANDARD.encode(mac(key, message).finalize().into_bytes())
}

/// Whether `claimed` is the signature of this consumer at this stamp, compared in constant time.
#[must_use]
pub fn signature_is_valid(cons: &ConsId, secret: &SecretKey, stamp: Stamp, claimed: &str) -> bool {
    let message = format!("{}&{stamp}", cons.expose());
    let mac = mac(secret.expose().as_bytes(), message.as_bytes());
    STANDARD.decode(claimed).is_ok_and(|claimed| mac.verify_slice(&claimed).is_ok())
}

/// HMAC-SHA256 of `message`, keyed without a failure path: the key is brought to one block as RFC 2104 says.
fn mac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; HMAC_BLOCK]);
    match block.get_mut(..key.len()) {
        Some(head) => head.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    Hmac::<Sha256>::new((&*block).into()).chain_update(message)
}

/// `X-authorization` of P-Care and i-Care FKTP: `Basic ` and base64 of `username:password:kdAplikasi`.
#[must_use]
pub fn authorization(username: &Username, password: &Password, app_code: &str) -> Zeroizing<String> {
    let plain = Zeroizing::new(format!("{}:{}:{app_code}", username.expose(), password.expose()));
    let coded = Zeroizing::new(STANDARD.encode(plain.as_bytes()));
    Zeroizing::new(["Basic ", coded.as_str()].concat())
}

/// Why an `X-authorization` cannot be read. It never quotes the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthorizationError {
    /// The value does not begin with `Basic ` (BPJS answers *StartIndex cannot be less than zero*).
    #[error("X-authorization does not begin with Basic")]
    NoScheme,
    /// What follows `Basic ` is not base64 of text.
    #[error("X-authorization is not base64 of text")]
    NotText,
    /// The text is not `username:password:kdAplikasi`.
    #[error("X-authorization does not have three parts")]
    NotThreeParts,
}

/// Takes an `X-authorization` apart into username, password and kdAplikasi.
///
/// The first `:` ends the username and the last one begins kdAplikasi, so a password may contain `:`.
///
/// # Errors
/// [`AuthorizationError`] says which of the three steps failed.
pub fn read_authorization(header: &str) -> Result<(Username, Password, String), AuthorizationError> {
    let (scheme, coded) = header.trim().split_once(' ').ok_or(AuthorizationError::NoScheme)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(AuthorizationError::NoScheme);
    }
    let plain = Zeroizing::new(STANDARD.decode(coded.trim()).map_err(|_| AuthorizationError::NotText)?);
    let plain = std::str::from_utf8(&plain).map_err(|_| AuthorizationError::NotText)?;
    let (username, rest) = plain.split_once(':').ok_or(AuthorizationError::NotThreeParts)?;
    let (password, app_code) = rest.rsplit_once(':').ok_or(AuthorizationError::NotThreeParts)?;
    Ok((Username::new(username), Password::new(password), app_code.to_owned()))
}

#[cfg(test)]
mod tests;
