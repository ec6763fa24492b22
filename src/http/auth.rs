//! Who asks: bearer tokens of clients, and the local operator's.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::App;
use super::problem::{Kind, Problem};
use crate::vault::{Role, TokenError};

/// Domain separation of the local operator's token.
const LABEL: &[u8] = b"jembatan.local-operator.v1";
/// The name of the local operator in the security log.
pub const LOCAL_OPERATOR: &str = "operator";

/// Somebody who has proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Client name: part of the idempotency key, and the actor in the security log.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The facilities it may speak for; `None`: all (the local operator).
    pub facilities: Option<Vec<String>>,
}

impl Caller {
    /// Whether it may speak for this facility.
    #[must_use]
    pub fn may_use(&self, facility: &str) -> bool {
        self.facilities.as_ref().is_none_or(|own| own.iter().any(|code| code == facility))
    }

    /// Whether it sees only what it handed in itself.
    #[must_use]
    pub const fn sees_only_own(&self) -> bool {
        match self.role {
            Role::Sim | Role::Network => true,
            Role::Operator | Role::Viewer | Role::MobileJkn => false,
        }
    }

    /// The facilities a listing is restricted to, as the store wants them (empty: all).
    ///
    /// # Errors
    /// 403 if the wanted facility is none of its own, or it has none at all.
    pub fn scope(&self, wanted: Option<&str>) -> Result<Vec<String>, Problem> {
        match (wanted, &self.facilities) {
            (Some(code), _) if self.may_use(code) => Ok(vec![code.to_owned()]),
            (Some(code), _) => Err(foreign(code)),
            (None, None) => Ok(Vec::new()),
            (None, Some(own)) if own.is_empty() => Err(Problem::forbidden("Klien ini tidak memiliki faskes.")),
            (None, Some(own)) => Ok(own.clone()),
        }
    }

    /// # Errors
    /// 403 unless it may speak for this facility.
    pub fn require(&self, facility: &str) -> Result<(), Problem> {
        if self.may_use(facility) { Ok(()) } else { Err(foreign(facility)) }
    }
}

fn foreign(facility: &str) -> Problem {
    // What the client sent is shown back only as far as it looks like a facility code.
    let code: String = facility.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let mut problem = Problem::forbidden(format!("Klien ini tidak berhak atas faskes {code}; periksa kode faskesnya."));
    problem.errors.push(crate::intake::Fault::new("/facility", "bukan faskes klien ini"));
    problem
}

/// The token with which the command line on the same machine speaks as operator for all facilities: whoever can read
/// the vault's key can compute it, nobody else.
#[must_use]
pub fn local_operator_token(index_key: &[u8; 32]) -> Zeroizing<String> {
    // HMAC pads a short key with zeros to a block of 64 bytes; doing it here leaves no error to handle.
    let mut block = Zeroizing::new([0_u8; 64]);
    block[..32].copy_from_slice(index_key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(LABEL);
    let digest = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(digest.as_slice()));
    Zeroizing::new(format!("jbt_local_{}", text.as_str()))
}

/// Who bears the request's token.
///
/// # Errors
/// 401, the same for a token unknown or revoked.
pub(super) fn authenticate(app: &App, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Problem> {
    let bearer = bearer(headers)?;
    if same(bearer, app.operator_token.expose()) {
        return Ok(Caller { name: LOCAL_OPERATOR.to_owned(), role: Role::Operator, facilities: None });
    }
    match app.clients.authenticate(bearer, now) {
        Ok(client) => Ok(Caller { name: client.name, role: client.role, facilities: Some(client.facilities) }),
        // Only who knows the whole secret gets here, so it may be told.
        Err(TokenError::Expired) => Err(Problem::new(
            Kind::Unauthorized,
            "Token ini sudah kedaluwarsa. Minta token baru: 'jembatan client add'.",
        )),
        Err(TokenError::Unknown | TokenError::Revoked) => Err(Problem::new(
            Kind::Unauthorized,
            "Token tidak dikenal, dicabut atau kedaluwarsa. Minta token baru: 'jembatan client add'.",
        )),
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match (token, values.next()) {
        (Some(token), None) if !token.is_empty() => Ok(token),
        (Some(_) | None, _) => {
            Err(Problem::new(Kind::Unauthorized, "Tidak ada token. Sertakan header 'Authorization: Bearer <token>'."))
        }
    }
}

/// Digests are compared, so that neither length nor prefix shows in the time taken.
fn same(given: &str, expected: &str) -> bool {
    let (given, expected) = (Sha256::digest(given.as_bytes()), Sha256::digest(expected.as_bytes()));
    !expected.is_empty() && bool::from(given.as_slice().ct_eq(expected.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_operators_token_depends_on_the_key_alone() {
        let token = local_operator_token(&[7; 32]);
        assert_eq!(token.as_str(), local_operator_token(&[7; 32]).as_str());
        assert_ne!(token.as_str(), local_operator_token(&[8; 32]).as_str());
        assert!(token.starts_with("jbt_local_"));
        assert_eq!(token.len(), "jbt_local_".len() + 43);
    }

    #[test]
    fn a_listing_is_never_wider_than_the_clients_facilities() {
        let own = vec!["0114A026".to_owned()];
        let caller = Caller { name: "sim".to_owned(), role: Role::Sim, facilities: Some(own.clone()) };
        assert_eq!(caller.scope(None).unwrap(), own);
        assert_eq!(caller.scope(Some("0114A027")).unwrap_err().kind, Kind::Forbidden);
        let nobody = Caller { facilities: Some(Vec::new()), ..caller };
        assert!(nobody.scope(None).is_err(), "an empty list means all to the store");
    }
}
