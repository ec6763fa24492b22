//! The daemon is killed without warning at random moments, outage included: what was answered 202 is there, and BPJS
//! has nothing twice.

use std::collections::BTreeSet;
use std::time::Duration;

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::Value;

use crate::bridge::{Answer, Bridge, Dice, Setup, shipped_day, yesterday};
use crate::day::{all_final, exactly_once};

/// Kills at least this often.
const KILLS: usize = 9;

/// Waits until the bridge has carried `more` further entries, or the time is over: kills then meet it at work.
fn let_it_work(bridge: &Bridge, dice: &mut Dice) {
    let (before, more) = (bridge.writes(), dice.below(25));
    let until = std::time::Instant::now() + Duration::from_millis(400 + dice.below(600));
    while bridge.writes() < before + more && std::time::Instant::now() < until {
        std::thread::yield_now();
    }
}

/// Hands in; what was accepted is remembered, what was not is handed in again later.
fn hand_in(bridge: &Bridge, part: &[Value], accepted: &mut BTreeSet<String>) -> Vec<Value> {
    let answers = bridge.submit_all(part, 4);
    let mut left = Vec::new();
    for (body, answer) in part.iter().zip(answers) {
        match answer {
            Some(Answer { status: 200 | 202, body, .. }) => {
                accepted.insert(body["id"].as_str().unwrap_or_default().to_owned());
            }
            Some(other) => assert_eq!(other.status, 503, "{other:?}"),
            None => left.push(body.clone()),
        }
    }
    left
}

fn killed_again_and_again(seed: u64) {
    let mut bridge = Bridge::with(&Setup { seed, timeout_ms: 800, ..Setup::default() });
    let mut lost = Fault::new("write", Kind::LandThenTimeout).lasting(30_000);
    lost.probability = Some(0.05);
    bridge.fault(lost);
    let mut dice = Dice(seed);
    let day: Vec<Value> = shipped_day(yesterday()).into_iter().step_by(3).collect();
    let mut accepted = BTreeSet::new();
    for (n, part) in day.chunks(day.len().div_ceil(KILLS)).enumerate() {
        let left = hand_in(&bridge, part, &mut accepted);
        assert!(left.is_empty(), "the daemon was up");
        // Every other kill comes right after the last 202.
        if n % 2 == 1 {
            let_it_work(&bridge, &mut dice);
        }
        if n == 4 {
            bridge.simulator.down(DownMode::Refuse, Some(Duration::from_secs(3)));
        }
        bridge.kill_9();
        bridge.start();
        let known: BTreeSet<String> =
            bridge.deliveries().iter().filter_map(|one| one["submission"].as_str().map(str::to_owned)).collect();
        assert!(accepted.is_subset(&known), "a 202 was forgotten");
    }
    let entries: usize = day.iter().filter_map(|one| one["entries"].as_array().map(Vec::len)).sum();
    let all = all_final(&bridge, entries);
    assert_eq!(all.len(), entries, "nothing is lost");
    let odd: Vec<&Value> = all.iter().filter(|one| one["state"] != "delivered").collect();
    assert!(odd.is_empty(), "{odd:#?}");
    exactly_once(&bridge, &all);
    let looked = bridge.logs().matches("what was in flight is tried alone").count();
    assert!(looked > 0, "no kill met an attempt in flight: the test shows nothing");
}

#[test]
fn killed_nine_times_in_a_third_of_the_day_nothing_is_lost_and_nothing_is_twice() {
    killed_again_and_again(20_261_121);
}

/// Defects 4, 5 and 6 of other bridges: removed from the queue before the hand-over, orphaned by a crash, or declared
/// failed at the next start.
#[test]
fn defect_05_an_entry_in_flight_at_the_crash_is_looked_up_and_adopted() {
    let mut bridge = Bridge::up();
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::LandThenTimeout).lasting(60_000).times(1));
    let card = crate::bridge::card(1);
    let id = bridge.submit(&crate::bridge::submission("a", &[crate::bridge::daftar(&card, yesterday())]));
    bridge.until("it has landed", Duration::from_secs(5), || (bridge.ledger("pendaftaran").len() == 1).then_some(()));
    bridge.kill_9();
    bridge.start();
    let entry = bridge.finished(&id)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&"delivered".into(), &"adopted".into()), "{entry:#}");
    assert_eq!(bridge.requests("pcare.pendaftaran.add"), 1, "not sent again");
    let purposes: Vec<Value> = bridge.attempts(&entry).iter().map(|one| one["purpose"].clone()).collect();
    assert_eq!(purposes.first(), Some(&Value::from("send")));
    assert!(purposes.len() >= 2 && !purposes[1..].contains(&Value::from("send")), "{purposes:?}");
}
