//! Every operation of the catalogue once, through the gateway, by a client that nobody here wrote: what BPJS gets is what
//! the wire facts say, and the client opens what it answers.
//!
//! `tests/data/walk.jsonl` is the table: operation, method and path as a client sends them, `with` (laid over the payload
//! of `operations.json`), `without`, `in` (the name below `request`, `.` for none), `keep` (what the answer gives to
//! later steps), `silent` (BPJS answers without a `response`), `padded` (a declared normalisation adds empty fields), `own`
//! (no client of others can read the answer). Content types, user keys and the web login are expected here from the wire
//! facts (§2.2, §2.5), not from the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use jembatan::catalogue::Catalogue;
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::recorder::Seen;
use super::tools::{Driver, Site, working_day};
use crate::bridge::{FACILITY, wire, yesterday};

const STEPS: &str = include_str!("../../data/walk.jsonl");
const PAYLOADS: &str = include_str!("../../data/operations.json");

/// What stands for a placeholder.
type Known = BTreeMap<String, String>;

fn known() -> Known {
    let day = yesterday();
    let (before, after, later) = (day.yesterday().unwrap(), day.tomorrow().unwrap(), day + 14.days());
    let month = |day: Date| (format!("{:02}", day.month()), day.year().to_string());
    let ((month_now, year_now), (month_later, year_later)) = (month(day), month(later));
    let mut known: Known = [
        ("hari", day.to_string()),
        ("hari_dmy", wire(day)),
        ("kemarin", before.to_string()),
        ("esok", after.to_string()),
        ("esok_dmy", wire(after)),
        ("nanti", later.to_string()),
        ("kerja", working_day().to_string()),
        ("bulan", month_now),
        ("tahun", year_now),
        ("bulan_nanti", month_later),
        ("tahun_nanti", year_later),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    // The cards of `operations.json`.
    known.extend((0..4).map(|n| (format!("C{n}"), format!("00099{n:08}"))));
    known
}

/// Puts the values in; `{name#}` as the whole of a text becomes a number.
fn filled(value: &Value, known: &Known) -> Value {
    match value {
        Value::String(text) => {
            let dated = match text.as_str() {
                "2026-11-21" => "{hari}",
                "21-11-2026" => "{hari_dmy}",
                "2026-11-20" => "{kemarin}",
                "2026-12-05" => "{nanti}",
                other => other,
            };
            match dated.strip_prefix('{').and_then(|rest| rest.strip_suffix("#}")) {
                Some(name) => json!(known[name].parse::<i64>().unwrap()),
                None => json!(put(dated, known)),
            }
        }
        Value::Array(rows) => rows.iter().map(|row| filled(row, known)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), filled(value, known))).collect())
        }
        other => other.clone(),
    }
}

fn put(text: &str, known: &Known) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn lay(over: &Value, onto: &mut Value) {
    let (Some(over), Some(onto)) = (over.as_object(), onto.as_object_mut()) else { return };
    for (name, value) in over {
        match onto.get_mut(name) {
            Some(inner) if inner.is_object() && value.is_object() => lay(value, inner),
            _ => drop(onto.insert(name.clone(), value.clone())),
        }
    }
}

/// The body of a step as the client sends it.
fn body(step: &Value, known: &Known) -> Value {
    let call = step["call"].as_str().unwrap();
    let operation = step["op"].as_str().unwrap();
    if !step["body"].is_null() {
        return filled(&step["body"], known);
    }
    // Reads have none, and the deletes of P-Care say everything in the path.
    if call.starts_with("GET ") || (operation.starts_with("pcare.") && call.starts_with("DELETE ")) {
        return Value::Null;
    }
    let payloads: Value = serde_json::from_str(PAYLOADS).unwrap();
    let mut payload = payloads[operation].clone();
    lay(&step["with"], &mut payload);
    for gone in step["without"].as_array().into_iter().flatten() {
        payload.as_object_mut().unwrap().remove(gone.as_str().unwrap());
    }
    let payload = filled(&payload, known);
    match step["in"].as_str() {
        None => payload,
        Some(".") => json!({ "request": payload }),
        Some(name) => json!({ "request": { name: payload } }),
    }
}

/// What must have arrived besides method, path and body: content type, user key, whether with the web login.
fn expected(service: &str, operation: &str, has_body: bool) -> (&'static str, bool) {
    let kind = match service {
        // What the catalogue of BPJS prints for requests without a body.
        _ if !has_body => "application/json; charset=utf-8",
        "pcare" => "text/plain",
        "vclaim" => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    (kind, service == "pcare" || operation == "icare.fktp.validate")
}

/// The body without what a declared normalisation added (decision 0009): empty values, and only where the table says so.
fn unpadded(mut body: Value, sent: &Value, padded: bool) -> Value {
    if let (true, Some(fields)) = (padded, body.as_object_mut()) {
        fields.retain(|name, value| sent.get(name).is_some() || !(value.is_null() || *value == 0));
    }
    body
}

fn check(site: &Site, seen: &Seen, (operation, padded): (&str, bool), sent: &Value) {
    let service = operation.split('.').next().unwrap();
    let theirs = site.bridge.simulator.credentials().to_json();
    let (kind, login) = expected(service, operation, !sent.is_null());
    assert_eq!(unpadded(seen.json(), sent, padded), *sent, "{operation}: the body");
    assert_eq!(seen.header("content-type").to_ascii_lowercase(), kind, "{operation}: its type");
    assert_eq!(seen.header("user_key"), theirs["user_key"][service], "{operation}: the key of its own service");
    assert_eq!(seen.header("x-cons-id"), theirs["cons_id"], "{operation}: the real consumer");
    assert_eq!(seen.headers.contains_key("x-authorization"), login, "{operation}: the web login where it is wanted");
    for signed in ["x-timestamp", "x-signature"] {
        assert!(!seen.header(signed).is_empty(), "{operation}: {signed}");
    }
    for local in ["cons_id", "secret_key", "user_key", "token"] {
        let value = site.local.0[local].as_str().unwrap_or("nothing-of-the-kind");
        assert!(!seen.headers.values().any(|header| header.contains(value)), "{operation}: nothing local leaves");
    }
}

/// What a step needs that no operation of ours makes: laid down past the web service.
fn prepare(site: &Site, operation: &str, known: &mut Known) {
    match operation {
        "vclaim.rujukan.rs.get" => {
            let order = json!({ "noKartu": known["C0"], "tglRujukan": known["kemarin"], "ppkPerujuk": "0114R049",
                "asalRujukan": "2", "poliRujukan": "MAT", "diagRujukan": "H10.9", "catatan": "mata merah" });
            let made = site.bridge.staff("rujukan", &order);
            known.insert("rujukan_rs".to_owned(), made["noRujukan"].as_str().unwrap().to_owned());
        }
        "vclaim.sep.internal.list" => {
            let order = json!({ "noSep": known["sep"], "tglRujukanInternal": known["hari"], "kdPoliTuj": "SAR",
                "kdDokter": "31479" });
            let made = site.bridge.staff("rujukan-internal", &order);
            known.insert("surat_internal".to_owned(), made["noSurat"].as_str().unwrap().to_owned());
        }
        "vclaim.sep.fingerprint.list" => {
            site.bridge.staff("sidik-jari", &json!({ "noKartu": known["C1"], "tanggal": known["hari"] }));
        }
        _ => {}
    }
}

/// Success as each service words it; P-Care makes with 201, the references of Antrean answer 1.
fn succeeded(operation: &str, told: &Value) -> bool {
    let code = &told["metaData"]["code"];
    let code = code.as_str().map_or_else(|| code.to_string(), str::to_owned);
    let made = operation.starts_with("pcare.") && code == "201";
    code == "200" || made || (operation.starts_with("antrean_fktp.ref.") && code == "1")
}

#[test]
fn every_operation_goes_through_the_gateway_and_arrives_as_the_wire_facts_say() {
    let site = Site::up();
    let mut driver = Driver::pypi(&site.gateway());
    let mut known = known();
    let mut walked = BTreeSet::new();
    for line in STEPS.lines() {
        let step: Value = serde_json::from_str(line).unwrap();
        let operation = step["op"].as_str().unwrap();
        prepare(&site, operation, &mut known);
        let (method, path) = step["call"].as_str().unwrap().split_once(' ').unwrap();
        let (path, sent) = (put(path, &known), body(&step, &known));
        let service = operation.split('.').next().unwrap();
        let login = expected(service, operation, true).1;
        let client = if step["own"] == true { "own" } else { "bpjs-bridging" };
        site.recorder.take();
        let told = driver.ask(&json!({ "client": client, "service": service, "method": method, "path": path,
            "body": sent, "login": login }));
        assert!(succeeded(operation, &told), "{operation}: {told}");
        assert_eq!(told["response"].is_null() || told["response"] == "", step["silent"] == true, "{operation}: {told}");
        let base = super::tools::AT_BPJS.iter().find(|(name, _)| *name == service).unwrap().1;
        let arrived = site.arrived(method, &format!("/{base}/{path}"));
        check(&site, &arrived, (operation, step["padded"] == true), &sent);
        for (name, at) in step["keep"].as_object().into_iter().flatten() {
            let value = told["response"].pointer(at.as_str().unwrap()).unwrap_or_else(|| panic!("{at}: {told}"));
            known.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        walked.insert(operation.to_owned());
    }
    let catalogue = Catalogue::shipped().unwrap();
    let all: BTreeSet<String> = catalogue.operations().map(|operation| operation.name.clone()).collect();
    assert_eq!(walked, all, "each operation of the catalogue, and no other");
    assert_eq!(site.bridge.ledger("sep").iter().filter(|one| one["content"]["ppkPelayanan"] == FACILITY).count(), 2);
}
