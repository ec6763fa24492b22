//! One entry: its operation, its payload, its instants, and the row it becomes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::after::{Before, closure};
use super::body::{Entry, SubmissionBody};
use super::dates::{Ahead, ahead, due_at, payload_date};
use super::json::pointer;
use super::{Checked, Fault, Intake};
use crate::catalogue::{Catalogue, Operation, Service, at, is_unset};
use crate::config::{Facility, ServiceConfig};
use crate::contract::ServiceTime;
use crate::queue::DeliveryId;
use crate::secret::Private;
use crate::store::NewEntry;

/// The operation of every entry; `None` where it cannot be handed in, with a fault.
pub(super) fn operations<'c>(
    catalogue: &'c Catalogue,
    facility: &Facility,
    body: &SubmissionBody,
    faults: &mut Vec<Fault>,
) -> Vec<Option<&'c Operation>> {
    let find = |entry: &Entry| {
        let Some(operation) = catalogue.operation(&entry.operation) else {
            return Err("operasi tidak dikenal; daftarnya ada di /openapi.json".to_owned());
        };
        if operation.retired {
            return Err("operasi ini sudah dihentikan BPJS; penggantinya ada di /openapi.json".to_owned());
        }
        if !operation.is_write() {
            return Err("operasi baca tidak dapat diserahkan sebagai entri; hanya tambah, ubah, hapus".to_owned());
        }
        if service_of(facility, operation.service).is_none() {
            let word = operation.service.word();
            return Err(format!("layanan {word} tidak dikonfigurasi untuk faskes ini ([facility.{word}])"));
        }
        Ok(operation)
    };
    let fault = |i: usize, detail: String| Fault::new(format!("/entries/{i}/operation"), detail);
    let found = body.entries.iter().enumerate().map(|(i, entry)| find(entry).map_err(|detail| fault(i, detail)));
    found.map(|found| found.map_err(|fault| faults.push(fault)).ok()).collect()
}

/// Payloads in the form of the wire (`{"request":{"t_sep":{…}}}`) become the inner object, which is what is kept.
pub(super) fn unwrap_payloads(catalogue: &Catalogue, body: &mut SubmissionBody) {
    for entry in &mut body.entries {
        let wrapped = catalogue.operation(&entry.operation).filter(|operation| !operation.wrap.is_empty());
        if let Some(operation) = wrapped {
            entry.payload = Private::new(operation.unwrap_body(entry.payload.expose().clone()));
        }
    }
}

const fn service_of(facility: &Facility, service: Service) -> Option<&ServiceConfig> {
    match service {
        Service::Pcare => facility.pcare.as_ref(),
        Service::Vclaim => facility.vclaim.as_ref(),
        Service::AntreanFktp => facility.antrean_fktp.as_ref(),
        Service::Icare => facility.icare.as_ref(),
    }
}

/// Each payload against its operation's schema, and the card in it against the submission's patient.
pub(super) fn check_payloads(body: &SubmissionBody, operations: &[Option<&Operation>], faults: &mut Vec<Fault>) {
    for (i, (entry, operation)) in body.entries.iter().zip(operations).enumerate() {
        let Some(operation) = operation else { continue };
        let payload = entry.payload.expose();
        faults.extend(payload_faults(operation, payload, &format!("/entries/{i}/payload")));
        let card = card_of(operation, payload);
        if let (Some(card), Some(patient)) = (card, &body.no_kartu)
            && card != patient.expose()
        {
            let field = operation.patient_field.as_deref().unwrap_or_default();
            let here = format!("/entries/{i}/payload{}", pointer(field));
            faults.push(Fault::new("/patient/noKartu", format!("tidak sama dengan {here}; betulkan salah satu")));
            faults.push(Fault::new(here, "tidak sama dengan /patient/noKartu; betulkan salah satu"));
        }
    }
}

/// The faults of one payload, as pointers below `below`.
pub(crate) fn payload_faults(operation: &Operation, payload: &Value, below: &str) -> Vec<Fault> {
    let problems = operation.check_payload(payload).into_iter();
    problems.map(|problem| Fault::new(format!("{below}{}", problem.pointer), problem.detail)).collect()
}

/// The card a payload names, if its operation has one.
pub(crate) fn card_of<'v>(operation: &Operation, payload: &'v Value) -> Option<&'v str> {
    at(payload, operation.patient_field.as_ref()?)?.as_str().filter(|card| !card.is_empty())
}

/// Every `occurred_at` and every day of service against the clock; warnings for those ahead that are accepted.
pub(super) fn check_instants(
    body: &SubmissionBody,
    operations: &[Option<&Operation>],
    now: Timestamp,
    bpjs: &TimeZone,
    faults: &mut Vec<Fault>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for (i, (entry, operation)) in body.entries.iter().zip(operations).enumerate() {
        let day = operation.and_then(|operation| payload_date(operation, entry.payload.expose()));
        if let Some(day) = day.filter(|day| due_at(Some(*day), now, bpjs) > now) {
            let field = operation.and_then(|operation| operation.date_field.as_deref()).unwrap_or_default();
            let place = format!("/entries/{i}/payload{}", pointer(field));
            warnings.push(format!("{place} ({day}) belum tiba menurut hari di BPJS; entri menunggu sampai hari itu"));
        }
        let pointer = format!("/entries/{i}/occurred_at");
        match entry.occurred_at.map_or(Ahead::No, |at| ahead(at, now)) {
            Ahead::No => {}
            Ahead::Little => {
                warnings.push(format!("{pointer} berada di masa depan; periksa jam komputer SIM"));
            }
            Ahead::TooFar => {
                let detail = "lebih dari 24 jam di masa depan; periksa jam komputer SIM atau zona waktunya";
                faults.push(Fault::new(pointer, detail));
            }
        }
    }
    warnings
}

/// The rows of a checked submission, each after those it depends on.
pub(super) fn rows(body: &SubmissionBody, checked: &Checked<'_>, now: Timestamp, intake: &Intake) -> Vec<NewEntry> {
    let ids: Vec<DeliveryId> = body.entries.iter().map(|_| DeliveryId::new(now, &intake.chance.ten())).collect();
    let mut dates: BTreeMap<usize, Date> = BTreeMap::new();
    let mut rows = Vec::with_capacity(ids.len());
    for &place in &checked.order {
        let parts = (body.entries.get(place), checked.operations.get(place), ids.get(place));
        let (Some(entry), Some(operation), Some(id)) = parts else { continue };
        let own_date = payload_date(operation, entry.payload.expose());
        let zone = &checked.facility.timezone;
        let date = own_date
            .or_else(|| inherited(&checked.before, place, &dates))
            .unwrap_or_else(|| entry.occurred_at.unwrap_or(now).to_zoned(zone.clone()).date());
        dates.insert(place, date);
        let time =
            ServiceTime { occurred_at: entry.occurred_at, service_date: date, accepted_at: now, zone: zone.clone() };
        let before = checked.before.get(place).into_iter().flatten();
        let after = before.filter_map(|before| match before {
            Before::Own(other) => ids.get(*other).copied(),
            Before::Earlier(earlier) => Some(earlier.id),
        });
        let mut row = row(&intake.catalogue, body, entry, operation, *id);
        row.position = place;
        row.after = after.collect();
        row.service_date = Some(date);
        row.deadline = (intake.dates)(&operation.deadline, &time);
        row.due_at = due_at(own_date, now, &intake.settings.bpjs_zone);
        rows.push(row);
    }
    rows
}

/// The day of the nearest prerequisite that has one; those of this submission were dated before.
fn inherited(before: &[Vec<Before>], place: usize, dates: &BTreeMap<usize, Date>) -> Option<Date> {
    closure(before, place).into_iter().find_map(|before| match before {
        Before::Own(other) => dates.get(other).copied(),
        Before::Earlier(earlier) => earlier.service_date,
    })
}

fn row(catalogue: &Catalogue, body: &SubmissionBody, entry: &Entry, operation: &Operation, id: DeliveryId) -> NewEntry {
    let payload = entry.payload.expose();
    let card = card_of(operation, payload).map(|card| Private::new(card.to_owned())).or_else(|| body.no_kartu.clone());
    NewEntry {
        id,
        position: 0,
        entry_ref: entry.reference.clone(),
        operation: operation.name.clone(),
        service: operation.service.word().to_owned(),
        payload: entry.payload.clone(),
        occurred_at: entry.occurred_at,
        service_date: None,
        deadline: crate::contract::Deadline::default(),
        due_at: Timestamp::UNIX_EPOCH,
        about: if card.is_some() { None } else { about(catalogue, operation, payload) },
        no_kartu: card,
        natural_key: natural_key(operation, payload),
        mark: entry.mark,
        after: Vec::new(),
    }
}

/// What an entry is about, told by the ids that its payload already carries: `(operation that gives the id, scope
/// values, id)`. An id that is unique by itself (`noKunjungan`, `eduId`) goes before one that is unique only within
/// something.
#[must_use]
pub fn about(catalogue: &Catalogue, operation: &Operation, payload: &Value) -> Option<(String, Vec<String>, String)> {
    let mut best: Option<(String, Vec<String>, String)> = None;
    for need in &operation.needs {
        let Some(id) = at(payload, &need.field).filter(|value| !is_unset(value)).and_then(text_of) else { continue };
        let owner = need.from.iter().filter_map(|from| catalogue.operation(from));
        let Some(owner) = owner.into_iter().find(|from| from.gives.first() == Some(&need.id)) else { continue };
        let Some(scope) = scope_values(owner, |field| at(payload, field).and_then(text_of)) else { continue };
        if best.as_ref().is_none_or(|(_, best, _)| scope.len() < best.len()) {
            best = Some((owner.family(), scope, id));
        }
    }
    best
}

/// The values of an operation's `id_scope`; `None` while one of them is not known.
pub fn scope_values(operation: &Operation, value_of: impl Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    operation.id_scope.iter().map(|field| value_of(field)).collect()
}

/// The values of the natural key, if the operation has one and all are there.
pub(crate) fn natural_key(operation: &Operation, payload: &Value) -> Option<Private<Vec<String>>> {
    if operation.natural_key.is_empty() {
        return None;
    }
    let values =
        operation.natural_key.iter().map(|field| at(payload, field).filter(|v| !is_unset(v)).and_then(text_of));
    values.collect::<Option<Vec<String>>>().map(Private::new)
}

/// A text or number as the text that ids and keys are compared by, not trimmed: `push` sends it as it is.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
