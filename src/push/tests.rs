//! What the rows of a look-up say, given who owns them.

use serde_json::{Value, json};

use super::judge;
use crate::catalogue::{Catalogue, candidates};
use crate::queue::{DeliveryId, Finding};

fn id(n: u8) -> DeliveryId {
    DeliveryId::new(jiff::Timestamp::UNIX_EPOCH, &[n; 10])
}

/// Looks `payload` up among `rows`; `owners` are the rows' owners, in order.
fn find(operation: &str, payload: &Value, rows: &[Value], owners: &[Option<DeliveryId>]) -> Finding {
    let catalogue = Catalogue::shipped().unwrap();
    let operation = catalogue.operation(operation).unwrap();
    let found = candidates(operation, payload, "0114A026", rows);
    assert_eq!(found.len(), owners.len(), "every row of these tests has the entry's key");
    judge(operation, id(1), &found, owners, true)
}

fn drug(sk: i64, signa1: i64) -> Value {
    json!({ "kdObatSK": sk, "kdRacikan": "N", "obat": { "kdObat": "130103595" }, "signa1": signa1, "signa2": 1,
            "jmlObat": 10, "jmlPermintaan": 10 })
}

fn our_drug() -> Value {
    json!({ "noKunjungan": "0114A0261126Y000001", "obatDPHO": true, "kdObat": "130103595", "signa1": 3, "signa2": 1,
            "jmlObat": 10, "jmlPermintaan": 10 })
}

fn visit(diagnosis: &str) -> Value {
    json!({ "noKunjungan": "0114A0261126Y000001", "tglKunjungan": "21-11-2026", "peserta": { "noKartu": "0009900000000" },
            "poli": { "kdPoli": "001" }, "providerPelayanan": { "kdProvider": "0114a026" },
            "diagnosa1": { "kdDiag": diagnosis }, "dokter": { "kdDokter": "001" },
            "statusPulang": { "kdStatusPulang": "3" } })
}

fn our_visit() -> Value {
    json!({ "noKartu": "0009900000000", "tglDaftar": "21-11-2026", "kdPoli": "001", "kdDiag1": "J06.9",
            "kdDokter": "001", "kdStatusPulang": "3" })
}

#[test]
fn nothing_there_is_absent() {
    assert_eq!(find("pcare.obat.add", &our_drug(), &[], &[]), Finding::Absent);
}

#[test]
fn copies_are_counted_by_the_ids_that_nobody_owns() {
    let rows = [drug(37, 3), drug(38, 3)];
    let found = find("pcare.obat.add", &our_drug(), &rows, &[Some(id(2)), None]);
    let Finding::Found { ids, .. } = found else { panic!("{found:?}") };
    assert_eq!(ids.expose()["kdObatSK"], "38");
    let all_owned = find("pcare.obat.add", &our_drug(), &rows, &[Some(id(2)), Some(id(3))]);
    assert_eq!(all_owned, Finding::Absent, "the same drug twice in one visit is lawful");
}

#[test]
fn a_row_that_is_already_ours_is_found_again() {
    assert!(matches!(find("pcare.obat.add", &our_drug(), &[drug(37, 3)], &[Some(id(1))]), Finding::Found { .. }));
}

#[test]
fn the_same_key_with_other_content_is_for_a_person() {
    let other_dose = find("pcare.obat.add", &our_drug(), &[drug(37, 1)], &[None]);
    let Finding::Ambiguous { detail } = other_dose else { panic!("{other_dose:?}") };
    assert!(detail.contains("signa1") && !detail.contains("130103595"), "{detail}");
    assert!(matches!(find("pcare.kunjungan.add", &our_visit(), &[visit("K297")], &[None]), Finding::Ambiguous { .. }));
}

#[test]
fn where_bpjs_keeps_it_unique_an_owned_row_names_its_owner() {
    let owned = find("pcare.kunjungan.add", &our_visit(), &[visit("J069")], &[Some(id(2))]);
    assert_eq!(owned, Finding::Owned { owner: id(2) });
    assert!(matches!(find("pcare.kunjungan.add", &our_visit(), &[visit("J069")], &[None]), Finding::Found { .. }));
}

#[test]
fn a_list_cut_short_never_shows_absence() {
    let catalogue = Catalogue::shipped().unwrap();
    let operation = catalogue.operation("pcare.obat.add").unwrap();
    let found = candidates(operation, &our_drug(), "0114A026", &[drug(37, 3)]);
    for (found, owners) in [(&found[..], vec![Some(id(2))]), (&found[..0], Vec::new())] {
        assert!(matches!(judge(operation, id(1), found, &owners, false), Finding::Failed { .. }));
        assert_eq!(judge(operation, id(1), found, &owners, true), Finding::Absent);
    }
}
