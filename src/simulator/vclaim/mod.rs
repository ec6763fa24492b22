//! V-Claim: SEP, referrals, control letters, PRB, LPK, as a hospital meets them.
//!
//! Job: what V-Claim keeps, and the small words its parts share. Invariants: one outpatient SEP per card, day and clinic
//! over all facilities; no SEP while an admission is open; the refusals' words end in the number of the SEP that stands
//! in the way. Members are those of the P-Care world, and a referral made there can be read here. Neighbours: `routes`
//! names the operations, each file has one kind of record. What it does not do: envelope, sealing, faults (`face`).

pub(crate) mod control;
pub(crate) mod finger;
pub(crate) mod form_prb;
pub(crate) mod letter;
pub(crate) mod lpk;
pub(crate) mod monitoring;
pub(crate) mod people;
pub(crate) mod prb;
pub(crate) mod reference;
pub(crate) mod referral;
pub(crate) mod request;
pub(crate) mod routes;
pub(crate) mod sep;
pub(crate) mod sep_view;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::texts;
use super::world::{self, Done, Moment, Origin, Outcome, Refusal, World};

/// A record as it was sent, and since when and by whom it is there.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) seq: u64,
    pub(crate) content: Value,
    pub(crate) day: Date,
    pub(crate) visible_from: Timestamp,
    pub(crate) origin: Origin,
}

/// A SEP: the record and what came after it.
#[derive(Clone, Debug)]
pub(crate) struct Sep {
    pub(crate) record: Record,
    pub(crate) card: String,
    pub(crate) ppk: String,
    pub(crate) inpatient: bool,
    /// The clinic, in capitals; empty for an admission.
    pub(crate) poli: String,
    /// What `updtglplg` said.
    pub(crate) discharge: Option<Value>,
}

/// Everything V-Claim keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) seps: BTreeMap<String, Sep>,
    /// Referrals that hospitals made (`…B…`).
    pub(crate) outgoing: BTreeMap<String, Record>,
    /// Referrals of other facilities, laid down by the control plane.
    pub(crate) incoming: BTreeMap<String, Record>,
    pub(crate) special: BTreeMap<String, Record>,
    /// Control letters and admission orders (`…K…`).
    pub(crate) letters: BTreeMap<String, Record>,
    pub(crate) prb: BTreeMap<String, Record>,
    pub(crate) lpk: BTreeMap<String, Record>,
    /// Requests for a backdated SEP or one without fingerprint, by card, day, kind of service, kind of request.
    pub(crate) requests: BTreeMap<(String, Date, String, String), request::Request>,
    pub(crate) internal: Vec<Record>,
    /// Who has verified a fingerprint, by day.
    pub(crate) fingers: BTreeSet<(Date, String)>,
}

/// The text of a field named with dots.
pub(crate) fn at(body: &Value, path: &str) -> Option<String> {
    let (parents, field) = path.rsplit_once('.').unwrap_or(("", path));
    let mut parents = parents.split('.').filter(|part| !part.is_empty());
    let parent = parents.try_fold(body, |inside, part| inside.get(part));
    parent.and_then(|parent| world::text(parent, field))
}

/// The same, empty where it is absent.
pub(crate) fn or_empty(body: &Value, path: &str) -> String {
    at(body, path).unwrap_or_default()
}

/// Or null.
pub(crate) fn or_null(body: &Value, path: &str) -> Value {
    at(body, path).map_or(Value::Null, Value::String)
}

/// A date as V-Claim writes it, yyyy-MM-dd, whole or the beginning of a longer text.
pub(crate) fn ymd(text: &str) -> Option<Date> {
    let day = text.trim();
    let day = day.split_once(' ').map_or(day, |(day, _)| day);
    (day.len() == 10).then(|| day.parse().ok()).flatten()
}

/// The code 201 of a field that is missing or malformed.
pub(crate) fn wrong(field: &str) -> Refusal {
    no(&format!("{}{field}", texts::FIELD_WRONG))
}

/// A refusal in V-Claim's manner: code 201 and words.
pub(crate) fn no(words: &str) -> Refusal {
    Refusal::plain(201, words)
}

/// Nothing matches.
pub(crate) fn no_data() -> Refusal {
    no(texts::NO_DATA)
}

/// A required field.
pub(crate) fn required(body: &Value, path: &str) -> Result<String, Refusal> {
    at(body, path).ok_or_else(|| wrong(path))
}

/// A required day.
pub(crate) fn day_of(body: &Value, path: &str) -> Result<Date, Refusal> {
    required(body, path).and_then(|text| ymd(&text).ok_or_else(|| wrong(path)))
}

/// A day that a path names.
pub(crate) fn day_in_path(text: &str) -> Result<Date, Refusal> {
    ymd(text).ok_or_else(|| wrong("tanggal"))
}

/// A range of days that a path names, no longer than the rule allows.
pub(crate) fn range(world: &World, from: &str, to: &str) -> Result<std::ops::RangeInclusive<Date>, Refusal> {
    let (from, to) = (day_in_path(from)?, day_in_path(to)?);
    let days = i64::from(to.since(from).map(|span| span.get_days()).unwrap_or_default());
    let too_long = world.rules.vclaim.longest_range_days.is_some_and(|most| days > i64::from(most));
    if to < from || too_long { Err(wrong("rentang tanggal")) } else { Ok(from..=to) }
}

/// The object that a write wraps: `request`, or `request.t_sep` and the like.
pub(crate) fn inside<'a>(body: &'a Value, name: &str) -> Result<&'a Value, Refusal> {
    let request = body.get("request").ok_or_else(null_reference)?;
    let inner = if name.is_empty() { Some(request) } else { request.get(name) };
    inner.filter(|inner| inner.is_object()).ok_or_else(null_reference)
}

/// What .NET says of an object that is not there.
fn null_reference() -> Refusal {
    Refusal::plain(500, texts::NULL_REFERENCE)
}

/// `{"<key>": […]}`, or nothing found.
pub(crate) fn listed(key: &str, rows: Vec<Value>) -> Outcome {
    if rows.is_empty() { Err(no_data()) } else { Ok(Done::Found(json!({ key: rows }))) }
}

/// The next number of a kind: facility, month, letter, six digits (19 characters).
pub(crate) fn next_number(world: &mut World, ppk: &str, day: Date, letter: char) -> String {
    let month = format!("{:02}{:02}", day.month(), day.year().rem_euclid(100));
    let count = world.next(&format!("vclaim {letter} {ppk}{month}"));
    format!("{ppk}{month}{letter}{count:06}")
}

/// A new record.
pub(crate) fn record(world: &mut World, at: &Moment, day: Date, content: &Value) -> Record {
    Record { seq: world.next("seq"), content: content.clone(), day, visible_from: at.visible_from, origin: at.origin }
}

impl Record {
    /// Whether reads show it.
    pub(crate) fn shows(&self, at: &Moment) -> bool {
        self.visible_from <= at.now
    }

    /// The fields of `change` replace those of the record.
    pub(crate) fn amend(&mut self, change: &Value) {
        for (field, value) in change.as_object().into_iter().flatten() {
            self.content[field] = value.clone();
        }
    }
}

/// The fields of an object, or nothing.
pub(crate) fn code_and_name(code: &str, name: &str) -> Value {
    json!({ "kode": code, "nama": name })
}
