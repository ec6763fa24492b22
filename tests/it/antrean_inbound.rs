//! What Mobile JKN calls at the facility, over real HTTP: the wire forms, who gets in, numbers under fire, and the SIM's
//! side of the same queue.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside a test function")]

mod daemon;
mod door;
mod wire_forms;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jembatan::catalogue::Catalogue;
use jembatan::chance::Chance;
use jembatan::clock::Clock;
use jembatan::config::{AntreanInboundConfig, Facility, Party};
use jembatan::http;
use jembatan::inbound::{self, Parts, Signer};
use jembatan::secret::Private;
use jembatan::store::antrean::Session;
use jembatan::store::sqlite::{self, SqliteStore};
use jembatan::store::{Sealer, SharedStore};
use jembatan::vault::{Clients, NewClient, Role};
use jiff::civil::{Date, Time, date};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const FACILITY: &str = "0114A026";
const OTHER: &str = "0114A027";
const DOCTOR: i64 = 12345;

/// The service in this process with a clock that is set by hand: Saturday, 21 November 2026, 09:00 at the facility.
struct House {
    address: SocketAddr,
    store: SharedStore,
    clients: Clients,
    clock: Clock,
    room: Arc<AtomicBool>,
    /// Whether asking for room panics.
    ill: Arc<AtomicBool>,
    http: reqwest::Client,
    stop: CancellationToken,
    _directory: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Got {
    status: u16,
    text: String,
    body: Value,
}

impl Got {
    /// Code and message of a refusal; there is nothing else in it.
    fn refusal(&self) -> (i64, &str) {
        assert!(self.body.get("response").is_none(), "{self:?}");
        (self.body["metadata"]["code"].as_i64().unwrap(), self.body["metadata"]["message"].as_str().unwrap())
    }

    fn code(&self) -> i64 {
        self.body["metadata"]["code"].as_i64().unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// Who calls.
#[derive(Clone)]
struct Login {
    name: String,
    password: String,
    token: String,
}

fn facility(code: &str) -> Facility {
    let timezone = jiff::tz::TimeZone::get("Asia/Makassar").unwrap();
    Facility {
        code: code.to_owned(),
        name: code.to_owned(),
        timezone,
        party: Party::default(),
        pcare: None,
        vclaim: None,
        antrean_fktp: None,
        icare: None,
    }
}

impl House {
    async fn open() -> Self {
        Self::with(AntreanInboundConfig { rate_per_second: None, ..AntreanInboundConfig::default() }).await
    }

    async fn with(settings: AntreanInboundConfig) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-11-21T01:00:00Z".parse().unwrap());
        let catalogue = Arc::new(Catalogue::shipped().unwrap());
        let sealer = Sealer::new(&[1; 32], &[2; 32]);
        let path = directory.path().join("jembatan.db");
        let store: SharedStore = Arc::new(SqliteStore::open(sqlite::Settings { path, sealer, catalogue }).unwrap().0);
        let clients = Clients::open(&directory.path().join("vault")).unwrap();
        let (room, stop) = (Arc::new(AtomicBool::new(true)), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = settings.limits.clone();
        let (has_room, ill) = (Arc::clone(&room), Arc::new(AtomicBool::new(false)));
        let is_ill = Arc::clone(&ill);
        let router = inbound::router(Parts {
            store: Arc::clone(&store),
            clients: clients.clone(),
            facilities: Arc::new(vec![facility(FACILITY), facility(OTHER)]),
            clock: clock.clone(),
            chance: Chance::seeded(7),
            settings,
            signer: Signer::new(&[3; 32]),
            has_room: Arc::new(move || {
                assert!(!is_ill.load(Ordering::SeqCst), "on purpose");
                has_room.load(Ordering::SeqCst)
            }),
            observe: Arc::new(|_| {}),
        });
        let shutdown = stop.clone();
        tokio::spawn(async move { http::serve(listener, None, router, &limits, &|| (), shutdown).await });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, store, clients, clock, room, ill, http, stop, _directory: directory }
    }

    fn add(&self, name: &str, facility: &str) -> Login {
        let facilities = vec![facility.to_owned()];
        let new = NewClient { name: name.to_owned(), facilities, role: Role::MobileJkn, kind: None, days: 365 };
        let grant = self.clients.add(&new, None, self.clock.now()).unwrap();
        Login { name: name.to_owned(), password: grant.token.expose().to_string(), token: String::new() }
    }

    /// A user name of [`FACILITY`], logged in.
    async fn caller(&self) -> Login {
        let login = self.add("mjkn", FACILITY);
        self.log_in(login).await
    }

    async fn log_in(&self, login: Login) -> Login {
        let got = self.auth(&login.name, &login.password).await;
        let token = got.body["response"]["token"].as_str().unwrap_or_else(|| panic!("{got:?}")).to_owned();
        Login { token, ..login }
    }

    async fn auth(&self, name: &str, password: &str) -> Got {
        self.send("GET", "/auth", &[("x-username", name), ("x-password", password)], None).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Got {
        let mut request = self.http.request(method.parse().unwrap(), format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        Got { status, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    async fn call(&self, login: &Login, method: &str, path: &str, body: Option<&Value>) -> Got {
        let headers = [("x-token", login.token.as_str()), ("x-username", login.name.as_str())];
        self.send(method, path, &headers, body.map(Value::to_string)).await
    }

    async fn schedule(&self, facility: &str, day: Date, sessions: &[(i64, &str, i64)]) {
        let sessions = sessions.iter().map(|(doctor, hours, quota)| session(facility, day, *doctor, hours, *quota));
        self.store.set_sessions(facility, vec![day], sessions.collect()).await.unwrap();
    }

    async fn know(&self, facility: &str, cards: &[u32]) {
        let norm = |n: &u32| (Private::new(card(*n)), Some(Private::new(format!("RM-{n}"))));
        self.store.put_patients(facility, cards.iter().map(norm).collect()).await.unwrap();
    }

    /// Moves the clock on to an instant.
    fn at(&self, text: &str) {
        let instant: jiff::Timestamp = text.parse().unwrap();
        self.clock.advance(instant.duration_since(self.clock.now()).try_into().unwrap());
    }
}

fn monday() -> Date {
    date(2026, 11, 23)
}

fn session(facility: &str, day: Date, doctor: i64, hours: &str, quota: i64) -> Session {
    Session {
        facility: facility.to_owned(),
        day,
        poli: "001".to_owned(),
        poli_name: "Poli Umum".to_owned(),
        doctor,
        doctor_name: "dr. Contoh".to_owned(),
        hours: hours.to_owned(),
        quota,
        opens: None,
        closes: Time::constant(12, 0, 0, 0),
        prefix: "A".to_owned(),
        remark: String::new(),
    }
}

fn card(n: u32) -> String {
    format!("00099{n:08}")
}

fn v1(n: u32) -> Value {
    json!({ "nomorkartu": card(n), "nik": format!("647400{n:010}"), "kodepoli": "001", "tanggalperiksa": "2026-11-23", "keluhan": "sakit kepala" })
}

fn v2(n: u32) -> Value {
    let mut body = v1(n);
    body["kodedokter"] = DOCTOR.into();
    body["jampraktek"] = "08:00-12:00".into();
    body["norm"] = "".into();
    body["nohp"] = "081234567890".into();
    body
}

fn batal(n: u32) -> Value {
    json!({ "nomorkartu": card(n), "kodepoli": "001", "tanggalperiksa": "2026-11-23", "keterangan": "berhalangan" })
}

fn peserta(n: u32) -> Value {
    json!({ "nomorkartu": card(n), "nik": format!("647400{n:010}"), "nomorkk": "6474001111222233", "nama": "BUDI CONTOH",
        "jeniskelamin": "L", "tanggallahir": "1985-03-01", "alamat": "Jl. Contoh 1", "kodeprop": "11", "namaprop": "Contoh",
        "kodedati2": "0120", "namadati2": "Contoh", "kodekec": "1319", "namakec": "Contoh", "kodekel": "D2105",
        "namakel": "Contoh", "rw": "001", "rt": "013" })
}
