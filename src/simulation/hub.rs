//! What all parts of one run share: time, options, the notes and the model.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;

use super::dice::Dice;
use super::model::Model;
use super::notes::Notes;
use super::options::Options;
use super::workload::{Site, plan, sites};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::simulator::faults::Script;
use crate::simulator::{Settings, Simulator};

pub(super) struct Hub {
    pub(super) options: Options,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) sites: Vec<Site>,
    /// BPJS, one world a facility.
    pub(super) bpjs: Vec<Simulator>,
    pub(super) routers: Vec<Router>,
    /// The bridge's.
    pub(super) clock: Clock,
    /// Told whenever something was claimed.
    pub(super) claimed: tokio::sync::Notify,
    began: tokio::time::Instant,
    faulty: AtomicBool,
    /// By how much the wall clock is ahead, in milliseconds.
    ahead: AtomicI64,
    /// When the clock went forward by less than anybody notices, and by how much, in milliseconds.
    crept: Mutex<Vec<(u64, u64)>>,
    notes: Mutex<Notes>,
    model: Mutex<Model>,
}

impl Hub {
    /// Inside the run's runtime: time begins here.
    pub(super) fn new(options: Options, catalogue: Arc<Catalogue>, whole: bool) -> Arc<Self> {
        let sites = sites(&options);
        let right_clock = Clock::simulated(options.start);
        let clock = Clock::simulated(options.start);
        clock.set_slack(options.slack);
        let simulator = |site: &Site| {
            Simulator::new(Settings {
                facility: site.code.to_owned(),
                seed: options.seed,
                clock: right_clock.clone(),
                script: Script::default(),
                ..Settings::default()
            })
        };
        let bpjs: Vec<Simulator> = sites.iter().map(simulator).collect();
        let routers = bpjs.iter().map(Simulator::router).collect();
        let model = Model::new(plan(&options, &sites));
        let notes = Notes::new(whole);
        Arc::new(Self {
            options,
            catalogue,
            sites,
            bpjs,
            routers,
            clock,
            claimed: tokio::sync::Notify::new(),
            began: tokio::time::Instant::now(),
            faulty: AtomicBool::new(true),
            ahead: AtomicI64::new(0),
            crept: Mutex::new(Vec::new()),
            notes: Mutex::new(notes),
            model: Mutex::new(model),
        })
    }

    pub(super) fn dice(&self, name: &str) -> Dice {
        Dice::new(self.options.seed, name)
    }

    pub(super) fn passed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn millis(&self) -> u64 {
        u64::try_from(self.passed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn faulty(&self) -> bool {
        self.faulty.load(Ordering::Relaxed)
    }

    pub(super) fn calm_down(&self) {
        self.faulty.store(false, Ordering::Relaxed);
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock is off by so many milliseconds from now on.
    pub(super) fn step_clock(&self, millis: i64) {
        self.ahead.store(millis, Ordering::Relaxed);
        let unseen = self.clock.set_ahead(millis);
        self.crept.lock().unwrap_or_else(PoisonError::into_inner).push((self.millis(), unseen));
    }

    /// Whether the clock is so far behind that what has just happened lies more than a day ahead of it.
    pub(super) fn is_days_behind(&self) -> bool {
        self.ahead.load(Ordering::Relaxed) < -23 * 60 * 60 * 1000
    }

    /// What a right clock shows.
    pub(super) fn true_time(&self) -> jiff::Timestamp {
        self.options.start + self.passed()
    }

    /// By how much the clock went forward unnoticed since then, in milliseconds.
    pub(super) fn crept_since(&self, then: u64) -> u64 {
        let crept = self.crept.lock().unwrap_or_else(PoisonError::into_inner);
        crept.iter().filter(|(at, _)| *at >= then).map(|(_, by)| by).sum()
    }

    pub(super) fn event(&self, what: &'static str, a: usize, b: u64) {
        let at = self.millis();
        self.notes().event(at, what, u64::try_from(a).unwrap_or(u64::MAX), b);
    }

    /// A promise is broken: the first one counts.
    pub(super) fn broken(&self, checker: &'static str, saw: String) {
        self.event("BROKEN", 0, 0);
        self.notes().broken.get_or_insert((checker, saw));
    }

    pub(super) fn is_broken(&self) -> bool {
        self.notes().broken.is_some()
    }

    /// Takes note of what is new at BPJS.
    pub(super) fn absorb(&self, site: usize) -> usize {
        let allowed = self.options.broken || self.model().restored;
        let absorbed = self.model().absorb(site, &self.bpjs[site], allowed);
        match absorbed {
            Ok(count) => count,
            Err((checker, saw)) => {
                self.broken(checker, saw);
                1
            }
        }
    }
}
