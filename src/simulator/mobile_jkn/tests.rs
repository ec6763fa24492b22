//! The driver against a small service written from the facts, right and wrong in one thing at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

const DAY: &str = "2026-11-23";

/// How the service of this test errs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    CamelCase,
    TakesTwice,
    NewPatientsRefused,
    OpenToAnyToken,
    DigitsOnly,
    ForgetsToCancel,
}

#[derive(Default)]
struct Book {
    patients: BTreeSet<String>,
    places: BTreeMap<String, u32>,
    last: u32,
}

#[derive(Clone)]
struct Facility(Arc<Mutex<Book>>, Flaw);

fn envelope(flaw: Flaw, code: u16, message: &str, response: Value) -> String {
    let name = if flaw == Flaw::CamelCase { "metaData" } else { "metadata" };
    json!({ "response": response, name: { "message": message, "code": code } }).to_string()
}

async fn answer(
    State(Facility(book, flaw)): State<Facility>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> String {
    let say = |code, message: &str, response| envelope(flaw, code, message, response);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if uri.path() == "/auth" {
        let known = header("x-username") == "pkm" && header("x-password") == "rahasia";
        return if known {
            say(200, "Ok", json!({ "token": "abc" }))
        } else {
            say(201, "Username atau Password Tidak Sesuai", Value::Null)
        };
    }
    let entered = header("x-token") == "abc" && header("x-username") == "pkm";
    if !entered && flaw != Flaw::OpenToAnyToken {
        return say(201, "Token Expired", Value::Null);
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let mut book = book.lock().unwrap();
    let (code, message, response) = book.answer(flaw, (method.as_str(), &parts), &body);
    say(code, message, response)
}

type Said = (u16, &'static str, Value);

fn place(number: u32) -> Value {
    json!({ "nomorantrean": format!("A{number}"), "angkaantrean": number, "namapoli": "Poli Umum", "sisaantrean": "0",
        "antreanpanggil": "A0", "keterangan": "" })
}

fn status(clinic: &str, day: &str) -> Said {
    match (clinic, day) {
        ("001", DAY) => {
            let row = json!({ "namapoli": "Poli Umum", "totalantrean": "1", "sisaantrean": 1, "antreanpanggil": "A0",
                "keterangan": "", "kodedokter": 7, "namadokter": "dr. A", "jampraktek": "08:00-12:00" });
            (200, "Ok", json!([row]))
        }
        ("001", _) => (201, "Format Tanggal Tidak Sesuai, format yang benar adalah yyyy-mm-dd", Value::Null),
        _ => (201, "Poli Tidak Ditemukan", Value::Null),
    }
}

impl Book {
    fn answer(&mut self, flaw: Flaw, (method, parts): (&str, &[&str]), body: &Value) -> Said {
        let word = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        match (method, parts) {
            ("GET", ["antrean", "status", clinic, day]) => status(clinic, day),
            ("GET", ["antrean", "sisapeserta", card, ..]) => match self.places.get(*card) {
                Some(number) => (200, "Ok", place(*number)),
                None => (201, "Antrean Tidak Ditemukan !", Value::Null),
            },
            ("POST", ["peserta"]) => {
                let digits = word("kodekel").bytes().all(|byte| byte.is_ascii_digit());
                if flaw == Flaw::NewPatientsRefused || (flaw == Flaw::DigitsOnly && !digits) {
                    return (201, "Format Kode Kelurahan salah", Value::Null);
                }
                self.patients.insert(word("nomorkartu"));
                (200, "Ok", Value::Null)
            }
            ("POST", ["antrean"]) => self.book(flaw, body),
            ("PUT", ["antrean", "batal"]) => {
                let card = word("nomorkartu");
                if flaw == Flaw::ForgetsToCancel && self.places.contains_key(&card) {
                    return (200, "Ok", Value::Null);
                }
                match self.places.remove(&card) {
                    Some(_) => (200, "Ok", Value::Null),
                    None => (201, "Antrean Tidak Ditemukan !", Value::Null),
                }
            }
            _ => (404, "tidak ada", Value::Null),
        }
    }

    fn book(&mut self, flaw: Flaw, body: &Value) -> Said {
        let word = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let card = word("nomorkartu");
        if word("kodepoli") != "001" || word("tanggalperiksa") != DAY || card.len() != 13 {
            return (201, "Data tidak sesuai", Value::Null);
        }
        if !self.patients.contains(&card) {
            return (202, "Pasien Baru", Value::Null);
        }
        if self.places.contains_key(&card) && flaw != Flaw::TakesTwice {
            return (201, "Nomor Antrean Hanya Dapat Diambil 1 Kali Pada Tanggal dan Poli Yang Sama", Value::Null);
        }
        self.last += 1;
        self.places.insert(card, self.last);
        (200, "Ok", place(self.last))
    }
}

async fn driven(flaw: Flaw) -> Vec<Check> {
    let facility = Facility(Arc::default(), flaw);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(facility.clone());
    let served = tokio::spawn(async move { axum::serve(listener, router).await });
    let target = Target { url, username: "pkm".to_owned(), password: Password::new("rahasia"), trusted: Vec::new() };
    let plan = Plan {
        clinic: "001".to_owned(),
        day: DAY.parse().unwrap(),
        doctor: None,
        versions: vec![1, 2],
        seed: 7,
        token_life: None,
    };
    let checks = drive(&target, &plan, &Clock::system()).await.unwrap();
    served.abort();
    if flaw == Flaw::None {
        assert!(facility.0.lock().unwrap().places.is_empty(), "what is booked is cancelled again");
        assert_eq!(facility.0.lock().unwrap().last, 4, "two numbers for each body: booked, and the race after it");
    }
    checks
}

fn failed(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|check| !check.passed).map(|check| format!("{} {}", check.scene, check.step)).collect()
}

#[tokio::test]
async fn a_service_by_the_facts_passes_every_check() {
    let checks = driven(Flaw::None).await;
    assert_eq!(failed(&checks), Vec::<String>::new(), "{checks:#?}");
    let scenes: BTreeSet<&str> = checks.iter().map(|check| check.scene).collect();
    assert_eq!(scenes, BTreeSet::from(["auth", "status", "v1", "v2", "masukan"]));
    assert!(!format!("{checks:?}").contains("00099"), "no card is shown");
}

#[tokio::test]
async fn every_flaw_is_found() {
    assert!(failed(&driven(Flaw::CamelCase).await).len() >= 5, "no envelope at all");
    assert!(failed(&driven(Flaw::TakesTwice).await).contains(&"v1 ambil sekali lagi".to_owned()));
    let new = failed(&driven(Flaw::NewPatientsRefused).await);
    assert!(new.contains(&"v2 pasien baru, kodekel dengan huruf".to_owned()), "{new:?}");
    assert!(failed(&driven(Flaw::DigitsOnly).await).contains(&"v1 pasien baru, kodekel dengan huruf".to_owned()));
    let open = failed(&driven(Flaw::OpenToAnyToken).await);
    assert_eq!(open, ["auth token palsu", "auth tanpa token", "auth token milik nama pengguna lain"]);
    let kept = failed(&driven(Flaw::ForgetsToCancel).await);
    assert!(kept.contains(&"v1 sisa setelah batal".to_owned()), "{kept:?}");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_failed_check_not_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let target = Target { url, username: "pkm".to_owned(), password: Password::new("x"), trusted: Vec::new() };
    let plan = Plan {
        clinic: "001".to_owned(),
        day: DAY.parse().unwrap(),
        doctor: None,
        versions: vec![1],
        seed: 1,
        token_life: None,
    };
    let checks = drive(&target, &plan, &Clock::system()).await.unwrap();
    assert!(checks.iter().all(|check| !check.passed));
    assert_eq!(checks[0].got, "connection refused");
}
