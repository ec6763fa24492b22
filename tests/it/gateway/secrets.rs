//! After a day through the gateway at the loudest log level: no local secret, no card, no number in the clear anywhere.

use std::path::{Path, PathBuf};

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::json;

use super::client::{Local, id_of};
use crate::bridge::{Bridge, PATIENCE, Setup, card, daftar, drug, visit, yesterday};

const WORDS: &str = "nyeri-ulu-hati-yang-tidak-biasa";

fn an_eventful_day(bridge: &Bridge, local: &Local) {
    let day = yesterday();
    bridge.fault(Fault::new("pcare.kunjungan.add", Kind::LandThenReset).times(1));
    bridge.fault(Fault::new("pcare.peserta.get", Kind::PreconditionArray).times(1));
    for n in 0..3 {
        if n == 2 {
            bridge.simulator.down(DownMode::Refuse, None);
            bridge.until("the bridge knows", PATIENCE, || {
                (local.get(bridge, &format!("pcare/peserta/{}", card(n))).code == 503).then_some(())
            });
        }
        let _read = local.get(bridge, &format!("pcare/peserta/{}", card(n)));
        let _unknown = local.get(bridge, &format!("pcare/entah/{}", card(n)));
        local.post(bridge, "pcare/pendaftaran", &daftar(&card(n), day)["payload"]);
        let mut body = visit(&card(n), day);
        body["keluhan"] = json!(WORDS);
        let visited = local.post(bridge, "pcare/kunjungan/v1", &body);
        let mut drugs = drug("130103595", 10);
        drugs["noKunjungan"] = json!(id_of(&visited));
        local.post(bridge, "pcare/obat/kunjungan", &drugs);
        body["kdDiag1"] = json!("salah sekali");
        local.post(bridge, "pcare/kunjungan/v1", &body);
    }
    bridge.simulator.up();
    bridge.until("everything is at BPJS", PATIENCE, || {
        bridge.deliveries().iter().all(|one| one["state"] == "delivered").then_some(())
    });
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn nothing_of_a_gateway_client_or_of_a_patient_stands_in_the_clear() {
    let mut bridge = Bridge::stopped(&Setup { log: "trace", settle_ms: 200, ..Setup::default() });
    bridge.env.push(("JEMBATAN__GATEWAY__WAIT".to_owned(), "3s".to_owned()));
    bridge.start();
    let local = Local::added(&bridge, "sim-lama");
    an_eventful_day(&bridge, &local);
    let mut forbidden: Vec<(String, String)> = ["secret_key", "user_key", "username", "password", "token"]
        .map(|name| (name.to_owned(), local.text(name).to_owned()))
        .into();
    forbidden.extend((0..3).map(|n| ("card".to_owned(), card(n))));
    forbidden.push(("words".to_owned(), WORDS.to_owned()));
    let numbers = bridge.ledger("kunjungan");
    assert_eq!(numbers.len(), 3);
    forbidden.extend(numbers.iter().map(|one| ("number".to_owned(), one["noKunjungan"].as_str().unwrap().to_owned())));
    let mut places = Vec::new();
    files(bridge.home(), &mut places);
    bridge.terminate();
    files(bridge.home(), &mut places);
    let mut found = Vec::new();
    for path in places {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for (name, value) in &forbidden {
            assert!(value.len() >= 8, "{name} is too short to search for");
            if bytes.windows(value.len()).any(|window| window == value.as_bytes()) {
                found.push(format!("{name} in {}", path.file_name().unwrap_or_default().to_string_lossy()));
            }
        }
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
    assert!(bridge.logs().lines().count() > 15, "there was something to search");
}
