//! What goes over the wire, and what comes of it.

use axum::extract::{Request as Incoming, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::catalogue::Method;
use crate::remote::https::HttpsTransport;
use crate::remote::testing::{
    FACILITY, Fake, bench, bench_at, cons, header, local, plain, reply, sealed, secret, stamp_of, start,
};
use crate::vault::CredentialName;

fn accepted(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(ids) => ids.expose().iter().map(|(name, id)| format!("{name}={id}")).collect(),
        other => panic!("{other:?}"),
    }
}

fn pendaftaran() -> Value {
    json!({"kdProviderPeserta": "0114A026", "noKartu": "0009900000000", "keluhan": null, "kdPoli": "001"})
}

#[tokio::test]
async fn an_add_carries_the_headers_of_pcare_and_its_payload_word_for_word() {
    let fake = Fake::new(|request| {
        let id = json!({"field": "noUrut", "message": "A1"});
        Ok(reply(201, sealed(201, "CREATED", stamp_of(request), &id)))
    });
    let bench = bench(fake.clone());
    let operation = bench.catalogue.operation("pcare.pendaftaran.add").unwrap();
    let stamp = Stamp::at(start());
    let attempted = bench.remote.send(FACILITY, operation, &pendaftaran(), stamp).await;
    assert_eq!(accepted(&attempted.outcome), "noUrut=A1");
    let version = bench.vault.pcare(FACILITY).unwrap().version;
    assert_eq!((attempted.status, attempted.code, attempted.credential_version), (Some(201), Some(201), version));
    assert_eq!((attempted.skew_seconds, attempted.evidence), (None, Evidence::Alive));

    let seen = fake.seen.lock().unwrap();
    let request = &seen[0];
    assert_eq!(request.url.expose(), "https://bpjs.example/pcare-rest/pendaftaran");
    assert_eq!(request.body.as_ref().unwrap().expose(), &pendaftaran().to_string());
    assert_eq!(request.timeout, RemoteConfig::default().request_timeout);
    let signature = sign::signature(&cons(), &secret(), stamp);
    let basic = "Basic Y29udG9oOnNhbmRpOmNvbnRvaDowOTU=";
    let expected = [
        ("X-cons-id", "12345"),
        ("X-timestamp", &stamp.to_string()),
        ("X-signature", &signature),
        ("X-authorization", basic),
        ("user_key", "kunci-pcare"),
        ("Accept", "application/json"),
        ("Content-Type", "text/plain"),
    ];
    let sent: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (*name, value.expose().as_str())).collect();
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_delete_has_its_values_in_the_path_percent_encoded_and_no_body() {
    let fake = Fake::new(|_| Ok(reply(200, plain(200, "OK", json!("")))));
    let bench = bench(fake.clone());
    let operation = bench.catalogue.operation("pcare.pendaftaran.delete").unwrap();
    let payload = json!({"noKartu": "0009900000000", "tglDaftar": "21-11-2026", "noUrut": "A/1 ?", "kdPoli": "001"});
    let attempted = bench.remote.send(FACILITY, operation, &payload, Stamp::at(start())).await;
    assert_eq!(accepted(&attempted.outcome), "");
    assert_eq!(fake.paths(), ["pendaftaran/peserta/0009900000000/tglDaftar/21-11-2026/noUrut/A%2F1%20%3F/kdPoli/001"]);
    let seen = fake.seen.lock().unwrap();
    assert!(seen[0].body.is_none());
    assert_eq!(header(&seen[0], "Content-Type").unwrap(), "application/json; charset=utf-8");
}

#[tokio::test]
async fn a_value_that_would_climb_in_the_path_is_refused_before_anything_is_sent() {
    let fake = Fake::new(|_| panic!("nothing may be sent"));
    let bench = bench(fake.clone());
    let operation = bench.catalogue.operation("pcare.kunjungan.delete").unwrap();
    for bad in [json!(".."), json!("."), json!(""), Value::Null] {
        let attempted = bench.remote.send(FACILITY, operation, &json!({"noKunjungan": bad}), Stamp::at(start())).await;
        let Outcome::Refused(no) = &attempted.outcome else { panic!("{attempted:?}") };
        assert_eq!((no.rule.as_str(), attempted.evidence), ("path", Evidence::Nothing));
    }
}

#[tokio::test]
async fn two_attempts_ten_minutes_apart_have_stamps_of_their_own_and_both_open() {
    let fake = Fake::new(|request| {
        let stamp = Stamp::from_seconds(stamp_of(request));
        let signature = header(request, "X-signature").unwrap();
        assert!(sign::signature_is_valid(&cons(), &secret(), stamp, &signature));
        let id = json!([{"field": "noKunjungan", "message": format!("Y{}", stamp.seconds())}]);
        Ok(reply(201, sealed(201, "CREATED", stamp.seconds(), &id)))
    });
    let bench = bench(fake.clone());
    let operation = bench.catalogue.operation("pcare.kunjungan.add").unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let stamp = Stamp::at(bench.clock.now());
        ids.push(accepted(&bench.remote.send(FACILITY, operation, &json!({}), stamp).await.outcome));
        bench.clock.advance(Duration::from_mins(10));
    }
    let first = start().as_second();
    assert_eq!(ids, [format!("noKunjungan=Y{first}"), format!("noKunjungan=Y{}", first + 600)]);
}

#[tokio::test]
async fn a_new_password_is_used_at_the_next_call_and_shows_in_the_version() {
    let fake = Fake::new(|_| Ok(reply(200, plain(200, "OK", Value::Null))));
    let bench = bench(fake.clone());
    let operation = bench.catalogue.operation("pcare.kunjungan.edit").unwrap();
    let before = bench.remote.send(FACILITY, operation, &json!({}), Stamp::at(start())).await;
    bench.vault.put(FACILITY, CredentialName::PcarePassword, "baru", start()).unwrap();
    let after = bench.remote.send(FACILITY, operation, &json!({}), Stamp::at(start())).await;
    assert!(after.credential_version > before.credential_version);
    let seen = fake.seen.lock().unwrap();
    assert_ne!(header(&seen[0], "X-authorization"), header(&seen[1], "X-authorization"));
}

#[tokio::test]
async fn without_configuration_or_credentials_nothing_is_sent() {
    let fake = Fake::new(|_| panic!("nothing may be sent"));
    let bench = bench(fake);
    let operation = bench.catalogue.operation("pcare.kunjungan.edit").unwrap();
    let elsewhere = bench.remote.send("0114A027", operation, &json!({}), Stamp::at(start())).await;
    assert_eq!(elsewhere.outcome, Outcome::NotSent { why: "config".to_owned() });
    assert!(!bench.remote.serves("0114A027", Service::Pcare) && bench.remote.serves(FACILITY, Service::Pcare));

    let facility = Facility {
        code: "0114A028".to_owned(),
        name: String::new(),
        timezone: TimeZone::UTC,
        pcare: Some(ServiceConfig { base_url: "https://bpjs.example".to_owned(), app_code: None }),
        vclaim: None,
        antrean_fktp: None,
        icare: None,
        party: crate::config::Party::default(),
    };
    let (catalogue, vault) = (Arc::clone(&bench.catalogue), bench.vault.clone());
    let transport = Fake::new(|_| panic!("nothing may be sent"));
    let remote = Remote::new(&RemoteConfig::default(), &[facility], catalogue, vault, bench.clock.clone(), transport);
    let missing = remote.send("0114A028", operation, &json!({}), Stamp::at(start())).await;
    let Outcome::NotAuthorised(no, Suspicion::Credentials) = &missing.outcome else { panic!("{missing:?}") };
    assert!(no.message.expose().contains("pcare.password"));
    assert_eq!((missing.evidence, missing.credential_version), (Evidence::Nothing, 0));
}

#[tokio::test]
async fn the_date_header_tells_how_far_our_clock_is_off() {
    for (theirs, skew) in [(0, 0), (-90, 90), (90, -90)] {
        let fake = Fake::new(move |_| {
            let date = start().checked_add(jiff::SignedDuration::from_secs(theirs)).ok();
            Ok(Reply { date, ..reply(200, plain(200, "OK", Value::Null)) })
        });
        let bench = bench(fake);
        let operation = bench.catalogue.operation("pcare.kunjungan.edit").unwrap();
        let attempted = bench.remote.send(FACILITY, operation, &json!({}), Stamp::at(start())).await;
        assert_eq!((attempted.skew_seconds, bench.remote.last_skew_seconds()), (Some(skew), Some(skew)));
    }
}

#[tokio::test]
async fn a_slow_answer_is_no_skew() {
    let slot: Arc<Mutex<Option<Clock>>> = Arc::default();
    let inside = Arc::clone(&slot);
    let fake = Fake::new(move |_| {
        let clock = inside.lock().unwrap().clone().unwrap();
        clock.advance(Duration::from_secs(20));
        let date = Some(clock.now());
        clock.advance(Duration::from_secs(5));
        Ok(Reply { date, ..reply(200, plain(200, "OK", Value::Null)) })
    });
    let bench = bench(fake);
    *slot.lock().unwrap() = Some(bench.clock.clone());
    let operation = bench.catalogue.operation("pcare.kunjungan.edit").unwrap();
    let attempted = bench.remote.send(FACILITY, operation, &json!({}), Stamp::at(start())).await;
    assert_eq!((attempted.skew_seconds, attempted.took), (Some(0), Duration::from_secs(25)));
}

#[tokio::test]
async fn the_rate_is_shared_by_all_handles_and_says_when() {
    let config = RemoteConfig { rate_per_second: Some(2.0), concurrency: 2, ..RemoteConfig::default() };
    let bench = bench_at(Fake::new(|_| panic!("nothing is sent")), "https://bpjs.example", &config);
    let other = bench.remote.clone();
    assert_eq!(bench.remote.try_admit(FACILITY, Service::Pcare), Ok(()));
    assert_eq!(other.try_admit(FACILITY, Service::Pcare), Ok(()));
    // Two in one second are all there is: the third waits for the first to be a second ago, and a little more.
    let free_at = start() + Duration::from_millis(1020);
    assert_eq!(other.try_admit(FACILITY, Service::Pcare), Err(free_at));
    assert_eq!(other.try_admit("0114A027", Service::Pcare), Ok(()));

    let waiting = tokio::spawn(async move { other.admit(FACILITY, Service::Pcare).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    bench.clock.advance(Duration::from_millis(1020));
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_part_that_grew_waits_for_the_second_that_another_node_may_have_used() {
    let config = RemoteConfig { rate_per_second: Some(10.0), concurrency: 2, ..RemoteConfig::default() };
    let bench = bench_at(Fake::new(|_| panic!("nothing is sent")), "https://bpjs.example", &config);
    let admit = |service| bench.remote.try_admit(FACILITY, service);
    bench.remote.share(FACILITY, 0.25);
    assert_eq!(admit(Service::Pcare), Ok(()), "a part that became smaller is there at once");
    bench.clock.advance(Duration::from_secs(5));
    bench.remote.share(FACILITY, 0.75);
    let free_at = start() + Duration::from_millis(6_020);
    assert_eq!(admit(Service::Pcare), Err(free_at));
    // Also where nothing was called before.
    assert_eq!(admit(Service::Vclaim), Err(free_at));
    bench.remote.share(FACILITY, 0.75);
    bench.clock.advance(Duration::from_millis(1_020));
    assert_eq!(
        (admit(Service::Pcare), admit(Service::Vclaim)),
        (Ok(()), Ok(())),
        "the same part again changes nothing"
    );
}

/// A P-Care of a few lines: checks the headers as BPJS does and seals its answer.
async fn pcare(State(asked): State<Arc<Mutex<Vec<String>>>>, headers: HeaderMap, incoming: Incoming) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let stamp = Stamp::from_seconds(text("X-timestamp").parse().unwrap_or_default());
    let login = sign::read_authorization(&text("X-authorization"));
    let known = sign::signature_is_valid(&cons(), &secret(), stamp, &text("X-signature"))
        && text("user_key") == "kunci-pcare"
        && login.is_ok_and(|(username, password, app)| {
            (username.expose(), password.expose(), app.as_str()) == ("contoh", "sandi:contoh", "095")
        });
    let (method, path) = (incoming.method().clone(), incoming.uri().path().to_owned());
    let body = axum::body::to_bytes(incoming.into_body(), 1 << 20).await.unwrap_or_default();
    asked.lock().unwrap().push(format!("{method} {path} {} {}", text("content-type"), String::from_utf8_lossy(&body)));
    if !known {
        let no = plain(401, "Username atau Password salah", Value::Null);
        return (StatusCode::UNAUTHORIZED, no).into_response();
    }
    let id = json!({"field": "noUrut", "message": "C22"});
    (StatusCode::CREATED, sealed(201, "CREATED", stamp.seconds(), &id)).into_response()
}

#[tokio::test]
async fn a_round_trip_over_a_socket_is_signed_sent_sealed_and_opened() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/pcare-rest", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(pcare).with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let transport = Arc::new(HttpsTransport::new(&local(), &[crate::remote::testing::authority_pem()]).unwrap());
    let bench = bench_at(transport, &base_url, &local());
    let operation = bench.catalogue.operation("pcare.pendaftaran.add").unwrap();
    let attempted = bench.remote.send(FACILITY, operation, &pendaftaran(), Stamp::at(start())).await;
    assert_eq!(accepted(&attempted.outcome), "noUrut=C22");
    assert!(attempted.skew_seconds.is_some());
    assert_eq!(*asked.lock().unwrap(), [format!("POST /pcare-rest/pendaftaran text/plain {}", pendaftaran())]);

    bench.vault.put(FACILITY, CredentialName::PcarePassword, "lama", start()).unwrap();
    let refused = bench.remote.send(FACILITY, operation, &pendaftaran(), Stamp::at(start())).await;
    assert!(matches!(refused.outcome, Outcome::NotAuthorised(_, Suspicion::Credentials)), "{refused:?}");
}

/// Every service's own key and content type, the login only where the dialect says so, and a body on DELETE.
#[tokio::test]
async fn each_operation_goes_out_in_its_services_dialect() {
    const FORM: &str = "Application/x-www-form-urlencoded";
    const BARE: &str = "application/json; charset=utf-8";
    let sep = json!({"noSep": "0114A0261126V000001", "user": "uji"});
    let wrapped = r#"{"request":{"t_sep":{"noSep":"0114A0261126V000001","user":"uji"}}}"#;
    let called =
        json!({"tanggalperiksa": "2026-11-21", "kodepoli": "001", "nomorkartu": "0009900000013", "alasan": "x"});
    let param = json!({"param": "0009900000013"});
    let named = json!({"noSep": "0114A0261126V000001"});
    let table = [
        ("vclaim.sep.delete", &sep, Method::Delete, "kunci-vclaim", false, FORM, Some(wrapped.to_owned())),
        ("vclaim.sep.get", &named, Method::Get, "kunci-vclaim", false, BARE, None),
        (
            "antrean_fktp.antrean.batal",
            &called,
            Method::Post,
            "kunci-antrean",
            false,
            "application/json",
            Some(called.to_string()),
        ),
        ("icare.fktp.validate", &param, Method::Post, "kunci-icare", true, "application/json", Some(param.to_string())),
        ("icare.rs.validate", &param, Method::Post, "kunci-icare", false, "application/json", Some(param.to_string())),
        ("pcare.kunjungan.delete", &json!({"noKunjungan": "Y1"}), Method::Delete, "kunci-pcare", true, BARE, None),
    ];
    for (name, payload, method, key, login, kind, body) in table {
        let fake = Fake::new(|_| Ok(reply(200, plain(200, "OK", Value::Null))));
        let bench = bench(fake.clone());
        bench.remote.send(FACILITY, bench.catalogue.operation(name).unwrap(), payload, Stamp::at(start())).await;
        let seen = fake.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "{name}");
        let request = &seen[0];
        assert_eq!(request.method, method, "{name}");
        assert_eq!(header(request, "user_key").as_deref(), Some(key), "{name}");
        assert_eq!(header(request, "X-authorization").is_some(), login, "{name}");
        assert_eq!(header(request, "Content-Type").as_deref(), Some(kind), "{name}");
        assert_eq!(request.body.as_ref().map(|body| body.expose().clone()), body, "{name}");
    }
}

#[tokio::test]
async fn a_missing_key_of_one_service_names_itself_and_leaves_the_others() {
    let fake = Fake::new(|_| Ok(reply(200, plain(200, "OK", Value::Null))));
    let bench = bench(fake.clone());
    let versions = |service| bench.remote.credential_version(FACILITY, service);
    let before = (versions(Service::Vclaim), versions(Service::AntreanFktp));
    bench.vault.put(FACILITY, CredentialName::VclaimUserKey, "kunci-baru", start()).unwrap();
    assert!(versions(Service::Vclaim) > before.0, "a new key is a new version of its own service");
    assert_eq!(versions(Service::AntreanFktp), before.1);
}
