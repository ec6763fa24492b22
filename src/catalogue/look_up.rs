//! Looking an entry up: which rows of a read are it, which might be, and what differs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::answers::RemoteIds;
use super::fields::{FieldType, read_decimal};
use super::operation::Operation;

/// How to look an entry up again.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// The read to call.
    pub read: String,
    /// Whether BPJS itself refuses a second copy.
    pub unique: bool,
    #[serde(deserialize_with = "duration")]
    settle: Duration,
    /// Placeholder of the read's path ← payload field.
    pub args: BTreeMap<String, String>,
    /// Row path ← payload field (or `@facility`): rows equal in all of these are about this entry.
    pub key: BTreeMap<String, String>,
    /// Another key when a field has a certain value.
    pub key_unless: Option<KeyUnless>,
    /// Row path ← payload field: equal in all of these too, the row is this entry.
    pub same: BTreeMap<String, String>,
    /// Row path ← payload field: differences worth reporting, not deciding.
    pub report: BTreeMap<String, String>,
    /// Id name ← row path.
    pub ids: BTreeMap<String, String>,
}

/// A key for a special case (a drug outside the list has no code of its own).
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUnless {
    field: String,
    equals: Value,
    key: BTreeMap<String, String>,
}

fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    let seconds = text.strip_suffix('s').and_then(|number| number.parse().ok());
    seconds.map(Duration::from_secs).ok_or_else(|| serde::de::Error::custom("expected seconds, e.g. \"60s\""))
}

impl LookUp {
    /// How long after an attempt ended *absent* may be believed (our assumption; configurable).
    #[must_use]
    pub const fn settle(&self) -> Duration {
        self.settle
    }

    fn key_for(&self, payload: &Value) -> &BTreeMap<String, String> {
        match &self.key_unless {
            Some(other) if payload.get(&other.field) == Some(&other.equals) => &other.key,
            Some(_) | None => &self.key,
        }
    }
}

/// A row of the read that has the entry's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its ids at BPJS.
    pub ids: RemoteIds,
    /// Whether the deciding content is equal too.
    pub same: bool,
    /// Fields whose content differs, deciding or not (wire names).
    pub differs: Vec<String>,
}

/// The rows that have the key of `payload` (as sent), in the order of the answer.
#[must_use]
pub fn candidates(operation: &Operation, payload: &Value, facility: &str, rows: &[Value]) -> Vec<Candidate> {
    let Some(plan) = &operation.look_up else { return Vec::new() };
    let key = plan.key_for(payload);
    rows.iter()
        .filter(|row| key.iter().all(|(path, field)| equal(operation, payload, facility, row, path, field)))
        .filter_map(|row| candidate(operation, plan, payload, facility, row))
        .collect()
}

fn candidate(operation: &Operation, plan: &LookUp, payload: &Value, facility: &str, row: &Value) -> Option<Candidate> {
    let ids: RemoteIds =
        plan.ids.iter().filter_map(|(name, path)| Some((name.clone(), id_text(at(row, path)?)?))).collect();
    let primary = operation.gives.first().or(operation.own_id.as_ref());
    if primary.is_some_and(|name| !ids.contains_key(name)) {
        return None;
    }
    let unequal = |fields: &BTreeMap<String, String>| -> Vec<String> {
        let differs = fields.iter().filter(|(path, field)| !equal(operation, payload, facility, row, path, field));
        differs.map(|(_, field)| field.clone()).collect()
    };
    let mut differs = unequal(&plan.same);
    let same = differs.is_empty();
    differs.extend(unequal(&plan.report));
    Some(Candidate { ids, same, differs })
}

/// The reported and deciding fields of `payload` that differ from `row`.
#[must_use]
pub fn differing(operation: &Operation, payload: &Value, facility: &str, row: &Value) -> Vec<String> {
    let plan = operation.look_up.as_ref();
    plan.and_then(|plan| candidate(operation, plan, payload, facility, row)).map_or_else(Vec::new, |c| c.differs)
}

fn at<'v>(row: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(row, |value, name| value.get(name))
}

fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn equal(operation: &Operation, payload: &Value, facility: &str, row: &Value, path: &str, field: &str) -> bool {
    let theirs = at(row, path).unwrap_or(&Value::Null);
    if field == "@facility" {
        return theirs.as_str().is_some_and(|code| code.eq_ignore_ascii_case(facility));
    }
    let ours = payload.get(field).unwrap_or(&Value::Null);
    let kind = operation.field(field).map_or(FieldType::Teks, |field| field.kind);
    same_value(kind, ours, theirs)
}

/// Equality as BPJS echoes values: ICD-10 without the dot, numbers as text, empty for null, names with trailing
/// line ends, provider codes in lower case (wire facts §3.6).
fn same_value(kind: FieldType, ours: &Value, theirs: &Value) -> bool {
    match kind {
        FieldType::Angka | FieldType::Bulat | FieldType::DesimalTeks => {
            let number = |value: &Value| if is_blank(value) { Some(0.0) } else { read_decimal(value) };
            match (number(ours), number(theirs)) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-6,
                (Some(_) | None, Some(_) | None) => false,
            }
        }
        FieldType::Icd => {
            let plain = |value: &Value| value.as_str().map(|t| t.replace('.', "").to_ascii_uppercase());
            plain(ours).unwrap_or_default() == plain(theirs).unwrap_or_default()
        }
        FieldType::Kode => text_of(ours).eq_ignore_ascii_case(&text_of(theirs)),
        FieldType::Kartu | FieldType::Tanggal | FieldType::Teks | FieldType::Nomor => text_of(ours) == text_of(theirs),
        FieldType::Ya => ours == theirs,
        FieldType::Objek => is_blank(ours) && is_blank(theirs) || ours == theirs,
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}
