use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::catalogue::{Catalogue, Refusal, Who};
use crate::chance::Chance;
use crate::config::ServiceConfig;
use crate::contract::{Certificate, Certificates, Contracts, Place, Profile, ServiceTime};
use crate::queue::transition::Event;
use crate::queue::{BootId, DeliveryId, Outcome, SubmissionId};
use crate::secret::Private;
use crate::store::sqlite::{Settings, SqliteStore};
use crate::store::{
    Act, AttemptEnd, AuditEntry, Base, CircuitRow, ClaimAsk, LaneStop, NewEntry, NewSubmission, OutageChange, PauseRow,
    Recorded, Sealer, Store, Verdict,
};

const CARD: &str = "0009900000042";
const NIK: &str = "6474010101900001";
const HERE: &str = "0114A026";
const THERE: &str = "0114B027";
const TOKEN: &str = "jbt_uji_0123456789abcdefghij";

/// A bridge of two facilities with a real store and a clock that stands at 10.00 WITA.
struct Bridge {
    _folder: TempDir,
    store: Arc<SqliteStore>,
    live: Arc<Live>,
    clock: Clock,
    chance: Chance,
    app: Router,
}

fn now() -> Timestamp {
    "2026-11-21T10:00:00+08:00".parse().unwrap()
}

fn facility(code: &str, name: &str) -> Facility {
    let base_url = "https://bpjs.invalid/pcare-rest".to_owned();
    Facility {
        code: code.to_owned(),
        name: name.to_owned(),
        timezone: TimeZone::get("Asia/Makassar").unwrap(),
        pcare: Some(ServiceConfig { base_url, app_code: Some("095".to_owned()) }),
        vclaim: None,
        antrean_fktp: None,
        icare: None,
        party: crate::config::Party::default(),
    }
}

fn open(folder: &Path) -> SqliteStore {
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    let settings = Settings { path: folder.join("j.db"), sealer: Sealer::new(&[7; 32], &[8; 32]), catalogue };
    SqliteStore::open(settings).unwrap().0
}

fn authenticate() -> Authenticate {
    Arc::new(|token| match token {
        TOKEN => Some(Visitor { name: "petugas".to_owned(), facilities: Vec::new() }),
        "hanya-sana" => Some(Visitor { name: "sana".to_owned(), facilities: vec![THERE.to_owned()] }),
        _ => None,
    })
}

/// One facility's duties, with a certificate that ends in three weeks.
fn calendar() -> Calendar {
    let zone = TimeZone::get("Asia/Makassar").unwrap();
    let place = Place { code: HERE.to_owned(), zone, password_set: None };
    let not_after = "2026-12-10T12:00:00Z".parse().unwrap();
    let found = vec![Certificate { name: "http.tls".to_owned(), not_after, note: String::new() }];
    let unreadable = vec!["sertifikat certs/rusak.pem: tidak memuat sertifikat".to_owned()];
    let seen = Certificates { found, unreadable };
    Calendar {
        contracts: Arc::new(Contracts::load(Path::new("bontang-2024.toml"), None).unwrap()),
        places: Arc::new(move || vec![place.clone()]),
        certificates: Arc::new(move || seen.clone()),
    }
}

impl Bridge {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(open(folder.path()));
        let live = Arc::new(Live::new(now() - 2.hours(), 200 << 20));
        let clock = Clock::manual(now());
        live.beat("push", now());
        live.disk_free(5 << 30, now());
        let state = StatusState {
            store: store.clone(),
            live: live.clone(),
            clock: clock.clone(),
            facilities: Arc::new([facility(HERE, "PKM Contoh"), facility(THERE, "Klinik Sana")]),
            calendar: calendar(),
            authenticate: authenticate(),
            secure: false,
        };
        Self { _folder: folder, store, live, clock, chance: Chance::seeded(1), app: router(state) }
    }

    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.chance.bits().to_be_bytes());
        bytes
    }

    fn base(&self) -> Base {
        Base { boot: BootId::new(now(), &[1; 10]), settle: None, chance: 0.5, others_pass: true }
    }

    /// Hands in one registration of the same invented patient.
    async fn entry(&self, facility: &str, reference: &str, accepted_at: Timestamp) -> DeliveryId {
        let zone = TimeZone::get("Asia/Makassar").unwrap();
        let service_date = accepted_at.to_zoned(zone.clone()).date();
        let service = ServiceTime { occurred_at: None, service_date, accepted_at, zone };
        let id = DeliveryId::new(accepted_at, &self.bytes());
        let entry = NewEntry {
            id,
            position: 0,
            entry_ref: "daftar".to_owned(),
            operation: "pcare.pendaftaran.add".to_owned(),
            service: "pcare".to_owned(),
            payload: Private::new(json!({ "noKartu": CARD, "keluhan": "batuk" })),
            occurred_at: None,
            service_date: Some(service_date),
            deadline: Profile::shipped_bontang().unwrap().deadline("entry.immediate", &service),
            due_at: accepted_at,
            no_kartu: None,
            about: None,
            natural_key: None,
            mark: None,
            after: Vec::new(),
        };
        let submission = NewSubmission {
            id: SubmissionId::new(accepted_at, &self.bytes()),
            client: "sim".to_owned(),
            facility: facility.to_owned(),
            reference: reference.to_owned(),
            canonical: Private::new(reference.to_owned()),
            patient: Some(Private::new(json!({ "nik": NIK, "nama": "SITI CONTOH" }))),
            accepted_at,
            warnings: Vec::new(),
            approval: false,
            entries: vec![entry],
        };
        self.store.accept(submission).await.unwrap();
        id
    }

    /// BPJS refuses what is due, with words that name the patient.
    async fn refuse(&self, facility: &str) {
        let ask = ClaimAsk {
            facility: facility.to_owned(),
            service: "pcare".to_owned(),
            limit: 10,
            now: now(),
            lease_until: now() + 1.minute(),
            credential_version: 1,
            base: self.base(),
        };
        for claimed in self.store.claim(ask).await.unwrap() {
            let refusal = Refusal {
                code: 412,
                message: Private::new(format!("SITI CONTOH {CARD} belum skrining")),
                rule: "skrining".to_owned(),
                meaning: "Peserta belum mengisi skrining riwayat kesehatan tahun ini.".to_owned(),
                who: Who::Registration,
                next: "Bantu peserta mengisi skrining kesehatan, lalu coba lagi (retry).".to_owned(),
            };
            let recorded = Recorded {
                id: claimed.delivery.id,
                token: claimed.token,
                attempt: claimed.attempt,
                event: Event::Ended(Outcome::Refused(refusal)),
                now: now(),
                base: self.base(),
                end: AttemptEnd::default(),
            };
            self.store.record(recorded).await.unwrap().unwrap();
        }
    }

    async fn hold(&self, id: DeliveryId) {
        let act = Act {
            id,
            event: Event::Hold { reason: format!("tunggu SITI {NIK}") },
            payload: None,
            owns: None,
            now: now(),
            base: self.base(),
            audit: audit("delivery.hold"),
        };
        self.store.act(act).await.unwrap();
    }

    async fn outage(&self, facility: &str, verdict: Verdict, at: Timestamp) -> i64 {
        let open = OutageChange::Open {
            facility: facility.to_owned(),
            service: "pcare".to_owned(),
            cause: "tcp".to_owned(),
            verdict,
            evidence: json!({}),
            at,
            actor: "jembatan".to_owned(),
        };
        let row = CircuitRow { facility: facility.to_owned(), service: "pcare".to_owned(), open: true, since: at };
        self.store.set_circuit(row).await.unwrap();
        self.store.change_outage(open).await.unwrap().id
    }

    async fn busy_morning(&self) {
        for number in 0..3 {
            self.entry(HERE, &format!("a{number}"), now() - 3.hours()).await;
        }
        self.refuse(HERE).await;
        let held = self.entry(HERE, "b", now() - 50.minutes()).await;
        self.hold(held).await;
        self.entry(HERE, "c", now() - 40.minutes()).await;
        self.entry(THERE, "d", now() - 26.hours()).await;
        let closed = self.outage(THERE, Verdict::Network, now() - 1.hour()).await;
        let close = OutageChange::Close { id: closed, at: now() - 50.minutes(), actor: "jembatan".to_owned() };
        self.store.change_outage(close).await.unwrap();
        let (facility, service) = (THERE.to_owned(), "pcare".to_owned());
        let row = CircuitRow { facility, service, open: false, since: now() - 50.minutes() };
        self.store.set_circuit(row).await.unwrap();
        self.outage(HERE, Verdict::Bpjs, now() - 45.minutes()).await;
        let pause = PauseRow {
            facility: THERE.to_owned(),
            reason: format!("kartu {CARD} diperiksa"),
            actor: "petugas".to_owned(),
            since: now() - 10.minutes(),
        };
        self.store.set_pause(THERE, Some(pause), audit("pause")).await.unwrap();
        let stop = LaneStop {
            facility: THERE.to_owned(),
            service: "pcare".to_owned(),
            message: Private::new("password SITI salah".to_owned()),
            since: now() - 20.minutes(),
            credential_version: 1,
        };
        self.store.set_lane_stop(THERE, "pcare", Some(stop)).await.unwrap();
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, path: &str, cookie: Option<&str>) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(path);
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, format!("lain=1; {cookie}"));
        }
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: &str) -> (StatusCode, HeaderMap, String) {
        self.ask(Request::post(path).body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn log_in(&self, token: &str) -> String {
        let (status, headers, _) = self.post("/masuk", &format!("token={token}")).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let cookie = headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }
}

fn audit(action: &str) -> AuditEntry {
    let word = |text: &str| text.to_owned();
    AuditEntry { at: now(), actor: word("petugas"), action: word(action), object: word(HERE), detail: word("uji") }
}

/// The longest run of digits.
fn longest_number(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0)
}

fn assert_no_patient(text: &str) {
    assert!(longest_number(text) < 13, "{text}");
    for secret in ["SITI", "batuk", CARD, NIK] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn health_is_200_while_degraded_and_503_when_down_and_names_no_patient() {
    let bridge = Bridge::new();
    let (status, _, body) = bridge.get("/health", None).await;
    let report: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &report["status"], &report["verdict"]), (StatusCode::OK, &json!("ok"), &json!("none")));

    bridge.busy_morning().await;
    let (status, _, body) = bridge.get("/health", None).await;
    let report: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &report["status"], &report["verdict"]), (StatusCode::OK, &json!("degraded"), &json!("us")));
    let names: Vec<&str> =
        report["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"credentials.0114B027.pcare") && names.contains(&"circuit.0114A026.pcare"));
    assert_no_patient(&body);

    bridge.clock.advance(std::time::Duration::from_secs(46));
    let (status, _, body) = bridge.get("/health", None).await;
    let report: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &report["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("down")));
    assert_eq!(bridge.get("/health/live", None).await.2, "ok");
}

#[tokio::test]
async fn a_store_that_is_gone_turns_health_red_and_the_page_still_comes() {
    let bridge = Bridge::new();
    bridge.store.close();
    bridge.live.store(Some("closed"), now());
    assert_eq!(bridge.get("/health", None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let (status, _, page) = bridge.get("/", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("<h1>BERHENTI</h1>"), "{page}");
    assert!(page.contains("<dd>kita</dd>"));
}

#[tokio::test]
async fn without_a_login_the_page_shows_the_light_and_nothing_else() {
    let bridge = Bridge::new();
    let (_, _, page) = bridge.get("/", None).await;
    assert!(page.contains("<h1>BERJALAN</h1>"));
    bridge.busy_morning().await;
    let (status, headers, page) = bridge.get("/", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("<h1>TERGANGGU</h1>") && page.contains("<dd>kita</dd>"));
    assert!(page.contains("21 November 2026 09.40 WITA"), "{page}");
    for inner in [HERE, THERE, "PKM Contoh", "skrining", "Berapa lama lagi", "0114"] {
        assert!(!page.contains(inner), "{inner}");
    }
    assert_no_patient(&page);
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn behind_the_login_the_page_answers_the_four_questions_without_naming_a_patient() {
    let bridge = Bridge::new();
    bridge.busy_morning().await;
    let cookie = bridge.log_in(TOKEN).await;
    let (status, _, page) = bridge.get("/", Some(&cookie)).await;
    assert_eq!(status, StatusCode::OK);
    let wanted = [
        "<h1>TERGANGGU</h1>",
        "<dd>kita</dd>",
        "pihak: BPJS",
        "13 jam 59 menit",
        "<b>3</b> <span>ditolak BPJS</span>",
        "belum mengisi skrining",
        "Oleh: pendaftaran",
        "<b>1</b> <span>ditahan</span>",
        "PKM Contoh",
        "masih berlangsung",
        "Klinik Sana",
        "0114B027 dijeda sejak 21 November 2026 09.50 WITA oleh petugas: kartu … diperiksa",
        "ditolak sejak 21 November 2026 09.40 WITA",
    ];
    for part in wanted {
        assert!(page.contains(part), "{part} not in {page}");
    }
    assert_no_patient(&page);
}

#[tokio::test]
async fn duties_that_press_stand_on_the_page_and_in_the_view() {
    let bridge = Bridge::new();
    let facilities = [facility(HERE, "PKM Contoh"), facility(THERE, "Klinik Sana")];
    let scope = Scope { configured: &facilities, only: &[] };
    let view = StatusView::gather(bridge.store.as_ref(), &bridge.live, scope, &calendar(), now()).await;
    let certificate = view.duties.iter().find(|duty| duty.id.starts_with("tls.certificate~http.tls-")).unwrap();
    assert_eq!(certificate.due, Some("2026-12-09T23:59:59.999+08:00".parse().unwrap()), "a day before it ends");
    assert!(certificate.note.as_ref().unwrap().contains("2026-12-10 20:00") && !certificate.overdue);
    assert!(view.duties.iter().any(|duty| duty.overdue && duty.id == "claim.submit~2026-10~0114A026"));
    assert!(view.duties[0].title.contains("rusak.pem"), "what cannot be read stands first");
    assert!(!view.duties.iter().any(|duty| duty.id.starts_with("hfis.pakta~2026-11")), "not yet reminded of");
    let elsewhere = [THERE.to_owned()];
    let scope = Scope { configured: &facilities, only: &elsewhere };
    let theirs = StatusView::gather(bridge.store.as_ref(), &bridge.live, scope, &calendar(), now()).await;
    assert!(theirs.duties.iter().all(|duty| duty.facility == "*"), "{:?}", theirs.duties);
    let page = page::inside(&view, &facilities[0].timezone, "petugas").unwrap();
    assert!(page.contains("Kewajiban perjanjian yang mendesak") && page.contains("9 Desember 2026 23.59 WITA"));
}

#[tokio::test]
async fn the_view_travels_as_json_and_says_what_the_page_says() {
    let bridge = Bridge::new();
    bridge.busy_morning().await;
    let facilities = [facility(HERE, "PKM Contoh"), facility(THERE, "Klinik Sana")];
    let scope = Scope { configured: &facilities, only: &[] };
    let view = StatusView::gather(bridge.store.as_ref(), &bridge.live, scope, &calendar(), now()).await;
    let text = serde_json::to_string(&view).unwrap();
    assert_no_patient(&text);
    let back: StatusView = serde_json::from_str(&text).unwrap();
    assert_eq!(back.headline, view.headline);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["time"]["late"], 1);
    assert_eq!(json["attention"][0]["code"], "skrining");
    assert_eq!(json["attention"][0]["who"], "registration");
    assert_eq!(json["counts"][0]["states"], json!({ "waiting": 1, "refused": 3, "held": 1 }));
    assert_eq!(json["outages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn something_due_for_long_on_a_free_lane_is_our_own_backlog() {
    let bridge = Bridge::new();
    bridge.entry(HERE, "a", now() - 6.minutes()).await;
    let report: Value = serde_json::from_str(&bridge.get("/health", None).await.2).unwrap();
    assert_eq!((&report["status"], &report["verdict"]), (&json!("degraded"), &json!("us")));
    bridge.outage(HERE, Verdict::Bpjs, now() - 1.minute()).await;
    let report: Value = serde_json::from_str(&bridge.get("/health", None).await.2).unwrap();
    assert_eq!((&report["status"], &report["verdict"]), (&json!("degraded"), &json!("bpjs")));
}

#[tokio::test]
async fn the_page_needs_no_script_and_nothing_from_elsewhere() {
    let bridge = Bridge::new();
    bridge.busy_morning().await;
    let cookie = bridge.log_in(TOKEN).await;
    for page in [bridge.get("/", None).await.2, bridge.get("/", Some(&cookie)).await.2] {
        let lower = page.to_lowercase();
        for foreign in ["<script", "javascript:", " onclick", " onload", "http://", "https://", "style=", "<style"] {
            assert!(!lower.contains(foreign), "{foreign}");
        }
        assert!(page.contains("<link rel=\"stylesheet\" href=\"/status.css\">"));
        assert_eq!(page.matches("<section").count(), page.matches("</section>").count());
        assert_eq!(page.matches("<dl").count(), page.matches("</dl>").count());
    }
    let (status, headers, css) = bridge.get("/status.css", None).await;
    assert_eq!((status, &headers[header::CONTENT_TYPE]), (StatusCode::OK, &"text/css; charset=utf-8".parse().unwrap()));
    assert!(!css.contains("url("));
}

#[tokio::test]
async fn a_reader_of_one_facility_sees_only_that_facility() {
    let bridge = Bridge::new();
    bridge.busy_morning().await;
    let cookie = bridge.log_in("hanya-sana").await;
    let (_, _, page) = bridge.get("/", Some(&cookie)).await;
    assert!(page.contains(THERE) && page.contains("Klinik Sana"));
    for other in [HERE, "PKM Contoh", "skrining"] {
        assert!(!page.contains(other), "{other}");
    }
}

#[tokio::test]
async fn a_session_ends_with_the_door_the_hours_or_the_token() {
    let bridge = Bridge::new();
    let inside = |page: &str| page.contains("Berapa lama lagi");
    let cookie = bridge.log_in(TOKEN).await;
    assert!(inside(&bridge.get("/", Some(&cookie)).await.2));
    let leave = Request::post("/keluar").header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
    assert_eq!(bridge.ask(leave).await.0, StatusCode::SEE_OTHER);
    assert!(!inside(&bridge.get("/", Some(&cookie)).await.2));

    let cookie = bridge.log_in(TOKEN).await;
    bridge.clock.advance(LIFE);
    assert!(!inside(&bridge.get("/", Some(&cookie)).await.2));
    assert!(!inside(&bridge.get("/", Some("jembatan_sesi=00")).await.2));

    let sessions = Sessions::default();
    let id = sessions.open(TOKEN, now()).unwrap();
    assert!(sessions.visitor(&id, now(), &authenticate()).is_some());
    let revoked: Authenticate = Arc::new(|_| None);
    assert!(sessions.visitor(&id, now(), &revoked).is_none());
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_guessing_is_slowed_down() {
    let bridge = Bridge::new();
    for _ in 0..10 {
        let (status, headers, page) = bridge.post("/masuk", "token=salah").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(!headers.contains_key(header::SET_COOKIE) && page.contains("Token tidak dikenal"));
    }
    assert_eq!(bridge.post("/masuk", &format!("token={TOKEN}")).await.0, StatusCode::TOO_MANY_REQUESTS);
    bridge.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(bridge.post("/masuk", &format!("token={TOKEN}")).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn another_sites_form_opens_no_session_and_a_get_changes_nothing() {
    let bridge = Bridge::new();
    let foreign = Request::post("/masuk").header("sec-fetch-site", "cross-site");
    let (status, headers, _) = bridge.ask(foreign.body(Body::from(format!("token={TOKEN}"))).unwrap()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(!headers.contains_key(header::SET_COOKIE));
    assert_eq!(bridge.get("/masuk", None).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(bridge.get("/keluar", None).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let long = format!("token={}", "x".repeat(BODY_MAX));
    assert_eq!(bridge.post("/masuk", &long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn metrics_say_what_health_says_in_openmetrics_without_personal_labels() {
    let bridge = Bridge::new();
    bridge.busy_morning().await;
    bridge.live.attempt("pcare.pendaftaran.add", "refused");
    bridge.live.attempt("pcare.pendaftaran.add", "refused");
    bridge.live.clock(HERE, -3, true, now());
    let (status, headers, text) = bridge.get("/metrics", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text"));
    let wanted = [
        "jembatan_deliveries{facility=\"0114A026\",service=\"pcare\",state=\"refused\"} 3",
        "jembatan_attempts_total{operation=\"pcare.pendaftaran.add\",outcome=\"refused\"} 2",
        // Of what was accepted first in each state, whatever the clock said then.
        "jembatan_oldest_unfinished_seconds 2400",
        "jembatan_nearest_deadline_seconds 50399",
        "jembatan_oldest_due_seconds 93600",
        "jembatan_late 1",
        "jembatan_circuit_open{facility=\"0114A026\",service=\"pcare\"} 1",
        "jembatan_credentials_refused{facility=\"0114B027\",service=\"pcare\"} 1",
        "jembatan_outage_open{facility=\"0114A026\",service=\"pcare\"} 1",
        "jembatan_outage_open{facility=\"0114B027\",service=\"pcare\"} 0",
        "jembatan_clock_skew_seconds{facility=\"0114A026\"} -3",
        "jembatan_disk_free_bytes 5368709120",
        "jembatan_build_info{version=",
        "# EOF",
    ];
    for part in wanted {
        assert!(text.contains(part), "{part} not in {text}");
    }
    assert!(text.contains("jembatan_store_bytes "));
    for secret in ["SITI", CARD, NIK] {
        assert!(!text.contains(secret));
    }
}
