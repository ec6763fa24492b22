//! Dotted names: `rujukan.noRujukan` in a payload, `peserta.noKartu` in a row; and the envelope around a payload.
//!
//! Job: find, set and wrap. Pure. Invariants: a name without a dot means the member of that name, as before; nothing is
//! invented: setting makes only the objects that the name itself names. Neighbours: everyone who reads a payload by a
//! name of the catalogue. What it does not do: arrays by index; `diagnosa[].kode` names fields, not values.

use serde_json::{Map, Value};

/// The value under a dotted name.
#[must_use]
pub fn at<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    name.split('.').try_fold(value, |value, step| value.get(step))
}

/// Puts a value under a dotted name, making objects on the way. What is no object on the way stays as it is, and the
/// answer is false.
pub(super) fn set(map: &mut Map<String, Value>, name: &str, value: Value) -> bool {
    let Some((step, rest)) = name.split_once('.') else {
        map.insert(name.to_owned(), value);
        return true;
    };
    let inner = map.entry(step).or_insert_with(|| Value::Object(Map::new()));
    if inner.is_null() {
        *inner = Value::Object(Map::new());
    }
    inner.as_object_mut().is_some_and(|inner| set(inner, rest, value))
}

/// Takes the value under a dotted name away.
pub(super) fn remove(map: &mut Map<String, Value>, name: &str) {
    match name.split_once('.') {
        None => {
            map.shift_remove(name);
        }
        Some((step, rest)) => {
            if let Some(inner) = map.get_mut(step).and_then(Value::as_object_mut) {
                remove(inner, rest);
            }
        }
    }
}

/// The value under a dotted name of a map.
pub(super) fn of<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    match name.split_once('.') {
        None => map.get(name),
        Some((step, rest)) => at(map.get(step)?, rest),
    }
}

/// `value` inside the objects that `steps` name, the outermost first.
pub(super) fn wrap(steps: &[String], value: Value) -> Value {
    steps.iter().rev().fold(value, |inner, step| {
        let mut map = Map::new();
        map.insert(step.clone(), inner);
        Value::Object(map)
    })
}

/// What stands inside the objects that `steps` name; `None` if `value` is not wrapped in exactly these.
pub(super) fn unwrap<'v>(steps: &[String], value: &'v Value) -> Option<&'v Value> {
    let inside = steps.iter().try_fold(value, |value, step| {
        let map = value.as_object().filter(|map| map.len() == 1)?;
        map.get(step)
    });
    inside.filter(|inner| !steps.is_empty() && inner.is_object())
}
