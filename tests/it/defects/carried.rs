//! Defects in how entries are carried: lost, doubled, given up, stopped by the wrong thing.

use std::time::Duration;

use jembatan::clock::Clock;
use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::bridge::{
    Bridge, FACILITY, Setup, card, daftar, fault_of_card, instant, is_final, submission, whole_visit, yesterday,
};

fn purposes(bridge: &Bridge, entry: &Value) -> Vec<String> {
    let attempts = bridge.attempts(entry);
    attempts.iter().map(|one| one["purpose"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A success that was sealed under another reading of the clock became unreadable, and was taken for a failure.
#[test]
fn defect_03_a_success_that_cannot_be_read_is_looked_up_and_not_failed_or_repeated() {
    let bridge = Bridge::up();
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::WrongTimestampSeal).times(1));
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    let entry = bridge.finished(&id)["daftar"].clone();
    assert_eq!(entry["state"], "delivered", "{entry:#}");
    assert_eq!((bridge.requests("pcare.pendaftaran.add"), bridge.ledger("pendaftaran").len()), (1, 1));
    assert!(!entry["remote"]["noUrut"].is_null(), "its number was looked for: {entry:#}");
}

/// Taken out of the queue before whoever takes over has it on disk: a crash in between loses it.
#[test]
fn defect_04_what_was_accepted_is_there_after_a_kill_before_and_during_the_hand_over() {
    let mut bridge = Bridge::up();
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::Slow).lasting(400));
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(bridge.submit(&submission(&format!("s{n}"), &[daftar(&card(n), yesterday())])));
        if n % 2 == 1 {
            bridge.until("one is on its way", Duration::from_secs(20), || {
                let all = bridge.deliveries();
                all.iter().any(|one| one["state"] == "sending").then_some(())
            });
        }
        bridge.kill_9();
        bridge.start();
    }
    for id in &ids {
        assert_eq!(bridge.finished(id)["daftar"]["state"], "delivered");
    }
    assert_eq!(bridge.ledger("pendaftaran").len(), ids.len());
}

/// What was in flight at the crash was declared failed at the next start.
#[test]
fn defect_06_what_was_in_flight_and_never_arrived_is_looked_up_first_and_then_sent() {
    let mut bridge = Bridge::up();
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::TimeoutBeforeLand).lasting(60_000).times(1));
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    bridge.until("it is on its way", Duration::from_secs(10), || {
        (bridge.requests("pcare.pendaftaran.add") == 1).then_some(())
    });
    bridge.kill_9();
    bridge.start();
    let entry = bridge.finished(&id)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&json!("delivered"), &json!("accepted")), "{entry:#}");
    let purposes = purposes(&bridge, &entry);
    assert_eq!((purposes[0].as_str(), purposes[1].as_str()), ("send", "look_up"), "{purposes:?}");
    assert_eq!(purposes.last().map(String::as_str), Some("send"));
    assert_eq!(bridge.ledger("pendaftaran").len(), 1);
}

/// A read time-out matched no branch: the next pass posted the visit again without asking.
#[test]
fn defect_07_a_visit_whose_answer_was_lost_is_at_bpjs_once_and_was_posted_once() {
    let bridge = Bridge::up();
    bridge.fault(Fault::new("pcare.kunjungan.add", Kind::LandThenTimeout).lasting(20_000).times(1));
    let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    let entries = bridge.finished(&id);
    assert!(entries.values().all(|one| one["state"] == "delivered"), "{entries:#?}");
    assert_eq!(entries["kunjungan"]["how"], "adopted");
    assert_eq!((bridge.requests("pcare.kunjungan.add"), bridge.ledger("kunjungan").len()), (1, 1));
}

/// The look-up said *absent*, and later it was there: it had been sent again in between.
#[test]
fn defect_08_what_shows_only_later_is_not_sent_a_second_time() {
    let bridge = Bridge::up();
    bridge.fault(Fault::new("pcare.obat.add", Kind::LandThenReset).times(1));
    bridge.fault(Fault::new("pcare.obat.list", Kind::NoContent204Empty).times(1));
    let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    let entry = bridge.finished(&id)["obat"].clone();
    let attempts = bridge.attempts(&entry);
    let absent = attempts.iter().filter(|one| one["outcome"] == "absent").count();
    assert_eq!(absent, 1, "BPJS did not show it at first: {attempts:#?}");
    assert_eq!(entry["how"], "adopted", "{entry:#}");
    assert_eq!((bridge.requests("pcare.obat.add"), bridge.ledger("obat").len()), (1, 1));
}

/// One entry that always fails held up everything behind it.
#[test]
fn defect_10_one_entry_that_never_passes_blocks_nobody_and_the_order_within_a_patient_stays() {
    let bridge = Bridge::up();
    let (poisoned, day) = (card(500), yesterday());
    bridge.fault(fault_of_card("pcare.pendaftaran.add", Kind::NullReference500, &poisoned));
    let first = bridge.submit(&whole_visit("racun", &poisoned, day));
    let bodies: Vec<Value> = (0..60).map(|n| whole_visit(&format!("s{n}"), &card(n), day)).collect();
    bridge.submit_all(&bodies, 4);
    let others = bridge.until("all others are there", Duration::from_secs(50), || {
        let mut all = bridge.deliveries();
        all.retain(|one| one["submission"] != json!(first));
        (all.len() == 180 && all.iter().all(|one| one["state"] == "delivered")).then_some(all)
    });
    assert_eq!(others.len(), 180);
    for one in bridge.entries(&first).values() {
        assert_ne!(one["state"], "delivered", "the poisoned one is still not there: {one:#}");
    }
    let began = |entry: &Value| instant(&bridge.attempts(entry)[0]["started_at"]);
    for visit in others.chunks(3).take(5) {
        let by_ref = |name: &str| visit.iter().find(|one| one["ref"] == name).map(began);
        assert!(by_ref("daftar") < by_ref("kunjungan") && by_ref("kunjungan") < by_ref("obat"), "{visit:#?}");
    }
}

/// An alarm for every message, or none.
#[test]
fn defect_12_an_outage_is_told_once_when_it_begins_and_once_when_it_ends() {
    let bridge = Bridge::up();
    bridge.simulator.down(DownMode::Http503, None);
    let bodies: Vec<Value> = (0..12).map(|n| whole_visit(&format!("s{n}"), &card(n), yesterday())).collect();
    bridge.submit_all(&bodies, 4);
    let outages = || bridge.get("/v1/outages")["items"].as_array().cloned().unwrap_or_default();
    bridge.until("it is on record", Duration::from_secs(15), || (!outages().is_empty()).then_some(()));
    // Several probes fail meanwhile.
    bridge.until("more was tried", Duration::from_secs(20), || {
        outages()[0]["evidence"].as_array().is_some_and(|all| all.len() >= 3).then_some(())
    });
    bridge.simulator.up();
    crate::day::all_final(&bridge, 36);
    bridge.until("it is closed", Duration::from_secs(15), || (!outages()[0]["closed_at"].is_null()).then_some(()));
    assert_eq!(outages().len(), 1);
    let told = |words: &str| bridge.logs().lines().filter(|line| line.contains(words)).count();
    assert_eq!((told("outage opened"), told("outage closed")), (1, 1), "{}", bridge.logs());
}

/// A service that tells whether BPJS is up was believed; it was wrong, and everything stopped.
#[test]
fn defect_22_an_announcement_that_is_not_true_stops_nothing() {
    let bridge = Bridge::up();
    let now = bridge.clock.now();
    let (from, to) = (now - jiff::SignedDuration::from_mins(5), now + jiff::SignedDuration::from_hours(5));
    let plan = json!({ "facility": FACILITY, "from": from.to_string(), "to": to.to_string(),
        "reason": "pengumuman pemeliharaan" });
    let answer = bridge.call("POST", "/v1/outages/plans", Some(&plan));
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    let manual = json!({ "facility": FACILITY, "service": "pcare", "verdict": "bpjs",
        "reason": "kata orang BPJS mati" });
    let answer = bridge.call("POST", "/v1/outages", Some(&manual));
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    let id = bridge.submit(&whole_visit("a", &card(1), yesterday()));
    let entries = bridge.finished(&id);
    assert!(entries.values().all(|one| one["state"] == "delivered"), "{entries:#?}");
}

/// The content of the registration, as an operator sees it; null once it is destroyed.
fn payload(bridge: &Bridge, submission: &str) -> Value {
    let id = bridge.entries(submission)["daftar"]["id"].as_str().unwrap_or_default().to_owned();
    bridge.get(&format!("/v1/deliveries/{id}"))["payload"].clone()
}

/// What had not been sent was pruned with the rest; or nothing ever was.
#[test]
fn defect_23_what_was_not_sent_is_never_pruned_and_what_was_delivered_is() {
    let start = date(2026, 3, 2).at(9, 0, 0, 0).to_zoned(TimeZone::get("Asia/Makassar").unwrap()).unwrap();
    let clock = Clock::starting(start.timestamp());
    let mut bridge = Bridge::stopped(&Setup { clock, ..Setup::default() });
    bridge.env.push(("JEMBATAN__RETENTION__PAYLOAD_DAYS".to_owned(), "30".to_owned()));
    bridge.start_inside();
    let day = start.date();
    let sent = bridge.submit(&submission("terkirim", &[daftar(&card(1), day)]));
    assert_eq!(bridge.finished(&sent)["daftar"]["state"], "delivered");
    bridge.pause(FACILITY, true);
    let waits = bridge.submit(&submission("menunggu", &[daftar(&card(2), day)]));
    assert_eq!(payload(&bridge, &sent)["noKartu"], json!(card(1)));
    bridge.clock.advance(Duration::from_hours(24 * 400));
    // The next look for what is old comes with the next start.
    bridge.kill_9();
    bridge.start_inside();
    bridge.until("what was delivered long ago is stripped", Duration::from_secs(20), || {
        payload(&bridge, &sent).is_null().then_some(())
    });
    assert_eq!(payload(&bridge, &waits)["noKartu"], json!(card(2)));
    assert!(!is_final(&bridge.entries(&waits)["daftar"]), "thirteen months later it still waits to be sent");
}

/// A composite half there after an outage.
#[test]
fn defect_24_a_composite_is_there_whole_or_not_at_all_also_in_an_outage() {
    let bridge = Bridge::up();
    bridge.simulator.down(DownMode::Refuse, None);
    let mut half = whole_visit("setengah", &card(1), yesterday());
    half["entries"][2]["payload"]["kdObat"] = json!(7);
    assert_eq!(bridge.try_submit(&half).expect("an answer").status, 422);
    assert!(bridge.deliveries().is_empty(), "nothing of it was taken");
    let id = bridge.submit(&whole_visit("utuh", &card(2), yesterday()));
    assert_eq!(bridge.entries(&id).len(), 3);
    bridge.simulator.up();
    let entries = bridge.finished(&id);
    assert!(entries.values().all(|one| one["state"] == "delivered"), "{entries:#?}");
    assert_eq!(bridge.ledger("obat").len(), 1);
}
