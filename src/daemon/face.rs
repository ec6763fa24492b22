//! The local faces put together: API, status, TLS.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::certificates::Watched;
use super::{Parts, Shared, StartError, housekeeping, intake, order_of, reconciler};
use crate::config::{Config, Facility, StoreUrl, TlsConfig};
use crate::contract::{Calendar, Contracts, Place};
use crate::http::{self, App, RATE, Rates, ReconcileFault};
use crate::remote::Lane;
use crate::report::frame::Parties;
use crate::secret::Private;
use crate::status::{self, Scope, StatusState, StatusView, Visitor};
use crate::vault::{Listed, Role, Vault};

/// The TLS side of a listener, if it is configured.
pub(super) fn tls(files: Option<&TlsConfig>) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
    let Some(files) = files else { return Ok(None) };
    let fault = |path: &Path, what: String| StartError::Io {
        what: path.display().to_string(),
        error: std::io::Error::other(what),
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| fault(&files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let built = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    built.map(|config| Some(Arc::new(config))).map_err(|error| fault(&files.certificate, error.to_string()))
}

/// All routes.
pub(super) fn router(
    shared: &Shared,
    lanes: &[Arc<Lane>],
    operator_token: &Private<Zeroizing<String>>,
    secure: bool,
) -> Router {
    let config = &shared.config;
    let data = match &config.store.url {
        StoreUrl::Sqlite(path) => path.clone(),
        StoreUrl::Postgres(_) => std::path::PathBuf::from("."),
    };
    let app = App {
        store: Arc::clone(&shared.store),
        intake: Arc::new(intake(shared)),
        catalogue: Arc::clone(&shared.catalogue),
        facilities: Arc::new(config.facilities.clone()),
        clock: shared.parts.clock.clone(),
        chance: shared.parts.chance.clone(),
        clients: shared.clients.clone(),
        operator_token: operator_token.clone(),
        boot: shared.boot,
        settle: config.remote.settle,
        free: Arc::new(move || housekeeping::free_bytes(&data)),
        min_free: config.store.min_free,
        hosts: Arc::new(config.http.hosts.clone()),
        body_limit: usize::try_from(config.http.limits.body).unwrap_or(usize::MAX),
        read_timeout: config.http.limits.read_timeout,
        rates: Arc::new(Rates::new(RATE)),
        reconciler: reconcile(shared),
        contracts: Arc::clone(&shared.contracts),
        calendar: shared.calendar.clone(),
        parties: Arc::new(Parties {
            bpjs: config.contract.bpjs.clone(),
            dinkes: config.contract.dinkes.clone(),
            ..Parties::default()
        }),
        status: status_screen(shared),
        closing: shared.stop.clone(),
        keep: Arc::clone(&shared.keep),
        gateway: config.gateway.enabled.then(|| Arc::new(gateway(shared, lanes))),
        extra: status::router(status_state(shared, operator_token, secure)),
    };
    http::router(app)
}

fn gateway(shared: &Shared, lanes: &[Arc<Lane>]) -> http::gateway::Gateway {
    let pcare = shared.config.facilities.iter().filter_map(|facility| facility.pcare.as_ref());
    let app_codes = pcare.filter_map(|service| service.app_code.clone()).collect();
    let (vault, remote) = (shared.vault.clone(), shared.remote.clone());
    http::gateway::Gateway::new(
        vault,
        remote,
        lanes.to_vec(),
        Arc::clone(&shared.keep),
        shared.config.gateway.clone(),
        app_codes,
    )
}

/// The calendar of duties with what only the running bridge knows.
pub(super) fn calendar(config: &Config, vault: &Vault, contracts: &Arc<Contracts>, parts: &Parts) -> Calendar {
    let (vault, facilities) = (vault.clone(), config.facilities.clone());
    let watched = Watched::new(config, parts.certs.clone());
    Calendar {
        contracts: Arc::clone(contracts),
        places: Arc::new(move || {
            // Unknown while the vault cannot be read; the reminder then waits.
            let listed = vault.list().unwrap_or_default();
            let set = |facility: &str| {
                let mine = |one: &&Listed| one.facility == facility && one.name == "pcare.password";
                listed.iter().find(mine).map(|one| one.set_at)
            };
            let place = |facility: &Facility| Place {
                code: facility.code.clone(),
                zone: facility.timezone.clone(),
                password_set: set(&facility.code),
            };
            facilities.iter().map(place).collect()
        }),
        certificates: Arc::new(move || watched.now()),
    }
}

fn reconcile(shared: &Shared) -> http::Reconciler {
    let reconciler = Arc::new(reconciler(shared));
    Arc::new(move |request| {
        let reconciler = Arc::clone(&reconciler);
        Box::pin(async move {
            let done = reconciler.run(order_of(request).map_err(ReconcileFault::Invalid)?).await;
            done.map_err(|error| ReconcileFault::Failed(format!("rekonsiliasi tidak dapat disimpan: {error}")))
        })
    })
}

/// The status page's view as JSON.
fn status_screen(shared: &Shared) -> http::StatusScreen {
    let shared = shared.clone();
    Arc::new(move |only| {
        let shared = shared.clone();
        Box::pin(async move {
            let scope = Scope { configured: &shared.config.facilities, only: &only };
            let now = shared.parts.clock.now();
            let view = StatusView::gather(shared.store.as_ref(), &shared.live, scope, &shared.calendar, now).await;
            // A view of plain words and numbers always has a JSON form.
            serde_json::to_value(view).unwrap_or_default()
        })
    })
}

/// Operators and viewers may look at the status page; the local operator sees everything.
fn status_state(shared: &Shared, operator_token: &Private<Zeroizing<String>>, secure: bool) -> StatusState {
    let (clients, clock, local) = (shared.clients.clone(), shared.parts.clock.clone(), operator_token.clone());
    let authenticate = move |token: &str| {
        use subtle::ConstantTimeEq as _;
        if bool::from(local.expose().as_bytes().ct_eq(token.as_bytes())) {
            return Some(Visitor { name: http::LOCAL_OPERATOR.to_owned(), facilities: Vec::new() });
        }
        let client = clients.authenticate(token, clock.now()).ok()?;
        let looks = matches!(client.role, Role::Operator | Role::Viewer);
        looks.then_some(Visitor { name: client.name, facilities: client.facilities })
    };
    StatusState {
        store: Arc::clone(&shared.store),
        live: Arc::clone(&shared.live),
        clock: shared.parts.clock.clone(),
        facilities: shared.config.facilities.clone().into(),
        calendar: shared.calendar.clone(),
        authenticate: Arc::new(authenticate),
        secure,
    }
}
