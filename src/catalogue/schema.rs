//! The JSON Schema (draft 2020-12) of a payload, for `/openapi.json` and the documentation.
//!
//! Job: say in JSON Schema what `check` demands, as far as that language can. Neighbours: `fields`, `check`. What it
//! does not do: rules across fields; they stand in the documentation.

use serde_json::{Map, Value, json};

use super::fields::{CODE_MAX, Field, FieldType, TEXT_MAX};
use super::operation::Operation;

/// The schema of the inner payload.
pub(super) fn of(operation: &Operation) -> Value {
    let mut schema = object(operation, "");
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), json!(operation.title));
        let wrapped = if operation.wrap.is_empty() {
            String::new()
        } else {
            format!(" (on the wire inside {})", operation.wrap.join("."))
        };
        let description = format!("{} {}{wrapped} — {}", operation.method.word(), operation.path, operation.source);
        map.insert("description".to_owned(), json!(description));
    }
    schema
}

fn object(operation: &Operation, prefix: &str) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, field) in operation.members(prefix) {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        let must = field.map_or_else(|| operation.needs_inside(&path), |field| field.required);
        if must {
            required.push(name.to_owned());
        }
        properties.insert(name.to_owned(), member(operation, field, &path));
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn member(operation: &Operation, field: Option<&Field>, path: &str) -> Value {
    let Some(field) = field else {
        let mut schema = object(operation, path);
        schema["description"] = json!(path);
        return schema;
    };
    let mut schema = match field.kind {
        FieldType::Objek if operation.has_members(path) => object(operation, path),
        FieldType::Daftar => json!({ "type": "array", "items": object(operation, &format!("{path}[]")) }),
        _ => plain(field),
    };
    if let Some(map) = schema.as_object_mut() {
        decorate(field, map);
    }
    schema
}

fn plain(field: &Field) -> Value {
    match field.kind {
        FieldType::Kartu => json!({ "type": "string", "pattern": "^[0-9]{13}$" }),
        FieldType::Tanggal => json!({ "type": "string", "pattern": "^[0-9]{2}-[0-9]{2}-[0-9]{4}$" }),
        FieldType::TanggalIso => json!({ "type": "string", "format": "date" }),
        FieldType::Waktu => {
            json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$" })
        }
        FieldType::Teks => json!({ "type": "string", "maxLength": TEXT_MAX }),
        FieldType::Kode => json!({ "type": "string", "minLength": 1, "maxLength": CODE_MAX }),
        FieldType::Icd => json!({ "type": "string", "pattern": "^[A-Za-z0-9.]{1,10}$" }),
        FieldType::Angka => json!({ "type": "number" }),
        FieldType::Bilangan | FieldType::EpokMs => json!({ "type": "integer" }),
        FieldType::Bulat => json!({ "type": ["integer", "string"] }),
        FieldType::DesimalTeks => json!({ "type": ["number", "string"] }),
        FieldType::Ya => json!({ "type": "boolean" }),
        FieldType::Objek => json!({ "type": "object" }),
        FieldType::Daftar => json!({ "type": "array" }),
        FieldType::Nomor => json!({ "type": ["string", "integer"] }),
    }
}

fn decorate(field: &Field, map: &mut Map<String, Value>) {
    if let Some(shape) = &field.shape {
        map.shift_remove("minLength");
        map.shift_remove("maxLength");
        map.insert("pattern".to_owned(), json!(pattern(shape, field.kind == FieldType::Nomor || field.empty)));
    } else if field.empty {
        map.shift_remove("minLength");
        map.shift_remove("format");
        if let Some(Value::String(pattern)) = map.get("pattern") {
            let optional = format!("^$|{pattern}");
            map.insert("pattern".to_owned(), json!(optional));
        }
    }
    let (min, max) = match field.kind {
        FieldType::Daftar => ("minItems", "maxItems"),
        _ => ("minimum", "maximum"),
    };
    for (key, bound) in [(min, field.min), (max, field.max)] {
        if let Some(bound) = bound {
            let whole = field.kind == FieldType::Daftar;
            #[expect(clippy::cast_possible_truncation, reason = "a number of items, a small whole number in the table")]
            let bound = if whole { json!(bound as i64) } else { json!(bound) };
            map.insert(key.to_owned(), bound);
        }
    }
    if field.null {
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
    if !field.values.is_empty() {
        let is_number = field.kind == FieldType::Bilangan;
        let mut values: Vec<Value> = field
            .values
            .iter()
            .map(|v| v.parse::<i64>().ok().filter(|_| is_number).map_or(json!(v), Value::from))
            .collect();
        if field.empty {
            values.push(json!(""));
        }
        if field.null {
            values.push(Value::Null);
        }
        map.insert("enum".to_owned(), json!(values));
    }
    if let Some(example) = field.example() {
        map.insert("examples".to_owned(), json!([example]));
    }
    map.insert("description".to_owned(), json!(field.title));
}

/// A shape as a regular expression.
fn pattern(shape: &str, may_be_empty: bool) -> String {
    let inner: String = shape
        .chars()
        .map(|c| match c {
            '*' => "[0-9A-Za-z]".to_owned(),
            '#' => "[0-9]".to_owned(),
            c if c.is_ascii_alphabetic() => format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase()),
            c if c.is_ascii_digit() => c.to_string(),
            c => format!("\\{c}"),
        })
        .collect();
    if may_be_empty { format!("^({inner})?$") } else { format!("^{inner}$") }
}
