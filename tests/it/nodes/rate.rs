//! How often BPJS is called while a facility changes hands.

use serde_json::{Value, json};

use super::cluster::{Cluster, DATABASE, FACILITIES};
use crate::bridge::{Setup, card, daftar, submission, yesterday};

/// Calls a second at most; also what the nodes are told.
const RATE: usize = 10;
/// Registrations of one hand-over: the owner has seconds of work left when it is told to stop.
const ENTRIES: usize = 40;
/// So many calls the owner of a pair lets through at once: three quarters of eight hands.
const BURST: u64 = 6;
/// The one thing that is sent.
const SENT: &str = "pcare.pendaftaran.add";
/// The read by which a new owner asks whether BPJS is there. Alone of all calls it does not wait for the rate
/// (`Bucket::force`), and nothing else reads it here.
const PROBE: &str = "pcare.dokter.list";

/// Hands registrations of new patients in, all at the first facility.
fn hand_in(cluster: &mut Cluster, round: usize) {
    let part = |part: usize| {
        let entry = |n: usize| {
            let patient = u32::try_from(round * 1_000 + part * 100 + n).unwrap();
            let mut entry = daftar(&card(patient), yesterday());
            entry["ref"] = json!(format!("d-{n}"));
            entry
        };
        let entries: Vec<Value> = (0..10).map(entry).collect();
        submission(&format!("r-{round}-{part}"), &entries)
    };
    let parts: Vec<Value> = (0..ENTRIES / 10).map(part).collect();
    cluster.hand_in(&parts, &[0, 1]);
}

/// Entries wait, the facility's owner begins to send them and is told to stop, the other node goes on. Both run when it
/// begins; says who was stopped.
fn change_hands(cluster: &mut Cluster, round: usize) -> usize {
    cluster.on(0).pause("*", true);
    hand_in(cluster, round);
    let owners = cluster.owners();
    let owner = owners.iter().find(|(facility, _)| facility == FACILITIES[0]).map(|(_, node)| node.clone());
    let owner = cluster.nodes.iter().position(|node| owner.as_deref() == Some(node.name)).unwrap();
    let before = cluster.bridge.requests(SENT);
    cluster.bridge.pause("*", false);
    // A burst has just gone out: a burst of the next owner's within the second would be too much.
    cluster.until("the owner sends", || (cluster.bridge.requests(SENT) >= before + BURST).then_some(()));
    cluster.terminate(owner);
    let all = cluster.all_final(1 - owner, (round + 1) * ENTRIES);
    let odd: Vec<&Value> = all.iter().filter(|one| one["state"] != "delivered").collect();
    assert!(odd.is_empty(), "{odd:#?}");
    let senders = format!(
        "SELECT count(DISTINCT a.node) FROM attempt a JOIN delivery d ON d.id = a.delivery \
         JOIN submission s ON s.id = d.submission WHERE s.ref LIKE 'r-{round}-%'"
    );
    assert_eq!(cluster.server.ask(DATABASE, &senders), "2", "it changed hands with work left");
    owner
}

/// The most calls that certainly fell into one second: those that had arrived by its end, without those that were under
/// way or over at its beginning. What a busy machine delays on its way is not held against the sender: it was let
/// through in the second before.
fn most_in_a_second(begun: &[i64], arrived: &[i64]) -> usize {
    let before = |all: &[i64], instant: i64| all.iter().filter(|one| **one < instant).count();
    let within = |end: i64| before(arrived, end).saturating_sub(before(begun, end - 1_000));
    arrived.iter().map(|last| within(last + 1)).max().unwrap_or(0)
}

#[test]
fn a_facility_that_changes_hands_gets_no_more_calls_in_any_second_than_its_rate() {
    // Answers are waited for so long that none is lost on a busy machine: every attempt is one call.
    let setup = Setup { timeout_ms: 10_000, ..Setup::default() };
    let mut cluster = Cluster::stopped(&["a", "b"], &setup, &[]);
    for node in &mut cluster.nodes {
        node.env.push(("JEMBATAN__REMOTE__RATE_PER_SECOND".to_owned(), RATE.to_string()));
    }
    cluster.start(0);
    cluster.start(1);
    cluster.settled();
    let stopped = change_hands(&mut cluster, 0);
    cluster.start(stopped);
    cluster.settled();
    // And back, to a process that began beside an owner.
    change_hands(&mut cluster, 1);

    // Nodes and BPJS are on one machine's clock. An attempt bears the instant at which its node began to look for work,
    // before the rate let its call through.
    let begun = cluster.server.ask(DATABASE, "SELECT started_at FROM attempt");
    let begun: Vec<i64> = begun.lines().map(|line| line.parse().unwrap()).collect();
    let log = cluster.bridge.simulator.log_of_requests();
    let calls = log.iter().filter(|(_, operation, _)| operation != PROBE);
    let arrived: Vec<i64> = calls.map(|(at, _, _)| at.as_millisecond()).collect();
    assert!(arrived.len() >= 2 * ENTRIES && arrived.len() <= begun.len(), "{} of {}", arrived.len(), begun.len());
    let most = most_in_a_second(&begun, &arrived);
    assert!(most <= RATE, "{most} calls in one second\nbegun {begun:?}\narrived {arrived:?}");
}
