//! Who gets in, and what everybody else is told.

use jembatan::clock::Clock;
use jembatan::protocol::sign::Stamp;
use serde_json::{Value, json};

use super::client::{Local, up};
use crate::bridge::{Bridge, FACILITY, card};

fn told(local: &Local, bridge: &Bridge, headers: &[(String, String)]) -> (u16, Value, String) {
    let stamp = Stamp::at(Clock::system().now());
    let told = local.read(stamp, bridge.send("GET", "/ws/pcare/dokter/0/1", headers, None));
    assert!(!told.sealed && told.response.is_null(), "{told:?}");
    (told.status, told.code, told.message)
}

fn changed(mut headers: Vec<(String, String)>, name: &str, value: Option<&str>) -> Vec<(String, String)> {
    headers.retain(|(own, _)| own != name || value.is_some());
    for (own, old) in &mut headers {
        if let (true, Some(value)) = (own == name, value) {
            value.clone_into(old);
        }
    }
    headers
}

#[test]
fn whoever_does_not_sign_as_at_bpjs_is_told_so_as_by_bpjs_and_nothing_is_passed_on() {
    let (bridge, local) = up();
    let good = local.headers();
    let before = bridge.requests("pcare.dokter.list");
    let with = |name: &str, value: Option<&str>| told(&local, &bridge, &changed(good.clone(), name, value));
    for name in ["X-cons-id", "X-timestamp", "X-signature", "X-authorization", "user_key"] {
        let missing = (401, json!(401), format!("Unauthorized, header tidak lengkap: {name}"));
        assert_eq!(with(name, None), missing, "{name}");
    }
    let unknown = "Unauthorized, consumer ID tidak terdaftar";
    let theirs = bridge.simulator.credentials();
    assert_eq!(with("X-cons-id", Some("123")), (401, json!(401), unknown.to_owned()));
    assert_eq!(with("X-cons-id", Some(theirs.cons_id.expose())).0, 401, "the real one is worth nothing here");
    let unsigned = (401, json!(401), "Unauthorized, signature tidak sesuai".to_owned());
    assert_eq!(with("X-signature", Some("DogC5UiQurNcigrBdQ3QN5oYvXeUF5E82I/LHUcI9v0=")), unsigned);
    assert_eq!(with("X-timestamp", Some("1")), unsigned, "the stamp is signed");
    assert_eq!(with("X-timestamp", Some("jam")), unsigned);
    assert_eq!(with("user_key", Some("x")).0, 404);
    assert_eq!(
        with("user_key", Some(theirs.pcare.expose())).2,
        "Unauthorized! You are not registered for this service!"
    );
    let no_scheme = with("X-authorization", Some("QTpCOjA5NQ=="));
    assert_eq!((no_scheme.0, no_scheme.1), (400, json!(50_000)));
    assert!(no_scheme.2.starts_with("StartIndex cannot be less than zero."));
    assert_eq!(with("X-authorization", Some("Basic QTpCOjA5NQ==")).2, "Username atau password PCare tidak sesuai");
    for off in [-301, 301] {
        let stamp = Stamp::from_seconds(Clock::system().now().as_second() + off);
        assert_eq!(told(&local, &bridge, &local.headers_at(stamp)).2, "Service Expired");
    }
    // The bridge's own probe asks the same read; a passed call would count besides.
    assert!(bridge.requests("pcare.dokter.list") - before <= 5, "nothing was passed on");
    for off in [-290, 290] {
        let stamp = Stamp::from_seconds(Clock::system().now().as_second() + off);
        let told = local.read(stamp, bridge.send("GET", "/ws/pcare/dokter/0/1", &local.headers_at(stamp), None));
        assert_eq!((told.status, told.sealed), (200, true), "within the window, sealed for the client's own stamp");
    }
}

#[test]
fn header_names_come_in_any_case_and_a_revoked_client_stays_out() {
    let (bridge, local) = up();
    let other = Local::added(&bridge, "sim-kedua");
    let shouted: Vec<_> = other.headers().into_iter().map(|(name, value)| (name.to_uppercase(), value)).collect();
    let (status, ..) = bridge.send("GET", "/ws/pcare/dokter/0/1", &shouted, None);
    assert_eq!(status, 200, "a running daemon knows a client added after its start");
    bridge.cli(&["client", "revoke", "sim-kedua"], "");
    let refused = told(&local, &bridge, &other.headers());
    assert_eq!(refused, (401, json!(401), "Unauthorized, consumer ID tidak terdaftar".to_owned()));
    assert_eq!(local.get(&bridge, "pcare/dokter/0/1").status, 200);
}

#[test]
fn what_the_catalogue_does_not_know_is_named_and_not_passed_on() {
    let (bridge, local) = up();
    for (method, path) in [("GET", "pcare/rahasia/1"), ("PATCH", "pcare/dokter/0/1"), ("GET", "pcare/../_sim/ledger")] {
        let told = local.call(&bridge, method, path, None);
        assert_eq!((told.status, &told.code), (404, &json!(404)), "{path}");
    }
    let told = local.get(&bridge, "pcare/rahasia/1");
    assert!(told.message.contains("GET rahasia/1") && told.message.contains("katalog"), "{}", told.message);
    assert_eq!(bridge.requests("unknown"), 0);
    let (status, _, text) = bridge.send("GET", "/ws/apotek/obat", &local.headers(), None);
    assert_eq!(status, 404, "{text}");
    assert!(text.contains("/ws/vclaim"), "{text}");
    let bad = local.get(&bridge, &format!("pcare/peserta/{}%2F..", card(1)));
    assert_ne!(bad.status, 200, "a dot segment does not climb: {bad:?}");
}

#[test]
fn a_caller_that_keeps_failing_is_slowed_down_and_the_others_are_not() {
    let (bridge, local) = up();
    let other = Local::added(&bridge, "sim-kedua");
    let bad = changed(local.headers(), "X-signature", Some("AAAA"));
    let codes: Vec<Value> = (0..60).map(|_| told(&local, &bridge, &bad).1).collect();
    assert!(codes.contains(&json!(429)), "{codes:?}");
    assert_eq!(codes[0], json!(401));
    assert_eq!(other.get(&bridge, "pcare/dokter/0/1").status, 200, "only the claimed consumer is slowed down");
    bridge.until("the door opens again", crate::bridge::PATIENCE, || {
        (local.get(&bridge, "pcare/dokter/0/1").status == 200).then_some(())
    });
}

#[test]
fn a_bearer_gets_plain_json_and_only_roles_of_a_sim_may_use_the_gateway() {
    let (bridge, local) = up();
    let bearer = |token: &str| vec![("Authorization".to_owned(), format!("Bearer {token}"))];
    let ask = |token: &str| {
        let (status, _, text) = bridge.send("GET", "/ws/pcare/dokter/0/1", &bearer(token), None);
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let (status, body) = ask(local.text("token"));
    assert_eq!((status, &body["metaData"]["code"]), (200, &json!(200)));
    assert!(body["response"]["list"][0]["kdDokter"].is_string(), "{body}");
    assert_eq!(ask(&bridge.sim).0, 200, "a token is enough");
    assert_eq!(ask("jbt_salah").0, 401);
    assert_eq!(ask(&bridge.viewer).1["metaData"]["code"], 403);
    let _both = bridge.cli(&["client", "add", "dua", "--facility", FACILITY, "--facility", "0114A027", "--json"], "");
    let dua: Value = serde_json::from_str(&_both).unwrap();
    let (_, body) = ask(dua["token"].as_str().unwrap());
    assert_eq!(body["metaData"]["code"], 400, "several facilities: which one? {body}");
    let mut named = bearer(dua["token"].as_str().unwrap());
    named.push(("X-Jembatan-Facility".to_owned(), FACILITY.to_owned()));
    assert_eq!(bridge.send("GET", "/ws/pcare/dokter/0/1", &named, None).0, 200);
}
