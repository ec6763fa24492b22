use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::json;
use tower::ServiceExt;

use super::faults::Kind;
use super::rules::Rules;
use super::*;
use crate::protocol::seal::open;
use crate::protocol::sign::{KD_APLIKASI, Stamp, authorization, signature};
use crate::secret::UserKey;

mod answers;
mod antrean;
mod control_plane;
mod day;
mod door;
mod generic;
mod sep;
mod vclaim;

const CARD: &str = "0009900000000";
const TODAY: &str = "21-11-2026";

/// A client as careful as the catalogue asks, and a simulator on a clock that stands still.
struct Client {
    simulator: Simulator,
    clock: Clock,
    credentials: Credentials,
    content_type: &'static str,
    service: Service,
}

/// What came back.
#[derive(Debug)]
struct Got {
    status: u16,
    code: Value,
    message: String,
    /// `response`, opened where it was sealed.
    response: Value,
    headers: HeaderMap,
    raw: Vec<u8>,
}

fn client() -> Client {
    scripted(Script::default())
}

fn scripted(script: Script) -> Client {
    // 10.00 in Jakarta.
    let clock = Clock::manual("2026-11-21T03:00:00Z".parse().unwrap());
    let simulator = Simulator::new(Settings { clock: clock.clone(), script, ..Settings::default() });
    let credentials = simulator.credentials();
    Client { simulator, clock, credentials, content_type: "text/plain", service: Service::Pcare }
}

fn with_fault(fault: Fault) -> Client {
    scripted(Script { fault: vec![fault], ..Script::default() })
}

impl Client {
    fn stamp(&self) -> Stamp {
        Stamp::at(self.clock.now())
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Request<Body> {
        let Credentials { cons_id, secret_key, username, password, pcare, vclaim, antrean_fktp, icare } =
            &self.credentials;
        let (base, user_key) = match self.service {
            Service::Pcare => ("/pcare-rest", pcare),
            Service::Vclaim => ("/vclaim-rest", vclaim),
            Service::AntreanFktp => ("/antreanfktp", antrean_fktp),
            Service::Icare => ("/wsihs", icare),
        };
        Request::builder()
            .method(method)
            .uri(format!("{base}/{path}"))
            .header("X-cons-id", cons_id.expose())
            .header("X-timestamp", self.stamp().to_string())
            .header("X-signature", signature(cons_id, secret_key, self.stamp()))
            .header("X-authorization", authorization(username, password, KD_APLIKASI).as_str())
            .header("user_key", user_key.expose())
            .header("Content-Type", self.content_type)
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Got {
        let response = self.simulator.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let raw = to_bytes(body, 1 << 22).await.unwrap().to_vec();
        let envelope: Value = serde_json::from_slice(&raw).unwrap_or_default();
        let response = match &envelope["response"] {
            Value::String(sealed) if !sealed.is_empty() => match self.open(sealed) {
                // What was never sealed.
                Value::Null if self.service != Service::Pcare => Value::String(sealed.clone()),
                opened => opened,
            },
            other => other.clone(),
        };
        let key = if self.service == Service::AntreanFktp { "metadata" } else { "metaData" };
        let meta = &envelope[key];
        let message = meta["message"].as_str().unwrap_or_default().to_owned();
        Got {
            status: parts.status.as_u16(),
            code: meta["code"].clone(),
            message,
            response,
            headers: parts.headers,
            raw,
        }
    }

    fn open(&self, sealed: &str) -> Value {
        let limits = crate::protocol::json::Limits::default();
        open(&self.credentials.cons_id, &self.credentials.secret_key, self.stamp(), sealed, &limits)
            .unwrap_or(Value::Null)
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        self.send(self.request(method, path, body.as_ref())).await
    }

    /// The same client, calling another service.
    fn to(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    async fn get(&self, path: &str) -> Got {
        self.call("GET", path, None).await
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
        let response =
            self.simulator.router().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1 << 22).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// How many records of a kind have landed.
    fn landed(&self, kind: &str) -> usize {
        self.simulator.ledger()[kind].as_array().unwrap().len()
    }

    async fn registered(&self) -> &Self {
        assert_eq!(self.call("POST", "pendaftaran", Some(registration())).await.status, 201);
        self
    }

    async fn visited(&self) -> String {
        self.registered().await;
        let got = self.call("POST", "kunjungan/v1", Some(visit())).await;
        got.response[0]["message"].as_str().unwrap().to_owned()
    }
}

fn registration() -> Value {
    json!({ "kdProviderPeserta": "0114A026", "tglDaftar": TODAY, "noKartu": CARD, "kdPoli": "001",
    "keluhan": "demam \"tinggi\" 🤒\n",
        "kunjSakit": true, "sistole": 0, "diastole": 0, "beratBadan": 0, "tinggiBadan": 0, "respRate": 0,
        "lingkarPerut": 0,
        "heartRate": 0, "rujukBalik": 0, "kdTkp": "10" })
}

fn visit() -> Value {
    json!({ "noKunjungan": null, "noKartu": CARD, "tglDaftar": TODAY, "kdPoli": "001", "keluhan": "demam",
    "kdSadar": "01",
        "sistole": 120, "diastole": 80, "beratBadan": 60, "tinggiBadan": 165, "respRate": 20, "heartRate": 84,
        "lingkarPerut": 80,
        "kdStatusPulang": "4", "tglPulang": TODAY, "kdDokter": "001", "kdDiag1": "A01.1", "kdDiag2": null,
        "kdDiag3": null,
        "kdPoliRujukInternal": null, "kdTacc": -1, "alasanTacc": null, "anamnesa": "demam", "alergiMakan": "00",
        "alergiUdara": "00",
        "alergiObat": "00", "kdPrognosa": "01", "terapiObat": "-", "terapiNonObat": "-", "bmhp": "-", "suhu": "37,8",
        "rujukLanjut": { "tglEstRujuk": "22-11-2026", "kdppk": "0114R049",
            "subSpesialis": { "kdSubSpesialis1": "3", "kdSarana": null }, "khusus": null } })
}
