//! What is wrong with a payload: every fault at once, at every level, in Indonesian, without the values.
//!
//! Job: walk a payload along the names of the table. Invariants: a member that the table does not name is a fault, on
//! every level, so that a misspelt one is not lost in silence; a fault names its place. Neighbours: `fields` judges one
//! value, `rules` what goes across fields. What it does not do: change anything.

use serde_json::{Map, Value};

use super::fields::{Field, FieldType};
use super::operation::{Kind, Operation};
use super::paths::at;
use super::payload::is_unset;

/// A fault of a payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The field, dotted: `noKartu`, `rujukan.noRujukan`, `diagnosa[0].kode`; empty for the payload itself.
    pub field: String,
    /// The same as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong and what to do, in Indonesian, without the value.
    pub detail: String,
}

impl Problem {
    /// A fault of a field of the table, by its dotted name.
    pub(crate) fn new(field: &str, detail: impl Into<String>) -> Self {
        let pointer = field.split('.').filter(|step| !step.is_empty()).map(pointer_step).collect();
        Self { field: field.to_owned(), pointer, detail: detail.into() }
    }
}

fn pointer_step(step: &str) -> String {
    format!("/{}", step.replace('~', "~0").replace('/', "~1"))
}

/// Where the walk is: the names in the table, the names for people, the pointer.
struct Place {
    table: String,
    field: String,
    pointer: String,
}

impl Place {
    const fn root() -> Self {
        Self { table: String::new(), field: String::new(), pointer: String::new() }
    }

    fn member(&self, name: &str) -> Self {
        let dotted = |prefix: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        Self {
            table: dotted(&self.table),
            field: dotted(&self.field),
            pointer: format!("{}{}", self.pointer, pointer_step(name)),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            table: format!("{}[]", self.table),
            field: format!("{}[{index}]", self.field),
            pointer: format!("{}/{index}", self.pointer),
        }
    }

    fn problem(&self, detail: impl Into<String>) -> Problem {
        Problem { field: self.field.clone(), pointer: self.pointer.clone(), detail: detail.into() }
    }
}

pub(super) fn check(operation: &Operation, payload: &Value) -> Vec<Problem> {
    let Value::Object(given) = payload else {
        return vec![Problem::new("", "payload harus berupa objek JSON")];
    };
    let mut problems = Vec::new();
    members(operation, given, &Place::root(), &mut problems);
    for rule in &operation.rules {
        problems.extend(rule.faults(operation, payload));
    }
    if operation.kind == Kind::Add {
        problems.extend(assigned_by_bpjs(operation, payload));
    }
    problems
}

/// The members of one object against those that the table names there.
fn members(operation: &Operation, given: &Map<String, Value>, place: &Place, problems: &mut Vec<Problem>) {
    let known = operation.members(&place.table);
    for name in given.keys().filter(|name| !known.iter().any(|(own, _)| own == name)) {
        problems.push(place.member(name).problem(unknown(operation, &known, name)));
    }
    for (name, field) in &known {
        let here = place.member(name);
        match (given.get(*name), field) {
            (None, Some(field)) if field.required => {
                problems.push(here.problem(format!("wajib diisi ({})", field.title)));
            }
            // An object without a row of its own is needed where one of its members is.
            (None, None) => missing_inside(operation, &here, problems),
            (None, Some(_)) => {}
            (Some(value), field) => member(operation, value, *field, &here, problems),
        }
    }
}

fn member(operation: &Operation, value: &Value, field: Option<&Field>, here: &Place, problems: &mut Vec<Problem>) {
    if let Some(fault) = field.and_then(|field| field.fault(value)) {
        problems.push(here.problem(fault));
        return;
    }
    match value {
        Value::Object(inner) if operation.has_members(&here.table) => members(operation, inner, here, problems),
        Value::Array(items) if field.is_some_and(|field| field.kind == FieldType::Daftar) => {
            for (index, item) in items.iter().enumerate() {
                let place = here.item(index);
                match item {
                    Value::Object(inner) => members(operation, inner, &place, problems),
                    _ => problems.push(place.problem("harus objek JSON")),
                }
            }
        }
        _ if field.is_none() => problems.push(here.problem("harus objek JSON")),
        _ => {}
    }
}

fn missing_inside(operation: &Operation, place: &Place, problems: &mut Vec<Problem>) {
    for (name, field) in operation.members(&place.table) {
        let here = place.member(name);
        match field {
            Some(field) if field.required => problems.push(here.problem(format!("wajib diisi ({})", field.title))),
            Some(_) => {}
            None => missing_inside(operation, &here, problems),
        }
    }
}

/// An add that already carries the id which BPJS is to assign is a mistake of the SIM (it meant an edit).
fn assigned_by_bpjs(operation: &Operation, payload: &Value) -> Vec<Problem> {
    let given = operation.gives.iter().filter(|id| at(payload, id).is_some_and(|v| !is_unset(v)));
    given
        .filter(|id| operation.field(id).is_some())
        .map(|id| Problem::new(id, "diberi oleh BPJS: biarkan null pada penambahan, atau pakai operasi ubah"))
        .collect()
}

fn unknown(operation: &Operation, known: &[(&str, Option<&Field>)], name: &str) -> String {
    match known.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
        Some((own, _)) => format!("tidak dikenal; maksudnya {own}?"),
        None => format!("tidak dikenal pada {}; hapus atau perbaiki namanya", operation.name),
    }
}
