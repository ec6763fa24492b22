//! A profile that says only what differs from another: `based_on = "bontang-2024.toml"`.
//!
//! Job: lay a profile's table over its base's. Invariants: name, number and term are never inherited; what is inherited
//! cites the base's document, so that nobody takes another agreement's clause for his own; one level only. What it does
//! not do: check values (`read` does).

use std::path::Path;

use toml::{Table, Value};

use super::read::{ProfileError, ProfileFault, single, table, text_or_shipped};

/// Never inherited.
const OWN: &[&str] = &["id", "title", "number", "from", "to", "based_on", "without"];
/// Arrays whose members are replaced one by one, by their `id`.
const BY_ID: &[&str] = &["rule", "tariff", "procedure", "activity", "expect"];

/// The whole table: `own`, or `own` over the base that it names.
pub(super) fn on_its_base(path: &Path, mut own: Table) -> Result<Table, ProfileError> {
    let Some(named) = own.remove("based_on") else { return Ok(own) };
    let Some(named) = named.as_str() else { return Err(single(path, "based_on", ProfileFault::Text)) };
    let base_path = path.with_file_name(named);
    let mut base = table(&base_path, &text_or_shipped(&base_path)?)?;
    if base.contains_key("based_on") {
        return Err(single(path, "based_on", ProfileFault::Nested));
    }
    let number = base.get("number").and_then(Value::as_str).unwrap_or(named).to_owned();
    base.retain(|key, _| !OWN.contains(&key));
    let without = names(own.remove("without"), path)?;
    for (key, value) in &mut base {
        cite(value, &number);
        if let (true, Value::Array(items)) = (BY_ID.contains(&key.as_str()), value) {
            items.retain(|item| !id(item).is_some_and(|id| without.iter().any(|gone| gone == id)));
        }
    }
    for (key, value) in own {
        match (base.get_mut(&key), value) {
            (Some(Value::Array(inherited)), Value::Array(given)) if BY_ID.contains(&key.as_str()) => {
                // Twice in the file itself must stay twice, so that it is reported.
                inherited.retain(|item| !given.iter().any(|own| id(own) == id(item)));
                inherited.extend(given);
            }
            (_, value) => _ = base.insert(key, value),
        }
    }
    Ok(base)
}

fn id(item: &Value) -> Option<&str> {
    item.get("id")?.as_str()
}

fn names(value: Option<Value>, path: &Path) -> Result<Vec<String>, ProfileError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let read = |items: &Vec<Value>| items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    value.as_array().and_then(read).ok_or_else(|| single(path, "without", ProfileFault::Text))
}

/// Puts the base's number before every clause inside.
fn cite(value: &mut Value, number: &str) {
    match value {
        Value::Table(table) => {
            for (key, inner) in table {
                match inner {
                    Value::String(clause) if key == "clause" || key == "claimants_clause" => {
                        *clause = format!("{number}: {clause}")
                    }
                    inner => cite(inner, number),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cite(item, number)),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}
