//! What a hostile day does besides: the switches of BPJS that nobody knows, typed-in entries that differ, restarts in an
//! outage, keys changed under the daemon, a second daemon.

use std::process::{Command, Stdio};
use std::time::Duration;

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use crate::bridge::{
    Bridge, PATIENCE, Setup, card, daftar, drug, kunjungan, obat, shipped_day, submission, visit, whole_visit,
    yesterday,
};
use crate::day::{all_final, exactly_once};

/// A fifth of the day with many lost answers, at a BPJS that behaves so.
fn a_fifth_of_the_day_under(rules: &Value) {
    let bridge = Bridge::with(&Setup { settle_ms: 250, seed: 5, ..Setup::default() });
    bridge.rules(rules);
    let mut lost = Fault::new("write", Kind::LandThenReset);
    lost.probability = Some(0.15);
    bridge.fault(lost);
    let day: Vec<Value> = shipped_day(yesterday()).into_iter().step_by(5).collect();
    let answers = bridge.submit_all(&day, 4);
    assert!(answers.iter().all(|answer| answer.as_ref().is_some_and(|answer| matches!(answer.status, 200 | 202))));
    let entries: usize = day.iter().filter_map(|one| one["entries"].as_array().map(Vec::len)).sum();
    let all = all_final(&bridge, entries);
    exactly_once(&bridge, &all);
    let odd: Vec<&Value> = all.iter().filter(|one| one["state"] != "delivered").collect();
    assert!(odd.is_empty(), "{rules}: {odd:#?}");
    let adopted = all.iter().filter(|one| one["how"] == "adopted").count();
    assert!(adopted >= 8, "the look-up had something to do: {adopted}");
    let report = bridge.reconcile(yesterday());
    assert_eq!(report["counts"]["equal"].as_u64(), u64::try_from(entries).ok(), "{rules}: {report:#}");
}

#[test]
fn lists_that_begin_with_one_and_pages_that_are_cut_hide_nothing_from_the_look_up() {
    a_fifth_of_the_day_under(&json!({ "first_row": 1, "max_rows": 7 }));
}

#[test]
fn lists_that_begin_with_zero_and_are_cut_hide_nothing_either() {
    a_fifth_of_the_day_under(&json!({ "max_rows": 10, "no_content_empty": true, "code_as_text": true }));
}

#[test]
fn the_strictest_bpjs_takes_the_day_too() {
    a_fifth_of_the_day_under(&json!({ "strict_content_type": true, "strict_null_referral": true,
        "unknown_poli_is_500": true, "keep_visits_with_children": true }));
}

#[test]
fn a_visit_typed_in_with_other_content_waits_for_a_person_and_its_children_with_it() {
    let bridge = Bridge::up();
    let (card, day) = (card(1), yesterday());
    bridge.simulator.down(DownMode::Http503, None);
    let id = bridge.submit(&submission(
        "a",
        &[daftar(&card, day), kunjungan(&card, day), obat("obat-1", "130103595", 10), obat("obat-2", "130107777", 5)],
    ));
    bridge.staff("pendaftaran", &daftar(&card, day)["payload"]);
    let mut other = visit(&card, day);
    other["kdDiag1"] = json!("I10");
    let number = bridge.staff("kunjungan", &other)[0]["message"].clone();
    let mut typed = drug("130103595", 15);
    typed["noKunjungan"] = number.clone();
    bridge.staff("obat", &typed);
    bridge.simulator.up();
    let held = bridge.entry_in(&id, "kunjungan", "held");
    assert_eq!(held["why"]["code"], "ambiguous", "{held:#}");
    let child = bridge.entries(&id)["obat-1"].clone();
    assert_eq!((&child["state"], &child["blocked_by"]["kind"]), (&json!("waiting"), &json!("prerequisite")));
    let refused = bridge.act(&held, "resolve", &json!({ "verdict": "adopt" }));
    assert_eq!(refused.status, 422, "an adoption needs the number: {refused:?}");
    let answer = bridge.act(&held, "resolve", &json!({ "verdict": "adopt", "remote": { "noKunjungan": number } }));
    assert_eq!(answer.status, 200, "{answer:?}");
    // The drug that staff typed in has another quantity: only a person can say whether it is the same.
    let unsure = bridge.entry_in(&id, "obat-1", "held");
    assert_eq!(unsure["why"]["code"], "ambiguous", "{unsure:#}");
    assert_eq!(bridge.ledger("obat").iter().filter(|one| one["content"]["kdObat"] == "130103595").count(), 1);
    assert_eq!(bridge.act(&unsure, "resolve", &json!({ "verdict": "absent" })).status, 200);
    let done = bridge.until("both drugs are delivered", PATIENCE, || {
        let done = bridge.entries(&id);
        done.values().all(|one| one["state"] == "delivered").then_some(done)
    });
    assert_eq!(bridge.ledger("obat").len(), 3, "{done:#?}");
}

#[test]
fn a_restart_in_an_outage_does_not_open_a_second_one() {
    let mut bridge = Bridge::up();
    bridge.simulator.down(DownMode::Refuse, None);
    let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    let outages = |bridge: &Bridge| bridge.get("/v1/outages")["items"].as_array().cloned().unwrap_or_default();
    bridge.until("it is on record", Duration::from_secs(10), || (outages(&bridge).len() == 1).then_some(()));
    for _ in 0..3 {
        bridge.kill_9();
        bridge.start();
    }
    bridge.simulator.up();
    assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"));
    bridge.until("it is closed", Duration::from_secs(10), || {
        let all = outages(&bridge);
        (all.len() == 1 && !all[0]["closed_at"].is_null()).then_some(())
    });
}

#[test]
fn a_child_of_an_earlier_failure_is_held_at_once_and_freed_with_it() {
    let bridge = Bridge::up();
    let (card, day) = (card(1), yesterday());
    let mut wrong = daftar(&card, day);
    wrong["payload"]["kdPoli"] = json!("999");
    let first = bridge.submit(&submission("a", &[wrong]));
    let parent = bridge.finished(&first)["daftar"].clone();
    assert_eq!(parent["state"], "refused");
    let mut child = kunjungan(&card, day);
    child["after"] = json!(["a/daftar"]);
    let second = bridge.submit(&submission("b", &[child]));
    assert_eq!(bridge.entries(&second)["kunjungan"]["why"]["code"], "prerequisite");
    let answer = bridge.act(&parent, "amend", &json!({ "payload": daftar(&card, day)["payload"] }));
    assert_eq!(answer.status, 200, "{answer:?}");
    bridge.entry_in(&second, "kunjungan", "delivered");
    // A cancelled one cannot be amended; what comes after it stays with a person.
    let mut other = daftar(&card, day);
    other["payload"]["kdPoli"] = json!("998");
    let third = bridge.submit(&submission("c", &[other]));
    let parent = bridge.finished(&third)["daftar"].clone();
    assert_eq!(bridge.act(&parent, "cancel", &json!({})).body["state"], "cancelled");
    let mut child = kunjungan(&card, day);
    child["after"] = json!(["c/daftar"]);
    let fourth = bridge.submit(&submission("d", &[child]));
    let child = bridge.entries(&fourth)["kunjungan"].clone();
    assert_eq!((&child["state"], &child["why"]["code"]), (&json!("held"), &json!("prerequisite")));
    assert_eq!(bridge.act(&child, "cancel", &json!({})).body["state"], "cancelled");
}

#[test]
fn a_reconciliation_in_an_outage_adopts_nothing_and_says_that_it_is_incomplete() {
    let bridge = Bridge::up();
    let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    bridge.finished(&id);
    bridge.simulator.down(DownMode::Http503, None);
    let body = json!({ "facility": crate::bridge::FACILITY, "date": yesterday().to_string() });
    let answer = bridge.call("POST", "/v1/reconciliations", Some(&body));
    assert!(answer.status == 503 || answer.body["complete"] == false, "{answer:?}");
    assert_ne!(answer.body["counts"]["only_here"], json!(3), "what was not read is not missing: {answer:?}");
}

#[test]
fn the_vault_s_key_is_changed_under_the_running_daemon() {
    let mut bridge = Bridge::up();
    bridge.cli(&["vault", "rotate"], "");
    let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"));
    bridge.put("pcare.password", "Baru#2026");
    bridge.simulator.set_password(jembatan::secret::Password::new("Baru#2026"));
    bridge.kill_9();
    bridge.start();
    let id = bridge.submit(&whole_visit("b", &card(2), yesterday()));
    assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"));
    assert_eq!(bridge.get("/v1/pauses")["items"], json!([]), "a new key is no restored store");
}

#[test]
fn a_second_daemon_on_the_same_database_refuses_to_start_and_says_why() {
    let bridge = Bridge::up();
    let second = Command::new(env!("CARGO_BIN_EXE_jembatan"))
        .args(["serve", "--config"])
        .arg(bridge.config())
        .env("JEMBATAN__HTTP__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("jembatan.db"), "{said}");
    let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"), "the first goes on");
}

#[test]
fn a_lost_database_does_not_double_what_the_sim_hands_in_again() {
    let mut bridge = Bridge::up();
    let bodies: Vec<Value> = (0..5).map(|n| whole_visit(&format!("s{n}"), &card(n), yesterday())).collect();
    bridge.submit_all(&bodies, 4);
    all_final(&bridge, 15);
    bridge.terminate();
    for file in std::fs::read_dir(bridge.state()).expect("the state") {
        let path = file.expect("a file").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("jembatan.db")) {
            std::fs::remove_file(path).expect("gone");
        }
    }
    bridge.start();
    bridge.submit_all(&bodies, 4);
    let all = all_final(&bridge, 15);
    assert!(all.iter().all(|one| one["state"] == "delivered" && one["how"] != "accepted"), "{all:#?}");
    exactly_once(&bridge, &all);
}

/// Nobody says that BPJS never gives a queue number a second time: after a deletion, or per clinic.
#[test]
fn a_queue_number_that_bpjs_gives_to_a_second_patient_is_that_patient_s() {
    let bridge = Bridge::up();
    let first = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    let first = bridge.finished(&first)["daftar"].clone();
    // Everything was deleted at BPJS, and its numbers begin anew.
    bridge.simulator.reset();
    let second = bridge.submit(&whole_visit("b", &card(2), yesterday()));
    let done = bridge.finished(&second);
    assert_eq!(done["daftar"]["remote"]["noUrut"], first["remote"]["noUrut"], "the same number: {done:#?}");
    assert!(done.values().all(|one| one["state"] == "delivered"), "{done:#?}");
}
