//! The door of a service: headers, signature, clock, user key, web login, in this order.
//!
//! Job: let a request in with the timestamp that seals its answer, or refuse it as BPJS does. Invariant: nothing of a
//! header is ever logged or quoted. Neighbours: `face` asks, `protocol::sign` checks. What it does not do: faults.

use axum::http::HeaderMap;
use jiff::Timestamp;

use super::credentials::Credentials;
use super::rules::Rules;
use super::texts;
use super::world::Refusal;
use crate::protocol::sign::{AuthorizationError, Stamp, read_authorization, signature_is_valid};

/// The five headers of P-Care.
const HEADERS: [&str; 5] = ["X-cons-id", "X-timestamp", "X-signature", "X-authorization", "user_key"];

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

/// Checks a P-Care request; answers its timestamp.
pub(crate) fn enter(
    credentials: &Credentials,
    rules: &Rules,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Stamp, Refusal> {
    let mut values = [""; 5];
    for (place, name) in values.iter_mut().zip(HEADERS) {
        *place =
            header(headers, name).ok_or_else(|| Refusal::plain(401, &format!("{}{name}", texts::HEADER_MISSING)))?;
    }
    let [cons_id, timestamp, signature, authorization, user_key] = values;
    let login = match read_authorization(authorization) {
        Err(AuthorizationError::NoScheme) => return Err(Refusal::plain(50_000, texts::START_INDEX)),
        Err(AuthorizationError::NotText | AuthorizationError::NotThreeParts) => None,
        Ok(login) => Some(login),
    };
    if cons_id != credentials.cons_id.expose() {
        return Err(Refusal::plain(401, texts::UNKNOWN_CONSUMER));
    }
    let seconds: i64 = timestamp.parse().map_err(|_| Refusal::plain(401, texts::BAD_SIGNATURE))?;
    let stamp = Stamp::from_seconds(seconds);
    if !signature_is_valid(&credentials.cons_id, &credentials.secret_key, stamp, signature) {
        return Err(Refusal::plain(401, texts::BAD_SIGNATURE));
    }
    if now.as_second().abs_diff(seconds) > u64::from(rules.max_skew_seconds) {
        return Err(Refusal::plain(401, texts::EXPIRED));
    }
    if user_key != credentials.pcare.expose() {
        return Err(Refusal::plain(404, texts::NOT_REGISTERED));
    }
    let known = |(username, password, app): &(_, _, String)| {
        *username == credentials.username
            && *password == credentials.password
            && app == crate::protocol::sign::KD_APLIKASI
    };
    if login.as_ref().is_some_and(known) { Ok(stamp) } else { Err(Refusal::plain(401, texts::BAD_LOGIN)) }
}
