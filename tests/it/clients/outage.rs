//! The day BPJS is away, by a client that nobody here wrote: it reads on, writes on, and afterwards BPJS has everything
//! once. The outage is an hour in the promise and as long as the test needs here; nothing in it waits for its length.

use std::time::Instant;

use jembatan::simulator::DownMode;
use serde_json::{Value, json};

use super::tools::{Driver, Site};
use crate::bridge::{PATIENCE, card, daftar, yesterday};

fn code(told: &Value) -> String {
    let code = &told["metaData"]["code"];
    code.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

#[test]
fn in_an_outage_a_real_client_reads_what_was_seen_and_its_writes_arrive_once() {
    let site = Site::up();
    let mut driver = Driver::pypi(&site.gateway());
    let mut ask = |service: &str, method: &str, path: &str, body: &Value| {
        driver.ask(&json!({ "service": service, "method": method, "path": path, "body": body, "login": true }))
    };
    let reads = [
        ("pcare", "diagnosa/J/0/100".to_owned()),
        ("pcare", "obat/dpho/tab/0/100".to_owned()),
        ("pcare", format!("peserta/{}", card(1))),
        ("vclaim", "referensi/diagnosa/E11".to_owned()),
        ("vclaim", format!("Peserta/nokartu/{}/tglSEP/{}", card(1), yesterday())),
    ];
    let before: Vec<Value> = reads.iter().map(|(service, path)| ask(service, "GET", path, &Value::Null)).collect();
    site.bridge.simulator.down(DownMode::Refuse, None);
    site.bridge.until("the bridge knows", PATIENCE, || {
        let entries = code(&ask("pcare", "GET", "kelompok/peserta/1", &Value::Null));
        let claims = code(&ask("vclaim", "GET", "SEP/0114A0261126V000001", &Value::Null));
        (entries == "503" && claims == "503").then_some(())
    });
    for ((service, path), before) in reads.iter().zip(&before) {
        let began = Instant::now();
        let told = ask(service, "GET", path, &Value::Null);
        eprintln!("{path}: {:?} with the client's own time", began.elapsed());
        assert_eq!(code(&told), "200", "{path}: {told}");
        let said = told["metaData"]["message"].as_str().unwrap();
        assert!(said.contains("data simpanan jembatan per"), "{path}: a mark where this client looks: {said}");
        match before["response"].get("list").or_else(|| before["response"].get("diagnosa")) {
            None => assert_eq!(told["response"], before["response"], "{path}"),
            Some(list) => {
                let name = if told["response"]["list"].is_array() { "list" } else { "diagnosa" };
                let now = told["response"][name].as_array().unwrap();
                assert_eq!(now.len(), list.as_array().unwrap().len(), "{path}");
            }
        }
    }
    let registration = |n: u32| daftar(&card(n), yesterday())["payload"].clone();
    for n in 1..=10 {
        let told = ask("pcare", "POST", "pendaftaran", &registration(n));
        assert_eq!(code(&told), "202", "{told}");
        assert!(told["response"]["message"].as_str().unwrap().starts_with('~'), "a provisional number: {told}");
    }
    assert!(site.bridge.ledger("pendaftaran").is_empty());
    site.bridge.simulator.up();
    for n in 1..=10 {
        site.bridge.until("BPJS's own answer", PATIENCE, || {
            (code(&ask("pcare", "POST", "pendaftaran", &registration(n))) == "201").then_some(())
        });
    }
    let mut there: Vec<String> =
        site.bridge.ledger("pendaftaran").iter().map(|one| one["content"]["noKartu"].to_string()).collect();
    there.sort();
    there.dedup();
    assert_eq!((there.len(), site.bridge.ledger("pendaftaran").len()), (10, 10), "all of them, each once");
}
