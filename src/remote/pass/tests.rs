//! What the gateway passes through arrives as the client wrote it and comes back as the service meant it.

use serde_json::json;

use super::*;
use crate::catalogue::Method;
use crate::remote::testing::{FACILITY, Fake, bench, header, plain, reply, sealed, stamp_of, start};

fn row() -> Value {
    json!({"kdDiag": "A90"})
}

#[tokio::test]
async fn a_call_passes_path_and_body_and_every_envelope_through() {
    let fake = Fake::new(|request| {
        Ok(match request.url.expose().rsplit('/').next().unwrap_or_default() {
            "10?x=1" => reply(200, sealed(200, "OK", stamp_of(request), &json!({"list": [row()]}))),
            "polos" => reply(200, plain(200, "OK", json!([1]))),
            "rusak" => reply(200, plain(200, "OK", json!("bukan-tertutup"))),
            "hilang" => reply(200, br#"{"metaData":{"code":200,"message":"OK"}}"#.to_vec()),
            _ => reply(412, plain(412, "PRECONDITION_FAILED", json!("kata kata"))),
        })
    });
    let bench = bench(fake.clone());
    let operation = bench.catalogue.operation("pcare.dokter.list").unwrap();
    let pass = async |path: &str| bench.remote.pass(FACILITY, operation, path, None, Stamp::at(start())).await.unwrap();
    let found = pass("/diagnosa/demam%20berdarah/0/10?x=1").await;
    assert_eq!((found.status, found.code, found.success), (200, 200, true));
    assert_eq!(found.response.expose(), &Answer::Sealed(json!({"list": [row()]})));
    assert_eq!(pass("polos").await.response.expose(), &Answer::Plain(json!([1])));
    let shut = pass("rusak").await;
    assert_eq!(shut.response.expose(), &Answer::Shut("bukan-tertutup".to_owned()));
    assert_eq!((shut.success, shut.evidence), (true, Evidence::Alive));
    assert_eq!(pass("hilang").await.response.expose(), &Answer::Absent);
    let no = pass("lain").await;
    assert_eq!((no.code, no.success, no.message.expose().as_str()), (412, false, "PRECONDITION_FAILED"));
    assert_eq!(no.response.expose(), &Answer::Plain(json!("kata kata")));
    assert_eq!(fake.paths(), ["diagnosa/demam%20berdarah/0/10?x=1", "polos", "rusak", "hilang", "lain"]);
}

#[tokio::test]
async fn the_clients_body_goes_out_as_it_is_once_with_the_operations_type() {
    let fake = Fake::new(|_| Err(TransportError::NoAnswer { after: Duration::from_secs(30) }));
    let bench = bench(fake.clone());
    let operation = bench.catalogue.operation("pcare.pendaftaran.add").unwrap();
    let body = Private::new("{ \"noKartu\" :\"0009900000013\"}".to_owned());
    let lost = bench.remote.pass(FACILITY, operation, "pendaftaran", Some(body), Stamp::at(start())).await.unwrap_err();
    assert!(matches!(*lost.outcome, Outcome::NoAnswer { .. }));
    let seen = fake.seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].method, Method::Post);
    assert_eq!(seen[0].body.as_ref().unwrap().expose(), "{ \"noKartu\" :\"0009900000013\"}");
    assert_eq!(header(&seen[0], "Content-Type").as_deref(), Some("text/plain"));
}

#[tokio::test]
async fn a_call_that_would_leave_the_service_or_is_not_answered_fails() {
    let bench = bench(Fake::new(|_| Ok(reply(502, *b"<html>"))));
    let operation = bench.catalogue.operation("pcare.dokter.list").unwrap();
    let pass =
        async |path: &str| bench.remote.pass(FACILITY, operation, path, None, Stamp::at(start())).await.unwrap_err();
    for path in ["../vclaim-rest/x", "a/%2E%2e/b", "a/.%2e", "a\\..\\b", "a#b", "a/./b", "a b", "a\tb"] {
        assert_eq!(pass(path).await.why, "argument: path", "{path}");
    }
    let failure = pass("dokter/0/1").await;
    assert_eq!((failure.why.as_str(), failure.alive), ("unavailable: HTTP 502", false));
}
