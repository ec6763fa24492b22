//! The local HTTP API for the SIM, the operators' actions and the command line.
//!
//! Job: the route table (`routes`), one file per resource, one error envelope (`problem`), authentication (`auth`)
//! and an accept loop that cannot be starved ([`serve()`]). Invariants: every route stands in one table with the roles
//! that may use it, and a route outside the table is nobody's; nothing is answered before it is on disk; side effects
//! survive a client that hangs up; no personal data in logs, problems or addresses. Neighbours: `intake` accepts,
//! `store` answers, `status` and the gateway are mounted beside. What it does not do: talk to BPJS, decide, hold
//! secrets (of `vault` it knows only the clients).

mod actions;
mod antrean;
mod antrean_rows;
mod antrean_schema;
mod audit;
mod auth;
mod books;
mod changes;
mod claims;
mod deliveries;
mod evaluation;
mod extract;
mod forecast;
pub mod gateway;
mod guard;
mod kept;
mod obligations;
mod openapi;
mod outages;
mod pauses;
mod problem;
mod rate;
mod reconciliations;
mod reports;
mod routes;
mod serve;
mod settle;
mod status;
mod submissions;
pub mod view;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::catalogue::Catalogue;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Facility;
use crate::contract::{Calendar, Contracts};
use crate::intake::Intake;
use crate::keep::Keep;
use crate::queue::BootId;
use crate::report::frame::Parties;
use crate::secret::Private;
use crate::store::{Base, SharedStore, StoreError, redating};
use crate::vault::Clients;

pub use actions::Action;
pub use auth::{Caller, LOCAL_OPERATOR, local_operator_token};
pub use problem::{Kind, Problem};
pub use rate::{RATE, Rate, Rates};
pub use routes::{Access, RULES, Rule};
pub use serve::serve;

/// What a reconciliation is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ReconcileRequest {
    /// kdProvider.
    pub facility: String,
    /// First day.
    pub from: jiff::civil::Date,
    /// Last day.
    pub to: jiff::civil::Date,
    /// The SIM's own list, if it was sent along, as it was sent.
    pub sim: Option<Private<Value>>,
    /// Who asks.
    pub actor: String,
}

/// Why a reconciliation did not come about, in Indonesian for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileFault {
    /// BPJS (or the way there) did not answer: later.
    #[error("{0}")]
    Unavailable(String),
    /// The request cannot be carried out as it is.
    #[error("{0}")]
    Refused(String),
    /// The SIM's list is wrong: JSON Pointers within it, and why.
    #[error("{} faults in the list", .0.len())]
    Invalid(Vec<(String, String)>),
    /// A defect or the store.
    #[error("{0}")]
    Failed(String),
}

/// Carries a reconciliation out; the daemon injects it, because `http` never calls `reconcile`.
pub type Reconciler = Arc<dyn Fn(ReconcileRequest) -> BoxFuture<'static, Result<Value, ReconcileFault>> + Send + Sync>;

/// The status screen of these facilities (empty: all) as JSON; the daemon injects it, because `http` never calls `status`.
pub type StatusScreen = Arc<dyn Fn(Vec<String>) -> BoxFuture<'static, Value> + Send + Sync>;

/// Free bytes on the store's disk, if they can be told.
pub type FreeBytes = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// Everything the routes need; the daemon fills it.
#[derive(Clone)]
pub struct App {
    /// Rows.
    pub store: SharedStore,
    /// Accepts submissions.
    pub intake: Arc<Intake>,
    /// The operations.
    pub catalogue: Arc<Catalogue>,
    /// The facilities served.
    pub facilities: Arc<Vec<Facility>>,
    /// Time.
    pub clock: Clock,
    /// Ids and jitter.
    pub chance: Chance,
    /// Who may come in.
    pub clients: Clients,
    /// See [`local_operator_token`].
    pub operator_token: Private<Zeroizing<String>>,
    /// This run of the process.
    pub boot: BootId,
    /// Replaces every catalogue value of settle, if set.
    pub settle: Option<Duration>,
    /// Free bytes on the store's disk.
    pub free: FreeBytes,
    /// Below this many free bytes nothing new is accepted.
    pub min_free: u64,
    /// Names besides loopback and addresses under which the API may be called (`Host`).
    pub hosts: Arc<Vec<String>>,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// How long a client may take to send a body.
    pub read_timeout: Duration,
    /// Requests per client.
    pub rates: Arc<Rates>,
    /// Carries reconciliations out.
    pub reconciler: Reconciler,
    /// The agreement with BPJS.
    pub contracts: Arc<Contracts>,
    /// The duties of the agreement, with what the running bridge knows.
    pub calendar: Calendar,
    /// BPJS and the health office as papers name them; the facility's own side is in its configuration.
    pub parties: Arc<Parties>,
    /// Shows the status screen.
    pub status: StatusScreen,
    /// Ends long polls when the process stops.
    pub closing: CancellationToken,
    /// What is kept of reads.
    pub keep: Arc<Keep>,
    /// The gateway, if it is switched on.
    pub gateway: Option<Arc<gateway::Gateway>>,
    /// Routes of other faces (`status`), with their own authentication.
    pub extra: Router,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("facilities", &self.facilities.len()).finish_non_exhaustive()
    }
}

impl App {
    fn facility(&self, code: &str) -> Option<&Facility> {
        self.facilities.iter().find(|facility| facility.code == code)
    }

    /// Moves stored dates where a clause says so, after something was declared.
    async fn redate(&self) -> Result<(), StoreError> {
        let zones = self.facilities.iter().map(|one| (one.code.clone(), one.timezone.clone())).collect();
        if let Some(redate) = redating(&self.contracts, zones) {
            self.store.redate(self.clock.now(), redate).await?;
        }
        Ok(())
    }

    fn base(&self) -> Base {
        Base { boot: self.boot, settle: self.settle, chance: self.chance.fraction(), others_pass: false }
    }
}

/// The whole API with `app.extra` beside it, ready for [`serve()`].
pub fn router(app: App) -> Router {
    let extra = app.extra.clone().layer(axum::middleware::from_fn(guard::beside));
    let app = Arc::new(app);
    let mut router = Router::new();
    for route in routes::table() {
        router = router.route(route.path, route.handler);
    }
    let guarded = router
        .route_layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guard::admit))
        .with_state(Arc::clone(&app));
    // The gateway has its own authentication, patience and envelope.
    let gateway = Router::new().route("/ws/{*path}", axum::routing::any(gateway::handle)).with_state(Arc::clone(&app));
    guarded
        .merge(extra)
        .merge(gateway)
        .fallback(guard::no_route)
        .method_not_allowed_fallback(guard::no_method)
        .layer(axum::middleware::from_fn_with_state(app, guard::wrap))
}
