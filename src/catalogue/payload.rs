//! From the payload as handed in to the request as sent: ids filled in, declared normalisations, path rendered.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::fields::read_whole;
use super::operation::Operation;
use super::paths;

/// Characters that stay as they are in a path segment (RFC 3986 unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A payload ready to send, with what was changed on the way.
#[derive(Clone, PartialEq, Debug)]
pub struct Filled {
    /// The payload with ids filled in and normalisations applied.
    pub payload: Value,
    /// Names of the fields that were filled or normalised, for the attempt's record.
    pub changed: Vec<String>,
}

/// A field that had to be filled and could not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("field {field} is open and no prerequisite gives it")]
pub struct NotFilled {
    /// The payload field.
    pub field: String,
}

/// Whether a field is left open: absent is judged by the caller; null, empty text and 0 count as open.
#[must_use]
pub fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty() || text == "0",
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Fills open fields from `id_of(operation, id name)` and applies the catalogue's normalisations.
///
/// # Errors
/// [`NotFilled`] if a needed field stays open.
pub fn fill<F>(operation: &Operation, payload: &Value, id_of: F) -> Result<Filled, NotFilled>
where
    F: Fn(&str, &str) -> Option<String>,
{
    let mut map = payload.as_object().cloned().unwrap_or_default();
    let mut changed = Vec::new();
    for need in &operation.needs {
        if paths::of(&map, &need.field).is_some_and(|value| !is_unset(value)) {
            continue;
        }
        match need.from.iter().find_map(|from| id_of(from, &need.id)) {
            Some(id) => {
                if !paths::set(&mut map, &need.field, as_wire(&id, need.as_type.as_deref())) {
                    return Err(NotFilled { field: need.field.clone() });
                }
                changed.push(need.field.clone());
            }
            None if need.optional => {}
            None => return Err(NotFilled { field: need.field.clone() }),
        }
    }
    normalise(operation, &mut map, &mut changed);
    Ok(Filled { payload: Value::Object(map), changed })
}

fn as_wire(id: &str, wanted: Option<&str>) -> Value {
    match (wanted, id.parse::<i64>()) {
        (Some("integer"), Ok(number)) => json!(number),
        (_, Ok(_) | Err(_)) => json!(id),
    }
}

fn normalise(operation: &Operation, map: &mut Map<String, Value>, changed: &mut Vec<String>) {
    for name in &operation.omit_null {
        if paths::of(map, name).is_some_and(Value::is_null) {
            paths::remove(map, name);
            changed.push(name.clone());
        }
    }
    for (name, field) in &operation.fields {
        if field.send.as_deref() == Some("integer")
            && let Some(number) = paths::of(map, name).filter(|value| value.is_string()).and_then(read_whole)
            && paths::set(map, name, json!(number))
        {
            changed.push(name.clone());
        }
        if (field.default.is_some() || field.default_null)
            && paths::of(map, name).is_none()
            && paths::set(map, name, field.default.map_or(Value::Null, Value::from))
        {
            changed.push(name.clone());
        }
    }
}

/// No encoding keeps a URL parser from climbing at a dot segment.
fn is_dots(value: &str) -> bool {
    matches!(value, "." | "..")
}

/// The path with every `{placeholder}` replaced by the percent-encoded value of that field.
///
/// # Errors
/// [`NotFilled`] if a placeholder's field is open, or a dot segment that would lead to another address.
pub fn render_path(template: &str, value_of: impl Fn(&str) -> Option<String>) -> Result<String, NotFilled> {
    let mut path = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        path.push_str(before);
        let value = value_of(name).filter(|value| !value.is_empty() && !is_dots(value));
        let value = value.ok_or_else(|| NotFilled { field: name.to_owned() })?;
        path.extend(utf8_percent_encode(&value, SEGMENT));
        rest = tail;
    }
    path.push_str(rest);
    Ok(path)
}
