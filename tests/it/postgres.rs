//! The built binary on PostgreSQL.

#[expect(dead_code, unreachable_pub, reason = "shared with the store's own tests")]
#[path = "../postgres/server.rs"]
mod server;

use serde_json::Value;

use crate::bridge::{Bridge, Setup, shipped_day, yesterday};

/// A bridge on a database of its own; nothing is written beside it.
fn on_postgres(url: String) -> Bridge {
    let mut bridge = Bridge::stopped(&Setup::default());
    bridge.env.push(("JEMBATAN__STORE__URL".to_owned(), url));
    bridge.start();
    bridge
}

fn feed(bridge: &Bridge) -> Vec<(i64, String)> {
    let page = bridge.get("/v1/changes?after=0&limit=200");
    let cursor = |one: &Value| one["cursor"].as_str().and_then(|cursor| cursor.parse().ok()).expect("a cursor");
    let of = |one: &Value| (cursor(one), one["delivery"]["id"].to_string());
    page["items"].as_array().expect("changes").iter().map(of).collect()
}

#[test]
fn on_postgresql_what_is_submitted_is_delivered_once_and_is_there_after_a_restart() {
    let database = server::database();
    let mut bridge = on_postgres(database.url());
    let day = shipped_day(yesterday());
    let bodies = day.get(..6).expect("six submissions");
    let submitted: Vec<String> = bodies.iter().map(|body| bridge.submit(body)).collect();
    let finished: Vec<_> = submitted.iter().map(|id| bridge.finished(id)).collect();
    for entries in &finished {
        assert!(!entries.is_empty() && entries.values().all(|one| one["state"] == "delivered"), "{entries:#?}");
    }
    let before = feed(&bridge);
    assert_eq!(before.len(), finished.iter().map(std::collections::BTreeMap::len).sum::<usize>());
    assert!(before.windows(2).all(|pair| pair[0].0 < pair[1].0), "{before:?}");
    assert!(!bridge.state().join("jembatan.db").exists());
    bridge.kill_9();
    let written = bridge.writes();
    bridge.start();
    assert_eq!(feed(&bridge), before);
    for (body, id) in bodies.iter().zip(&submitted) {
        assert_eq!(&bridge.submit(body), id, "the same reference is the same submission");
    }
    assert_eq!(bridge.writes(), written, "nothing is sent twice");
    assert!(bridge.logs().contains("fsync=off"), "a server that forgets is told of, loudly");
}
