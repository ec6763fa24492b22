//! An operation that only a file in the override directory knows works everywhere, with the binary as it was built:
//! gateway, submission, validation, documents and simulator.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::tools::{Door, Driver};
use crate::bridge::{Bridge, Setup, card, submission, yesterday};
use crate::gateway::client::Local;

const TABLE: &str = include_str!("../../data/konsul.toml");

/// The simulator as a process of its own; it ends when dropped.
struct Bpjs {
    child: Child,
    at: String,
    /// Held open: who prints into a closed pipe ends.
    _said: BufReader<ChildStdout>,
}

impl Drop for Bpjs {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Bpjs {
    fn with(tables: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_jembatan"))
            .args(["simulate", "--listen", "127.0.0.1:0", "--catalogue"])
            .arg(tables)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let at = line.split("http://").nth(1).unwrap().split('/').next().unwrap().trim().to_owned();
        Self { child, at, _said: said }
    }
}

/// A bridge whose catalogue has the table, before a simulator that has it.
fn site() -> (Bridge, Local, Bpjs) {
    let mut bridge = Bridge::stopped(&Setup { timeout_ms: 5_000, ..Setup::default() });
    let tables = bridge.home().join("katalog");
    fs::create_dir(&tables).unwrap();
    fs::write(tables.join("konsul.toml"), TABLE).unwrap();
    let bpjs = Bpjs::with(&tables);
    let config = fs::read_to_string(bridge.config()).unwrap();
    let config = config.replace(&bridge.simulator_at.to_string(), &bpjs.at);
    let more = format!(
        "[facility.vclaim]\nbase_url = \"http://{}/vclaim-rest\"\n[catalogue]\ndir = \"katalog\"\n[gateway]\nwait = \"20s\"\n",
        bpjs.at
    );
    fs::write(bridge.config(), config + &more).unwrap();
    let shown = Command::new(env!("CARGO_BIN_EXE_jembatan")).args(["simulate", "--credentials"]).output().unwrap();
    let theirs: Value = serde_json::from_slice(&shown.stdout).unwrap();
    for name in ["cons_id", "secret_key"] {
        bridge.put(name, theirs[name].as_str().unwrap());
    }
    bridge.put("pcare.user_key", theirs["user_key"]["pcare"].as_str().unwrap());
    bridge.put("vclaim.user_key", theirs["user_key"]["vclaim"].as_str().unwrap());
    bridge.put("pcare.username", theirs["username"].as_str().unwrap());
    bridge.put("pcare.password", theirs["password"].as_str().unwrap());
    bridge.start();
    let local = Local::added(&bridge, "sim-lama");
    (bridge, local, bpjs)
}

#[test]
fn an_operation_of_the_override_directory_works_everywhere_without_a_build() {
    let (bridge, local, _bpjs) = site();
    let day = yesterday().to_string();
    let key = local.text("user_key");
    let door = Door {
        hosts: json!({ "vclaim": format!("http://127.0.0.1:{}/ws/vclaim", bridge.port) }),
        credentials: json!({ "cons_id": local.text("cons_id"), "secret_key": local.text("secret_key"),
            "username": "", "password": "", "user_key": { "vclaim": key } }),
    };
    let mut client = Driver::pypi(&door);
    let mut ask = |method: &str, path: &str, body: Value| {
        client.ask(&json!({ "service": "vclaim", "method": method, "path": path, "body": body }))
    };
    let order = |card: &str| json!({ "request": { "t_konsul": { "noKartu": card, "tanggal": day, "isi": "awal" } } });

    // Gateway: a write, its repeat, a read.
    let made = ask("POST", "Konsul/insert", order(&card(1)));
    assert_eq!(made["metaData"]["code"], "200", "{made}");
    let number = made["response"]["konsul"]["noKonsul"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert_eq!(ask("POST", "konsul/INSERT", order(&card(1))), made, "the repeat is the same entry");
    let list = ask("GET", &format!("Konsul/Peserta/{}", card(1)), Value::Null);
    assert_eq!(list["response"]["konsul"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list["response"]["konsul"][0]["noKonsul"], json!(number));

    // Validation, at both doors.
    let misspelt = json!({ "request": { "t_konsul": { "noKartu": card(2), "tanggal": day, "isinya": "x" } } });
    let told = ask("POST", "Konsul/insert", misspelt);
    assert_eq!(told["metaData"]["code"], "201");
    assert!(told["metaData"]["message"].as_str().unwrap().contains("isinya"), "{told}");
    let entry = |payload: Value| {
        submission("konsul", &[json!({ "ref": "konsul", "operation": "vclaim.konsul.add", "payload": payload })])
    };
    let refused = bridge.try_submit(&entry(json!({ "noKartu": card(2) }))).unwrap();
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.body["errors"][0]["pointer"], "/entries/0/payload/tanggal", "{refused:?}");

    // Submission.
    let id = bridge.submit(&entry(json!({ "noKartu": card(2), "tanggal": day })));
    let done = bridge.finished(&id)["konsul"].clone();
    assert_eq!((&done["state"], &done["how"]), (&json!("delivered"), &json!("accepted")), "{done}");
    let list = ask("GET", &format!("Konsul/Peserta/{}", card(2)), Value::Null);
    assert_eq!(list["response"]["konsul"][0]["noKonsul"], done["remote"]["noKonsul"], "{list}");

    // Documents, and what BPJS withdrew.
    assert!(bridge.get("/openapi.json").to_string().contains("vclaim.konsul.add"));
    let shown = bridge.cli(&["catalogue", "show", "vclaim.konsul.add", "--json"], "");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["table"].as_str().unwrap().contains("konsul.toml:"), "{shown}");
    let gone = ask("POST", "SEP/1.1/insert", json!({ "request": { "t_sep": {} } }));
    assert_ne!(gone["metaData"]["code"], "200", "{gone}");
}

#[test]
fn a_mistake_in_the_override_directory_is_named_by_file_and_line_and_nothing_starts() {
    let mut bridge = Bridge::stopped(&Setup::default());
    let tables = bridge.home().join("katalog");
    fs::create_dir(&tables).unwrap();
    fs::write(tables.join("konsul.toml"), TABLE.replacen("type = \"kartu\"", "type = \"kratu\"", 1)).unwrap();
    let config = fs::read_to_string(bridge.config()).unwrap();
    fs::write(bridge.config(), config + "[catalogue]\ndir = \"katalog\"\n").unwrap();
    bridge.spawn();
    // Of the operation that has it.
    let line = 1 + TABLE.lines().position(|line| line == "name = \"vclaim.konsul.add\"").unwrap();
    let named = bridge.until("it says where", crate::bridge::PATIENCE, || {
        let logs = bridge.logs();
        logs.contains("konsul.toml").then_some(logs)
    });
    assert!(named.contains(&format!("konsul.toml:{line}")), "{named}");
}
