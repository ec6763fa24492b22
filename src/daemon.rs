//! The composition root: builds everything, starts the loops, orders the shutdown.
//!
//! Job: from a [`Config`] to a running bridge ([`start`]) and back ([`Running::stop`]). Invariants: the only place that
//! spawns long-lived tasks; every lease of an earlier process is put into doubt before anything is claimed; a restored or
//! upgraded store starts paused (promise 13); a failed commit stops the process, so that it reopens and looks up.
//! Neighbours: all. What it does not do: decide anything that a module could.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::catalogue::{BadTable, Catalogue, Service};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Facility, StoreUrl};
use crate::contract::{Calendar, Contracts, ProfileError};
use crate::http;
use crate::intake::{self, Intake};
use crate::keep::{Keep, prefetch::Prefetch};
use crate::observe::{Observe, Seen};
use crate::push::Push;
use crate::queue::{BootId, DeliveryId};
use crate::reconcile::day::{Order, Reconciler};
use crate::reconcile::period::Turns;
use crate::reconcile::schedule::{Place, Schedule};
use crate::reconcile::{leases, outages::Watch, overdue, sim};
use crate::remote::{HttpsTransport, Lane, Remote, SetupError, Transport};
use crate::secret::Private;
use crate::status::watchdog::Watchdog;
use crate::status::{self, Live};
use crate::store::{AuditEntry, Base, Opened, PauseRow, SharedStore, StoreError, redating};
use crate::vault::{Clients, KeyAccess, Vault, VaultError};
use last_run::{Before, LastRun};
use tasks::{Alarm, Tasks};

pub mod certificates;
mod database;
mod face;
mod housekeeping;
mod inbound;
mod last_run;
mod nodes;
mod tasks;
mod trail;

pub use database::postgres_settings;
pub use housekeeping::free_bytes;
pub use tasks::GiveUp;

/// How long the shutdown waits for attempts in flight; below the unit's `TimeoutStopSec`.
const FAREWELL: Duration = Duration::from_secs(25);

/// What tests and the demo put in place of the machine's own.
#[derive(Clone)]
pub struct Parts {
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub chance: Chance,
    /// Where keys come from.
    pub keys: KeyAccess,
    /// The way out; the network if absent.
    pub transport: Option<Arc<dyn Transport>>,
    /// Folder with extra root certificates (PEM), `certs` beside the configuration.
    pub certs: Option<PathBuf>,
    /// Ends the process when a task stands still for good; without it (tests, the demo) health alone says so.
    pub give_up: Option<GiveUp>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            chance: Chance::system(),
            keys: KeyAccess::of_process(),
            transport: None,
            certs: None,
            give_up: None,
        }
    }
}

/// Why the bridge does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A shipped or overriding table is malformed.
    #[error(transparent)]
    Catalogue(#[from] BadTable),
    /// The vault does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The contract profile is malformed.
    #[error("contract profile: {0}")]
    Profile(#[from] ProfileError),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network side cannot be set up.
    #[error(transparent)]
    Remote(#[from] SetupError),
    /// The API cannot be served.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        error: std::io::Error,
    },
}

/// A running bridge.
pub struct Running {
    /// Where the API listens.
    pub address: SocketAddr,
    /// Where Mobile JKN is listened to, if anywhere.
    pub inbound: Option<SocketAddr>,
    /// The token of the local operator.
    pub operator_token: Private<Zeroizing<String>>,
    /// What opening the store found.
    pub opened: Opened,
    stop: CancellationToken,
    failed: CancellationToken,
    tasks: TaskTracker,
    store: SharedStore,
    watchdog: Option<Watchdog>,
    last_run: Arc<LastRun>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What every task shares.
#[derive(Clone)]
struct Shared {
    config: Arc<Config>,
    parts: Parts,
    catalogue: Arc<Catalogue>,
    vault: Vault,
    clients: Clients,
    contracts: Arc<Contracts>,
    calendar: Calendar,
    store: SharedStore,
    remote: Remote,
    keep: Arc<Keep>,
    live: Arc<Live>,
    observe: Observe,
    turns: Turns,
    boot: BootId,
    ours: Arc<nodes::Ours>,
    stop: CancellationToken,
    last_run: Arc<LastRun>,
}

impl Shared {
    fn base(&self) -> Base {
        let settle = self.config.remote.settle;
        Base { boot: self.boot, settle, chance: self.parts.chance.fraction(), others_pass: false }
    }
}

/// Starts the bridge; when it returns, the API answers.
///
/// # Errors
/// [`StartError`], with everything released again.
pub async fn start(config: Config, parts: Parts) -> Result<Running, StartError> {
    let now = parts.clock.now();
    let catalogue = Arc::new(Catalogue::with_overrides(config.catalogue.dir.as_deref())?);
    tell_changes(&catalogue);
    let vault = Vault::open(&config.vault.path, &config.vault.key, parts.keys.clone())?;
    let clients = Clients::open(&config.vault.path)?;
    let contracts = Arc::new(Contracts::load(&config.contract.profile, config.contract.next.as_deref())?);
    let (store, opened) = database::open(&config, &vault, &catalogue).await?;
    let run_file = run_file(&config);
    let trail = trail::beside(&run_file);
    let (last_run, before) = LastRun::begin(run_file);
    let boot = BootId::new(now, &parts.chance.ten());
    let live = Arc::new(Live::new(now, config.store.min_free));
    let transport = transport(&config, &parts)?;
    let remote = Remote::new(
        &config.remote,
        &config.facilities,
        Arc::clone(&catalogue),
        vault.clone(),
        parts.clock.clone(),
        transport,
    );
    let zone = config.remote.timezone.clone();
    let keep = Keep::new(Arc::clone(&store), Arc::clone(&catalogue), config.keep.clone(), zone);
    let calendar = face::calendar(&config, &vault, &contracts, &parts);
    let shared = Shared {
        calendar,
        keep: Arc::new(keep),
        observe: observe(&live, &parts.clock),
        config: Arc::new(config),
        catalogue,
        vault,
        clients,
        contracts,
        store: Arc::clone(&store),
        remote,
        live,
        turns: Turns::default(),
        boot,
        ours: Arc::new(nodes::Ours::new(store.node().is_none())),
        stop: CancellationToken::new(),
        last_run: Arc::new(last_run),
        parts,
    };
    if before == Before::Crashed {
        blame(&shared, trail::left(&trail)).await?;
    }
    store.leave_trail(Arc::new(trail::Trail::begin(&trail)));
    prepare_store(&shared, opened).await?;
    run(shared, store, opened).await
}

/// What the override directory changed, at the head of the log.
fn tell_changes(catalogue: &Catalogue) {
    for change in catalogue.changes() {
        let (operation, how, table, line) = (&change.operation, change.how.word(), &change.table, change.line);
        tracing::info!(operation, how, table, line, "catalogue changed by the override directory");
    }
}

/// Where it stands that the process runs.
fn run_file(config: &Config) -> PathBuf {
    match &config.store.url {
        StoreUrl::Sqlite(path) => LastRun::beside(path),
        // Nodes may share a vault's folder: each has a file of its own.
        StoreUrl::Postgres(_) => {
            let node = config.node.name.clone().unwrap_or_else(nodes::host_name);
            LastRun::beside(&config.vault.path.with_file_name(format!("node-{node}")))
        }
    }
}

/// The way out as the daemon has it.
///
/// # Errors
/// The network side or an extra certificate cannot be used.
pub fn transport(config: &Config, parts: &Parts) -> Result<Arc<dyn Transport>, StartError> {
    if let Some(transport) = &parts.transport {
        return Ok(Arc::clone(transport));
    }
    let roots = parts.certs.as_deref().map(extra_roots).transpose()?.unwrap_or_default();
    Ok(Arc::new(HttpsTransport::new(&config.remote, &roots)?))
}

/// The PEM files of `certs/`: roots and intermediates that the system does not have.
fn extra_roots(folder: &Path) -> Result<Vec<Vec<u8>>, StartError> {
    let io = |error| StartError::Io { what: folder.display().to_string(), error };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut roots = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|kind| kind == "pem") && !path.with_extension("key").exists() {
            roots.push(std::fs::read(&path).map_err(io)?);
        }
    }
    Ok(roots)
}

fn observe(live: &Arc<Live>, clock: &Clock) -> Observe {
    let (live, clock) = (Arc::clone(live), clock.clone());
    Arc::new(move |seen| match seen {
        Seen::Beat(task) => live.beat(task, clock.now()),
        Seen::Attempt { operation, outcome } => live.attempt(operation, outcome),
        Seen::Inbound { route, facility, code } => live.inbound_call(route, facility, code, clock.now()),
        Seen::Skew { facility, seconds } => live.clock(facility, seconds, true, clock.now()),
    })
}

/// The last process died without a word: what was in flight is suspected of having killed it (`queue::crash`).
/// As is what a claim was opening, `opened`.
async fn blame(shared: &Shared, opened: Vec<DeliveryId>) -> Result<(), StoreError> {
    let now = shared.parts.clock.now();
    let mut blamed = shared.store.blame_opened(opened, now, shared.base()).await?;
    blamed.add(shared.store.blame(now, shared.base()).await?);
    if blamed.suspects > 0 {
        let suspects = blamed.suspects;
        tracing::warn!(suspects, "the last run ended without a word: what was in flight is tried alone");
    }
    for id in blamed.held {
        tracing::error!(delivery.id = %id, "set aside: the process died three times while it worked on it");
    }
    Ok(())
}

/// Every holder of a lease died with the last process; what came out of a backup is not trusted.
async fn prepare_store(shared: &Shared, opened: Opened) -> Result<(), StoreError> {
    let now = shared.parts.clock.now();
    let lost = shared.store.reclaim(now, true, shared.base()).await?;
    failpoint!(await "reclaim.committed");
    if lost > 0 {
        tracing::warn!(lost, "attempts without a recorded end: looked up before anything else happens");
    }
    if opened.restored || opened.upgraded {
        let what = if opened.restored { "basis data dipulihkan dari cadangan" } else { "skema basis data dinaikkan" };
        let reason = format!("{what}: periksa, lalu 'jembatan resume'");
        let audit = AuditEntry {
            at: now,
            actor: "jembatan".to_owned(),
            action: "pause".to_owned(),
            object: "*".to_owned(),
            detail: reason.clone(),
        };
        let pause = PauseRow { facility: "*".to_owned(), reason, actor: "jembatan".to_owned(), since: now };
        // The pause first: after a crash between the two the store still says that it was restored.
        shared.store.set_pause("*", Some(pause), audit).await?;
        failpoint!(await "distrust.paused");
        let moved = shared.store.distrust(now, shared.base()).await?;
        tracing::warn!(moved, "{what}: sending is paused until somebody resumes it");
    }
    let zone = shared.config.facilities.first().map_or(jiff::tz::TimeZone::UTC, |first| first.timezone.clone());
    for warning in shared.contracts.warnings(now.to_zoned(zone).date()) {
        tracing::warn!("{warning}");
    }
    Ok(())
}

async fn run(shared: Shared, store: SharedStore, opened: Opened) -> Result<Running, StartError> {
    let listen = shared.config.http.listen;
    let bound = TcpListener::bind(listen).await;
    let listener = bound.map_err(|error| StartError::Io { what: format!("http.listen {listen}"), error })?;
    let address = listener.local_addr().map_err(|error| StartError::Io { what: "http.listen".to_owned(), error })?;
    let tls = face::tls(shared.config.http.tls.as_ref())?;
    let inbound = inbound::open(&shared).await?;
    let operator_token = Private::new(http::local_operator_token(shared.vault.index_key()?.expose()));
    let (stop, failed) = (shared.stop.clone(), CancellationToken::new());
    let tasks = Tasks::new(&shared.live, &shared.parts.clock, &stop);
    watch_writer(&shared, &tasks);
    let lanes = lanes(&shared);
    if shared.store.node().is_some() {
        lanes.iter().for_each(|lane| lane.set_ours(false, shared.parts.clock.now()));
        tasks.spawn("nodes", nodes::run(shared.clone(), lanes.clone(), failed.clone()));
    }
    for lane in &lanes {
        start_lane(&shared, &tasks, lane);
    }
    start_tasks(&shared, &tasks, &failed);
    let app = face::router(&shared, &lanes, &operator_token, tls.is_some());
    let limits = shared.config.http.limits.clone();
    let (closing, lost, seen) = (stop.clone(), failed.clone(), Arc::clone(&shared.observe));
    tasks.spawn("api", async move {
        let beat = move || seen(Seen::Beat("api"));
        if let Err(error) = http::serve(listener, tls, app, &limits, &beat, closing).await {
            tracing::error!(%error, "the API stopped: so does the process, for its supervisor to start again");
            lost.cancel();
        }
    });
    let inbound = inbound.map(|open| open.start(&shared, &tasks));
    let tasks = tasks.close();
    let last_run = Arc::clone(&shared.last_run);
    let alarm = Alarm { last_run: Arc::clone(&last_run), give_up: shared.parts.give_up.clone() };
    let patience = status::watchdog::patience(last_run.quits());
    let watchdog = status::watchdog::spawn(Arc::clone(&shared.live), Duration::from_secs(1), patience, alarm)
        .map_err(|error| StartError::Io { what: "watchdog".to_owned(), error })?;
    tracing::info!(%address, facilities = shared.config.facilities.len(), lanes = lanes.len(), "the bridge is up");
    let watchdog = Some(watchdog);
    Ok(Running { address, inbound, operator_token, opened, stop, failed, tasks, store, watchdog, last_run })
}

/// The writing thread (of PostgreSQL: what listens) beats whenever it took what waited, or found that nothing did.
fn watch_writer(shared: &Shared, tasks: &Tasks) {
    const NAME: &str = "store.writer";
    let observe = Arc::clone(&shared.observe);
    tasks.register(NAME);
    shared.store.on_turn(Box::new(move || observe(Seen::Beat(NAME))));
}

/// One lane per facility and configured service: each is watched, also where nothing is written.
fn lanes(shared: &Shared) -> Vec<Arc<Lane>> {
    let of = |facility: &Facility| {
        Service::ALL
            .iter()
            .filter(|service| shared.remote.serves(&facility.code, **service))
            .map(|service| Lane::new(&facility.code, *service, &shared.config.remote))
            .collect::<Vec<_>>()
    };
    shared.config.facilities.iter().flat_map(of).collect()
}

fn start_lane(shared: &Shared, tasks: &Tasks, lane: &Arc<Lane>) {
    let config = &shared.config.remote;
    let push = Arc::new(Push {
        store: Arc::clone(&shared.store),
        remote: shared.remote.clone(),
        catalogue: Arc::clone(&shared.catalogue),
        clock: shared.parts.clock.clone(),
        chance: shared.parts.chance.clone(),
        boot: shared.boot,
        bpjs_zone: config.timezone.clone(),
        settle: config.settle,
        concurrency: config.concurrency,
        attempt_timeout: config.connect_timeout + config.request_timeout,
        observe: Arc::clone(&shared.observe),
    });
    let watch = Watch {
        store: Arc::clone(&shared.store),
        remote: shared.remote.clone(),
        clock: shared.parts.clock.clone(),
        lane: Arc::clone(lane),
        observe: Arc::clone(&shared.observe),
    };
    let name = |task: &str| format!("{task}.{}.{}", lane.facility, lane.service.word());
    tasks.spawn(&name("outages"), watch.run(shared.stop.clone()));
    // i-Care has reads only.
    let written =
        shared.catalogue.operations().any(|operation| operation.service == lane.service && operation.is_write());
    if written {
        tasks.spawn(&name("push"), push.run(Arc::clone(lane), shared.stop.clone()));
    }
    // Only the gateway gives what is kept.
    if shared.config.keep.enabled && shared.config.gateway.enabled && !shared.config.keep.refresh.is_zero() {
        let prefetch = Prefetch {
            keep: Arc::clone(&shared.keep),
            store: Arc::clone(&shared.store),
            remote: shared.remote.clone(),
            catalogue: Arc::clone(&shared.catalogue),
            clock: shared.parts.clock.clone(),
            observe: Arc::clone(&shared.observe),
        };
        tasks.spawn(&name("prefetch"), prefetch.run(Arc::clone(lane), shared.stop.clone()));
    }
}

fn start_tasks(shared: &Shared, tasks: &Tasks, failed: &CancellationToken) {
    let (store, clock, stop) = (&shared.store, &shared.parts.clock, &shared.stop);
    let observe = || Arc::clone(&shared.observe);
    let leases = leases::run(Arc::clone(store), clock.clone(), shared.base(), observe(), stop.clone());
    tasks.spawn("reconcile.leases", leases);
    let (live, own) = (Arc::clone(&shared.live), clock.clone());
    let confirmed = move || live.clock_is_right(&own);
    let zones = shared.config.facilities.iter().map(|one| (one.code.clone(), one.timezone.clone())).collect();
    let redate = redating(&shared.contracts, zones);
    let (store, clock) = (Arc::clone(store), clock.clone());
    let overdue = overdue::run(store, clock, shared.base(), confirmed, redate, observe(), stop.clone());
    tasks.spawn("reconcile.overdue", overdue);
    tasks.spawn("housekeeping", housekeeping::run(shared.clone(), failed.clone()));
    let scheduled = shared.config.reconcile.daily.is_some() || shared.config.reconcile.after_outage;
    if scheduled {
        tasks.spawn("reconcile.schedule", schedule(shared).run(stop.clone()));
    }
}

impl Running {
    /// Waits until the store fails; the process must then stop, reopen and look up.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Whether the store failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.is_cancelled()
    }

    /// What the store said when it failed.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.store.fatal().borrow().clone()
    }

    /// Stops: no new work, a last answer for what is in flight, then the store. What is cut off is in doubt, not lost.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(FAREWELL, self.tasks.wait()).await.is_err() {
            tracing::warn!("some attempts were cut off: they are looked up after the next start");
        }
        drop(self.watchdog.take());
        // What is in flight has ended or is in doubt: others need not wait for this node's term.
        if let Err(error) = self.store.leave().await {
            tracing::warn!(%error, "the other nodes wait until this one's term has passed");
        }
        self.store.close();
        self.last_run.end();
        tracing::info!("the bridge is down");
    }
}

/// A reconciler on the running bridge's parts.
fn reconciler(shared: &Shared) -> Reconciler {
    Reconciler {
        store: Arc::clone(&shared.store),
        remote: shared.remote.clone(),
        catalogue: Arc::clone(&shared.catalogue),
        clock: shared.parts.clock.clone(),
        chance: shared.parts.chance.clone(),
        boot: shared.boot,
        settle: shared.config.remote.settle,
        turns: shared.turns.clone(),
    }
}

/// Reconciliations by themselves, for the facilities that have P-Care.
fn schedule(shared: &Shared) -> Schedule {
    let with_pcare = shared.config.facilities.iter().filter(|facility| facility.pcare.is_some());
    let place = |facility: &Facility| Place { facility: facility.code.clone(), zone: facility.timezone.clone() };
    Schedule {
        reconciler: Arc::new(reconciler(shared)),
        places: with_pcare.map(place).collect(),
        daily: shared.config.reconcile.daily,
        after_outage: shared.config.reconcile.after_outage,
        ours: {
            let ours = Arc::clone(&shared.ours);
            Arc::new(move |facility: &str| ours.owns(facility))
        },
        observe: Arc::clone(&shared.observe),
    }
}

fn intake(shared: &Shared) -> Intake {
    let contracts = Arc::clone(&shared.contracts);
    let agreements = Arc::clone(&shared.contracts);
    Intake {
        store: Arc::clone(&shared.store),
        catalogue: Arc::clone(&shared.catalogue),
        dates: Arc::new(move |rule, time| contracts.deadline(rule, time)),
        area: Arc::new(move |day| agreements.of(day).area_limit(day)),
        clock: shared.parts.clock.clone(),
        chance: shared.parts.chance.clone(),
        settings: intake::Settings {
            facilities: shared.config.facilities.clone(),
            bpjs_zone: shared.config.remote.timezone.clone(),
            boot: shared.boot,
        },
    }
}

/// What a reconciliation asked for over the API becomes.
fn order_of(request: http::ReconcileRequest) -> Result<Order, Vec<sim::SimFault>> {
    let sim = request.sim.map(|list| sim::read(list.expose())).transpose()?;
    Ok(Order { facility: request.facility, from: request.from, to: request.to, sim, actor: request.actor })
}
