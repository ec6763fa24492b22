//! Provisional numbers: how they look, and what becomes of them in a call.
//!
//! Job: find every provisional number in a path or a body and say what it stands for now. Invariants: a text counts as
//! one only if its whole form fits and this client was given it; a number that is not known is an error, never sent on.
//! Neighbours: `store` makes and remembers them, [`super::write`] and [`super::read`] replace them. What it does not do:
//! change anything.

use serde_json::Value;

use super::Call;
use super::answer::Reply;
use super::outcome::store_down;
use crate::catalogue::Operation;
use crate::queue::State;
use crate::store::{NumberForm, ProvisionalId};

/// The number of a queue at a clinic: five characters, as long as BPJS's may be in a SIM's table.
const QUEUE: NumberForm = NumberForm { prefix: "~", tail: 4 };
/// A number that would stand on a referral letter says that it is none.
const REFERRAL: NumberForm = NumberForm { prefix: "BUKANRUJUKAN-", tail: 6 };
/// Everything else: nineteen characters like BPJS's longest.
const ANY: NumberForm = NumberForm { prefix: "SEMENTARA-", tail: 9 };

/// A provisional number in a call.
pub(super) struct Number {
    /// As it stands there.
    pub(super) value: String,
    /// What it stands for.
    pub(super) owner: ProvisionalId,
    /// BPJS's own, once there is one.
    pub(super) real: Option<String>,
}

/// Every provisional number in the call's path and body.
pub(super) async fn find(call: &Call<'_>) -> Result<Vec<Number>, Reply> {
    let mut texts: Vec<&str> = call.params.iter().map(|(_, value)| value.as_str()).collect();
    collect(call.body.expose(), &mut texts);
    texts.retain(|text| looks_provisional(text));
    texts.sort_unstable();
    texts.dedup();
    let mut found = Vec::with_capacity(texts.len());
    for text in texts {
        let owner = call.app.store.provisional(&call.caller.name, &call.facility, text).await;
        let owner = owner.map_err(|error| store_down(&error))?.ok_or_else(|| {
            Reply::own(404, format!("Nomor sementara {text} tidak dikenal jembatan ini untuk klien dan faskes ini."))
        })?;
        let progress = &owner.delivery.progress;
        let real = progress.remote.expose().get(&owner.name).filter(|_| progress.state == State::Delivered).cloned();
        found.push(Number { value: text.to_owned(), owner, real });
    }
    Ok(found)
}

fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(map) => map.values().for_each(|item| collect(item, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn looks_provisional(text: &str) -> bool {
    [QUEUE, REFERRAL, ANY].iter().any(|form| {
        let tail = text.strip_prefix(form.prefix);
        tail.is_some_and(|tail| {
            tail.len() == form.tail && tail.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        })
    })
}

/// Puts BPJS's numbers where provisional ones stand.
pub(super) fn put_real(value: &mut Value, found: &[Number]) {
    walk(value, &mut |text| {
        let number = found.iter().find(|number| number.value == text)?;
        number.real.clone().map(Value::String)
    });
}

/// Leaves every place open where a provisional number still stands.
pub(super) fn leave_open(value: &mut Value, found: &[Number]) {
    walk(value, &mut |text| found.iter().any(|number| number.value == text).then_some(Value::Null));
}

fn walk(value: &mut Value, replaced: &mut dyn FnMut(&str) -> Option<Value>) {
    match value {
        Value::String(text) => {
            if let Some(other) = replaced(text) {
                *value = other;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, replaced)),
        Value::Object(map) => map.values_mut().for_each(|item| walk(item, replaced)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Dotted names of the fields in which `wanted` stands.
pub(super) fn places(value: &Value, wanted: &str) -> Vec<String> {
    let mut found = Vec::new();
    note(value, wanted, "", &mut found);
    found
}

fn note(value: &Value, wanted: &str, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text == wanted => found.push(at.to_owned()),
        Value::Object(map) => {
            for (name, item) in map {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                note(item, wanted, &at, found);
            }
        }
        // A list names no field that the catalogue could fill.
        Value::Array(items) => items.iter().for_each(|item| note(item, wanted, &format!("{at}[]"), found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The provisional numbers that an add needs until BPJS gives its own.
pub(super) fn wanted(operation: &Operation, payload: &Value) -> Vec<(String, NumberForm)> {
    let refers = payload.get("rujukLanjut").is_some_and(|target| !target.is_null());
    let form = |name: &str| {
        if name == "noUrut" {
            QUEUE
        } else if refers || name.to_ascii_lowercase().contains("rujukan") {
            REFERRAL
        } else {
            ANY
        }
    };
    operation.gives.iter().chain(&operation.gives_also).map(|name| (name.clone(), form(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_whole_form_counts_and_bpjs_numbers_never_do() {
        for text in ["~7K2Q", "SEMENTARA-7K2QX9ABC", "BUKANRUJUKAN-7K2QX9"] {
            assert!(looks_provisional(text), "{text}");
        }
        for text in ["A1", "~7K2", "~7k2q", "0114A0261126Y000001", "SEMENTARA-", "SEMENTARA-7K2QX9ABCD", "sementara"] {
            assert!(!looks_provisional(text), "{text}");
        }
    }

    #[test]
    fn places_are_named_with_dots_and_lists_are_none_of_the_catalogues() {
        let body = json!({ "a": "x", "b": { "c": "x" }, "d": ["x"], "e": "y" });
        assert_eq!(places(&body, "x"), ["a", "b.c", "d[]"]);
    }
}
