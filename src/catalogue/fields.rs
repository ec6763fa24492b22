//! Payload fields: their types, and what is wrong with one value, in Indonesian.

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

/// Longest text a field may carry; BPJS's own limits are unknown (wire facts, Appendix B.10).
pub(super) const TEXT_MAX: usize = 2000;
/// Longest code or id.
pub(super) const CODE_MAX: usize = 50;
/// 2001 to 2286: what has 13 digits. Seconds taken for milliseconds fall below.
const EPOCH_MS: (i64, i64) = (1_000_000_000_000, 9_999_999_999_999);

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
    /// An object: passed on as it is, unless the table names its members.
    Objek,
    /// A list of objects whose members the table names as `name[].member`.
    Daftar,
    /// An id that BPJS assigned: text or number.
    Nomor,
    /// Day, `yyyy-mm-dd`.
    TanggalIso,
    /// Instant of a day, `yyyy-mm-dd hh:mm:ss`.
    Waktu,
    /// A whole number, as a number (never as text).
    Bilangan,
    /// Milliseconds since 1970 (UTC), as a number.
    EpokMs,
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
    /// Whether an empty text is allowed (V-Claim writes "" for *none*).
    #[serde(default)]
    pub empty: bool,
    /// The form of a text: `*` a letter or digit, `#` a digit, anything else itself.
    pub shape: Option<String>,
    /// The smallest number allowed.
    pub min: Option<f64>,
    /// The greatest number allowed; for a list, how many items.
    pub max: Option<f64>,
    /// An invented value for documentation, the simulator and the walk over the catalogue.
    example: Option<toml::Value>,
}

impl Field {
    /// The table's example as JSON.
    #[must_use]
    pub fn example(&self) -> Option<Value> {
        serde_json::to_value(self.example.as_ref()?).ok()
    }

    /// What is wrong with a value, if anything.
    pub(super) fn fault(&self, value: &Value) -> Option<String> {
        if value.is_null() {
            return (!self.null).then(|| format!("tidak boleh null ({})", self.title));
        }
        if value.as_str() == Some("") && self.empty {
            return None;
        }
        if let Some(text) = value.as_str().filter(|text| text.contains('\0')) {
            return Some(format!("mengandung karakter NUL pada posisi {}", text.find('\0').unwrap_or(0)));
        }
        let fault = self.type_fault(value).or_else(|| self.bounds_fault(value));
        if fault.is_some() || self.values.is_empty() {
            return fault;
        }
        let known = self.values.iter().any(|allowed| match value {
            Value::String(text) => text == allowed,
            Value::Number(number) => number.to_string() == *allowed,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        });
        (!known).then(|| format!("harus salah satu dari {}", self.values.join(", ")))
    }

    /// Form and size. An id that is still open has no form yet.
    fn bounds_fault(&self, value: &Value) -> Option<String> {
        if let (Some(shape), Some(text)) = (&self.shape, value.as_str())
            && !(self.kind == FieldType::Nomor && super::payload::is_unset(value))
            && !has_shape(shape, text)
        {
            let wanted = format!("{shape} (* huruf atau angka, # angka)");
            return Some(format!("harus berbentuk {wanted} ({})", self.title));
        }
        let size = match value {
            Value::Array(items) => u32::try_from(items.len()).map(f64::from).ok(),
            other => other.as_f64(),
        }?;
        let (low, high) = (self.min.is_some_and(|min| size < min), self.max.is_some_and(|max| size > max));
        let bound = |bound: Option<f64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
        match (low, high) {
            (false, false) => None,
            (true, _) => Some(format!("paling sedikit {} ({})", bound(self.min), self.title)),
            (false, true) => Some(format!("paling banyak {} ({})", bound(self.max), self.title)),
        }
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
            FieldType::Daftar => (value.is_array(), "daftar JSON"),
            FieldType::TanggalIso => (text.is_some_and(|t| read_iso_date(t).is_some()), "tanggal yyyy-mm-dd yang ada"),
            FieldType::Waktu => (text.is_some_and(is_instant), "waktu yyyy-mm-dd jj:mm:dd yang ada"),
            FieldType::Bilangan => (value.is_i64() || value.is_u64(), "bilangan bulat (angka, bukan teks)"),
            FieldType::EpokMs => {
                let fits = |ms: i64| (EPOCH_MS.0..=EPOCH_MS.1).contains(&ms);
                (value.as_i64().is_some_and(fits), "waktu dalam milidetik sejak 1970 (angka 13 digit)")
            }
            FieldType::Nomor => {
                let fits = |t: &str| is_segment(t) && !t.chars().any(|c| c.is_control() || c == '/');
                (value.is_u64() || text.is_some_and(fits), "nomor dari BPJS berupa teks atau angka")
            }
        };
        (!holds).then(|| format!("harus {wanted} ({})", self.title))
    }
}

/// Whether a text may stand as one segment of a path: the dot segments would lead to another address.
pub(super) fn is_segment(text: &str) -> bool {
    text.len() <= CODE_MAX && !matches!(text.trim(), "." | "..")
}

impl FieldType {
    /// The day that a text of this type names; `None` for other types too.
    #[must_use]
    pub fn day(self, text: &str) -> Option<Date> {
        match self {
            Self::Tanggal => read_date(text),
            Self::TanggalIso => read_iso_date(text),
            Self::Waktu => text.get(..10).filter(|_| is_instant(text)).and_then(read_iso_date),
            Self::Kartu
            | Self::Teks
            | Self::Kode
            | Self::Icd
            | Self::Angka
            | Self::Bulat
            | Self::DesimalTeks
            | Self::Ya
            | Self::Objek
            | Self::Daftar
            | Self::Nomor
            | Self::Bilangan
            | Self::EpokMs => None,
        }
    }

    /// A day as a field of this type carries it: `yyyy-mm-dd` for the ISO types, else `dd-mm-yyyy`.
    #[must_use]
    pub fn write_day(self, day: Date) -> String {
        match self {
            Self::TanggalIso | Self::Waktu => format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day()),
            _ => format!("{:02}-{:02}-{:04}", day.day(), day.month(), day.year()),
        }
    }
}

/// Whether a text has a form: `*` a letter or digit, `#` a digit, anything else itself in either case.
fn has_shape(shape: &str, text: &str) -> bool {
    shape.len() == text.len()
        && shape.bytes().zip(text.bytes()).all(|(wanted, there)| match wanted {
            b'*' => there.is_ascii_alphanumeric(),
            b'#' => there.is_ascii_digit(),
            other => there.eq_ignore_ascii_case(&other),
        })
}

/// A day as P-Care writes it, `dd-mm-yyyy`.
#[must_use]
pub(crate) fn read_date(text: &str) -> Option<Date> {
    day_of(text, "##-##-####", [6..10, 3..5, 0..2])
}

/// A day as V-Claim and Antrean write it, `yyyy-mm-dd`.
#[must_use]
fn read_iso_date(text: &str) -> Option<Date> {
    day_of(text, "####-##-##", [0..4, 5..7, 8..10])
}

fn day_of(text: &str, shape: &str, [year, month, day]: [std::ops::Range<usize>; 3]) -> Option<Date> {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<i16>().ok());
    if !has_shape(shape, text) {
        return None;
    }
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    (1900..=2200).contains(&year).then_some(date)
}

fn is_instant(text: &str) -> bool {
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u8>().ok());
    has_shape("####-##-## ##:##:##", text)
        && text.get(..10).and_then(read_iso_date).is_some()
        && part(11..13).is_some_and(|hour| hour < 24)
        && part(14..16).is_some_and(|minute| minute < 60)
        && part(17..19).is_some_and(|second| second < 60)
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
