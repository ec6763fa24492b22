//! The server dies and its streaming replica takes over: what the replica may lack is looked up before anything is sent.

use serde_json::{Value, json};

use super::cluster::{Cluster, DATABASE};
use crate::bridge::{PATIENCE, Setup, card, daftar, submission, yesterday};
use crate::day::exactly_once;

fn ends_by_itself(cluster: &mut Cluster, n: usize) {
    let began = std::time::Instant::now();
    while !cluster.has_ended(n) {
        assert!(began.elapsed() < PATIENCE * 2, "it must stop: {}", cluster.logs(n));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// The last end did not reach the replica: there the entry still waits, although BPJS has it. The node stops when it meets the
/// other line of history, starts paused, and looks the entry up.
#[test]
fn after_a_failover_to_a_replica_that_lacks_the_last_commits_nothing_is_sent_twice() {
    let mut cluster = Cluster::stopped(&["a"], &Setup::default(), &[]);
    let mut replica = cluster.server.standby();
    let url = cluster.server.url_with(&replica, DATABASE);
    cluster.nodes[0].env.retain(|(name, _)| name != "JEMBATAN__STORE__URL");
    cluster.nodes[0].env.push(("JEMBATAN__STORE__URL".to_owned(), url));
    cluster.start(0);
    cluster.settled();
    let first = cluster.on(0).submit(&submission("r-1", &[daftar(&card(1), yesterday())]));
    cluster.bridge.finished(&first);
    cluster.bridge.pause("*", true);
    let second = cluster.bridge.submit(&submission("r-2", &[daftar(&card(2), yesterday())]));
    let there = "SELECT count(*) FROM submission";
    cluster.until("the replica has both", || (replica.try_ask(DATABASE, there)? == "2").then_some(()));
    // From here on the replica hears nothing more.
    replica.crash();
    cluster.bridge.pause("*", false);
    let entry = cluster.bridge.finished(&second)["daftar"].clone();
    assert_eq!(entry["how"], "accepted", "{entry:#}");
    cluster.server.crash();
    replica.start();
    replica.promote();
    ends_by_itself(&mut cluster, 0);
    cluster.kill(0);
    cluster.server = replica;
    cluster.start(0);
    assert!(cluster.bridge.get("/v1/pauses").to_string().contains("*"), "it starts paused");
    let lost: Value = cluster.bridge.entries(&second)["daftar"].clone();
    assert_ne!(lost["state"], json!("delivered"), "the replica did not have its end: {lost:#}");
    cluster.bridge.pause("*", false);
    let entry = cluster.bridge.finished(&second)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&json!("delivered"), &json!("already_there")), "{entry:#}");
    let purposes: Vec<Value> = cluster.bridge.attempts(&entry).iter().map(|one| one["purpose"].clone()).collect();
    assert_eq!(purposes, ["look_up"], "here it was never sent, there it is");
    let third = cluster.bridge.submit(&submission("r-3", &[daftar(&card(3), yesterday())]));
    cluster.bridge.finished(&third);
    assert_eq!(cluster.bridge.requests("pcare.pendaftaran.add"), 3, "each was sent once");
    exactly_once(&cluster.bridge, &cluster.bridge.deliveries());
}
