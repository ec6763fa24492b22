//! Antrean FKTP and i-Care: what is answered, and how their doors differ.

use super::*;

fn antrean() -> Client {
    client().to(Service::AntreanFktp)
}

fn place() -> Value {
    json!({ "nomorkartu": CARD, "nik": "6470009900000000", "nohp": "081200000000", "kodepoli": "001",
        "namapoli": "POLI UMUM", "norm": "000001", "tanggalperiksa": "2026-11-21", "kodedokter": 1,
        "namadokter": "dr. Contoh Satu", "jampraktek": "08:00-12:00", "nomorantrean": "A-12", "angkaantrean": 12,
        "keterangan": "" })
}

#[tokio::test]
async fn clinics_and_doctors_of_a_day_come_with_code_one_and_not_on_sundays() {
    let client = antrean();
    let got = client.get("ref/poli/tanggal/2026-11-21").await;
    assert_eq!((got.status, got.code, got.message.as_str()), (200, json!(1), "OK"));
    assert_eq!(got.response["list"][0], json!({ "namapoli": "POLI UMUM", "kodepoli": "001" }));
    let got = client.get("ref/dokter/kodepoli/001/tanggal/2026-11-21").await;
    let rows = got.response["list"].as_array().unwrap();
    assert_eq!(
        rows[0],
        json!({ "namadokter": "dr. Contoh Satu", "kodedokter": 1, "jampraktek": "08:00-12:00",
        "kapasitas": 60 })
    );
    assert_eq!(rows[1]["kodedokter"], 1, "one row per shift");
    let sunday = client.get("ref/dokter/kodepoli/001/tanggal/2026-11-22").await;
    assert_eq!((sunday.status, sunday.code, sunday.message.as_str()), (200, json!(201), "No Content"));
    client.control("POST", "/_sim/rules", json!({ "antrean": { "bare_array": true } })).await;
    assert!(client.get("ref/poli/tanggal/2026-11-21").await.response.is_array());
}

#[tokio::test]
async fn an_antrean_is_one_per_card_clinic_and_day_and_its_writes_answer_without_response() {
    let client = antrean();
    let got = client.call("POST", "antrean/add", Some(place())).await;
    assert_eq!(String::from_utf8(got.raw).unwrap(), r#"{"metadata":{"message":"Ok","code":200}}"#);
    let again = client.call("POST", "antrean/add", Some(place())).await;
    assert_eq!((again.code, again.message.as_str()), (json!(201), "Antrean sudah ada"));
    let rule = json!({ "antrean": { "duplicate_code": 208, "duplicate_text": "Terdapat duplikasi" } });
    client.control("POST", "/_sim/rules", rule).await;
    let again = client.call("POST", "antrean/add", Some(place())).await;
    assert_eq!((again.status, again.code, again.message.as_str()), (200, json!(208), "Terdapat duplikasi"));
    let by = json!({ "nomorkartu": CARD, "kodepoli": "001", "tanggalperiksa": "2026-11-21" });
    let with = |field: &str, value: Value| {
        let mut body = by.clone();
        body[field] = value;
        body
    };
    let mut call = with("status", json!(1));
    call["waktu"] = json!(1_795_230_000);
    assert_eq!(client.call("POST", "antrean/panggil", Some(call.clone())).await.code, 201, "seconds, not milliseconds");
    call["waktu"] = json!(1_795_230_000_000_i64);
    for _ in 0..2 {
        assert_eq!(client.call("POST", "antrean/panggil", Some(call.clone())).await.code, 200, "may be repeated");
    }
    for _ in 0..2 {
        let gone = client.call("POST", "antrean/batal", Some(with("alasan", json!("dokter berhalangan")))).await;
        assert_eq!(gone.code, 200);
    }
    let ledger = client.simulator.ledger();
    assert_eq!(
        (&ledger["antrean"][0]["panggilan"], &ledger["antrean"][0]["batal"]),
        (&json!(2), &json!("dokter berhalangan"))
    );
    assert_eq!(client.call("POST", "antrean/panggil", Some(call)).await.code, 201, "cancelled");
    assert_eq!(client.call("POST", "antrean/add", Some(place())).await.code, 200, "room again");
}

#[tokio::test]
async fn patients_without_jkn_have_no_card_and_may_be_many() {
    let client = antrean();
    let mut body = place();
    body["nomorkartu"] = json!("");
    for _ in 0..2 {
        assert_eq!(client.call("POST", "antrean/add", Some(body.clone())).await.code, 200);
    }
    assert_eq!(client.landed("antrean"), 2);
    body["kodedokter"] = json!("001");
    assert_eq!(client.call("POST", "antrean/add", Some(body.clone())).await.code, 201, "a code is a number");
    client.control("POST", "/_sim/rules", json!({ "antrean": { "quota_full": true } })).await;
    assert_eq!(client.call("POST", "antrean/add", Some(place())).await.message, "Kuota penuh");
}

#[tokio::test]
async fn the_door_of_antrean_takes_no_login_and_words_its_refusals_in_201() {
    let client = antrean();
    for with_login in [true, false] {
        let mut request = client.request("GET", "ref/poli/tanggal/2026-11-21", None);
        if !with_login {
            request.headers_mut().remove("x-authorization");
        }
        assert_eq!(client.send(request).await.code, 1);
    }
    let mut request = client.request("GET", "ref/poli/tanggal/2026-11-21", None);
    request.headers_mut().insert("x-signature", "AAAA".parse().unwrap());
    let got = client.send(request).await;
    assert_eq!((got.status, got.code, got.message.as_str()), (200, json!(201), "Signature tidak sesuai"));
    client.control("POST", "/_sim/rules", json!({ "refuse_with_words": false })).await;
    let mut request = client.request("GET", "ref/poli/tanggal/2026-11-21", None);
    request.headers_mut().insert("x-signature", "AAAA".parse().unwrap());
    let got = client.send(request).await;
    assert_eq!((got.status, got.code, got.message.as_str()), (401, json!(401), "Unauthorized"));
    let mut request = client.request("GET", "ref/poli/tanggal/2026-11-21", None);
    let pcare = client.credentials.pcare.expose().parse().unwrap();
    request.headers_mut().insert("user_key", pcare);
    let got = client.send(request).await;
    assert_eq!((got.status, got.code, got.message.as_str()), (404, json!(404), texts::NOT_REGISTERED));
    client.simulator.set_skew(301);
    let got = client.get("ref/poli/tanggal/2026-11-21").await;
    assert_eq!((got.status, got.code, got.message.as_str()), (401, json!(401), "Service Expired"));
}

#[tokio::test]
async fn icare_asks_primary_care_for_the_login_and_gives_every_time_another_link() {
    let client = client().to(Service::Icare);
    let param = json!({ "param": CARD });
    let first = client.call("POST", "api/pcare/validate", Some(param.clone())).await;
    assert_eq!((first.status, &first.code), (200, &json!(200)));
    let second = client.call("POST", "api/pcare/validate", Some(param.clone())).await;
    assert!(first.response["url"].as_str().unwrap().contains("/ihs/history?token="));
    assert_ne!(first.response, second.response);
    let mut request = client.request("POST", "api/pcare/validate", Some(&param));
    request.headers_mut().remove("x-authorization");
    let got = client.send(request).await;
    assert_eq!((got.code, got.message.ends_with("X-authorization")), (json!(201), true));
    let mut request = client.request("POST", "api/rs/validate", Some(&json!({ "param": CARD, "kodedokter": 11111 })));
    request.headers_mut().remove("x-authorization");
    assert_eq!(client.send(request).await.code, 200, "hospitals have no P-Care login");
    let text = json!({ "param": CARD, "kodedokter": "11111" });
    assert_eq!(client.call("POST", "api/rs/validate", Some(text)).await.code, 201, "a doctor is a number");
    assert!(!client.simulator.ledger().to_string().contains("token="), "links are not kept");
}

#[tokio::test]
async fn one_service_can_be_out_while_the_others_answer() {
    let client = antrean();
    client.simulator.down_service(Service::AntreanFktp, DownMode::Http503, None);
    assert_eq!(client.get("ref/poli/tanggal/2026-11-21").await.status, 503);
    let client = client.to(Service::Pcare);
    assert_eq!(client.get("dokter/0/1").await.status, 200);
    let order = json!({ "mode": "http_503", "service": "pcare" });
    assert_eq!(client.control("POST", "/_sim/down", order).await.0, 204);
    assert_eq!(client.get("dokter/0/1").await.status, 503);
    assert_eq!(client.control("POST", "/_sim/up", json!({ "service": "pcare" })).await.0, 204);
    assert_eq!(client.get("dokter/0/1").await.status, 200);
    let client = client.to(Service::AntreanFktp);
    assert_eq!(client.get("ref/poli/tanggal/2026-11-21").await.status, 503);
    client.simulator.up();
    assert_eq!(client.get("ref/poli/tanggal/2026-11-21").await.code, 1);
}

#[tokio::test]
async fn strict_mode_wants_the_content_type_of_each_service() {
    let form = "application/x-www-form-urlencoded";
    let rules = Rules { strict_content_type: true, ..Rules::default() };
    for (service, kind, passes) in [
        (Service::Vclaim, form, true),
        (Service::Vclaim, "application/json", false),
        (Service::Vclaim, "text/plain", false),
        (Service::Icare, "application/json", true),
        (Service::Icare, form, false),
        (Service::AntreanFktp, "text/plain", true),
        (Service::AntreanFktp, form, true),
    ] {
        let mut client = scripted(Script { rules: rules.clone(), ..Script::default() }).to(service);
        client.content_type = kind;
        let (path, body) = match service {
            Service::Vclaim => ("SEP/2.0/insert", json!({ "request": { "t_sep": sep::sep() } })),
            Service::AntreanFktp => ("antrean/add", place()),
            Service::Icare | Service::Pcare => ("api/pcare/validate", json!({ "param": CARD })),
        };
        let got = client.call("POST", path, Some(body)).await;
        assert_eq!(got.status == 200, passes, "{service:?} {kind}");
    }
}
