//! Reads through the gateway.

use std::time::Instant;

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::json;

use super::client::up;
use crate::bridge::{PATIENCE, card, visit, yesterday};

#[test]
fn a_read_is_passed_on_and_sealed_again_for_the_client() {
    let (bridge, local) = up();
    let told = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
    assert_eq!((told.status, &told.code, told.message.as_str()), (200, &json!(200), "OK"));
    assert!(told.sealed);
    assert_eq!(told.response["noKartu"], card(1));
    assert_eq!(told.headers["x-jembatan-source"], "bpjs");
    let shouted = local.get(&bridge, &format!("PCARE/Peserta/{}/", card(1)));
    assert_eq!(shouted.response["noKartu"], card(1), "letter case and a slash at the end do not matter");
    let queried = local.get(&bridge, &format!("pcare/peserta/{}?_=1", card(1)));
    assert_eq!(queried.status, 200);
}

#[test]
fn what_bpjs_says_no_with_arrives_word_for_word() {
    let (bridge, local) = up();
    bridge.fault(Fault::new("pcare.peserta.get", Kind::NotRegistered404).times(1));
    let told = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
    assert_eq!((told.status, &told.code), (404, &json!(404)));
    assert_eq!(told.message, "Unauthorized! You are not registered for this service!");
    assert!(!told.sealed && told.response.is_null());
    bridge.fault(Fault::new("pcare.peserta.get", Kind::PreconditionArray).times(1));
    let told = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
    assert_eq!((told.status, told.message.as_str()), (412, "PRECONDITION_FAILED"));
    assert_eq!(told.response[0]["field"], "kdDiag1", "field errors come in the clear, as BPJS sends them");
}

#[test]
fn an_answer_that_does_not_open_is_not_handed_on() {
    let (bridge, local) = up();
    bridge.fault(Fault::new("pcare.peserta.get", Kind::WrongTimestampSeal).times(1));
    let told = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
    assert_eq!((told.status, told.sealed), (502, false), "{told:?}");
}

#[test]
fn in_an_outage_a_read_is_answered_at_once_in_the_envelope() {
    let (bridge, local) = up();
    bridge.simulator.down(DownMode::Hang, None);
    bridge.until("the bridge knows", PATIENCE, || {
        let told = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
        (told.code == 503).then_some(told)
    });
    let began = Instant::now();
    let told = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
    let took = began.elapsed();
    assert_eq!((told.status, told.headers["x-jembatan-source"].as_str()), (503, "jembatan"));
    assert!(told.headers.contains_key("retry-after") && told.message.contains("tidak terjangkau"), "{told:?}");
    assert!(took.as_millis() < 900, "the request to BPJS would have taken its whole timeout: {took:?}");
    bridge.simulator.up();
    bridge.until("BPJS is back", PATIENCE, || {
        (local.get(&bridge, &format!("pcare/peserta/{}", card(1))).status == 200).then_some(())
    });
}

#[test]
fn a_body_that_is_no_json_or_too_large_is_refused_in_the_envelope() {
    let (bridge, local) = up();
    let send = |body: String| {
        let stamp = jembatan::protocol::sign::Stamp::at(jembatan::clock::Clock::system().now());
        local.read(stamp, bridge.send("POST", "/ws/pcare/kunjungan/v1", &local.headers_at(stamp), Some(body)))
    };
    assert_eq!(send("{".to_owned()).code, 400);
    assert_eq!(send("[]".to_owned()).code, 400);
    assert_eq!(send(r#"{"noKartu":"1","noKartu":"2"}"#.to_owned()).code, 400, "a key twice: which one?");
    assert_eq!(send("x".repeat(256 * 1024 + 1)).code, 413);
    let mut odd = visit(&card(1), yesterday());
    odd["kdDiag1"] = json!("bukan kode");
    odd["salah"] = json!(1);
    let told = send(odd.to_string());
    assert_eq!((&told.code, told.message.as_str()), (&json!(412), "PRECONDITION_FAILED"));
    let fields: Vec<_> = told.response.as_array().unwrap().iter().map(|row| row["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["salah", "kdDiag1"], "{told:?}");
}
