//! SIGKILL at random, again and again, while a SIM hands in and BPJS behaves as it does.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jembatan::simulator::faults::{Fault, Kind};
use serde_json::json;

use super::check::{problems, unfinished};
use super::preload;
use super::sim::Sim;
use crate::bridge::{Bridge, Dice, FACILITY, PATIENCE, Setup, yesterday};

/// One run of kills on one database.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) kills: usize,
    /// BPJS loses answers, is slow, resets connections.
    pub(crate) moods: bool,
    /// Every second kill comes at a sync, from the disk's side.
    pub(crate) at_syncs: bool,
}

/// What a run did.
#[derive(Debug, Default, Clone)]
pub(crate) struct Done {
    pub(crate) kills: usize,
    pub(crate) starts: usize,
    pub(crate) acknowledged: u64,
    pub(crate) repeated: u64,
    pub(crate) entries: i64,
    pub(crate) attempts: i64,
    pub(crate) in_doubt: i64,
    pub(crate) acts: usize,
    pub(crate) writes_at_bpjs: u64,
    pub(crate) problems: Vec<String>,
}

/// A bridge, its SIM and its dice.
pub(crate) struct Field {
    pub(crate) bridge: Bridge,
    pub(crate) sim: Sim,
    pub(crate) dice: Dice,
    pub(crate) kills: usize,
    pub(crate) starts: usize,
    acts: usize,
}

/// What goes wrong at BPJS, with the chances.
fn moods() -> Vec<Fault> {
    let of = |on: &str, kind, chance, ms| {
        let mut fault = Fault::new(on, kind);
        (fault.probability, fault.ms) = (Some(chance), ms);
        fault
    };
    vec![
        of("write", Kind::LandThenTimeout, 0.03, Some(4_000)),
        of("write", Kind::TimeoutBeforeLand, 0.02, Some(4_000)),
        of("write", Kind::LandThenReset, 0.04, None),
        of("write", Kind::Reset, 0.02, None),
        of("write", Kind::Html503, 0.01, None),
        of("write", Kind::Slow, 0.15, Some(60)),
        of("read", Kind::Reset, 0.02, None),
        of("read", Kind::Slow, 0.10, Some(60)),
    ]
}

impl Field {
    /// A fresh bridge that is not running yet, and a SIM that waits for it.
    pub(crate) fn fresh(seed: u64, blind: bool) -> Self {
        let setup = Setup { seed, timeout_ms: 1_000, settle_ms: 500, log: "warn", ..Setup::default() };
        let bridge = Bridge::stopped(&setup);
        let sim = Sim::open(&bridge, yesterday(), 3, blind);
        Self { bridge, sim, dice: Dice(seed), kills: 0, starts: 0, acts: 0 }
    }

    /// Starts the daemon with these variables besides its own; does not wait for it.
    pub(crate) fn spawn(&mut self, more: Vec<(String, String)>) {
        let own = self.bridge.env.len();
        self.bridge.env.extend(more);
        self.bridge.spawn();
        self.bridge.env.truncate(own);
        self.starts += 1;
    }

    fn pause(&mut self, below_ms: u64) {
        std::thread::sleep(Duration::from_micros(self.dice.below(below_ms * 1_000)));
    }

    /// Starts the daemon and waits for it.
    pub(crate) fn start(&mut self) {
        self.spawn(Vec::new());
        assert!(self.is_up(), "{:?}", self.sim.desk.ledger.lock().unwrap().faults);
    }

    /// Whether the API takes connections.
    #[cfg(feature = "failpoints")]
    pub(crate) fn answers(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.bridge.port)).is_ok()
    }

    /// Waits until the daemon has died.
    #[cfg(feature = "failpoints")]
    pub(crate) fn until_ended(&mut self) {
        let began = Instant::now();
        while !self.ended() {
            assert!(began.elapsed() < PATIENCE, "it lives\n{}", self.bridge.logs());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One life with this failpoint, killed at work.
    #[cfg(feature = "failpoints")]
    pub(crate) fn live_briefly(&mut self, failpoint: &str) {
        self.sim.allow(3);
        self.spawn(vec![("JEMBATAN_FAILPOINT".to_owned(), failpoint.to_owned())]);
        if self.is_up() {
            self.pause(400);
        }
        if !self.ended() {
            self.bridge.kill_9();
            self.kills += 1;
        }
    }

    /// Waits until the API answers; false if the daemon ended before.
    fn is_up(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if std::net::TcpStream::connect(("127.0.0.1", self.bridge.port)).is_ok() {
                return true;
            }
            if self.ended() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        panic!("not up within {PATIENCE:?}\n{}", self.bridge.logs());
    }

    /// Whether the daemon has ended by itself; by anything but SIGKILL it must not.
    pub(crate) fn ended(&mut self) -> bool {
        use std::os::unix::process::ExitStatusExt as _;
        let Some(status) = self.bridge.ended() else { return false };
        self.kills += 1;
        if status.signal() != Some(9) {
            let logs = self.bridge.logs();
            let tail: Vec<&str> = logs.lines().rev().take(2).collect();
            let words = format!("the daemon ended by itself: {status:?}: {tail:?}");
            self.sim.desk.ledger.lock().unwrap().faults.push(words);
        }
        true
    }

    /// A person pauses and resumes; an act that was acknowledged is in the ledger.
    fn act(&mut self) {
        for method in ["POST", "DELETE"] {
            self.acts += 1;
            let reason = format!("uji {}", self.acts);
            let body = json!({ "facility": FACILITY, "reason": reason });
            let operator = self.bridge.operator.clone();
            let told = self.bridge.raw(method, "/v1/pauses", &operator, Some(&body));
            if told.is_some_and(|told| told.status == 200) {
                self.sim.desk.ledger.lock().unwrap().acts.insert(reason);
            }
        }
    }

    /// One life of the daemon: it starts, works or not, and is killed.
    fn live_and_die(&mut self, at_syncs: bool) {
        self.sim.allow(2);
        let kind = self.dice.below(10);
        let by_disk = at_syncs && self.dice.below(2) == 0;
        let env = if by_disk {
            let effect = if self.dice.below(2) == 0 { "KILL" } else { "KILL_AFTER" };
            preload::disk(&self.bridge, &format!("sync:{}:{effect}", 1 + self.dice.below(60)))
        } else {
            Vec::new()
        };
        self.spawn(env);
        if kind < 2 {
            // While it starts.
            self.pause(250);
        } else if self.is_up() {
            match kind {
                2 => self.act(),
                // Right after a 202.
                3 => {
                    let (before, began) = (self.sim.desk.acknowledged.load(Ordering::SeqCst), Instant::now());
                    while self.sim.desk.acknowledged.load(Ordering::SeqCst) == before
                        && began.elapsed() < Duration::from_millis(300)
                    {
                        std::thread::yield_now();
                    }
                }
                _ => self.pause(450),
            }
        }
        if !self.ended() {
            self.bridge.kill_9();
            self.kills += 1;
        }
    }

    /// Lets everything come to its end, and judges.
    pub(crate) fn judged(mut self) -> Done {
        self.bridge.simulator.clear_faults();
        // On a machine that has no time for BPJS either, a short timeout would make outages of its own.
        self.bridge.write_config(&Setup { timeout_ms: 15_000, settle_ms: 500, ..Setup::default() });
        self.spawn(Vec::new());
        assert!(self.is_up(), "{}", self.bridge.logs());
        let body = json!({ "facility": FACILITY, "reason": "akhir" });
        assert_eq!(self.bridge.call("DELETE", "/v1/pauses", Some(&body)).status, 200);
        self.sim.close();
        self.bridge.until("everything is final", PATIENCE * 4, || (unfinished(&self.bridge) == 0).then_some(()));
        self.told()
    }

    /// The same for a bridge that is broken on purpose: its SIM may wait for what will never be.
    #[cfg(feature = "failpoints")]
    pub(crate) fn judged_even_if_stuck(mut self) -> Done {
        self.start();
        let began = Instant::now();
        while unfinished(&self.bridge) > 0 && began.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.sim.close();
        self.told()
    }

    /// Something handed in by the test itself, which nobody repeats: if it was kept, BPJS has it once.
    pub(crate) fn withdraw(&self, reference: &str, card: &str) {
        let sql = format!("SELECT count(*) FROM submission WHERE ref = '{reference}'");
        if super::check::count(&super::check::database(&self.bridge), &sql) == 1 {
            let mut ledger = self.sim.desk.ledger.lock().unwrap();
            for key in ["pendaftaran/{}", "kunjungan/{}/demam", "obat/{}/130103595/10"] {
                ledger.wanted.insert(key.replace("{}", card), 1);
            }
        }
    }

    fn told(&self) -> Done {
        let ledger = self.sim.desk.ledger.lock().unwrap();
        let database = super::check::database(&self.bridge);
        let count = |sql: &str| super::check::count(&database, sql);
        Done {
            kills: self.kills,
            starts: self.starts,
            acknowledged: self.sim.desk.acknowledged.load(Ordering::SeqCst),
            repeated: self.sim.desk.repeated.load(Ordering::SeqCst),
            entries: count("SELECT count(*) FROM delivery"),
            attempts: count("SELECT count(*) FROM attempt"),
            in_doubt: count("SELECT count(*) FROM attempt WHERE outcome IN ('lost', 'crashed') AND purpose = 'send'"),
            acts: ledger.acts.len(),
            writes_at_bpjs: self.bridge.writes(),
            problems: problems(&self.bridge, &ledger),
        }
    }
}

/// Carries a plan out.
pub(crate) fn run(plan: Plan) -> Done {
    let mut field = Field::fresh(plan.seed, false);
    if plan.moods {
        field.bridge.simulator.add_faults(moods()).unwrap();
    }
    field.sim.allow(6);
    for _ in 0..plan.kills {
        field.live_and_die(plan.at_syncs);
    }
    field.judged()
}

fn holds(plan: Plan) -> Done {
    let done = run(plan);
    println!("seed {}: {done:?}", plan.seed);
    assert!(done.problems.is_empty(), "seed {}: {:#?}", plan.seed, done.problems);
    assert!(done.in_doubt > 0, "no kill met a request under way: the run shows nothing");
    done
}

#[test]
fn killed_at_random_every_202_is_kept_and_bpjs_has_each_once() {
    holds(Plan { seed: 1, kills: 25, moods: false, at_syncs: false });
}

#[test]
fn killed_at_random_and_at_syncs_while_bpjs_loses_answers() {
    holds(Plan { seed: 2, kills: 25, moods: true, at_syncs: true });
}

/// `JEMBATAN_KILLS=10000`, if wanted with `JEMBATAN_KILL_LANES=2` and `JEMBATAN_KILL_SEED=7`: as many kills, a fresh
/// database after every hundred, and the sums printed at the end.
#[test]
fn killed_as_often_as_the_environment_says() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
    };
    let (kills, lanes) = (number("JEMBATAN_KILLS", 12), number("JEMBATAN_KILL_LANES", 1).max(1));
    let (first, each) = (number("JEMBATAN_KILL_SEED", 100), 100_u64);
    let began = Instant::now();
    let lane = move |lane: u64| {
        let mut sum = Done::default();
        for round in 0.. {
            let left = (kills / lanes).saturating_sub(sum.kills as u64);
            if left == 0 {
                return sum;
            }
            let seed = first + lane * 1_000_000 + round;
            let kills = usize::try_from(left.min(each)).unwrap();
            let done = holds(Plan { seed, kills, moods: !seed.is_multiple_of(3), at_syncs: seed.is_multiple_of(2) });
            sum.kills += done.kills;
            sum.starts += done.starts;
            sum.acknowledged += done.acknowledged;
            sum.repeated += done.repeated;
            sum.entries += done.entries;
            sum.attempts += done.attempts;
            sum.in_doubt += done.in_doubt;
            sum.acts += done.acts;
            sum.writes_at_bpjs += done.writes_at_bpjs;
            println!("lane {lane}: {} kills after {:?}", sum.kills, began.elapsed());
        }
        sum
    };
    let lanes: Vec<_> = (0..lanes).map(|n| std::thread::spawn(move || lane(n))).collect();
    for done in lanes.into_iter().map(|lane| lane.join().unwrap()) {
        println!("in {:?}: {done:?}", began.elapsed());
    }
}
