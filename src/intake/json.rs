//! Strict reading of JSON, and the one text that equal JSON has.
//!
//! Job: [`read`] refuses what `serde_json` lets pass (a key twice: the last would win in silence; NUL in a text), and
//! [`canonical`] writes equal values as equal texts. Pure. Neighbours: `http` reads request bodies with it, the parent
//! compares submissions. What it does not do: know which fields there are.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Fault;

/// Why a text is no JSON that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonFault {
    /// Not JSON at all; where the reader stumbled.
    Syntax {
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
    },
    /// Nested deeper than [`DEPTH`].
    TooDeep,
    /// A key stands twice in one object; JSON Pointer of the second.
    Twice(String),
    /// Texts (or keys) that contain NUL.
    Nul(Vec<Fault>),
}

/// Deepest nesting that is read (the limit of `serde_json`, which protects the stack).
pub const DEPTH: usize = 127;

/// Reads a whole text as JSON.
///
/// # Errors
/// [`JsonFault`], with the place.
pub fn read(bytes: &[u8]) -> Result<Value, JsonFault> {
    let (path, twice) = (RefCell::new(Vec::new()), RefCell::new(None));
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { path: &path, twice: &twice };
    let value = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let value = value.map_err(|error| match twice.take() {
        Some(pointer) => JsonFault::Twice(pointer),
        // serde_json has no category for this; its text is the only mark.
        None if error.to_string().starts_with("recursion limit exceeded") => JsonFault::TooDeep,
        None => JsonFault::Syntax { line: error.line(), column: error.column() },
    })?;
    let mut faults = Vec::new();
    find_nul(&value, &mut String::new(), &mut faults);
    if faults.is_empty() { Ok(value) } else { Err(JsonFault::Nul(faults)) }
}

/// `name` as one step of a JSON Pointer (RFC 6901), with its slash.
#[must_use]
pub fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A dotted name of the catalogue as a JSON Pointer.
#[must_use]
pub fn pointer(name: &str) -> String {
    name.split('.').map(step).collect()
}

fn find_nul(value: &Value, at: &mut String, faults: &mut Vec<Fault>) {
    let mut inside = |name: &str, value: &Value, faults: &mut Vec<Fault>| {
        let length = at.len();
        at.push_str(&step(name));
        if name.contains('\0') {
            faults.push(Fault::new(at.replace('\0', "�"), "nama mengandung karakter NUL"));
        }
        find_nul(value, at, faults);
        at.truncate(length);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| inside(name, value, faults)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| inside(&i.to_string(), value, faults));
        }
        Value::String(text) => {
            if let Some(place) = text.find('\0') {
                faults.push(Fault::new(at.clone(), format!("mengandung karakter NUL pada posisi {place}; hapus")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Builds a [`Value`] and remembers where it is, so that a key that stands twice can be named.
#[derive(Clone, Copy)]
struct Strict<'a> {
    path: &'a RefCell<Vec<String>>,
    twice: &'a RefCell<Option<String>>,
}

impl Strict<'_> {
    fn enter(&self, name: &str) {
        self.path.borrow_mut().push(step(name));
    }

    fn leave(&self) {
        self.path.borrow_mut().pop();
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            self.enter(&list.len().to_string());
            let Some(item) = items.next_element_seed(self)? else { break };
            self.leave();
            list.push(item);
        }
        self.leave();
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            self.enter(&name);
            if map.contains_key(&name) {
                *self.twice.borrow_mut() = Some(self.path.borrow().concat());
                return Err(de::Error::custom("key twice"));
            }
            let value = entries.next_value_seed(self)?;
            self.leave();
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

/// The text of a value with keys sorted and numbers in one form: two values are equal JSON exactly if their texts are
/// equal. JSON knows one kind of number, so `1`, `1.0` and `1e0` are the same; SIMs written in languages with one number
/// type repeat a body with either spelling.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (i, (name, value)) in entries.into_iter().enumerate() {
                text.push_str(if i == 0 { "" } else { "," });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (i, value) in items.iter().enumerate() {
                text.push_str(if i == 0 { "" } else { "," });
                write(value, text);
            }
            text.push(']');
        }
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

/// Whole numbers without point or exponent as far as 64-bit integers reach; beyond, only doubles exist and their
/// shortest text is unique.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are checked just before")]
fn number_text(number: &Number) -> String {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    match number.as_f64() {
        Some(double) if double.fract() == 0.0 && (-TWO_63..TWO_63).contains(&double) => (double as i64).to_string(),
        Some(double) if double.fract() == 0.0 && (TWO_63..TWO_63 * 2.0).contains(&double) => {
            (double as u64).to_string()
        }
        Some(_) | None => number.to_string(),
    }
}
