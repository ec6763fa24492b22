//! Scripted faults, as data.
//!
//! Job: say which request meets which misfortune, from a script file, the control plane or a test. Invariants: under
//! one seed the same requests meet the same faults; a fault touches only what its `on` names. Neighbours: `face`
//! carries them out. What it does not do: switches for unknown behaviour (`rules`).

use serde::{Deserialize, Serialize};

use super::DownMode;
use super::rules::Rules;
use super::services;
use super::world::people::mix;
use crate::catalogue::Service;

/// What goes wrong. *lands*: whether the operation is done all the same (`Fault::lands` overrides).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Does it, then holds the connection for `ms` (60 s) and drops it. Lands.
    LandThenTimeout,
    /// Holds the connection for `ms` (60 s) and drops it.
    TimeoutBeforeLand,
    /// Does it and answers, but reads hide it for `ms`. Lands.
    DelayedVisibility,
    /// HTTP 500 with the application server's HTML page.
    #[serde(rename = "html_500")]
    Html500,
    /// HTTP 503 with a gateway's HTML page.
    #[serde(rename = "html_503")]
    Html503,
    /// HTTP 200 with a maintenance page.
    #[serde(rename = "html_200")]
    Html200,
    /// HTTP 200 without a body. Lands.
    EmptyBody,
    /// The sealed answer is cut in the middle. Lands.
    TruncatedBase64,
    /// The answer is sealed with the timestamp one second later. Lands.
    WrongTimestampSeal,
    /// 401, the registration's duplicate text.
    UnauthorizedDuplicate,
    /// 401, screening is missing.
    UnauthorizedScreening,
    /// 401, username or password.
    UnauthorizedCredentials,
    /// 404, not registered for this service.
    #[serde(rename = "not_registered_404")]
    NotRegistered404,
    /// 412 with one object.
    PreconditionObject,
    /// 412 with an array.
    PreconditionArray,
    /// 424.
    #[serde(rename = "failed_dependency_424")]
    FailedDependency424,
    /// 428, the referral was used.
    #[serde(rename = "locked_428")]
    Locked428,
    /// 500, the .NET null.
    #[serde(rename = "null_reference_500")]
    NullReference500,
    /// TCP reset before anything is done.
    Reset,
    /// Does it, then TCP reset. Lands.
    LandThenReset,
    /// Does it at once, answers `ms` later. Lands.
    Slow,
    /// The service's clock is `seconds` off for this request. Lands unless that is too far.
    Skew,
    /// The answer is JSON text inside JSON text. Lands.
    DoubleEncoded,
    /// Names in the answer end with `\r\n`. Lands.
    CrlfNames,
    /// Created ids come as an object where an array is usual and the other way round. Lands.
    ObjectForArray,
    /// `metaData.code` as text. Lands.
    CodeAsText,
    /// HTTP 204 without a body.
    #[serde(rename = "no_content_204_empty")]
    NoContent204Empty,
}

impl Kind {
    /// Every kind, for lists and tests.
    pub const ALL: [Self; 27] = [
        Self::LandThenTimeout,
        Self::TimeoutBeforeLand,
        Self::DelayedVisibility,
        Self::Html500,
        Self::Html503,
        Self::Html200,
        Self::EmptyBody,
        Self::TruncatedBase64,
        Self::WrongTimestampSeal,
        Self::UnauthorizedDuplicate,
        Self::UnauthorizedScreening,
        Self::UnauthorizedCredentials,
        Self::NotRegistered404,
        Self::PreconditionObject,
        Self::PreconditionArray,
        Self::FailedDependency424,
        Self::Locked428,
        Self::NullReference500,
        Self::Reset,
        Self::LandThenReset,
        Self::Slow,
        Self::Skew,
        Self::DoubleEncoded,
        Self::CrlfNames,
        Self::ObjectForArray,
        Self::CodeAsText,
        Self::NoContent204Empty,
    ];

    /// Whether the operation is done although the answer is spoilt.
    #[must_use]
    pub const fn lands(self) -> bool {
        match self {
            Self::LandThenTimeout
            | Self::DelayedVisibility
            | Self::EmptyBody
            | Self::TruncatedBase64
            | Self::WrongTimestampSeal
            | Self::LandThenReset
            | Self::Slow
            | Self::Skew
            | Self::DoubleEncoded
            | Self::CrlfNames
            | Self::ObjectForArray
            | Self::CodeAsText => true,
            Self::TimeoutBeforeLand
            | Self::Html500
            | Self::Html503
            | Self::Html200
            | Self::UnauthorizedDuplicate
            | Self::UnauthorizedScreening
            | Self::UnauthorizedCredentials
            | Self::NotRegistered404
            | Self::PreconditionObject
            | Self::PreconditionArray
            | Self::FailedDependency424
            | Self::Locked428
            | Self::NullReference500
            | Self::Reset
            | Self::NoContent204Empty => false,
        }
    }

    const fn needs_ms(self) -> bool {
        matches!(self, Self::DelayedVisibility | Self::Slow)
    }
}

/// One scripted fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests: `*`, `read`, `write`; an operation or its beginning (`vclaim`, `pcare.obat.add`); or a
    /// method and the beginning of a path (`POST kunjungan/v1`, `GET pendaftaran/noUrut/{any}`), `*` for any method.
    pub on: String,
    /// What goes wrong.
    pub kind: Kind,
    /// Milliseconds, for the kinds that wait or hide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// Seconds the clock is off, for `skew`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Overrides whether the operation is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lands: Option<bool>,
    /// Only requests that name this card, in path or body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// Leaves the first so many matching requests alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u64,
    /// Strikes at most so often; none: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Strikes only the n-th matching request, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Chance per matching request, 0 to 1; none: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Fault {
    /// A fault that strikes every request `on` names.
    #[must_use]
    pub fn new(on: &str, kind: Kind) -> Self {
        Self {
            on: on.to_owned(),
            kind,
            ms: None,
            seconds: None,
            lands: None,
            card: None,
            skip: 0,
            count: None,
            nth: None,
            probability: None,
        }
    }

    /// The same, at most `count` times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// The same, waiting or hiding for `ms` milliseconds.
    #[must_use]
    pub fn lasting(mut self, ms: u64) -> Self {
        self.ms = Some(ms);
        self
    }

    /// Whether the operation is done when this fault strikes.
    #[must_use]
    pub fn operation_lands(&self) -> bool {
        self.lands.unwrap_or_else(|| self.kind.lands())
    }

    /// Says what is wrong with the fault as written.
    ///
    /// # Errors
    /// A sentence naming the field.
    pub fn check(&self) -> Result<(), String> {
        self.check_with(&[])
    }

    /// The same, where `extra` operations exist besides those that are played.
    ///
    /// # Errors
    /// A sentence naming the field.
    pub fn check_with(&self, extra: &[&str]) -> Result<(), String> {
        if self.kind.needs_ms() && self.ms.is_none() {
            return Err(format!("fault on {:?}: this kind needs `ms`", self.on));
        }
        if self.kind == Kind::Skew && self.seconds.is_none() {
            return Err(format!("fault on {:?}: skew needs `seconds`", self.on));
        }
        if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err(format!("fault on {:?}: `probability` is between 0 and 1", self.on));
        }
        if self.names_something(extra) {
            Ok(())
        } else {
            Err(format!("fault on {:?}: no operation is named so", self.on))
        }
    }

    /// Whether `on` can match any request at all: a misspelt fault would never strike and never be missed.
    fn names_something(&self, extra: &[&str]) -> bool {
        match self.on.trim() {
            "*" | "read" | "write" => true,
            on => match on.split_once(' ') {
                Some((method, _)) => {
                    method == "*" || services::all().any(|route| route.method.eq_ignore_ascii_case(method))
                }
                None => {
                    let played = services::all().any(|route| operation_matches(on, route.name));
                    played || extra.iter().any(|name| operation_matches(on, name))
                }
            },
        }
    }

    fn matches(&self, request: &Seen<'_>) -> bool {
        let named = match self.on.trim() {
            "*" => true,
            "read" => !request.write,
            "write" => request.write,
            on => match on.split_once(' ') {
                Some((method, path)) => route_matches(method, path.trim(), request),
                None => operation_matches(on, request.operation),
            },
        };
        named && self.card.as_deref().is_none_or(|card| request.path.contains(card) || request.body.contains(card))
    }
}

fn operation_matches(on: &str, operation: &str) -> bool {
    operation.strip_prefix(on).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn route_matches(method: &str, path: &str, request: &Seen<'_>) -> bool {
    let whole = if path.starts_with('/') { request.full_path } else { request.path };
    let mut there = whole.trim_matches('/').split('/');
    let fits = |wanted: &str| {
        there.next().is_some_and(|segment| wanted.starts_with('{') || wanted.eq_ignore_ascii_case(segment))
    };
    (method == "*" || method.eq_ignore_ascii_case(request.method)) && path.trim_matches('/').split('/').all(fits)
}

/// What a fault can see of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a str,
    pub(crate) operation: &'a str,
    /// Whether it changes something.
    pub(crate) write: bool,
    /// Path below the service.
    pub(crate) path: &'a str,
    /// Path as requested.
    pub(crate) full_path: &'a str,
    pub(crate) body: &'a str,
}

/// The faults in force, with their counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    draws: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    fault: Fault,
    met: u64,
    struck: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64, faults: Vec<Fault>) -> Self {
        let mut new = Self { draws: seed, entries: Vec::new() };
        new.add(faults);
        new
    }

    pub(crate) fn add(&mut self, faults: Vec<Fault>) {
        self.entries.extend(faults.into_iter().map(|fault| Entry { fault, met: 0, struck: 0 }));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The faults with how often each was met and struck.
    pub(crate) fn list(&self) -> Vec<(&Fault, u64, u64)> {
        self.entries.iter().map(|entry| (&entry.fault, entry.met, entry.struck)).collect()
    }

    /// The first fault that strikes this request.
    pub(crate) fn strike(&mut self, request: &Seen<'_>) -> Option<Fault> {
        let Self { draws, entries } = self;
        entries.iter_mut().filter(|entry| entry.fault.matches(request)).find_map(|entry| entry.strike(draws))
    }
}

impl Entry {
    fn strike(&mut self, draws: &mut u64) -> Option<Fault> {
        self.met += 1;
        let fault = &self.fault;
        let due = self.met > fault.skip
            && fault.nth.is_none_or(|nth| nth == self.met)
            && fault.count.is_none_or(|count| self.struck < count);
        if !due {
            return None;
        }
        if let Some(chance) = fault.probability {
            *draws = draws.wrapping_add(1);
            if draw(mix(mix(*draws))) >= chance {
                return None;
            }
        }
        self.struck += 1;
        Some(fault.clone())
    }
}

/// A number from 0 up to 1 out of a well-mixed one.
fn draw(mixed: u64) -> f64 {
    let upper = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}

/// An outage of all services, or of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// How the services are out.
    pub mode: DownMode,
    /// Milliseconds until it ends by itself; none: until somebody ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// The service that is out; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "service_word")]
    pub service: Option<Service>,
}

#[expect(clippy::ref_option, reason = "serde's serialize_with hands a reference")]
fn service_word<S: serde::Serializer>(service: &Option<Service>, serializer: S) -> Result<S::Ok, S::Error> {
    service.map(Service::word).serialize(serializer)
}

/// A script file: switches, faults and how the services begin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Whether every login is refused to begin with.
    pub refuse_credentials: bool,
    /// The outage the services begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down: Option<Outage>,
    /// The switches; absent ones keep their default.
    pub rules: Rules,
    /// The faults, in order of precedence.
    pub fault: Vec<Fault>,
}

impl Script {
    /// Reads a script in TOML or, if it begins with `{`, in JSON.
    ///
    /// # Errors
    /// A sentence saying what cannot be read, for the person who wrote the file.
    pub fn read(text: &str) -> Result<Self, String> {
        Self::read_with(text, &[])
    }

    /// The same, where `extra` operations exist besides those that are played.
    ///
    /// # Errors
    /// A sentence saying what cannot be read, for the person who wrote the file.
    pub fn read_with(text: &str, extra: &[&str]) -> Result<Self, String> {
        let json = text.trim_start().starts_with('{');
        let script: Self = if json {
            serde_json::from_str(text).map_err(|error| error.to_string())?
        } else {
            toml::from_str(text).map_err(|error| error.to_string())?
        };
        script.fault.iter().try_for_each(|fault| fault.check_with(extra))?;
        Ok(script)
    }
}

#[cfg(test)]
mod tests;
