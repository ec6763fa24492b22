//! What the tests of this module share: an invented facility, a vault, and a transport that answers from a function.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use super::client::Remote;
use super::transport::{Reply, Request, Transport, TransportError};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::config::{Facility, RemoteConfig, ServiceConfig};
use crate::protocol::envelope::{self, Dialect};
use crate::protocol::seal;
use crate::protocol::sign::Stamp;
use crate::secret::{ConsId, Private, SecretKey};
use crate::vault::{CredentialName, KeyAccess, KeySource, Vault};

pub(super) const FACILITY: &str = "0114A026";

pub(super) fn cons() -> ConsId {
    ConsId::new("12345")
}

pub(super) fn secret() -> SecretKey {
    SecretKey::new("rahasia-uji")
}

pub(super) fn start() -> Timestamp {
    "2026-11-21T01:02:03Z".parse().unwrap()
}

/// A body in P-Care's envelope with a sealed response.
pub(super) fn sealed(code: i64, message: &str, stamp: i64, response: &Value) -> Vec<u8> {
    let text = seal::seal(&cons(), &secret(), Stamp::from_seconds(stamp), &response.to_string());
    envelope::write(&Dialect::PCARE, code, message, Value::String(text))
}

/// A body in P-Care's envelope with the response as it is.
pub(super) fn plain(code: i64, message: &str, response: Value) -> Vec<u8> {
    envelope::write(&Dialect::PCARE, code, message, response)
}

pub(super) fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply { status, date: None, retry_after: None, content_type: None, body: Private::new(body.into()) }
}

/// The value of a request's header.
pub(super) fn header(request: &Request, name: &str) -> Option<String> {
    let found = request.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.expose().clone())
}

pub(super) fn stamp_of(request: &Request) -> i64 {
    header(request, "X-timestamp").unwrap().parse().unwrap()
}

type Answer = dyn Fn(&Request) -> Result<Reply, TransportError> + Send + Sync;

/// A transport that answers from a function and remembers what was asked.
pub(super) struct Fake {
    answer: Box<Answer>,
    pub(super) seen: Mutex<Vec<Request>>,
}

impl Fake {
    pub(super) fn new(answer: impl Fn(&Request) -> Result<Reply, TransportError> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), seen: Mutex::default() })
    }

    pub(super) fn paths(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|request| request.url.expose().replace("https://bpjs.example/pcare-rest/", "")).collect()
    }
}

#[async_trait::async_trait]
impl Transport for Fake {
    async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let answer = (self.answer)(&request);
        self.seen.lock().unwrap().push(request);
        answer
    }
}

/// A way out with a vault on disk, which lives as long as this.
pub(super) struct Bench {
    pub(super) remote: Remote,
    pub(super) vault: Vault,
    pub(super) clock: Clock,
    pub(super) catalogue: Arc<Catalogue>,
    _directory: TempDir,
}

pub(super) fn bench(transport: Arc<dyn Transport>) -> Bench {
    bench_at(transport, "https://bpjs.example/pcare-rest", &RemoteConfig::default())
}

pub(super) fn bench_at(transport: Arc<dyn Transport>, base_url: &str, config: &RemoteConfig) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let source = KeySource::File(directory.path().join("kek"));
    let vault = Vault::create(&directory.path().join("vault"), &source, KeyAccess::of_process(), start()).unwrap();
    let put = |name, value: &str| vault.put(FACILITY, name, value, start()).unwrap();
    put(CredentialName::ConsId, cons().expose());
    put(CredentialName::SecretKey, secret().expose());
    put(CredentialName::PcareUserKey, "kunci-pcare");
    put(CredentialName::PcareUsername, "contoh");
    put(CredentialName::PcarePassword, "sandi:contoh");
    put(CredentialName::VclaimUserKey, "kunci-vclaim");
    put(CredentialName::AntreanFktpUserKey, "kunci-antrean");
    put(CredentialName::IcareUserKey, "kunci-icare");
    let service = ServiceConfig { base_url: base_url.to_owned(), app_code: None };
    let beside = |path: &str| Some(ServiceConfig { base_url: format!("https://bpjs.example/{path}"), app_code: None });
    let facility = Facility {
        code: FACILITY.to_owned(),
        name: "PKM Contoh".to_owned(),
        timezone: jiff::tz::TimeZone::UTC,
        pcare: Some(service),
        vclaim: beside("vclaim-rest"),
        antrean_fktp: beside("antreanfktp"),
        icare: beside("wsihs"),
        party: crate::config::Party::default(),
    };
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    let clock = Clock::manual(start());
    let remote = Remote::new(config, &[facility], Arc::clone(&catalogue), vault.clone(), clock.clone(), transport);
    Bench { remote, vault, clock, catalogue, _directory: directory }
}

/// Development settings with times that a busy machine keeps.
pub(super) fn local() -> RemoteConfig {
    RemoteConfig {
        allow_local: true,
        connect_timeout: Duration::from_secs(20),
        request_timeout: Duration::from_secs(20),
        ..RemoteConfig::default()
    }
}

/// A root certificate, so that no test needs the system's.
pub(super) fn authority_pem() -> Vec<u8> {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&key).unwrap().pem().into_bytes()
}
