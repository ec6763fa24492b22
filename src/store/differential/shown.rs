//! Answers as comparable text: everything shown, personal data included (all of it invented), numbers that a store gives
//! out as it likes by the order in which they were met.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde_json::{Map, Value};

use crate::audit;
use crate::contract::{Deadline, Done, Event};
use crate::queue::{Blocked, BootId, Delivery, DeliveryId, Doubt, Lease, Progress, SubmissionId, Turn, Why};
use crate::secret::Private;
use crate::store::antrean::*;
use crate::store::*;

/// The names that one store's own numbers and hashes have got, by kind.
#[derive(Default)]
pub(super) struct Names(BTreeMap<&'static str, BTreeMap<String, usize>>);

impl Names {
    /// The same name for the same thing: `kind` and how many were met before.
    pub(super) fn of(&mut self, kind: &'static str, raw: String) -> Value {
        let met = self.0.entry(kind).or_default();
        let next = met.len();
        let number = *met.entry(raw).or_insert(next);
        Value::String(format!("{kind} {number}"))
    }
}

pub(super) trait Shown {
    fn show(&self, names: &mut Names) -> Value;
}

/// What a store gives out as it likes.
pub(super) trait Raw {
    fn raw(&self) -> String;
}

impl Raw for i64 {
    fn raw(&self) -> String {
        self.to_string()
    }
}

impl Raw for String {
    fn raw(&self) -> String {
        self.clone()
    }
}

impl Raw for Private<String> {
    fn raw(&self) -> String {
        self.expose().clone()
    }
}

macro_rules! plainly {
    ($($type:ty),* $(,)?) => {$(
        impl Shown for $type {
            fn show(&self, _: &mut Names) -> Value {
                Value::String(self.to_string())
            }
        }
    )*};
}
plainly!(
    String,
    &str,
    bool,
    u8,
    u16,
    u32,
    u64,
    i64,
    usize,
    Timestamp,
    Date,
    Time,
    DeliveryId,
    SubmissionId,
    BootId,
    crate::queue::State,
    crate::queue::How,
    crate::queue::Question,
    crate::queue::Purpose,
    crate::queue::BlockedKind,
    Mark,
    crate::catalogue::Who,
    contract::Trigger,
    BookingState,
    Origin,
    RegistrationState,
    Verdict,
    OutageClass,
    Settled,
);

impl Shown for () {
    fn show(&self, _: &mut Names) -> Value {
        Value::Null
    }
}

impl Shown for Value {
    fn show(&self, _: &mut Names) -> Value {
        self.clone()
    }
}

impl<T: Shown> Shown for Option<T> {
    fn show(&self, names: &mut Names) -> Value {
        self.as_ref().map_or(Value::Null, |there| there.show(names))
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn show(&self, names: &mut Names) -> Value {
        self.iter().map(|one| one.show(names)).collect()
    }
}

impl<T: Shown> Shown for Box<T> {
    fn show(&self, names: &mut Names) -> Value {
        (**self).show(names)
    }
}

impl<T: Shown> Shown for Private<T> {
    fn show(&self, names: &mut Names) -> Value {
        self.expose().show(names)
    }
}

impl<A: Shown, B: Shown> Shown for (A, B) {
    fn show(&self, names: &mut Names) -> Value {
        Value::Array(vec![self.0.show(names), self.1.show(names)])
    }
}

impl<T: Shown> Shown for BTreeMap<String, T> {
    fn show(&self, names: &mut Names) -> Value {
        self.iter().map(|(key, value)| (key.clone(), value.show(names))).collect()
    }
}

/// Of errors the kind only: the words are each store's own.
impl Shown for StoreError {
    fn show(&self, _: &mut Names) -> Value {
        let kind = match self {
            Self::Unknown(_) => "unknown",
            Self::Full(_) => "full",
            Self::Unreadable(_) => "unreadable",
            Self::Newer { .. } => "newer",
            Self::Busy(_) => "busy",
            Self::Unavailable(_) => "unavailable",
            Self::Moved(_) => "moved",
            Self::Replaced(_) => "replaced",
            Self::Database(_) => "database",
            Self::Closed => "closed",
        };
        Value::String(format!("error: {kind}"))
    }
}

impl<T: Shown> Shown for Result<T, StoreError> {
    fn show(&self, names: &mut Names) -> Value {
        match self {
            Ok(answer) => answer.show(names),
            Err(error) => error.show(names),
        }
    }
}

/// Every field of a type by name; after `as` the kind under which a store's own number is named, after `but` nothing is
/// shown.
macro_rules! shown {
    ($($type:ty { $($field:ident $(as $kind:literal)? $(but $why:literal)?),* $(,)? })*) => {$(
        impl Shown for $type {
            fn show(&self, names: &mut Names) -> Value {
                let Self { $($field),* } = self;
                let mut all = Map::new();
                $(shown!(@ all, names, $field $(as $kind)? $(but $why)?);)*
                Value::Object(all)
            }
        }
    )*};
    (@ $all:ident, $names:ident, $field:ident) => {
        $all.insert(stringify!($field).to_owned(), $field.show($names));
    };
    (@ $all:ident, $names:ident, $field:ident as $kind:literal) => {
        $all.insert(stringify!($field).to_owned(), $names.of($kind, $field.raw()));
    };
    (@ $all:ident, $names:ident, $field:ident but $why:literal) => {
        let _ = $field;
    };
}

shown! {
    Delivery {
        id, seq as "delivery", submission, entry_ref, facility, operation, lane as "lane", occurred_at, service_date,
        mark, accepted_at, turn, deadline, progress,
    }
    Turn { opens, at }
    Deadline { rule, target, late, last }
    Progress {
        state, how, revision but "how many steps a store takes is its own", due_at, blocked, doubt, past_last, attempts,
        stumbles, faults, fault, crashes, lease, why, remote, updated_at,
    }
    Doubt { marked, question, since, absent, absent_begun, absent_boot }
    Blocked { kind, id }
    Lease { token as "token", until, purpose }
    SubmissionRow { id, seq as "submission", client, facility, reference as "reference", accepted_at, warnings }
    Prerequisite { id, operation, service_date }
    Blamed { suspects, held }
    Claimed { delivery, purpose, token as "token", attempt, payload, given }
    Given { operation, ids }
    AttemptRecord { number, purpose, started_at, ended_at, credential_version, end }
    AttemptEnd { outcome, status, code, stamp, credential_version, detail, answer, owns, frees }
    EntryBody { original, current }
    Change { cursor as "cursor", at, delivery }
    JournalRow { delivery, payload, reference as "reference", client, patient, given }
    ClientCount { client, operation, state, why, count }
    Counts { facility, service, state, how, count }
    Totals {
        counts, oldest_unfinished, oldest_due, nearest_deadline, late, bytes but "what it takes is a store's own",
    }
    LaneLoad { facility, service, delivered, queue }
    QueuedRow { id, seq as "delivery", rank, late, due_at }
    PauseRow { facility, reason, actor, since }
    LaneStop { facility, service, message, since, credential_version }
    CircuitRow { facility, service, open, since }
    OutageRow {
        id as "outage", facility, service, opened_at, closed_at, cause, verdict, evidence, opened_by, closed_by,
        accepted, affected, late, class,
    }
    OutagePlan { id as "plan", facility, from, to, verdict, reason, actor, announced_at }
    OutageEffect { accepted, delayed, late, unfinished, drained_at }
    ReconciliationRow { id, facility, from, to, started_at, finished_at, counts, report }
    Settlement { reconciliation, item, how, reason, actor, at }
    DayRow { facility, run, day, cause, wanted_at, done, report }
    Event { id as "event", kind, facility, at, until, remark, actor, recorded_at }
    Done { id, at, actor, remark }
    ProvisionalId { name, delivery, reference as "after" }
    Standing { reference as "key", generation, latest, released, superseded }
    ListName { facility, operation, scope }
    TermRow { words, upto, count, complete, begun_at, as_of }
    KeptRow { place, body, as_of }
    KeptTotals { facility, service, lists, rows, oldest, newest, members }
    KeptMember { body, as_of }
    Queue { session, total, waiting, called }
    Session {
        facility, day, poli, poli_name, doctor, doctor_name, hours, quota, opens, closes, prefix, remark,
    }
    Booking {
        seq as "booking", id, facility, day, poli, poli_name, doctor, doctor_name, hours, reference, number, label,
        origin, state, person, reason, booked_at, updated_at,
    }
    Place { booking, ahead, called, remark }
    Registration { seq as "registration", id, facility, state, body, answer, asked_at, updated_at }
    BookingCount { facility, state, count }
    FeedRow { cursor as "cursor", at, what }
}

impl Shown for (String, Vec<String>, String) {
    fn show(&self, names: &mut Names) -> Value {
        Value::Array(vec![self.0.show(names), self.1.show(names), self.2.show(names)])
    }
}

/// Who owns an id is told in each store's own words.
impl Shown for Why {
    fn show(&self, names: &mut Names) -> Value {
        let Self { code, message, meaning, who, next } = self;
        let own = |text: &String| if code == "owned" { "in its own words".to_owned() } else { text.clone() };
        let told = [code.clone(), message.expose().clone(), own(meaning), who.to_string(), own(next)];
        told.to_vec().show(names)
    }
}

/// Without the hash, which the chain's own check reckons; numbers of outages, plans and events are a store's own.
impl Shown for audit::Entry {
    fn show(&self, names: &mut Names) -> Value {
        let Self { seq, at, actor, action, object, detail, hash: _ } = self;
        let object = match action.as_str() {
            "outage.open" | "outage.close" => names.of("outage", object.clone()),
            "outage.plan" | "outage.withdraw" => names.of("plan", object.clone()),
            "obligation.event" => names.of("event", object.clone()),
            _ => object.show(names),
        };
        Value::Array(vec![
            seq.show(names),
            at.show(names),
            actor.show(names),
            action.show(names),
            object,
            detail.show(names),
        ])
    }
}

/// Terms and rows of a list have no order of their own.
impl Shown for KeptList {
    fn show(&self, names: &mut Names) -> Value {
        let Self { frame, terms, rows } = self;
        Value::Array(vec![frame.show(names), sorted(terms.show(names)), sorted(rows.show(names))])
    }
}

impl Shown for ListSummary {
    fn show(&self, names: &mut Names) -> Value {
        let Self { list, service, rows, terms } = self;
        Value::Array(vec![list.show(names), service.show(names), rows.show(names), sorted(terms.show(names))])
    }
}

impl<T: Shown> Shown for Page<T> {
    fn show(&self, names: &mut Names) -> Value {
        // Where to go on is the number of the last row, which is shown with it.
        Value::Array(vec![self.items.show(names), self.next.is_some().show(names)])
    }
}

/// A list whose order is nobody's promise.
pub(super) fn sorted(list: Value) -> Value {
    match list {
        Value::Array(mut rows) => {
            rows.sort_by_key(Value::to_string);
            Value::Array(rows)
        }
        other => other,
    }
}

fn tagged(tag: &str, what: Value) -> Value {
    Value::Array(vec![Value::String(tag.to_owned()), what])
}

impl Shown for Acceptance {
    fn show(&self, names: &mut Names) -> Value {
        match self {
            Self::New(row) => tagged("new", row.show(names)),
            Self::Same(row) => tagged("same", row.show(names)),
            Self::Conflict(row) => tagged("conflict", row.show(names)),
        }
    }
}

impl Shown for Acted {
    fn show(&self, names: &mut Names) -> Value {
        match self {
            Self::Done(delivery) => tagged("done", delivery.show(names)),
            Self::Refused(delivery, why) => tagged(&format!("refused {why:?}"), delivery.show(names)),
            Self::Unknown => tagged("unknown", Value::Null),
        }
    }
}

impl Shown for Booked {
    fn show(&self, names: &mut Names) -> Value {
        match self {
            Self::New(place) => tagged("new", place.show(names)),
            Self::Repeat(place) => tagged("repeat", place.show(names)),
            Self::Refused(NoNumber::PatientRefused(why)) => tagged("patient refused", why.show(names)),
            Self::Refused(why) => tagged("refused", Value::String(format!("{why:?}"))),
        }
    }
}

impl Shown for Withdrawn {
    fn show(&self, names: &mut Names) -> Value {
        match self {
            Self::Done(booking) => tagged("done", booking.show(names)),
            Self::None => tagged("none", Value::Null),
            Self::Already => tagged("already", Value::Null),
            Self::Not(state) => tagged("not", state.show(names)),
        }
    }
}

impl Shown for Moved {
    fn show(&self, names: &mut Names) -> Value {
        match self {
            Self::Done(booking) => tagged("done", booking.show(names)),
            Self::None => tagged("none", Value::Null),
            Self::Not(state) => tagged("not", state.show(names)),
        }
    }
}

impl Shown for CallDone {
    fn show(&self, names: &mut Names) -> Value {
        match self {
            Self::Done(booking) => tagged("done", booking.show(names)),
            Self::NoQueue => tagged("no queue", Value::Null),
            Self::Not(state) => tagged("not", state.show(names)),
        }
    }
}

impl Shown for Registered {
    fn show(&self, _: &mut Names) -> Value {
        Value::String(format!("{self:?}"))
    }
}

impl Shown for FeedItem {
    fn show(&self, names: &mut Names) -> Value {
        match self {
            Self::Delivery(one) => tagged("delivery", one.show(names)),
            Self::Booking(one) => tagged("booking", one.show(names)),
            Self::Registration(one) => tagged("registration", one.show(names)),
        }
    }
}
