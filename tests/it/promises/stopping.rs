//! Promises 10, 13 and 15: durable, restored, paused.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::json;

use crate::bridge::{Bridge, FACILITY, Setup, card, daftar, is_final, submission, whole_visit, yesterday};

#[test]
fn promise_10_what_was_answered_202_survives_a_kill_in_the_same_instant() {
    let mut bridge = Bridge::up();
    for n in 0..6 {
        let id = bridge.submit(&whole_visit(&format!("s{n}"), &card(n), yesterday()));
        bridge.kill_9();
        bridge.start();
        assert_eq!(bridge.entries(&id).len(), 3, "round {n}");
    }
    bridge.until("everything is delivered", Duration::from_secs(30), || {
        bridge.deliveries().iter().all(|one| one["state"] == "delivered").then_some(())
    });
    assert_eq!((bridge.ledger("pendaftaran").len(), bridge.ledger("obat").len()), (6, 6));
}

/// Defect 24 of other bridges: a composite that is half there.
#[test]
fn promise_10_the_same_body_many_times_at_once_is_one_submission_and_a_faulty_one_is_none() {
    let bridge = Bridge::up();
    let body = whole_visit("sama", &card(1), yesterday());
    let answers = bridge.submit_all(&vec![body; 24], 24);
    let ids: BTreeSet<String> =
        answers.iter().map(|answer| answer.as_ref().expect("an answer").body["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(bridge.deliveries().len(), 3);
    let mut faulty = whole_visit("setengah", &card(2), yesterday());
    faulty["entries"][2]["payload"]["kdObatt"] = json!("x");
    faulty["entries"][1]["payload"]["tglDaftar"] = json!("2026-11-21");
    let answer = bridge.try_submit(&faulty).expect("an answer");
    assert_eq!(answer.status, 422, "{answer:?}");
    let text = answer.body.to_string();
    assert!(text.contains("/entries/2/payload/kdObatt") && text.contains("/entries/1/payload/tglDaftar"), "{text}");
    assert_eq!(bridge.deliveries().len(), 3, "nothing of it is stored");
}

#[test]
fn promise_10_with_the_disk_nearly_full_nothing_new_is_taken_and_outcomes_are_recorded() {
    let mut bridge = Bridge::up();
    bridge.simulator.down(DownMode::Refuse, None);
    let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    bridge.terminate();
    bridge.write_config(&Setup { min_free: "900000 GiB", ..Setup::default() });
    bridge.start();
    let answer = bridge.try_submit(&whole_visit("b", &card(2), yesterday())).expect("an answer");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
    bridge.simulator.up();
    assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"));
    assert_eq!(bridge.health()["verdict"], "us");
}

/// A copy of the database as a backup program makes one, while the daemon runs.
fn hot_copy(bridge: &Bridge) -> std::path::PathBuf {
    let copy = bridge.home().join("backup.db");
    let source = rusqlite::Connection::open(bridge.state().join("jembatan.db")).expect("the database");
    source.execute("VACUUM INTO ?1", [copy.display().to_string()]).expect("a copy");
    copy
}

fn put_back(bridge: &Bridge, copy: &std::path::Path) {
    let database = bridge.state().join("jembatan.db");
    for suffix in ["-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", database.display())));
    }
    std::fs::copy(copy, &database).expect("put back");
}

fn starts_paused_and_looks_first(bridge: &mut Bridge, early: &str) {
    bridge.start();
    let pauses = bridge.get("/v1/pauses");
    assert_eq!(pauses["items"][0]["facility"], "*", "a restored store starts paused: {pauses:#}");
    let (ledger, writes) = (bridge.simulator.ledger(), bridge.writes());
    bridge.pause("*", false);
    let done = bridge.finished(early);
    assert!(done.values().all(|one| one["state"] == "delivered" && one["how"] != "accepted"), "{done:#?}");
    assert_eq!((bridge.simulator.ledger(), bridge.writes()), (ledger, writes), "nothing is sent a second time");
}

#[test]
fn promise_13_an_old_copy_put_back_in_the_same_run_starts_paused_and_sends_nothing_twice() {
    let mut bridge = Bridge::up();
    bridge.pause("*", true);
    let early = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    let copy = hot_copy(&bridge);
    // The copy has the pause too: somebody lifts it, the entries arrive, the disk dies.
    bridge.pause("*", false);
    bridge.finished(&early);
    bridge.kill_9();
    unpause(&copy);
    put_back(&bridge, &copy);
    starts_paused_and_looks_first(&mut bridge, &early);
}

#[test]
fn promise_13_an_old_copy_put_back_after_further_starts_starts_paused_and_sends_nothing_twice() {
    let mut bridge = Bridge::up();
    bridge.pause("*", true);
    let early = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    let copy = hot_copy(&bridge);
    bridge.terminate();
    bridge.start();
    bridge.pause("*", false);
    bridge.finished(&early);
    bridge.kill_9();
    unpause(&copy);
    put_back(&bridge, &copy);
    starts_paused_and_looks_first(&mut bridge, &early);
}

/// So that the pause found later is the restored store's own.
fn unpause(copy: &std::path::Path) {
    let copy = rusqlite::Connection::open(copy).expect("the copy");
    copy.execute("DELETE FROM pause", []).expect("no pause");
}

#[test]
fn promise_13_killed_and_started_again_it_is_not_taken_for_restored() {
    let mut bridge = Bridge::up();
    for n in 0..4 {
        let id = bridge.submit(&submission(&format!("s{n}"), &[daftar(&card(n), yesterday())]));
        if n % 2 == 0 {
            bridge.finished(&id);
        }
        bridge.kill_9();
        bridge.start();
        assert_eq!(bridge.get("/v1/pauses")["items"], json!([]), "round {n}");
    }
    bridge.terminate();
    bridge.start();
    assert_eq!(bridge.get("/v1/pauses")["items"], json!([]));
}

#[test]
fn promise_15_a_pause_stops_sending_but_not_accepting_and_survives_a_restart() {
    for facility in [FACILITY, "*"] {
        let mut bridge = Bridge::up();
        bridge.pause(facility, true);
        let before = bridge.writes();
        let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
        bridge.kill_9();
        bridge.start();
        let other = bridge.submit(&whole_visit("b", &card(2), yesterday()));
        let began = Instant::now();
        bridge.until("three quiet seconds", Duration::from_secs(9), || {
            assert_eq!(bridge.writes(), before, "nothing is sent");
            (began.elapsed() > Duration::from_secs(3)).then_some(())
        });
        let waiting = bridge.entries(&other)["daftar"].clone();
        assert_eq!((&waiting["state"], &waiting["blocked_by"]["kind"]), (&json!("waiting"), &json!("lane")));
        bridge.pause(facility, false);
        for id in [id, other] {
            assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"));
        }
    }
}

/// Defect 13 of other bridges: retries that cannot be stopped.
#[test]
fn defect_13_hold_stops_an_entry_and_survives_a_restart() {
    let mut bridge = Bridge::up();
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::Html503));
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    let held = bridge.until("it can be held between two tries", Duration::from_secs(20), || {
        let entry = bridge.entries(&id)["daftar"].clone();
        let answer = bridge.act(&entry, "hold", &json!({}));
        (answer.status == 200).then_some(answer.body)
    });
    assert_eq!((&held["state"], &held["why"]["code"]), (&json!("held"), &json!("operator")), "{held:#}");
    let sent = bridge.requests("pcare.pendaftaran.add");
    bridge.kill_9();
    bridge.start();
    let began = Instant::now();
    bridge.until("three quiet seconds", Duration::from_secs(9), || {
        assert_eq!(bridge.requests("pcare.pendaftaran.add"), sent);
        (began.elapsed() > Duration::from_secs(3)).then_some(())
    });
    let entry = bridge.entries(&id)["daftar"].clone();
    assert!(is_final(&entry) && entry["state"] == "held", "{entry:#}");
    bridge.simulator.clear_faults();
    assert_eq!(bridge.act(&entry, "release", &json!({})).status, 200);
    assert_eq!(bridge.finished(&id)["daftar"]["state"], "delivered");
    assert_eq!(bridge.ledger("pendaftaran").len(), 1);
}
