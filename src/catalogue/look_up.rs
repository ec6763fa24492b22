//! Looking an entry up: which rows of a read are it, which might be, and what differs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::answers::RemoteIds;
use super::fields::{FieldType, read_decimal};
use super::operation::Operation;
use super::paths::at;

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
    /// Placeholder of the read's path ← where its value comes from.
    pub args: BTreeMap<String, Arg>,
    /// Row path ← payload field (or `@facility`, or `=literal`): rows equal in all of these are about this entry. A row
    /// path may end in `[0..8]`: only these characters.
    pub key: BTreeMap<String, String>,
    /// Another key when a field has a certain value.
    pub key_unless: Option<KeyUnless>,
    /// Row path ← payload field: equal in all of these too, the row is this entry.
    #[serde(default)]
    pub same: BTreeMap<String, String>,
    /// Row path ← payload field: differences worth reporting, not deciding.
    #[serde(default)]
    pub report: BTreeMap<String, String>,
    /// Id name ← row path.
    #[serde(default)]
    pub ids: BTreeMap<String, String>,
    /// A second step: what the list shows, or a duplicate's message names, is read by itself before it is adopted.
    pub confirm: Option<Confirm>,
}

/// The second step of a look-up: read the one found by its id and compare that.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The read to call.
    pub read: String,
    /// Its placeholder for the id.
    pub arg: String,
    /// The id it is given (a name in `ids`).
    pub id: String,
    /// As in the plan: unless all of these are equal, it is another entry (another hospital's, another day's).
    pub key: BTreeMap<String, String>,
    /// As in the plan: unless all of these are equal too, a person decides.
    #[serde(default)]
    pub same: BTreeMap<String, String>,
    /// Row paths that carry a name where the payload has a code.
    #[serde(default)]
    pub named: Vec<Named>,
}

/// A row path that carries a reference's name; the payload has its code. Equal if the reference read for the code gives
/// that name (or the row has the code itself).
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Row path with the name.
    pub path: String,
    /// Payload field with the code.
    pub field: String,
    /// The reference to read.
    pub read: String,
    /// Its placeholder for the code.
    pub arg: String,
    /// Row field of the reference with the code.
    pub code: String,
    /// Row field of the reference with the name.
    pub name: String,
}

/// Where a look-up's argument comes from.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum Arg {
    /// A payload field: `"tglSep"`.
    Field(String),
    /// These characters: `"=2"`.
    Literal(String),
    /// The month of a field's day, `01` to `12`: `"@month tglRencanaKontrol"`; of the day of asking: `"@month"`.
    Month(Option<String>),
    /// The same without a leading zero, `1` to `12`: `"@m"`.
    MonthPlain(Option<String>),
    /// The year of a field's day, or of the day of asking.
    Year(Option<String>),
    /// The day of asking less so many days, `yyyy-mm-dd`: `"@today"`, `"@today-1"`.
    Today(i64),
}

impl TryFrom<String> for Arg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(literal) = text.strip_prefix('=') {
            return Ok(Self::Literal(literal.to_owned()));
        }
        let Some(special) = text.strip_prefix('@') else { return Ok(Self::Field(text)) };
        let (word, field) = special.split_once(' ').map_or((special, None), |(word, field)| (word, Some(field)));
        let field = field.map(str::to_owned);
        match (word, field) {
            ("month", field) => Ok(Self::Month(field)),
            ("m", field) => Ok(Self::MonthPlain(field)),
            ("year", field) => Ok(Self::Year(field)),
            ("today", None) => Ok(Self::Today(0)),
            (word, None) => {
                let back = word.strip_prefix("today-").and_then(|days| days.parse().ok());
                back.map(Self::Today).ok_or_else(|| format!("unknown argument {text}"))
            }
            (_, Some(_)) => Err(format!("unknown argument {text}")),
        }
    }
}

impl Arg {
    /// The payload field it needs, if any.
    #[must_use]
    pub fn field(&self) -> Option<&String> {
        match self {
            Self::Field(field) => Some(field),
            Self::Month(field) | Self::MonthPlain(field) | Self::Year(field) => field.as_ref(),
            Self::Literal(_) | Self::Today(_) => None,
        }
    }

    /// Its value for a payload, asked on `today` (BPJS's day); `None` while the field is open.
    #[must_use]
    pub fn value(&self, operation: &Operation, payload: &Value, today: Date) -> Option<String> {
        let day = |field: &Option<String>| match field {
            None => Some(today),
            Some(field) => operation.day_in(payload, field),
        };
        match self {
            Self::Field(field) => id_text(at(payload, field)?),
            Self::Literal(text) => Some(text.clone()),
            Self::Month(field) => Some(format!("{:02}", day(field)?.month())),
            Self::MonthPlain(field) => Some(day(field)?.month().to_string()),
            Self::Year(field) => Some(format!("{:04}", day(field)?.year())),
            Self::Today(back) => {
                let day = today.checked_sub(jiff::Span::new().try_days(*back).ok()?).ok()?;
                Some(FieldType::TanggalIso.write_day(day))
            }
        }
    }
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

    /// The read's arguments for a payload, asked on `today` (BPJS's day); `None` while one of them is open.
    #[must_use]
    pub fn arguments(&self, operation: &Operation, payload: &Value, today: Date) -> Option<Vec<(String, String)>> {
        let value = |(name, arg): (&String, &Arg)| Some((name.clone(), arg.value(operation, payload, today)?));
        self.args.iter().map(value).collect()
    }

    /// The reads it calls.
    pub(super) fn reads(&self) -> impl Iterator<Item = &String> {
        let confirm = self.confirm.iter();
        let named = confirm.clone().flat_map(|confirm| confirm.named.iter().map(|named| &named.read));
        std::iter::once(&self.read).chain(confirm.map(|confirm| &confirm.read)).chain(named)
    }

    /// The payload fields it names.
    pub(super) fn fields(&self) -> impl Iterator<Item = &String> {
        let confirm = self.confirm.iter();
        let compared = confirm.clone().flat_map(|c| c.key.values().chain(c.same.values()));
        let named = confirm.flat_map(|c| c.named.iter().map(|named| &named.field));
        let own = self.key.values().chain(self.same.values()).chain(self.report.values());
        let maps = own.chain(compared).filter(|field| !field.starts_with(['@', '=']));
        maps.chain(named).chain(self.args.values().filter_map(Arg::field))
    }

    fn key_for(&self, payload: &Value) -> &BTreeMap<String, String> {
        match &self.key_unless {
            Some(other) if at(payload, &other.field) == Some(&other.equals) => &other.key,
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
        plan.ids.iter().filter_map(|(name, path)| Some((name.clone(), id_text(&row_at(row, path)?)?))).collect();
    let primary = operation.gives.first().or(operation.own_id.as_ref());
    if primary.is_some_and(|name| !ids.contains_key(name)) {
        return None;
    }
    let mut differs = unequal(operation, payload, facility, row, &plan.same);
    let same = differs.is_empty();
    differs.extend(unequal(operation, payload, facility, row, &plan.report));
    Some(Candidate { ids, same, differs })
}

/// The reported and deciding fields of `payload` that differ from `row`.
#[must_use]
pub fn differing(operation: &Operation, payload: &Value, facility: &str, row: &Value) -> Vec<String> {
    let plan = operation.look_up.as_ref();
    plan.and_then(|plan| candidate(operation, plan, payload, facility, row)).map_or_else(Vec::new, |c| c.differs)
}

/// The value under a row path, which may end in a range of characters: `noSep[0..8]`.
fn row_at(row: &Value, path: &str) -> Option<Value> {
    let Some((path, range)) = path.strip_suffix(']').and_then(|path| path.split_once('[')) else {
        return at(row, path).cloned();
    };
    let (from, to) = range.split_once("..")?;
    let text = at(row, path)?.as_str()?;
    text.get(from.parse().ok()?..to.parse().ok()?).map(Value::from)
}

/// An id as text.
pub(super) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a row has what `payload` says at every `path ← field` of a map (for the second step of a look-up); the fields
/// that differ.
#[must_use]
pub fn unequal(
    operation: &Operation,
    payload: &Value,
    facility: &str,
    row: &Value,
    map: &BTreeMap<String, String>,
) -> Vec<String> {
    let differs = map.iter().filter(|(path, field)| !equal(operation, payload, facility, row, path, field));
    differs.map(|(_, field)| field.clone()).collect()
}

fn equal(operation: &Operation, payload: &Value, facility: &str, row: &Value, path: &str, field: &str) -> bool {
    let theirs = row_at(row, path).unwrap_or_default();
    if field == "@facility" {
        return theirs.as_str().is_some_and(|code| code.eq_ignore_ascii_case(facility));
    }
    if let Some(literal) = field.strip_prefix('=') {
        return text_of(&theirs).eq_ignore_ascii_case(literal);
    }
    let ours = at(payload, field).unwrap_or(&Value::Null);
    let kind = operation.field(field).map_or(FieldType::Teks, |field| field.kind);
    same_value(kind, ours, &theirs)
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
        // BPJS gives numbers back in either case (`1828r0011221v000001`).
        FieldType::Kode | FieldType::Nomor => text_of(ours).eq_ignore_ascii_case(&text_of(theirs)),
        FieldType::Kartu
        | FieldType::Tanggal
        | FieldType::TanggalIso
        | FieldType::Waktu
        | FieldType::Teks
        | FieldType::Bilangan
        | FieldType::EpokMs => text_of(ours) == text_of(theirs),
        FieldType::Ya => ours == theirs,
        FieldType::Objek | FieldType::Daftar => is_blank(ours) && is_blank(theirs) || ours == theirs,
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
