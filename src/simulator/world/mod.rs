//! What BPJS would remember: a pure state machine without HTTP, time or threads.
//!
//! Job: registrations, visits and what hangs on them, as P-Care keeps them, with its refusals. Invariants: one
//! registration per (card, clinic, day); one visit per registration; numbers are never given twice; nothing here reads
//! a clock or draws from a random source, so the same calls give the same world. Neighbours: `routes` calls it,
//! `control` writes past the signature check. What it does not do: headers, sealing, faults.

pub(crate) mod children;
pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod people;
pub(crate) mod reference;
pub(crate) mod registration;
pub(crate) mod visit;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::antrean::Queue;
use super::generic::Shelves;
use super::rules::Rules;
use super::texts;
use super::vclaim::Book;

/// Who made a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A signed request of the web service.
    WebService,
    /// The Mobile JKN application.
    MobileJkn,
    /// Staff, in the P-Care web application.
    Staff,
}

impl Origin {
    /// The spelling in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebService => "ws",
            Self::MobileJkn => "mobile_jkn",
            Self::Staff => "staff",
        }
    }
}

/// When and by whom something is done; handed to every write.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The service's instant.
    pub now: Timestamp,
    /// The service's day.
    pub today: Date,
    /// From when on reads show what is written.
    pub visible_from: Timestamp,
    /// Who does it.
    pub origin: Origin,
}

/// What an operation answers when it succeeds.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// A read: 200 with data.
    Found(Value),
    /// A creation: 201, with what was assigned or null.
    Created(Value),
    /// An edit or delete: 200 with null, `""` or, for treatments, the id.
    Changed(Value),
    /// Something that this service never seals.
    Plain(Value),
    /// Success without any `response`, as Antrean FKTP answers its writes.
    Silent,
}

/// What an operation answers when it refuses: never sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// `metaData.code`.
    pub code: i64,
    /// `metaData.message`.
    pub message: String,
    /// `response`: null, or the fields at fault.
    pub response: Value,
}

/// Either of the two.
pub type Outcome = Result<Done, Refusal>;

impl Refusal {
    /// A refusal whose text stands in `metaData`.
    #[must_use]
    pub fn plain(code: i64, message: &str) -> Self {
        Self { code, message: message.to_owned(), response: Value::Null }
    }

    /// 412 with one object, as on registrations.
    #[must_use]
    pub fn object(field: &str, message: &str) -> Self {
        let response = json!({ "field": field, "message": message });
        Self { code: 412, message: texts::PRECONDITION_FAILED.to_owned(), response }
    }

    /// 412 with an array, as on visits.
    #[must_use]
    pub fn array(field: &str, message: &str) -> Self {
        let response = json!([{ "field": field, "message": message }]);
        Self { code: 412, message: texts::PRECONDITION_FAILED.to_owned(), response }
    }

    /// Nothing matches.
    #[must_use]
    pub fn nothing() -> Self {
        Self::plain(204, texts::NO_CONTENT)
    }
}

/// The registration of a member at a clinic on a day.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) seq: u64,
    pub(crate) no_urut: String,
    pub(crate) content: Value,
    pub(crate) visit: Option<String>,
    pub(crate) visible_from: Timestamp,
    pub(crate) origin: Origin,
}

/// Day, clinic, card: what makes a registration unique.
pub(crate) type RegistrationKey = (Date, String, String);

/// A visit and everything that hangs on it.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) seq: u64,
    pub(crate) registration: RegistrationKey,
    pub(crate) provider: String,
    pub(crate) content: Value,
    pub(crate) children: Vec<Child>,
    pub(crate) visible_from: Timestamp,
    pub(crate) origin: Origin,
    /// The hospital has used the referral: no more edits.
    pub(crate) served_by_hospital: bool,
    /// The visit was billed: no more edits.
    pub(crate) billed: bool,
}

/// What kind of child a visit has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ChildKind {
    Treatment,
    Drug,
    Examination,
}

/// A treatment, drug or examination of a visit.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) kind: ChildKind,
    pub(crate) id: u64,
    /// The body as it was sent.
    pub(crate) sent: Value,
    /// The body with the codes BPJS gave.
    pub(crate) content: Value,
    pub(crate) visible_from: Timestamp,
    pub(crate) origin: Origin,
}

/// A Prolanis activity and who took part.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    pub(crate) date: Date,
    pub(crate) content: Value,
    pub(crate) participants: Vec<Participant>,
    pub(crate) visible_from: Timestamp,
    pub(crate) origin: Origin,
}

/// A member who took part in an activity.
#[derive(Clone, Debug)]
pub(crate) struct Participant {
    pub(crate) no_kartu: String,
    pub(crate) visible_from: Timestamp,
    pub(crate) origin: Origin,
}

/// The state of one facility at BPJS.
#[derive(Clone, Debug)]
pub struct World {
    seed: u64,
    pub(crate) facility: String,
    /// The switches in force.
    pub rules: Rules,
    pub(crate) people: HashMap<String, Value>,
    pub(crate) registrations: BTreeMap<RegistrationKey, Registration>,
    pub(crate) visits: BTreeMap<String, Visit>,
    pub(crate) visits_of: HashMap<String, Vec<String>>,
    pub(crate) activities: BTreeMap<String, Activity>,
    /// What V-Claim keeps.
    pub(crate) vclaim: Book,
    /// What Antrean FKTP keeps.
    pub(crate) antrean: Queue,
    /// What operations of an override directory keep.
    pub(crate) generic: Shelves,
    counters: BTreeMap<String, u64>,
}

impl World {
    /// An empty world for the facility `facility_code` (kdProvider); `seed` decides who its members are.
    #[must_use]
    pub fn new(seed: u64, facility_code: &str, rules: Rules) -> Self {
        Self {
            seed,
            facility: facility_code.to_owned(),
            rules,
            people: HashMap::new(),
            registrations: BTreeMap::new(),
            visits: BTreeMap::new(),
            visits_of: HashMap::new(),
            activities: BTreeMap::new(),
            vclaim: Book::default(),
            antrean: Queue::default(),
            generic: Shelves::default(),
            counters: BTreeMap::new(),
        }
    }

    /// Forgets everything that landed and every changed member; the switches stay.
    pub fn reset(&mut self) {
        *self = Self::new(self.seed, &self.facility, self.rules.clone());
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// The next number of a counter, from 1; never the same twice, deletes notwithstanding.
    pub(crate) fn next(&mut self, counter: &str) -> u64 {
        let count = self.counters.entry(counter.to_owned()).or_insert(0);
        *count += 1;
        *count
    }

    /// A page of a list: `count` is the total, an empty page is "nothing found". Only the rows of the page are shown.
    pub(crate) fn page_of<T>(&self, rows: Vec<T>, start: &str, limit: &str, show: impl Fn(T) -> Value) -> Outcome {
        let (Ok(start), Ok(limit)) = (start.parse::<usize>(), limit.parse::<usize>()) else {
            return Err(Refusal::plain(400, texts::NOT_A_NUMBER));
        };
        let count = rows.len();
        let (skip, most) = (start.saturating_sub(self.rules.first_row), self.rules.max_rows.unwrap_or(limit));
        let shown: Vec<Value> = rows.into_iter().skip(skip).take(limit.min(most)).map(show).collect();
        if shown.is_empty() {
            Err(Refusal::nothing())
        } else {
            Ok(Done::Found(json!({ "count": count, "list": shown })))
        }
    }

    /// A page of rows that are ready.
    pub(crate) fn page(&self, rows: Vec<Value>, start: &str, limit: &str) -> Outcome {
        self.page_of(rows, start, limit, |row| row)
    }
}

/// A whole list with its count; an empty one is "nothing found".
pub(crate) fn counted(rows: Vec<Value>) -> Outcome {
    if rows.is_empty() {
        return Err(Refusal::nothing());
    }
    Ok(Done::Found(json!({ "count": rows.len(), "list": rows })))
}

/// A list without count, as `alergi`, `prognosa` and `skrinning/rekap` answer.
pub(crate) fn uncounted(rows: Vec<Value>) -> Outcome {
    if rows.is_empty() { Err(Refusal::nothing()) } else { Ok(Done::Found(json!({ "list": rows }))) }
}

/// A field as text, whether it was sent as text or number; empty counts as absent.
pub(crate) fn text(body: &Value, field: &str) -> Option<String> {
    match body.get(field)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A field as a number, whether it was sent as number or text, with point or comma.
pub(crate) fn number(body: &Value, field: &str) -> Option<f64> {
    match body.get(field)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().replace(',', ".").parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The field itself or a default where it is absent or null.
pub(crate) fn echo(body: &Value, field: &str, default: Value) -> Value {
    match body.get(field) {
        None | Some(Value::Null) => default,
        Some(value) => value.clone(),
    }
}

/// A date as BPJS writes it, dd-mm-yyyy with leading zeros; anything else is none.
pub(crate) fn date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 2 | 5) { *byte == b'-' } else { byte.is_ascii_digit() });
    if !shaped {
        return None;
    }
    Date::new(text[6..].parse().ok()?, text[3..5].parse().ok()?, text[..2].parse().ok()?).ok()
}

/// The date as BPJS writes it.
pub(crate) fn dmy(date: Date) -> String {
    format!("{:02}-{:02}-{:04}", date.day(), date.month(), date.year())
}

#[cfg(test)]
mod tests;
