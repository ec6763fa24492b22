//! Bad input of every kind: a 4xx that names it, and nothing stored.

use super::*;

/// Hands a body in, expects a refusal, and that nothing was stored.
async fn refused(bridge: &Bridge, body: &str, status: u16, pointers: &[&str]) -> Answer {
    let answer = bridge.ask("POST", "/v1/submissions", &bridge.sim, "", Some(body)).await;
    assert_eq!((answer.status, answer.pointers().as_slice()), (status, pointers), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.body["status"], status);
    assert_eq!(answer.body["instance"].as_str(), answer.header("x-request-id"));
    assert!(answer.body["type"].as_str().unwrap().starts_with("/masalah/"));
    assert!(!answer.body["detail"].as_str().unwrap().is_empty());
    assert_eq!(bridge.stored().await, (0, 0));
    answer
}

/// A day with `value` put at `pointer`.
fn with(pointer: &str, value: Value) -> String {
    let mut body = day("reg-1");
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    body.to_string()
}

#[tokio::test]
async fn every_field_at_fault_is_named_at_once() {
    let bridge = Bridge::start().await;
    let mut body = day("reg-1");
    body["entries"][0]["payload"]["tglDaftar"] = json!("31-02-2026");
    body["entries"][0]["payload"]["nokartu"] = json!(CARD);
    body["entries"][1]["payload"]["kdDiag1"] = json!(7);
    body["entries"][2]["operation"] = json!("pcare.obat.kirim");
    body["entries"][2]["after"] = json!(["kunjungan", "tidak-ada"]);
    let pointers = [
        "/entries/2/operation",
        "/entries/0/payload/nokartu",
        "/entries/0/payload/tglDaftar",
        "/entries/1/payload/kdDiag1",
        "/entries/2/after/1",
    ];
    let answer = refused(&bridge, &body.to_string(), 422, &pointers).await;
    assert!(answer.body["errors"][1]["detail"].as_str().unwrap().contains("noKartu"), "the remedy: {answer:?}");
}

#[tokio::test]
async fn fields_of_the_wrong_kind_are_named() {
    let bridge = Bridge::start().await;
    let cases = [
        ("/lain", json!(1), vec!["/lain"]),
        ("/ref", json!(""), vec!["/ref"]),
        ("/ref", json!("x".repeat(201)), vec!["/ref"]),
        ("/ref", json!("a\u{7}"), vec!["/ref"]),
        ("/facility", json!("0114A099"), vec!["/facility"]),
        ("/entries", json!([]), vec!["/entries"]),
        ("/entries/0/ref", json!("kunjungan"), vec!["/entries/1/ref"]),
        ("/entries/0/operation", json!("pcare.dokter.list"), vec!["/entries/0/operation"]),
        ("/entries/0/occurred_at", json!("2026-11-21 08:12"), vec!["/entries/0/occurred_at"]),
        ("/entries/0/occurred_at", json!("2026-11-22T11:00:01+08:00"), vec!["/entries/0/occurred_at"]),
        ("/entries/0/payload", json!("teks"), vec!["/entries/0/payload"]),
        ("/entries/0/payload/kunjSakit", json!("ya"), vec!["/entries/0/payload/kunjSakit"]),
        ("/entries/0/payload/keluhan", json!("a\0b"), vec!["/entries/0/payload/keluhan"]),
        ("/entries/1/payload/rujukLanjut", json!({ "x": "a\0b" }), vec!["/entries/1/payload/rujukLanjut/x"]),
        ("/entries/0/after", json!(["obat-1"]), vec!["/entries/0/after", "/entries/1/after", "/entries/2/after"]),
        ("/entries/2/after", json!([]), vec!["/entries/2/payload/noKunjungan"]),
        (
            "/patient/noKartu",
            json!("0009900000001"),
            vec!["/patient/noKartu", "/entries/0/payload/noKartu", "/patient/noKartu", "/entries/1/payload/noKartu"],
        ),
        ("/patient/nik", json!(6_474_010_101_900_001_u64), vec!["/patient/nik"]),
    ];
    for (pointer, value, pointers) in cases {
        let status = if pointer == "/facility" { 403 } else { 422 };
        refused(&bridge, &with(pointer, value), status, &pointers).await;
    }
}

#[tokio::test]
async fn a_facility_of_the_client_that_is_not_served_is_named() {
    let bridge = Bridge::start().await;
    let sim = bridge.client("sim-9", Role::Sim, &["0114A099"]);
    let mut body = single("reg-1", CARD);
    body["facility"] = json!("0114A099");
    let answer = bridge.post("/v1/submissions", &sim, &body).await;
    assert_eq!((answer.status, answer.pointers()), (422, vec!["/facility"]));
}

#[tokio::test]
async fn what_is_no_readable_json_says_why() {
    let bridge = Bridge::start().await;
    let noise = refused(&bridge, "{\n \"facility\": }", 400, &[]).await;
    assert!(noise.body["detail"].as_str().unwrap().contains("baris 2"), "{noise:?}");
    let deep = format!("{{\"entries\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let deep = refused(&bridge, &deep, 400, &[]).await;
    assert!(deep.body["detail"].as_str().unwrap().contains("dalam"), "{deep:?}");
    refused(&bridge, "[]", 422, &[""]).await;
    let twice =
        day("reg-1").to_string().replace("\"keluhan\":\"batuk\"", "\"keluhan\":\"batuk\",\"keluhan\":\"demam\"");
    refused(&bridge, &twice, 422, &["/entries/0/payload/keluhan"]).await;
    let large = with("/entries/0/payload/keluhan", json!("x".repeat(300 * 1024)));
    let large = refused(&bridge, &large, 413, &[]).await;
    assert!(large.body["detail"].as_str().unwrap().contains("256 KiB"), "{large:?}");
}

#[tokio::test]
async fn a_large_body_in_pieces_is_cut_off_too() {
    let bridge = Bridge::start().await;
    let piece = format!("{:x}\r\n{}\r\n", 64 * 1024, "x".repeat(64 * 1024));
    let request = format!(
        "POST /v1/submissions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        bridge.sim,
        piece.repeat(5)
    );
    assert_eq!(bridge.raw(request.as_bytes()).await.status, 413);
}

#[tokio::test]
async fn only_json_is_taken() {
    let bridge = Bridge::start().await;
    let body = day("reg-1").to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ""] {
        let request = format!(
            "POST /v1/submissions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            bridge.sim,
            body.len()
        );
        let answer = bridge.raw(request.as_bytes()).await;
        assert_eq!((answer.status, answer.body["type"].as_str()), (415, Some("/masalah/jenis-isi")), "{kind}");
    }
    assert_eq!(bridge.stored().await, (0, 0));
}

#[tokio::test]
async fn only_a_live_token_opens() {
    let bridge = Bridge::start().await;
    let body = day("reg-1");
    let revoked = bridge.client("lama", Role::Sim, &[FACILITY]);
    bridge.clients.revoke("lama", bridge.clock.now()).unwrap();
    let unknown = bridge.post("/v1/submissions", "jbt_00000000_x_00000000", &body).await;
    let gone = bridge.post("/v1/submissions", &revoked, &body).await;
    for answer in [&unknown, &gone] {
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
        assert!(answer.body["detail"].as_str().unwrap().contains("dicabut atau kedaluwarsa"), "{answer:?}");
    }
    let shape = |answer: &Answer| {
        Value::from_iter([("detail", answer.body["detail"].clone()), ("title", answer.body["title"].clone())])
    };
    assert_eq!(shape(&unknown), shape(&gone), "an unknown and a revoked token look the same");
    let without = bridge.raw(b"GET /v1/deliveries HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(without.status, 401);
    assert_eq!(bridge.stored().await, (0, 0));
    bridge.clock.advance(Duration::from_secs(31 * 24 * 3600));
    let expired = bridge.submit(&body).await;
    assert_eq!(expired.status, 401);
    assert!(expired.body["detail"].as_str().unwrap().contains("kedaluwarsa"), "{expired:?}");
}

#[tokio::test]
async fn parameters_paths_and_methods_are_checked() {
    let bridge = Bridge::start().await;
    let cases = [
        ("GET", "/v1/deliveries?after=abc", 400, "?after"),
        ("GET", "/v1/deliveries?after=-1", 400, "?after"),
        ("GET", "/v1/deliveries?limit=banyak", 400, "?limit"),
        ("GET", "/v1/deliveries?state=lost", 400, "?state"),
        ("GET", "/v1/deliveries?late=mungkin", 400, "?late"),
        ("GET", "/v1/deliveries?warna=biru", 400, "?warna"),
        ("GET", "/v1/deliveries?limit=1&limit=2", 400, "?limit"),
        ("GET", "/v1/changes?after=x", 400, "?after"),
        ("GET", "/v1/changes?wait=x", 400, "?wait"),
        ("GET", "/v1/deliveries?facility=0114A027", 403, "/facility"),
        ("GET", "/v1/deliveries/bukan-id", 404, ""),
        ("GET", "/v1/submissions/00000000-0000-7000-8000-000000000000", 404, ""),
        ("GET", "/v1/antah", 404, ""),
        ("PUT", "/v1/submissions", 405, ""),
        ("TRACE", "/v1/deliveries", 405, ""),
        ("OPTIONS", "/v1/deliveries", 405, ""),
    ];
    for (method, path, status, pointer) in cases {
        let answer = bridge.ask(method, path, &bridge.sim, "", None).await;
        let expected = if pointer.is_empty() { vec![] } else { vec![pointer] };
        assert_eq!((answer.status, answer.pointers()), (status, expected), "{method} {path}");
        assert!(answer.header("access-control-allow-origin").is_none(), "no CORS");
    }
}
