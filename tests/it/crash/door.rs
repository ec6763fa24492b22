//! Poison at the door: bodies that are deep, large or damaged, and a body that panics or kills before it is accepted.

use serde_json::{Value, json};

#[cfg(feature = "failpoints")]
use crate::bridge::Setup;
use crate::bridge::{Bridge, card, daftar, submission, whole_visit, yesterday};
use crate::gateway::client::Local;

/// The largest body that is read, as `config/jembatan.example.toml` has it.
const LARGEST: usize = 256 * 1024;

fn nested(open: &str, inside: &str, close: &str, levels: usize) -> String {
    format!("{}{inside}{}", open.repeat(levels), close.repeat(levels))
}

/// Bodies as deep and as large as they may be and beyond, of every shape.
fn monsters() -> Vec<String> {
    let day = daftar(&card(1), yesterday());
    let within = |payload: &str| {
        let body = submission("dalam", std::slice::from_ref(&day)).to_string();
        body.replacen("\"keluhan\":\"", &format!("\"asing\":{payload},\"keluhan\":\""), 1)
    };
    let mut all = Vec::new();
    for levels in [1, 60, 120, 122, 123, 126, 127, 128, 5000, 40_000] {
        all.push(nested("[", "1", "]", levels));
        all.push(nested("{\"a\":", "1", "}", levels));
        all.push(within(&nested("[", "1", "]", levels)));
        all.push(within(&nested("{\"a\":", "[]", "}", levels)));
    }
    all.push("[".repeat(LARGEST - 1));
    all.push("{\"a\":".repeat(LARGEST / 5 - 1));
    let wide = |item: &str| format!("[{item}1]", item = item.repeat((LARGEST - 1000) / item.len()));
    all.push(within(&wide("1,")));
    all.push(within(&wide("[],")));
    all.push(within(&format!("\"{}\"", "a".repeat(LARGEST - 1000))));
    all.push(within(&format!("\"{}\"", "\\u0000".repeat((LARGEST - 1000) / 6))));
    all.push(within(&format!("1{}", "0".repeat(LARGEST - 1000))));
    let keys: String = (0..20_000).map(|n| format!("\"k{n}\":0,")).collect();
    all.push(within(&format!("{{{keys}\"z\":0}}")));
    let after: Vec<String> = (0..100).map(|n| format!("e{n}")).collect();
    let entries: Vec<Value> = (0..100)
        .map(|n| json!({ "ref": format!("e{n}"), "operation": "pcare.obat.add", "after": after, "payload": {} }))
        .collect();
    all.push(submission("lingkar", &entries).to_string());
    all
}

fn post(bridge: &Bridge, path: &str, body: String) -> u16 {
    let headers = [
        ("Authorization".to_owned(), format!("Bearer {}", bridge.sim)),
        ("Content-Type".to_owned(), "application/json".to_owned()),
    ];
    bridge.try_send("POST", path, &headers, Some(body)).map_or(0, |(status, ..)| status)
}

/// The binary under test is not optimised: its frames on the stack are the largest there are.
#[test]
fn the_deepest_and_the_largest_bodies_are_answered_and_the_process_lives() {
    let mut bridge = Bridge::up();
    let (mut refused, mut sent) = (0, 0);
    for body in monsters() {
        let length = body.len();
        assert!(length <= LARGEST, "a larger one is refused unread: {length}");
        let status = post(&bridge, "/v1/submissions", body);
        assert!((400..500).contains(&status), "{length} bytes: {status}");
        refused += 1;
    }
    let local = Local::added(&bridge, "sim-lama");
    for body in monsters() {
        let length = body.len();
        let mut headers = local.headers();
        headers.push(("Content-Type".to_owned(), "text/plain".to_owned()));
        let told = bridge.try_send("POST", "/ws/pcare/pendaftaran", &headers, Some(body));
        assert!(told.as_ref().is_some_and(|(status, ..)| (400..500).contains(status)), "{length} bytes: {told:?}");
        sent += 1;
    }
    assert!(refused > 40 && sent == refused, "{refused}, {sent}");
    assert!(bridge.ended().is_none(), "it lives\n{}", bridge.logs());
    let id = bridge.submit(&whole_visit("a", &card(2), yesterday()));
    assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"));
}

#[cfg(feature = "failpoints")]
fn poisoned() -> Value {
    let mut entry = daftar(&card(99), yesterday());
    entry["ref"] = json!("racun");
    submission("p", &[entry])
}

#[cfg(feature = "failpoints")]
#[test]
fn a_request_that_panics_is_a_named_500_and_costs_nobody_else() {
    let mut bridge = Bridge::stopped(&Setup::default());
    bridge.env.push(("JEMBATAN_POISON_DOOR".to_owned(), "racun:panic".to_owned()));
    bridge.start();
    for _ in 0..3 {
        let told = bridge.try_submit(&poisoned()).expect("an answer");
        assert_eq!(told.status, 500, "{told:?}");
        let kind = told.body["type"].as_str().unwrap_or_default();
        assert!(kind.ends_with("kesalahan-dalam"), "{told:?}");
        assert!(told.body["detail"].as_str().is_some_and(|text| text.contains("Kirim ulang")), "{told:?}");
    }
    assert!(bridge.deliveries().is_empty(), "nothing was stored");
    let id = bridge.submit(&whole_visit("a", &card(2), yesterday()));
    assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"));
    assert!(bridge.ended().is_none(), "it lives");
    let logs = bridge.logs();
    assert!(logs.contains("panic") && !logs.contains(&card(99)), "{logs}");
}

#[cfg(feature = "failpoints")]
#[test]
fn a_body_that_kills_at_the_door_promises_nothing_and_blames_nobody() {
    let mut bridge = Bridge::stopped(&Setup::default());
    bridge.env.push(("JEMBATAN_POISON_DOOR".to_owned(), "racun:abort".to_owned()));
    bridge.start();
    bridge.pause(crate::bridge::FACILITY, true);
    let waits = bridge.submit(&whole_visit("a", &card(2), yesterday()));
    for _ in 0..4 {
        assert!(bridge.try_submit(&poisoned()).is_none(), "no answer, so no promise");
        bridge.until("it died", crate::bridge::PATIENCE, || {
            bridge.raw("GET", "/health/live", "", None).is_none().then_some(())
        });
        bridge.kill_9();
        bridge.start();
    }
    assert_eq!(bridge.deliveries().len(), 3, "what was accepted is there, the other is not");
    bridge.pause(crate::bridge::FACILITY, false);
    assert!(bridge.finished(&waits).values().all(|one| one["state"] == "delivered"), "nobody is set aside for it");
}
