//! Promises 9, 11, 12 and 14: clock, memory, reconciliation, payloads as handed in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jembatan::simulator::faults::{Fault, Kind};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::bridge::{
    Bridge, Setup, card, daftar, drug, is_final, kunjungan, obat, submission, visit, whole_visit, yesterday,
};

#[test]
fn promise_9_bpjs_s_clock_two_minutes_off_shows_in_the_health() {
    let bridge = Bridge::up();
    bridge.simulator.set_skew(120);
    let seen = bridge.until("the skew is seen", Duration::from_secs(15), || {
        let health = bridge.health();
        let checks = health["checks"].as_array().cloned().unwrap_or_default();
        let clock = checks.iter().find(|check| check["name"] == "clock").cloned().unwrap_or_default();
        (clock["status"] == "degraded").then_some((clock, health["verdict"].clone()))
    });
    assert!(seen.0["detail"].to_string().contains("12") && seen.1 == "us", "{seen:?}");
    bridge.simulator.set_skew(0);
    bridge.until("it is over", Duration::from_secs(15), || (bridge.health()["verdict"] == "none").then_some(()));
}

#[test]
fn promise_9_refused_for_the_time_an_entry_waits_and_is_not_refused() {
    let bridge = Bridge::up();
    bridge.simulator.set_skew(1_000);
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    let began = std::time::Instant::now();
    bridge.until("two seconds in which nothing becomes final", Duration::from_secs(9), || {
        assert!(!is_final(&bridge.entries(&id)["daftar"]));
        (began.elapsed() > Duration::from_secs(2)).then_some(())
    });
    assert!(bridge.requests("pcare.") > 0, "BPJS was asked");
    bridge.simulator.set_skew(0);
    assert_eq!(bridge.finished(&id)["daftar"]["state"], "delivered");
}

#[test]
fn promise_9_tomorrow_waits_for_its_day_and_a_day_ahead_is_no_instant_of_today() {
    let bridge = Bridge::up();
    let tomorrow = yesterday().checked_add(2.days()).expect("a day");
    let id = bridge.submit(&submission("a", &[daftar(&card(1), tomorrow)]));
    let entry = bridge.entries(&id)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["blocked_by"]["kind"]), (&json!("waiting"), &json!("time")), "{entry:#}");
    // Today's entry of the same patient does not wait for tomorrow's.
    let today = bridge.submit(&submission("b", &[daftar(&card(1), yesterday())]));
    assert_eq!(bridge.finished(&today)["daftar"]["state"], "delivered");

    let at = |hours: i64| {
        let mut entry = daftar(&card(2), yesterday());
        let then = Timestamp::now().checked_add(jiff::SignedDuration::from_hours(hours)).expect("an instant");
        entry["occurred_at"] = json!(then.to_string());
        submission(&format!("at{hours}"), &[entry])
    };
    let refused = bridge.try_submit(&at(25)).expect("an answer");
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.to_string().contains("/entries/0/occurred_at"));
    let warned = bridge.try_submit(&at(23)).expect("an answer");
    assert_eq!((warned.status, warned.body["warnings"].as_array().map(Vec::len)), (202, Some(1)), "{warned:?}");
}

fn feed(bridge: &Bridge, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = bridge.get(&format!("/v1/changes?after={cursor}&limit={limit}"));
        let items = page["items"].as_array().cloned().unwrap_or_default();
        if items.is_empty() {
            return all;
        }
        all.extend(items);
        cursor = page["next"].as_str().unwrap_or_default().to_owned();
    }
}

#[test]
fn promise_11_the_feed_from_zero_lists_everything_final_once_also_after_a_restart() {
    let mut bridge = Bridge::up();
    let mut bodies: Vec<Value> = (0..8).map(|n| whole_visit(&format!("s{n}"), &card(n), yesterday())).collect();
    bodies[3]["entries"][1]["payload"]["kdDokter"] = json!("999999");
    bridge.submit_all(&bodies, 4);
    let all = bridge.until("everything is final", Duration::from_secs(30), || {
        let all = bridge.deliveries();
        (all.len() == 24 && all.iter().all(is_final)).then_some(all)
    });
    let seen = feed(&bridge, 7);
    let ids: BTreeMap<String, usize> = seen.iter().fold(BTreeMap::new(), |mut map, one| {
        *map.entry(one["delivery"]["id"].to_string()).or_default() += 1;
        map
    });
    let expected: BTreeSet<String> = all.iter().map(|one| one["id"].to_string()).collect();
    assert_eq!(ids.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(ids.values().all(|count| *count == 1), "{ids:?}");
    bridge.kill_9();
    bridge.start();
    let cursors = |list: &[Value]| list.iter().map(|one| one["cursor"].to_string()).collect::<Vec<_>>();
    assert_eq!(cursors(&feed(&bridge, 1000)), cursors(&seen), "replayed the same");
    let again = bridge.submit_all(&bodies, 4);
    assert!(again.iter().all(|answer| answer.as_ref().is_some_and(|answer| answer.status == 200)), "{again:?}");
}

/// Whatever happens meanwhile: each entry is in one class, or left out and counted.
fn every_entry_is_accounted_for(report: &Value) {
    let sum = |counts: &Value| {
        let counts = counts.as_object().into_iter().flatten();
        counts
            .filter(|(class, _)| !matches!(class.as_str(), "late" | "only_bpjs"))
            .filter_map(|(_, n)| n.as_i64())
            .sum()
    };
    let journal: i64 = sum(&report["journal"]);
    let classes: i64 = sum(&report["counts"]);
    assert_eq!(Some(journal), report["moving"].as_i64().map(|moving| moving + classes), "{report:#}");
}

#[test]
fn promise_12_a_reconciliation_leaves_out_what_is_young_and_adopts_what_was_typed_in() {
    let bridge = Bridge::with(&Setup { settle_ms: 4_000, ..Setup::default() });
    let day = yesterday();
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::LandThenReset).times(1));
    let young = bridge.submit(&submission("young", &[daftar(&card(1), day)]));
    bridge.entry_in(&young, "daftar", "unanswered");
    let mut wrong = kunjungan(&card(2), day);
    wrong["payload"]["kdDiag1"] = json!("J06.9");
    wrong["payload"]["kdStatusPulang"] = json!("3");
    bridge.fault(crate::bridge::fault_of_card("pcare.kunjungan.add", Kind::PreconditionArray, &card(2)));
    let typed = bridge.submit(&submission("typed", &[daftar(&card(2), day), wrong, obat("obat", "130103595", 10)]));
    let done = bridge.entry_in(&typed, "kunjungan", "refused");
    let number = bridge.staff("kunjungan", &visit(&card(2), day))[0]["message"].clone();
    let mut medicine = drug("130103595", 10);
    medicine["noKunjungan"] = number.clone();
    bridge.staff("obat", &medicine);

    let report = bridge.reconcile(day);
    let now = bridge.entries(&young)["daftar"].clone();
    assert_eq!(now["state"], "unanswered", "its time has not come: {report:#}");
    assert!(report["moving"].as_i64() >= Some(1), "what is left out is counted: {report:#}");
    every_entry_is_accounted_for(&report);
    let adopted = bridge.entries(&typed);
    assert_eq!(
        (&adopted["kunjungan"]["state"], &adopted["kunjungan"]["how"]),
        (&json!("delivered"), &json!("adopted"))
    );
    assert_eq!(adopted["kunjungan"]["remote"]["noKunjungan"], number, "{report:#} {done:#}");
    let drugs = bridge.finished(&typed);
    assert_eq!(drugs["obat"]["state"], "delivered", "{drugs:#?}");
    assert_eq!(bridge.ledger("obat").len(), 1, "the drug that staff typed in is not doubled");
    assert_eq!(bridge.finished(&young)["daftar"]["how"], "adopted");
}

#[test]
fn promise_14_payloads_go_out_as_handed_in_but_for_declared_normalisations_on_record() {
    let bridge = Bridge::up();
    let (card, day) = (card(1), yesterday());
    let mut with_words = kunjungan(&card, day);
    with_words["payload"]["keluhan"] = json!("nyeri \"hebat\" 🤒, kata 500 & 401\nbaris kedua \\ akhir");
    with_words["payload"]["rujukLanjut"] = Value::Null;
    with_words["payload"]["kdTacc"] = json!("-1");
    let handed = with_words["payload"].clone();
    let id = bridge.submit(&submission("a", &[daftar(&card, day), with_words, obat("obat", "130103595", 10)]));
    let done = bridge.finished(&id);
    assert_eq!(done["kunjungan"]["state"], "delivered", "{done:#?}");
    let arrived = bridge.ledger("kunjungan")[0]["content"].clone();
    for (name, value) in handed.as_object().expect("an object") {
        let expected = match name.as_str() {
            "kdTacc" => json!(-1),
            "rujukLanjut" | "noKunjungan" => continue,
            _ => value.clone(),
        };
        assert_eq!(arrived[name], expected, "{name}");
    }
    let detail = |name: &str| bridge.attempts(&done[name])[0]["detail"].as_str().unwrap_or_default().to_owned();
    let (visit, medicine) = (detail("kunjungan"), detail("obat"));
    assert!(visit.contains("kdTacc") && visit.contains("rujukLanjut"), "{visit}");
    assert!(medicine.contains("noKunjungan"), "{medicine}");
    assert!(!detail("daftar").contains("kdPoli"), "nothing was changed");
}
