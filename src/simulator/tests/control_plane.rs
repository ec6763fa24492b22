//! The control plane under `/_sim`.

use super::*;

#[tokio::test]
async fn the_index_names_every_call_and_the_credentials_are_shown() {
    let client = client();
    let (status, index) = client.control("GET", "/_sim", Value::Null).await;
    assert_eq!(status, 200);
    assert!(index.as_object().unwrap().contains_key("GET /_sim/ledger"));
    let (_, shown) = client.control("GET", "/_sim/credentials", Value::Null).await;
    assert_eq!(shown, Credentials::default().to_json());
}

#[tokio::test]
async fn faults_are_added_counted_and_removed() {
    let client = client();
    let one = json!({ "on": "read", "kind": "html_500", "count": 1 });
    assert_eq!(client.control("POST", "/_sim/faults", one).await.0, 204);
    let many = json!([{ "on": "write", "kind": "slow", "ms": 5 }, { "on": "pcare.obat", "kind": "locked_428" }]);
    assert_eq!(client.control("POST", "/_sim/faults", many).await.0, 204);
    assert_eq!(client.get("kesadaran").await.status, 500);
    assert_eq!(client.get("kesadaran").await.status, 200);
    let (_, list) = client.control("GET", "/_sim/faults", Value::Null).await;
    assert_eq!((list.as_array().unwrap().len(), &list[0]["met"], &list[0]["struck"]), (3, &json!(2), &json!(1)));
    let (status, why) = client.control("POST", "/_sim/faults", json!({ "on": "read", "kind": "slow" })).await;
    assert_eq!(status, 422);
    assert!(why["error"].as_str().unwrap().contains("`ms`"), "{why}");
    assert_eq!(client.control("DELETE", "/_sim/faults", Value::Null).await.0, 204);
    assert_eq!(client.control("GET", "/_sim/faults", Value::Null).await.1, json!([]));
}

#[tokio::test]
async fn switches_change_at_run_time_and_unknown_ones_are_refused() {
    let client = client();
    assert_eq!(client.control("POST", "/_sim/rules", json!({ "no_content_empty": true })).await.0, 204);
    assert_eq!(client.get("peserta/7777700000000").await.status, 204);
    assert_eq!(client.control("POST", "/_sim/rules", json!({ "unheard_of": true })).await.0, 422);
    assert_eq!(client.control("GET", "/_sim/rules", Value::Null).await.1["no_content_empty"], json!(true));
}

#[tokio::test]
async fn an_outage_with_a_page_ends_by_its_time_or_by_hand() {
    let client = client();
    assert_eq!(client.control("POST", "/_sim/down", json!({ "mode": "http_503", "for_ms": 1000 })).await.0, 204);
    assert_eq!(client.get("kesadaran").await.status, 503);
    client.clock.advance(Duration::from_secs(1));
    assert_eq!(client.get("kesadaran").await.status, 200);
    client.control("POST", "/_sim/down", json!({ "mode": "http_503" })).await;
    assert_eq!(client.get("kesadaran").await.status, 503);
    client.control("POST", "/_sim/up", Value::Null).await;
    assert_eq!(client.get("kesadaran").await.status, 200);
}

#[tokio::test]
async fn a_script_may_begin_with_an_outage_and_refused_logins() {
    let script = "refuse_credentials = true\n[down]\nmode = \"http_503\"\nfor_ms = 1000\n";
    let client = scripted(Script::read(script).unwrap());
    assert_eq!(client.get("kesadaran").await.status, 503);
    client.clock.advance(Duration::from_secs(1));
    assert_eq!(client.get("kesadaran").await.message, texts::BAD_LOGIN);
    client.control("POST", "/_sim/reset", Value::Null).await;
    assert_eq!(client.get("kesadaran").await.status, 503);
}

#[tokio::test]
async fn clock_password_and_refusal_are_set_and_reset() {
    let client = client();
    client.control("POST", "/_sim/clock", json!({ "skew_seconds": 900 })).await;
    assert_eq!(client.get("kesadaran").await.message, "Service Expired");
    client.control("POST", "/_sim/reset", Value::Null).await;
    client.control("POST", "/_sim/password", json!({ "password": "Lain#1" })).await;
    assert_eq!(client.get("kesadaran").await.message, texts::BAD_LOGIN);
    client.control("POST", "/_sim/reset", Value::Null).await;
    client.control("POST", "/_sim/credentials", json!({ "refuse": true })).await;
    assert_eq!(client.get("kesadaran").await.message, texts::BAD_LOGIN);
    client.registered_by_mobile_jkn().await;
    client.control("POST", "/_sim/reset", Value::Null).await;
    assert_eq!((client.get("kesadaran").await.status, client.landed("pendaftaran")), (200, 0));
}

impl Client {
    async fn registered_by_mobile_jkn(&self) {
        let (status, answer) = self.control("POST", "/_sim/pendaftaran", registration()).await;
        assert_eq!((status, &answer["response"]["message"]), (200, &json!("A1")));
    }
}

#[tokio::test]
async fn others_write_past_the_web_service() {
    let client = client();
    client.registered_by_mobile_jkn().await;
    let got = client.call("POST", "pendaftaran", Some(registration())).await;
    assert_eq!(
        (got.status, got.message.as_str()),
        (401, "Peserta sudah di-entri di poli yang sama pada hari yang sama.")
    );
    let number = client.control("POST", "/_sim/kunjungan", visit()).await.1["response"][0]["message"].clone();
    let drug = json!({ "noKunjungan": number, "obatDPHO": true, "kdObat": "130103595", "signa1": 1, "signa2": 1,
    "jmlObat": 3 });
    let examination = json!({ "noKunjungan": number, "kdProvider": "0114A026", "tglPelayanan": TODAY });
    let activity = json!({ "clubId": 36, "tglPelayanan": TODAY, "kdKegiatan": "01", "kdKelompok": "01" });
    for (path, body) in [
        ("/_sim/obat", drug),
        ("/_sim/tindakan", json!({ "noKunjungan": number, "kdTindakan": "01006" })),
        ("/_sim/mcu", examination),
        ("/_sim/kegiatan", activity),
        ("/_sim/peserta-kegiatan", json!({ "eduId": "26110000001", "noKartu": CARD })),
    ] {
        assert_eq!(client.control("POST", path, body).await.0, 200, "{path}");
    }
    let ledger = client.simulator.ledger();
    assert_eq!(ledger["pendaftaran"][0]["origin"], "mobile_jkn");
    for kind in ["kunjungan", "obat", "tindakan", "mcu", "kegiatan", "peserta_kegiatan"] {
        assert_eq!(ledger[kind][0]["origin"], "staff", "{kind}");
    }
    let order = json!({ "method": "DELETE", "path": format!("kunjungan/{}", number.as_str().unwrap()) });
    assert_eq!(client.control("POST", "/_sim/staff", order).await.0, 200);
    assert_eq!((client.landed("kunjungan"), client.landed("obat")), (0, 0));
    let (status, answer) = client.control("POST", "/_sim/pendaftaran", registration()).await;
    assert_eq!((status, &answer["code"]), (409, &json!(401)));
}

#[tokio::test]
async fn members_and_locks_are_changed_from_outside() {
    let client = client();
    client.control("POST", "/_sim/peserta", json!({ "noKartu": CARD, "aktif": false, "ketAktif": "PREMI" })).await;
    assert_eq!(client.get("peserta/0009900000000").await.response["ketAktif"], "PREMI");
    let number = client.visited().await;
    let (status, _) =
        client.control("POST", "/_sim/lock", json!({ "noKunjungan": number, "served_by_hospital": true })).await;
    assert_eq!(status, 204);
    let got = client.call("DELETE", &format!("kunjungan/{number}"), None).await;
    assert_eq!((got.status, got.message.as_str()), (428, "Data Rujukan sudah dilayani di RS"));
    assert_eq!(client.control("POST", "/_sim/lock", json!({ "noKunjungan": "x" })).await.0, 422);
}

#[tokio::test]
async fn requests_are_counted_without_paths_or_cards() {
    let client = client();
    client.get("peserta/0009900000000").await;
    client.get("peserta/0009900000000").await;
    client.get("peserta/7777700000000").await;
    let (_, shown) = client.control("GET", "/_sim/requests", Value::Null).await;
    assert_eq!(shown["counts"], json!([{ "operation": "pcare.peserta.get", "outcome": "200", "count": 3 }]));
    assert_eq!(shown["last"].as_array().unwrap().len(), 3);
    assert!(!shown.to_string().contains("00099"));
}
