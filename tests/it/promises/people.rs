//! Promises 6 to 8: prerequisites and amendments, refused credentials, reproducible faults.

use std::time::Duration;

use jembatan::secret::Password;
use jembatan::simulator::faults::Kind;
use serde_json::{Value, json};

use crate::bridge::{
    Bridge, FACILITY, Setup, card, daftar, fault_of_card, kunjungan, obat, submission, visit, whole_visit, yesterday,
};

/// Requests that BPJS answered with 401.
fn refused_logins(bridge: &Bridge) -> u64 {
    let counts = bridge.simulator.requests()["counts"].as_array().cloned().unwrap_or_default();
    counts.iter().filter(|count| count["outcome"] == "401").filter_map(|count| count["count"].as_u64()).sum()
}

fn check(health: &Value, name: &str) -> Value {
    let checks = health["checks"].as_array().cloned().unwrap_or_default();
    checks.into_iter().find(|check| check["name"] == name).unwrap_or_default()
}

#[test]
fn promise_6_a_refused_parent_holds_its_children_and_amending_it_delivers_them_all() {
    let bridge = Bridge::up();
    let (card, day) = (card(1), yesterday());
    let mut wrong = kunjungan(&card, day);
    wrong["payload"]["kdDokter"] = json!("999999");
    let entries = [daftar(&card, day), wrong, obat("obat-1", "130103595", 10), obat("obat-2", "130107777", 5)];
    let original = submission("a", &entries);
    let id = bridge.submit(&original);
    let done = bridge.finished(&id);
    assert_eq!(done["kunjungan"]["state"], "refused", "{done:#?}");
    for child in ["obat-1", "obat-2"] {
        let why = &done[child]["why"]["code"];
        assert_eq!((&done[child]["state"], why), (&json!("held"), &json!("prerequisite")));
    }
    let right = visit(&card, day);
    let answer = bridge.act(&done["kunjungan"], "amend", &json!({ "payload": right }));
    assert_eq!(answer.status, 200, "{answer:?}");
    bridge.until("everything is delivered", Duration::from_secs(20), || {
        bridge.entries(&id).values().all(|one| one["state"] == "delivered").then_some(())
    });
    assert_eq!(bridge.ledger("obat").len(), 2);

    let again = bridge.try_submit(&original).expect("an answer");
    assert_eq!((again.status, again.body["id"].as_str()), (200, Some(id.as_str())), "the original body is the same");
    let mut other = original;
    other["entries"][1]["payload"] = visit(&card, day);
    assert_eq!(bridge.try_submit(&other).expect("an answer").status, 409, "the amended one is another body");
}

#[test]
fn promise_6_what_was_refused_after_a_lost_answer_can_be_amended_or_cancelled() {
    let bridge = Bridge::up();
    let day = yesterday();
    let wrong = |card: &str| {
        let mut visit = kunjungan(card, day);
        visit["payload"]["kdDokter"] = json!("999999");
        submission(card, &[daftar(card, day), visit, obat("obat", "130103595", 10)])
    };
    let [amended, cancelled] = [card(1), card(2)].map(|card| {
        bridge.fault(fault_of_card("pcare.kunjungan.add", Kind::Reset, &card).times(1));
        let id = bridge.submit(&wrong(&card));
        let refused = bridge.entry_in(&id, "kunjungan", "refused");
        assert!(refused["attempts"].as_i64() >= Some(2), "an answer was lost before: {refused:#}");
        (id, refused)
    });
    let answer = bridge.act(&amended.1, "amend", &json!({ "payload": visit(&card(1), day) }));
    assert_eq!(answer.status, 200, "{answer:?}");
    bridge.entry_in(&amended.0, "obat", "delivered");
    let answer = bridge.act(&cancelled.1, "cancel", &json!({}));
    assert_eq!((answer.status, &answer.body["state"]), (200, &json!("cancelled")), "{answer:?}");
    assert_eq!(bridge.ledger("kunjungan").len(), 1);
}

#[test]
fn promise_6_a_grandchild_waits_for_the_amended_grandparent_too() {
    let bridge = Bridge::up();
    let (card, day) = (card(1), yesterday());
    let mut wrong = daftar(&card, day);
    wrong["payload"]["kdPoli"] = json!("999");
    let id = bridge.submit(&submission("a", &[wrong, kunjungan(&card, day), obat("obat", "130103595", 10)]));
    let done = bridge.finished(&id);
    let states: Vec<&Value> = ["daftar", "kunjungan", "obat"].iter().map(|name| &done[*name]["state"]).collect();
    assert_eq!(states, ["refused", "held", "held"], "{done:#?}");
    let answer = bridge.act(&done["daftar"], "amend", &json!({ "payload": daftar(&card, day)["payload"] }));
    assert_eq!(answer.status, 200, "{answer:?}");
    bridge.until("everything is delivered", Duration::from_secs(20), || {
        bridge.entries(&id).values().all(|one| one["state"] == "delivered").then_some(())
    });
}

#[test]
fn promise_7_a_wrong_password_stops_the_lane_after_one_refusal_and_a_new_one_starts_it_again() {
    let bridge = Bridge::up();
    let first = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    bridge.finished(&first);
    bridge.simulator.set_password(Password::new("Ganti#2026"));
    let id = bridge.submit(&submission("b", &[daftar(&card(2), yesterday())]));
    let stopped = bridge.entry_when(&id, "daftar", |one| one["blocked_by"]["kind"] == "credentials");
    assert_eq!(stopped["state"], "waiting", "the lane stops, not the entry");
    // Accepting goes on, and for a while nothing more reaches BPJS.
    let more: Vec<Value> = (3..13).map(|n| submission(&format!("c{n}"), &[daftar(&card(n), yesterday())])).collect();
    let answers = bridge.submit_all(&more, 4);
    assert!(answers.iter().all(|answer| answer.as_ref().is_some_and(|answer| answer.status == 202)));
    let health = bridge.health();
    let credentials = check(&health, &format!("credentials.{FACILITY}.pcare"));
    assert_eq!((&health["verdict"], &credentials["status"]), (&json!("us"), &json!("degraded")), "{health:#}");
    let asked = std::time::Instant::now();
    bridge.until("five seconds without a further refusal", Duration::from_secs(9), || {
        assert_eq!(refused_logins(&bridge), 1, "exactly one refused attempt reaches BPJS");
        (asked.elapsed() > Duration::from_secs(5)).then_some(())
    });
    bridge.put("pcare.password", "Ganti#2026");
    bridge.until("sending goes on", Duration::from_secs(8), || {
        bridge.deliveries().iter().all(|one| one["state"] == "delivered").then_some(())
    });
    assert_eq!(refused_logins(&bridge), 1);
    assert_eq!(bridge.ledger("pendaftaran").len(), 12);
    bridge.until("the health is good again", Duration::from_secs(5), || {
        (bridge.health()["verdict"] == "none").then_some(())
    });
}

#[test]
fn promise_7_a_password_changed_in_full_flow_costs_no_more_refusals_than_calls_in_flight() {
    let bridge = Bridge::up();
    bridge.pause(FACILITY, true);
    let many: Vec<Value> = (0..40).map(|n| submission(&format!("s{n}"), &[daftar(&card(n), yesterday())])).collect();
    bridge.submit_all(&many, 4);
    bridge.simulator.set_password(Password::new("Ganti#2026"));
    bridge.pause(FACILITY, false);
    bridge.until("the lane is stopped", Duration::from_secs(10), || {
        bridge.deliveries().iter().any(|one| one["blocked_by"]["kind"] == "credentials").then_some(())
    });
    let asked = std::time::Instant::now();
    bridge.until("three seconds", Duration::from_secs(9), || (asked.elapsed() > Duration::from_secs(3)).then_some(()));
    let refused = refused_logins(&bridge);
    assert!((1..=9).contains(&refused), "eight calls and a probe at most: {refused}");
    bridge.put("pcare.password", "Ganti#2026");
    bridge.until("sending goes on", Duration::from_secs(15), || {
        bridge.deliveries().iter().all(|one| one["state"] == "delivered").then_some(())
    });
}

#[test]
fn promise_7_a_still_wrong_new_password_is_tried_once() {
    let bridge = Bridge::up();
    bridge.simulator.set_password(Password::new("Ganti#2026"));
    let id = bridge.submit(&submission("b", &[daftar(&card(2), yesterday())]));
    bridge.entry_when(&id, "daftar", |one| one["blocked_by"]["kind"] == "credentials");
    let before = refused_logins(&bridge);
    bridge.put("pcare.password", "salah-lagi");
    bridge
        .until("the new version is tried", Duration::from_secs(8), || (refused_logins(&bridge) > before).then_some(()));
    let asked = std::time::Instant::now();
    bridge.until("three seconds", Duration::from_secs(9), || (asked.elapsed() > Duration::from_secs(3)).then_some(()));
    assert_eq!(refused_logins(&bridge), before + 1);
    assert_eq!(bridge.entries(&id)["daftar"]["blocked_by"]["kind"], "credentials");
}

#[test]
fn promise_7_a_401_about_screening_or_of_unknown_words_refuses_the_entry_only() {
    let bridge = Bridge::up();
    let day = yesterday();
    bridge.fault(fault_of_card("pcare.pendaftaran.add", Kind::UnauthorizedScreening, &card(1)));
    // These words mean a duplicate for an add; for an edit nobody knows them.
    bridge.fault(fault_of_card("pcare.kunjungan.edit", Kind::UnauthorizedDuplicate, &card(2)));
    let screening = bridge.submit(&whole_visit("a", &card(1), day));
    let edit = json!({ "ref": "ubah", "operation": "pcare.kunjungan.edit", "after": ["kunjungan"],
        "payload": visit(&card(2), day) });
    let unknown = bridge.submit(&submission("b", &[daftar(&card(2), day), kunjungan(&card(2), day), edit]));
    let done = bridge.finished(&screening);
    assert_eq!((&done["daftar"]["state"], &done["daftar"]["why"]["who"]), (&json!("refused"), &json!("registration")));
    assert_eq!(done["obat"]["state"], "held");
    let done = bridge.finished(&unknown);
    assert_eq!((&done["ubah"]["state"], &done["ubah"]["why"]["code"]), (&json!("refused"), &json!("unknown_401")));
    let passes = bridge.submit(&whole_visit("c", &card(3), day));
    assert!(bridge.finished(&passes).values().all(|one| one["state"] == "delivered"), "the lane goes on");
}

#[test]
fn promise_8_the_same_fault_five_times_while_others_pass_is_held_for_a_person() {
    let bridge = Bridge::with(&Setup { settle_ms: 200, ..Setup::default() });
    let (bad, day) = (card(1), yesterday());
    bridge.fault(fault_of_card("pcare.kunjungan.add", Kind::NullReference500, &bad));
    let id = bridge.submit(&whole_visit("bad", &bad, day));
    let others: Vec<Value> = (2..8).map(|n| whole_visit(&format!("s{n}"), &card(n), day)).collect();
    for answer in bridge.submit_all(&others, 2) {
        let other = answer.expect("an answer").body["id"].as_str().unwrap_or_default().to_owned();
        assert!(bridge.finished(&other).values().all(|one| one["state"] == "delivered"));
    }
    let held = bridge.entry_in(&id, "kunjungan", "held");
    assert_eq!(held["why"]["code"], "reproducible_fault", "{held:#}");
    let sends = bridge.attempts(&held).iter().filter(|one| one["purpose"] == "send").count();
    assert_eq!(sends, 5);
    assert!(held["why"]["message"].to_string().contains("Object reference not set"), "{held:#}");
    // BPJS repairs itself; a person follows the advice shown, and what waited follows.
    assert!(held["why"]["next"].to_string().contains("amend"), "{held:#}");
    bridge.simulator.clear_faults();
    let answer = bridge.act(&held, "amend", &json!({ "payload": visit(&bad, day) }));
    assert_eq!(answer.status, 200, "{answer:?}");
    bridge.until("everything is delivered", Duration::from_secs(20), || {
        bridge.entries(&id).values().all(|one| one["state"] == "delivered").then_some(())
    });
    assert_eq!(bridge.ledger("kunjungan").len(), 7);
}
