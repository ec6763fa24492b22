//! Who comes in: a name with its password gets a token, a token of ours gets through.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Semaphore;

use super::answer::{self, Answer};
use super::limits::Buckets;
use super::token::Claims;
use super::{App, Caller, Parts};
use crate::config::Facility;
use crate::vault::Client;

/// Passwords hashed at once: each takes 64 MiB.
const HASHED_AT_ONCE: usize = 2;
/// Longest name or password that is looked at.
const LONGEST: usize = 128;

/// The door with its limits.
pub(super) struct Door {
    failures: Buckets<IpAddr>,
    calls: Option<Buckets<String>>,
    hashing: Semaphore,
    token_lifetime: Duration,
}

impl Door {
    pub(super) fn new(parts: &Parts) -> Self {
        let settings = &parts.settings;
        let failures = f64::from(settings.failed_logins_per_minute);
        Self {
            failures: Buckets::new(failures / 60.0, failures),
            calls: settings.rate_per_second.map(|rate| Buckets::new(rate, (rate * 5.0).max(1.0))),
            hashing: Semaphore::new(HASHED_AT_ONCE),
            token_lifetime: settings.token_lifetime,
        }
    }

    /// `GET /auth`.
    pub(super) async fn log_in(
        &self,
        app: &App,
        headers: &HeaderMap,
        peer: IpAddr,
        facility: &mut String,
    ) -> Result<Answer, Answer> {
        let wrong = || Answer::fail(answer::WRONG_LOGIN);
        let name = header(headers, "x-username").ok_or_else(wrong)?;
        let password = header(headers, "x-password").ok_or_else(wrong)?;
        let client = self.client(app, name, password, peer).await?;
        let now = app.parts.clock.now();
        self.count(name, now)?;
        served(app, &client).ok_or_else(wrong)?.code.clone_into(facility);
        let life = i64::try_from(self.token_lifetime.as_secs()).unwrap_or(60);
        let iat = now.as_second();
        let claims = Claims { sub: client.name, cid: client.id, iat, exp: iat.saturating_add(life) };
        Ok(Answer::ok(json!({ "token": app.parts.signer.sign(&claims) })))
    }

    async fn client(&self, app: &App, name: &str, password: &str, peer: IpAddr) -> Result<Client, Answer> {
        let now = app.parts.clock.now();
        // Nobody who guesses can keep out who was in before.
        if let Some(client) = app.parts.clients.login_remembered(name, password, now) {
            return Ok(client);
        }
        let peer = network(peer);
        if !self.failures.take(peer, now) {
            tracing::warn!("too many failed logins from one address");
            return Err(Answer::fail(answer::TOO_MANY_LOGINS));
        }
        let _place = self.hashing.acquire().await.map_err(|_| Answer::unavailable())?;
        let (clients, name, password) =
            (app.parts.clients.clone(), name.to_owned(), zeroize::Zeroizing::new(password.to_owned()));
        let checked = tokio::task::spawn_blocking(move || clients.login(&name, &password, now)).await;
        match checked {
            Ok(Ok(client)) => {
                self.failures.give_back(peer, now);
                Ok(client)
            }
            Ok(Err(_unknown_revoked_or_expired)) => Err(Answer::fail(answer::WRONG_LOGIN)),
            Err(_panicked) => Err(Answer::unavailable()),
        }
    }

    /// Everything but `/auth`: any token that is not good has expired, so that Mobile JKN asks for a new one.
    pub(super) fn admit<'a>(&self, app: &'a App, headers: &HeaderMap) -> Result<Caller<'a>, Answer> {
        let expired = || Answer::fail(answer::TOKEN_EXPIRED);
        let now = app.parts.clock.now();
        let token = header_long(headers, "x-token").ok_or_else(expired)?;
        let name = header(headers, "x-username").ok_or_else(expired)?;
        let claims = app.parts.signer.check(token, now).filter(|claims| claims.sub == name).ok_or_else(expired)?;
        let client = app.parts.clients.mobile_jkn(&claims.cid, now).map_err(|_| expired())?;
        if client.name != name {
            return Err(expired());
        }
        self.count(name, now)?;
        let facility = served(app, &client).ok_or_else(expired)?;
        Ok(Caller { facility })
    }

    /// Only names that proved themselves are counted, so there are few.
    fn count(&self, name: &str, now: Timestamp) -> Result<(), Answer> {
        let within = self.calls.as_ref().is_none_or(|calls| calls.take(name.to_owned(), now));
        if within { Ok(()) } else { Err(Answer::too_many()) }
    }
}

/// The configured facility of a client.
fn served<'a>(app: &'a App, client: &Client) -> Option<&'a Facility> {
    let found = app.parts.facilities.iter().find(|facility| client.facilities.first() == Some(&facility.code));
    if found.is_none() {
        tracing::warn!("a user name of Mobile JKN belongs to a facility that is not configured");
    }
    found
}

/// A header that stands once, in plain letters.
fn header_long<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim).filter(|text| !text.is_empty()),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    header_long(headers, name).filter(|text| text.len() <= LONGEST)
}

/// Where a request came from.
pub(super) fn peer(request: &Request) -> IpAddr {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |info| info.0.ip())
}

/// One caller has a whole /64 of IPv6.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
