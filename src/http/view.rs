//! What people and programs see of rows: the JSON of the interface, nulls where nothing is to say, times with the
//! facility's offset.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::contract::{Dated, Event, Moved, Obligation, uncertain_words};
use crate::queue::{BlockedKind, Delivery, State, Why};
use crate::store::{
    AttemptRecord, CircuitRow, LaneStop, OutagePlan, OutageRow, PauseRow, ReconciliationRow, Settlement, Store,
    StoreError, SubmissionRow,
};

/// What stands around deliveries and may be in their way.
#[derive(Debug, Clone)]
pub struct Around {
    /// Pauses in force.
    pub pauses: Vec<PauseRow>,
    /// Lanes whose credentials are refused.
    pub stops: Vec<LaneStop>,
    /// Circuits.
    pub circuits: Vec<CircuitRow>,
    /// The present.
    pub now: Timestamp,
}

impl Around {
    /// Asks the store.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(store: &dyn Store, now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self {
            pauses: store.pauses().await?,
            stops: store.lane_stops().await?,
            circuits: store.circuits().await?,
            now,
        })
    }
}

impl Around {
    /// Since when a lane stands still, if it does.
    #[must_use]
    pub fn stopped_since(&self, facility: &str, service: &str) -> Option<Timestamp> {
        let pauses = self.pauses.iter().filter(|row| row.facility == facility || row.facility == "*");
        let stops = self.stops.iter().filter(|row| row.facility == facility && row.service == service);
        let open = |row: &&CircuitRow| row.open && row.facility == facility && row.service == service;
        let circuits = self.circuits.iter().filter(open).map(|row| row.since);
        pauses.map(|row| row.since).chain(stops.map(|row| row.since)).chain(circuits).min()
    }
}

/// An instant as RFC 3339 with the zone's offset then.
#[must_use]
pub fn instant(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

fn maybe(at: Option<Timestamp>, zone: &TimeZone) -> Value {
    at.map_or(Value::Null, |at| instant(at, zone).into())
}

/// A delivery. `service` is the word of its operation's service.
#[must_use]
pub fn delivery(delivery: &Delivery, service: &str, zone: &TimeZone, around: &Around) -> Value {
    let (progress, deadline) = (&delivery.progress, &delivery.deadline);
    let remote = progress.remote.expose();
    json!({
        "id": delivery.id.to_string(),
        "submission": delivery.submission.to_string(),
        "ref": delivery.entry_ref,
        "facility": delivery.facility,
        "operation": delivery.operation,
        "state": progress.state.word(),
        "how": progress.how.map(|how| how.word()),
        "blocked_by": blocked_by(delivery, service, zone, around),
        "deadline": {
            "rule": deadline.rule,
            "target": maybe(deadline.target, zone),
            "late": maybe(deadline.late, zone),
            "last": maybe(deadline.last, zone),
        },
        "late": delivery.is_late(around.now),
        "mark": delivery.mark.map(|mark| mark.word()),
        "remote": if remote.is_empty() { Value::Null } else { json!(remote) },
        "attempts": progress.attempts,
        "why": progress.why.as_ref().map(why),
        "updated_at": instant(progress.updated_at, zone),
    })
}

fn why(why: &Why) -> Value {
    let message = why.message.expose();
    json!({
        "code": why.code,
        "message": if message.is_empty() { Value::Null } else { message.as_str().into() },
        "meaning": why.meaning,
        "who": why.who.word(),
        "next": why.next,
    })
}

/// What a waiting delivery waits for: rows first, then what is true of its whole lane, then its time.
pub(super) fn blocked_by(delivery: &Delivery, service: &str, zone: &TimeZone, around: &Around) -> Value {
    let progress = &delivery.progress;
    if progress.state != State::Waiting {
        return Value::Null;
    }
    let says = |kind: BlockedKind, id: Option<String>, detail: Option<String>| json!({ "kind": kind.word(), "id": id, "detail": detail });
    if let Some(blocked) = progress.blocked {
        return says(blocked.kind, Some(blocked.id.to_string()), None);
    }
    let facility = &delivery.facility;
    if let Some(pause) = around.pauses.iter().find(|pause| pause.facility == *facility || pause.facility == "*") {
        return says(BlockedKind::Lane, None, Some(pause.reason.clone()));
    }
    if let Some(stop) = around.stops.iter().find(|stop| stop.facility == *facility && stop.service == service) {
        let since = instant(stop.since, zone);
        let detail = format!("BPJS menolak kredensial {service} sejak {since}: perbarui di vault");
        return says(BlockedKind::Credentials, None, Some(detail));
    }
    let open = |circuit: &&CircuitRow| circuit.open && circuit.facility == *facility && circuit.service == service;
    if let Some(circuit) = around.circuits.iter().find(open) {
        let since = instant(circuit.since, zone);
        return says(BlockedKind::Circuit, None, Some(format!("{service} di BPJS tidak terjangkau sejak {since}")));
    }
    if progress.due_at > around.now {
        return says(BlockedKind::Time, None, Some(instant(progress.due_at, zone)));
    }
    Value::Null
}

/// An attempt in a delivery's timeline.
#[must_use]
pub fn attempt(attempt: &AttemptRecord, zone: &TimeZone) -> Value {
    let (end, ended) = (&attempt.end, attempt.ended_at.is_some());
    let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    json!({
        "n": attempt.number,
        "purpose": attempt.purpose.word(),
        "started_at": instant(attempt.started_at, zone),
        "ended_at": maybe(attempt.ended_at, zone),
        "outcome": if ended { text(&end.outcome) } else { Value::Null },
        "status": end.status,
        "code": end.code,
        "detail": text(end.detail.expose()),
        "credential_version": attempt.credential_version,
        "stamp": end.stamp,
    })
}

/// A submission with its deliveries (already as JSON).
#[must_use]
pub fn submission(row: &SubmissionRow, deliveries: Vec<Value>, zone: &TimeZone) -> Value {
    json!({
        "id": row.id.to_string(),
        "ref": row.reference,
        "facility": row.facility,
        "accepted_at": instant(row.accepted_at, zone),
        "warnings": row.warnings,
        "deliveries": deliveries,
    })
}

/// An outage episode.
#[must_use]
pub fn outage(row: &OutageRow, zone: &TimeZone) -> Value {
    json!({
        "id": row.id,
        "facility": row.facility,
        "service": row.service,
        "opened_at": instant(row.opened_at, zone),
        "closed_at": maybe(row.closed_at, zone),
        "cause": row.cause,
        "verdict": row.verdict.word(),
        "evidence": row.evidence,
        "opened_by": row.opened_by,
        "closed_by": row.closed_by,
        "accepted": row.accepted,
        "affected": row.affected,
        "late": row.late,
        "class": row.class.as_ref().map(|(class, _)| class.word()),
        "class_by": row.class.as_ref().map(|(_, by)| by),
    })
}

/// A duty of the agreement.
#[must_use]
pub fn obligation(duty: &Obligation, zone: &TimeZone) -> Value {
    let done = duty.done.as_ref();
    json!({
        "id": duty.id,
        "rule": duty.rule,
        "facility": duty.facility,
        "title": duty.title,
        "clause": duty.clause,
        "profile": duty.profile,
        "state": duty.state.word(),
        "due": maybe(duty.due, zone),
        "remind_from": maybe(duty.remind_from, zone),
        "note": duty.note,
        "uncertain": uncertain_words(&duty.uncertain),
        "stricter": duty.stricter,
        "done": done.map(|done| json!({ "at": instant(done.at, zone), "actor": done.actor, "reason": done.remark })),
    })
}

/// An event that dates duties.
#[must_use]
pub fn event(event: &Event, zone: &TimeZone) -> Value {
    json!({
        "id": event.id,
        "kind": event.kind.word(),
        "facility": event.facility,
        "at": instant(event.at, zone),
        "until": maybe(event.until, zone),
        "reason": event.remark,
        "actor": event.actor,
        "recorded_at": instant(event.recorded_at, zone),
    })
}

/// Every date of an entry under the agreement, with the clauses.
#[must_use]
pub fn dates(dated: &Dated, zone: &TimeZone) -> Value {
    let month = dated.month.as_ref().map(|month| {
        let shifted = month.shifted.as_ref();
        json!({
            "rule": month.rule,
            "clause": month.clause,
            "due": month.due.to_string(),
            "named": shifted.map(|(named, _)| named.to_string()),
            "why": shifted.map(|(_, why)| why),
            "uncertain": uncertain_words(&month.uncertain),
        })
    });
    let moved =
        |moved: &Moved| json!({ "by": moved.by.word(), "clause": moved.clause, "seconds": moved.span.as_secs() });
    json!({
        "profile": dated.profile,
        "clause": dated.clause,
        "warn": maybe(dated.warn, zone),
        "late": maybe(dated.deadline.late, zone),
        "last": maybe(dated.deadline.last, zone),
        "month": month,
        "moved": dated.moved.iter().map(moved).collect::<Vec<_>>(),
    })
}

/// A pause.
#[must_use]
pub fn pause(row: &PauseRow, zone: &TimeZone) -> Value {
    json!({ "facility": row.facility, "reason": row.reason, "actor": row.actor, "since": instant(row.since, zone) })
}

/// A reconciliation; with its report's members where the row has one.
#[must_use]
pub fn reconciliation(row: &ReconciliationRow, zone: &TimeZone) -> Value {
    let mut map = match row.report.as_ref().map(|report| report.expose()) {
        Some(Value::Object(report)) => report.clone(),
        Some(_) | None => Map::new(),
    };
    map.insert("id".to_owned(), row.id.clone().into());
    map.insert("facility".to_owned(), row.facility.clone().into());
    map.insert("from".to_owned(), row.from.to_string().into());
    map.insert("to".to_owned(), row.to.to_string().into());
    map.insert("started_at".to_owned(), instant(row.started_at, zone).into());
    map.insert("finished_at".to_owned(), instant(row.finished_at, zone).into());
    map.insert("counts".to_owned(), json!(row.counts));
    Value::Object(map)
}

/// A settlement.
#[must_use]
pub fn settlement(row: &Settlement, zone: &TimeZone) -> Value {
    json!({ "how": row.how.word(), "reason": row.reason.expose(), "actor": row.actor, "at": instant(row.at, zone) })
}

/// A report in which every item says how it was settled last, and how many are still open.
#[must_use]
pub fn settled(mut report: Value, settlements: &[Settlement], zone: &TimeZone) -> Value {
    let mut open = 0;
    for item in report["items"].as_array_mut().into_iter().flatten() {
        let own = settlements.iter().rfind(|row| item["n"].as_i64() == Some(row.item));
        open += i64::from(own.is_none() && item["adopted"] != json!(true));
        item["settlement"] = own.map_or(Value::Null, |row| settlement(row, zone));
    }
    report["open"] = json!(open);
    report
}

/// Announced maintenance.
#[must_use]
pub fn plan(row: &OutagePlan, zone: &TimeZone) -> Value {
    json!({
        "id": row.id, "facility": row.facility, "from": instant(row.from, zone), "to": instant(row.to, zone),
        "verdict": row.verdict.word(), "reason": row.reason, "actor": row.actor,
        "announced_at": instant(row.announced_at, zone),
    })
}

/// A page of a listing.
#[must_use]
pub fn page(items: Vec<Value>, next: Option<i64>) -> Value {
    json!({ "items": items, "next": next.map(|next| next.to_string()) })
}
