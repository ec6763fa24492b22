//! What an answer means: from one reply, or its absence, to one outcome.
//!
//! Job: read the envelope, open its response, apply the service's idea of success and the catalogue's answer table.
//! Pure. Invariants: a code is compared as a number, never searched in a text; 201 means success in P-Care only; an end
//! that leaves doubt about a write is never *not sent*, *refused* or *accepted*. Neighbours: [`super::client`] calls;
//! `catalogue` has the tables. What it does not do: network, credentials, deciding what to do next (`queue`).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::transport::{Reply, TransportError};
use crate::catalogue::{Answer, AnswerClass, Catalogue, Kind, Operation, Refusal, RemoteIds, Service, Who};
use crate::protocol::envelope::{self, Body, Envelope, NotAnEnvelope};
use crate::protocol::seal::{Limits, Unreadable};
use crate::protocol::sign::Stamp;
use crate::queue::{Outcome, Suspicion};
use crate::secret::{ConsId, Private, SecretKey};

/// BPJS's words are kept up to this many bytes.
const MAX_TEXT: usize = 8 * 1024;

/// Which codes a service means as success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// P-Care: 200 and 201 (created).
    Pcare,
    /// V-Claim and i-Care: 200. V-Claim's 201 is an error; i-Care is assumed to be alike.
    Plain,
    /// Antrean: 200, and 1 on references; 201 is an error.
    Antrean,
}

impl Dialect {
    /// The dialect of a service.
    #[must_use]
    pub const fn of(service: Service) -> Self {
        match service {
            Service::Pcare => Self::Pcare,
            Service::Vclaim | Service::Icare => Self::Plain,
            Service::AntreanFktp => Self::Antrean,
        }
    }

    /// Whether `metaData.code` says success.
    #[must_use]
    pub const fn is_success(self, code: i64) -> bool {
        match self {
            Self::Pcare => matches!(code, 200 | 201),
            Self::Plain => code == 200,
            Self::Antrean => matches!(code, 200 | 1),
        }
    }
}

/// What opens the response of one request.
#[derive(Clone, Copy, Debug)]
pub struct Opener<'a> {
    /// Who asked.
    pub cons_id: &'a ConsId,
    /// Under which secret.
    pub secret_key: &'a SecretKey,
    /// With which stamp.
    pub stamp: Stamp,
}

/// What was asked, as far as the answer table looks at it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    service: Service,
    kind: Kind,
    operation: &'a str,
}

impl<'a> Asked<'a> {
    fn of(operation: &'a Operation) -> Self {
        Self { service: operation.service, kind: operation.kind, operation: &operation.name }
    }

    fn rule<'c>(self, catalogue: &'c Catalogue, code: i64, text: &str) -> Option<&'c Answer> {
        catalogue.answer_to(self.service, self.kind, self.operation, code, text)
    }
}

/// A reply, read.
#[derive(Clone, PartialEq, Debug)]
pub enum Heard {
    /// The service spoke.
    Envelope(Box<Said>),
    /// Something else spoke, or the service without its envelope.
    Other {
        /// HTTP status.
        status: u16,
        /// What the body was instead.
        what: NotAnEnvelope,
        /// When to come back, if it said so.
        until: Option<Timestamp>,
    },
}

/// What the service said.
#[derive(Clone, PartialEq, Debug)]
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// `metaData.code`.
    pub code: i64,
    /// `metaData.message`, word for word.
    pub message: Private<String>,
    /// Whether status and code both say success.
    pub success: bool,
    /// The response in the clear.
    pub response: Private<Result<Value, Unreadable>>,
    /// The response as it stood.
    pub raw: Private<Body>,
    /// When to come back, if it said so.
    pub until: Option<Timestamp>,
}

/// Reads a reply; `now` is when it came.
#[must_use]
pub fn hear(service: Service, reply: &Reply, opener: Opener<'_>, limits: &Limits, now: Timestamp) -> Heard {
    let status = reply.status;
    let until = reply.retry_after.and_then(|wait| now.checked_add(wait).ok());
    match envelope::read(status, reply.body.expose(), limits) {
        Err(what) => Heard::Other { status, what, until },
        Ok(envelope) => {
            let success = (200..300).contains(&status) && Dialect::of(service).is_success(envelope.code);
            let response = Private::new(open(&envelope, success, opener, limits));
            let (code, message, raw) = (envelope.code, Private::new(envelope.message), Private::new(envelope.response));
            Heard::Envelope(Box::new(Said { status, code, message, success, response, raw, until }))
        }
    }
}

fn open(envelope: &Envelope, success: bool, with: Opener<'_>, limits: &Limits) -> Result<Value, Unreadable> {
    if success {
        envelope.open_response(with.cons_id, with.secret_key, with.stamp, limits)
    } else {
        envelope.response_or_text(with.cons_id, with.secret_key, with.stamp, limits)
    }
}

/// How one attempt of `operation`, which took so long, ended.
#[must_use]
pub fn outcome(
    catalogue: &Catalogue,
    operation: &Operation,
    heard: &Result<Heard, TransportError>,
    took: Duration,
) -> Outcome {
    match heard {
        Err(error) => of_transport(error, took),
        Ok(Heard::Other { status, what, until }) => of_other(catalogue, Asked::of(operation), *status, *what, *until),
        Ok(Heard::Envelope(said)) if said.success => of_success(operation, said),
        Ok(Heard::Envelope(said)) => of_failure(catalogue, operation, said),
    }
}

fn of_transport(error: &TransportError, took: Duration) -> Outcome {
    match error {
        TransportError::NotSent { layer, .. } => Outcome::NotSent { why: layer.word().to_owned() },
        TransportError::NoAnswer { after } => Outcome::NoAnswer { after: *after },
        // A lost connection tells as little as silence.
        TransportError::Broken { .. } => Outcome::NoAnswer { after: took },
        TransportError::TooLarge => unreadable("the answer is larger than allowed"),
    }
}

fn unreadable(why: &str) -> Outcome {
    Outcome::Unreadable { why: why.to_owned() }
}

/// No envelope. A status of 500 and more is an outage; 429 means the same whoever says it; 401 and 403 in JSON come from
/// the gateway before the service; the rest may have landed.
fn of_other(
    catalogue: &Catalogue,
    asked: Asked<'_>,
    status: u16,
    what: NotAnEnvelope,
    until: Option<Timestamp>,
) -> Outcome {
    match (status, what) {
        (429, _) => Outcome::RateLimited { until },
        (401 | 403, NotAnEnvelope::NoMetaData) => judged(catalogue, asked, &[i64::from(status)], String::new(), until),
        (500.., _) => Outcome::Unavailable { status },
        (_, what) => unreadable(&format!("HTTP {status}: {what}")),
    }
}

fn of_success(operation: &Operation, said: &Said) -> Outcome {
    let value = match (said.response.expose(), operation.gives.first()) {
        (Ok(value), _) => value,
        (Err(fault), _) if !operation.is_write() => return unreadable(&fault.to_string()),
        // The code says that it is done; without ids to learn, nothing is missing.
        (Err(_), None) => &Value::Null,
        (Err(fault), Some(_)) => return Outcome::AcceptedUnread { why: fault.to_string() },
    };
    let mut ids = ids_in(operation, value);
    ids.extend(operation.ids_in(value));
    match operation.gives.first() {
        Some(first) if !ids.contains_key(first) => Outcome::AcceptedUnread { why: format!("no {first} in the answer") },
        Some(_) | None => Outcome::Accepted(Private::new(ids)),
    }
}

/// The ids in `{field, message}` or a list of them (wire facts §3.5), under the catalogue's spelling.
fn ids_in(operation: &Operation, value: &Value) -> RemoteIds {
    let known = || operation.gives.iter().chain(&operation.gives_also);
    let mut ids = RemoteIds::new();
    for (field, message) in fields_of(value) {
        let name = known().find(|name| name.eq_ignore_ascii_case(field));
        if let (Some(name), Some(id)) = (name, id_text(message)) {
            ids.entry(name.clone()).or_insert(id);
        }
    }
    ids
}

fn id_text(message: &Value) -> Option<String> {
    match message {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Every `{field, message}` in an object or a list.
fn fields_of(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let rows = match value {
        Value::Array(rows) => rows.as_slice(),
        Value::Object(_) => std::slice::from_ref(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => &[],
    };
    rows.iter().filter_map(|row| Some((row.get("field")?.as_str()?, row.get("message")?)))
}

fn of_failure(catalogue: &Catalogue, operation: &Operation, said: &Said) -> Outcome {
    let http_success = (200..300).contains(&said.status);
    if Dialect::of(operation.service).is_success(said.code) {
        // An envelope that says yes under a status that says no: only a look-up can tell.
        return unreadable(&format!("HTTP {} with code {}", said.status, said.code));
    }
    let status = i64::from(said.status);
    let codes = [said.code, status];
    let codes = if http_success || said.code == status { &codes[..1] } else { &codes[..] };
    judged(catalogue, Asked::of(operation), codes, text_of(said), said.until)
}

/// The words of a refusal: `metaData.message`, then every field error as `field: message`, joined by `; `.
#[must_use]
pub fn text_of(said: &Said) -> String {
    let mut parts = vec![said.message.expose().trim().to_owned()];
    if let Ok(value) = said.response.expose() {
        parts.extend(fields_of(value).map(|(field, message)| match message {
            Value::String(text) => format!("{field}: {}", text.trim()),
            other => format!("{field}: {other}"),
        }));
        // Plain words of an error have spaces; a sealed text that did not open has none, and says nothing.
        if let Value::String(text) = value
            && text.trim().contains(' ')
        {
            parts.push(text.trim().to_owned());
        }
        if let Some(Value::String(text)) = value.get("message").filter(|_| value.get("field").is_none()) {
            parts.push(text.trim().to_owned());
        }
    }
    parts.retain(|part| !part.is_empty());
    let mut text = parts.join("; ");
    if text.is_empty() && said.code == 204 {
        // HTTP 204 strips the body in which P-Care says this (wire facts §3.2).
        "NO_CONTENT".clone_into(&mut text);
    }
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

/// Applies the answer table to the first of `codes` that it knows.
fn judged(catalogue: &Catalogue, asked: Asked<'_>, codes: &[i64], text: String, until: Option<Timestamp>) -> Outcome {
    let known = codes.iter().find_map(|&code| Some((code, asked.rule(catalogue, code, &text)?)));
    let first = codes.first().copied().unwrap_or_default();
    match known {
        Some((_, answer)) => of_class(answer.class, answer.refusal(first, text), until),
        None => of_class(generic_class(codes), generic_refusal(first, text), until),
    }
}

fn of_class(class: AnswerClass, refusal: Refusal, until: Option<Timestamp>) -> Outcome {
    match class {
        AnswerClass::AlreadyThere => Outcome::AlreadyThere(refusal),
        AnswerClass::NotFound => Outcome::NotFound(refusal),
        // A read that finds nothing was told apart before; to a write there is nothing to find.
        AnswerClass::Refused | AnswerClass::NoData => Outcome::Refused(refusal),
        AnswerClass::Credentials => Outcome::NotAuthorised(refusal, Suspicion::Credentials),
        AnswerClass::Clock => Outcome::NotAuthorised(refusal, Suspicion::Clock),
        AnswerClass::Unknown401 => Outcome::NotAuthorised(refusal, Suspicion::Unknown),
        AnswerClass::RateLimited => Outcome::RateLimited { until },
        AnswerClass::Fault => Outcome::Fault(refusal),
    }
}

/// What a code means by the general meaning of HTTP, where the service's table is silent.
fn generic_class(codes: &[i64]) -> AnswerClass {
    let any = |range: std::ops::RangeInclusive<i64>| codes.iter().any(|code| range.contains(code));
    if any(401..=401) || any(403..=403) {
        AnswerClass::Unknown401
    } else if any(429..=429) {
        AnswerClass::RateLimited
    } else if any(500..=599) {
        AnswerClass::Fault
    } else {
        AnswerClass::Refused
    }
}

fn generic_refusal(code: i64, message: String) -> Refusal {
    Refusal {
        code,
        message: Private::new(message),
        rule: "unknown".to_owned(),
        meaning: "Jawaban BPJS ini belum dikenal.".to_owned(),
        who: Who::It,
        next: "Baca pesan BPJS; perbaiki isi lalu 'amend', atau laporkan ke pengembang jembatan.".to_owned(),
    }
}

/// What a read brought.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    /// The rows.
    pub rows: Private<Vec<Value>>,
    /// How many there are in all, if BPJS said so.
    pub count: Option<u64>,
}

/// The rows of a successful read: the items of `list`, of a bare list, or the one object; none for null.
#[must_use]
pub fn page(value: &Value) -> Page {
    let count = value.get("count").and_then(|count| match count {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    });
    let rows = match value.get("list") {
        Some(Value::Array(rows)) => rows.clone(),
        Some(_) => Vec::new(),
        None => match value {
            Value::Null => Vec::new(),
            Value::Array(rows) => rows.clone(),
            other => vec![other.clone()],
        },
    };
    Page { rows: Private::new(rows), count }
}

/// Whether an answer to a read says that there is no such data: by its code, or by words that the answer table knows.
#[must_use]
pub fn says_no_rows(catalogue: &Catalogue, operation: &Operation, said: &Said) -> bool {
    if said.status >= 300 || said.success {
        return false;
    }
    let rule = || Asked::of(operation).rule(catalogue, said.code, &text_of(said));
    operation.dialect().says_no_data(said.code) || rule().is_some_and(|rule| rule.class == AnswerClass::NoData)
}

/// A refusal that this program makes itself, before anything is sent.
pub(super) fn own_refusal(rule: &str, message: String, meaning: &str, next: &str) -> Refusal {
    Refusal {
        code: 0,
        message: Private::new(message),
        rule: rule.to_owned(),
        meaning: meaning.to_owned(),
        who: Who::It,
        next: next.to_owned(),
    }
}

#[cfg(test)]
mod tests;
