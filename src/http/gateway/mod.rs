//! The gateway `/ws/{service}/{path}`: a SIM that speaks BPJS already changes its base URL and its credentials, nothing else.
//!
//! Job: let a caller in as BPJS would (`door`), find the operation in the catalogue (`route`), pass a read through
//! under the facility's own credentials (`read`) and make a submission of a write (`write`), and answer in the
//! service's envelope, sealed for the caller (`answer`); while BPJS is away from what is kept (`kept`). Invariants: what the catalogue does not know is not passed on;
//! real credentials never leave the vault's side; a write is on disk before anything is answered, and a repeated one is
//! the same entry; nothing of a path, a body or an answer is logged. Neighbours: `remote` passes, `intake` accepts,
//! `store` knows generations and provisional numbers. What it does not do: decide what is kept (`keep`), send writes (`push`).

mod answer;
mod door;
mod kept;
mod numbers;
mod outcome;
mod read;
mod route;
mod same;
mod shape;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::Value;
use tokio::sync::Semaphore;

use self::answer::{Reply, Secrecy, Voice};
use self::door::{Failures, Knock, Visitor};
use super::App;
use super::auth::Caller;
use crate::catalogue::{Operation, Service};
use crate::config::GatewayConfig;
use crate::intake::json;
use crate::keep::Keep;
use crate::remote::{Lane, Remote};
use crate::secret::Private;
use crate::vault::{Role, Vault};

/// How long one call may take whatever happens; a read waits for BPJS, a write for `gateway.wait`.
const PATIENCE: Duration = Duration::from_secs(150);
/// The header in which a client of several facilities names the one it speaks for.
const FACILITY: &str = "x-jembatan-facility";

/// What the gateway needs besides the other routes' [`App`]; the daemon fills it.
pub struct Gateway {
    /// Local credentials.
    pub vault: Vault,
    /// The way out.
    pub remote: Remote,
    /// The circuits.
    pub lanes: Vec<Arc<Lane>>,
    /// What is kept of reads.
    pub keep: Arc<Keep>,
    /// `[gateway]`
    pub config: GatewayConfig,
    /// Application codes that facilities have configured besides 095.
    pub app_codes: Vec<String>,
    failures: Failures,
    /// Answers that are being kept.
    keeping: Arc<Semaphore>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway that nobody has called yet.
    #[must_use]
    pub fn new(
        vault: Vault,
        remote: Remote,
        lanes: Vec<Arc<Lane>>,
        keep: Arc<Keep>,
        config: GatewayConfig,
        app_codes: Vec<String>,
    ) -> Self {
        let keeping = Arc::new(Semaphore::new(kept::AT_ONCE));
        Self { vault, remote, lanes, keep, config, app_codes, failures: Failures::default(), keeping }
    }

    fn lane(&self, facility: &str, service: Service) -> Option<&Arc<Lane>> {
        self.lanes.iter().find(|lane| lane.facility == facility && lane.service == service)
    }
}

/// One call that was let in and understood.
struct Call<'a> {
    app: &'a Arc<App>,
    gateway: &'a Gateway,
    operation: &'a Operation,
    /// Placeholders of the path, decoded.
    params: Vec<(String, String)>,
    /// The path below the service as the client spelt it, without its query.
    path: String,
    /// Who calls.
    caller: Caller,
    /// For which facility.
    facility: String,
    /// The body as JSON; null without one.
    body: Private<Value>,
}

pub(super) async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    let Some(gateway) = app.gateway.clone() else {
        return Reply::own(404, "Gateway jembatan dimatikan ([gateway] enabled).")
            .render(Voice::of(&app.catalogue, Service::Pcare), &Secrecy::Plain);
    };
    let (parts, body) = request.into_parts();
    let Some((service, path)) = route::place(parts.uri.path()) else {
        let words = "Layanan ini tidak ada pada gateway. Pakai /ws/pcare, /ws/vclaim, /ws/antreanfktp atau /ws/icare.";
        return Reply::own(404, words).render(Voice::of(&app.catalogue, Service::Pcare), &Secrecy::Plain);
    };
    let found = route::method(&parts.method).and_then(|method| app.catalogue.route(service, method, path));
    let voice = found
        .as_ref()
        .map_or_else(|| Voice::of(&app.catalogue, service), |(operation, _)| Voice::of_operation(operation));
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let knock = Knock { peer, voice, now: app.clock.now() };
    let visitor = match door::enter(&app, &gateway, &parts.headers, knock) {
        Ok(visitor) => visitor,
        Err(refusal) => return refusal.render(voice, &Secrecy::Plain),
    };
    let Visitor { caller, secrecy } = visitor;
    let answered = async {
        let facility = facility(&app, &caller, &parts)?;
        let (operation, params) = found.ok_or_else(|| unknown(service, &parts, path))?;
        let body = Private::new(read_body(&app, operation, body).await?);
        let path = path.trim_matches('/').to_owned();
        let call = Call { app: &app, gateway: &gateway, operation, params, path, caller, facility, body };
        Ok::<Reply, Reply>(if operation.is_write() { write::answer(call).await } else { read::answer(call).await })
    };
    let reply = match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(reply) | Err(reply)) => reply,
        Err(_) => Reply::own(408, "Permintaan tidak selesai pada waktunya. Kirim ulang permintaan yang sama."),
    };
    let delivery = reply.delivery.map(|id| id.to_string());
    tracing::debug!(service = service.word(), code = reply.code, delivery, "gateway call answered");
    reply.render(voice, &secrecy)
}

/// The facility a caller speaks for: its only one, or the one it names.
fn facility(app: &App, caller: &Caller, parts: &Parts) -> Result<String, Reply> {
    if !matches!(caller.role, Role::Sim | Role::Network) {
        let words = format!("Peran {} tidak boleh memakai gateway; pakai klien dengan peran sim.", caller.role);
        return Err(Reply::own(403, words));
    }
    app.rates.take(&caller.name, app.clock.now()).map_err(|problem| Reply::own(429, problem.detail).after(1))?;
    let named = parts.headers.get(FACILITY).and_then(|value| value.to_str().ok()).map(str::trim);
    let own = caller.facilities.as_deref().unwrap_or_default();
    match (named, own) {
        (Some(code), _) if own.iter().any(|own| own == code) => Ok(code.to_owned()),
        (Some(_), _) => Err(Reply::own(403, "Klien ini tidak berhak atas faskes pada header X-Jembatan-Facility.")),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Reply::own(
            400,
            "Klien ini berhak atas beberapa faskes: sebutkan satu pada header X-Jembatan-Facility.",
        )),
    }
}

/// Names the path and the remedy; it is the caller's own path, so it may be shown to the caller.
fn unknown(service: Service, parts: &Parts, path: &str) -> Reply {
    let shown: String = path.chars().filter(|c| !c.is_control()).take(120).collect();
    let words = format!(
        "{} {shown} tidak ada dalam katalog {} jembatan, jadi tidak diteruskan ke BPJS. Periksa ejaan alamatnya, atau \
         tambahkan operasi itu pada katalog (docs/catalogue.md).",
        parts.method,
        service.word()
    );
    Reply::own(404, words)
}

/// The body of an operation that has one, within the limits of size, time and depth. What it is declared as does not
/// matter: clients of BPJS declare anything (wire facts §2.2).
async fn read_body(app: &App, operation: &Operation, body: Body) -> Result<Value, Reply> {
    let too_slow = || Reply::own(408, "Isi permintaan tidak sampai pada waktunya. Kirim ulang permintaan yang sama.");
    let too_large = || {
        let words = format!("Isi permintaan paling besar {} KiB.", app.body_limit / 1024);
        Reply::own(413, words)
    };
    let read = to_bytes(body, app.body_limit);
    let bytes = tokio::time::timeout(app.read_timeout, read).await.map_err(|_| too_slow())?;
    let bytes = bytes.map_err(|_| too_large())?;
    if operation.content_type.is_none() || bytes.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    let value = json::read(&bytes)
        .map_err(|_| Reply::own(400, "Isi permintaan bukan JSON yang sah (atau satu kunci tertulis dua kali)."))?;
    if value.is_object() { Ok(value) } else { Err(Reply::own(400, "Isi permintaan harus berupa objek JSON.")) }
}
