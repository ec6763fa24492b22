//! Tokens: signed, short-lived, for one name.
//!
//! Job: make and check JSON Web Tokens (RFC 7519, HS256), the form the catalogue suggests. Invariants: the header is
//! compared, never believed, so there is no `alg` to choose; the signature is compared in constant time before anything
//! inside is read; a token names its client by id, so that a revoked name made anew does not revive old tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Domain separation of the key.
const LABEL: &[u8] = b"jembatan.antrean-inbound.v1";
/// The only header there is.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// Longer is none of ours.
const LONGEST: usize = 1024;

/// Makes and checks tokens.
#[derive(Clone)]
pub struct Signer(Zeroizing<[u8; 32]>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// User name.
    pub(super) sub: String,
    /// Client id.
    pub(super) cid: String,
    /// Seconds since 1970.
    pub(super) iat: i64,
    /// Seconds since 1970.
    pub(super) exp: i64,
}

impl Signer {
    /// From the vault's index key: tokens outlive a restart and no other use of the key.
    #[must_use]
    pub fn new(index_key: &[u8; 32]) -> Self {
        Self(mac(index_key, LABEL))
    }

    /// A token for these claims.
    pub(super) fn sign(&self, claims: &Claims) -> String {
        // Claims of plain texts and numbers always have a JSON form.
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let body = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
        let signature = mac(&self.0, body.as_bytes());
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature.as_slice()))
    }

    /// The claims of a token of ours whose time is not over.
    pub(super) fn check(&self, token: &str, now: Timestamp) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let (body, signature) = token.rsplit_once('.')?;
        let given = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let mut mac = <Hmac<Sha256>>::new_from_slice(self.0.as_slice()).ok()?;
        mac.update(body.as_bytes());
        mac.verify_slice(&given).ok()?;
        let (header, claims) = body.split_once('.')?;
        if header != URL_SAFE_NO_PAD.encode(HEADER) {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        (now.as_second() < claims.exp).then_some(claims)
    }
}

fn mac(key: &[u8; 32], message: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // HMAC takes keys of any length.
    if let Ok(mut mac) = <Hmac<Sha256>>::new_from_slice(key) {
        mac.update(message);
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_is_good_until_its_second_and_only_whole() {
        let signer = Signer::new(&[7; 32]);
        let claims = Claims { sub: "mjkn".to_owned(), cid: "01234567".to_owned(), iat: 100, exp: 160 };
        let token = signer.sign(&claims);
        assert_eq!(signer.check(&token, at(159)), Some(claims));
        assert_eq!(signer.check(&token, at(160)), None);
        assert_eq!(Signer::new(&[8; 32]).check(&token, at(159)), None);
        for place in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            // The last letter carries two bits that mean nothing; base64 must refuse them all the same.
            assert_eq!(signer.check(&other, at(159)), None, "letter {place}");
        }
    }

    #[test]
    fn a_token_that_chooses_its_own_algorithm_is_none() {
        let signer = Signer::new(&[7; 32]);
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"mjkn","cid":"01234567","iat":0,"exp":9999999999}"#);
        for header in [r#"{"alg":"none","typ":"JWT"}"#, r#"{"typ":"JWT","alg":"HS256"}"#] {
            let body = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(signer.check(&format!("{body}."), at(1)), None);
            let signed = format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac(&signer.0, body.as_bytes()).as_slice()));
            assert_eq!(signer.check(&signed, at(1)), None, "{header}");
        }
    }
}
