//! The shape in which a service gives ids, for answers that BPJS did not give itself.
//!
//! P-Care gives `{field, message}`, a list of them where there may be several (wire facts of P-Care, §3.5).

use serde_json::{Map, Value, json};

use super::answer::Content;
use crate::catalogue::{Kind, Operation, Service};

/// Code and words of a success.
pub(super) fn success(operation: &Operation) -> (i64, &'static str) {
    match (operation.service, operation.kind) {
        (Service::Pcare, Kind::Add) => (201, "CREATED"),
        (Service::Pcare | Service::Icare, Kind::Add | Kind::Edit | Kind::Delete | Kind::Read) => (200, "OK"),
        (Service::Vclaim, _) => (200, "Sukses"),
        (Service::AntreanFktp, _) => (200, "Ok"),
    }
}

/// The ids as the operation's own answer has them.
pub(super) fn ids(operation: &Operation, ids: &[(String, String)]) -> Content {
    match operation.service {
        Service::Pcare => {
            let rows = rows(ids);
            Content::Sealed(if is_list(operation) { Value::Array(rows) } else { rows.into_iter().next().into() })
        }
        Service::AntreanFktp if ids.is_empty() => Content::Absent,
        Service::Vclaim | Service::AntreanFktp | Service::Icare => Content::Sealed(named(operation, ids)),
    }
}

/// The provisional ids in the same places, and beside them what the bridge says about the entry.
pub(super) fn receipt(operation: &Operation, ids: &[(String, String)], about: Value) -> Content {
    let value = match operation.service {
        Service::Pcare if is_list(operation) => {
            let mut rows = rows(ids);
            rows.push(json!({ "field": "jembatan", "message": about["pengantaran"], "jembatan": about }));
            Value::Array(rows)
        }
        Service::Pcare => {
            let mut row = rows(ids).into_iter().next().unwrap_or_else(|| json!({}));
            row["jembatan"] = about;
            row
        }
        Service::Vclaim | Service::AntreanFktp | Service::Icare => {
            let mut value = named(operation, ids);
            if value.is_null() {
                value = json!({});
            }
            // An answer that is nothing but the number has no room beside it: the words say the rest.
            if let Some(map) = value.as_object_mut() {
                map.insert("jembatan".to_owned(), about);
            }
            value
        }
    };
    Content::Sealed(value)
}

fn rows(ids: &[(String, String)]) -> Vec<Value> {
    ids.iter().map(|(name, id)| json!({ "field": name, "message": id })).collect()
}

/// P-Care answers a visit and a drug with a list, everything else with one object.
fn is_list(operation: &Operation) -> bool {
    operation.name == "pcare.kunjungan.add" || operation.gives.len() + operation.gives_also.len() > 1
}

/// The ids where the catalogue says that they stand in the answer; null without ids.
fn named(operation: &Operation, ids: &[(String, String)]) -> Value {
    let mut answer = Value::Null;
    for (name, id) in ids {
        let path = operation.ids_at.get(name).unwrap_or(name);
        if path == "." {
            return id.clone().into();
        }
        put(&mut answer, path, id);
    }
    answer
}

fn put(value: &mut Value, path: &str, id: &str) {
    let mut at = value;
    for step in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[step];
    }
    *at = id.into();
}
