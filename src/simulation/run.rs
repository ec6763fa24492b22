//! One run: a seed's world is built, lives through its faults, calms down, and must end with everything in its place.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::disk::{Disk, disk};
use super::hub::Hub;
use super::options::Options;
use super::process::{Machine, Process, catalogue};
use super::store::SharedDisk;
use super::{dates, ending, people, steps, weather};
use crate::queue::{HeldCode, State};

/// Without faults everything must be in its place after this long.
const CALM_MOST: Duration = Duration::from_hours(72);

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) hash: u64,
    pub(super) steps: u64,
    pub(super) entries: usize,
    pub(super) virtual_time: Duration,
    pub(super) kills: u64,
    pub(super) copies: usize,
    pub(super) reached: std::collections::BTreeMap<&'static str, u64>,
    pub(super) broken: Option<(&'static str, String)>,
    pub(super) tail: String,
    pub(super) whole: Option<Vec<(u64, &'static str, u64, u64)>>,
}

/// Everything of a run that is not the process.
pub(super) struct Bench {
    pub(super) hub: Arc<Hub>,
    pub(super) machine: Machine,
    pub(super) began: tokio::time::Instant,
    process: Mutex<Option<Arc<Process>>>,
    disk: SharedDisk,
    /// A backup was taken, or put back.
    backup: Mutex<(bool, bool)>,
    /// A backup was put back since the store was opened last, and whether that may go unnoticed: the power went with it, or
    /// nothing was written since it was taken.
    put_back: Mutex<Option<bool>>,
    /// What was written when the backup was taken.
    written_at_backup: AtomicU64,
    lives: AtomicU64,
    /// The length of the longest episode in force, milliseconds.
    waiting: Mutex<Vec<Duration>>,
    /// The number of events when it was looked at last, and since when it is that.
    still: Mutex<(u64, Duration)>,
}

/// Runs one seed to its end.
pub(super) fn run(options: Options, whole: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async move {
        let hub = Hub::new(options, catalogue(), whole);
        let machine = Machine::new(&hub);
        let disk = Arc::new(Mutex::new(disk(hub.options.backing, &hub.catalogue, hub.options.seed)));
        let backup = Mutex::new((false, false));
        let began = tokio::time::Instant::now();
        let (process, lives, waiting) = (Mutex::new(None), AtomicU64::new(0), Mutex::new(Vec::new()));
        let still = Mutex::new((0, Duration::ZERO));
        let (put_back, written_at_backup) = (Mutex::new(None), AtomicU64::new(0));
        let bench = Arc::new(Bench {
            hub,
            machine,
            began,
            process,
            disk,
            backup,
            put_back,
            written_at_backup,
            lives,
            waiting,
            still,
        });
        bench.live().await;
        bench.outcome()
    })
}

impl Bench {
    /// The process, if it is up.
    pub(super) fn ready(&self) -> Option<Arc<Process>> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).clone();
        process.filter(|process| process.is_ready())
    }

    fn disk(&self) -> std::sync::MutexGuard<'_, Box<dyn Disk>> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn live(self: &Arc<Self>) {
        weather::moods(self);
        self.start();
        let mut around = tokio::task::JoinSet::new();
        let (hub, options) = (&self.hub, &self.hub.options);
        let chains = hub.model().plan.chains;
        for chain in 0..chains {
            around.spawn(people::hand_in(Arc::clone(self), chain));
        }
        around.spawn(people::in_charge(Arc::clone(self)));
        if options.staff {
            around.spawn(people::staff(Arc::clone(self)));
        }
        if options.moves {
            around.spawn(dates::declare(Arc::clone(self)));
        }
        let mut troubles = tokio::task::JoinSet::new();
        for number in 0..options.episodes {
            troubles.spawn(weather::episodes(Arc::clone(self), number));
        }
        troubles.spawn(weather::clock_steps(Arc::clone(self)));
        troubles.spawn(weather::deaths(Arc::clone(self)));
        let over = self.began + options.span + options.settle * 4;
        while !hub.is_broken() {
            while troubles.try_join_next().is_some() {}
            if troubles.is_empty() && tokio::time::Instant::now() >= over {
                break;
            }
            self.turn().await;
        }
        self.calm();
        let until = tokio::time::Instant::now() + CALM_MOST;
        // The end asks the process: one that died at the last moment is started again first.
        while !(hub.is_broken() || self.is_over() && self.is_sound()) {
            if tokio::time::Instant::now() > until {
                hub.broken("everything final", self.what_is_left());
                break;
            }
            self.turn().await;
        }
        if !hub.is_broken() {
            ending::check(self).await;
        }
        around.abort_all();
        let last = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(process) = last {
            process.kill().await;
        }
        self.disk().crash(false, &hub.dice("end"));
    }

    /// One turn of the supervisor: waits a little, starts the process again if it died.
    async fn turn(self: &Arc<Self>) {
        self.awake();
        self.disk().rest();
        let step = Duration::from_millis(500).max(self.slack());
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match process {
            Some(process) => {
                // Whether it died or only time passed, its own mark tells.
                let _either = tokio::time::timeout(step, process.life.ended.notified()).await;
                if process.life.is_dead() {
                    self.bury(process).await;
                }
            }
            None => {
                tokio::time::sleep(self.hub.dice("down").millis(100, 3000)).await;
                self.start();
            }
        }
    }

    async fn bury(&self, process: Arc<Process>) {
        self.hub.event("process gone", 0, 0);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = None;
        process.kill().await;
        let number = self.lives.load(Ordering::Relaxed);
        let dice = self.hub.dice(&format!("crash {number}"));
        let power = self.hub.faulty() && dice.strikes(500);
        self.disk().crash(power, &dice);
        let taken = *self.backup.lock().unwrap_or_else(PoisonError::into_inner);
        if taken == (true, false) && self.hub.faulty() && dice.strikes(500) {
            self.hub.event("backup put back", 0, 0);
            let same = self.written() == self.written_at_backup.load(Ordering::Relaxed);
            *self.put_back.lock().unwrap_or_else(PoisonError::into_inner) = Some(power || same);
            self.disk().put_back();
            self.hub.model().forget();
            *self.backup.lock().unwrap_or_else(PoisonError::into_inner) = (true, true);
        }
    }

    /// Takes a backup, once, if the seed wants one.
    pub(super) fn back_up(&self) {
        let mut taken = self.backup.lock().unwrap_or_else(PoisonError::into_inner);
        if self.hub.options.restore && !taken.0 && self.disk().back_up() {
            taken.0 = true;
            self.written_at_backup.store(self.written(), Ordering::Relaxed);
            self.hub.event("backup taken", 0, 0);
        }
    }

    fn start(&self) {
        let number = self.lives.fetch_add(1, Ordering::Relaxed);
        let opened = self.disk().open();
        match opened {
            Ok((store, found)) => {
                // An absent verdict of an earlier life is not believed.
                self.hub.model().entries.iter_mut().for_each(|entry| entry.absent = 0);
                steps::refresh_all(store.as_ref(), &self.hub);
                self.hub.model().audit = (0, crate::audit::genesis());
                steps::chain(store.as_ref(), &self.hub);
                self.is_restored_told(found.restored);
                self.hub.event("started", usize::try_from(number).unwrap_or(0), u64::from(found.restored));
                let process = Process::start(&self.machine, store, &self.disk, found, number);
                *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
            }
            Err(error) if !self.disk().is_on() => {
                self.hub.event("power cut while opening", 0, 0);
                drop(error);
                self.disk().crash(true, &self.hub.dice(&format!("crash {number}")));
            }
            Err(error) => self.hub.broken("the store opens again", error.to_string()),
        }
    }

    /// Submissions and attempts that were written so far.
    fn written(&self) -> u64 {
        let notes = self.hub.notes();
        let count = |what: &&str| notes.reached.get(*what).copied().unwrap_or(0);
        ["accepted", "claimed to send", "claimed to look up"].iter().map(count).sum()
    }

    /// A restored copy is noticed, unless what lies beside the database was lost with the power before it was flushed
    /// (the stated assumption); and nothing else is taken for one.
    fn is_restored_told(&self, told: bool) {
        let put_back = self.put_back.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ever = self.backup.lock().unwrap_or_else(PoisonError::into_inner).1;
        match put_back {
            Some(true) if !told => {
                self.hub.event("backup not noticed", 0, 0);
                self.hub.model().believe();
            }
            Some(false) if !told => self.hub.broken("a restored copy is noticed", "nothing was said of it".to_owned()),
            None if told && !ever => self.hub.broken("a restored copy is noticed", "there was none".to_owned()),
            Some(_) | None => {}
        }
    }

    /// Whether the process is up and not about to end.
    fn is_sound(&self) -> bool {
        self.ready().is_some_and(|process| !process.life.is_closed())
    }

    /// Faults end, also those to come: BPJS is up, the ways are open, the disk is good, the clock is right.
    fn calm(&self) {
        self.hub.calm_down();
        self.hub.event("calm", 0, 0);
        self.hub.step_clock(0);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for simulator in &self.hub.bpjs {
            simulator.clear_faults();
            simulator.up();
        }
        if let Some(process) = self.process.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            process.life.spare();
        }
        self.disk().mend();
    }

    /// Whether every submission was promised, and nothing is on its way or in a person's hands who could move it.
    fn is_over(&self) -> bool {
        let model = self.hub.model();
        // What waits for something that is delivered would have to go on by itself.
        let waits_rightly = |place: usize| {
            let mut after = model.plan.entries[place].after.iter();
            after.any(|&before| model.entries[before].forgotten || model.state(before) != Some(State::Delivered))
        };
        model.entries.iter().enumerate().all(|(place, entry)| {
            let Some(last) = entry.last.as_ref().filter(|_| entry.promised || entry.forgotten) else {
                return entry.forgotten;
            };
            let why = last.progress.why.as_ref().map_or("", |why| why.code.as_str());
            match last.progress.state {
                State::Delivered | State::Cancelled | State::Expired => true,
                State::Held => why == HeldCode::Prerequisite.word() && waits_rightly(place),
                State::Waiting | State::Sending | State::Unanswered | State::Refused => false,
            }
        })
    }

    fn what_is_left(&self) -> String {
        let model = self.hub.model();
        let left = model.entries.iter().enumerate().filter_map(|(place, entry)| {
            let last = entry.last.as_ref()?;
            let open = !matches!(last.progress.state, State::Delivered | State::Cancelled | State::Expired);
            open.then(|| format!("{place} {} {:?}", model.plan.entries[place].operation, last.progress))
        });
        left.take(3).collect::<Vec<_>>().join("\n")
    }

    // ---- how closely time is looked at --------------------------------------------------------------------------

    /// Timers are looked at closely while something is on its way, and rarely while nothing is due: the time between costs
    /// nothing then.
    fn slack(&self) -> Duration {
        let options = &self.hub.options;
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).iter().max().copied();
        let soon = self.hub.clock.now() + Duration::from_secs(2);
        let (mut open, mut near) = (false, false);
        for last in self.hub.model().entries.iter().filter_map(|entry| entry.last.as_ref()) {
            let progress = &last.progress;
            let unfinished = !progress.state.is_final();
            open |= unfinished;
            near |= unfinished && (progress.lease.is_some() || (progress.blocked.is_none() && progress.due_at <= soon));
        }
        let long = waiting.map_or(Duration::ZERO, |waiting| waiting / 300);
        let quiet = match (open, near) {
            (false, _) => Duration::from_mins(2),
            (true, false) => Duration::from_secs(4),
            (true, true) => Duration::ZERO,
        };
        let idle = self.idle() / 20;
        let calm = if self.hub.faulty() { Duration::ZERO } else { Duration::from_millis(500) };
        options.slack.max(long).max(quiet).max(calm).max(idle.min(Duration::from_mins(2)))
    }

    /// For how long nothing has happened at all.
    pub(super) fn idle(&self) -> Duration {
        let (steps, now) = (self.hub.notes().steps, self.hub.passed());
        let mut still = self.still.lock().unwrap_or_else(PoisonError::into_inner);
        if still.0 != steps {
            *still = (steps, now);
        }
        now.saturating_sub(still.1)
    }

    /// While nothing happens, timers are looked at rarely; otherwise as the options say.
    pub(super) fn awake(&self) {
        self.hub.clock.set_slack(self.slack());
    }

    pub(super) fn long_wait(&self, lasts: Duration) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(lasts);
    }

    pub(super) fn wait_over(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop();
    }

    fn outcome(&self) -> Outcome {
        let model = self.hub.model();
        let (entries, copies) = (model.plan.entries.len(), model.copies.len());
        drop(model);
        let mut notes = self.hub.notes();
        Outcome {
            hash: notes.hash(),
            steps: notes.steps,
            entries,
            virtual_time: self.hub.passed(),
            kills: self.lives.load(Ordering::Relaxed).saturating_sub(1),
            copies,
            reached: notes.reached.clone(),
            broken: notes.broken.clone(),
            tail: notes.tail(),
            whole: notes.whole.take(),
        }
    }
}
