//! Defects of other bridges that no other test shows absent. The whole map: `docs/defects.md`.

mod carried;
mod kept;
mod map;

use std::time::{Duration, Instant};

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use crate::bridge::{
    Bridge, FACILITY, card, daftar, drug, instant, is_final, kunjungan, submission, visit, whole_visit, wire, yesterday,
};

/// Five tries and the entry was FAILED for good; or the same job in flight twice.
#[test]
fn defect_01_an_outage_costs_no_entry_its_tries_and_no_entry_is_in_flight_twice() {
    for mode in [DownMode::Refuse, DownMode::Http503, DownMode::Hang] {
        let bridge = Bridge::up();
        bridge.simulator.down(mode, None);
        let bodies: Vec<Value> = (0..15).map(|n| whole_visit(&format!("s{n}"), &card(n), yesterday())).collect();
        bridge.submit_all(&bodies, 4);
        bridge.until("the outage is on record", Duration::from_secs(10), || {
            let outages = bridge.get("/v1/outages");
            outages["items"].as_array().is_some_and(|all| !all.is_empty()).then_some(())
        });
        let began = Instant::now();
        bridge.until("four seconds of outage", Duration::from_secs(9), || {
            (began.elapsed() > Duration::from_secs(4)).then_some(())
        });
        let all = bridge.deliveries();
        assert!(all.iter().all(|one| !is_final(one)), "{mode:?}: nothing left the queue");
        let tries: i64 = all.iter().filter_map(|one| one["attempts"].as_i64()).sum();
        assert!(tries <= 16, "{mode:?}: the circuit spares the entries: {tries} tries");
        bridge.simulator.up();
        let all = bridge.until("everything is delivered", Duration::from_secs(40), || {
            let all = bridge.deliveries();
            all.iter().all(|one| one["state"] == "delivered").then_some(all)
        });
        crate::day::exactly_once(&bridge, &all);
        for one in &all {
            let spans = bridge.attempts(one);
            let overlap = spans.windows(2).any(|two| instant(&two[1]["started_at"]) < instant(&two[0]["ended_at"]));
            assert!(!overlap, "{spans:#?}");
        }
        assert_eq!(bridge.get("/v1/outages")["items"].as_array().map(Vec::len), Some(1), "one episode: {mode:?}");
    }
}

/// Signature computed once for all.
#[test]
fn defect_02_every_attempt_is_signed_with_one_stamp_of_its_own_time() {
    let bridge = Bridge::up();
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::TimeoutBeforeLand).lasting(20_000).times(1));
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    let attempts = bridge.attempts(&bridge.finished(&id)["daftar"]);
    assert!(attempts.len() >= 3, "{attempts:#?}");
    for one in &attempts {
        let stamp = one["stamp"].as_i64().unwrap_or_default();
        let (started, ended) = (instant(&one["started_at"]).as_second(), instant(&one["ended_at"]).as_second());
        assert!((started..=ended).contains(&stamp), "{one:#}");
    }
    assert!(attempts[0]["stamp"].as_i64() < attempts[attempts.len() - 1]["stamp"].as_i64());
}

#[test]
fn defect_09_a_duplicate_is_resolved_with_its_id_and_the_tries_stop() {
    let bridge = Bridge::up();
    let (card, day) = (card(1), yesterday());
    bridge.staff("pendaftaran", &daftar(&card, day)["payload"]);
    let id = bridge.submit(&submission("a", &[daftar(&card, day)]));
    let entry = bridge.finished(&id)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&json!("delivered"), &json!("already_there")), "{entry:#}");
    assert_eq!(entry["remote"]["noUrut"], bridge.ledger("pendaftaran")[0]["noUrut"]);
    let sent = bridge.requests("pcare.pendaftaran.add");
    let began = Instant::now();
    bridge.until("two quiet seconds", Duration::from_secs(9), || {
        assert_eq!((sent, bridge.requests("pcare.pendaftaran.add")), (1, 1));
        (began.elapsed() > Duration::from_secs(2)).then_some(())
    });
}

/// An entry with a name, an operation, what it comes after and a payload.
fn entry(name: &str, operation: &str, after: &[&str], payload: &Value) -> Value {
    json!({ "ref": name, "operation": operation, "after": after, "payload": payload })
}

/// Every writing operation there is, with quotes, emoji and line breaks where words may stand.
#[test]
fn defect_19_every_operation_reaches_bpjs_with_words_of_any_kind() {
    const WORDS: &str = "kata \"kutip\" 'satu' \\ 🤒 <b>&amp;</b>\nbaris kedua\ttab 500";
    let bridge = Bridge::up();
    let (card, day) = (card(1), yesterday());
    let mut register = daftar(&card, day);
    register["payload"]["keluhan"] = json!(WORDS);
    let mut seen = kunjungan(&card, day);
    seen["payload"]["keluhan"] = json!(WORDS);
    let mut changed = visit(&card, day);
    changed["anamnesa"] = json!(WORDS);
    let treatment = json!({ "kdTindakanSK": 0, "noKunjungan": null, "kdTindakan": "05001", "biaya": 0,
        "keterangan": WORDS, "hasil": 0 });
    let examination = json!({ "kdMCU": 0, "noKunjungan": null, "kdProvider": FACILITY, "tglPelayanan": wire(day),
        "tekananDarahSistole": 130, "tekananDarahDiastole": 80, "radiologiFoto": null, "keterangan": WORDS });
    let activity = json!({ "eduId": null, "clubId": 36, "tglPelayanan": wire(day), "kdKegiatan": "01",
        "kdKelompok": "01", "materi": WORDS, "pembicara": "Instruktur", "lokasi": "Halaman", "keterangan": "",
        "biaya": 1000 });
    let nobody = json!({});
    let mut other = daftar(&card, day)["payload"].clone();
    other["kdPoli"] = json!("002");
    let undone = json!({ "noKartu": card, "tglDaftar": wire(day), "noUrut": null, "kdPoli": "002" });
    let entries = [
        register,
        seen,
        entry("ubah", "pcare.kunjungan.edit", &["kunjungan"], &changed),
        entry("tindakan", "pcare.tindakan.add", &["kunjungan"], &treatment),
        entry("tindakan-ubah", "pcare.tindakan.edit", &["tindakan", "kunjungan"], &treatment),
        entry("obat", "pcare.obat.add", &["kunjungan"], &drug("130103595", 10)),
        entry("mcu", "pcare.mcu.add", &["kunjungan"], &examination),
        entry("mcu-ubah", "pcare.mcu.edit", &["mcu", "kunjungan"], &examination),
        entry("kegiatan", "pcare.kelompok.kegiatan.add", &[], &activity),
        entry("peserta", "pcare.kelompok.peserta.add", &["kegiatan"], &json!({ "eduId": null, "noKartu": card })),
        entry("poli-2", "pcare.pendaftaran.add", &[], &other),
        entry("poli-2-hapus", "pcare.pendaftaran.delete", &["poli-2"], &undone),
    ];
    let made = bridge.submit(&submission("a", &entries));
    let done = bridge.finished(&made);
    assert!(done.values().all(|one| one["state"] == "delivered"), "{:#?}", done);
    assert_eq!(bridge.ledger("pendaftaran")[0]["content"]["keluhan"], WORDS);
    assert_eq!(bridge.ledger("kunjungan")[0]["content"]["anamnesa"], WORDS);
    assert_eq!(bridge.ledger("tindakan")[0]["content"]["keterangan"], WORDS);
    assert_eq!(bridge.ledger("kegiatan")[0]["content"]["materi"], WORDS);

    let gone = json!({ "eduId": null, "noKartu": card });
    let undo = [
        entry("1", "pcare.tindakan.delete", &["a/tindakan", "a/kunjungan"], &nobody),
        entry("2", "pcare.obat.delete", &["a/obat", "a/kunjungan"], &nobody),
        entry("3", "pcare.mcu.delete", &["a/mcu", "a/kunjungan"], &nobody),
        entry("4", "pcare.kelompok.peserta.delete", &["a/peserta", "a/kegiatan"], &gone),
        entry("5", "pcare.kelompok.kegiatan.delete", &["4", "a/kegiatan"], &json!({ "eduId": null })),
        entry("6", "pcare.kunjungan.delete", &["1", "2", "3", "a/kunjungan"], &nobody),
    ];
    let undone = bridge.submit(&submission("b", &undo));
    let done = bridge.finished(&undone);
    assert!(done.values().all(|one| one["state"] == "delivered"), "{done:#?}");
    for list in ["kunjungan", "tindakan", "obat", "mcu", "kegiatan", "peserta_kegiatan"] {
        assert!(bridge.ledger(list).is_empty(), "{list}");
    }
    assert_eq!(bridge.ledger("pendaftaran").len(), 1);
    // Once deleted, the same may be entered again.
    let again = bridge.submit(&submission("c", &[kunjungan_again(&card)]));
    assert_eq!(bridge.finished(&again)["kunjungan"]["state"], "delivered");
}

fn kunjungan_again(card: &str) -> Value {
    let mut entry = kunjungan(card, yesterday());
    entry["after"] = json!(["a/daftar"]);
    entry
}
