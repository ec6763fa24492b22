//! Whose fault it is, case by case.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::remote::testing::{Bench, FACILITY, Fake, bench, header, plain, reply, sealed, stamp_of, start};
use crate::remote::transport::{FORBIDDEN, LayerCheck, Reply, Request, Transport};

/// A transport with layers, over one that answers.
struct Layered {
    layers: Vec<LayerCheck>,
    over: Arc<Fake>,
}

#[async_trait::async_trait]
impl Transport for Layered {
    async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        self.over.send(request).await
    }

    async fn layers(&self, _url: &Private<String>, _limit: Duration) -> Vec<LayerCheck> {
        self.layers.clone()
    }
}

fn layer(layer: Layer, fault: Option<&str>) -> LayerCheck {
    LayerCheck { layer, fault: fault.map(str::to_owned), took: Duration::from_millis(1500) }
}

fn doctors(request: &Request) -> Reply {
    let list = json!({"count": 1, "list": [{"kdDokter": "1", "nmDokter": "CONTOH"}]});
    reply(200, sealed(200, "OK", stamp_of(request), &list))
}

/// Status of each step in one letter, cause, verdict.
fn in_short(report: &ProbeReport) -> (String, &'static str, Verdict) {
    let letters = report.checks.iter().map(|check| match check.status {
        Status::Ok => 'o',
        Status::Fail => 'f',
        Status::Skipped => '-',
    });
    (letters.collect(), report.cause().unwrap_or("passes"), report.verdict())
}

async fn probe(bench: &Bench) -> ProbeReport {
    bench.remote.probe(FACILITY, Service::Pcare).await
}

#[tokio::test]
async fn a_healthy_service_passes_with_one_harmless_read() {
    let fake = Fake::new(|request| Ok(doctors(request)));
    let up = vec![layer(Layer::Dns, None), layer(Layer::Tcp, None)];
    let bench = bench(Arc::new(Layered { layers: up, over: Arc::clone(&fake) }));
    let report = probe(&bench).await;
    assert_eq!(in_short(&report), ("oo-oo".to_owned(), "passes", Verdict::None));
    assert!(report.passes() && report.service_works());
    assert_eq!(report.credential_version, bench.vault.pcare(FACILITY).unwrap().version);
    assert_eq!(fake.paths(), ["dokter/0/1"]);
    // Three of four seconds went to the layers.
    assert_eq!(fake.seen.lock().unwrap()[0].timeout, Duration::from_secs(1));
}

#[tokio::test]
async fn the_lowest_failing_layer_is_the_cause() {
    let table = [
        (vec![layer(Layer::Dns, Some("name not resolved"))], "f----", "dns", Verdict::Network),
        (vec![layer(Layer::Dns, Some(FORBIDDEN))], "f----", "dns", Verdict::Network),
        (vec![layer(Layer::Dns, None), layer(Layer::Tcp, Some(REFUSED))], "of---", "tcp", Verdict::Bpjs),
        (vec![layer(Layer::Dns, None), layer(Layer::Tcp, Some(TIMED_OUT))], "of---", "tcp", Verdict::Network),
        (vec![layer(Layer::Dns, None), layer(Layer::Tcp, Some("unreachable"))], "of---", "tcp", Verdict::Network),
        (vec![layer(Layer::Tls, Some("certificate expired"))], "--f--", "tls", Verdict::Bpjs),
        (vec![layer(Layer::Local, Some("not HTTPS"))], "f----", "config", Verdict::Us),
    ];
    for (layers, letters, cause, verdict) in table {
        let over = Fake::new(|_| panic!("nothing is sent over a broken layer"));
        let report = probe(&bench(Arc::new(Layered { layers, over }))).await;
        assert_eq!(in_short(&report), (letters.to_owned(), cause, verdict));
        assert!(!report.passes() && !report.service_works());
    }
}

#[tokio::test]
async fn what_the_harmless_read_says_decides_above_the_layers() {
    type Ending = (Result<Reply, TransportError>, &'static str, &'static str, Verdict, bool);
    let said = |code: u16, text: &str| Ok(reply(code, plain(i64::from(code), text, Value::Null)));
    let not_sent = |layer, detail: &str| Err(TransportError::NotSent { layer, detail: detail.to_owned() });
    let table: Vec<Ending> = vec![
        (said(204, "NO_CONTENT"), "---oo", "passes", Verdict::None, true),
        (said(401, "Password salah"), "---of", "credentials", Verdict::Us, true),
        (said(401, "Tidak dikenal"), "---of", "credentials", Verdict::Us, true),
        (said(401, "Service Expired"), "---of", "clock", Verdict::Us, true),
        (said(500, "galat"), "---of", "business", Verdict::Bpjs, false),
        (said(404, "Resource"), "---of", "business", Verdict::Us, false),
        (said(412, "salah"), "---of", "business", Verdict::Bpjs, false),
        (Ok(reply(200, plain(200, "OK", json!("xxxx")))), "---of", "business", Verdict::Bpjs, false),
        (Ok(reply(503, *b"<html>")), "---f-", "http", Verdict::Bpjs, false),
        (Ok(reply(200, *b"<html>")), "---f-", "http", Verdict::Bpjs, false),
        (Err(TransportError::NoAnswer { after: Duration::from_secs(4) }), "---f-", "http", Verdict::Bpjs, false),
        (Err(TransportError::Broken { detail: "reset".to_owned() }), "---f-", "http", Verdict::Bpjs, false),
        (not_sent(Layer::Dns, "name not resolved"), "f----", "dns", Verdict::Network, false),
        (not_sent(Layer::Tcp, REFUSED), "-f---", "tcp", Verdict::Bpjs, false),
        (not_sent(Layer::Tls, "certificate expired"), "--f--", "tls", Verdict::Bpjs, false),
    ];
    for (ending, letters, cause, verdict, works) in table {
        let shown = format!("{ending:?}");
        let report = probe(&bench(Fake::new(move |_| ending.clone()))).await;
        assert_eq!(in_short(&report), (letters.to_owned(), cause, verdict), "{shown}");
        assert_eq!(report.service_works(), works, "{shown}");
    }
}

#[tokio::test]
async fn a_refusal_with_our_clock_a_minute_off_is_the_clocks() {
    for (skew, cause) in [(61, "clock"), (-61, "clock"), (60, "credentials"), (0, "credentials")] {
        let bench = bench(Fake::new(move |_| {
            let date = start().checked_sub(SignedDuration::from_secs(skew)).ok();
            Ok(Reply { date, ..reply(401, plain(401, "Tidak dikenal", Value::Null)) })
        }));
        let report = probe(&bench).await;
        assert_eq!((report.cause(), report.verdict(), report.skew_seconds), (Some(cause), Verdict::Us, Some(skew)));
    }
}

#[tokio::test]
async fn a_bad_certificate_is_ours_when_our_clock_is_known_to_be_off() {
    let bench = bench(Fake::new(|request| {
        if request.timeout > LIMIT {
            let date = start().checked_add(SignedDuration::from_hours(30)).ok();
            return Ok(Reply { date, ..reply(200, plain(200, "OK", Value::Null)) });
        }
        Err(TransportError::NotSent { layer: Layer::Tls, detail: "certificate not valid yet".to_owned() })
    }));
    assert_eq!(probe(&bench).await.verdict(), Verdict::Bpjs);
    let operation = bench.catalogue.operation("pcare.kunjungan.edit").unwrap();
    bench.remote.send(FACILITY, operation, &json!({}), Stamp::at(start())).await;
    assert_eq!(probe(&bench).await.verdict(), Verdict::Us);
}

#[tokio::test]
async fn missing_credentials_and_configuration_are_ours() {
    let bench = bench(Fake::new(|_| panic!("nothing is sent")));
    let elsewhere = bench.remote.probe("0114A027", Service::Pcare).await;
    assert_eq!(in_short(&elsewhere), ("-----".to_owned(), "config", Verdict::Us));
}

/// The address, and whether anything secret went along.
fn asked(fake: &Fake) -> Vec<(String, bool)> {
    let seen = fake.seen.lock().unwrap();
    let signed =
        |request: &Request| ["X-signature", "user_key", "X-cons-id"].iter().any(|name| header(request, name).is_some());
    seen.iter().map(|request| (request.url.expose().replace("https://bpjs.example/", ""), signed(request))).collect()
}

#[tokio::test]
async fn every_service_has_its_own_harmless_question_and_no_data_is_an_answer() {
    let no_data = br#"{"metaData":{"code":"201","message":"Data Tidak Ditemukan"},"response":null}"#;
    let no_content = br#"{"metadata":{"code":201,"message":"No Content"},"response":null}"#;
    let door = br#"{"message":"no Route matched with those values"}"#;
    type Answered<'a> = (Service, u16, &'a [u8], &'a str, bool, &'a str);
    let table: [Answered<'_>; 3] = [
        (Service::Vclaim, 200, no_data, "vclaim-rest/referensi/poli/INT", true, "---oo"),
        (Service::AntreanFktp, 200, no_content, "antreanfktp/ref/poli/tanggal/2026-11-21", true, "---oo"),
        (Service::Icare, 404, door, "wsihs/", false, "---o-"),
    ];
    for (service, status, body, address, signed, letters) in table {
        let fake = Fake::new(move |_| Ok(reply(status, body)));
        let bench = bench(fake.clone());
        let report = bench.remote.probe(FACILITY, service).await;
        assert_eq!(in_short(&report), (letters.to_owned(), "passes", Verdict::None), "{service:?}");
        assert_eq!(asked(&fake), [(address.to_owned(), signed)], "{service:?}");
    }
}

#[tokio::test]
async fn i_care_is_dead_when_only_what_stands_before_it_answers() {
    for (ending, verdict) in [
        (Ok(reply(503, *b"<html>")), Verdict::Bpjs),
        (Err(TransportError::NoAnswer { after: Duration::from_secs(4) }), Verdict::Bpjs),
        (Err(TransportError::NotSent { layer: Layer::Dns, detail: "name not resolved".to_owned() }), Verdict::Network),
    ] {
        let bench = bench(Fake::new(move |_| ending.clone()));
        let report = bench.remote.probe(FACILITY, Service::Icare).await;
        assert_eq!((report.passes(), report.service_works(), report.verdict()), (false, false, verdict));
    }
}

#[tokio::test]
async fn a_base_url_that_nobody_knows_is_ours_and_a_wrong_user_key_is_that_services() {
    let lost = bench(Fake::new(|_| Ok(reply(404, *b"<html>404"))));
    let report = lost.remote.probe(FACILITY, Service::Vclaim).await;
    assert_eq!(in_short(&report), ("---f-".to_owned(), "http", Verdict::Us));
    let refused = bench(Fake::new(|request| {
        let wrong = header(request, "user_key").as_deref() == Some("kunci-vclaim");
        let body: &[u8] = if wrong {
            br#"{"metaData":{"code":"201","message":"user_key tidak terdaftar"},"response":null}"#
        } else {
            br#"{"metadata":{"code":201,"message":"No Content"},"response":null}"#
        };
        Ok(reply(200, body))
    }));
    let vclaim = refused.remote.probe(FACILITY, Service::Vclaim).await;
    assert_eq!((vclaim.cause(), vclaim.service_works()), (Some("credentials"), true));
    assert!(refused.remote.probe(FACILITY, Service::AntreanFktp).await.passes());
}

#[tokio::test]
async fn a_probe_does_not_wait_for_the_rate_but_takes_from_it() {
    let bench = bench(Fake::new(|request| Ok(doctors(request))));
    while bench.remote.try_admit(FACILITY, Service::Pcare).is_ok() {}
    let before = bench.remote.try_admit(FACILITY, Service::Pcare).unwrap_err();
    assert!(probe(&bench).await.passes());
    assert!(bench.remote.try_admit(FACILITY, Service::Pcare).unwrap_err() >= before);
}

#[test]
fn a_report_serialises_as_evidence_without_personal_data() {
    let mut probing = Probing::new(start());
    probing.note(Step::Dns, None, Duration::from_millis(3));
    let report = serde_json::to_value(probing.ends(Some(("tcp", Verdict::Network)))).unwrap();
    assert_eq!((report["cause"].as_str(), report["verdict"].as_str()), (Some("tcp"), Some("network")));
    assert_eq!(report["checks"][0], json!({"step": "dns", "status": "ok", "detail": null, "ms": 3}));
}
