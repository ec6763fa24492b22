//! The installed program with TLS: credentials by the command line, the SIM's side, the feed, health, `kill -9`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use jembatan::clock::Clock;
use jembatan::secret::Password;
use jembatan::simulator::mobile_jkn::{self, Plan, Target};
use jiff::ToSpan as _;
use rustls::pki_types::CertificateDer;
use tokio::runtime::Runtime;

use super::*;
use crate::bridge::{Bridge, Setup};

/// A running bridge with the listener on, and Mobile JKN's view of it.
struct Desk {
    bridge: Bridge,
    runtime: Runtime,
    http: reqwest::Client,
    login: Login,
    port: u16,
    day: String,
    root: Vec<u8>,
}

fn certificate(bridge: &Bridge) -> (PathBuf, PathBuf, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (pem, key) = (bridge.home().join("antrean.pem"), bridge.home().join("antrean.key"));
    std::fs::write(&pem, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (pem, key, made.cert.der().to_vec())
}

/// A port that nobody listens on, below those the system gives to outgoing connections.
fn free_port(bridge: &Bridge) -> u16 {
    let start = bridge.port + 7_000;
    (start..start + 400).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

impl Desk {
    fn up() -> Self {
        let mut bridge = Bridge::stopped(&Setup::default());
        let (pem, key, root) = certificate(&bridge);
        let port = free_port(&bridge);
        let section = "JEMBATAN__ANTREAN_INBOUND__";
        for (name, value) in [
            ("LISTEN", format!("0.0.0.0:{port}")),
            ("RATE_PER_SECOND", "0".to_owned()),
            ("LIMITS__CONNECTIONS_PER_PEER", "200".to_owned()),
            ("TLS__CERTIFICATE", pem.display().to_string()),
            ("TLS__KEY", key.display().to_string()),
        ] {
            bridge.env.push((format!("{section}{name}"), value));
        }
        bridge.start();
        let told = bridge.cli(&["client", "add", "mjkn", "--facility", FACILITY, "--role", "mobile-jkn", "--json"], "");
        let told: Value = serde_json::from_str(&told).unwrap();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let login = Login { name: text("username"), password: text("password"), token: String::new() };
        let http = reqwest::Client::builder()
            .no_proxy()
            .add_root_certificate(reqwest::Certificate::from_der(&root).unwrap())
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let zone = jiff::tz::TimeZone::get("Asia/Makassar").unwrap();
        let day = Clock::system().now().to_zoned(zone).date().checked_add(1.day()).unwrap().to_string();
        Self { bridge, runtime, http, login, port, day, root }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Option<Got> {
        let mut request = self.http.request(method.parse().unwrap(), format!("https://localhost:{}{path}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        self.runtime.block_on(async {
            let answer = request.send().await.ok()?;
            let status = answer.status().as_u16();
            let text = answer.text().await.ok()?;
            Some(Got { status, body: serde_json::from_str(&text).unwrap_or_default(), text })
        })
    }

    fn log_in(&mut self) {
        let headers = [("X-Username", self.login.name.as_str()), ("X-Password", self.login.password.as_str())];
        let got = self.send("GET", "/auth", &headers, None).unwrap();
        self.login.token = got.body["response"]["token"].as_str().unwrap_or_else(|| panic!("{got:?}")).to_owned();
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Got {
        let headers = [("X-Token", self.login.token.as_str()), ("X-Username", self.login.name.as_str())];
        self.send(method, path, &headers, body).unwrap()
    }

    /// The SIM's call; it must succeed.
    fn sim(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let url = format!("http://127.0.0.1:{}{path}", self.bridge.port);
        let mut request = self.http.request(method.parse().unwrap(), url).bearer_auth(&self.bridge.sim);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap();
            assert_eq!(status, 200, "{method} {path}: {text}");
            serde_json::from_str(&text).unwrap()
        })
    }

    fn publish(&self, quota: i64) -> Value {
        let body = json!({ "facility": FACILITY, "from": self.day, "jadwal": [
            { "kodepoli": "001", "namapoli": "Poli Umum", "kodedokter": DOCTOR, "namadokter": "dr. Contoh",
              "jampraktek": "08:00 - 12:00", "kuota": quota, "keterangan": "Bawa kartu" } ] });
        self.sim("PUT", "/v1/antrean/jadwal", Some(&body))
    }

    fn dated(&self, mut body: Value) -> Value {
        body["tanggalperiksa"] = self.day.as_str().into();
        body
    }
}

#[test]
fn from_schedule_to_served_with_the_sim_on_the_other_side() {
    let mut desk = Desk::up();
    desk.log_in();
    assert_eq!(desk.publish(30), json!({ "jadwal": 1, "tanpa_jadwal": 0 }));
    let known = json!({ "facility": FACILITY, "pasien": [{ "nomorkartu": card(1), "norm": "RM-1" }] });
    assert_eq!(desk.sim("PUT", "/v1/antrean/pasien", Some(&known)), json!({ "pasien": 1 }));

    // A known patient, a new one, and one at the counter draw from one sequence.
    assert_eq!(desk.call("POST", "/antrean", Some(&desk.dated(v2(1)))).code(), 200);
    assert_eq!(desk.call("POST", "/antrean", Some(&desk.dated(v2(2)))).code(), 202);
    assert_eq!(desk.call("POST", "/peserta", Some(&peserta(2))).code(), 200);
    assert_eq!(desk.call("POST", "/antrean", Some(&desk.dated(v2(2)))).code(), 200);
    let counter = json!({ "facility": FACILITY, "kodepoli": "001", "tanggalperiksa": desk.day, "ref": "loket-7", "nama": "UMUM CONTOH" });
    let walked_in = desk.sim("POST", "/v1/antrean", Some(&counter));
    assert_eq!((&walked_in["nomorantrean"], &walked_in["sisaantrean"]), (&json!("A3"), &json!(2)));
    assert_eq!(desk.sim("POST", "/v1/antrean", Some(&counter))["id"], walked_in["id"], "a repeat");

    // The feed: who does not ask for more gets deliveries only; who does gets all, and again from zero.
    assert_eq!(desk.sim("GET", "/v1/changes?after=0", None)["items"], json!([]));
    let feed = desk.sim("GET", "/v1/changes?after=0&kinds=delivery,antrean", None);
    let items = feed["items"].as_array().unwrap();
    let kinds: Vec<&str> = items.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["antrean", "peserta", "antrean", "antrean"]);
    assert_eq!(items[0]["antrean"]["person"]["nomorkartu"], card(1));
    assert_eq!(items[0]["antrean"]["person"]["norm"], "RM-1");
    let registration = &items[1]["peserta"];
    assert_eq!((&registration["state"], &registration["peserta"]["nama"]), (&json!("waiting"), &json!("BUDI CONTOH")));
    let path = format!("/v1/antrean/peserta/{}", registration["id"].as_str().unwrap());
    assert_eq!(desk.sim("POST", &path, Some(&json!({ "norm": "RM-2" })))["state"], "accepted");
    let after = feed["next"].as_str().unwrap();
    let more = desk.sim("GET", &format!("/v1/changes?kinds=antrean&after={after}"), None);
    assert_eq!(more["items"][0]["peserta"]["norm"], "RM-2");

    // Called, served, cancelled.
    let call = json!({ "facility": FACILITY, "kodepoli": "001", "tanggalperiksa": desk.day, "nomorantrean": "A1" });
    assert_eq!(desk.sim("POST", "/v1/antrean/panggil", Some(&call))["antrean"]["state"], "called");
    let status = desk.call("GET", &format!("/antrean/status/001/{}", desk.day), None);
    let row = &status.body["response"][0];
    assert_eq!(
        (&row["totalantrean"], &row["sisaantrean"], &row["antreanpanggil"]),
        (&json!("3"), &json!(2), &json!("A1"))
    );
    assert_eq!(row["keterangan"], "Bawa kartu");
    let first = format!("/v1/antrean/{}/state", items[0]["antrean"]["id"].as_str().unwrap());
    assert_eq!(desk.sim("POST", &first, Some(&json!({ "state": "served" })))["state"], "served");
    assert_eq!(desk.call("PUT", "/antrean/batal", Some(&desk.dated(batal(2)))).code(), 200);
    let listed = desk.sim("GET", &format!("/v1/antrean?from={}&state=cancelled", desk.day), None);
    assert_eq!(listed["items"][0]["reason"], "berhalangan");
    assert_eq!(desk.publish(0)["tanpa_jadwal"], 0, "the same session with another quota leaves nobody behind");

    health_and_logs(&desk);
    gone_with_the_password(&desk);
}

/// What is told of the listener, and what is not.
fn health_and_logs(desk: &Desk) {
    let health = desk.bridge.health();
    let checks = health["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "antrean_inbound").unwrap();
    assert_eq!(check["status"], "ok");
    assert!(check["detail"].as_str().unwrap().starts_with("Mendengarkan; panggilan terakhir"), "{check}");
    let metrics = desk.bridge.text("/metrics");
    assert!(metrics.contains("jembatan_inbound_listening 1"), "{metrics}");
    assert!(metrics.contains(r#"jembatan_inbound_calls_total{route="antrean",code="202"} 1"#), "{metrics}");
    let logs = desk.bridge.logs();
    assert!(logs.contains("Mobile JKN was answered"));
    let secrets =
        [card(1), card(2), peserta(2)["nik"].as_str().unwrap().to_owned(), "CONTOH".to_owned(), "RM-1".to_owned()];
    for secret in secrets.iter().chain([&desk.login.password, &desk.login.token]) {
        assert!(!logs.contains(secret.as_str()) && !metrics.contains(secret.as_str()), "{secret} was told");
    }
    let database = std::fs::read(desk.bridge.state().join("jembatan.db-wal")).unwrap_or_default();
    let database = [database, std::fs::read(desk.bridge.state().join("jembatan.db")).unwrap()].concat();
    for secret in &secrets {
        let found = database.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is on disk in clear");
    }
}

/// Revoked by the command line, noticed by the running daemon.
fn gone_with_the_password(desk: &Desk) {
    desk.bridge.cli(&["client", "revoke", "mjkn"], "");
    let path = format!("/antrean/status/001/{}", desk.day);
    desk.bridge.until("the token is refused", Duration::from_secs(2), || {
        (desk.call("GET", &path, None).refusal() == (201, "Token Expired")).then_some(())
    });
}

/// The other side as the simulator plays it, which knows the catalogue and not this code.
#[test]
fn mobile_jkn_as_the_simulator_plays_it_finds_nothing_wrong() {
    let desk = Desk::up();
    desk.publish(30);
    let target = Target {
        url: format!("https://localhost:{}", desk.port),
        username: desk.login.name.clone(),
        password: Password::new(desk.login.password.clone()),
        trusted: vec![CertificateDer::from(desk.root.clone())],
    };
    let plan = Plan {
        clinic: "001".to_owned(),
        day: desk.day.parse().unwrap(),
        doctor: None,
        versions: vec![1, 2],
        seed: 11,
        token_life: None,
    };
    let checks = desk.runtime.block_on(mobile_jkn::drive(&target, &plan, &Clock::system())).unwrap();
    let wrong: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let scenes: BTreeSet<&str> = checks.iter().map(|check| check.scene).collect();
    assert_eq!(scenes, BTreeSet::from(["auth", "status", "v1", "v2", "masukan"]));
    assert!(checks.len() >= 25, "{}", checks.len());
    let left = desk.sim("GET", &format!("/v1/antrean?from={}&state=booked", desk.day), None);
    assert_eq!(left["items"], json!([]), "what it booked it cancelled");
}

#[test]
fn killed_in_the_middle_no_number_is_given_twice_and_none_that_was_told_is_lost() {
    let mut desk = Desk::up();
    desk.publish(5_000);
    let day = desk.day.clone();
    let mut told: BTreeSet<String> = BTreeSet::new();
    let mut next = 0;
    for round in 0..6_u32 {
        desk.log_in();
        let cards: Vec<u32> = (next..next + 150).collect();
        next += 150;
        let known: Vec<Value> =
            cards.iter().map(|n| json!({ "nomorkartu": card(*n), "norm": n.to_string() })).collect();
        desk.sim("PUT", "/v1/antrean/pasien", Some(&json!({ "facility": FACILITY, "pasien": known })));
        let answers = storm(&desk, &cards, 20 + round * 23);
        for (n, label) in answers {
            assert!(told.insert(label.clone()), "{label} was given twice, now to {n}");
        }
        desk.bridge.kill_9();
        desk.bridge.start();
    }
    let mut kept = BTreeSet::new();
    let mut after = String::new();
    loop {
        let page = desk.sim("GET", &format!("/v1/antrean?from={day}&limit=1000{after}"), None);
        for item in page["items"].as_array().unwrap() {
            let label = item["nomorantrean"].as_str().unwrap().to_owned();
            assert!(kept.insert(label.clone()), "{label} stands twice");
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert!(told.len() > 150, "{} numbers: the test shows nothing", told.len());
    assert!(told.is_subset(&kept), "lost: {:?}", told.difference(&kept).collect::<Vec<_>>());
}

/// Books all cards at once and kills the daemon when `enough` were answered; the numbers that were told.
fn storm(desk: &Desk, cards: &[u32], enough: u32) -> Vec<(u32, String)> {
    let told: Arc<Mutex<Vec<(u32, String)>>> = Arc::default();
    let pid = desk.bridge.pid();
    let tasks: Vec<_> = cards
        .iter()
        .map(|n| {
            let request = desk
                .http
                .post(format!("https://localhost:{}/antrean", desk.port))
                .header("x-token", &desk.login.token)
                .header("x-username", &desk.login.name)
                .body(desk.dated(v2(*n)).to_string());
            let (told, n) = (Arc::clone(&told), *n);
            desk.runtime.spawn(async move {
                let Ok(answer) = request.send().await else { return };
                let Ok(text) = answer.text().await else { return };
                let body: Value = serde_json::from_str(&text).unwrap_or_default();
                if let Some(label) = body["response"]["nomorantrean"].as_str() {
                    told.lock().unwrap().push((n, label.to_owned()));
                }
            })
        })
        .collect();
    desk.bridge.until("enough were answered", Duration::from_secs(30), || {
        (told.lock().unwrap().len() >= usize::try_from(enough).unwrap()).then_some(())
    });
    let id = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    desk.runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    std::mem::take(&mut *told.lock().unwrap())
}
