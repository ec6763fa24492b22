//! Tests of the pure parts.

use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::after::{closure, meaning, order};
use super::json::{JsonFault, canonical};
use super::needs::complete;
use super::*;
use crate::store::Prerequisite;

fn body(entries: &Value) -> SubmissionBody {
    read(&json!({ "facility": "0114A026", "ref": "s-1", "entries": entries })).unwrap()
}

fn entry(name: &str, operation: &str, after: &[&str], payload: &Value) -> Value {
    json!({ "ref": name, "operation": operation, "after": after, "payload": payload })
}

fn own(body: &SubmissionBody) -> Vec<Vec<Before>> {
    let place = |name: &String| match meaning(body, name) {
        after::Name::Own(place) => Before::Own(place),
        after::Name::Earlier(..) | after::Name::Unknown => panic!("{name} is no entry of the submission"),
    };
    body.entries.iter().map(|entry| entry.after.iter().map(place).collect()).collect()
}

fn pointers(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.pointer.as_str()).collect()
}

fn visit(after: &[&str]) -> Value {
    entry("k", "pcare.kunjungan.add", after, &json!({}))
}

#[test]
fn the_order_is_as_handed_in_except_where_something_comes_after() {
    let body = body(&json!([
        entry("c", "x", &["b"], &json!({})),
        entry("a", "x", &[], &json!({})),
        entry("b", "x", &["s-1/a"], &json!({})),
        entry("d", "x", &[], &json!({})),
    ]));
    assert_eq!(order(&body, &own(&body)).unwrap(), [1, 2, 0, 3]);
}

#[test]
fn a_cycle_is_named_at_every_entry_it_stops() {
    let body = body(&json!([
        entry("bebas", "x", &[], &json!({})),
        entry("a", "x", &["b"], &json!({})),
        entry("b", "x", &["a"], &json!({})),
        entry("diri", "x", &["diri"], &json!({})),
    ]));
    let faults = order(&body, &own(&body)).unwrap_err();
    assert_eq!(pointers(&faults), ["/entries/1/after", "/entries/2/after", "/entries/3/after"]);
    assert!(faults[0].detail.contains("a → b → a"), "{}", faults[0].detail);
}

#[test]
fn a_name_is_an_entry_of_this_submission_or_of_an_earlier_one() {
    let body = body(&json!([entry("a", "x", &[], &json!({}))]));
    assert_eq!(meaning(&body, "a"), after::Name::Own(0));
    assert_eq!(meaning(&body, "s-1/a"), after::Name::Own(0));
    assert_eq!(meaning(&body, "s/0/a"), after::Name::Earlier("s/0".to_owned(), "a".to_owned()));
    assert_eq!(meaning(&body, "b"), after::Name::Unknown);
    assert_eq!(meaning(&body, "s-1/b"), after::Name::Unknown);
}

#[test]
fn an_open_id_is_filled_by_the_nearest_entry_that_gives_it_and_becomes_a_prerequisite() {
    let catalogue = Catalogue::shipped().unwrap();
    let body = body(&json!([
        visit(&[]),
        entry("obat-1", "pcare.obat.add", &["k"], &json!({ "noKunjungan": null })),
        entry("obat-2", "pcare.obat.add", &["obat-1"], &json!({ "noKunjungan": null })),
    ]));
    let operations: Vec<&Operation> =
        body.entries.iter().map(|entry| catalogue.operation(&entry.operation).unwrap()).collect();
    let completed = complete(&body, &operations, &own(&body)).unwrap();
    assert_eq!(completed[1], [Before::Own(0)]);
    assert_eq!(completed[2], [Before::Own(1), Before::Own(0)], "the visit lies behind the first drug");
}

#[test]
fn an_open_id_that_nothing_gives_is_a_fault_with_the_remedy() {
    let catalogue = Catalogue::shipped().unwrap();
    let body = body(&json!([
        visit(&[]),
        entry("obat", "pcare.obat.add", &[], &json!({ "kdRacikan": null })),
        entry("ada", "pcare.obat.add", &[], &json!({ "noKunjungan": "0114A0261126Y000001" })),
    ]));
    let operations: Vec<&Operation> =
        body.entries.iter().map(|entry| catalogue.operation(&entry.operation).unwrap()).collect();
    let faults = complete(&body, &operations, &own(&body)).unwrap_err();
    assert_eq!(pointers(&faults), ["/entries/1/payload/noKunjungan"], "optional needs are not demanded");
    assert!(faults[0].detail.contains("pcare.kunjungan.add"), "{}", faults[0].detail);
}

#[test]
fn an_earlier_delivery_gives_ids_too() {
    let catalogue = Catalogue::shipped().unwrap();
    let body = body(&json!([entry("obat", "pcare.obat.add", &[], &json!({}))]));
    let operations = [catalogue.operation("pcare.obat.add").unwrap()];
    let earlier = Prerequisite {
        id: crate::queue::DeliveryId::new(Timestamp::UNIX_EPOCH, &[1; 10]),
        operation: "pcare.kunjungan.add".to_owned(),
        service_date: Some(date(2026, 11, 20)),
    };
    let before = vec![vec![Before::Earlier(earlier)]];
    assert!(complete(&body, &operations, &before).is_ok());
    assert_eq!(closure(&before, 0).len(), 1);
}

#[test]
fn an_edit_without_a_card_is_about_the_visit_it_names() {
    let catalogue = Catalogue::shipped().unwrap();
    let about_of = |name: &str, payload: Value| about(&catalogue, catalogue.operation(name).unwrap(), &payload);
    let visit = Some(("pcare.kunjungan.add".to_owned(), Vec::new(), "K1".to_owned()));
    assert_eq!(about_of("pcare.kunjungan.delete", json!({ "noKunjungan": "K1" })), visit);
    assert_eq!(about_of("pcare.obat.delete", json!({ "kdObatSK": 7, "noKunjungan": "K1" })), visit);
    assert_eq!(about_of("pcare.obat.add", json!({ "noKunjungan": "K1" })), visit);
    assert_eq!(about_of("pcare.obat.add", json!({ "noKunjungan": null })), None);
}

const SEP_FORMS: &str = include_str!("../../tests/data/operations.json");

#[test]
fn a_payload_in_the_form_of_the_wire_becomes_the_inner_one() {
    let catalogue = Catalogue::shipped().unwrap();
    let examples: Value = serde_json::from_str(SEP_FORMS).unwrap();
    let inner = &examples["vclaim.sep.add"];
    let wrapped = json!({ "request": { "t_sep": inner } });
    let strange = json!({ "request": { "t_sep": inner }, "lain": 1 });
    let mut body = body(&json!([
        entry("wire", "vclaim.sep.add", &[], &wrapped),
        entry("inner", "vclaim.sep.add", &[], inner),
        entry("strange", "vclaim.sep.add", &[], &strange),
        entry("unknown", "x", &[], &wrapped),
    ]));
    entry::unwrap_payloads(&catalogue, &mut body);
    let payloads: Vec<&Value> = body.entries.iter().map(|entry| entry.payload.expose()).collect();
    assert_eq!(payloads, [inner, inner, &strange, &wrapped]);
    let operation = catalogue.operation("vclaim.sep.add").unwrap();
    let faults = payload_faults(operation, &strange, "/entries/2/payload");
    assert!(pointers(&faults).contains(&"/entries/2/payload/lain"), "{faults:?}");
    assert_eq!(payload_date(operation, inner), Some(date(2026, 11, 21)));
    assert_eq!(card_of(operation, inner), Some("0009900000001"));
    let wrong = json!({ "rujukan": { "noRujukn": "x" } });
    let faults = payload_faults(operation, &wrong, "/entries/0/payload");
    assert!(pointers(&faults).contains(&"/entries/0/payload/rujukan/noRujukn"), "{faults:?}");
}

#[test]
fn a_service_that_is_not_configured_names_the_key_that_is_missing() {
    let catalogue = Catalogue::shipped().unwrap();
    let facility = Facility {
        code: "0114A026".to_owned(),
        name: "PKM Contoh".to_owned(),
        timezone: TimeZone::UTC,
        party: crate::config::Party::default(),
        pcare: None,
        vclaim: None,
        antrean_fktp: None,
        icare: None,
    };
    let names = ["vclaim.sep.add", "antrean_fktp.antrean.add", "pcare.obat.add", "icare.fktp.validate"];
    let entries: Vec<Value> = names.iter().map(|name| entry(name, name, &[], &json!({}))).collect();
    let mut faults = Vec::new();
    let found = entry::operations(&catalogue, &facility, &body(&json!(entries)), &mut faults);
    assert!(found.iter().all(Option::is_none));
    let said: Vec<&str> = faults.iter().map(|fault| fault.detail.as_str()).collect();
    for (said, key) in said.iter().zip(["[facility.vclaim]", "[facility.antrean_fktp]", "[facility.pcare]"]) {
        assert!(said.contains(key), "{said}");
    }
    assert!(said[3].contains("operasi baca"), "{}", said[3]);
}

#[test]
fn a_day_ahead_at_bpjs_waits_for_its_start_there() {
    let jakarta = TimeZone::get("Asia/Jakarta").unwrap();
    // 23:30 in Jakarta is already the next day in Makassar.
    let now: Timestamp = "2026-11-21T16:30:00Z".parse().unwrap();
    assert_eq!(due_at(Some(date(2026, 11, 21)), now, &jakarta), now);
    assert_eq!(due_at(None, now, &jakarta), now);
    let start: Timestamp = "2026-11-21T17:00:00Z".parse().unwrap();
    assert_eq!(due_at(Some(date(2026, 11, 22)), now, &jakarta), start);
}

#[test]
fn a_time_ahead_is_a_warning_for_a_day_and_a_fault_beyond() {
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(ahead(now, now), Ahead::No);
    assert_eq!(ahead(now + AHEAD_MAX, now), Ahead::Little);
    assert_eq!(ahead(now + AHEAD_MAX + jiff::SignedDuration::from_nanos(1), now), Ahead::TooFar);
}

#[test]
fn every_fault_of_the_shape_is_named_at_once() {
    let faults = read(&json!({
        "facility": 114, "ref": "a\nb", "lain": 1,
        "patient": { "noKartu": "123", "nik": 6_474_010_101_900_001_u64, "umur": 3 },
        "entries": [
            { "ref": "x/y", "operation": "pcare.obat.add", "payload": {}, "occurred_at": "kemarin" },
            { "ref": "x/y", "operation": "pcare.obat.add", "after": "x", "payload": [] },
        ]
    }))
    .unwrap_err();
    let expected = [
        "/lain",
        "/facility",
        "/ref",
        "/patient/umur",
        "/patient/noKartu",
        "/patient/nik",
        "/entries/0/ref",
        "/entries/0/occurred_at",
        "/entries/1/ref",
        "/entries/1/after",
        "/entries/1/payload",
        "/entries/1/ref",
    ];
    assert_eq!(pointers(&faults), expected);
}

#[test]
fn entries_are_counted() {
    let many: Vec<Value> = (0..101).map(|i| entry(&format!("e{i}"), "x", &[], &json!({}))).collect();
    for entries in [json!([]), json!(many), Value::Null] {
        let faults = read(&json!({ "facility": "f", "ref": "r", "entries": entries })).unwrap_err();
        assert_eq!(pointers(&faults), ["/entries"]);
    }
}

#[test]
fn a_key_twice_is_refused_with_its_place() {
    let twice = json::read(br#"{"entries":[{"payload":{"a":1,"b/c":2,"b/c":3}}]}"#);
    assert_eq!(twice, Err(JsonFault::Twice("/entries/0/payload/b~1c".to_owned())));
    assert!(json::read(br#"{"a":[{"x":1},{"x":2}],"b":{"x":3}}"#).is_ok(), "the same key elsewhere is no second one");
}

#[test]
fn nul_depth_and_noise_are_told_apart() {
    let nul = json::read(br#"{"a":["x\u0000"]}"#).unwrap_err();
    assert!(matches!(&nul, JsonFault::Nul(faults) if pointers(faults) == ["/a/0"]), "{nul:?}");
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(json::read(deep.as_bytes()), Err(JsonFault::TooDeep));
    let just = format!("{}{}", "[".repeat(json::DEPTH), "]".repeat(json::DEPTH));
    assert!(json::read(just.as_bytes()).is_ok());
    for noise in ["", "{", "{} {}", "{'a':1}", "[1,]", "nul\0", "1e999"] {
        assert!(matches!(json::read(noise.as_bytes()), Err(JsonFault::Syntax { .. })), "{noise:?}");
    }
}

#[test]
fn numbers_have_one_text() {
    let text = |json: &str| canonical(&json::read(json.as_bytes()).unwrap());
    for (a, b) in [("1.0", "1"), ("1e2", "100"), ("-0.0", "0"), ("18446744073709551615", "18446744073709551615")] {
        assert_eq!(text(a), text(b));
    }
    for (a, b) in [("1.5", "1"), ("9007199254740993", "9007199254740992"), ("1", "\"1\""), ("null", "\"null\"")] {
        assert_ne!(text(a), text(b));
    }
    assert_eq!(text(r#"{"b":[1.0,{"d":1,"c":2}],"a":null}"#), r#"{"a":null,"b":[1,{"c":2,"d":1}]}"#);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        (-6_i32..6).prop_map(|half| json!(f64::from(half) / 2.0)),
        "[ab\"\\\\]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[ab]{1,2}", inner), 0..3).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

/// Equality of JSON values written down independently: numbers by value, objects without order.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

proptest! {
    #[test]
    fn canonical_texts_are_equal_exactly_if_the_values_are(a in any_json(), b in any_json()) {
        prop_assert_eq!(canonical(&a) == canonical(&b), equal(&a, &b));
    }

    #[test]
    fn the_canonical_text_is_json_of_the_same_value_and_its_own_canonical_text(value in any_json()) {
        let text = canonical(&value);
        let read = json::read(text.as_bytes()).unwrap();
        prop_assert!(equal(&read, &value));
        prop_assert_eq!(canonical(&read), text);
    }

    #[test]
    fn the_order_of_keys_does_not_matter(pairs in prop::collection::btree_map("[a-e]", any_json(), 0..5)) {
        let forward: Value = pairs.clone().into_iter().collect();
        let backward: Value = pairs.into_iter().rev().collect();
        prop_assert_eq!(canonical(&forward), canonical(&backward));
    }
}

static SHIPPED: std::sync::LazyLock<Catalogue> = std::sync::LazyLock::new(|| Catalogue::shipped().unwrap());

/// A submission with odd values where something is expected, and an odd payload for a real operation.
fn odd_submission(operations: Vec<&'static str>) -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec!["facility", "ref", "patient", "entries", "asing"]);
    let member = prop::sample::select(vec!["ref", "operation", "occurred_at", "after", "mark", "payload", "asing"]);
    let operation = prop::sample::select(operations);
    (names, member, operation, any_json(), any_json(), any_json()).prop_map(
        |(name, member, operation, outer, inner, payload)| {
            let mut first = entry("a", operation, &[], &payload);
            first[member] = inner;
            let second = entry("b", operation, &["a"], &json!({ "noKartu": payload }));
            let mut body = json!({ "facility": "0114A026", "ref": "s", "entries": [first, second] });
            if name != "entries" || outer.is_array() {
                body[name] = outer;
            }
            body
        },
    )
}

fn operations() -> Vec<&'static str> {
    SHIPPED.operations().map(|operation| operation.name.as_str()).collect()
}

/// Whatever a client sends, the reader answers: nothing it does panics.
fn read_whole(bytes: &[u8]) {
    let Ok(value) = json::read(bytes) else { return };
    let Ok(body) = read(&value) else { return };
    for one in &body.entries {
        let Some(operation) = SHIPPED.operation(&one.operation) else { continue };
        let payload = one.payload.expose();
        drop(payload_faults(operation, payload, "/entries/0/payload"));
        drop((about(&SHIPPED, operation, payload), natural_key(operation, payload)));
        let _named = (card_of(operation, payload), payload_date(operation, payload));
    }
    let names = body.entries.iter().map(|one| {
        let before = |name: &String| match meaning(&body, name) {
            after::Name::Own(place) => Some(Before::Own(place)),
            after::Name::Earlier(..) | after::Name::Unknown => None,
        };
        one.after.iter().filter_map(before).collect()
    });
    let names: Vec<Vec<Before>> = names.collect();
    drop(order(&body, &names));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_whole(&bytes);
    }

    #[test]
    fn no_submission_makes_the_reader_panic(body in odd_submission(operations())) {
        read_whole(body.to_string().as_bytes());
    }

    #[test]
    fn no_damaged_submission_makes_the_reader_panic(
        body in odd_submission(operations()),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = body.to_string().into_bytes();
        let place = place.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] = byte;
        }
        read_whole(&bytes);
    }
}
