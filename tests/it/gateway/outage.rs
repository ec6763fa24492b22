//! BPJS is away: receipts, provisional numbers, and everything once when it is back.

use std::time::{Duration, Instant};

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use super::client::{Local, Told, id_of, up, with};
use crate::bridge::{Bridge, PATIENCE, Setup, card, daftar, drug, visit, wire, yesterday};

fn outage(bridge: &Bridge, local: &Local) {
    bridge.simulator.down(DownMode::Refuse, None);
    bridge.until("the bridge knows", PATIENCE, || (local.get(bridge, "pcare/dokter/0/1").code == 503).then_some(()));
}

/// Registration, visit and two drugs of a patient, each with the number that the one before gave.
fn visit_of(bridge: &Bridge, local: &Local, n: u32) -> [Told; 4] {
    let day = yesterday();
    let registered = local.post(bridge, "pcare/pendaftaran", &daftar(&card(n), day)["payload"]);
    let visited = local.post(bridge, "pcare/kunjungan/v1", &visit(&card(n), day));
    let drugs = ["130103595", "130103596"].map(|code| {
        let mut drugs = drug(code, 10);
        drugs["noKunjungan"] = json!(id_of(&visited));
        local.post(bridge, "pcare/obat/kunjungan", &drugs)
    });
    let [first, second] = drugs;
    [registered, visited, first, second]
}

fn all_once(bridge: &Bridge, patients: usize) {
    bridge.until("everything is at BPJS", PATIENCE, || {
        let all = bridge.deliveries();
        (!all.is_empty() && all.iter().all(|one| one["state"] == "delivered")).then_some(())
    });
    let counts = ["pendaftaran", "kunjungan", "obat"].map(|list| bridge.ledger(list).len());
    assert_eq!(counts, [patients, patients, 2 * patients], "everything once");
}

#[test]
fn a_chain_of_receipts_becomes_one_visit_at_bpjs() {
    let (bridge, local) = with(&Setup::default(), "10s");
    outage(&bridge, &local);
    let began = Instant::now();
    let receipts = visit_of(&bridge, &local, 1);
    assert!(began.elapsed() < Duration::from_secs(8), "at once, not after the wait: {:?}", began.elapsed());
    for told in &receipts {
        assert_eq!((told.status, &told.code), (202, &json!(202)), "{told:?}");
        assert!(told.sealed && told.message.contains("belum ada di BPJS"), "{told:?}");
    }
    let [queue, number, drug_one, drug_two] = receipts.each_ref().map(id_of);
    assert!(queue.len() == 5 && number.len() == 19, "they fit where BPJS's numbers fit: {queue} {number}");
    assert_ne!(drug_one, drug_two);
    let again = visit_of(&bridge, &local, 1);
    assert_eq!(again.each_ref().map(id_of), [queue, number.clone(), drug_one.clone(), drug_two], "the same numbers");
    assert_eq!(bridge.deliveries().len(), 4, "and the same entries");
    // What became of it can be asked with the number.
    let asked = local.get(&bridge, &format!("pcare/obat/kunjungan/{number}"));
    assert_eq!(asked.code, 202);
    assert!(asked.message.contains("belum ada di BPJS"), "{asked:?}");
    let unknown = local.get(&bridge, "pcare/obat/kunjungan/SEMENTARA-AAAAAAAAA");
    assert_eq!(unknown.code, 404, "{unknown:?}");

    bridge.simulator.up();
    all_once(&bridge, 1);
    let real = bridge.ledger("kunjungan")[0]["noKunjungan"].clone();
    let done = visit_of(&bridge, &local, 1);
    assert!(done.iter().all(|told| told.status == 201), "{done:?}");
    assert_eq!(json!(id_of(&done[1])), real, "a repeated call has BPJS's own number");
    let list = local.get(&bridge, &format!("pcare/obat/kunjungan/{number}"));
    assert_eq!((list.status, &list.response["count"]), (200, &json!(2)), "the old number reads what it became");
    let mut third = drug("130103597", 5);
    third["noKunjungan"] = json!(number);
    assert_eq!(local.post(&bridge, "pcare/obat/kunjungan", &third).status, 201, "and can be written to");
    let path = format!("pcare/obat/{drug_one}/kunjungan/{number}");
    assert_eq!(local.call(&bridge, "DELETE", &path, None).status, 200, "in a path too");
    assert_eq!(bridge.ledger("obat").len(), 2);
}

#[test]
fn killed_between_the_receipts_nothing_is_lost_and_nothing_is_twice() {
    let (mut bridge, local) = with(&Setup::default(), "3s");
    outage(&bridge, &local);
    let mut numbers = Vec::new();
    for n in 0..4 {
        let day = yesterday();
        local.post(&bridge, "pcare/pendaftaran", &daftar(&card(n), day)["payload"]);
        bridge.kill_9();
        bridge.start();
        let receipts = visit_of(&bridge, &local, n);
        numbers.push(receipts.each_ref().map(id_of));
        if n == 2 {
            bridge.kill_9();
            bridge.start();
        }
    }
    bridge.simulator.up();
    bridge.fault(Fault::new("write", Kind::LandThenTimeout).lasting(60_000).times(3));
    bridge.until("something was lost on the way", PATIENCE, || (bridge.writes() >= 3).then_some(()));
    bridge.kill_9();
    bridge.start();
    all_once(&bridge, 4);
    for (n, before) in (0..4).zip(&numbers) {
        let done = visit_of(&bridge, &local, n);
        assert!(done.iter().all(|told| told.status == 201), "{done:?}");
        let read = local.get(&bridge, &format!("pcare/obat/kunjungan/{}", before[1]));
        assert_eq!(read.response["count"], 2);
    }
    all_once(&bridge, 4);
}

#[test]
fn a_delete_in_an_outage_waits_behind_its_add() {
    let (bridge, local) = up();
    outage(&bridge, &local);
    let day = wire(yesterday());
    let number = id_of(&local.post(&bridge, "pcare/pendaftaran", &daftar(&card(1), yesterday())["payload"]));
    let path = format!("pcare/pendaftaran/peserta/{}/tglDaftar/{day}/noUrut/{number}/kdPoli/001", card(1));
    let gone = local.call(&bridge, "DELETE", &path, None);
    assert_eq!(gone.code, 202, "{gone:?}");
    bridge.simulator.up();
    let done = local.until_done(&bridge, "DELETE", &path, None);
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!((bridge.requests("pcare.pendaftaran.add"), bridge.requests("pcare.pendaftaran.delete")), (1, 1));
    let read = local.get(&bridge, &format!("pcare/pendaftaran/tglDaftar/{day}/0/100"));
    assert_eq!(read.response["count"].as_u64().unwrap_or(0), 0, "{read:?}");
}

#[test]
fn a_provisional_referral_number_says_that_it_is_no_referral() {
    let (bridge, local) = up();
    outage(&bridge, &local);
    let mut referred = visit(&card(1), yesterday());
    referred["kdStatusPulang"] = json!("4");
    referred["rujukLanjut"] =
        json!({ "kdppk": "0116R028", "tglEstRujuk": wire(yesterday()), "subSpesialis": null, "khusus": null });
    let told = local.post(&bridge, "pcare/kunjungan/v1", &referred);
    assert_eq!(told.code, 202, "{told:?}");
    let number = id_of(&told);
    assert!(number.starts_with("BUKANRUJUKAN-") && number.len() == 19, "{number}");
    assert!(told.message.contains("BUKAN nomor rujukan"), "{}", told.message);
}

#[test]
fn a_number_of_another_client_or_in_a_foreign_field_is_refused() {
    let (bridge, local) = up();
    let other = Local::added(&bridge, "sim-kedua");
    outage(&bridge, &local);
    let [_, visited, ..] = visit_of(&bridge, &local, 1);
    let mut drugs = drug("130103595", 10);
    drugs["noKunjungan"] = json!(id_of(&visited));
    assert_eq!(other.post(&bridge, "pcare/obat/kunjungan", &drugs).code, 404, "not this client's number");
    let mut odd = visit(&card(2), yesterday());
    odd["keluhan"] = json!(id_of(&visited));
    let told = local.post(&bridge, "pcare/kunjungan/v1", &odd);
    assert_eq!((told.status, told.response[0]["field"].as_str()), (412, Some("keluhan")), "{told:?}");
    assert_eq!(bridge.deliveries().len(), 4, "nothing of it was kept");
}

/// The entry of the first is refused: what comes after it waits for a person, and the number never becomes one of BPJS's.
#[test]
fn a_receipt_whose_entry_is_refused_says_so() {
    let (bridge, local) = up();
    outage(&bridge, &local);
    let mut wrong = visit(&card(1), yesterday());
    wrong["kdDokter"] = json!("999999");
    local.post(&bridge, "pcare/pendaftaran", &daftar(&card(1), yesterday())["payload"]);
    let number = id_of(&local.post(&bridge, "pcare/kunjungan/v1", &wrong));
    let mut drugs = drug("130103595", 10);
    drugs["noKunjungan"] = json!(number);
    local.post(&bridge, "pcare/obat/kunjungan", &drugs);
    bridge.simulator.up();
    bridge.until("it is refused", PATIENCE, || {
        bridge.deliveries().iter().any(|one| one["state"] == "refused").then_some(())
    });
    let read = local.get(&bridge, &format!("pcare/obat/kunjungan/{number}"));
    assert_eq!(read.code, 404);
    assert!(read.message.contains("refused"), "{read:?}");
    let child = local.post(&bridge, "pcare/obat/kunjungan", &drugs);
    assert_eq!(child.code, 202);
    assert!(child.message.contains("mendahuluinya"), "{child:?}");
    let mended = local.post(&bridge, "pcare/kunjungan/v1", &visit(&card(1), yesterday()));
    assert_eq!(mended.status, 201, "{mended:?}");
    assert_eq!(local.until_done(&bridge, "POST", "pcare/obat/kunjungan", Some(&drugs)).status, 201);
    let states: Vec<Value> = bridge.deliveries().iter().map(|one| one["state"].clone()).collect();
    assert_eq!(states, ["delivered"; 3]);
}
