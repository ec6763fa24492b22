//! Nodes that die, stand still, or whose bytes arrive late.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jembatan::simulator::faults::{Fault, Kind};
use serde_json::Value;

use super::cluster::{Cluster, DATABASE, FACILITIES, entries, spread_day_in_doubt};
#[cfg(feature = "failpoints")]
use crate::bridge::is_final;
use crate::bridge::{Setup, card, daftar, submission, whole_visit, yesterday};
use crate::day::exactly_once;

fn purposes(cluster: &Cluster, entry: &Value) -> Vec<Value> {
    cluster.bridge.attempts(entry).iter().map(|one| one["purpose"].clone()).collect()
}

#[test]
fn a_node_killed_in_the_middle_of_the_day_loses_nothing_and_sends_nothing_twice() {
    let mut cluster = Cluster::up(&["a", "b"], &Setup { seed: 11, timeout_ms: 800, ..Setup::default() });
    cluster.write_moves();
    let mut lost = Fault::new("write", Kind::LandThenTimeout).lasting(30_000);
    lost.probability = Some(0.05);
    cluster.bridge.fault(lost);
    let day = spread_day_in_doubt(3);
    let (first, rest) = day.split_at(day.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    cluster.hand_in(first, &[0, 1]);
    let before = cluster.bridge.writes();
    cluster.until("it is at work", || (cluster.bridge.writes() > before).then_some(()));
    cluster.kill(0);
    cluster.hand_in(second, &[1]);
    cluster.settled();
    assert_eq!(cluster.owned(1), FACILITIES.len(), "the other node sends for all");
    cluster.start(0);
    cluster.hand_in(third, &[0, 1]);
    cluster.kill(1);
    cluster.start(1);
    let all = cluster.all_final(0, entries(&day));
    let odd: Vec<&Value> = all.iter().filter(|one| one["state"] != "delivered").collect();
    assert!(odd.is_empty(), "{odd:#?}");
    exactly_once(&cluster.bridge, &all);
    // Whoever sent, and whatever had to be looked up in between.
    cluster.in_turn();
}

/// The answer comes while the node stands still: the other one looks the entry up, and the late end changes nothing.
#[test]
fn a_node_that_stood_still_past_its_lease_finds_its_entry_adopted_and_claims_nothing() {
    let mut cluster = Cluster::stopped(&["a", "b"], &Setup { timeout_ms: 2_000, ..Setup::default() }, &[]);
    cluster.start(0);
    cluster.settled();
    let mut slow = Fault::new("pcare.pendaftaran.add", Kind::Slow).times(1);
    slow.ms = Some(1_500);
    cluster.bridge.fault(slow);
    let id = cluster.on(0).submit(&submission("r-1", &[daftar(&card(1), yesterday())]));
    cluster.until("it has landed", || (cluster.bridge.ledger("pendaftaran").len() == 1).then_some(()));
    cluster.freeze(0);
    cluster.start(1);
    cluster.until("the other node sends for all", || (cluster.owned(1) == FACILITIES.len()).then_some(()));
    let entry = cluster.bridge.finished(&id)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&"delivered".into(), &"adopted".into()), "{entry:#}");
    let seen = purposes(&cluster, &entry);
    assert_eq!(seen.iter().filter(|one| **one == "send").count(), 1, "{seen:?}");
    let other = submission("r-2", &[daftar(&card(2), yesterday())]);
    let id = cluster.bridge.submit(&other);
    cluster.bridge.finished(&id);
    cluster.thaw(0);
    cluster.settled();
    assert_eq!(cluster.bridge.requests("pcare.pendaftaran.add"), 2, "one call each");
    let sends =
        cluster.server.ask(DATABASE, "SELECT node, count(*) FROM attempt WHERE purpose = 'send' GROUP BY 1 ORDER BY 1");
    assert_eq!(sends, "a|1\nb|1");
}

/// A way to BPJS that keeps the first drug's bytes until it is told to let them go.
struct Detour {
    at: SocketAddr,
    held: Arc<AtomicUsize>,
    open: Arc<AtomicBool>,
}

impl Detour {
    fn to(simulator: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (held, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, gate) = (Arc::clone(&held), Arc::clone(&open));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen, gate) = (stream.unwrap(), Arc::clone(&seen), Arc::clone(&gate));
                std::thread::spawn(move || drop(carry(stream, simulator, &seen, &gate)));
            }
        });
        Self { at, held, open }
    }
}

/// Carries one connection; whatever begins a drug's addition waits for the gate.
fn carry(client: TcpStream, simulator: SocketAddr, held: &AtomicUsize, open: &AtomicBool) -> std::io::Result<()> {
    let server = TcpStream::connect(simulator)?;
    let (mut back, mut answers) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        drop(std::io::copy(&mut answers, &mut back));
        drop(back.shutdown(Shutdown::Both));
    });
    let (mut client, mut server) = (client, server);
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        let count = client.read(&mut buffer)?;
        if count == 0 {
            return server.shutdown(Shutdown::Write);
        }
        let head = String::from_utf8_lossy(&buffer[..count.min(200)]).into_owned();
        if head.starts_with("POST ") && head.contains("/obat") {
            held.fetch_add(1, Ordering::SeqCst);
            while !open.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            // BPJS has closed the way that was idle meanwhile: the bytes arrive on another, and nobody hears the answer.
            server = TcpStream::connect(simulator)?;
        }
        server.write_all(&buffer[..count])?;
    }
}

/// The window that remains (docs/nodes.md): bytes that left one node arrive after another has looked twice and sent. BPJS
/// refuses a second registration or visit, but keeps a second drug: the reconciliation shows it.
#[test]
fn bytes_that_arrive_after_the_takeover_make_a_copy_that_the_reconciliation_shows() {
    let mut cluster = Cluster::stopped(&["a", "b"], &Setup::default(), &[]);
    let detour = Detour::to(cluster.bridge.simulator_at);
    cluster.detour(0, detour.at);
    cluster.start(0);
    cluster.settled();
    let id = cluster.on(0).submit(&whole_visit("r-1", &card(1), yesterday()));
    cluster.until("the drug is on its way", || (detour.held.load(Ordering::SeqCst) == 1).then_some(()));
    cluster.freeze(0);
    cluster.start(1);
    let entry = cluster.bridge.finished(&id)["obat"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&"delivered".into(), &"accepted".into()), "{entry:#}");
    let seen = purposes(&cluster, &entry);
    assert!(
        seen.iter().filter(|one| **one == "look_up").count() >= 2,
        "looked twice before it was sent again: {seen:?}"
    );
    assert_eq!(cluster.bridge.ledger("obat").len(), 1);
    let report = cluster.bridge.reconcile(yesterday());
    assert_eq!(report["counts"]["only_bpjs"], 0, "{report:#}");
    // Now the first node's bytes arrive.
    detour.open.store(true, Ordering::SeqCst);
    cluster.until("the copy has landed", || (cluster.bridge.ledger("obat").len() == 2).then_some(()));
    cluster.thaw(0);
    let report = cluster.bridge.reconcile(yesterday());
    assert_eq!(report["counts"]["only_bpjs"], 1, "the copy is shown: {report:#}");
    assert_eq!(report["counts"]["equal"], 3, "{report:#}");
    cluster.settled();
    assert_eq!(cluster.bridge.entries(&id)["obat"]["remote"], entry["remote"], "the late end changed nothing");
}

/// A node that died and never came back: its own leases are nobody's to put into doubt before they ran out, and the entry
/// is looked up, not sent.
#[test]
fn a_dead_node_s_entry_waits_for_its_lease_and_is_then_looked_up() {
    let mut cluster = Cluster::up(&["a", "b"], &Setup::default());
    let (facility, owner) = cluster.owners().first().cloned().unwrap();
    let dead = cluster.nodes.iter().position(|node| node.name == owner).unwrap();
    let mut lost = Fault::new("pcare.pendaftaran.add", Kind::LandThenTimeout).lasting(60_000).times(1);
    lost.card = Some(card(1));
    cluster.bridge.fault(lost);
    let mut body = submission("r-1", &[daftar(&card(1), yesterday())]);
    body["facility"] = facility.into();
    let id = cluster.on(1 - dead).submit(&body);
    cluster.until("it has landed", || (cluster.bridge.ledger("pendaftaran").len() == 1).then_some(()));
    cluster.kill(dead);
    cluster.until("its facilities moved", || (cluster.owned(1 - dead) == FACILITIES.len()).then_some(()));
    let entry = cluster.on(1 - dead).entries(&id)["daftar"].clone();
    assert_eq!(entry["state"], "sending", "the lease outlives its holder");
    let entry = cluster.bridge.finished(&id)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&"delivered".into(), &"adopted".into()), "{entry:#}");
    assert_eq!(cluster.bridge.requests("pcare.pendaftaran.add"), 1, "not sent again");
}

/// Its own leases a node puts into doubt at once when it starts again.
#[test]
fn a_node_that_comes_back_looks_its_own_entries_up_at_once() {
    let mut cluster = Cluster::stopped(&["a"], &Setup::default(), &[]);
    cluster.start(0);
    cluster.settled();
    cluster.bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::LandThenTimeout).lasting(60_000).times(1));
    let id = cluster.on(0).submit(&submission("r-1", &[daftar(&card(1), yesterday())]));
    cluster.until("it has landed", || (cluster.bridge.ledger("pendaftaran").len() == 1).then_some(()));
    cluster.kill(0);
    cluster.start(0);
    assert!(cluster.logs(0).contains("what was in flight is tried alone"), "{}", cluster.logs(0));
    let entry = cluster.bridge.finished(&id)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&"delivered".into(), &"adopted".into()), "{entry:#}");
}

/// The file that says whom a claim was opening stands beside the node, the count in the shared database.
#[cfg(feature = "failpoints")]
#[test]
fn an_entry_that_kills_the_claim_of_its_node_is_set_aside_and_the_others_go_on() {
    let mut cluster = Cluster::stopped(&["a"], &Setup::default(), &[]);
    cluster.nodes[0].env.push(("JEMBATAN_POISON_CLAIM".to_owned(), "racun:abort".to_owned()));
    cluster.start(0);
    cluster.settled();
    cluster.bridge.pause(FACILITIES[0], true);
    let ids: Vec<String> =
        (0..4).map(|n| cluster.bridge.submit(&whole_visit(&format!("s{n}"), &card(n), yesterday()))).collect();
    let mut poison = daftar(&card(99), yesterday());
    poison["ref"] = Value::from("racun");
    let poisoned = cluster.bridge.submit(&submission("p", &[poison]));
    let resume = serde_json::json!({ "facility": FACILITIES[0], "reason": "uji" });
    // The node may die before it has answered.
    drop(cluster.bridge.raw("DELETE", "/v1/pauses", &cluster.bridge.operator, Some(&resume)));
    let (began, mut restarts) = (std::time::Instant::now(), 0);
    loop {
        assert!(began.elapsed() < Duration::from_secs(120), "{}", cluster.logs(0));
        if cluster.has_ended(0) {
            restarts += 1;
            assert!(restarts < 8, "a restart loop\n{}", cluster.logs(0));
            cluster.kill(0);
            cluster.spawn(0);
        }
        let all = cluster.bridge.raw("GET", "/v1/deliveries?limit=100", &cluster.bridge.operator, None);
        let all = all.and_then(|told| told.body["items"].as_array().cloned()).unwrap_or_default();
        if all.len() == 13 && all.iter().all(is_final) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(restarts, 3, "three crashes and no more\n{}", cluster.logs(0));
    let entry = cluster.bridge.entries(&poisoned)["racun"].clone();
    assert_eq!((entry["state"].as_str(), entry["why"]["code"].as_str()), (Some("held"), Some("crashed")), "{entry:#}");
    assert!(cluster.bridge.attempts(&entry).is_empty(), "nothing was ever sent");
    for id in &ids {
        assert!(cluster.bridge.entries(id).values().all(|one| one["state"] == "delivered"));
    }
}
