//! The five faults that a queue on PostgreSQL is known by: after each, every entry is at BPJS exactly once. How fast it
//! works afterwards is printed as a part of how fast it worked before (`--no-capture`), never asserted. A batch of 120 is
//! over in half a second: `JEMBATAN_CHAOS=1000` takes larger ones, and more of them, for figures.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::{Cluster, DATABASE, FACILITIES};
use crate::bridge::{Setup, card, daftar, yesterday};
use crate::day::exactly_once;

/// Entries of one submission of a batch.
const PART: usize = 10;

/// Entries of one batch, and how many batches before and after a fault.
fn size() -> (usize, usize) {
    let wanted = std::env::var("JEMBATAN_CHAOS").ok().and_then(|text| text.parse().ok());
    wanted.map_or((120, 2), |entries: usize| (entries.clamp(PART, 1_000), 4))
}

/// Registrations of new patients, spread over the facilities.
fn batch(number: usize) -> Vec<Value> {
    let part = |part: usize| {
        let entry = |n: usize| {
            let mut entry = daftar(&card(u32::try_from(number * 10_000 + part * 100 + n).unwrap()), yesterday());
            entry["ref"] = json!(format!("d-{n}"));
            entry
        };
        let entries: Vec<Value> = (0..PART).map(entry).collect();
        json!({ "facility": FACILITIES[part % FACILITIES.len()], "ref": format!("b-{number}-{part}"), "entries": entries })
    };
    (0..size().0 / PART).map(part).collect()
}

fn delivered(cluster: &Cluster) -> usize {
    let sum = cluster.server.ask(DATABASE, "SELECT coalesce(sum(count), 0) FROM tally WHERE state = 'delivered'");
    sum.parse().unwrap()
}

/// Sends one batch that was accepted beforehand; entries a second.
fn rate(cluster: &mut Cluster, number: usize) -> f64 {
    let before = delivered(cluster);
    cluster.bridge.pause("*", true);
    cluster.hand_in(&batch(number), &[0]);
    let began = Instant::now();
    cluster.bridge.pause("*", false);
    let entries = size().0 / PART * PART;
    cluster.until("the batch is delivered", || (delivered(cluster) >= before + entries).then_some(()));
    #[expect(clippy::cast_precision_loss, reason = "hundreds")]
    let count = entries as f64;
    count / began.elapsed().as_secs_f64()
}

/// One scenario: a batch in peace, a batch with the fault in it, a batch in peace.
fn scenario(name: &str, settings: &[&str], fault: impl Fn(&mut Cluster)) {
    let mut cluster =
        Cluster::stopped(&["a", "b"], &Setup { seed: 5, timeout_ms: 5_000, ..Setup::default() }, settings);
    cluster.start(0);
    cluster.start(1);
    cluster.settled();
    let (entries, rounds) = (size().0 / PART * PART, size().1);
    let _warm = rate(&mut cluster, 0);
    let best = |cluster: &mut Cluster, first: usize| {
        (first..first + rounds).map(|number| rate(cluster, number)).fold(0.0, f64::max)
    };
    let before = best(&mut cluster, 1);
    let done = delivered(&cluster);
    cluster.hand_in(&batch(rounds + 1), &[0, 1]);
    cluster.until("it is at work", || (delivered(&cluster) > done).then_some(()));
    let began = Instant::now();
    fault(&mut cluster);
    cluster.on(0);
    cluster.until("the batch with the fault is delivered", || {
        (cluster.server.try_ask(DATABASE, "SELECT 1").is_some() && delivered(&cluster) >= done + entries).then_some(())
    });
    let through = began.elapsed();
    cluster.settled();
    let after = best(&mut cluster, rounds + 2);
    let total = (2 * rounds + 2) * entries;
    let all = cluster.all_final(0, total);
    assert_eq!(all.len(), total, "nothing is lost");
    let odd: Vec<&Value> = all.iter().filter(|one| one["state"] != "delivered").collect();
    assert!(odd.is_empty(), "{odd:#?}");
    exactly_once(&cluster.bridge, &all);
    println!(
        "chaos {name}: before {before:.0}/s, after {after:.0}/s ({:.0} %), through the fault {:.1} s",
        after / before * 100.0,
        through.as_secs_f64()
    );
}

#[test]
fn postgres_restart() {
    scenario("postgres_restart", &[], |cluster| {
        cluster.server.crash();
        cluster.server.start();
    });
}

#[test]
fn pg_backend_kill() {
    scenario("pg_backend_kill", &[], |cluster| {
        for _ in 0..8 {
            assert!(cluster.server.cut(DATABASE, "true") > 0, "there were connections");
            std::thread::sleep(Duration::from_millis(150));
        }
    });
}

#[test]
fn pool_exhaustion() {
    scenario("pool_exhaustion", &["max_connections=60"], |cluster| {
        // Strangers take every place, and the bridge's own connections are cut: for some seconds it finds none.
        let mut knife = cluster.server.cut_later(DATABASE, "query NOT ILIKE '%pg_sleep%'", 1);
        let mut strangers = cluster.server.crowd(DATABASE, 70, 5);
        assert!(knife.wait().unwrap().success());
        for stranger in &mut strangers {
            drop(stranger.wait());
        }
    });
}

#[test]
fn crash_recovery() {
    scenario("crash_recovery", &[], |cluster| {
        cluster.kill(0);
        cluster.start(0);
    });
}

#[test]
fn repeated_kills() {
    scenario("repeated_kills", &[], |cluster| {
        for n in 0..6 {
            cluster.kill(n % 2);
            cluster.start(n % 2);
        }
    });
}
