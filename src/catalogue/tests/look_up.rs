//! Which rows of a read are the entry, as BPJS echoes it (wire facts §3.6, §7).

use super::*;

const FACILITY: &str = "0114A026";

fn found(operation: &str, payload: &Value, rows: &[Value]) -> Vec<Candidate> {
    candidates(shipped().operation(operation).unwrap(), payload, FACILITY, rows)
}

fn visit() -> Value {
    json!({ "noKartu": "0009900000000", "tglDaftar": "21-11-2026", "kdPoli": "001", "kdDiag1": "J06.9", "kdDokter": "001",
            "kdStatusPulang": "3", "keluhan": "batuk", "sistole": 120 })
}

fn visit_row() -> Value {
    json!({ "noKunjungan": "0114A0261126Y000001", "peserta": { "noKartu": "0009900000000" }, "tglKunjungan": "21-11-2026",
            "poli": { "kdPoli": "001" }, "providerPelayanan": { "kdProvider": "0114a026" },
            "diagnosa1": { "kdDiag": "J069" }, "dokter": { "kdDokter": "001" }, "statusPulang": { "kdStatusPulang": "3" },
            "keluhan": "batuk", "sistole": 120 })
}

fn with_row(path: &str, value: Value) -> Value {
    let mut row = visit_row();
    *row.pointer_mut(path).unwrap() = value;
    row
}

#[test]
fn a_visit_is_recognised_without_the_dot_and_with_its_provider_in_lower_case() {
    let rows = [visit_row()];
    let found = found("pcare.kunjungan.add", &visit(), &rows);
    assert_eq!(found.len(), 1);
    assert!(found[0].same, "{found:?}");
    assert_eq!(found[0].ids["noKunjungan"], "0114A0261126Y000001");
    let reported = ["beratBadan", "tinggiBadan", "respRate", "heartRate", "tglPulang", "kdSadar"];
    assert!(found[0].differs.iter().all(|field| reported.contains(&field.as_str())), "{:?}", found[0].differs);
}

#[test]
fn a_visit_of_another_clinic_day_member_or_facility_is_not_it() {
    for row in [
        with_row("/poli/kdPoli", json!("002")),
        with_row("/tglKunjungan", json!("20-11-2026")),
        with_row("/peserta/noKartu", json!("0009900000001")),
        with_row("/providerPelayanan/kdProvider", json!("0114A027")),
        with_row("/noKunjungan", json!("")),
        with_row("/noKunjungan", json!(null)),
    ] {
        assert!(found("pcare.kunjungan.add", &visit(), std::slice::from_ref(&row)).is_empty(), "{row}");
    }
}

#[test]
fn other_deciding_content_makes_a_candidate_that_is_not_the_same() {
    for (path, value, field) in [
        ("/diagnosa1/kdDiag", json!("J00"), "kdDiag1"),
        ("/dokter/kdDokter", json!("002"), "kdDokter"),
        ("/statusPulang/kdStatusPulang", json!("4"), "kdStatusPulang"),
    ] {
        let found = found("pcare.kunjungan.add", &visit(), &[with_row(path, value)]);
        assert_eq!(found.len(), 1);
        assert!(!found[0].same && found[0].differs.contains(&field.to_owned()), "{found:?}");
    }
    let reported = found("pcare.kunjungan.add", &visit(), &[with_row("/keluhan", json!("pilek\r\n"))]);
    assert!(reported[0].same && reported[0].differs.contains(&"keluhan".to_owned()), "told, but not deciding");
}

fn drug_row(number: u64, code: &str, name: &str) -> Value {
    json!({ "kdObatSK": number, "kdRacikan": "", "obat": { "kdObat": code, "nmObat": name }, "signa1": 3.0, "signa2": 1,
            "jmlObat": "10", "jmlPermintaan": 10 })
}

#[test]
fn the_same_drug_twice_is_two_candidates_in_the_order_of_the_answer() {
    let payload = json!({ "obatDPHO": true, "kdObat": "130103595", "signa1": 3, "signa2": 1, "jmlObat": 10, "jmlPermintaan": 10 });
    let mut other = drug_row(83, "130103595", "x");
    other["signa1"] = json!(2);
    let rows = [drug_row(81, "130103595", "x"), other, drug_row(82, "130103595", "x"), drug_row(84, "9", "x")];
    let found = found("pcare.obat.add", &payload, &rows);
    let seen: Vec<_> = found.iter().map(|c| (c.ids["kdObatSK"].as_str(), c.same)).collect();
    assert_eq!(seen, [("81", true), ("83", false), ("82", true)]);
    assert_eq!(found[1].differs, ["signa1"]);
    assert!(!found[0].ids.contains_key("kdRacikan"), "an empty id is none");
}

#[test]
fn a_drug_outside_the_list_goes_by_its_name() {
    let payload = json!({ "obatDPHO": false, "kdObat": "", "nmObatNonDPHO": "Salep racikan", "signa1": 3, "signa2": 1,
                          "jmlObat": 10, "jmlPermintaan": 10 });
    let rows = [drug_row(81, "", "Salep racikan\n"), drug_row(82, "", "Sirup"), drug_row(83, "X9", "Salep racikan")];
    let seen: Vec<_> = found("pcare.obat.add", &payload, &rows).iter().map(|c| c.ids["kdObatSK"].clone()).collect();
    assert_eq!(seen, ["81", "83"]);
}

#[test]
fn blank_and_zero_and_missing_numbers_are_the_same() {
    let mcu = json!({ "tglPelayanan": "21-11-2026", "lemakDarahHDL": 0 });
    let row = json!({ "kdMCU": 5, "tglPelayanan": "21-11-2026", "lemakDarahHDL": null, "lemakDarahLDL": "0", "gulaDarahPuasa": 0.0 });
    assert!(found("pcare.mcu.add", &mcu, std::slice::from_ref(&row))[0].same);
    let mut other = row;
    other["lemakDarahHDL"] = json!("45,0");
    assert_eq!(found("pcare.mcu.add", &mcu, &[other])[0].differs, ["lemakDarahHDL"]);
}

#[test]
fn a_participant_goes_by_card_and_a_write_without_a_plan_has_no_candidates() {
    let payload = json!({ "eduId": "E1", "noKartu": "0009900000000" });
    let rows =
        [json!({ "peserta": { "noKartu": "0009900000000" } }), json!({ "peserta": null }), json!(null), json!(3)];
    let found_rows = found("pcare.kelompok.peserta.add", &payload, &rows);
    assert_eq!(found_rows.len(), 1);
    assert_eq!(found_rows[0].ids["noKartu"], "0009900000000");
    assert!(found("pcare.kunjungan.edit", &visit(), &[visit_row()]).is_empty());
}

#[test]
fn differing_names_fields_and_never_values() {
    let catalogue = shipped();
    let operation = catalogue.operation("pcare.kunjungan.add").unwrap();
    let differs = differing(operation, &visit(), FACILITY, &with_row("/sistole", json!(140)));
    assert!(differs.contains(&"sistole".to_owned()));
    assert!(differs.iter().all(|field| operation.field(field).is_some()));
}
