//! Writes through the gateway: the same guarantees as submissions, in BPJS's own words.

use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use super::client::{id_of, up, with};
use crate::bridge::{Setup, card, daftar, drug, visit, wire, yesterday};

fn registration(n: u32) -> Value {
    daftar(&card(n), yesterday())["payload"].clone()
}

#[test]
fn a_visit_goes_through_as_at_bpjs_and_a_repeat_is_the_same_entry() {
    let (bridge, local) = up();
    let registered = local.post(&bridge, "pcare/pendaftaran", &registration(1));
    assert_eq!((registered.status, &registered.code, registered.message.as_str()), (201, &json!(201), "CREATED"));
    assert!(registered.sealed);
    assert_eq!(registered.response["field"], "noUrut");
    assert_eq!(registered.headers["x-jembatan-source"], "bpjs");
    let again = local.post(&bridge, "PCARE/Pendaftaran", &registration(1));
    assert_eq!((again.status, &again.response), (201, &registered.response), "the same answer, not a duplicate");
    assert_eq!(bridge.requests("pcare.pendaftaran.add"), 1);

    let visited = local.post(&bridge, "pcare/kunjungan/v1", &visit(&card(1), yesterday()));
    assert_eq!((visited.status, visited.response[0]["field"].as_str()), (201, Some("noKunjungan")), "{visited:?}");
    let mut drugs = drug("130103595", 10);
    drugs["noKunjungan"] = json!(id_of(&visited));
    let first = local.post(&bridge, "pcare/obat/kunjungan", &drugs);
    let second = local.post(&bridge, "pcare/obat/kunjungan", &drugs);
    assert_eq!((first.status, first.response[0]["field"].as_str()), (201, Some("kdObatSK")), "{first:?}");
    assert_eq!(first.response, second.response, "the same drug twice within the window is a repeat");
    assert_eq!(bridge.ledger("obat").len(), 1);
    let mut edited = visit(&card(1), yesterday());
    edited["noKunjungan"] = json!(id_of(&visited));
    edited["keluhan"] = json!("batuk");
    edited.as_object_mut().unwrap().remove("kdPoli");
    let edit = local.call(&bridge, "PUT", "pcare/kunjungan/v1", Some(&edited));
    assert_eq!((edit.status, &edit.response), (200, &Value::Null), "{edit:?}");
    assert_eq!(bridge.ledger("kunjungan")[0]["content"]["keluhan"], "batuk");
}

#[test]
fn an_edit_that_came_between_makes_the_first_one_another_entry() {
    let (bridge, local) = up();
    local.post(&bridge, "pcare/pendaftaran", &registration(1));
    let number = id_of(&local.post(&bridge, "pcare/kunjungan/v1", &visit(&card(1), yesterday())));
    for words in ["batuk", "pilek", "batuk"] {
        let mut edited = visit(&card(1), yesterday());
        edited["noKunjungan"] = json!(number);
        edited["keluhan"] = json!(words);
        assert_eq!(local.call(&bridge, "PUT", "pcare/kunjungan/v1", Some(&edited)).status, 200);
        assert_eq!(bridge.ledger("kunjungan")[0]["content"]["keluhan"], words);
    }
    assert_eq!(bridge.requests("pcare.kunjungan.edit"), 3);
}

#[test]
fn a_lost_answer_is_found_and_the_repeated_call_gets_it() {
    let (bridge, local) = with(&Setup { settle_ms: 600, ..Setup::default() }, "1500ms");
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::LandThenTimeout).lasting(60_000).times(1));
    let told = local.post(&bridge, "pcare/pendaftaran", &registration(1));
    assert_eq!((told.status, &told.code), (202, &json!(202)), "{told:?}");
    assert_eq!(told.headers["x-jembatan-source"], "jembatan");
    let provisional = id_of(&told);
    assert!(provisional.starts_with('~') && provisional.len() == 5, "{provisional}");
    let found = local.until_done(&bridge, "POST", "pcare/pendaftaran", Some(&registration(1)));
    assert_eq!((found.status, &found.code, found.message.as_str()), (201, &json!(201), "CREATED"), "{found:?}");
    let there = bridge.ledger("pendaftaran");
    assert_eq!(there.len(), 1, "one at BPJS");
    assert_eq!(found.response, json!({ "field": "noUrut", "message": there[0]["noUrut"] }));
    assert_eq!(bridge.requests("pcare.pendaftaran.add"), 1, "never sent a second time");
}

#[test]
fn a_refusal_comes_word_for_word_and_another_body_mends_it() {
    let (bridge, local) = up();
    local.post(&bridge, "pcare/pendaftaran", &registration(1));
    let mut wrong = visit(&card(1), yesterday());
    wrong["kdDokter"] = json!("999999");
    let refused = local.post(&bridge, "pcare/kunjungan/v1", &wrong);
    assert_eq!((refused.status, refused.message.as_str()), (412, "PRECONDITION_FAILED"), "{refused:?}");
    assert_eq!(refused.response[0]["field"], "kdDokter");
    assert_eq!(refused.headers["x-jembatan-source"], "bpjs");
    let again = local.post(&bridge, "pcare/kunjungan/v1", &wrong);
    assert_eq!((again.status, &again.response), (412, &refused.response), "asked BPJS again, same words");
    assert_eq!(bridge.requests("pcare.kunjungan.add"), 2);
    let mended = local.post(&bridge, "pcare/kunjungan/v1", &visit(&card(1), yesterday()));
    assert_eq!(mended.status, 201, "{mended:?}");
    let ours: Vec<Value> =
        bridge.deliveries().into_iter().filter(|one| one["operation"] == "pcare.kunjungan.add").collect();
    assert_eq!((ours.len(), &ours[0]["state"]), (1, &json!("delivered")), "the same entry, amended");
    assert_eq!(mended.headers["x-jembatan-delivery"], refused.headers["x-jembatan-delivery"]);
    let repeat = local.post(&bridge, "pcare/kunjungan/v1", &visit(&card(1), yesterday()));
    assert_eq!(repeat.response, mended.response, "what was amended is what a repeat is compared with");
    assert_eq!(bridge.requests("pcare.kunjungan.add"), 3);
}

#[test]
fn another_body_on_something_under_way_or_at_bpjs_is_a_conflict() {
    let (bridge, local) = up();
    let mut other = registration(1);
    other["keluhan"] = json!("lain");
    bridge.pause("*", true);
    assert_eq!(local.post(&bridge, "pcare/pendaftaran", &registration(1)).code, 202);
    let conflict = local.post(&bridge, "pcare/pendaftaran", &other);
    assert_eq!((conflict.status, &conflict.code), (409, &json!(409)), "{conflict:?}");
    bridge.pause("*", false);
    assert_eq!(local.until_done(&bridge, "POST", "pcare/pendaftaran", Some(&registration(1))).status, 201);
    let conflict = local.post(&bridge, "pcare/pendaftaran", &other);
    assert_eq!(conflict.status, 409);
    assert!(conflict.message.contains("sudah di-entri"), "{}", conflict.message);
    assert_eq!((bridge.requests("pcare.pendaftaran.add"), bridge.deliveries().len()), (1, 1));
    assert_eq!(bridge.ledger("pendaftaran")[0]["content"]["keluhan"], "demam");
}

#[test]
fn a_delivered_delete_begins_a_new_generation() {
    let (bridge, local) = up();
    let day = wire(yesterday());
    let mut queue = Vec::new();
    for round in 0..3 {
        let added = local.post(&bridge, "pcare/pendaftaran", &registration(1));
        assert_eq!(added.status, 201, "{round}: {added:?}");
        let number = id_of(&added);
        let path = format!("pcare/pendaftaran/peserta/{}/tglDaftar/{day}/noUrut/{number}/kdPoli/001", card(1));
        let gone = local.call(&bridge, "DELETE", &path, None);
        assert_eq!(gone.status, 200, "{round}: {gone:?}");
        assert!(bridge.ledger("pendaftaran").is_empty(), "{round}");
        queue.push(number);
    }
    assert_eq!(bridge.requests("pcare.pendaftaran.add"), 3, "every round is another entry: {queue:?}");
    assert_eq!(bridge.requests("pcare.pendaftaran.delete"), 3);
    assert!(bridge.deliveries().iter().all(|one| one["state"] == "delivered"));
}

#[test]
fn a_deleted_drug_may_be_entered_again_within_the_window() {
    let (bridge, local) = up();
    local.post(&bridge, "pcare/pendaftaran", &registration(1));
    let number = id_of(&local.post(&bridge, "pcare/kunjungan/v1", &visit(&card(1), yesterday())));
    let mut drugs = drug("130103595", 10);
    drugs["noKunjungan"] = json!(number);
    let first = id_of(&local.post(&bridge, "pcare/obat/kunjungan", &drugs));
    let gone = local.call(&bridge, "DELETE", &format!("pcare/obat/{first}/kunjungan/{number}"), None);
    assert_eq!(gone.status, 200, "{gone:?}");
    let second = id_of(&local.post(&bridge, "pcare/obat/kunjungan", &drugs));
    assert_ne!(first, second);
    assert_eq!(bridge.ledger("obat").len(), 1);
}

/// Two keys, and one call made many times at once.
#[test]
fn calls_that_arrive_together_are_one_entry() {
    let (bridge, local) = up();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let one = |_| {
            scope.spawn(|| {
                let told = local.until_done(&bridge, "POST", "pcare/pendaftaran", Some(&registration(7)));
                assert_eq!(told.status, 201, "{told:?}");
                id_of(&told)
            })
        };
        let running: Vec<_> = (0..8).map(one).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(bridge.requests("pcare.pendaftaran.add"), 1);
}

#[test]
fn the_api_and_the_gateway_of_one_client_know_each_others_entries() {
    let (bridge, local) = up();
    let body = crate::bridge::submission("a", &[daftar(&card(1), yesterday())]);
    let headers = [
        ("Authorization".to_owned(), format!("Bearer {}", local.text("token"))),
        ("Content-Type".to_owned(), "application/json".to_owned()),
    ];
    let (status, ..) = bridge.send("POST", "/v1/submissions", &headers, Some(body.to_string()));
    assert_eq!(status, 202);
    let told = local.until_done(&bridge, "POST", "pcare/pendaftaran", Some(&registration(1)));
    assert_eq!(told.status, 201);
    assert_eq!((bridge.deliveries().len(), bridge.requests("pcare.pendaftaran.add")), (1, 1));
}
