//! Every route, and every fault that does not need a real connection.

use std::collections::BTreeSet;

use super::*;
use crate::protocol::seal::seal;

/// Method, path, the status expected, body.
type Step = (&'static str, &'static str, u16, Option<Value>);

/// Every operation once, in an order in which each succeeds; `{visit}` is the visit's number.
fn tour() -> Vec<Step> {
    [references(), patient_and_groups()].concat()
}

fn references() -> Vec<Step> {
    let read = |path| ("GET", path, 200, None);
    vec![
        read("diagnosa/gastritis/0/10"),
        read("diagnosa/K29.7/0/10"),
        read("dokter/0/10"),
        read("kesadaran"),
        read("alergi/jenis/01"),
        read("prognosa"),
        read("poli/fktp/0/10"),
        read("provider/0/10"),
        read("statuspulang/rawatInap/true"),
        read("spesialis"),
        read("spesialis/sarana"),
        read("spesialis/khusus"),
        read("spesialis/ANA/subspesialis"),
        read("spesialis/rujuk/subspesialis/26/sarana/1/tglEstRujuk/22-11-2026"),
        read("spesialis/rujuk/khusus/HDL/noKartu/0009900000000/tglEstRujuk/22-11-2026"),
        read("spesialis/rujuk/khusus/THA/subspesialis/8/noKartu/0009900000000/tglEstRujuk/22-11-2026"),
        read("peserta/0009900000000"),
        read("peserta/nik/6470009900000000"),
        read("peserta/noka/0009900000000"),
        read("skrinning/rekap"),
        read("skrinning/peserta/0009900000000/0/10"),
        read("skrinning/prolanis/dm/0009900000000/0/10"),
        read("skrinning/prolanis/ht/0009900000000/0/10"),
    ]
}

fn patient_and_groups() -> Vec<Step> {
    let edited = || {
        let mut body = visit();
        body["noKunjungan"] = json!("{visit}");
        Some(body)
    };
    let treatment = |id| {
        Some(json!({ "kdTindakanSK": id, "noKunjungan": "{visit}", "kdTindakan": "01006", "biaya": 0, "hasil": 0 }))
    };
    let examination = |id| {
        Some(json!({ "kdMCU": id, "noKunjungan": "{visit}", "kdProvider": "0114A026", "tglPelayanan": TODAY,
            "gulaDarahPuasa": 126 }))
    };
    let drug = json!({ "kdObatSK": 0, "noKunjungan": "{visit}", "racikan": false, "obatDPHO": true,
    "kdObat": "130103595", "signa1": 3, "signa2": 1, "jmlObat": 10 });
    let activity =
        json!({ "eduId": null, "clubId": 36, "tglPelayanan": TODAY, "kdKegiatan": "01", "kdKelompok": "01" });
    vec![
        ("POST", "pendaftaran", 201, Some(registration())),
        ("GET", "pendaftaran/noUrut/A1/tglDaftar/21-11-2026", 200, None),
        ("GET", "pendaftaran/tglDaftar/21-11-2026/0/300", 200, None),
        ("POST", "kunjungan/V1", 201, Some(visit())),
        ("PUT", "kunjungan/v1", 200, edited()),
        ("PUT", "kunjungan", 200, edited()),
        ("GET", "kunjungan/peserta/0009900000000", 200, None),
        ("GET", "kunjungan/rujukan/{visit}", 200, None),
        ("GET", "tindakan/kdTkp/10/0/10", 200, None),
        ("POST", "tindakan", 201, treatment(0)),
        ("PUT", "tindakan", 200, treatment(1)),
        ("GET", "tindakan/kunjungan/{visit}", 200, None),
        ("DELETE", "tindakan/1/kunjungan/{visit}", 200, None),
        ("GET", "obat/dpho/parasetamol%20tab/0/10", 200, None),
        ("GET", "dpho/kdppk/0114A999/tab/0/10", 200, None),
        ("POST", "obat/kunjungan", 201, Some(drug)),
        ("GET", "obat/kunjungan/{visit}", 200, None),
        ("DELETE", "obat/1/kunjungan/{visit}", 200, None),
        ("POST", "mcu", 201, examination(0)),
        ("PUT", "MCU", 200, examination(1)),
        ("GET", "MCU/kunjungan/{visit}", 200, None),
        ("DELETE", "MCU/1/kunjungan/{visit}", 200, None),
        ("GET", "kelompok/club/01", 200, None),
        ("POST", "kelompok/kegiatan", 201, Some(activity)),
        ("GET", "kelompok/kegiatan/21-11-2026", 200, None),
        ("POST", "kelompok/peserta", 201, Some(json!({ "eduId": "26110000001", "noKartu": CARD }))),
        ("GET", "kelompok/peserta/26110000001", 200, None),
        ("DELETE", "kelompok/peserta/26110000001/0009900000000", 200, None),
        ("DELETE", "kelompok/kegiatan/26110000001", 200, None),
        ("DELETE", "kunjungan/{visit}", 200, None),
        ("POST", "kunjungan", 201, Some(visit())),
        ("DELETE", "kunjungan/v1/0114A0261126Y000002", 200, None),
        ("DELETE", "pendaftaran/peserta/0009900000000/tglDaftar/21-11-2026/noUrut/A1/kdPoli/001", 200, None),
    ]
}

/// Takes the whole tour; answers what was sealed into each answer, with the bytes.
async fn take(client: &Client) -> Vec<Got> {
    let mut seen = Vec::new();
    for (method, path, status, body) in tour() {
        let number = "0114A0261126Y000001";
        let path = path.replace("{visit}", number);
        let body = body.map(|body| serde_json::from_str(&body.to_string().replace("{visit}", number)).unwrap());
        let got = client.call(method, &path, body).await;
        assert_eq!(got.status, status, "{method} {path}: {got:?}");
        assert_eq!(got.code, json!(status));
        seen.push(got);
    }
    seen
}

#[tokio::test]
async fn every_route_answers_and_none_is_left_out() {
    let client = client();
    let answers = take(&client).await;
    let visited: BTreeSet<(&str, &str)> = tour()
        .iter()
        .map(|(method, path, ..)| {
            let path = path.trim_end_matches("%20tab");
            let mut fitting = routes::PCARE.iter().filter(|route| route.method == *method);
            let route = fitting.find(|route| routes::captures(route.path, path).is_some()).unwrap();
            (route.method, route.path)
        })
        .collect();
    assert_eq!(visited.len(), routes::PCARE.len());
    assert!(answers.iter().all(|got| got.message == if got.status == 201 { "CREATED" } else { "OK" }));
}

#[tokio::test]
async fn the_same_seed_and_requests_give_the_same_bytes() {
    let run = async || take(&client()).await.into_iter().map(|got| got.raw).collect::<Vec<_>>();
    assert_eq!(run().await, run().await);
}

#[tokio::test]
async fn created_ids_come_in_the_shapes_of_the_catalogue() {
    let client = client();
    let got = client.registered().await.get("pendaftaran/noUrut/A1/tglDaftar/21-11-2026").await;
    assert_eq!(got.response["keluhan"], "demam \"tinggi\" 🤒\n");
    assert!(got.response.get("kunjSakit").is_none() && got.response["peserta"].get("tunggakan").is_none());
    let list = client.get("pendaftaran/tglDaftar/21-11-2026/0/10").await.response;
    assert_eq!(list["count"], 1);
    assert_eq!((&list["list"][0]["status"], &list["list"][0]["peserta"]["aktif"]), (&json!("Baru"), &json!(false)));
    let got = client.call("POST", "kunjungan/v1", Some(visit())).await;
    assert_eq!(got.response, json!([{ "field": "noKunjungan", "message": "0114A0261126Y000001" }]));
    let letter = client.get("kunjungan/rujukan/0114A0261126Y000001").await.response;
    assert_eq!((&letter["poli"]["kdPoli"], &letter["diag1"]["kdDiag"]), (&json!("INT"), &json!("A01.1")));
}

#[tokio::test]
async fn deletes_and_edits_are_not_sealed() {
    let client = client();
    client.registered().await;
    let path = "pendaftaran/peserta/0009900000000/tglDaftar/21-11-2026/noUrut/A1/kdPoli/001";
    let raw = |got: Got| String::from_utf8(got.raw).unwrap();
    let got = raw(client.call("DELETE", path, None).await);
    assert_eq!(got, r#"{"response":"","metaData":{"message":"OK","code":200}}"#);
    let number = client.visited().await;
    let got = raw(client.call("DELETE", &format!("kunjungan/{number}"), None).await);
    assert_eq!(got, r#"{"response":null,"metaData":{"message":"OK","code":200}}"#);
}

#[tokio::test]
async fn nothing_found_has_two_shapes() {
    let json_shape = client().get("peserta/7777700000000").await;
    assert_eq!((json_shape.status, json_shape.code, json_shape.message.as_str()), (200, json!(204), "NO_CONTENT"));
    let rules = Rules { no_content_empty: true, code_as_text: true, ..Rules::default() };
    let client = scripted(Script { rules, ..Script::default() });
    let empty = client.get("peserta/7777700000000").await;
    assert_eq!((empty.status, empty.raw.len()), (204, 0));
    assert_eq!(client.get("kesadaran").await.code, json!("200"));
}

#[tokio::test]
async fn the_old_path_of_visits_can_be_closed() {
    let rules = Rules { old_visit_path: false, ..Rules::default() };
    let client = scripted(Script { rules, ..Script::default() });
    let got = client.registered().await.call("POST", "kunjungan", Some(visit())).await;
    assert_eq!((got.status, got.message.as_str()), (404, "Unauthorized! You are not registered for this service!"));
    assert_eq!(client.call("POST", "kunjungan/v1", Some(visit())).await.status, 201);
}

#[tokio::test]
async fn canned_refusals_say_their_words_and_nothing_lands() {
    let object = json!({ "field": "kdPoli", "message": "Tidak sesuai dengan referensi sistem." });
    let array = json!([{ "field": "kdDiag1", "message": "Tidak sesuai dengan referensi sistem." }]);
    for (kind, status, message, response) in [
        (
            Kind::UnauthorizedDuplicate,
            401,
            "Peserta sudah di-entri di poli yang sama pada hari yang sama.",
            Value::Null,
        ),
        (Kind::UnauthorizedScreening, 401, texts::SCREENING, Value::Null),
        (Kind::UnauthorizedCredentials, 401, texts::BAD_LOGIN, Value::Null),
        (Kind::NotRegistered404, 404, "Unauthorized! You are not registered for this service!", Value::Null),
        (Kind::PreconditionObject, 412, "PRECONDITION_FAILED", object),
        (Kind::PreconditionArray, 412, "PRECONDITION_FAILED", array),
        (Kind::FailedDependency424, 424, "FAILED_DEPENDENCY", Value::Null),
        (Kind::Locked428, 428, "Data Rujukan sudah dilayani di RS", Value::Null),
        (Kind::NullReference500, 500, "Object reference not set to an instance of an object.", Value::Null),
    ] {
        let client = with_fault(Fault::new("write", kind));
        let got = client.call("POST", "pendaftaran", Some(registration())).await;
        assert_eq!(
            (got.status, got.code, got.message.as_str(), got.response),
            (status, json!(status), message, response),
            "{kind:?}"
        );
        assert_eq!(client.landed("pendaftaran"), 0);
        assert_eq!(client.get("kesadaran").await.status, 200, "reads are left alone");
    }
}

#[tokio::test]
async fn pages_and_empty_bodies_stand_where_an_envelope_should() {
    for (kind, status, landed, contains) in [
        (Kind::Html500, 500, 0, "Runtime Error"),
        (Kind::Html503, 503, 0, "503 Service Temporarily Unavailable"),
        (Kind::Html200, 200, 0, "<!DOCTYPE html>"),
        (Kind::EmptyBody, 200, 1, ""),
        (Kind::NoContent204Empty, 204, 0, ""),
    ] {
        let client = with_fault(Fault::new("POST pendaftaran", kind));
        let got = client.call("POST", "pendaftaran", Some(registration())).await;
        let raw = String::from_utf8(got.raw).unwrap();
        assert_eq!((got.status, client.landed("pendaftaran")), (status, landed), "{kind:?}");
        assert!(raw.contains(contains) && raw.is_empty() == contains.is_empty(), "{kind:?}: {raw}");
    }
    let client = with_fault(Fault { lands: Some(true), ..Fault::new("write", Kind::Html503) });
    assert_eq!(client.call("POST", "pendaftaran", Some(registration())).await.status, 503);
    assert_eq!(client.landed("pendaftaran"), 1, "the gateway gave up after the work was done");
}

#[tokio::test]
async fn spoilt_answers_land_and_cannot_be_opened() {
    for kind in [Kind::TruncatedBase64, Kind::WrongTimestampSeal] {
        let client = with_fault(Fault::new("write", kind));
        let got = client.call("POST", "pendaftaran", Some(registration())).await;
        assert_eq!((got.status, got.code, got.response), (201, json!(201), Value::Null), "{kind:?}");
        assert_eq!(client.landed("pendaftaran"), 1);
    }
}

#[tokio::test]
async fn a_twice_encoded_answer_is_text_inside_text() {
    let client = with_fault(Fault::new("write", Kind::DoubleEncoded));
    let got = client.call("POST", "pendaftaran", Some(registration())).await;
    let Credentials { cons_id, secret_key, .. } = &client.credentials;
    let inner = r#"{"field":"noUrut","message":"A1"}"#;
    let wire = seal(cons_id, secret_key, client.stamp(), &json!(inner).to_string());
    let envelope: Value = serde_json::from_slice(&got.raw).unwrap();
    assert_eq!(envelope["response"], wire);
}

#[tokio::test]
async fn answers_change_their_shape_when_told() {
    let client = with_fault(Fault::new("*", Kind::ObjectForArray));
    let got = client.call("POST", "pendaftaran", Some(registration())).await;
    assert_eq!(got.response, json!([{ "field": "noUrut", "message": "A1" }]));
    let got = client.call("POST", "kunjungan/v1", Some(visit())).await;
    assert_eq!(got.response, json!({ "field": "noKunjungan", "message": "0114A0261126Y000001" }));
    let got = with_fault(Fault::new("*", Kind::CrlfNames)).get("kesadaran").await;
    assert_eq!(got.response["list"][0], json!({ "kdSadar": "01", "nmSadar": "Compos mentis\r\n" }));
    let got = with_fault(Fault::new("*", Kind::CodeAsText)).get("kesadaran").await;
    assert_eq!((got.status, got.code), (200, json!("200")));
}

#[tokio::test]
async fn a_skewed_request_shows_in_date_and_at_the_door() {
    for (seconds, status) in [(120, 200), (900, 401)] {
        let client = with_fault(Fault { seconds: Some(seconds), ..Fault::new("*", Kind::Skew).times(1) });
        let got = client.get("kesadaran").await;
        assert_eq!(got.status, status);
        assert_eq!(got.headers["date"], format!("Sat, 21 Nov 2026 03:{:02}:00 GMT", seconds / 60));
        assert_eq!(client.get("kesadaran").await.headers["date"], "Sat, 21 Nov 2026 03:00:00 GMT");
    }
}

#[tokio::test]
async fn what_landed_may_be_hidden_for_a_while() {
    let client = with_fault(Fault::new("write", Kind::DelayedVisibility).lasting(5_000));
    assert_eq!(client.call("POST", "pendaftaran", Some(registration())).await.status, 201);
    let list = "pendaftaran/tglDaftar/21-11-2026/0/10";
    assert_eq!(client.get(list).await.code, json!(204));
    assert_eq!(client.landed("pendaftaran"), 1);
    client.clock.advance(Duration::from_secs(5));
    assert_eq!(client.get(list).await.response["count"], 1);
}

#[tokio::test]
async fn a_slow_answer_waits_and_its_work_is_done_at_once() {
    let client = with_fault(Fault::new("write", Kind::Slow).lasting(5_000));
    let request = client.request("POST", "pendaftaran", Some(&registration()));
    let mut answer = tokio::spawn(client.simulator.router().oneshot(request));
    settle(&client.simulator).await;
    assert_eq!(client.landed("pendaftaran"), 1);
    assert!(!answer.is_finished());
    client.clock.advance(Duration::from_secs(5));
    assert_eq!((&mut answer).await.unwrap().unwrap().status(), 201);
}

/// Lets the other tasks run until the request has been counted.
async fn settle(simulator: &Simulator) {
    while simulator.requests()["counts"].as_array().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}
