//! The shipped tables hold together, and a whole day of a puskesmas passes through them.

mod answers;
mod look_up;
mod nested;
mod overrides;
mod payload;

use serde_json::{Value, json};

use super::*;

/// Read once: the properties ask for it hundreds of times.
fn shipped() -> &'static Catalogue {
    static SHIPPED: std::sync::LazyLock<Catalogue> = std::sync::LazyLock::new(|| Catalogue::shipped().unwrap());
    &SHIPPED
}

/// The entries of the demonstration day: operation and payload, with the day filled in.
fn day() -> Vec<(String, Value)> {
    let text = include_str!("../cli/demo/hari-puskesmas.jsonl")
        .replace("{tgl}", "21-11-2026")
        .replace("{hari}", "2026-11-21")
        .replace("{besok}", "22-11-2026");
    let submissions = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let entries = submissions.flat_map(|submission| submission["entries"].as_array().cloned().unwrap());
    entries.map(|entry| (entry["operation"].as_str().unwrap().to_owned(), entry["payload"].clone())).collect()
}

fn of(service: Service) -> Vec<String> {
    let catalogue = shipped();
    let own = catalogue.operations().filter(|operation| operation.service == service);
    own.map(|operation| operation.name.clone()).collect()
}

#[test]
fn the_shipped_catalogue_loads() {
    let writes = |service| {
        let catalogue = shipped();
        let own = catalogue.operations().filter(|operation| operation.service == service);
        own.filter(|operation| operation.is_write()).count()
    };
    assert_eq!((writes(Service::Pcare), writes(Service::AntreanFktp), writes(Service::Icare)), (17, 3, 0));
    assert!(Service::ALL.iter().all(|service| !of(*service).is_empty() && shipped().dialect(*service).is_some()));
    assert_eq!(shipped().changes(), []);
}

#[test]
fn every_operation_has_a_schema_a_source_and_the_writes_a_deadline() {
    for operation in shipped().operations() {
        let name = &operation.name;
        assert!(operation.source.len() > 10 && !operation.title.is_empty(), "{name}");
        assert_eq!(operation.is_write(), !operation.deadline.is_empty(), "{name}");
        let schema = operation.schema();
        assert_eq!(schema["additionalProperties"], false, "{name}");
        assert_eq!(schema["properties"].as_object().unwrap().len(), operation.members("").len(), "{name}");
        for (field, described) in schema["properties"].as_object().unwrap() {
            assert!(!described["description"].as_str().unwrap().is_empty(), "{name}.{field}");
            assert!(described.get("type").is_some(), "{name}.{field}");
        }
        for required in schema["required"].as_array().unwrap() {
            let required = required.as_str().unwrap();
            let must = operation.field(required).map_or_else(|| operation.needs_inside(required), |f| f.required);
            assert!(must, "{name}.{required}");
        }
        let has_body = matches!(operation.method, Method::Post | Method::Put);
        // V-Claim's deletes carry a body too.
        assert!(operation.content_type.is_some() || !has_body, "{name}");
        assert!(operation.content_type.is_none() || operation.method != Method::Get, "{name}");
    }
}

#[test]
fn promise_5_every_write_recovers_by_a_look_up_or_may_be_repeated() {
    let catalogue = shipped();
    for operation in catalogue.operations().filter(|operation| operation.is_write()) {
        let name = &operation.name;
        assert_eq!(operation.look_up.is_some(), operation.kind == Kind::Add && !operation.repeat_safe, "{name}");
        let copies = ["tindakan", "obat", "mcu", "kegiatan"].iter().any(|word| name.contains(word));
        if operation.service == Service::Pcare && operation.kind == Kind::Add {
            assert_ne!(operation.is_unique(), copies, "{name}");
        }
        let Some(plan) = &operation.look_up else { continue };
        let read = catalogue.operation(&plan.read).unwrap();
        assert_eq!(read.kind, Kind::Read, "{name}");
        for placeholder in plan.args.keys() {
            assert!(read.path.contains(&format!("{{{placeholder}}}")), "{name}: {placeholder}");
        }
        for field in plan.fields() {
            assert!(operation.field(field).is_some(), "{name}: {field}");
        }
        assert_eq!(operation.settle(), std::time::Duration::from_secs(60), "{name}");
    }
}

#[test]
fn promise_2_every_delete_frees_what_its_add_owns() {
    let catalogue = shipped();
    for operation in catalogue.operations().filter(|operation| operation.kind == Kind::Delete) {
        let Some(releases) = &operation.releases else {
            assert_eq!(operation.name, "vclaim.sep.internal.delete", "made by hospitals, never by us");
            continue;
        };
        let made = catalogue.operation(releases).unwrap();
        assert_eq!(made.kind, Kind::Add, "{}", operation.name);
        assert_eq!(made.id_scope, operation.id_scope, "{}: another scope would free nothing", operation.name);
        let id = made.gives.first().or(made.own_id.as_ref()).unwrap();
        assert!(operation.field(id).is_some(), "{} does not name {id}", operation.name);
    }
}

#[test]
fn every_path_can_be_filled_from_the_fields() {
    for operation in shipped().operations() {
        let rendered = render_path(&operation.path, |name| operation.field(name).map(|_| "x".to_owned()));
        assert!(rendered.is_ok_and(|path| !path.contains(['{', '}'])), "{}", operation.name);
    }
}

#[test]
fn every_payload_of_a_puskesmas_day_is_accepted() {
    let (catalogue, day) = (shipped(), day());
    assert_eq!(day.len(), 727);
    for (name, payload) in &day {
        let problems = catalogue.operation(name).unwrap().check_payload(payload);
        assert!(problems.is_empty(), "{name}: {problems:?} in {payload}");
    }
}

#[test]
fn promise_14_every_payload_of_the_day_goes_out_as_handed_in_but_for_declared_changes() {
    let catalogue = shipped();
    for (name, payload) in day() {
        let operation = catalogue.operation(&name).unwrap();
        let filled = fill(operation, &payload, |_, id| Some(format!("{id}-1"))).unwrap();
        let (before, after) = (payload.as_object().unwrap(), filled.payload.as_object().unwrap());
        let names = before.keys().chain(after.keys());
        for field in names.filter(|field| before.get(*field) != after.get(*field)) {
            assert!(filled.changed.contains(field), "{name}.{field} changed and is not recorded");
        }
        for field in &filled.changed {
            let declared = operation.omit_null.contains(field)
                || operation.needs.iter().any(|need| need.field == *field)
                || operation.field(field).is_some_and(|f| f.send.is_some() || f.default.is_some() || f.default_null);
            assert!(declared, "{name}.{field} is no declared change");
        }
        let again = fill(operation, &filled.payload, |_, _| panic!("nothing is left to fill")).unwrap();
        assert_eq!((again.payload, again.changed), (filled.payload, Vec::<String>::new()), "{name}: twice is once");
    }
}

#[test]
fn a_misspelt_table_says_where() {
    let table = include_str!("pcare.toml");
    for (bad, word) in [
        (table.replacen("kind = \"add\"", "kind = \"ad\"", 1), "unknown variant"),
        (table.replacen("unique = true", "uniqe = true", 1), "uniqe"),
        (table.replacen("settle = \"60s\"", "settle = \"60\"", 1), "expected seconds"),
        (table.replacen("type = \"kartu\"", "type = \"karto\"", 1), "karto"),
        (table.replacen("fields_of = \"mcu\"", "fields_of = \"mcx\"", 1), "mcx"),
        (
            table.replacen("from = [\"pcare.kunjungan.add\"]", "from = [\"pcare.kunjungan.ad\"]", 1),
            "pcare.kunjungan.ad",
        ),
    ] {
        assert_ne!(bad, table);
        let said = Catalogue::with_tables(&[("t.toml", &bad)]).unwrap_err();
        assert!(said.to_string().contains(word) && said.table == "t.toml", "{said}");
        let line = said.line.unwrap();
        let named = bad.lines().nth(line - 1).unwrap();
        let changed = bad.lines().zip(table.lines()).position(|(bad, good)| bad != good).unwrap() + 1;
        assert!(line <= changed, "line {line} ({named}) lies behind the mistake in line {changed}");
    }
}

fn payload_of(operation: &str) -> Value {
    let sent = day().into_iter().find(|(name, _)| name == operation);
    sent.map_or_else(|| json!({}), |(_, payload)| payload)
}

fn with(mut payload: Value, field: &str, value: Value) -> Value {
    payload[field] = value;
    payload
}

fn faults(operation: &str, payload: &Value) -> Vec<String> {
    let catalogue = shipped();
    catalogue.operation(operation).unwrap().check_payload(payload).into_iter().map(|problem| problem.field).collect()
}

#[test]
fn a_card_number_never_stands_in_a_problem() {
    let bad = with(payload_of("pcare.pendaftaran.add"), "noKartu", json!("000990000000X"));
    for problem in shipped().operation("pcare.pendaftaran.add").unwrap().check_payload(&bad) {
        assert!(!problem.detail.contains("000990000000"), "{problem:?}");
    }
}
