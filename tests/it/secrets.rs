//! After a day full of faults, at the loudest log level: nothing of a patient and no secret stands in the clear anywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use crate::bridge::{Bridge, Setup, card, daftar, kunjungan, obat, submission, visit, yesterday};

const NIK: &str = "6474010101900001";
const NAME: &str = "SITI CONTOH SEKALI";
const DIAGNOSES: [&str; 3] = ["J06.9", "Z99.8", "I10.X"];
const WORDS: &str = "nyeri-ulu-hati-yang-tidak-biasa";

/// Patients through every kind of trouble, and the things people do about it.
fn an_eventful_day(bridge: &Bridge) -> Vec<String> {
    let day = yesterday();
    let mut lost = Fault::new("write", Kind::LandThenReset);
    lost.probability = Some(0.3);
    bridge.fault(lost);
    let mut html = Fault::new("read", Kind::Html500);
    html.probability = Some(0.2);
    bridge.fault(html);
    let mut bodies = Vec::new();
    for n in 0..12 {
        let card = card(n);
        let mut visit = kunjungan(&card, day);
        visit["payload"]["kdDiag1"] = json!(DIAGNOSES[n as usize % 2]);
        visit["payload"]["keluhan"] = json!(WORDS);
        if n == 5 {
            visit["payload"]["kdDokter"] = json!("999999");
        }
        let entries = [daftar(&card, day), visit, obat("obat", "130103595", 10)];
        let mut body = submission(&format!("s{n}"), &entries);
        body["patient"] = json!({ "noKartu": card, "nik": NIK, "nama": NAME });
        bodies.push(body);
    }
    let answers = bridge.submit_all(&bodies, 4);
    let ids: Vec<String> = answers
        .iter()
        .map(|one| one.as_ref().expect("an answer").body["id"].as_str().unwrap_or("").to_owned())
        .collect();
    let mut bad = bodies[0].clone();
    bad["ref"] = json!("salah");
    bad["entries"][0]["payload"]["noKartu"] = json!(format!("{}x", card(0)));
    assert_eq!(bridge.try_submit(&bad).expect("an answer").status, 422);
    ids.iter().for_each(|id| drop(bridge.finished(id)));
    let poisoned = bridge.entries(&ids[5])["kunjungan"].clone();
    let amended = bridge.act(&poisoned, "amend", &json!({ "payload": visit(&card(5), day) }));
    assert_eq!(amended.status, 200, "{amended:?}");
    bridge.entry_in(&ids[5], "kunjungan", "delivered");
    bridge.simulator.clear_faults();
    drop(bridge.reconcile(day));
    let numbers = bridge.ledger("kunjungan");
    numbers.iter().map(|one| one["noKunjungan"].as_str().unwrap_or("").to_owned()).collect()
}

/// What must not be found, and a name for it that may be printed.
fn forbidden(bridge: &Bridge, numbers: &[String]) -> Vec<(String, String)> {
    let theirs = bridge.simulator.credentials();
    let login = format!("{}:{}:095", theirs.username.expose(), theirs.password.expose());
    let mut list = vec![
        ("cons_id", theirs.cons_id.expose().to_owned()),
        ("secret_key", theirs.secret_key.expose().to_owned()),
        ("password", theirs.password.expose().to_owned()),
        ("username", theirs.username.expose().to_owned()),
        ("user_key", theirs.pcare.expose().to_owned()),
        ("authorization", STANDARD.encode(login)),
        ("sim token", bridge.sim.clone()),
        ("operator token", bridge.operator.clone()),
        ("viewer token", bridge.viewer.clone()),
        ("nik", NIK.to_owned()),
        ("name", NAME.to_owned()),
        ("words", WORDS.to_owned()),
    ];
    list.extend(DIAGNOSES.iter().map(|code| ("diagnosis", (*code).to_owned())));
    list.extend((0..12).map(|n| ("card", card(n))));
    list.extend(numbers.iter().map(|number| ("noKunjungan", number.clone())));
    list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn search(place: &str, bytes: &[u8], forbidden: &[(String, String)], found: &mut Vec<String>) {
    for (name, value) in forbidden {
        assert!(value.len() >= 5, "{name} is too short to search for");
        if bytes.windows(value.len()).any(|window| window == value.as_bytes()) {
            found.push(format!("{name} in {place}"));
        }
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn defect_17_no_secret_and_nothing_of_a_patient_stands_in_the_clear() {
    let mut bridge = Bridge::with(&Setup { settle_ms: 200, log: "trace", seed: 7, ..Setup::default() });
    let numbers = an_eventful_day(&bridge);
    assert_eq!(numbers.len(), 12, "every visit arrived");
    let forbidden = forbidden(&bridge, &numbers);
    let mut found = Vec::new();
    for path in ["/health", "/metrics", "/", "/openapi.json"] {
        let text = bridge.text(path);
        assert!(!text.is_empty(), "{path}");
        search(path, text.as_bytes(), &forbidden, &mut found);
    }
    for name in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{name}", bridge.pid())).expect("proc");
        search(name, &bytes, &forbidden, &mut found);
    }
    for arguments in [&["--help"][..], &["vault", "--help"], &["client", "--help"]] {
        let out = Command::new(env!("CARGO_BIN_EXE_jembatan")).args(arguments).output().expect("help");
        search("--help", &out.stdout, &forbidden, &mut found);
    }
    for arguments in [&["vault", "list"][..], &["vault", "list", "--json"], &["client", "list", "--json"]] {
        search(&arguments.join(" "), bridge.cli(arguments, "").as_bytes(), &forbidden, &mut found);
    }
    // While it runs (the log beside the database is full), and after it has stopped.
    let mut places = Vec::new();
    files(bridge.home(), &mut places);
    bridge.terminate();
    files(bridge.home(), &mut places);
    for path in places {
        if let Ok(bytes) = std::fs::read(&path) {
            search(&path.file_name().unwrap_or_default().to_string_lossy(), &bytes, &forbidden, &mut found);
        }
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
    assert!(bridge.logs().lines().count() > 50, "there was something to search");
    // The search itself works: the test's own answers do carry what it looks for.
    let mut control = Vec::new();
    search("control", Value::from(card(0)).to_string().as_bytes(), &forbidden, &mut control);
    assert_eq!(control.len(), 1);
}

/// Secrets and journal are readable by the service alone.
#[test]
fn files_that_hold_secrets_or_entries_belong_to_the_service_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let bridge = Bridge::up();
    bridge.finished(&bridge.submit(&submission("a", &[daftar(&card(1), yesterday())])));
    let mut places = Vec::new();
    files(&bridge.state(), &mut places);
    places.push(bridge.home().join("kek"));
    for path in places {
        let mode = std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
    }
}
