//! Nodes that work side by side.

use serde_json::json;

use super::cluster::{Cluster, DATABASE, FACILITIES, entries, spread_day};
use crate::bridge::{Setup, card, daftar, submission, yesterday};
use crate::day::exactly_once;

#[test]
fn three_nodes_carry_a_day_between_them_and_every_entry_is_at_bpjs_once() {
    let mut cluster = Cluster::up(&["a", "b", "c"], &Setup { seed: 7, ..Setup::default() });
    cluster.write_moves();
    let day = spread_day(2);
    cluster.hand_in(&day, &[0, 1, 2]);
    let all = cluster.all_final(1, entries(&day));
    assert_eq!(all.len(), entries(&day));
    let odd: Vec<_> = all.iter().filter(|one| one["state"] != "delivered").collect();
    assert!(odd.is_empty(), "{odd:#?}");
    exactly_once(&cluster.bridge, &all);
    assert_eq!(cluster.senders(), ["a", "b", "c"], "each sent what it owns");
    // Every attempt was made by the facility's one owner: nothing moved meanwhile.
    let mixed = cluster.server.ask(
        DATABASE,
        "SELECT count(*) FROM (SELECT d.facility FROM attempt a JOIN delivery d ON d.id = a.delivery \
         GROUP BY d.facility HAVING count(DISTINCT a.node) > 1) AS moved",
    );
    assert_eq!(mixed, "0");
    cluster.in_turn();
}

#[test]
fn two_nodes_started_at_once_on_an_empty_database_make_one_schema_and_share() {
    let mut cluster = Cluster::stopped(&["a", "b"], &Setup::default(), &[]);
    cluster.spawn(0);
    cluster.spawn(1);
    cluster.awake(0);
    cluster.awake(1);
    cluster.settled();
    let id = cluster.on(0).submit(&submission("r-1", &[daftar(&card(1), yesterday())]));
    // Asked of the other node, whoever sends it.
    let entry = cluster.on(1).finished(&id)["daftar"].clone();
    assert_eq!(entry["state"], "delivered", "{entry:#}");
}

#[test]
fn health_status_and_metrics_say_which_node_sends_for_which_facility() {
    let mut cluster = Cluster::up(&["a", "b"], &Setup::default());
    let owners = cluster.owners();
    let bridge = cluster.on(1);
    let health = bridge.until("health knows the nodes", crate::bridge::PATIENCE, || {
        let health = bridge.health();
        let checks = health["checks"].as_array().cloned().unwrap_or_default();
        let said = |facility: &str, node: &str| {
            let name = format!("owner.{facility}");
            let detail = format!("Dikirim oleh simpul {node}.");
            checks.iter().any(|check| check["name"] == name && check["detail"] == detail && check["status"] == "ok")
        };
        owners.iter().all(|(facility, node)| said(facility, node)).then_some(health)
    });
    let nodes = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "nodes").cloned().unwrap();
    assert_eq!(nodes["detail"], "Simpul b menjawab; 2 hidup.");
    let metrics = bridge.text("/metrics");
    for (facility, node) in &owners {
        assert!(
            metrics.contains(&format!("jembatan_facility_owner{{facility=\"{facility}\",node=\"{node}\"}} 1")),
            "{metrics}"
        );
    }
    let status = bridge.get("/v1/status");
    let listed: usize =
        status["nodes"].as_array().unwrap().iter().map(|node| node["facilities"].as_array().unwrap().len()).sum();
    assert_eq!(listed, FACILITIES.len(), "{:#}", status["nodes"]);
}

#[test]
fn a_node_that_is_told_to_stop_hands_its_facilities_over_at_once() {
    let mut cluster = Cluster::up(&["a", "b"], &Setup::default());
    cluster.terminate(0);
    let free = cluster.owners().iter().filter(|(_, node)| node == "a").count();
    assert_eq!(free, 0, "nothing is left with a node that ended well");
    cluster.settled();
    assert_eq!(cluster.owned(1), FACILITIES.len());
    cluster.start(0);
    cluster.settled();
}

#[test]
fn a_second_process_under_the_same_name_is_kept_out_while_the_first_lives() {
    let mut cluster = Cluster::up(&["a", "b"], &Setup::default());
    cluster.nodes[1].env.retain(|(name, _)| name != "JEMBATAN__NODE__NAME");
    cluster.terminate(1);
    cluster.nodes[1].env.push(("JEMBATAN__NODE__NAME".to_owned(), "a".to_owned()));
    cluster.spawn(1);
    let began = std::time::Instant::now();
    while !cluster.has_ended(1) {
        assert!(began.elapsed() < crate::bridge::PATIENCE, "it must not stay");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(cluster.logs(1).contains("node.name"), "{}", cluster.logs(1));
    assert!(!cluster.has_ended(0));
}

#[test]
fn polling_goes_on_where_notifications_are_cut() {
    let mut cluster = Cluster::up(&["a", "b"], &Setup::default());
    for n in 0..6 {
        let cut = cluster.server.cut(DATABASE, "(query ILIKE 'LISTEN%' OR query ILIKE 'NOTIFY%')");
        let body = submission(&format!("r-{n}"), &[daftar(&card(10 + n), yesterday())]);
        let body = {
            let mut body = body;
            body["facility"] = json!(FACILITIES[n as usize % FACILITIES.len()]);
            body
        };
        let id = cluster.on(usize::from(n % 2 == 0)).submit(&body);
        let entry = cluster.bridge.finished(&id)["daftar"].clone();
        assert_eq!(entry["state"], "delivered", "{entry:#}");
        assert!(n > 0 || cut > 0, "there was a listening connection to cut");
    }
}
