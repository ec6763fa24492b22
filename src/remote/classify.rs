//! What an answer means: from one reply, or its absence, to one outcome.
//!
//! Job: read the envelope, open its response, apply the service's idea of success and the catalogue's answer table.
//! Pure. Invariants: a code is compared as a number, never searched in a text; what it means is its dialect's to say; an end
//! that leaves doubt about a write is never *not sent*, *refused* or *accepted*. Neighbours: [`super::client`] calls;
//! `catalogue` has the tables. What it does not do: network, credentials, deciding what to do next (`queue`).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::transport::{Reply, TransportError};
use crate::catalogue::{
    Answer, AnswerClass, Catalogue, Dialect, Kind, Operation, Refusal, RemoteIds, Service, Who, at,
};
use crate::protocol::envelope::{self, Body, Envelope, NotAnEnvelope};
use crate::protocol::seal::{self, Limits, Packed, Unreadable};
use crate::protocol::sign::Stamp;
use crate::queue::{Outcome, Suspicion};
use crate::secret::{ConsId, Private, SecretKey};

/// Words of a refusal of access, lower case.
const ACCESS_WORDS: [&str; 8] =
    ["signature", "consumer", "cons-id", "consid", "secret", "user key", "user_key", "unauthori"];

/// BPJS's words are kept up to this many bytes.
const MAX_TEXT: usize = 8 * 1024;

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
    /// What lay under the encryption of a sealed response.
    pub packed: Option<Packed>,
    /// When to come back, if it said so.
    pub until: Option<Timestamp>,
}

/// Reads a reply in the dialect of its operation; `now` is when it came.
#[must_use]
pub fn hear(dialect: &Dialect, reply: &Reply, opener: Opener<'_>, limits: &Limits, now: Timestamp) -> Heard {
    let status = reply.status;
    let until = reply.retry_after.and_then(|wait| now.checked_add(wait).ok());
    match envelope::read(status, reply.body.expose(), limits) {
        Err(what) => Heard::Other { status, what, until },
        Ok(envelope) => {
            let success = (200..300).contains(&status) && dialect.is_success(envelope.code);
            let response = Private::new(open(&envelope, success && dialect.sealed, opener, limits));
            let packed = match &envelope.response {
                Body::Sealed(text) => seal::packed(opener.cons_id, opener.secret_key, opener.stamp, text),
                Body::Absent | Body::Null | Body::Empty | Body::Plain(_) => None,
            };
            let (code, message, raw) = (envelope.code, Private::new(envelope.message), Private::new(envelope.response));
            Heard::Envelope(Box::new(Said { status, code, message, success, response, raw, packed, until }))
        }
    }
}

/// Where nothing must be sealed (a refusal, an operation whose answers come in the clear) a text that does not open is
/// taken as it stands (wire facts of V-Claim and Antrean, §2.4). Where it must be, it never is: a list cut short would
/// pass for words, and an entry for absent.
fn open(envelope: &Envelope, must_open: bool, with: Opener<'_>, limits: &Limits) -> Result<Value, Unreadable> {
    if must_open {
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

/// No envelope. A status of 500 and more is an outage; outside P-Care 404 comes from a front end that has no such
/// path, so nothing has landed and the base URL is wrong or the operation gone (wire facts of V-Claim and Antrean, §6.5); 429 means the same whoever says it; 401 and 403 in JSON come from
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
        (404, _) if asked.service != Service::Pcare => Outcome::NotAuthorised(unknown_address(), Suspicion::Unknown),
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
    if operation.dialect().is_success(said.code) {
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
        None => of_class(generic_class(codes, &text), generic_refusal(first, text), until),
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
///
/// Outside P-Care a refusal of access comes under any code; only its words tell (wire facts of V-Claim and Antrean,
/// §6.5). The probe decides whether they mean it.
fn generic_class(codes: &[i64], text: &str) -> AnswerClass {
    let text = text.to_lowercase();
    let any = |range: std::ops::RangeInclusive<i64>| codes.iter().any(|code| range.contains(code));
    if any(401..=401) || any(403..=403) || ACCESS_WORDS.iter().any(|word| text.contains(word)) {
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

/// Nobody knows the path.
pub(super) const UNKNOWN_ADDRESS: &str = "unknown_address";

fn unknown_address() -> Refusal {
    Refusal {
        code: 404,
        ..own_refusal(
            UNKNOWN_ADDRESS,
            "HTTP 404".to_owned(),
            "BPJS tidak mengenal alamat layanan ini: base_url keliru, atau layanan itu sudah ditiadakan.",
            "Periksa base_url layanan ini di konfigurasi; bila layanan lain lolos, tanyakan operasi ini ke BPJS.",
        )
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

impl Page {
    /// BPJS says that there is nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self { rows: Private::new(Vec::new()), count: None }
    }
}

/// The rows of a successful read: the items of the list that `place` names (`list` where the catalogue names none), of a
/// bare list, or the one object; none for null. `None` if the named list is not there: that is not the same as no rows.
#[must_use]
pub fn page(place: Option<&str>, value: &Value) -> Option<Page> {
    let count = value.get("count").and_then(|count| match count {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    });
    let rows = match (at(value, place.unwrap_or("list")), value) {
        (Some(Value::Array(rows)), _) | (None, Value::Array(rows)) => rows.clone(),
        // Where several are usual one may come alone.
        (Some(Value::Object(row)), _) if place.is_some() => vec![Value::Object(row.clone())],
        (Some(Value::Null), _) | (None, Value::Null) => Vec::new(),
        (Some(_), _) if place.is_none() => Vec::new(),
        (None, other) if place.is_none() => vec![other.clone()],
        (Some(_) | None, _) => return None,
    };
    Some(Page { rows: Private::new(rows), count })
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
