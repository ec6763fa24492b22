//! The acceptance test as a person runs it: the built binary against its own simulator, and against a host that stands
//! in for BPJS's development host.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside a test function")]

use serde_json::Value;

use crate::harness::{FACILITY, Home, bare};
use crate::papers::{read_back, run};

const CARD: &str = "0009990000777";

fn result<'a>(said: &'a Value, id: &str) -> &'a Value {
    said["cases"].as_array().unwrap().iter().find(|case| case["id"] == id).unwrap()
}

#[test]
fn an_acceptance_test_passes_on_the_simulator_and_every_form_of_its_minutes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let none = folder.path().join("tidak-ada.toml");
    let said = bare(&["uat", "--json", "--out", out, "--config", none.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{said:?}");
    let told = said.json();
    let cases = told["cases"].as_array().unwrap();
    assert_eq!(told["counts"]["passed"], cases.len());
    for case in cases.iter().filter(|case| case["id"] != "UAT-42") {
        let at = case["at"].as_str().is_some_and(|at| !at.is_empty());
        assert!(at && !case["seen"].as_str().unwrap().is_empty(), "{case}");
    }
    assert!(result(&told, "UAT-30")["evidence"].to_string().contains("gangguan"), "{told:#}");
    let back = read_back(folder.path(), "uat");
    let rows = back["xlsx"]["sheets"]["Kasus"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), cases.len() + 1);
    assert!(rows[1..].iter().all(|row| row[3] == "lulus"), "{rows:?}");
    let text = run("pdftotext", &["-layout", &format!("{out}/uat.pdf"), "-"]);
    for words in ["Berita Acara User Acceptance Test", "PIHAK KESATU", "PIHAK KEDUA", "UAT-42", "Cap jurnal"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!said.out.contains("000999") && !text.contains("000999"), "no card stands in it");
}

#[test]
fn a_failed_case_shows_on_the_minutes_and_in_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let script = "[[fault]]\non = \"pcare.mcu.edit\"\nkind = \"precondition_array\"\n";
    std::fs::write(path("gangguan.toml"), script).unwrap();
    let none = path("tidak-ada.toml");
    let said = bare(&["uat", "--faults", &path("gangguan.toml"), "--out", &path("ba.html"), "--config", &none]);
    assert_eq!(said.code, 4, "{said:?}");
    let line = |id: &str| said.out.lines().find(|line| line.contains(id)).unwrap().to_owned();
    assert!(line("UAT-14").contains("GAGAL") && line("UAT-14").contains("pcare.mcu.edit"), "{}", said.out);
    assert!(line("UAT-10").contains("lulus"), "{}", said.out);
    let page = std::fs::read_to_string(path("ba.html")).unwrap();
    assert!(page.contains("BELUM DITERIMA") && page.contains("GAGAL"));
}

#[test]
fn on_the_development_host_nothing_is_written_without_a_test_card_and_a_production_host_is_refused() {
    let home = Home::new();
    let before = home.simulator("GET", "/_sim/ledger", &Value::Null);
    let read = home.run(&["uat", "--development", "--facility", FACILITY, "--json"]);
    assert_eq!(read.code, 4, "what was not tried has not passed: {read:?}");
    let told = read.json();
    assert_eq!(result(&told, "UAT-01")["result"], "passed");
    assert_eq!(result(&told, "UAT-10")["result"], "not_run");
    assert_eq!(home.simulator("GET", "/_sim/ledger", &Value::Null), before);
    let counts = home.simulator("GET", "/_sim/requests", &Value::Null)["counts"].as_array().unwrap().clone();
    assert!(counts.iter().all(|one| one["operation"] == "pcare.dokter.list"), "reads only: {counts:?}");

    let missing = home.run(&["uat", "--development", "--facility", FACILITY, "--write"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    let written = home.run(&["uat", "--development", "--facility", FACILITY, "--write", "--card", CARD, "--json"]);
    assert_eq!(written.code, 0, "{written:?}");
    assert_eq!(result(&written.json(), "UAT-11")["result"], "passed");
    assert_eq!(result(&written.json(), "UAT-30")["result"], "not_run");
    assert_eq!(home.simulator("GET", "/_sim/ledger", &Value::Null), before, "everything is taken back");
    home.assert_no_secret();

    let config = std::fs::read_to_string(home.config()).unwrap();
    let base = config.lines().find(|line| line.starts_with("base_url")).unwrap().to_owned();
    let production = "base_url = \"https://apijkn.bpjs-kesehatan.go.id/pcare-rest\"";
    std::fs::write(home.config(), config.replace(&base, production)).unwrap();
    let refused = home.run(&["uat", "--development", "--facility", FACILITY]);
    assert!(refused.code == 1 && refused.err.contains("server produksi"), "{refused:?}");
}
