//! `/openapi.json`: the route table, the catalogue's schemas and a few fixed ones, so that the document cannot differ
//! from the program.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use serde_json::{Map, Value, json};

use super::App;
use super::problem::Kind;
use super::routes::{Access, RULES, Rule};
use crate::catalogue::Catalogue;
use crate::queue::{BlockedKind, How, State};
use crate::store::{OutageClass, Settled, Verdict};

pub(super) async fn document(AppState(app): AppState<Arc<App>>) -> Json<Value> {
    Json(build(&app.catalogue))
}

/// The whole document (OpenAPI 3.1).
pub(super) fn build(catalogue: &Catalogue) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for rule in RULES {
        let item = paths.entry(rule.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(rule.method.to_lowercase(), operation(rule));
        }
    }
    let mut schemas = fixed();
    let mut entries = Vec::new();
    for operation in catalogue.operations().filter(|operation| operation.is_write()) {
        schemas.insert(operation.name.clone(), operation.schema());
        entries.push(json!({
            "type": "object",
            "title": operation.title,
            "required": ["ref", "operation", "payload"],
            "additionalProperties": false,
            "properties": {
                "ref": { "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^/]*$" },
                "operation": { "const": operation.name },
                "after": { "type": "array", "items": { "type": "string" }, "maxItems": 100 },
                "occurred_at": { "type": ["string", "null"], "format": "date-time" },
                "mark": { "enum": ["telekonsultasi", null], "description": "untuk buku catatan; tidak pernah dikirim" },
                "payload": { "$ref": format!("#/components/schemas/{}", operation.name) }
            }
        }));
    }
    schemas.insert("Entry".to_owned(), json!({ "oneOf": entries }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "jembatan",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "API lokal untuk SIM puskesmas: serahkan entri, lihat hasilnya. Galat menurut RFC 9457, dalam bahasa Indonesia."
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } }
        }
    })
}

fn operation(rule: &Rule) -> Value {
    let names = rule.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let query = |name: &&str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
    parameters.extend(query_of(rule).iter().map(query));
    let answer = |schema: &str| {
        let reference =
            if schema.is_empty() { json!({}) } else { json!({ "$ref": format!("#/components/schemas/{schema}") }) };
        json!({ "description": rule.title, "content": { "application/json": { "schema": reference } } })
    };
    let problem = json!({
        "description": "Galat",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
    });
    let (asked, answered) = schemas_of(rule);
    let mut responses = json!({ "200": answer(answered), "default": problem });
    if rule.path == "/v1/submissions" && rule.method == "POST" {
        responses["202"] = answer(answered);
    }
    let mut operation = json!({ "summary": rule.title, "parameters": parameters, "responses": responses });
    if !asked.is_empty() {
        let schema = json!({ "$ref": format!("#/components/schemas/{asked}") });
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    match rule.access {
        Access::Anybody => operation["security"] = json!([]),
        Access::Roles(roles) => {
            let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
            operation["security"] = json!([{ "token": [] }]);
            operation["x-roles"] = json!(roles);
        }
    }
    operation
}

fn query_of(rule: &Rule) -> &'static [&'static str] {
    match (rule.method, rule.path) {
        ("GET", "/v1/submissions") => &["facility", "ref", "state", "after", "limit"],
        ("GET", "/v1/deliveries") => &["facility", "state", "operation", "why", "late", "after", "limit"],
        ("GET", "/v1/changes") => &["facility", "kinds", "after", "limit", "wait"],
        ("GET", "/v1/antrean") => &["facility", "from", "to", "kodepoli", "state", "after", "limit"],
        ("GET", "/v1/antrean/jadwal") => &["facility", "from", "to", "kodepoli"],
        ("GET", "/v1/antrean/peserta") => &["facility", "state", "after", "limit"],
        ("GET", "/v1/obligations" | "/v1/obligations.ics") => &["facility"],
        ("GET", "/v1/outages" | "/v1/reconciliations") => &["facility", "limit"],
        ("GET", "/v1/status" | "/v1/outages/plans" | "/v1/kept") => &["facility"],
        ("GET", "/v1/network") => &["facility", "month"],
        ("GET", "/v1/claims") => &["facility", "month", "section", "part", "client"],
        ("GET", "/v1/telekonsultasi") => &["facility", "month", "format"],
        ("GET", "/v1/audit") => &["after", "limit"],
        (_, _) => &[],
    }
}

/// Names of the schemas asked for and answered.
fn schemas_of(rule: &Rule) -> (&'static str, &'static str) {
    match (rule.method, rule.path) {
        ("POST", "/v1/submissions") => ("NewSubmission", "Submission"),
        ("POST", "/v1/antrean") => ("NewBooking", "Booking"),
        ("GET", "/v1/antrean/{id}") => ("", "Booking"),
        ("POST", "/v1/antrean/{id}/state") => ("BookingState", "Booking"),
        ("PUT", "/v1/antrean/jadwal") => ("Schedule", ""),
        ("PUT", "/v1/antrean/pasien") => ("KnownPatients", ""),
        ("POST", "/v1/antrean/panggil") => ("Call", ""),
        ("POST", "/v1/antrean/peserta/{id}") => ("RegistrationAnswer", ""),
        ("GET", "/v1/submissions/{id}") => ("", "Submission"),
        ("GET", "/v1/deliveries/{id}") => ("", "Delivery"),
        ("POST", "/v1/deliveries/actions") => ("Bulk", ""),
        ("POST", "/v1/deliveries/{id}/resolve") => ("Resolve", "Delivery"),
        ("POST", "/v1/deliveries/{id}/amend") => ("Amend", "Delivery"),
        ("POST", "/v1/outages/{id}/close" | "/v1/outages/plans/{id}/withdraw") => ("Reason", ""),
        ("POST", "/v1/outages") => ("OpenOutage", ""),
        ("POST", "/v1/outages/{id}/classify") => ("Classify", ""),
        ("POST", "/v1/outages/plans") => ("PlanOutage", ""),
        ("POST", "/v1/reconciliations") => ("Reconcile", ""),
        ("POST", "/v1/obligations/{id}/done") => ("Reason", ""),
        ("POST", "/v1/obligations/events") => ("ObligationEvent", ""),
        ("GET", "/v1/obligations.ics") => ("", ""),
        ("POST", "/v1/reconciliations/{id}/items/{n}/settle") => ("Settle", ""),
        ("POST" | "DELETE", "/v1/pauses") => ("Pause", "List"),
        ("POST" | "DELETE", "/v1/kept" | "/v1/kept/refresh") => ("Pause", ""),
        ("POST", _) => ("Reason", "Delivery"),
        ("GET", "/openapi.json" | "/v1/status" | "/v1/outages/{id}" | "/v1/reconciliations/{id}") => ("", ""),
        (_, _) => ("", "List"),
    }
}

fn fixed() -> Map<String, Value> {
    let reason = json!({ "type": "string", "minLength": 1, "maxLength": 500 });
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties });
    let text = json!({ "type": "string" });
    let day = json!({ "type": "string", "format": "date" });
    let instant = json!({ "type": "string", "format": "date-time" });
    let verdicts: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.word()).collect();
    let classes: Vec<&str> = OutageClass::ALL.iter().map(|class| class.word()).collect();
    let settled: Vec<&str> = Settled::ALL.iter().map(|how| how.word()).collect();
    let actions = json!({ "enum": ["retry", "hold", "release", "cancel"] });
    let list = [
        ("Reason", object(&["reason"], json!({ "reason": reason }))),
        ("Amend", object(&["payload", "reason"], json!({ "payload": { "type": "object" }, "reason": reason }))),
        (
            "Resolve",
            object(
                &["verdict", "reason"],
                json!({ "verdict": { "enum": ["adopt", "absent"] }, "remote": { "type": "object" }, "reason": reason }),
            ),
        ),
        (
            "Bulk",
            object(
                &["action", "filter", "reason"],
                json!({ "action": actions, "filter": { "type": "object" }, "reason": reason, "dry_run": { "type": "boolean" } }),
            ),
        ),
        (
            "ObligationEvent",
            object(
                &["kind", "reason"],
                json!({ "kind": text, "facility": text, "at": text, "until": text, "outage": { "type": "integer" }, "reason": reason }),
            ),
        ),
        ("Pause", object(&["facility", "reason"], json!({ "facility": text, "reason": reason }))),
        (
            "OpenOutage",
            object(
                &["facility", "service", "reason"],
                json!({ "facility": text, "service": text, "reason": reason, "verdict": { "enum": ["none", "us", "network", "bpjs"] } }),
            ),
        ),
        (
            "PlanOutage",
            object(
                &["facility", "from", "to", "reason"],
                json!({ "facility": text, "from": instant, "to": instant, "reason": reason, "verdict": { "enum": verdicts } }),
            ),
        ),
        ("Classify", object(&["class", "reason"], json!({ "class": { "enum": classes }, "reason": reason }))),
        (
            "Settle",
            object(
                &["how", "reason"],
                json!({ "how": { "enum": settled }, "remote": { "type": "object" }, "reason": reason }),
            ),
        ),
        (
            "Reconcile",
            object(&["facility"], json!({ "facility": text, "date": day, "from": day, "to": day, "sim": {} })),
        ),
        ("NewSubmission", new_submission()),
        ("Submission", submission()),
        ("Delivery", delivery()),
        ("List", list_schema()),
        ("Problem", problem()),
    ];
    list.into_iter().map(|(name, schema)| (name.to_owned(), schema)).chain(super::antrean_schema::schemas()).collect()
}

fn new_submission() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["facility", "ref", "entries"],
        "properties": {
            "facility": { "type": "string", "description": "kdProvider" },
            "ref": { "type": "string", "minLength": 1, "maxLength": 200, "description": "bersama klien dan faskes: kunci idempotensi" },
            "patient": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {
                    "noKartu": { "type": "string", "pattern": "^[0-9]{13}$" },
                    "nik": { "type": "string", "pattern": "^[0-9]{16}$" },
                    "nama": { "type": "string", "minLength": 1, "maxLength": 200 }
                }
            },
            "entries": { "type": "array", "minItems": 1, "maxItems": 100, "items": { "$ref": "#/components/schemas/Entry" } }
        }
    })
}

fn submission() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "ref": { "type": "string" },
            "facility": { "type": "string" },
            "accepted_at": { "type": "string", "format": "date-time" },
            "warnings": { "type": "array", "items": { "type": "string" } },
            "deliveries": { "type": "array", "items": { "$ref": "#/components/schemas/Delivery" } }
        }
    })
}

fn delivery() -> Value {
    let instant = json!({ "type": ["string", "null"], "format": "date-time" });
    let text = json!({ "type": ["string", "null"] });
    let states: Vec<&str> = State::ALL.iter().map(|state| state.word()).collect();
    let hows: Vec<Value> = How::ALL.iter().map(|how| how.word().into()).chain([Value::Null]).collect();
    let kinds: Vec<&str> = BlockedKind::ALL.iter().map(|kind| kind.word()).collect();
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" }, "submission": { "type": "string" }, "ref": { "type": "string" },
            "facility": { "type": "string" }, "operation": { "type": "string" },
            "state": { "enum": states }, "how": { "enum": hows },
            "blocked_by": {
                "type": ["object", "null"],
                "properties": { "kind": { "enum": kinds }, "id": text, "detail": text }
            },
            "deadline": {
                "type": "object",
                "properties": { "rule": { "type": "string" }, "target": instant, "late": instant, "last": instant }
            },
            "late": { "type": "boolean" },
            "mark": text,
            "remote": { "type": ["object", "null"], "additionalProperties": { "type": "string" } },
            "attempts": { "type": "integer" },
            "why": {
                "type": ["object", "null"],
                "properties": {
                    "code": text, "message": text, "meaning": text, "next": text,
                    "who": { "enum": ["registration", "doctor", "it", "bpjs"] }
                }
            },
            "updated_at": { "type": "string", "format": "date-time" }
        }
    })
}

fn list_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "items": { "type": "array", "items": {} },
            "next": { "type": ["string", "null"], "description": "kursor untuk after=" }
        }
    })
}

fn problem() -> Value {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
    json!({
        "type": "object",
        "properties": {
            "type": { "enum": kinds }, "title": { "type": "string" }, "status": { "type": "integer" },
            "detail": { "type": "string" }, "instance": { "type": "string" },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "pointer": { "type": "string" }, "detail": { "type": "string" } }
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_every_write_operation_is_in_the_document() {
        let catalogue = Catalogue::shipped().unwrap();
        let document = build(&catalogue);
        for rule in RULES {
            let item = &document["paths"][rule.path][rule.method.to_lowercase()];
            assert!(item.is_object(), "{} {}", rule.method, rule.path);
        }
        for operation in catalogue.operations().filter(|operation| operation.is_write()) {
            assert!(document["components"]["schemas"][&operation.name].is_object(), "{}", operation.name);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = build(&Catalogue::shipped().unwrap());
        let text = document.to_string();
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
