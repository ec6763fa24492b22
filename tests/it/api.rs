//! The local API over real sockets, with a real store: what a SIM, an operator and an attacker meet.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside a test function")]

mod bad_input;
mod claims;
mod forecast;
mod obligations;
mod people;
mod socket;
mod taking;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use jembatan::catalogue::Catalogue;
use jembatan::chance::Chance;
use jembatan::clock::Clock;
use jembatan::config::{Facility, HttpLimits, KeepConfig, ServiceConfig};
use jembatan::contract::{Calendar, Certificate, Certificates, Contracts, Deadline, Place};
use jembatan::http::{self, App, Rates, ReconcileRequest, local_operator_token};
use jembatan::intake::{Dates, Intake, Settings};
use jembatan::keep::Keep;
use jembatan::queue::transition::Event;
use jembatan::queue::{BootId, Outcome, Purpose};
use jembatan::secret::Private;
use jembatan::store::sqlite::{self, SqliteStore};
use jembatan::store::{AttemptEnd, Base, ClaimAsk, Claimed, Recorded, Sealer, SharedStore};
use jembatan::vault::{Clients, NewClient, Role};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const FACILITY: &str = "0114A026";
const OTHER: &str = "0114A027";
const CARD: &str = "0009900000000";

/// The API on a port of its own with a store in a directory of its own; everything ends when it is dropped.
struct Bridge {
    address: SocketAddr,
    store: SharedStore,
    clock: Clock,
    clients: Clients,
    free: Arc<AtomicU64>,
    asked: Arc<Mutex<Vec<ReconcileRequest>>>,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    sim: String,
    operator: String,
    _directory: tempfile::TempDir,
}

/// An answer as it came over the wire.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    head: String,
    text: String,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// JSON Pointers of the fields at fault.
    fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().unwrap_or_else(|| panic!("no problem: {self:?}"));
        errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn facility(code: &str) -> Facility {
    let pcare = ServiceConfig { base_url: "http://127.0.0.1:1/pcare-rest".to_owned(), app_code: None };
    Facility {
        code: code.to_owned(),
        name: code.to_owned(),
        timezone: jiff::tz::TimeZone::get("Asia/Makassar").unwrap(),
        pcare: Some(pcare),
        vclaim: None,
        antrean_fktp: None,
        icare: None,
        party: jembatan::config::Party::default(),
    }
}

fn dates() -> Dates {
    Arc::new(|rule, time| Deadline {
        rule: rule.to_owned(),
        target: Some(time.accepted_at + Duration::from_secs(3600)),
        late: Some(time.accepted_at + Duration::from_secs(7200)),
        last: None,
    })
}

fn quick_limits() -> HttpLimits {
    HttpLimits {
        header_timeout: Duration::from_millis(300),
        read_timeout: Duration::from_millis(300),
        connections_per_peer: 64,
        ..HttpLimits::default()
    }
}

/// Two facilities whose passwords are of October, and a certificate that ends in December.
fn calendar(contracts: Arc<Contracts>) -> Calendar {
    let place = |code: &str| Place {
        code: code.to_owned(),
        zone: jiff::tz::TimeZone::get("Asia/Makassar").unwrap(),
        password_set: Some("2026-10-01T00:00:00Z".parse().unwrap()),
    };
    let certificate = Certificate {
        name: "http.tls".to_owned(),
        not_after: "2026-12-10T12:00:00Z".parse().unwrap(),
        note: String::new(),
    };
    let unreadable = vec!["sertifikat certs/rusak.pem: tidak memuat sertifikat".to_owned()];
    Calendar {
        contracts,
        places: Arc::new(move || vec![place(FACILITY), place(OTHER)]),
        certificates: Arc::new(move || Certificates {
            found: vec![certificate.clone()],
            unreadable: unreadable.clone(),
        }),
    }
}

/// The API's state on a new store in `directory`.
fn app(directory: &std::path::Path, clock: &Clock, limits: &HttpLimits) -> App {
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    let settings = sqlite::Settings {
        path: directory.join("jembatan.db"),
        sealer: Sealer::new(&[1; 32], &[2; 32]),
        catalogue: Arc::clone(&catalogue),
    };
    let store: SharedStore = Arc::new(SqliteStore::open(settings).unwrap().0);
    let (boot, chance) = (BootId::new(clock.now(), &[9; 10]), Chance::seeded(7));
    let facilities = vec![facility(FACILITY), facility(OTHER)];
    let contracts = Arc::new(Contracts::load(std::path::Path::new("bontang-2024.toml"), None).unwrap());
    let bpjs_zone = jiff::tz::TimeZone::get("Asia/Jakarta").unwrap();
    let intake = Intake {
        store: Arc::clone(&store),
        catalogue: Arc::clone(&catalogue),
        dates: dates(),
        area: {
            let contracts = Arc::clone(&contracts);
            Arc::new(move |day| contracts.of(day).area_limit(day))
        },
        clock: clock.clone(),
        chance: chance.clone(),
        settings: Settings { facilities: facilities.clone(), bpjs_zone: bpjs_zone.clone(), boot },
    };
    let keep = Keep::new(Arc::clone(&store), Arc::clone(&catalogue), KeepConfig::default(), bpjs_zone);
    App {
        keep: Arc::new(keep),
        store,
        intake: Arc::new(intake),
        catalogue,
        facilities: Arc::new(facilities),
        clock: clock.clone(),
        chance,
        clients: Clients::open(&directory.join("vault")).unwrap(),
        operator_token: Private::new(local_operator_token(&[3; 32])),
        boot,
        settle: None,
        free: Arc::new(|| None),
        min_free: 1000,
        hosts: Arc::new(vec!["jembatan.lan".to_owned()]),
        body_limit: usize::try_from(limits.body).unwrap(),
        read_timeout: limits.read_timeout,
        rates: Arc::new(Rates::default()),
        contracts: Arc::clone(&contracts),
        calendar: calendar(contracts),
        parties: Arc::default(),
        reconciler: Arc::new(|_| Box::pin(async { Ok(Value::Null) })),
        status: Arc::new(|_| Box::pin(async { Value::Null })),
        closing: CancellationToken::new(),
        gateway: None,
        extra: Router::new().route("/health/live", axum::routing::get(|| async { "ok" })),
    }
}

impl Bridge {
    async fn start() -> Self {
        Self::with(HttpLimits { connections_per_peer: 64, ..HttpLimits::default() }).await
    }

    async fn with(limits: HttpLimits) -> Self {
        Self::behind(limits, None).await
    }

    async fn behind(limits: HttpLimits, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        Self::changed(limits, tls, |_app| {}).await
    }

    /// A bridge whose parts a test changes before it starts.
    async fn changed(
        limits: HttpLimits,
        tls: Option<Arc<rustls::ServerConfig>>,
        change: impl FnOnce(&mut App),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-11-21T03:00:00Z".parse().unwrap());
        let (free, asked) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::<Mutex<Vec<ReconcileRequest>>>::default());
        let stop = CancellationToken::new();
        let mut app = app(directory.path(), &clock, &limits);
        app.closing = stop.clone();
        change(&mut app);
        app.free = {
            let free = Arc::clone(&free);
            Arc::new(move || Some(free.load(Ordering::SeqCst)))
        };
        app.reconciler = {
            let asked = Arc::clone(&asked);
            Arc::new(move |request| {
                asked.lock().unwrap().push(request);
                Box::pin(async { Ok(json!({ "id": "r-1", "counts": { "equal": 3 }, "items": [] })) })
            })
        };
        let (store, clients) = (Arc::clone(&app.store), app.clients.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, shutdown) = (http::router(app), stop.clone());
        let served = tokio::spawn(async move { http::serve(listener, tls, router, &limits, &|| (), shutdown).await });
        let mut bridge = Self {
            address,
            store,
            clock,
            clients,
            free,
            asked,
            stop,
            served,
            operator: local_operator_token(&[3; 32]).to_string(),
            sim: String::new(),
            _directory: directory,
        };
        bridge.sim = bridge.client("sim-1", Role::Sim, &[FACILITY]);
        bridge
    }

    /// A new client's token.
    fn client(&self, name: &str, role: Role, facilities: &[&str]) -> String {
        let facilities = facilities.iter().map(|code| (*code).to_owned()).collect();
        let new = NewClient { name: name.to_owned(), facilities, role, kind: None, days: 30 };
        self.clients.add(&new, None, self.clock.now()).unwrap().token.expose().to_string()
    }

    /// Sends bytes and reads until the server closes.
    async fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses early may close before it has read everything.
        let _sent = stream.write_all(request).await;
        read_answer(&mut stream).await
    }

    async fn ask(&self, method: &str, path: &str, token: &str, headers: &str, body: Option<&str>) -> Answer {
        let body = body.unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{kind}{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.raw(request.as_bytes()).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, token, "", None).await
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.ask("POST", path, token, "", Some(&body.to_string())).await
    }

    async fn submit(&self, body: &Value) -> Answer {
        self.post("/v1/submissions", &self.sim, body).await
    }

    /// Waits until something has been accepted.
    async fn something_stored(&self) {
        let accepted = async { while self.store.totals(self.clock.now()).await.unwrap().counts.is_empty() {} };
        tokio::time::timeout(Duration::from_secs(20), accepted).await.unwrap();
    }

    /// How many submissions and deliveries there are.
    async fn stored(&self) -> (usize, usize) {
        let submissions = self.get("/v1/submissions?limit=1000", &self.operator).await;
        let deliveries = self.get("/v1/deliveries?limit=1000", &self.operator).await;
        let count = |answer: &Answer| answer.body["items"].as_array().unwrap().len();
        (count(&submissions), count(&deliveries))
    }

    fn base(&self) -> Base {
        Base { boot: BootId::new(self.clock.now(), &[9; 10]), settle: None, chance: 0.5, others_pass: false }
    }

    /// What a worker would take now.
    async fn claim(&self) -> Vec<Claimed> {
        let ask = ClaimAsk {
            facility: FACILITY.to_owned(),
            service: "pcare".to_owned(),
            limit: 100,
            now: self.clock.now(),
            lease_until: self.clock.now() + Duration::from_secs(60),
            credential_version: 4,
            base: self.base(),
        };
        self.store.claim(ask).await.unwrap()
    }

    /// Ends a claimed send the way BPJS answered.
    async fn end(&self, claimed: &Claimed, outcome: Outcome) {
        assert_eq!(claimed.purpose, Purpose::Send);
        let end = AttemptEnd {
            outcome: outcome.word().to_owned(),
            status: Some(201),
            code: Some(201),
            stamp: Some(1_795_230_000),
            credential_version: None,
            detail: Private::new("kata BPJS".to_owned()),
            answer: None,
            owns: None,
            frees: None,
        };
        let recorded = Recorded {
            id: claimed.delivery.id,
            token: claimed.token,
            attempt: claimed.attempt,
            event: Event::Ended(outcome),
            now: self.clock.now(),
            base: self.base(),
            end,
        };
        self.store.record(recorded).await.unwrap();
    }

    /// Lets BPJS accept whatever is due, until nothing is.
    async fn deliver_all(&self) -> usize {
        let mut delivered = 0;
        loop {
            let claimed = self.claim().await;
            if claimed.is_empty() {
                return delivered;
            }
            for claimed in &claimed {
                delivered += 1;
                let names = ["noUrut", "noKunjungan", "kdObatSK", "kdTindakanSK"];
                let ids = names.iter().map(|name| ((*name).to_owned(), format!("N{delivered}")));
                self.end(claimed, Outcome::Accepted(Private::new(ids.collect::<BTreeMap<_, _>>()))).await;
            }
        }
    }

    /// Lets BPJS refuse whatever is due.
    async fn refuse_all(&self) {
        for claimed in self.claim().await {
            let refusal = jembatan::catalogue::Refusal {
                code: 412,
                message: Private::new("Peserta TIDAK AKTIF".to_owned()),
                rule: "inactive".to_owned(),
                meaning: "Kepesertaan tidak aktif.".to_owned(),
                who: jembatan::catalogue::Who::Registration,
                next: "Periksa kepesertaan.".to_owned(),
            };
            self.end(&claimed, Outcome::Refused(refusal)).await;
        }
    }
}

async fn read_answer<S: AsyncReadExt + Unpin>(stream: &mut S) -> Answer {
    let mut bytes = Vec::new();
    let _reset_after_the_answer_is_fine = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer {
        status,
        head: head.to_owned(),
        text: body.to_owned(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

fn registration(card: &str) -> Value {
    json!({ "kdProviderPeserta": FACILITY, "tglDaftar": "21-11-2026", "noKartu": card, "kdPoli": "001",
            "keluhan": "batuk", "kunjSakit": true, "kdTkp": "10" })
}

fn visit(card: &str) -> Value {
    json!({ "noKunjungan": null, "noKartu": card, "tglDaftar": "21-11-2026", "kdPoli": "001", "kdSadar": "01",
            "kdStatusPulang": "3", "tglPulang": "21-11-2026", "kdDokter": "123", "kdDiag1": "J06.9" })
}

fn drug() -> Value {
    json!({ "noKunjungan": null, "kdObat": "130101001", "obatDPHO": true, "signa1": 3, "signa2": 1, "jmlObat": 9 })
}

/// A registration, a visit and a drug.
fn day(reference: &str) -> Value {
    json!({ "facility": FACILITY, "ref": reference,
        "patient": { "noKartu": CARD, "nik": "6474010101900001", "nama": "SITI CONTOH" },
        "entries": [
            { "ref": "daftar", "operation": "pcare.pendaftaran.add", "occurred_at": "2026-11-21T08:12:00+08:00",
              "payload": registration(CARD) },
            { "ref": "kunjungan", "operation": "pcare.kunjungan.add", "after": ["daftar"], "payload": visit(CARD) },
            { "ref": "obat-1", "operation": "pcare.obat.add", "after": ["kunjungan"], "payload": drug() } ] })
}

/// One registration.
fn single(reference: &str, card: &str) -> Value {
    json!({ "facility": FACILITY, "ref": reference,
            "entries": [{ "ref": "daftar", "operation": "pcare.pendaftaran.add", "payload": registration(card) }] })
}

fn reason() -> Value {
    json!({ "reason": "atas permintaan loket" })
}
