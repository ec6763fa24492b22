//! A client nobody here wrote, pointed at the gateway: another base URL, other credentials, nothing else.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::client::up;

fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The same script that runs against the simulator, unchanged.
#[test]
fn the_client_from_pypi_works_through_the_gateway() {
    let home = tempfile::tempdir().unwrap();
    let venv = home.path().join("venv");
    run("python3", &["-m", "venv", venv.to_str().unwrap()], "");
    let python = venv.join("bin/python");
    let python = python.to_str().unwrap();
    let packages = ["bpjs-bridging==0.1.0", "pycryptodome", "lzstring", "requests"];
    run(python, &[&["-m", "pip", "install", "-q", "--disable-pip-version-check"][..], &packages[..]].concat(), "");

    let (bridge, local) = up();
    let credentials = json!({ "cons_id": local.text("cons_id"), "secret_key": local.text("secret_key"),
        "username": local.text("username"), "password": local.text("password"),
        "user_key": { "pcare": local.text("user_key") } });
    let input = json!({ "url": format!("http://127.0.0.1:{}/ws/pcare", bridge.port), "credentials": credentials });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/pcare_client.py");
    let out: Value = serde_json::from_str(&run(python, &[script], &input.to_string())).unwrap();

    assert_eq!(out["doctors"]["response"]["list"][0]["kdDokter"], "001");
    assert_eq!(out["member"]["response"]["noKartu"], "0009900000000");
    assert_eq!(out["registered"]["metaData"], json!({ "code": 201, "message": "CREATED" }));
    assert_eq!(out["registered"]["response"], json!({ "field": "noUrut", "message": "A1" }));
    assert_eq!(out["again"], out["registered"], "a repeat gets the same answer instead of a duplicate");
    assert_eq!(out["list"]["response"]["list"][0]["keluhan"], "demam 🤒");
    assert_eq!(out["drugs"][0], out["drugs"][1]);
    assert_eq!(out["drug_list"]["response"]["count"], 1, "the same drug twice at once is one");
    let number = &out["visited"]["response"][0]["message"];
    assert_eq!(out["history"]["response"]["list"][0]["noKunjungan"], *number);
    assert_eq!(bridge.ledger("kunjungan")[0]["noKunjungan"], *number);
}
