//! V-Claim and Antrean FKTP through the same queue: what lands unseen is adopted by its number, what is another's is
//! refused, what has no read is repeated, and each service has its own user key, lane and outage.

use jembatan::catalogue::Service;
use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};
use std::io::Write as _;

use crate::bridge::{Bridge, FACILITY, PATIENCE, Setup, card, daftar, submission, yesterday};

/// A hospital that is not ours.
const ELSEWHERE: &str = "0114R099";

/// A bridge with all four services, ready to start.
fn stopped(setup: &Setup) -> Bridge {
    let bridge = Bridge::stopped(setup);
    let mut config = std::fs::OpenOptions::new().append(true).open(bridge.config()).unwrap();
    for (service, path) in [("vclaim", "vclaim-rest"), ("antrean_fktp", "antreanfktp"), ("icare", "wsihs")] {
        writeln!(config, "[facility.{service}]\nbase_url = \"http://{}/{path}\"", bridge.simulator_at).unwrap();
    }
    let theirs = bridge.simulator.credentials();
    bridge.put("vclaim.user_key", theirs.vclaim.expose());
    bridge.put("antrean_fktp.user_key", theirs.antrean_fktp.expose());
    bridge.put("icare.user_key", theirs.icare.expose());
    bridge
}

fn up() -> Bridge {
    with(&Setup::default())
}

fn with(setup: &Setup) -> Bridge {
    let mut bridge = stopped(setup);
    bridge.start();
    bridge
}

/// The inside of `t_sep`.
fn sep(card: &str, day: Date) -> Value {
    json!({ "noKartu": card, "tglSep": day.to_string(), "ppkPelayanan": FACILITY, "jnsPelayanan": "2",
        "klsRawat": { "klsRawatHak": "3", "klsRawatNaik": "", "pembiayaan": "", "penanggungJawab": "" },
        "noMR": "MR0001",
        "rujukan": { "asalRujukan": "1", "tglRujukan": day.to_string(), "noRujukan": "01140U161126P000001",
            "ppkRujukan": "0114U163" },
        "catatan": "", "diagAwal": "E11.9", "poli": { "tujuan": "INT", "eksekutif": "0" }, "cob": { "cob": "0" },
        "katarak": { "katarak": "0" },
        "jaminan": { "lakaLantas": "0", "noLP": "", "penjamin": { "tglKejadian": "", "keterangan": "",
            "suplesi": { "suplesi": "0", "noSepSuplesi": "",
                "lokasiLaka": { "kdPropinsi": "", "kdKabupaten": "", "kdKecamatan": "" } } } },
        "tujuanKunj": "0", "flagProcedure": "", "kdPenunjang": "", "assesmentPel": "",
        "skdp": { "noSurat": "", "kodeDPJP": "" }, "dpjpLayan": "31574", "noTelp": "081200000000", "user": "uji" })
}

fn changed(mut payload: Value, pointer: &str, value: Value) -> Value {
    *payload.pointer_mut(pointer).unwrap() = value;
    payload
}

fn sep_entry(payload: Value) -> Value {
    json!({ "ref": "sep", "operation": "vclaim.sep.add", "payload": payload })
}

fn hand_in(bridge: &Bridge, reference: &str, entry: Value) -> String {
    bridge.submit(&submission(reference, &[entry]))
}

fn state(entry: &Value) -> (&str, &str) {
    (entry["state"].as_str().unwrap_or(""), entry["how"].as_str().unwrap_or(""))
}

/// A working day of Antrean: it has no clinic on Sundays.
fn working_day() -> Date {
    let day = yesterday();
    if day.weekday() == Weekday::Sunday { day.checked_sub(1.day()).unwrap() } else { day }
}

#[test]
fn a_sep_lost_after_landing_is_adopted_by_its_number_and_never_doubled() {
    let bridge = up();
    let kinds = [Kind::LandThenReset, Kind::EmptyBody, Kind::TruncatedBase64, Kind::WrongTimestampSeal];
    for (n, kind) in (0..).zip(kinds) {
        bridge.fault(Fault::new("vclaim.sep.add", kind).times(1));
        let id = hand_in(&bridge, &format!("sep-{n}"), sep_entry(sep(&card(n), yesterday())));
        let entry = bridge.finished(&id)["sep"].clone();
        assert_eq!(state(&entry), ("delivered", "adopted"), "{kind:?} {entry:#}");
        let landed = bridge.ledger("sep");
        assert_eq!(landed.len(), usize::try_from(n).unwrap() + 1, "{kind:?}");
        assert_eq!(entry["remote"]["noSep"], landed.last().unwrap()["noSep"], "{kind:?}");
    }
    assert_eq!(bridge.requests("vclaim.sep.add"), 4, "one insert each");
}

/// BPJS's list does not show the SEP for a while: the bridge sends again, BPJS names the number, and it is ours.
#[test]
fn the_number_in_bpjs_words_is_read_back_and_ours_is_adopted() {
    let bridge = up();
    let (card, day) = (card(1), yesterday());
    bridge.fault(Fault::new("vclaim.sep.add", Kind::TimeoutBeforeLand).times(1).lasting(1_500));
    bridge.pause(FACILITY, true);
    let id = hand_in(&bridge, "a", sep_entry(sep(&card, day)));
    let typed = bridge.staff("sep", &sep(&card, day));
    let number = typed["sep"]["noSep"].as_str().unwrap().to_owned();
    bridge.simulator.clear_faults();
    bridge.pause(FACILITY, false);
    let entry = bridge.finished(&id)["sep"].clone();
    assert_eq!(state(&entry), ("delivered", "already_there"), "{entry:#}");
    assert_eq!(entry["remote"]["noSep"], json!(number));
    assert_eq!((bridge.ledger("sep").len(), bridge.requests("vclaim.sep.add")), (1, 1));
    assert_eq!(bridge.requests("vclaim.monitoring.kunjungan"), 0, "the number was asked for, not the list");
}

#[test]
fn another_hospitals_sep_and_another_referrals_are_refused_by_name() {
    let bridge = up();
    let day = yesterday();
    let cases = [
        (card(1), changed(sep(&card(1), day), "/ppkPelayanan", json!(ELSEWHERE))),
        (card(2), changed(sep(&card(2), day), "/rujukan/noRujukan", json!("01140U161126P000777"))),
    ];
    for (n, (card, theirs)) in (0..).zip(cases) {
        for lost_first in [false, true] {
            let (card, theirs) = if lost_first {
                let other = crate::bridge::card(10 + n);
                (other.clone(), changed(theirs.clone(), "/noKartu", json!(other)))
            } else {
                (card.clone(), theirs.clone())
            };
            let typed = bridge.staff("sep", &theirs);
            let number = typed["sep"]["noSep"].as_str().unwrap().to_owned();
            if lost_first {
                bridge.fault(Fault::new("vclaim.sep.add", Kind::Reset).times(1));
            }
            let id = hand_in(&bridge, &format!("sep-{n}-{lost_first}"), sep_entry(sep(&card, day)));
            let entry = bridge.finished(&id)["sep"].clone();
            assert_eq!((state(&entry).0, &entry["why"]["code"]), ("refused", &json!("foreign")), "{entry:#}");
            assert!(entry["why"]["message"].as_str().unwrap().contains(&number), "{entry:#}");
            assert!(!entry["why"]["meaning"].as_str().unwrap().contains(&number), "the meaning is not sealed");
        }
    }
    assert_eq!(bridge.ledger("sep").len(), 4, "nothing was made beside theirs");
}

/// The number in BPJS's words is kept with the delivery, so a restart between the words and the look-up loses nothing.
#[test]
fn the_number_in_bpjs_words_survives_a_kill() {
    let mut bridge = up();
    let (card, day) = (card(1), yesterday());
    let typed = bridge.staff("sep", &sep(&card, day));
    bridge.fault(Fault::new("vclaim.sep.get", Kind::Html503));
    let id = hand_in(&bridge, "a", sep_entry(sep(&card, day)));
    bridge.entry_in(&id, "sep", "unanswered");
    bridge.kill_9();
    bridge.simulator.clear_faults();
    bridge.start();
    let entry = bridge.finished(&id)["sep"].clone();
    assert_eq!(state(&entry), ("delivered", "already_there"), "{entry:#}");
    assert_eq!(entry["remote"]["noSep"], typed["sep"]["noSep"]);
    assert_eq!(bridge.requests("vclaim.sep.add"), 1);
    assert_eq!(bridge.requests("vclaim.monitoring.kunjungan"), 0, "found by its number, not in a list");
}

#[test]
fn two_clinics_on_one_day_are_two_seps_and_each_finds_its_own() {
    let bridge = up();
    let (card, day) = (card(1), yesterday());
    let second = changed(sep(&card, day), "/poli/tujuan", json!("MAT"));
    let first = hand_in(&bridge, "a", sep_entry(sep(&card, day)));
    bridge.finished(&first);
    bridge.fault(Fault::new("vclaim.sep.add", Kind::LandThenReset).times(1));
    let later = hand_in(&bridge, "b", sep_entry(second));
    let (one, two) = (bridge.finished(&first)["sep"].clone(), bridge.finished(&later)["sep"].clone());
    assert_eq!((state(&one), state(&two)), (("delivered", "accepted"), ("delivered", "adopted")), "{two:#}");
    assert_ne!(one["remote"]["noSep"], two["remote"]["noSep"]);
    assert_eq!(bridge.ledger("sep").len(), 2);
}

/// A control letter has no uniqueness at BPJS: the lost one is found, and two meant letters stay two.
#[test]
fn a_lost_control_letter_is_found_and_two_equal_ones_are_two() {
    for kind in [Kind::LandThenReset, Kind::Reset] {
        let bridge = up();
        let (card, day) = (card(1), yesterday());
        let back = day.checked_add(7.days()).unwrap();
        bridge.fault(Fault::new("vclaim.kontrol.add", kind).times(1));
        let letter = |name: &str| {
            json!({ "ref": name, "operation": "vclaim.kontrol.add", "after": ["sep"], "payload": { "noSEP": null,
                "kodeDokter": "31574", "poliKontrol": "INT", "tglRencanaKontrol": back.to_string(), "user": "uji" } })
        };
        let entries = [sep_entry(sep(&card, day)), letter("satu"), letter("dua")];
        let id = bridge.submit(&submission("a", &entries));
        let done = bridge.finished(&id);
        let (one, two) = (&done["satu"], &done["dua"]);
        assert_eq!((state(one).0, state(two).0), ("delivered", "delivered"), "{kind:?} {done:#?}");
        assert_ne!(one["remote"]["noSuratKontrol"], two["remote"]["noSuratKontrol"], "{kind:?}");
        assert_eq!(bridge.ledger("surat_kontrol").len(), 2, "{kind:?}");
        if kind == Kind::Reset {
            let absent = bridge.attempts(one).iter().filter(|one| one["outcome"] == "absent").count();
            assert!(absent >= 2, "a copy is lawful here, so nothing is sent again after one look: {absent}");
        }
    }
}

#[test]
fn an_edit_and_a_delete_of_a_sep_come_after_it_and_are_repeated() {
    let bridge = up();
    let (card, day) = (card(1), yesterday());
    bridge.fault(Fault::new("vclaim.sep.add", Kind::LandThenReset).times(1));
    bridge.fault(Fault::new("vclaim.sep.pulang", Kind::LandThenReset).times(1));
    bridge.fault(Fault::new("vclaim.sep.delete", Kind::LandThenReset).times(1));
    let leave = json!({ "ref": "pulang", "operation": "vclaim.sep.pulang", "after": ["sep"], "payload": {
        "noSep": null, "statusPulang": "1", "noSuratMeninggal": "", "tglMeninggal": "", "tglPulang": day.to_string(),
        "noLPManual": "", "user": "uji" } });
    let delete = json!({ "ref": "hapus", "operation": "vclaim.sep.delete", "after": ["pulang", "sep"], "payload": {
        "noSep": null, "user": "uji" } });
    let inpatient = changed(sep(&card, day), "/jnsPelayanan", json!("1"));
    let inpatient = changed(changed(inpatient, "/poli/tujuan", json!("")), "/dpjpLayan", json!(""));
    let id = bridge.submit(&submission("a", &[sep_entry(inpatient), leave, delete]));
    let done = bridge.finished(&id);
    assert_eq!(state(&done["sep"]), ("delivered", "adopted"), "{done:#?}");
    assert_eq!(state(&done["pulang"]), ("delivered", "accepted"), "{done:#?}");
    assert_eq!(state(&done["hapus"]), ("delivered", "already_there"), "{done:#?}");
    assert_eq!((bridge.requests("vclaim.sep.pulang"), bridge.requests("vclaim.sep.delete")), (2, 2));
    assert!(bridge.ledger("sep").is_empty());
    // A delete of what was never there is no success.
    let never = json!({ "ref": "hapus", "operation": "vclaim.sep.delete",
        "payload": { "noSep": "0114A0261126V999999", "user": "uji" } });
    let id = hand_in(&bridge, "b", never);
    assert_eq!(bridge.finished(&id)["hapus"]["state"], "refused");
}

fn queued(card: &str, day: Date) -> Value {
    json!({ "ref": "antre", "operation": "antrean_fktp.antrean.add", "payload": { "nomorkartu": card,
        "nik": "9999990101800001", "nohp": "081200000000", "kodepoli": "001", "namapoli": "Poli Umum",
        "norm": "123345", "tanggalperiksa": day.to_string(), "kodedokter": 1, "namadokter": "dr. Contoh",
        "jampraktek": "08:00-12:00", "nomorantrean": "A-12", "angkaantrean": 12, "keterangan": "" } })
}

#[test]
fn an_antrean_lost_after_landing_is_repeated_and_the_duplicate_means_that_it_is_there() {
    let bridge = up();
    let (card, day) = (card(1), working_day());
    bridge.fault(Fault::new("antrean_fktp.antrean.add", Kind::LandThenReset).times(1));
    let called = json!({ "ref": "panggil", "operation": "antrean_fktp.antrean.panggil", "after": ["antre"], "payload": {
        "tanggalperiksa": day.to_string(), "kodepoli": "001", "nomorkartu": card, "status": 1,
        "waktu": 1_795_219_200_000_i64 } });
    let id = bridge.submit(&submission("a", &[queued(&card, day), called]));
    let done = bridge.finished(&id);
    assert_eq!(state(&done["antre"]), ("delivered", "already_there"), "{done:#?}");
    assert_eq!(state(&done["panggil"]), ("delivered", "accepted"), "{done:#?}");
    assert_eq!(bridge.requests("antrean_fktp.antrean.add"), 2, "there is no read: the repeat tells");
    let places = bridge.ledger("antrean");
    assert_eq!((places.len(), &places[0]["dipanggil"]), (1, &json!(1)));
}

#[test]
fn a_wrong_user_key_stops_its_own_lane_only_and_a_new_one_sets_it_going() {
    let bridge = up();
    bridge.put("vclaim.user_key", "kunci-pcare-yang-tertukar");
    let claimed = hand_in(&bridge, "a", sep_entry(sep(&card(1), yesterday())));
    let waits = bridge.entry_when(&claimed, "sep", |one| one["blocked_by"]["kind"] == "credentials");
    assert_eq!(waits["state"], "waiting", "{waits:#}");
    let passes = bridge.submit(&submission("b", &[daftar(&card(2), yesterday()), queued(&card(2), working_day())]));
    let done = bridge.finished(&passes);
    assert!(done.values().all(|one| one["state"] == "delivered"), "{done:#?}");
    let asked = bridge.requests("vclaim.");
    let right = bridge.simulator.credentials();
    bridge.put("vclaim.user_key", right.vclaim.expose());
    let entry = bridge.finished(&claimed)["sep"].clone();
    assert_eq!(state(&entry), ("delivered", "accepted"), "{entry:#}");
    assert!(bridge.requests("vclaim.") > asked);
}

#[test]
fn an_outage_of_one_service_is_its_own_and_every_service_is_watched() {
    let bridge = up();
    bridge.simulator.down_service(Service::Vclaim, DownMode::Http503, None);
    bridge.simulator.down_service(Service::Icare, DownMode::Refuse, None);
    let open = |service: &str| {
        let outages = bridge.get("/v1/outages");
        let list = outages["items"].as_array().cloned().unwrap_or_default();
        list.iter().any(|one| one["service"] == service && one["closed_at"].is_null())
    };
    bridge.until("both outages are open", PATIENCE, || (open("vclaim") && open("icare")).then_some(()));
    assert!(!open("pcare") && !open("antrean_fktp"));
    let waits = hand_in(&bridge, "a", sep_entry(sep(&card(1), yesterday())));
    let passes = bridge.submit(&submission("b", &[daftar(&card(2), yesterday())]));
    bridge.finished(&passes);
    assert_eq!(bridge.entries(&waits)["sep"]["blocked_by"]["kind"], "circuit");
    bridge.simulator.up();
    bridge.until("both outages are closed", PATIENCE, || (!open("vclaim") && !open("icare")).then_some(()));
    assert_eq!(bridge.finished(&waits)["sep"]["state"], "delivered");
}

#[test]
fn a_day_is_compared_where_bpjs_has_a_list_and_said_to_be_incomparable_where_it_has_none() {
    let bridge = up();
    let day = working_day();
    let ours = bridge.submit(&submission("a", &[sep_entry(sep(&card(1), day)), queued(&card(1), day)]));
    bridge.finished(&ours);
    let typed = bridge.staff("sep", &sep(&card(2), day));
    let report = bridge.reconcile(day);
    assert_eq!(report["complete"], json!(true), "{report:#}");
    assert_eq!(report["incomparable"], json!({ "antrean_fktp.antrean.add": 1 }), "{report:#}");
    assert_eq!((&report["counts"]["equal"], &report["counts"]["only_here"]), (&json!(1), &json!(0)), "{report:#}");
    let strangers = report["items"].as_array().unwrap();
    assert_eq!(strangers.len(), 1, "{report:#}");
    assert_eq!((&strangers[0]["class"], &strangers[0]["id"]), (&json!("only_bpjs"), &typed["sep"]["noSep"]));
}

/// The list of a day shows neither clinic code nor referral for certain: the comparison adopts nothing from it.
#[test]
fn the_comparison_of_a_day_does_not_take_another_clinics_sep_for_ours() {
    let bridge = up();
    let (card, day) = (card(1), yesterday());
    bridge.pause(FACILITY, true);
    let id = hand_in(&bridge, "a", sep_entry(sep(&card, day)));
    bridge.staff("sep", &changed(sep(&card, day), "/poli/tujuan", json!("MAT")));
    let report = bridge.reconcile(day);
    assert_eq!(report["adopted"], json!(0), "{report:#}");
    bridge.pause(FACILITY, false);
    let entry = bridge.finished(&id)["sep"].clone();
    assert_eq!(state(&entry), ("delivered", "accepted"), "{entry:#}");
    assert_eq!(bridge.ledger("sep").len(), 2);
}
