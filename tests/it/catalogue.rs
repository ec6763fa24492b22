//! A walk over the whole catalogue: every operation has a payload it takes, refuses it misspelt on any level, is found by
//! its path, speaks a dialect, has a rule for a refusal and a fault, and stands in the documentation.

use std::collections::BTreeSet;
use std::path::Path;

use jembatan::catalogue::{AnswerClass, Catalogue, Kind, Operation, Service, at, render_path};
use serde_json::{Map, Value, json};

/// One step of the walk: an operation and an invented payload that it takes (of a read: its arguments).
pub(crate) struct Step<'c> {
    pub(crate) operation: &'c Operation,
    pub(crate) payload: Value,
}

/// Every operation of the catalogue with its example; other tests walk it too.
pub(crate) fn walk(catalogue: &Catalogue) -> Vec<Step<'_>> {
    let examples: Value = serde_json::from_str(include_str!("../data/operations.json")).unwrap();
    let step = |operation: &'_ Operation| {
        let of_table = || {
            let mut payload = Map::new();
            for (name, field) in &operation.fields {
                if let Some(example) = field.example() {
                    payload.insert(name.clone(), example);
                }
            }
            Value::Object(payload)
        };
        examples.get(&operation.name).cloned().unwrap_or_else(of_table)
    };
    catalogue.operations().map(|operation| Step { operation, payload: step(operation) }).collect()
}

fn shipped() -> Catalogue {
    Catalogue::shipped().unwrap()
}

/// The path of an operation filled from a payload.
pub(crate) fn path_of(operation: &Operation, payload: &Value) -> String {
    let text = |name: &str| match at(payload, name)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    render_path(&operation.path, text).unwrap_or_else(|open| panic!("{}: {open}", operation.name))
}

#[test]
fn every_write_has_an_example_and_every_example_an_operation() {
    let catalogue = shipped();
    let examples: Map<String, Value> = serde_json::from_str(include_str!("../data/operations.json")).unwrap();
    let writes: BTreeSet<&str> =
        catalogue.operations().filter(|operation| operation.is_write()).map(|o| o.name.as_str()).collect();
    assert_eq!(examples.keys().map(String::as_str).collect::<BTreeSet<_>>(), writes);
}

#[test]
fn every_operation_takes_its_example_in_both_forms() {
    let catalogue = shipped();
    for Step { operation, payload } in walk(&catalogue) {
        let problems = operation.check_payload(&payload);
        assert!(problems.is_empty(), "{}: {problems:?}", operation.name);
        let wire = operation.wire(payload.clone());
        assert_eq!(wire == payload, operation.wrap.is_empty(), "{}", operation.name);
        assert_eq!(operation.unwrap_body(wire), payload, "{}", operation.name);
        assert_eq!(operation.unwrap_body(payload.clone()), payload, "{}", operation.name);
    }
}

/// Every object inside a value, as the names that lead to it.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.push(at.to_owned());
            map.iter().for_each(|(name, value)| objects(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| objects(item, &format!("{at}/{i}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_misspelt_key_is_refused_on_every_level_with_its_place() {
    let catalogue = shipped();
    let (mut levels, mut nested) = (0, 0);
    for Step { operation, payload } in walk(&catalogue) {
        let mut places = Vec::new();
        objects(&payload, "", &mut places);
        for place in places {
            // An object without named members is passed on as it is.
            let opaque = operation.name.starts_with("pcare.kunjungan.") && place.starts_with("/rujukLanjut");
            if opaque {
                continue;
            }
            let mut wrong = payload.clone();
            let map = wrong.pointer_mut(&place).unwrap().as_object_mut().unwrap();
            map.insert("salahKetik".to_owned(), json!("x"));
            let problems = operation.check_payload(&wrong);
            let pointers: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
            assert_eq!(pointers, [format!("{place}/salahKetik")], "{}", operation.name);
            levels += 1;
            nested += usize::from(!place.is_empty());
        }
    }
    assert!(levels > 100 && nested > 30, "{levels} levels, {nested} of them inside others");
}

#[test]
fn every_path_leads_back_to_its_operation_in_any_case_and_with_a_slash() {
    let catalogue = shipped();
    for Step { operation, payload } in walk(&catalogue) {
        let path = path_of(operation, &payload);
        for asked in [path.clone(), format!("{path}/"), format!("/{path}?x=1"), swap_case(&operation.path, &path)] {
            let (found, params) = catalogue.route(operation.service, operation.method, &asked).unwrap();
            assert_eq!(found.name, operation.name, "{asked}");
            for (name, value) in params {
                let own = at(&payload, &name).unwrap();
                assert_eq!(own.as_str().map_or_else(|| own.to_string(), str::to_owned), value, "{asked}");
            }
        }
    }
    let none = |method, path| catalogue.route(Service::Vclaim, method, path).is_none();
    assert!(none(jembatan::catalogue::Method::Get, "SEP/2.0/insert/x"));
    assert!(none(jembatan::catalogue::Method::Post, "SEP"));
    assert!(none(jembatan::catalogue::Method::Get, "SEP//"));
    assert!(none(jembatan::catalogue::Method::Get, "SEP/%ff"));
}

/// The literal segments of a path in upper case; values keep theirs.
fn swap_case(template: &str, path: &str) -> String {
    let segments = template.split('/').zip(path.split('/'));
    let swapped = segments.map(
        |(template, value)| {
            if template.starts_with('{') { value.to_owned() } else { value.to_uppercase() }
        },
    );
    swapped.collect::<Vec<_>>().join("/")
}

#[test]
fn success_refusal_fault_and_credentials_are_told_apart_for_every_operation() {
    let catalogue = shipped();
    for operation in catalogue.operations() {
        let (name, dialect) = (&operation.name, operation.dialect());
        let class = |code, text: &str| {
            let rule = catalogue.answer_to(operation.service, operation.kind, name, code, text);
            rule.map(|rule| rule.class)
        };
        assert!(dialect.is_success(200), "{name}");
        // 201 means *created* in P-Care and nowhere else.
        assert_eq!(dialect.is_success(201), operation.service == Service::Pcare, "{name}");
        assert!(!dialect.success.iter().any(|code| dialect.says_no_data(*code)), "{name}");
        let refusal = if operation.service == Service::Pcare { 412 } else { 201 };
        assert_eq!(class(refusal, "tidak sesuai ketentuan"), Some(AnswerClass::Refused), "{name}");
        assert_eq!(class(500, ""), Some(AnswerClass::Fault), "{name}");
        assert_eq!(class(429, ""), Some(AnswerClass::RateLimited), "{name}");
        assert_eq!(class(401, "apa pun"), Some(AnswerClass::Unknown401), "{name}");
        let refused = if operation.service == Service::Pcare { 401 } else { 201 };
        assert_eq!(class(refused, "Signature tidak sesuai"), Some(AnswerClass::Credentials), "{name}");
        let nothing = class(201, "Data Tidak Ditemukan");
        let wanted = match (operation.service, operation.kind) {
            (Service::Pcare, _) => continue,
            (_, Kind::Read) => AnswerClass::NoData,
            (_, Kind::Edit | Kind::Delete) => AnswerClass::NotFound,
            (_, Kind::Add) => AnswerClass::Refused,
        };
        assert_eq!(nothing, Some(wanted), "{name}");
    }
}

#[test]
fn a_duplicate_s_words_end_with_the_sep_that_is_there() {
    let catalogue = shipped();
    let rule = |name, text: &str| catalogue.answer_to(Service::Vclaim, Kind::Add, name, 201, text).unwrap();
    let same_day = "1.Peserta NoKa 0009900000001 telah mendapat Pelayanan R.Jalan di Poli MAT pada hari yg sama di RS CONTOH Dgn No.SEP 0116R0281126V000007";
    let found = rule("vclaim.sep.add", same_day);
    assert_eq!(found.class, AnswerClass::AlreadyThere);
    assert_eq!(found.id_in(same_day), Some(("noSep", "0116R0281126V000007".to_owned())));
    assert_eq!(found.id_in(&format!("{same_day}. ")), Some(("noSep", "0116R0281126V000007".to_owned())));
    for short in ["", "Dgn No.SEP", "No.SEP X0116R0281126V000007", "No.SEP 0116R028 1126V000007"] {
        assert_eq!(found.id_in(short), None, "{short}");
    }
    assert_eq!(rule("vclaim.spri.add", same_day).id_in(same_day), None, "only a SEP is found by a SEP's number");
}

#[test]
fn every_operation_stands_in_the_documentation() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/catalogue.md");
    let page = std::fs::read_to_string(page).unwrap();
    for operation in shipped().operations() {
        assert!(page.contains(&format!("\n| `{}` |", operation.name)), "{}", operation.name);
    }
}
