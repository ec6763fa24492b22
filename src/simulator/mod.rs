//! The mirror world: BPJS's services over real HTTP, for development, drills and tests.
//!
//! Job: answer P-Care (`/pcare-rest`), V-Claim (`/vclaim-rest`), Antrean FKTP (`/antreanfktp`) and i-Care (`/wsihs`) as
//! the public sources describe them, over one world of members, with scripted faults and a control plane (`/_sim`).
//! Invariants: the same seed and requests give the same answers; bodies, cards and headers are never
//! logged; nothing is kept on disk. Neighbours: `protocol` checks signatures and seals; whoever tests the
//! bridge starts one. What it does not do: speak TLS, keep secrets, call out.
//!
//! Reading order: [`world`] (what P-Care remembers), `vclaim`, `antrean`, `icare` (the others), `generic` (operations
//! that only a catalogue file knows), `routes` and `services` (the operations), `gate` (the door), `face` (one request),
//! [`faults`] and [`rules`] (what is scripted), `control` (`/_sim`), `server` (connections).

pub mod credentials;
pub mod faults;
pub mod mobile_jkn;
pub mod rules;
pub mod texts;
pub mod world;

mod antrean;
mod control;
mod face;
mod gate;
mod generic;
mod icare;
mod ledger;
mod routes;
mod server;
mod services;
mod vclaim;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::credentials::Credentials;
use self::faults::{Fault, Faults, Script};
use self::generic::Generic;
use self::world::{Moment, Origin, World};
use crate::catalogue::{Operation, Service};
use crate::clock::Clock;
use crate::secret::Password;

pub use self::server::serve;

/// The facility of the shipped day.
pub const FACILITY: &str = "0114A026";

/// How many of the last requests `/_sim/requests` shows.
const SHOWN: usize = 200;
/// How many of the last requests are remembered for [`Simulator::log_of_requests`].
const REMEMBERED: usize = 200_000;

/// What a simulator is built from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What clients must sign and log in with.
    pub credentials: Credentials,
    /// Code of the facility (kdProvider, eight characters).
    pub facility: String,
    /// Decides who the members are and where faults with a probability strike.
    pub seed: u64,
    /// The clock behind the signature check, the `Date` header, "today" and every wait.
    pub clock: Clock,
    /// Switches and faults to begin with.
    pub script: Script,
    /// Operations of an override directory; those that nothing here plays get a generic route.
    pub operations: Vec<Operation>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            facility: FACILITY.to_owned(),
            seed: 1,
            clock: Clock::system(),
            script: Script::default(),
            operations: Vec::new(),
        }
    }
}

/// How a whole service is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownMode {
    /// Every connection is reset, the idle ones at once.
    Refuse,
    /// A gateway's HTML page with HTTP 503.
    #[serde(rename = "http_503")]
    Http503,
    /// Requests are read and never answered.
    Hang,
}

/// An outage in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Down {
    pub(crate) mode: DownMode,
    /// When it ends by itself; none: when somebody ends it.
    pub(crate) until: Option<Timestamp>,
}

/// The services that are out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outages(BTreeMap<Service, Down>);

impl Outages {
    /// The outage of a service; of a path that is no service's, the one that all of them have.
    pub(crate) fn of(&self, service: Option<Service>) -> Option<Down> {
        match service {
            Some(service) => self.0.get(&service).copied(),
            None if self.0.len() == Service::ALL.len() => self.0.values().next().copied(),
            None => None,
        }
    }
}

/// One request as `/_sim/requests` shows it: no path, no body.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) at: Timestamp,
    pub(crate) operation: String,
    pub(crate) outcome: String,
}

/// Everything that changes.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) credentials: Credentials,
    pub(crate) refuse_credentials: bool,
    pub(crate) skew: SignedDuration,
    pub(crate) counts: BTreeMap<(String, String), u64>,
    pub(crate) last: VecDeque<Logged>,
}

struct Shared {
    clock: Clock,
    original: (Credentials, u64, Script),
    /// The operations that nothing here plays.
    generic: Vec<Arc<Generic>>,
    state: Mutex<State>,
    down: watch::Sender<Outages>,
    outage: Mutex<CancellationToken>,
}

/// A running mirror world; clones share it.
#[derive(Clone)]
pub struct Simulator(Arc<Shared>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one call that either happens or refuses, so what a panicking thread left is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Simulator {
    /// A fresh world.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings { credentials, facility, seed, clock, script, operations } = settings;
        let state = State {
            world: World::new(seed, &facility, script.rules.clone()),
            faults: Faults::new(seed, script.fault.clone()),
            credentials: credentials.clone(),
            refuse_credentials: script.refuse_credentials,
            skew: SignedDuration::ZERO,
            counts: BTreeMap::new(),
            last: VecDeque::new(),
        };
        let new = Self(Arc::new(Shared {
            clock,
            original: (credentials, seed, script),
            generic: operations.into_iter().map(Generic::new).map(Arc::new).collect(),
            state: Mutex::new(state),
            down: watch::Sender::default(),
            outage: Mutex::new(CancellationToken::new()),
        }));
        new.begin();
        new
    }

    /// The services and the control plane. Faults that cut the connection need [`serve`]; under another server they
    /// answer HTTP 502 without a body.
    pub fn router(&self) -> axum::Router {
        control::router().fallback(face::handle).with_state(self.clone())
    }

    /// The credentials in force.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.state().credentials.clone()
    }

    /// Back to the beginning: world, switches, faults, credentials, clock, counts, outage.
    pub fn reset(&self) {
        let (credentials, seed, script) = self.0.original.clone();
        {
            let mut state = self.state();
            state.world.rules = script.rules;
            state.world.reset();
            state.faults = Faults::new(seed, script.fault);
            state.credentials = credentials;
            state.refuse_credentials = script.refuse_credentials;
            state.skew = SignedDuration::ZERO;
            state.counts.clear();
            state.last.clear();
        }
        self.up();
        self.begin();
    }

    /// Starts the outage that the script begins with.
    fn begin(&self) {
        if let Some(outage) = self.0.original.2.down {
            let duration = outage.for_ms.map(Duration::from_millis);
            match outage.service {
                None => self.down(outage.mode, duration),
                Some(service) => self.down_service(service, outage.mode, duration),
            }
        }
    }

    /// Adds faults behind those in force.
    ///
    /// # Errors
    /// The first fault that is not well-formed; nothing is added then.
    pub fn add_faults(&self, faults: Vec<Fault>) -> Result<(), String> {
        let extra: Vec<&str> = self.0.generic.iter().map(|one| one.name()).collect();
        faults.iter().try_for_each(|fault| fault.check_with(&extra))?;
        self.state().faults.add(faults);
        Ok(())
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Begins an outage of all services; the control plane stays reachable.
    pub fn down(&self, mode: DownMode, duration: Option<Duration>) {
        self.begin_outage(Service::ALL, mode, duration);
        if mode == DownMode::Refuse {
            let mut outage = locked(&self.0.outage);
            outage.cancel();
            *outage = CancellationToken::new();
        }
    }

    /// Begins an outage of one service. Its connections are cut when a request names it: the services share the port.
    pub fn down_service(&self, service: Service, mode: DownMode, duration: Option<Duration>) {
        self.begin_outage(&[service], mode, duration);
    }

    fn begin_outage(&self, services: &[Service], mode: DownMode, duration: Option<Duration>) {
        let until = duration.map(|duration| self.0.clock.now() + duration);
        self.0.down.send_modify(|down| down.0.extend(services.iter().map(|service| (*service, Down { mode, until }))));
    }

    /// Ends every outage.
    pub fn up(&self) {
        self.0.down.send_replace(Outages::default());
    }

    /// Ends the outage of one service.
    pub fn up_service(&self, service: Service) {
        self.0.down.send_modify(|down| down.0.retain(|out, _| *out != service));
    }

    /// How far the services' clock is off, in seconds; shows in `Date`, the signature check and "today".
    pub fn set_skew(&self, seconds: i64) {
        self.state().skew = SignedDuration::from_secs(seconds);
    }

    /// Changes the P-Care web password, as staff does every two months: the old one is refused from now on.
    pub fn set_password(&self, password: Password) {
        self.state().credentials.password = password;
    }

    /// Refuses every login (401) until told otherwise.
    pub fn refuse_credentials(&self, refuse: bool) {
        self.state().refuse_credentials = refuse;
    }

    /// Everything that landed, with its content: the `/_sim/ledger` document.
    #[must_use]
    pub fn ledger(&self) -> Value {
        ledger::of(&self.state().world)
    }

    /// Counts per operation and outcome, and the last requests: the `/_sim/requests` document.
    #[must_use]
    pub fn requests(&self) -> Value {
        ledger::requests(&self.state())
    }

    /// When which operation was asked for, and what came of it; the last 200 000, without the requests that an outage met.
    #[must_use]
    pub fn log_of_requests(&self) -> Vec<(Timestamp, String, String)> {
        let all = self.state().last.clone();
        all.into_iter().filter(|one| one.operation != "*").map(|one| (one.at, one.operation, one.outcome)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.0.state)
    }

    fn outage(&self) -> CancellationToken {
        locked(&self.0.outage).clone()
    }

    /// The outage in force for a service, unless its time is over; without a service, that of all of them.
    fn is_down(&self, service: Option<Service>) -> Option<Down> {
        let now = self.0.clock.now();
        self.0.down.borrow().of(service).filter(|down| down.until.is_none_or(|until| now < until))
    }
}

impl State {
    /// The services' instant: the machine's and what it is off.
    fn service_now(&self, clock: &Clock, more: SignedDuration) -> Timestamp {
        let off = self.skew.saturating_add(more);
        clock.now().saturating_add(off).unwrap_or_else(|_| clock.now())
    }

    /// The moment of a write by `origin`, shown to reads `hidden` later.
    fn moment(&self, now: Timestamp, origin: Origin, hidden: Duration) -> Moment {
        // The zone is a switch; a name nobody knows is read as the western one, UTC+7.
        let western = || TimeZone::fixed(jiff::tz::offset(7));
        let zone = TimeZone::get(&self.world.rules.timezone).unwrap_or_else(|_| western());
        let visible_from = if hidden.is_zero() { Timestamp::MIN } else { now + hidden };
        Moment { now, today: now.to_zoned(zone).date(), visible_from, origin }
    }

    fn log(&mut self, at: Timestamp, operation: &str, outcome: &str) {
        *self.counts.entry((operation.to_owned(), outcome.to_owned())).or_insert(0) += 1;
        self.last.push_back(Logged { at, operation: operation.to_owned(), outcome: outcome.to_owned() });
        if self.last.len() > REMEMBERED {
            self.last.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
