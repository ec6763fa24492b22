//! Payloads with objects and lists inside: names with dots, wrapping, filling, rules.

use proptest::prelude::*;

use super::super::paths;
use super::*;

const SEP: &str = "vclaim.sep.add";

fn example(operation: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../../tests/data/operations.json")).unwrap();
    all[operation].clone()
}

fn set(mut payload: Value, name: &str, value: Value) -> Value {
    assert!(paths::set(payload.as_object_mut().unwrap(), name, value), "{name}");
    payload
}

#[test]
fn a_fault_inside_names_its_dotted_place_and_pointer() {
    let catalogue = shipped();
    let problems = catalogue.operation("vclaim.lpk.add").unwrap().check_payload(&set(
        set(
            example("vclaim.lpk.add"),
            "diagnosa",
            json!([{ "kode": "A00", "level": "1" }, { "kode": "A 0", "lvl": "2" }]),
        ),
        "rencanaTL.kontrolKembali.tglKontrol",
        json!("05-12-2026"),
    ));
    let mut places: Vec<_> = problems.iter().map(|p| (p.field.as_str(), p.pointer.as_str())).collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            ("diagnosa[1].kode", "/diagnosa/1/kode"),
            ("diagnosa[1].level", "/diagnosa/1/level"),
            ("diagnosa[1].lvl", "/diagnosa/1/lvl"),
            ("rencanaTL.kontrolKembali.tglKontrol", "/rencanaTL/kontrolKembali/tglKontrol"),
        ]
    );
}

#[test]
fn a_missing_object_is_told_by_what_it_must_hold() {
    let mut payload = example(SEP);
    payload.as_object_mut().unwrap().shift_remove("poli");
    payload.as_object_mut().unwrap().shift_remove("rujukan");
    payload["cob"] = json!("0");
    let mut found = faults(SEP, &payload);
    found.sort();
    assert_eq!(found, ["cob", "poli.eksekutif"], "a referral may be missing, a clinic's flag may not");
}

#[test]
fn the_new_types_at_their_edges() {
    let takes = |operation: &str, field: &str, good: &[Value], bad: &[Value]| {
        for value in good {
            assert_eq!(faults(operation, &set(example(operation), field, value.clone())), [""; 0], "{field} = {value}");
        }
        for value in bad {
            assert_eq!(faults(operation, &set(example(operation), field, value.clone())), [field], "{field} = {value}");
        }
    };
    takes(
        SEP,
        "tglSep",
        &[json!("2028-02-29")],
        &[json!("2026-02-29"), json!("21-11-2026"), json!("2026-1-2"), json!("")],
    );
    takes(SEP, "rujukan.tglRujukan", &[json!(""), json!(null), json!("2026-11-20")], &[json!("kemarin"), json!(7)]);
    takes(
        SEP,
        "ppkPelayanan",
        &[json!("0114R011"), json!("03010402")],
        &[json!("0114R01"), json!("0114R0111"), json!("0114 011")],
    );
    let antrean = "antrean_fktp.antrean.add";
    takes(antrean, "kodedokter", &[json!(12345)], &[json!("12345"), json!(1.5), json!(null)]);
    takes(antrean, "nomorkartu", &[json!(""), json!("0009900000001")], &[json!("00012345678"), json!(null)]);
    let call = "antrean_fktp.antrean.panggil";
    takes(
        call,
        "waktu",
        &[json!(1_616_559_330_000_u64)],
        &[json!(1_616_559_330), json!("1616559330000"), json!(-1), json!(1.5)],
    );
    takes(call, "status", &[json!(1), json!(2)], &[json!(0), json!(3), json!("1")]);
    takes(call, "nomorkartu", &[], &[json!("")]);
    let leave = "vclaim.sep.v1.pulang";
    takes(
        leave,
        "tglPlg",
        &[json!("2026-11-24 23:59:59")],
        &[
            json!("2026-11-24"),
            json!("2026-11-24 24:00:00"),
            json!("2026-11-31 10:00:00"),
            json!("2026-11-24T10:00:00"),
        ],
    );
    takes(
        leave,
        "noSep",
        &[json!("0114R0111126V000001"), json!("0114r0111126v000001"), json!(null), json!("")],
        &[json!("0114R0111126K000001"), json!("0114R0111126V00001")],
    );
    let form = "vclaim.kontrol.v2.add";
    takes(form, "formPRB.data.HBA1C", &[json!(0.1), json!(15), json!(null)], &[json!(0), json!(15.1), json!("7")]);
    takes(form, "formPRB.data.Hamil", &[json!(0), json!(1), json!(null)], &[json!(2), json!(0.5), json!(true)]);
    takes("vclaim.prb.add", "obat", &[], &[json!([]), json!({}), json!(null)]);
}

#[test]
fn the_form_of_december_2025_has_its_36_fields() {
    let catalogue = shipped();
    for name in ["vclaim.kontrol.v2.add", "vclaim.kontrol.v2.edit"] {
        assert_eq!(catalogue.operation(name).unwrap().members("formPRB.data").len(), 36, "{name}");
    }
}

#[test]
fn what_one_field_demands_of_another_is_told() {
    for (field, value, wrong) in [
        ("flagProcedure", json!("1"), vec!["flagProcedure"]),
        ("kdPenunjang", json!("12"), vec!["kdPenunjang"]),
        ("tujuanKunj", json!("2"), vec!["assesmentPel"]),
        ("jnsPelayanan", json!("1"), vec!["dpjpLayan"]),
        ("tujuanKunj", json!("1"), vec![]),
    ] {
        assert_eq!(faults(SEP, &set(example(SEP), field, value)), wrong, "{field}");
    }
    let leave = "vclaim.sep.pulang";
    assert_eq!(faults(leave, &set(example(leave), "noSuratMeninggal", json!("1"))), ["noSuratMeninggal"]);
    assert_eq!(faults(leave, &set(example(leave), "statusPulang", json!("4"))), ["noSuratMeninggal", "tglMeninggal"]);
    let referral = "vclaim.rujukan.add";
    assert_eq!(faults(referral, &set(example(referral), "tipeRujukan", json!("2"))), ["poliRujukan"]);
}

#[test]
fn a_sep_fills_what_comes_after_it_and_nothing_else_is_changed() {
    let catalogue = shipped();
    let edit = catalogue.operation("vclaim.sep.edit").unwrap();
    let open = set(example("vclaim.sep.edit"), "noSep", Value::Null);
    let given = |from: &str, id: &str| (from == SEP && id == "noSep").then(|| "0114R0111126V000009".to_owned());
    let filled = fill(edit, &open, given).unwrap();
    assert_eq!(filled.changed, ["noSep"]);
    assert_eq!(set(filled.payload, "noSep", Value::Null), open);
    let letter = catalogue.operation("vclaim.kontrol.delete").unwrap();
    let given = |from: &str, id: &str| (from == "vclaim.spri.add" && id == "noSuratKontrol").then(|| "K".to_owned());
    let filled = fill(letter, &json!({ "user": "petugas" }), given).unwrap();
    assert_eq!(filled.payload, json!({ "user": "petugas", "noSuratKontrol": "K" }));
}

#[test]
fn ids_are_read_where_the_table_says_they_stand() {
    let catalogue = shipped();
    let ids = |name: &str, answer: Value| catalogue.operation(name).unwrap().ids_in(&answer);
    assert_eq!(ids(SEP, json!({ "sep": { "noSep": "V1" } }))["noSep"], "V1");
    let spri = ids("vclaim.spri.add", json!({ "noSPRI": "K1" }));
    assert_eq!((spri["noSPRI"].as_str(), spri["noSuratKontrol"].as_str()), ("K1", "K1"));
    assert_eq!(ids("vclaim.prb.add", json!({ "noSRB": 91 }))["noSrb"], "91");
    assert!(ids(SEP, json!({ "sep": null })).is_empty() && ids("vclaim.sep.edit", json!("V1")).is_empty());
}

#[test]
fn a_look_up_gives_its_read_literals_and_parts_of_dates() {
    let catalogue = shipped();
    let today = jiff::civil::date(2027, 1, 1);
    let args = |name: &str| {
        let operation = catalogue.operation(name).unwrap();
        let plan = operation.look_up.as_ref().unwrap();
        let args = plan.arguments(operation, &example(name), today).unwrap();
        args.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(args("vclaim.spri.add"), "bulan=12 filter=2 noKartu=0009900000001 tahun=2026");
    assert_eq!(args("vclaim.kontrol.add"), "filter=2 tglAkhir=2026-12-05 tglAwal=2026-12-05");
    assert_eq!(args("vclaim.prb.add"), "tglAkhir=2027-01-01 tglMulai=2026-12-31");
    assert_eq!(args("vclaim.rujukan.khusus.add"), "bulan=1 tahun=2027");
    let sep = catalogue.operation(SEP).unwrap();
    let plan = sep.look_up.as_ref().unwrap();
    assert_eq!(plan.arguments(sep, &json!({ "jnsPelayanan": "2" }), today), None, "an open argument asks nothing");
}

#[test]
fn a_sep_of_another_hospital_is_no_candidate_and_of_ours_is_one() {
    let catalogue = shipped();
    let operation = catalogue.operation(SEP).unwrap();
    let row = |sep: &str| json!({ "noKartu": "0009900000001", "tglSep": "2026-11-21", "noSep": sep, "poli": "x" });
    let rows = [row("0116R0281126V000007"), row("0114R0111126V000003"), row("x"), json!(null)];
    let found = candidates(operation, &example(SEP), "0114A026", &rows);
    let ids: Vec<_> = found.iter().map(|candidate| candidate.ids["noSep"].as_str()).collect();
    assert_eq!(ids, ["0114R0111126V000003"]);
    let confirm = operation.look_up.as_ref().unwrap().confirm.as_ref().unwrap();
    let ours =
        json!({ "peserta": { "noKartu": "0009900000001" }, "tglSep": "2026-11-21", "noSep": "0114R0111126V000003" });
    assert_eq!(unequal(operation, &example(SEP), "0114A026", &ours, &confirm.key), [""; 0]);
    let other =
        json!({ "peserta": { "noKartu": "0009900000001" }, "tglSep": "2026-11-21", "noSep": "0116R0281126V000007" });
    assert_eq!(unequal(operation, &example(SEP), "0114A026", &other, &confirm.key), ["ppkPelayanan"]);
}

/// Any JSON of a few levels.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z.\\[\\] ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}|request|t_sep", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_wrapped_is_unwrapped_again(inner in json_value(), steps in prop::collection::vec("[a-z_]{1,5}", 1..4)) {
        let wrapped = paths::wrap(&steps, inner.clone());
        prop_assert_eq!(paths::unwrap(&steps, &wrapped), Some(&inner).filter(|inner| inner.is_object()));
    }

    #[test]
    fn what_is_set_is_found_and_what_is_removed_is_gone(
        map in prop::collection::btree_map("[a-c]", json_value(), 0..3),
        name in "[a-c](\\.[a-c]){0,3}",
        value in json_value(),
    ) {
        let before: serde_json::Map<String, Value> = map.into_iter().collect();
        let mut after = before.clone();
        if paths::set(&mut after, &name, value.clone()) {
            prop_assert_eq!(paths::of(&after, &name), Some(&value));
            let whole = Value::Object(after.clone());
            prop_assert_eq!(at(&whole, &name), Some(&value));
            paths::remove(&mut after, &name);
            prop_assert_eq!(paths::of(&after, &name), None);
        }
        // Other members stay as they were.
        let first = name.split('.').next().unwrap_or_default();
        for (own, kept) in before.iter().filter(|(own, _)| own.as_str() != first) {
            prop_assert_eq!(after.get(own), Some(kept));
        }
    }

    #[test]
    fn filling_changes_only_what_it_says(payload in json_value(), id in "[A-Z0-9]{1,8}") {
        let catalogue = shipped();
        let referral = catalogue.operation("vclaim.rujukan.add").unwrap();
        let Value::Object(before) = &payload else { return Ok(()) };
        let Ok(filled) = fill(referral, &payload, |_, _| Some(id.clone())) else { return Ok(()) };
        let after = filled.payload.as_object().unwrap();
        let names = before.keys().chain(after.keys());
        for name in names.filter(|name| before.get(*name) != after.get(*name)) {
            prop_assert!(filled.changed.contains(name), "{}", name);
        }
    }

    #[test]
    fn any_payload_and_any_path_is_judged_without_a_panic(payload in json_value(), path in "\\PC{0,60}") {
        let catalogue = shipped();
        for operation in catalogue.operations().filter(|operation| operation.service == Service::Vclaim).take(12) {
            let body = operation.unwrap_body(payload.clone());
            let problems = operation.check_payload(&body);
            prop_assert!(!operation.fields.iter().any(|(_, field)| field.required) || !problems.is_empty());
        }
        drop(catalogue.route(Service::Vclaim, Method::Get, &path));
    }
}
