//! One call: sign, send, open, judge.
//!
//! Job: turn an operation and a filled payload into one signed request and its answer into one [`Attempted`]. Invariants:
//! the caller's one stamp is in the header, in the signature and in the key of the response; nothing is sent twice;
//! nothing of a URL, payload or credential reaches a log. Neighbours: `push` sends, `reconcile` reads, `vault` gives the
//! credentials at each call, [`super::classify`] judges. What it does not do: choose what to send, wait for the circuit.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use zeroize::Zeroizing;

use super::classify::{self, Heard, Opener};
use super::limits::Bucket;
use super::transport::{Layer, Reply, Request, Transport, TransportError};
use crate::catalogue::{Catalogue, Dialect, Operation, Service, at, render_path};
use crate::clock::Clock;
use crate::config::{Facility, PCARE_APP_CODE, RemoteConfig, ServiceConfig};
use crate::protocol::seal::Limits;
use crate::protocol::sign::{self, Stamp};
use crate::queue::{Outcome, Suspicion};
use crate::secret::{ConsId, Private, SecretKey, UserKey};
use crate::vault::{PcareCredentials, ServiceCredentials, Signing, Vault, VaultError};

/// A cheap handle on the way out; all clones share limits and connections.
#[derive(Clone)]
pub struct Remote(pub(super) Arc<Inner>);

pub(super) struct Inner {
    routes: BTreeMap<(String, Service), ServiceConfig>,
    pub(super) catalogue: Arc<Catalogue>,
    vault: Vault,
    pub(super) clock: Clock,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) timeout: Duration,
    zone: TimeZone,
    rate: Option<f64>,
    burst: u32,
    limits: Mutex<BTreeMap<(String, Service), Bucket>>,
    /// The part of each facility's rate that is this process's, where it is not the whole, and when it last grew.
    shares: Mutex<BTreeMap<String, (f64, Option<Timestamp>)>>,
    skew: Mutex<Option<i64>>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("routes", &self.0.routes.len()).finish_non_exhaustive()
    }
}

/// What one attempt says about the service, for the circuit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// The service answered in its envelope.
    Alive,
    /// No answer, or not the service's.
    Failing,
    /// Nothing was tried: configuration or credentials are missing here.
    Nothing,
}

impl Evidence {
    /// What an outcome says. Failing before the network begins (`local`) is nobody's fault but ours.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let nothing = matches!(outcome, Outcome::NotSent { why } if why == Layer::Local.word());
        let unknown_address = matches!(outcome, Outcome::NotAuthorised(no, _) if no.rule == classify::UNKNOWN_ADDRESS);
        if nothing {
            Self::Nothing
        } else if !unknown_address && outcome.shows_service_alive() {
            Self::Alive
        } else {
            Self::Failing
        }
    }
}

/// One attempt, ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempted {
    /// How; holds the ids that BPJS assigned.
    pub outcome: Outcome,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// `metaData.code`, if there was an envelope.
    pub code: Option<i64>,
    /// BPJS's `message` and `response` as opened, if there was an envelope: `{"message", "response", "sealed"}`, where
    /// `response` is left out if it was missing.
    pub answer: Option<Private<Value>>,
    /// Version of the credentials it was signed with; 0 if they are missing.
    pub credential_version: u64,
    /// This machine's clock minus BPJS's `Date`, seconds; positive: ours is ahead.
    pub skew_seconds: Option<i64>,
    /// From before the request to the end of the answer, on the given clock.
    pub took: Duration,
    /// What it says about the service. An attempt that ended before the network says nothing.
    pub evidence: Evidence,
}

/// Why nothing can be sent from here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Unready {
    /// The facility has no such service in the configuration.
    NotConfigured,
    /// The vault lacks something; the names of what.
    NoCredentials(String),
    /// A placeholder of the path is open, or its value would change the path's shape.
    Path(String),
}

/// The credentials of one call, whatever the service.
pub(super) struct Keys {
    cons_id: ConsId,
    secret_key: SecretKey,
    user_key: Option<UserKey>,
    authorization: Option<Zeroizing<String>>,
    pub(super) version: u64,
}

impl Keys {
    pub(super) const fn opener(&self, stamp: Stamp) -> Opener<'_> {
        Opener { cons_id: &self.cons_id, secret_key: &self.secret_key, stamp }
    }

    fn headers(&self, stamp: Stamp, content_type: &str) -> Vec<(&'static str, Private<String>)> {
        let private = |text: &str| Private::new(text.to_owned());
        let mut headers = vec![
            ("X-cons-id", private(self.cons_id.expose())),
            ("X-timestamp", Private::new(stamp.to_string())),
            ("X-signature", Private::new(sign::signature(&self.cons_id, &self.secret_key, stamp))),
        ];
        if let Some(authorization) = &self.authorization {
            headers.push(("X-authorization", private(authorization)));
        }
        if let Some(user_key) = &self.user_key {
            headers.push(("user_key", private(user_key.expose())));
        }
        headers.push(("Accept", private("application/json")));
        headers.push(("Content-Type", private(content_type)));
        headers
    }
}

/// A call ready to go.
pub(super) struct Call<'a> {
    pub(super) facility: &'a str,
    pub(super) operation: &'a Operation,
    /// Below the base URL, rendered.
    pub(super) path: &'a str,
    /// Content type and text.
    pub(super) body: Option<(&'a str, String)>,
    pub(super) stamp: Stamp,
    pub(super) timeout: Duration,
}

/// A call that went out, and what came back.
pub(super) struct Exchange {
    pub(super) heard: Result<Heard, TransportError>,
    pub(super) version: u64,
    pub(super) skew_seconds: Option<i64>,
    pub(super) took: Duration,
}

impl Exchange {
    pub(super) fn status(&self) -> Option<u16> {
        match &self.heard {
            Ok(Heard::Envelope(said)) => Some(said.status),
            Ok(Heard::Other { status, .. }) => Some(*status),
            Err(_) => None,
        }
    }

    pub(super) fn code(&self) -> Option<i64> {
        match &self.heard {
            Ok(Heard::Envelope(said)) => Some(said.code),
            Ok(Heard::Other { .. }) | Err(_) => None,
        }
    }
}

impl Remote {
    /// A way out for these facilities. `transport` is the network, or a simulation of it.
    #[must_use]
    pub fn new(
        config: &RemoteConfig,
        facilities: &[Facility],
        catalogue: Arc<Catalogue>,
        vault: Vault,
        clock: Clock,
        transport: Arc<dyn Transport>,
    ) -> Self {
        let mut routes = BTreeMap::new();
        for facility in facilities {
            for service in Service::ALL {
                if let Some(route) = route(facility, *service) {
                    routes.insert((facility.code.clone(), *service), route.clone());
                }
            }
        }
        Self(Arc::new(Inner {
            routes,
            catalogue,
            vault,
            clock,
            transport,
            timeout: config.request_timeout,
            zone: config.timezone.clone(),
            rate: config.rate_per_second,
            burst: u32::try_from(config.concurrency).unwrap_or(u32::MAX),
            limits: Mutex::default(),
            shares: Mutex::default(),
            skew: Mutex::default(),
        }))
    }

    /// Whether the facility has this service configured.
    #[must_use]
    pub fn serves(&self, facility: &str, service: Service) -> bool {
        self.0.routes.contains_key(&(facility.to_owned(), service))
    }

    /// Version of the credentials that the next call would be signed with; 0 if they are missing.
    #[must_use]
    pub fn credential_version(&self, facility: &str, service: Service) -> u64 {
        let route = self.0.routes.get(&(facility.to_owned(), service));
        let dialect = self.0.catalogue.dialect(service);
        let keys = route.zip(dialect).and_then(|(route, dialect)| self.0.keys(facility, dialect, route).ok());
        keys.map_or(0, |keys| keys.version)
    }

    /// Takes one call from the facility's and service's rate without waiting. Ask before the stamp is taken and before
    /// the intention is recorded.
    ///
    /// # Errors
    /// When the next call may begin.
    pub fn try_admit(&self, facility: &str, service: Service) -> Result<(), Timestamp> {
        self.0.with_bucket(facility, service, |bucket, now| bucket.take(now))
    }

    /// Gives calls back that were admitted and not made.
    pub fn give_back(&self, facility: &str, service: Service, calls: usize) {
        self.0.with_bucket(facility, service, |bucket, now| (0..calls).for_each(|_| bucket.give_back(now)));
    }

    /// From now on this process uses `part` (0 to 1) of the facility's rate: other nodes that share the database use the
    /// rest. Where it grew, another used it until now: a second passes first (at less than one call a second one call's time),
    /// so that both together stay within the rate.
    pub fn share(&self, facility: &str, part: f64) {
        self.0.share(facility, part);
    }

    /// Takes one call from the rate, waiting on the clock if need be. [`Remote::send`] does not do it by itself, because
    /// waiting after the stamp was taken would let it go stale.
    pub async fn admit(&self, facility: &str, service: Service) {
        while let Err(free_at) = self.try_admit(facility, service) {
            let wait = Duration::try_from(free_at.duration_since(self.0.clock.now()));
            self.0.clock.sleep(wait.unwrap_or_default()).await;
        }
    }

    /// The day it is at BPJS now.
    #[must_use]
    pub fn bpjs_day(&self) -> Date {
        self.0.clock.now().to_zoned(self.0.zone.clone()).date()
    }

    /// The last known difference between this machine's clock and BPJS's, seconds; positive: ours is ahead.
    #[must_use]
    pub fn last_skew_seconds(&self) -> Option<i64> {
        *self.0.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one attempt of `operation`, once. `payload` is filled already; `stamp` is the one stored with the attempt.
    pub async fn send(&self, facility: &str, operation: &Operation, payload: &Value, stamp: Stamp) -> Attempted {
        let path = match rendered(operation, |name| field_text(payload, name)) {
            Ok(path) => path,
            Err(unready) => return unsent(&unready),
        };
        let body = operation.content_type.as_deref().map(|kind| (kind, operation.wire(payload.clone()).to_string()));
        let call = Call { facility, operation, path: &path, body, stamp, timeout: self.0.timeout };
        match self.0.call(call).await {
            Ok(exchange) => self.judged(operation, &exchange),
            Err(unready) => unsent(&unready),
        }
    }

    fn judged(&self, operation: &Operation, exchange: &Exchange) -> Attempted {
        let outcome = classify::outcome(&self.0.catalogue, operation, &exchange.heard, exchange.took);
        tracing::debug!(
            operation = %operation.name,
            outcome = outcome.word(),
            status = exchange.status(),
            code = exchange.code(),
            took_ms = u64::try_from(exchange.took.as_millis()).unwrap_or(u64::MAX),
            "attempt ended"
        );
        Attempted {
            evidence: Evidence::of(&outcome),
            outcome,
            status: exchange.status(),
            code: exchange.code(),
            answer: super::pass::kept(&exchange.heard),
            credential_version: exchange.version,
            skew_seconds: exchange.skew_seconds,
            took: exchange.took,
        }
    }
}

impl Inner {
    /// Rate and burst of a part of the whole.
    fn part(&self, part: f64) -> (f64, u32) {
        let part = part.clamp(0.0, 1.0);
        // At least one call at a time: the rate says how often.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a u32, not negative")]
        let burst = (f64::from(self.burst) * part).floor() as u32;
        (self.rate.unwrap_or_default() * part, burst.max(1))
    }

    fn share(&self, facility: &str, part: f64) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shares.get(facility).map_or(1.0, |(before, _)| *before);
        if (before - part).abs() < f64::EPSILON {
            return;
        }
        let grew = (part > before).then(|| self.clock.now());
        shares.insert(facility.to_owned(), (part, grew));
        drop(shares);
        let (rate, burst) = self.part(part);
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, bucket) in limits.iter_mut().filter(|((of, _), _)| of == facility) {
            let known = bucket.at_rate(rate, burst);
            *bucket = if let Some(now) = grew { known.spent(now) } else { known };
        }
    }

    pub(super) fn with_bucket<T>(
        &self,
        facility: &str,
        service: Service,
        act: impl FnOnce(&mut Bucket, Timestamp) -> T,
    ) -> T {
        let now = self.clock.now();
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            let shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
            let (part, grew) = shares.get(facility).copied().unwrap_or((1.0, None));
            let (rate, burst) = self.part(part);
            let full = Bucket::new(rate, burst);
            if let Some(then) = grew { full.spent(then) } else { full }
        };
        act(limits.entry((facility.to_owned(), service)).or_insert_with(fresh), now)
    }

    pub(super) fn base_url(&self, facility: &str, service: Service) -> Option<&str> {
        self.routes.get(&(facility.to_owned(), service)).map(|route| route.base_url.as_str())
    }

    /// Signs, sends and reads one call.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Exchange, Unready> {
        let (operation, dialect) = (call.operation, call.operation.dialect());
        let route = self.routes.get(&(call.facility.to_owned(), operation.service)).ok_or(Unready::NotConfigured)?;
        let keys = self.keys(call.facility, dialect, route).map_err(|missing| match missing {
            VaultError::Missing { names, .. } => Unready::NoCredentials(names.join(", ")),
            other => Unready::NoCredentials(other.to_string()),
        })?;
        let (content_type, body) = match call.body {
            Some((content_type, text)) => (content_type, Some(Private::new(text))),
            None => (dialect.bare_type.as_str(), None),
        };
        let request = Request {
            method: operation.method,
            url: Private::new(format!("{}/{}", route.base_url, call.path)),
            headers: keys.headers(call.stamp, content_type),
            body,
            timeout: call.timeout,
        };
        let begun = self.clock.now();
        let reply = self.transport.send(request).await;
        let ended = self.clock.now();
        let skew_seconds = reply.as_ref().ok().and_then(|reply| self.note_skew(reply, begun, ended));
        let opener = keys.opener(call.stamp);
        let heard = reply.map(|reply| classify::hear(dialect, &reply, opener, &Limits::default(), ended));
        // A wall clock set back in between must not give a negative time.
        let took = Duration::try_from(ended.duration_since(begun)).unwrap_or_default();
        Ok(Exchange { heard, version: keys.version, skew_seconds, took })
    }

    /// The `Date` was written between sending and receiving: within that span there is no difference to speak of.
    pub(super) fn note_skew(&self, reply: &Reply, begun: Timestamp, ended: Timestamp) -> Option<i64> {
        let theirs = reply.date?.as_second();
        let (first, last) = (begun.as_second(), ended.as_second().max(begun.as_second()));
        let skew = if theirs < first { first - theirs } else { last.min(theirs) - theirs };
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
        Some(skew)
    }

    /// What the dialect asks for. Asked at every call: a new password works at once.
    fn keys(&self, facility: &str, dialect: &Dialect, route: &ServiceConfig) -> Result<Keys, VaultError> {
        let mut keys = match dialect.user_key {
            Some(Service::Pcare) => {
                let PcareCredentials { cons_id, secret_key, user_key, version, .. } = self.vault.pcare(facility)?;
                Keys { cons_id, secret_key, user_key: Some(user_key), authorization: None, version }
            }
            Some(Service::Vclaim) => self.vault.vclaim(facility)?.into(),
            Some(Service::AntreanFktp) => self.vault.antrean_fktp(facility)?.into(),
            Some(Service::Icare) => self.vault.icare(facility)?.into(),
            None => {
                let Signing { cons_id, secret_key, version } = self.vault.signing(facility)?;
                Keys { cons_id, secret_key, user_key: None, authorization: None, version }
            }
        };
        if dialect.authorization {
            let login = self.vault.pcare(facility)?;
            let app_code = route.app_code.as_deref().unwrap_or(PCARE_APP_CODE);
            keys.authorization = Some(sign::authorization(&login.username, &login.password, app_code));
            keys.version = keys.version.max(login.version);
        }
        Ok(keys)
    }
}

impl From<ServiceCredentials> for Keys {
    fn from(set: ServiceCredentials) -> Self {
        let ServiceCredentials { cons_id, secret_key, user_key, version } = set;
        Self { cons_id, secret_key, user_key: Some(user_key), authorization: None, version }
    }
}

const fn route(facility: &Facility, service: Service) -> Option<&ServiceConfig> {
    match service {
        Service::Pcare => facility.pcare.as_ref(),
        Service::Vclaim => facility.vclaim.as_ref(),
        Service::AntreanFktp => facility.antrean_fktp.as_ref(),
        Service::Icare => facility.icare.as_ref(),
    }
}

/// The operation's path with its placeholders filled.
pub(super) fn rendered(operation: &Operation, value_of: impl Fn(&str) -> Option<String>) -> Result<String, Unready> {
    let path = render_path(&operation.path, value_of).map_err(|open| Unready::Path(open.field))?;
    if keeps_its_shape(&path) { Ok(path) } else { Err(Unready::Path("path".to_owned())) }
}

/// Whether a URL parser leaves the path as it is: `.` and `..` (also as `%2e`) are steps up and down to it, `\` is a
/// slash, `#` an end, and control characters vanish. Any of them would call something else.
pub(super) fn keeps_its_shape(path: &str) -> bool {
    let before_query = path.split('?').next().unwrap_or_default();
    let climbs = before_query.split('/').any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        matches!(plain.as_str(), "." | "..")
    });
    !climbs && !path.contains(['\\', '#']) && !path.contains(|c: char| c.is_control() || c == ' ')
}

fn field_text(payload: &Value, name: &str) -> Option<String> {
    match at(payload, name)? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An attempt that ended before the network.
fn unsent(unready: &Unready) -> Attempted {
    let outcome = match unready {
        Unready::NotConfigured => Outcome::NotSent { why: "config".to_owned() },
        Unready::NoCredentials(names) => {
            let refusal = classify::own_refusal(
                "vault",
                names.clone(),
                "Kredensial faskes ini belum lengkap di vault jembatan.",
                "Isi yang kurang dengan 'jembatan vault put'; pengiriman berlanjut dengan sendirinya.",
            );
            Outcome::NotAuthorised(refusal, Suspicion::Credentials)
        }
        Unready::Path(field) => Outcome::Refused(classify::own_refusal(
            "path",
            field.clone(),
            "Isian yang menjadi bagian alamat layanan kosong atau tidak sah.",
            "Perbaiki isian itu, lalu 'amend'.",
        )),
    };
    Attempted {
        outcome,
        status: None,
        code: None,
        answer: None,
        credential_version: 0,
        skew_seconds: None,
        took: Duration::ZERO,
        evidence: Evidence::Nothing,
    }
}

#[cfg(test)]
mod tests;
