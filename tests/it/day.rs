//! The shipped day, with every twentieth answer lost, two outages and one poisoned visit: nothing lost, nothing twice.

use std::collections::BTreeMap;
use std::time::Duration;

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use crate::bridge::{Bridge, PATIENCE, Setup, instant, is_final, shipped_day, yesterday};

/// The ledger's lists and the operations that fill them.
pub(crate) const LISTS: [(&str, &str); 7] = [
    ("pendaftaran", "pcare.pendaftaran.add"),
    ("kunjungan", "pcare.kunjungan.add"),
    ("tindakan", "pcare.tindakan.add"),
    ("obat", "pcare.obat.add"),
    ("mcu", "pcare.mcu.add"),
    ("kegiatan", "pcare.kelompok.kegiatan.add"),
    ("peserta_kegiatan", "pcare.kelompok.peserta.add"),
];
const POISONED: &str = "412 is for the doctor";

/// Makes the visit of the n-th submission one that BPJS refuses.
fn poison(day: &mut [Value], n: usize) {
    let entries = day[n]["entries"].as_array_mut().unwrap();
    let visit = entries.iter_mut().find(|entry| entry["operation"] == "pcare.kunjungan.add");
    visit.expect(POISONED)["payload"]["kdDokter"] = json!("999999");
}

/// Every delivered entry stands at BPJS once, and BPJS has nothing else.
pub(crate) fn exactly_once(bridge: &Bridge, deliveries: &[Value]) {
    for (list, operation) in LISTS {
        let ours: Vec<&Value> = deliveries.iter().filter(|one| one["operation"] == operation).collect();
        let delivered = ours.iter().filter(|one| one["state"] == "delivered").count();
        let theirs = bridge.ledger(list);
        if theirs.len() != delivered {
            panic!("{list}: {} at BPJS, {delivered} delivered of {}", theirs.len(), ours.len());
        }
        // Two deliveries never share an id of BPJS.
        let ids = ours.iter().filter(|one| one["state"] == "delivered").map(|one| one["remote"].to_string());
        let mut seen = BTreeMap::new();
        ids.for_each(|id| *seen.entry(id).or_insert(0) += 1);
        let shared = seen.iter().find(|(id, count)| **count > 1 && list != "pendaftaran" && !id.contains("null"));
        assert_eq!(shared.filter(|_| list != "peserta_kegiatan"), None, "{list}");
    }
}

/// Waits until every delivery is final.
pub(crate) fn all_final(bridge: &Bridge, count: usize) -> Vec<Value> {
    bridge.until("every entry is final", PATIENCE * 2, || {
        let all = bridge.deliveries();
        (all.len() >= count && all.iter().all(is_final)).then_some(all)
    })
}

fn five_per_cent_lost(bridge: &Bridge) {
    let mut lost = Fault::new("write", Kind::LandThenTimeout).lasting(30_000);
    lost.probability = Some(0.05);
    bridge.fault(lost);
}

/// Hands the day in with both outages in its middle.
fn hand_in(bridge: &Bridge, day: &[Value]) -> Vec<Value> {
    let (first, rest) = day.split_at(60);
    let (second, third) = rest.split_at(60);
    let mut answers = bridge.submit_all(first, 4);
    bridge.simulator.down(DownMode::Refuse, Some(Duration::from_secs(4)));
    answers.extend(bridge.submit_all(second, 4));
    bridge.until("the first outage is over and recorded", PATIENCE, || closed(bridge, 1));
    bridge.simulator.down(DownMode::Http503, Some(Duration::from_secs(3)));
    answers.extend(bridge.submit_all(third, 4));
    bridge.until("the second outage is over and recorded", PATIENCE, || closed(bridge, 2));
    let accepted = |answer: Option<crate::bridge::Answer>| {
        let answer = answer.expect("an answer");
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        answer.body
    };
    answers.into_iter().map(accepted).collect()
}

fn closed(bridge: &Bridge, at_least: usize) -> Option<()> {
    let outages = bridge.get("/v1/outages")["items"].as_array().cloned().unwrap_or_default();
    (outages.iter().filter(|one| !one["closed_at"].is_null()).count() >= at_least).then_some(())
}

fn ids_of(submission: &Value) -> (String, Vec<String>) {
    let text = |value: &Value| value["id"].as_str().unwrap_or_default().to_owned();
    (text(submission), submission["deliveries"].as_array().into_iter().flatten().map(text).collect())
}

#[test]
fn a_day_with_lost_answers_outages_and_poison_reaches_bpjs_exactly_once_and_again_changes_nothing() {
    let bridge = Bridge::with(&Setup { seed: 20_261_121, ..Setup::default() });
    let mut day = shipped_day(yesterday());
    poison(&mut day, 30);
    five_per_cent_lost(&bridge);
    let began = jiff::Timestamp::now();
    let answers = hand_in(&bridge, &day);
    let all = all_final(&bridge, 727);

    assert_eq!((answers.len(), all.len()), (200, 727), "nothing is lost");
    exactly_once(&bridge, &all);
    the_poison_is_told(&bridge, &answers[30]);
    let odd: Vec<&Value> =
        all.iter().filter(|one| one["state"] != "delivered" && one["submission"] != answers[30]["id"]).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    let adopted = all.iter().filter(|one| one["how"] == "adopted").count();
    assert!(adopted >= 10, "the lost answers were looked up: {adopted}");
    outages_are_on_record(&bridge, began);
    both_sides_agree(&bridge);

    again_changes_nothing(&bridge, &day, &answers);
}

fn the_poison_is_told(bridge: &Bridge, answer: &Value) {
    let entries = bridge.entries(answer["id"].as_str().unwrap_or_default());
    let visit = &entries["kunjungan"];
    assert_eq!(visit["state"], "refused");
    let words = visit["why"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("kdDokter: Tidak sesuai dengan referensi sistem."), "BPJS's words: {words}");
    assert_eq!(entries["daftar"]["state"], "delivered");
    let children: Vec<&Value> = entries.values().filter(|one| one["operation"] == "pcare.obat.add").collect();
    assert!(!children.is_empty());
    for child in children {
        assert_eq!((&child["state"], &child["why"]["code"]), (&json!("held"), &json!("prerequisite")), "{child:#}");
    }
}

fn outages_are_on_record(bridge: &Bridge, began: jiff::Timestamp) {
    let outages = bridge.get("/v1/outages")["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(outages.len(), 2, "one episode each: {outages:#?}");
    for one in &outages {
        let (opened, closed) = (instant(&one["opened_at"]), instant(&one["closed_at"]));
        assert!(began < opened && opened < closed, "{one:#}");
        assert_eq!(one["verdict"], "bpjs", "{one:#}");
        assert!(!one["cause"].as_str().unwrap_or_default().is_empty());
        assert!(one["affected"].as_i64().unwrap_or(0) > 0, "{one:#}");
    }
    let accepted: i64 = outages.iter().filter_map(|one| one["accepted"].as_i64()).sum();
    assert!(accepted >= 60, "what was handed in meanwhile is counted: {outages:#?}");
}

fn both_sides_agree(bridge: &Bridge) {
    let report = bridge.reconcile(yesterday());
    let count = |class: &str| report["counts"][class].as_i64().unwrap_or(-1);
    assert_eq!((count("only_bpjs"), count("differs"), count("unanswered")), (0, 0, 0), "{report:#}");
    let delivered = bridge.deliveries().iter().filter(|one| one["state"] == "delivered").count();
    assert_eq!(usize::try_from(count("equal")).ok(), Some(delivered), "{report:#}");
    assert_eq!(usize::try_from(count("only_here")).ok(), Some(727 - delivered), "{report:#}");
}

/// The SIM hands the whole day in once more.
fn again_changes_nothing(bridge: &Bridge, day: &[Value], answers: &[Value]) {
    let (ledger, writes) = (bridge.simulator.ledger(), bridge.writes());
    let again = bridge.submit_all(day, 4);
    for (first, second) in answers.iter().zip(again) {
        let second = second.expect("an answer");
        assert!(matches!(second.status, 200 | 202), "{second:?}");
        assert_eq!(ids_of(first), ids_of(&second.body));
    }
    assert_eq!(bridge.writes(), writes, "not one more write");
    assert_eq!(bridge.simulator.ledger(), ledger);
}
