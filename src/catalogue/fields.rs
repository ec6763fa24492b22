//! Payload fields: their types, and what is wrong with a payload, in Indonesian.

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::operation::{Kind, Operation};
use super::payload::is_unset;

/// Longest text a field may carry; BPJS's own limits are unknown (wire facts, Appendix B.10).
const TEXT_MAX: usize = 2000;
/// Longest code or id.
const CODE_MAX: usize = 50;

/// What a field may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Card number, 13 digits as text.
    Kartu,
    /// Day, `dd-mm-yyyy`.
    Tanggal,
    /// Free text.
    Teks,
    /// A code from a reference list.
    Kode,
    /// ICD-10, with or without the dot.
    Icd,
    /// A number.
    Angka,
    /// A whole number, also as text.
    Bulat,
    /// A number or a text with a number, comma or point.
    DesimalTeks,
    /// True or false.
    Ya,
    /// An object, passed on as it is.
    Objek,
    /// An id that BPJS assigned: text or number.
    Nomor,
}

/// A rule across fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// `kdStatusPulang` 4 needs `rujukLanjut.kdppk`: BPJS answers 500 without it (wire facts §5.3).
    ReferralNeedsTarget,
}

/// How one field is described in the tables.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// What it may hold.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Indonesian description.
    pub title: String,
    /// Whether it must be there.
    #[serde(default)]
    pub required: bool,
    /// Whether null is allowed.
    #[serde(default)]
    pub null: bool,
    /// The only values allowed, if any.
    #[serde(default)]
    pub values: Vec<String>,
    /// Sent when absent (a declared normalisation).
    pub default: Option<i64>,
    /// Sent as null when absent (a declared normalisation).
    #[serde(default)]
    pub default_null: bool,
    /// `integer`: a number in a text is sent as a number (a declared normalisation).
    pub send: Option<String>,
}

/// A fault of a payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The field, e.g. `noKartu`; empty for the payload itself.
    pub field: String,
    /// What is wrong and what to do, in Indonesian, without the value.
    pub detail: String,
}

impl Problem {
    pub(crate) fn new(field: &str, detail: impl Into<String>) -> Self {
        Self { field: field.to_owned(), detail: detail.into() }
    }
}

pub(super) fn check(operation: &Operation, payload: &Value) -> Vec<Problem> {
    let Value::Object(given) = payload else {
        return vec![Problem::new("", "payload harus berupa objek JSON")];
    };
    let mut problems = Vec::new();
    for name in given.keys() {
        if operation.field(name).is_none() {
            problems.push(Problem::new(name, unknown(operation, name)));
        }
    }
    for (name, field) in &operation.fields {
        match given.get(name) {
            None if field.required => {
                problems.push(Problem::new(name, format!("wajib diisi ({})", field.title)));
            }
            None => {}
            Some(value) => problems.extend(field.fault(value).map(|detail| Problem::new(name, detail))),
        }
    }
    for rule in &operation.rules {
        problems.extend(rule.fault(payload));
    }
    if operation.kind == Kind::Add {
        problems.extend(assigned_by_bpjs(operation, payload));
    }
    problems
}

/// An add that already carries the id which BPJS is to assign is a mistake of the SIM (it meant an edit).
fn assigned_by_bpjs(operation: &Operation, payload: &Value) -> Vec<Problem> {
    let given = operation.gives.iter().filter(|id| payload.get(id.as_str()).is_some_and(|v| !is_unset(v)));
    given
        .map(|id| Problem::new(id, "diberi oleh BPJS: biarkan null pada penambahan, atau pakai operasi ubah"))
        .collect()
}

fn unknown(operation: &Operation, name: &str) -> String {
    let near = operation.fields.iter().map(|(own, _)| own).find(|own| own.eq_ignore_ascii_case(name));
    match near {
        Some(own) => format!("tidak dikenal; maksudnya {own}?"),
        None => format!("tidak dikenal pada {}; hapus atau perbaiki namanya", operation.name),
    }
}

impl Rule {
    fn fault(self, payload: &Value) -> Option<Problem> {
        match self {
            Self::ReferralNeedsTarget => {
                let refers = payload.get("kdStatusPulang").and_then(Value::as_str) == Some("4");
                let target = payload.pointer("/rujukLanjut/kdppk").is_some_and(|v| !is_unset(v));
                (refers && !target).then(|| {
                    Problem::new(
                        "rujukLanjut",
                        "status pulang 4 (rujuk lanjut) memerlukan rujukLanjut dengan kdppk tujuan",
                    )
                })
            }
        }
    }
}

impl Field {
    /// What is wrong with a value, if anything.
    fn fault(&self, value: &Value) -> Option<String> {
        if value.is_null() {
            return (!self.null).then(|| format!("tidak boleh null ({})", self.title));
        }
        if let Some(text) = value.as_str().filter(|text| text.contains('\0')) {
            return Some(format!("mengandung karakter NUL pada posisi {}", text.find('\0').unwrap_or(0)));
        }
        let fault = self.type_fault(value);
        if fault.is_some() || self.values.is_empty() {
            return fault;
        }
        let known = value.as_str().is_some_and(|text| self.values.iter().any(|allowed| allowed == text));
        (!known).then(|| format!("harus salah satu dari {}", self.values.join(", ")))
    }

    fn type_fault(&self, value: &Value) -> Option<String> {
        let text = value.as_str();
        let (holds, wanted) = match self.kind {
            FieldType::Kartu => {
                (text.is_some_and(|t| t.len() == 13 && t.bytes().all(|b| b.is_ascii_digit())), "teks 13 angka")
            }
            FieldType::Tanggal => (text.is_some_and(|t| read_date(t).is_some()), "tanggal dd-mm-yyyy yang ada"),
            FieldType::Teks => (text.is_some_and(|t| t.chars().count() <= TEXT_MAX), "teks paling panjang 2000 huruf"),
            FieldType::Kode => {
                let fits = |t: &str| !t.trim().is_empty() && is_segment(t) && !t.chars().any(char::is_control);
                (text.is_some_and(fits), "kode berupa teks tidak kosong, paling panjang 50 huruf")
            }
            FieldType::Icd => {
                let fits =
                    |t: &str| (1..=10).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
                (text.is_some_and(fits), "kode ICD-10, dengan atau tanpa titik, mis. J06.9")
            }
            FieldType::Angka => (value.is_number(), "angka (bukan teks)"),
            FieldType::Bulat => (read_whole(value).is_some(), "bilangan bulat"),
            FieldType::DesimalTeks => {
                (read_decimal(value).is_some(), "angka, atau teks berisi angka dengan koma atau titik")
            }
            FieldType::Ya => (value.is_boolean(), "true atau false"),
            FieldType::Objek => (value.is_object(), "objek JSON"),
            FieldType::Nomor => {
                let fits = |t: &str| is_segment(t) && !t.chars().any(|c| c.is_control() || c == '/');
                (value.is_u64() || text.is_some_and(fits), "nomor dari BPJS berupa teks atau angka")
            }
        };
        (!holds).then(|| format!("harus {wanted} ({})", self.title))
    }

    /// The JSON Schema of this field.
    pub(super) fn schema(&self) -> Value {
        let mut schema = match self.kind {
            FieldType::Kartu => json!({ "type": "string", "pattern": "^[0-9]{13}$" }),
            FieldType::Tanggal => json!({ "type": "string", "pattern": "^[0-9]{2}-[0-9]{2}-[0-9]{4}$" }),
            FieldType::Teks => json!({ "type": "string", "maxLength": TEXT_MAX }),
            FieldType::Kode => json!({ "type": "string", "minLength": 1, "maxLength": CODE_MAX }),
            FieldType::Icd => json!({ "type": "string", "pattern": "^[A-Za-z0-9.]{1,10}$" }),
            FieldType::Angka => json!({ "type": "number" }),
            FieldType::Bulat => json!({ "type": ["integer", "string"] }),
            FieldType::DesimalTeks => json!({ "type": ["number", "string"] }),
            FieldType::Ya => json!({ "type": "boolean" }),
            FieldType::Objek => json!({ "type": "object" }),
            FieldType::Nomor => json!({ "type": ["string", "integer"] }),
        };
        if let Some(map) = schema.as_object_mut() {
            if self.null {
                let allowed = match map.remove("type") {
                    Some(Value::Array(mut types)) => {
                        types.push(json!("null"));
                        Value::Array(types)
                    }
                    Some(one) => json!([one, "null"]),
                    None => json!("null"),
                };
                map.insert("type".to_owned(), allowed);
            }
            if !self.values.is_empty() {
                map.insert("enum".to_owned(), json!(self.values));
            }
            map.insert("description".to_owned(), json!(self.title));
        }
        schema
    }
}

/// Whether a text may stand as one segment of a path: the dot segments would lead to another address.
pub(super) fn is_segment(text: &str) -> bool {
    text.len() <= CODE_MAX && !matches!(text.trim(), "." | "..")
}

/// A day as BPJS writes it.
#[must_use]
pub(crate) fn read_date(text: &str) -> Option<Date> {
    let digits = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if i == 2 || i == 5 { b == b'-' } else { b.is_ascii_digit() });
    if !digits {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<i16>().ok());
    let (day, month, year) = (number(0..2)?, number(3..5)?, number(6..10)?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    (1900..=2200).contains(&year).then_some(date)
}

/// A whole number, also from a text.
pub(super) fn read_whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

/// A number, also from a text with comma or point.
pub(super) fn read_decimal(value: &Value) -> Option<f64> {
    let from_text = |text: &str| text.trim().replace(',', ".").parse::<f64>().ok();
    value.as_f64().or_else(|| value.as_str().and_then(from_text)).filter(|number| number.is_finite())
}
