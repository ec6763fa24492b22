//! The gateway's door: the local signature, checked as BPJS checks its own, or a bearer token.
//!
//! Job: who calls, and how the answer is to be sealed. Invariants: nothing of a header is logged or quoted; secrets are
//! compared in constant time; too many failures from one address close the door for a while, for the consumer they
//! claimed to be. Neighbours: `protocol::sign` checks, `vault` knows the local credentials. What it does not do: let
//! anybody do anything ([`super::handle`]).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Gateway;
use super::answer::{Reply, Secrecy, Voice};
use crate::catalogue::Service;
use crate::config::PCARE_APP_CODE;
use crate::http::App;
use crate::http::auth::{Caller, authenticate};
use crate::protocol::sign::{AuthorizationError, Stamp, read_authorization, signature_is_valid};
use crate::vault::GatewayCredentials;

/// Failures at once from one address and consumer, then one a second.
const FAILURES: f64 = 30.0;
/// Addresses and consumers remembered.
const REMEMBERED: usize = 4096;

// The first four texts are assumed: no public source quotes BPJS's (wire facts, Appendix B.1). The others are quoted.
const HEADER_MISSING: &str = "Unauthorized, header tidak lengkap: ";
const UNKNOWN_CONSUMER: &str = "Unauthorized, consumer ID tidak terdaftar";
const BAD_SIGNATURE: &str = "Unauthorized, signature tidak sesuai";
const BAD_LOGIN: &str = "Username atau password PCare tidak sesuai";
const UNAUTHORIZED: &str = "Unauthorized!";
const EXPIRED: &str = "Service Expired";
const NOT_REGISTERED: &str = "Unauthorized! You are not registered for this service!";
const START_INDEX: &str = "StartIndex cannot be less than zero.\r\nParameter name: startIndex";
const TOO_MANY: &str =
    "Terlalu banyak panggilan dengan kredensial yang salah; periksa kredensial lokal, tunggu sebentar.";

/// Somebody who has proved who it is.
pub(super) struct Visitor {
    pub(super) caller: Caller,
    pub(super) secrecy: Secrecy,
}

/// Who fails how often. A caller that fails is slowed down under the name it claims, so that a program gone wild on the
/// same machine does not lock the good one out.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<(IpAddr, String), (f64, Timestamp)>>);

impl Failures {
    fn level(&self, key: &(IpAddr, String), now: Timestamp) -> f64 {
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.get(key).map_or(FAILURES, |(level, at)| refilled(*level, *at, now))
    }

    fn note(&self, key: (IpAddr, String), now: Timestamp) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, (level, at)| refilled(*level, *at, now) < FAILURES);
        }
        if buckets.len() >= REMEMBERED {
            buckets.clear();
        }
        let (level, at) = buckets.get(&key).copied().unwrap_or((FAILURES, now));
        buckets.insert(key, (refilled(level, at, now) - 1.0, now));
    }
}

fn refilled(level: f64, at: Timestamp, now: Timestamp) -> f64 {
    (level + now.duration_since(at).as_secs_f64().max(0.0)).min(FAILURES)
}

/// What the door needs of a request besides its headers.
#[derive(Clone, Copy)]
pub(super) struct Knock {
    /// Who is connected, if it is known.
    pub(super) peer: Option<IpAddr>,
    /// How the service speaks, and whether it wants `X-authorization`.
    pub(super) voice: Voice,
    pub(super) now: Timestamp,
}

/// Lets a caller in.
pub(super) fn enter(app: &App, gateway: &Gateway, headers: &HeaderMap, knock: Knock) -> Result<Visitor, Reply> {
    let claimed = value(headers, "x-cons-id").unwrap_or_default();
    let known = gateway.vault.gateway_by_cons_id(claimed).is_some();
    let peer = knock.peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    // Invented names share one bucket: they must not fill the table.
    let key = (peer, if known { claimed.to_owned() } else { String::new() });
    if gateway.failures.level(&key, knock.now) < 1.0 {
        return Err(Reply::own(429, TOO_MANY).after(1));
    }
    let entered = if bears_token(headers) {
        bearer(app, headers, knock.now)
    } else {
        signed(app, gateway, headers, claimed, knock)
    };
    entered.inspect_err(|_| {
        gateway.failures.note(key, knock.now);
        tracing::warn!("gateway: credentials refused");
    })
}

fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

fn bears_token(headers: &HeaderMap) -> bool {
    let scheme = value(headers, header::AUTHORIZATION.as_str()).and_then(|value| value.split(' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}

fn bearer(app: &App, headers: &HeaderMap, now: Timestamp) -> Result<Visitor, Reply> {
    match authenticate(app, headers, now) {
        Ok(caller) => Ok(Visitor { caller, secrecy: Secrecy::Plain }),
        Err(problem) => Err(Reply::own(401, problem.detail)),
    }
}

/// The checks in BPJS's order, as far as it is known: headers, form of the login, consumer, signature, clock, user key,
/// login.
fn signed(app: &App, gateway: &Gateway, headers: &HeaderMap, cons_id: &str, knock: Knock) -> Result<Visitor, Reply> {
    // P-Care says what it misses; the others have one word for all of it.
    let words = |pcare: &str| match knock.voice.service {
        Service::Pcare => pcare.to_owned(),
        Service::Vclaim | Service::AntreanFktp | Service::Icare => UNAUTHORIZED.to_owned(),
    };
    let refuse = |code: i64, words: String| Err(Reply::own(code, words));
    let needed = |name: &str| {
        let missing = || Reply::own(401, words(&format!("{HEADER_MISSING}{name}")));
        value(headers, &name.to_ascii_lowercase()).ok_or_else(missing)
    };
    needed("X-cons-id")?;
    let (timestamp, signature, user_key) = (needed("X-timestamp")?, needed("X-signature")?, needed("user_key")?);
    let login = if knock.voice.authorization { Some(needed("X-authorization")?) } else { None };
    if let Some(Err(AuthorizationError::NoScheme)) = login.map(read_authorization) {
        return refuse(50_000, START_INDEX.to_owned());
    }
    let Ok((client, keys)) = app.clients.gateway(&gateway.vault, cons_id, knock.now) else {
        return refuse(401, words(UNKNOWN_CONSUMER));
    };
    let Ok(seconds) = timestamp.parse::<i64>() else { return refuse(401, words(BAD_SIGNATURE)) };
    let stamp = Stamp::from_seconds(seconds);
    if !signature_is_valid(&keys.cons_id, &keys.secret_key, stamp, signature) {
        return refuse(401, words(BAD_SIGNATURE));
    }
    if knock.now.as_second().abs_diff(seconds) > gateway.config.timestamp_window.as_secs() {
        return refuse(401, EXPIRED.to_owned());
    }
    if !same(user_key, keys.user_key.expose()) {
        return refuse(404, NOT_REGISTERED.to_owned());
    }
    if login.is_some_and(|login| !login_fits(login, &keys, gateway)) {
        return refuse(401, BAD_LOGIN.to_owned());
    }
    let caller = Caller { name: client.name, role: client.role, facilities: Some(client.facilities) };
    Ok(Visitor { caller, secrecy: Secrecy::Sealed(Box::new(keys), stamp) })
}

/// Both parts are always compared, so that the time does not tell which one is wrong.
fn login_fits(login: &str, keys: &GatewayCredentials, gateway: &Gateway) -> bool {
    let Ok((username, password, app_code)) = read_authorization(login) else { return false };
    let user = same(username.expose(), keys.username.expose());
    let pass = same(password.expose(), keys.password.expose());
    let code = app_code == PCARE_APP_CODE || gateway.app_codes.contains(&app_code);
    user & pass & code
}

/// Digests are compared, so that neither length nor prefix shows in the time taken.
fn same(given: &str, expected: &str) -> bool {
    let (given, expected) = (Sha256::digest(given.as_bytes()), Sha256::digest(expected.as_bytes()));
    bool::from(given.as_slice().ct_eq(expected.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_close_the_door_for_the_claimed_name_only_and_for_a_while() {
        let (failures, start) = (Failures::default(), Timestamp::UNIX_EPOCH);
        let key = |name: &str| (IpAddr::V4(Ipv4Addr::LOCALHOST), name.to_owned());
        (0..30).for_each(|_| failures.note(key("a"), start));
        assert!(failures.level(&key("a"), start) < 1.0);
        assert!(failures.level(&key("b"), start) >= 1.0, "another name is not slowed down");
        assert!(failures.level(&key("a"), start + std::time::Duration::from_secs(1)) >= 1.0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let failures = Failures::default();
        for n in 0..2 * REMEMBERED {
            failures.note((IpAddr::V4(Ipv4Addr::LOCALHOST), n.to_string()), Timestamp::UNIX_EPOCH);
        }
        assert!(failures.0.lock().unwrap().len() <= REMEMBERED);
    }
}
