//! Operations that only an override directory knows.

use super::*;
use crate::catalogue::Catalogue;

const TABLE: &str = r#"
service = "vclaim"

[[operation]]
name = "vclaim.konsul.add"
title = "Buat konsul"
kind = "add"
method = "POST"
path = "Konsul/insert"
wrap = "request.t_konsul"
natural_key = ["noKartu", "tanggal"]
gives = ["noKonsul"]
ids_at = { noKonsul = "konsul.noKonsul" }
repeat_safe = true
deadline = "entry.immediate"
source = "invented"

[operation.fields]
noKartu = { type = "kartu", required = true, title = "Kartu", example = "0009900000001" }
tanggal = { type = "tanggal_iso", required = true, title = "Tanggal", example = "2026-11-21" }
isi = { type = "teks", title = "Isi", example = "x" }

[[operation]]
name = "vclaim.konsul.edit"
title = "Ubah konsul"
kind = "edit"
method = "PUT"
path = "Konsul/update"
wrap = "request.t_konsul"
natural_key = ["noKonsul"]
deadline = "entry.immediate"
source = "invented"

[operation.fields]
noKonsul = { type = "kode", required = true, title = "Nomor", example = "1" }
isi = { type = "teks", title = "Isi", example = "x" }

[[operation]]
name = "vclaim.konsul.delete"
title = "Hapus konsul"
kind = "delete"
method = "DELETE"
path = "Konsul/{noKonsul}"
deadline = "entry.immediate"
source = "invented"

[operation.fields]
noKonsul = { type = "kode", required = true, title = "Nomor", example = "1" }

[[operation]]
name = "vclaim.konsul.list"
title = "Konsul satu peserta"
kind = "read"
method = "GET"
path = "Konsul/Peserta/{noKartu}"
rows = "konsul"
source = "invented"

[operation.fields]
noKartu = { type = "kartu", required = true, title = "Kartu", example = "0009900000001" }
"#;

fn client_with_override() -> Client {
    let catalogue = Catalogue::with_tables(&[("konsul.toml", TABLE)]).unwrap();
    let added = |name: &str| catalogue.changes().iter().any(|change| change.operation == name);
    let operations = catalogue.operations().filter(|operation| added(&operation.name)).cloned().collect();
    let clock = Clock::manual("2026-11-21T03:00:00Z".parse().unwrap());
    let simulator = Simulator::new(Settings { clock: clock.clone(), operations, ..Settings::default() });
    let credentials = simulator.credentials();
    Client { simulator, clock, credentials, content_type: "text/plain", service: Service::Vclaim }
}

#[tokio::test]
async fn what_is_added_gets_its_ids_is_read_changed_and_deleted() {
    let client = client_with_override();
    let wrapped = |inner: Value| Some(json!({ "request": { "t_konsul": inner } }));
    let add = |card: &str| wrapped(json!({ "noKartu": card, "tanggal": "2026-11-21", "isi": "awal" }));
    let got = client.call("POST", "konsul/INSERT", add(CARD)).await;
    assert_eq!((got.status, &got.code), (200, &json!("200")), "the envelope and code of its service");
    let number = got.response["konsul"]["noKonsul"].as_str().unwrap().to_owned();
    client.call("POST", "Konsul/insert", add("0009900000001")).await;
    let list = client.get(&format!("Konsul/Peserta/{CARD}")).await;
    let rows = list.response["konsul"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "only this member's");
    assert_eq!((&rows[0]["noKonsul"], &rows[0]["isi"]), (&json!(number), &json!("awal")));
    let got = client.call("PUT", "Konsul/update", wrapped(json!({ "noKonsul": number, "isi": "lain" }))).await;
    assert_eq!(got.code, "200");
    assert_eq!(client.get(&format!("Konsul/Peserta/{CARD}")).await.response["konsul"][0]["isi"], "lain");
    assert_eq!(client.get("Konsul/Peserta/0009900000001").await.response["konsul"][0]["isi"], "awal");
    assert_eq!(client.landed("lain"), 2);
    for code in ["200", "201"] {
        assert_eq!(client.call("DELETE", &format!("Konsul/{number}"), None).await.code, code);
    }
    assert_eq!(client.get(&format!("Konsul/Peserta/{CARD}")).await.code, "201");
    assert_eq!(client.landed("lain"), 1);
    let counts = client.simulator.requests();
    let named = counts["counts"].as_array().unwrap().iter().any(|count| count["operation"] == "vclaim.konsul.add");
    assert!(named, "counted under its name");
}

#[tokio::test]
async fn faults_may_name_such_an_operation_and_without_the_directory_it_is_a_404() {
    let client = client_with_override();
    client.simulator.add_faults(vec![Fault::new("vclaim.konsul.add", Kind::LandThenReset)]).unwrap();
    let body = json!({ "request": { "t_konsul": { "noKartu": CARD, "tanggal": "2026-11-21" } } });
    assert_eq!(client.call("POST", "Konsul/insert", Some(body.clone())).await.status, 502);
    assert_eq!(client.landed("lain"), 1);
    let bare = super::client().to(Service::Vclaim);
    assert_eq!(bare.call("POST", "Konsul/insert", Some(body)).await.status, 404);
    assert!(bare.simulator.add_faults(vec![Fault::new("vclaim.konsul.add", Kind::Reset)]).is_err());
}
