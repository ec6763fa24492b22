//! One life of the bridge: its stages as the daemon composes them (`daemon::start`), on the run's store, network and time.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::civil::Time;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use super::network::{Network, Weather};
use super::options::Policy;
use super::store::{Life, SharedDisk, Watched};
use crate::catalogue::{Catalogue, Service};
use crate::chance::Chance;
use crate::config::{Facility, Party, RemoteConfig, ServiceConfig};
use crate::contract::Contracts;
use crate::intake::{Intake, Settings};
use crate::observe::{Observe, Seen};
use crate::push::Push;
use crate::queue::BootId;
use crate::reconcile::day::Reconciler;
use crate::reconcile::period::Turns;
use crate::reconcile::schedule::{Place, Schedule};
use crate::reconcile::{leases, outages::Watch, overdue};
use crate::remote::{Lane, Remote, Transport};
use crate::secret::Password;
use crate::simulator::credentials::Credentials;
use crate::status::Live;
use crate::store::{AuditEntry, Base, PauseRow, Redate, SharedStore, StoreError, redating};
use crate::vault::{CredentialName, KeyAccess, KeySource, Vault};

pub(super) fn catalogue() -> Arc<Catalogue> {
    static SHARED: OnceLock<Arc<Catalogue>> = OnceLock::new();
    Arc::clone(SHARED.get_or_init(|| Arc::new(Catalogue::shipped().expect("the shipped catalogue"))))
}

fn contracts(moves: bool) -> Arc<Contracts> {
    static SHARED: OnceLock<[Arc<Contracts>; 2]> = OnceLock::new();
    let load = || Contracts::load(Path::new("config/contracts/bontang-2024.toml"), None).expect("the shipped profile");
    let shared = SHARED.get_or_init(|| [Arc::new(load()), Arc::new(load().moving())]);
    Arc::clone(&shared[usize::from(moves)])
}

/// What outlives the process on its machine besides the store.
pub(super) struct Machine {
    pub(super) hub: Arc<Hub>,
    pub(super) vault: Vault,
    pub(super) skies: Arc<Mutex<Vec<Weather>>>,
    _folder: tempfile::TempDir,
}

impl Machine {
    pub(super) fn new(hub: &Arc<Hub>) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        let key = KeySource::File(folder.path().join("kek"));
        let start = hub.options.start;
        let vault = Vault::create(&folder.path().join("vault"), &key, KeyAccess::of_process(), start).expect("a vault");
        let own = Credentials::default();
        let names = [
            (CredentialName::ConsId, own.cons_id.expose()),
            (CredentialName::SecretKey, own.secret_key.expose()),
            (CredentialName::PcareUserKey, own.pcare.expose()),
            (CredentialName::PcareUsername, own.username.expose()),
            (CredentialName::PcarePassword, own.password.expose()),
        ];
        for site in &hub.sites {
            for (name, value) in names {
                vault.put(site.code, name, value, start).expect("a credential");
            }
        }
        let skies = Arc::new(Mutex::new(vec![Weather::Fair; hub.sites.len()]));
        Self { hub: Arc::clone(hub), vault, skies, _folder: folder }
    }

    /// BPJS takes another password from now on.
    pub(super) fn change_password(&self, site: usize, password: &str) {
        self.hub.bpjs[site].set_password(Password::new(password));
    }

    /// The facility writes the password that BPJS takes by now into the vault.
    pub(super) fn learn_password(&self, site: usize) {
        let (code, now) = (self.hub.sites[site].code, self.hub.clock.now());
        let password = self.hub.bpjs[site].credentials().password;
        self.vault
            .put(code, CredentialName::PcarePassword, password.expose(), now)
            .expect("the vault takes a password");
    }
}

/// A running bridge.
pub(super) struct Process {
    tasks: Mutex<JoinSet<()>>,
    pub(super) life: Arc<Life>,
    pub(super) store: SharedStore,
    /// The same without the run's scheduler: for checks.
    pub(super) below: SharedStore,
    pub(super) intake: Intake,
    pub(super) reconciler: Arc<Reconciler>,
    /// How dates are reckoned anew, where a clause moves any.
    pub(super) redate: Option<Redate>,
    ready: AtomicBool,
    stop: CancellationToken,
    parts: Parts,
}

#[derive(Clone)]
struct Parts {
    hub: Arc<Hub>,
    config: RemoteConfig,
    facilities: Vec<Facility>,
    remote: Remote,
    chance: Chance,
    boot: BootId,
    live: Arc<Live>,
    observe: Observe,
}

/// What opening the store found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) restored: bool,
}

fn config(hub: &Hub) -> RemoteConfig {
    let options = &hub.options;
    let settle = if options.policy == Policy::Naive { Duration::ZERO } else { options.settle };
    RemoteConfig {
        settle: Some(settle),
        concurrency: options.concurrency,
        rate_per_second: options.rate.map(f64::from),
        connect_timeout: Duration::from_secs(1),
        request_timeout: options.request_timeout,
        // An outage of days is probed some hundred times, not eighty thousand.
        circuit_retry_max: Duration::from_secs(15).max(options.longest / 100),
        ..RemoteConfig::default()
    }
}

fn facility(code: &str, zone: &jiff::tz::TimeZone) -> Facility {
    let base_url = format!("https://{}.bpjs.example/pcare-rest", code.to_lowercase());
    Facility {
        code: code.to_owned(),
        name: code.to_owned(),
        timezone: zone.clone(),
        party: Party::default(),
        pcare: Some(ServiceConfig { base_url, app_code: None }),
        vclaim: None,
        antrean_fktp: None,
        icare: None,
    }
}

impl Process {
    /// Starts life number `number`; it is ready once its store is prepared.
    pub(super) fn start(
        machine: &Machine,
        below: SharedStore,
        disk: &SharedDisk,
        found: Found,
        number: u64,
    ) -> Arc<Self> {
        let hub = &machine.hub;
        let life = Life::new();
        let store: SharedStore = Watched::new(Arc::clone(&below), hub, &life, disk, number);
        let parts = Parts::new(machine, &life, number);
        let contracts = contracts(hub.options.moves);
        let (dating, agreements) = (Arc::clone(&contracts), Arc::clone(&contracts));
        let intake = Intake {
            store: Arc::clone(&store),
            catalogue: Arc::clone(&hub.catalogue),
            dates: Arc::new(move |rule, time| dating.deadline(rule, time)),
            area: Arc::new(move |day| agreements.of(day).area_limit(day)),
            clock: hub.clock.clone(),
            chance: parts.chance.clone(),
            settings: Settings {
                facilities: parts.facilities.clone(),
                bpjs_zone: parts.config.timezone.clone(),
                boot: parts.boot,
            },
        };
        let reconciler = Arc::new(Reconciler {
            store: Arc::clone(&store),
            remote: parts.remote.clone(),
            catalogue: Arc::clone(&hub.catalogue),
            clock: hub.clock.clone(),
            chance: parts.chance.clone(),
            boot: parts.boot,
            settle: parts.config.settle,
            turns: Turns::default(),
        });
        let zones: BTreeMap<_, _> =
            parts.facilities.iter().map(|one| (one.code.clone(), one.timezone.clone())).collect();
        let process = Arc::new(Self {
            redate: redating(&contracts, zones),
            tasks: Mutex::new(JoinSet::new()),
            life,
            store,
            below,
            intake,
            reconciler,
            ready: AtomicBool::new(false),
            stop: CancellationToken::new(),
            parts,
        });
        // The tasks must not keep the process alive: it ends when the run drops it.
        let own = Arc::downgrade(&process);
        process.spawn(async move {
            let Some(process) = own.upgrade() else { return };
            let (store, base, hub) = (Arc::clone(&process.store), process.base(), Arc::clone(&process.parts.hub));
            drop(process);
            let prepared = prepare(&store, base, found, hub.clock.now()).await;
            let Some(process) = own.upgrade() else { return };
            match prepared {
                Ok(()) => process.run(),
                Err(_) => process.life.end(),
            }
        });
        process
    }

    pub(super) fn base(&self) -> Base {
        let Parts { boot, config, chance, .. } = &self.parts;
        Base { boot: *boot, settle: config.settle, chance: chance.fraction(), others_pass: false }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && !self.life.is_dead()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }

    /// Does something inside the process; `None` if it died before it was done.
    pub(super) async fn ask<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (tell, told) = oneshot::channel();
        self.spawn(async move {
            let _gone = tell.send(work.await);
        });
        told.await.ok()
    }

    /// SIGKILL: everything stops where it stands. Returns once nothing of it is left.
    pub(super) async fn kill(self: Arc<Self>) {
        self.life.end();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.abort_all();
        while let Some(ended) = tasks.join_next().await {
            if let Some(panic) = ended.err().filter(tokio::task::JoinError::is_panic) {
                self.parts.hub.broken("nothing panics", panic.to_string());
            }
        }
        drop(tasks);
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }

    fn run(&self) {
        for facility in &self.parts.facilities {
            self.start_lane(&Lane::new(&facility.code, Service::Pcare, &self.parts.config));
        }
        let Parts { hub, live, facilities, observe, .. } = &self.parts;
        let (store, clock, stop) = (&self.store, &hub.clock, &self.stop);
        let observe = || Arc::clone(observe);
        self.spawn(leases::run(Arc::clone(store), clock.clone(), self.base(), observe(), stop.clone()));
        let (live, own) = (Arc::clone(live), clock.clone());
        let confirmed = move || live.clock_is_right(&own);
        let (base, store, redate) = (self.base(), Arc::clone(store), self.redate.clone());
        self.spawn(overdue::run(store, clock.clone(), base, confirmed, redate, observe(), stop.clone()));
        let places = facilities.iter();
        let places = places.map(|one| Place { facility: one.code.clone(), zone: one.timezone.clone() }).collect();
        let schedule = Schedule {
            reconciler: Arc::clone(&self.reconciler),
            places,
            daily: Some(Time::constant(20, 30, 0, 0)),
            after_outage: true,
            ours: Arc::new(|_| true),
            observe: observe(),
        };
        self.spawn(schedule.run(stop.clone()));
        // As housekeeping does: a commit of unknown outcome ends the process, for its supervisor to start it again.
        let (mut fatal, life) = (self.store.fatal(), Arc::clone(&self.life));
        self.spawn(async move {
            if fatal.wait_for(Option::is_some).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                life.end();
            }
        });
        self.ready.store(true, Ordering::Relaxed);
        hub.event("ready", 0, 0);
    }

    fn start_lane(&self, lane: &Arc<Lane>) {
        let Parts { hub, config, remote, chance, boot, observe, .. } = &self.parts;
        let push = Arc::new(Push {
            store: Arc::clone(&self.store),
            remote: remote.clone(),
            catalogue: Arc::clone(&hub.catalogue),
            clock: hub.clock.clone(),
            chance: chance.clone(),
            boot: *boot,
            bpjs_zone: config.timezone.clone(),
            settle: config.settle,
            concurrency: config.concurrency,
            attempt_timeout: config.connect_timeout + config.request_timeout,
            observe: Arc::clone(observe),
        });
        let watch = Watch {
            store: Arc::clone(&self.store),
            remote: remote.clone(),
            clock: hub.clock.clone(),
            lane: Arc::clone(lane),
            observe: Arc::clone(observe),
        };
        self.spawn(watch.run(self.stop.clone()));
        self.spawn(push.run(Arc::clone(lane), self.stop.clone()));
    }
}

impl Parts {
    fn new(machine: &Machine, life: &Arc<Life>, number: u64) -> Self {
        let hub = &machine.hub;
        let config = config(hub);
        let facilities: Vec<Facility> = hub.sites.iter().map(|site| facility(site.code, &site.zone)).collect();
        let transport: Arc<dyn Transport> = Network::new(hub, life, &machine.skies, number);
        let catalogue = Arc::clone(&hub.catalogue);
        let remote = Remote::new(&config, &facilities, catalogue, machine.vault.clone(), hub.clock.clone(), transport);
        let chance = Chance::seeded(hub.dice(&format!("process {number}")).bits());
        let now = hub.clock.now();
        let boot = BootId::new(now, &chance.ten());
        let live = Arc::new(Live::new(now, 0));
        let observe = observe(hub, &live);
        Self { hub: Arc::clone(hub), config, facilities, remote, chance, boot, live, observe }
    }
}

fn observe(hub: &Arc<Hub>, live: &Arc<Live>) -> Observe {
    let (live, clock) = (Arc::clone(live), hub.clock.clone());
    Arc::new(move |seen| {
        if let Seen::Skew { facility, seconds } = seen {
            live.clock(facility, seconds, true, clock.now());
        }
    })
}

/// As the daemon prepares its store.
async fn prepare(store: &SharedStore, base: Base, found: Found, now: jiff::Timestamp) -> Result<(), StoreError> {
    store.reclaim(now, true, base).await?;
    if found.restored {
        let reason = "basis data dipulihkan dari cadangan".to_owned();
        let audit = AuditEntry {
            at: now,
            actor: "jembatan".to_owned(),
            action: "pause".to_owned(),
            object: "*".to_owned(),
            detail: reason.clone(),
        };
        let pause = PauseRow { facility: "*".to_owned(), reason, actor: "jembatan".to_owned(), since: now };
        store.set_pause("*", Some(pause), audit).await?;
        store.distrust(now, base).await?;
    }
    Ok(())
}
