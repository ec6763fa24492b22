//! Field types at their edges, filling, and paths.

use super::*;

const DAFTAR: &str = "pcare.pendaftaran.add";
const KUNJUNGAN: &str = "pcare.kunjungan.add";
const OBAT: &str = "pcare.obat.add";

/// Which of `values` a field takes.
fn takes(operation: &str, field: &str, good: &[Value], bad: &[Value]) {
    for value in good {
        let found = faults(operation, &with(payload_of(operation), field, value.clone()));
        assert!(found.is_empty(), "{field} = {value}: {found:?}");
    }
    for value in bad {
        let found = faults(operation, &with(payload_of(operation), field, value.clone()));
        assert_eq!(found, [field], "{field} = {value}");
    }
}

#[test]
fn each_field_type_at_its_edges() {
    let (long, longer) = ("x".repeat(2000), "x".repeat(2001));
    takes(
        DAFTAR,
        "noKartu",
        &[json!("0009900000000")],
        &[
            json!("000990000000"),
            json!("00099000000000"),
            json!("000990000000x"),
            json!(9_900_000_000_u64),
            json!(null),
        ],
    );
    let digits = json!("٠٠٠٩٩٠٠٠٠٠٠٠٠");
    takes(DAFTAR, "noKartu", &[], &[digits, json!(""), json!(" 009900000000"), json!(["0009900000000"])]);
    takes(
        DAFTAR,
        "tglDaftar",
        &[json!("29-02-2028"), json!("01-01-1900"), json!("31-12-2200")],
        &[json!("29-02-2026"), json!("2026-11-21"), json!("1-11-2026"), json!("31-11-2026"), json!("01-01-1899")],
    );
    takes(
        DAFTAR,
        "tglDaftar",
        &[],
        &[json!("+1-11-2026"), json!("21/11/2026"), json!(""), json!(null), json!("21-11-26")],
    );
    takes(
        DAFTAR,
        "keluhan",
        &[json!(null), json!(""), json!(long), json!("\"batuk\"\n😷 & <b>")],
        &[json!(longer), json!(3), json!("a\0b")],
    );
    takes(
        DAFTAR,
        "kdPoli",
        &[json!("001"), json!("x".repeat(50))],
        &[json!(""), json!("  "), json!("x".repeat(51)), json!(1), json!(null), json!("a\nb"), json!("."), json!("..")],
    );
    takes(DAFTAR, "kdTkp", &[json!("10"), json!("20"), json!("50")], &[json!("30"), json!(10), json!("")]);
    takes(DAFTAR, "kunjSakit", &[json!(true), json!(false)], &[json!("true"), json!(1), json!(null)]);
    takes(DAFTAR, "sistole", &[json!(0), json!(-1), json!(120.5)], &[json!("120"), json!(null), json!(true)]);
    takes(
        DAFTAR,
        "rujukBalik",
        &[json!(0), json!("1"), json!(-1)],
        &[json!("1.5"), json!(1.5), json!(""), json!("satu")],
    );
}

#[test]
fn each_field_type_of_a_visit_at_its_edges() {
    takes(
        KUNJUNGAN,
        "kdDiag1",
        &[json!("J06.9"), json!("J069"), json!("j069"), json!("A")],
        &[json!(""), json!("J06 9"), json!("J069-"), json!(null), json!(69), json!("J0123456789")],
    );
    takes(
        KUNJUNGAN,
        "suhu",
        &[json!("36,8"), json!("36.8"), json!(36.8), json!("37"), json!(null), json!(" 36,8 ")],
        &[json!("36,8 C"), json!(""), json!("36,8,1"), json!("NaN"), json!("inf"), json!(true)],
    );
    takes(KUNJUNGAN, "kdTacc", &[json!(-1), json!("-1"), json!(null), json!("3")], &[json!("tiga"), json!(1.5)]);
    takes(KUNJUNGAN, "rujukLanjut", &[json!(null), json!({ "kdppk": "0116R028" })], &[json!("null"), json!([])]);
    takes(
        "pcare.kunjungan.delete",
        "noKunjungan",
        &[json!("0114A0261126Y000001"), json!(17), json!(null), json!("")],
        &[
            json!(".."),
            json!("."),
            json!("a/b"),
            json!(-1),
            json!(1.5),
            json!({}),
            json!("x".repeat(51)),
            json!("a\tb"),
        ],
    );
}

#[test]
fn unknown_and_missing_fields_are_named_all_at_once() {
    let mut payload = payload_of(DAFTAR);
    let map = payload.as_object_mut().unwrap();
    map.remove("noKartu");
    map.remove("kdPoli");
    map.insert("nokartu".to_owned(), json!("0009900000000"));
    map.insert("warna".to_owned(), json!("biru"));
    let mut named = faults(DAFTAR, &payload);
    named.sort();
    assert_eq!(named, ["kdPoli", "noKartu", "nokartu", "warna"]);
    let catalogue = shipped();
    let problems = catalogue.operation(DAFTAR).unwrap().check_payload(&payload);
    let detail = |field: &str| problems.iter().find(|problem| problem.field == field).unwrap().detail.clone();
    assert!(detail("nokartu").contains("maksudnya noKartu?"));
    assert!(detail("warna").contains(DAFTAR));
    for whole in [json!([]), json!("teks"), json!(null), json!(7)] {
        assert_eq!(faults(DAFTAR, &whole), [""]);
    }
}

#[test]
fn a_referral_needs_its_target_and_an_add_no_id() {
    let refers = with(payload_of(KUNJUNGAN), "kdStatusPulang", json!("4"));
    for (target, fine) in [
        (json!(null), false),
        (json!({}), false),
        (json!({ "kdppk": "" }), false),
        (json!({ "kdppk": null }), false),
        (json!({ "kdppk": "0116R028" }), true),
    ] {
        let found = faults(KUNJUNGAN, &with(refers.clone(), "rujukLanjut", target.clone()));
        assert_eq!(found.is_empty(), fine, "{target}: {found:?}");
    }
    for open in [json!(null), json!(""), json!("0"), json!(0)] {
        assert!(faults(OBAT, &with(payload_of(OBAT), "kdObatSK", open)).is_empty());
    }
    assert_eq!(faults(OBAT, &with(payload_of(OBAT), "kdObatSK", json!(81))), ["kdObatSK"]);
}

#[test]
fn open_fields_are_filled_from_the_nearest_giver_and_given_ones_left_alone() {
    let catalogue = shipped();
    let edit = catalogue.operation("pcare.tindakan.edit").unwrap();
    let asked = |operation: &str, id: &str| match (operation, id) {
        ("pcare.tindakan.add", "kdTindakanSK") => Some("81".to_owned()),
        ("pcare.kunjungan.add", "noKunjungan") => Some("V1".to_owned()),
        _ => None,
    };
    let filled = fill(edit, &json!({ "kdTindakan": "01" }), asked).unwrap();
    assert_eq!(filled.payload, json!({ "kdTindakan": "01", "kdTindakanSK": 81, "noKunjungan": "V1" }));
    assert_eq!(filled.changed, ["kdTindakanSK", "noKunjungan"]);
    let own = json!({ "kdTindakan": "01", "kdTindakanSK": "7", "noKunjungan": "V9" });
    assert_eq!(fill(edit, &own, asked).unwrap(), Filled { payload: own, changed: vec![] });
    let open = fill(edit, &json!({ "kdTindakanSK": 5 }), |_, _| None).unwrap_err();
    assert_eq!(open.field, "noKunjungan");
    let drug = catalogue.operation(OBAT).unwrap();
    let first = fill(drug, &json!({ "noKunjungan": "V1", "kdRacikan": null }), |_, _| None).unwrap();
    assert_eq!(first.payload["kdRacikan"], json!(null), "the first component has no code yet");
    let next = fill(drug, &json!({ "noKunjungan": "V1" }), |_, id| (id == "kdRacikan").then(|| "R1".into())).unwrap();
    assert_eq!(next.payload["kdRacikan"], "R1");
}

#[test]
fn promise_14_the_declared_normalisations_and_no_others() {
    let catalogue = shipped();
    let visit = catalogue.operation(KUNJUNGAN).unwrap();
    let filled =
        fill(visit, &json!({ "rujukLanjut": null, "kdTacc": "-1", "suhu": "36,8", "kdDiag1": "J06.9" }), |_, _| None);
    let filled = filled.unwrap();
    assert_eq!(filled.payload, json!({ "kdTacc": -1, "suhu": "36,8", "kdDiag1": "J06.9" }));
    assert_eq!(filled.changed, ["rujukLanjut", "kdTacc"]);
    let mcu = catalogue.operation("pcare.mcu.add").unwrap();
    let filled = fill(mcu, &json!({ "noKunjungan": "V1", "lemakDarahHDL": 45 }), |_, _| None).unwrap();
    assert_eq!(filled.payload["lemakDarahHDL"], 45);
    assert_eq!((&filled.payload["lemakDarahLDL"], &filled.payload["keterangan"]), (&json!(0), &json!(null)));
    assert!(!filled.changed.contains(&"lemakDarahHDL".to_owned()));
}

#[test]
fn paths_are_encoded_and_never_climb() {
    let path = "obat/{kdObatSK}/kunjungan/{noKunjungan}";
    let render = |sk: &str, visit: &str| {
        let (sk, visit) = (sk.to_owned(), visit.to_owned());
        render_path(path, move |name| Some(if name == "kdObatSK" { sk.clone() } else { visit.clone() }))
    };
    assert_eq!(render("81", "0114A026Y1").unwrap(), "obat/81/kunjungan/0114A026Y1");
    assert_eq!(render("a/b", "c d?e#f%").unwrap(), "obat/a%2Fb/kunjungan/c%20d%3Fe%23f%25");
    for bad in ["", ".", ".."] {
        assert_eq!(render("81", bad).unwrap_err().field, "noKunjungan", "{bad:?}");
    }
    assert_eq!(render("...", "x").unwrap(), "obat/.../kunjungan/x");
    assert_eq!(render_path("dokter/0/1", |_| None).unwrap(), "dokter/0/1");
}
