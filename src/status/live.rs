//! What only the running process knows: heartbeats, the clock's error, the vault, the disk, the watchdog's judgement.
//!
//! Job: a board that the daemon's tasks write and the faces read, without waiting for anything. Invariants: no lock is
//! held across an await or while another is taken; nothing here names a patient. Neighbours: `daemon` shares one
//! `Arc<Live>`; `judge` gets a copy. What it does not do: judge, read the clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::judge::STALL;
use crate::clock::Clock;
use crate::store::{KeptTotals, Nodes};

/// The board.
#[derive(Debug)]
pub struct Live {
    started: Timestamp,
    min_free: u64,
    board: Mutex<Board>,
    attempts: Mutex<BTreeMap<(String, String), u64>>,
    inbound: Mutex<Option<InboundSeen>>,
}

/// What the listener for Mobile JKN saw since the process began.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundSeen {
    /// Whether it listens.
    pub listening: Fact,
    /// The facilities it answers for, with their zones.
    pub places: Vec<(String, TimeZone)>,
    /// The last call of somebody who proved to be Mobile JKN, by facility.
    pub last: BTreeMap<String, Timestamp>,
    /// Answers by route and code.
    pub calls: BTreeMap<(String, i64), u64>,
}

#[derive(Debug)]
struct Board {
    beats: BTreeMap<String, Beat>,
    clocks: BTreeMap<String, ClockReading>,
    vault: Fact,
    store: Fact,
    disk: Option<u64>,
    disk_low_since: Option<Timestamp>,
    stalled: Vec<Stalled>,
    kept: Vec<KeptTotals>,
    nodes: Option<Nodes>,
}

/// The last heartbeat of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// When, by the clock on the wall.
    pub at: Timestamp,
    /// How many so far: the watchdog counts, so that a clock that jumps does not fool it.
    pub count: u64,
    /// How long it may be until the next.
    pub limit: Duration,
    /// Whether the task is gone, though nobody told it to end: it never beats again.
    pub gone: bool,
}

/// What the last answer of BPJS said about our clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockReading {
    /// kdProvider.
    pub facility: String,
    /// Our clock minus BPJS's, in seconds: positive when ours is fast.
    pub skew: i64,
    /// Whether it was confirmed since the process began.
    pub confirmed: bool,
    /// Since when it reads so (when it went over or under the limit is up to the reader).
    pub since: Timestamp,
    /// When it was read last.
    pub read_at: Timestamp,
}

/// Whether a part works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// A stable code of what is wrong (`key_absent`, `full`…), never a text from outside; `None`: it works.
    pub fault: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// A task whose heart stopped, as the watchdog saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stalled {
    /// Its name.
    pub task: String,
    /// Its last beat.
    pub last: Timestamp,
    /// Whether it is gone (it ended by itself or panicked) rather than standing still.
    pub gone: bool,
}

/// A copy of the board for the judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When the process began.
    pub started: Timestamp,
    /// Tasks and their last beats.
    pub beats: BTreeMap<String, Beat>,
    /// Clock readings by facility.
    pub clocks: Vec<ClockReading>,
    /// The vault.
    pub vault: Fact,
    /// The store, as far as the process noticed.
    pub store: Fact,
    /// Free bytes on the store's disk, if known.
    pub disk_free: Option<u64>,
    /// Since when the disk is below [`Snapshot::min_free`].
    pub disk_low_since: Option<Timestamp>,
    /// Free bytes that must be left (`store.min_free`).
    pub min_free: u64,
    /// What the watchdog found.
    pub stalled: Vec<Stalled>,
    /// What is kept of reads, as it was counted last.
    pub kept: Vec<KeptTotals>,
    /// The nodes that share the database, as this one saw them last; `None` where it is alone.
    pub nodes: Option<Nodes>,
    /// The listener for Mobile JKN, if there is one.
    pub inbound: Option<InboundSeen>,
}

impl Live {
    /// An empty board; `min_free` in bytes, from `store.min_free`.
    #[must_use]
    pub fn new(now: Timestamp, min_free: u64) -> Self {
        let works = Fact { fault: None, since: now };
        let board = Board {
            beats: BTreeMap::new(),
            clocks: BTreeMap::new(),
            vault: works.clone(),
            store: works,
            disk: None,
            disk_low_since: None,
            stalled: Vec::new(),
            kept: Vec::new(),
            nodes: None,
        };
        Self {
            started: now,
            min_free,
            board: Mutex::new(board),
            attempts: Mutex::new(BTreeMap::new()),
            inbound: Mutex::new(None),
        }
    }

    /// A task that must beat from now on, at most `limit` apart, until it is retired: one that never gets as far as its
    /// first beat is seen as well.
    pub fn register(&self, task: &str, limit: Duration, now: Timestamp) {
        self.board().beats.insert(task.to_owned(), Beat { at: now, count: 0, limit, gone: false });
    }

    /// A heartbeat. The first one of a task that nobody registered makes it one that must go on beating ([`STALL`]).
    pub fn beat(&self, task: &str, now: Timestamp) {
        let mut board = self.board();
        let fresh = || Beat { at: now, count: 0, limit: STALL, gone: false };
        let beat = board.beats.entry(task.to_owned()).or_insert_with(fresh);
        (beat.at, beat.count) = (now, beat.count.wrapping_add(1));
    }

    /// A task ended though nobody told it to, by itself or by a panic.
    pub fn gone(&self, task: &str) {
        if let Some(beat) = self.board().beats.get_mut(task) {
            beat.gone = true;
        }
    }

    /// A task that ended because the bridge is being shut down no longer has to beat.
    pub fn retire(&self, task: &str) {
        self.board().beats.remove(task);
    }

    /// What BPJS's `Date` says about our clock; `skew` in seconds, positive when ours is fast.
    pub fn clock(&self, facility: &str, skew: i64, confirmed: bool, now: Timestamp) {
        let mut board = self.board();
        let old = board.clocks.get(facility);
        let same = old.filter(|old| old.confirmed == confirmed && is_off(old.skew) == is_off(skew));
        let since = same.map_or(now, |old| old.since);
        let reading = ClockReading { facility: facility.to_owned(), skew, confirmed, since, read_at: now };
        board.clocks.insert(facility.to_owned(), reading);
    }

    /// Whether BPJS's last answer found our clock right (promise 9: not more than 60 s off): not before the first one, and
    /// not once the clock was set forward since then.
    #[must_use]
    pub fn clock_is_right(&self, clock: &Clock) -> bool {
        let board = self.board();
        let last = board.clocks.values().filter(|reading| reading.confirmed).max_by_key(|reading| reading.read_at);
        last.is_some_and(|last| !is_off(last.skew) && clock.jumped_since(last.read_at).is_zero())
    }

    /// The vault works (`None`) or not, by a stable code.
    pub fn vault(&self, fault: Option<&str>, now: Timestamp) {
        self.board().vault.set(fault, now);
    }

    /// The store works (`None`) or not, by a stable code.
    pub fn store(&self, fault: Option<&str>, now: Timestamp) {
        self.board().store.set(fault, now);
    }

    /// Free bytes on the store's disk.
    pub fn disk_free(&self, bytes: u64, now: Timestamp) {
        let low = bytes < self.min_free;
        let mut board = self.board();
        board.disk = Some(bytes);
        board.disk_low_since = if low { board.disk_low_since.or(Some(now)) } else { None };
    }

    /// What is kept of reads for outages.
    pub fn kept(&self, totals: Vec<KeptTotals>) {
        self.board().kept = totals;
    }

    /// The nodes that share the database.
    pub fn nodes(&self, nodes: Nodes) {
        self.board().nodes = Some(nodes);
    }

    /// Counts an ended attempt. Words that are none of ours count as `other`, so that labels stay few and say nothing.
    pub fn attempt(&self, operation: &str, outcome: &str) {
        let key = (label(operation), label(outcome));
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        *attempts.entry(key).or_insert(0) += 1;
    }

    /// The listener for Mobile JKN is up.
    pub fn inbound_up(&self, places: Vec<(String, TimeZone)>, now: Timestamp) {
        let listening = Fact { fault: None, since: now };
        *self.inbound() = Some(InboundSeen { listening, places, last: BTreeMap::new(), calls: BTreeMap::new() });
    }

    /// It stopped, by a stable code.
    pub fn inbound_down(&self, fault: &str, now: Timestamp) {
        if let Some(seen) = self.inbound().as_mut() {
            seen.listening.set(Some(fault), now);
        }
    }

    /// It answered a call; `facility` is empty while nobody proved who calls.
    pub fn inbound_call(&self, route: &str, facility: &str, code: i64, now: Timestamp) {
        if let Some(seen) = self.inbound().as_mut() {
            if !facility.is_empty() {
                seen.last.insert(facility.to_owned(), now);
            }
            *seen.calls.entry((label(route), code)).or_insert(0) += 1;
        }
    }

    fn inbound(&self) -> MutexGuard<'_, Option<InboundSeen>> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attempts by operation and outcome.
    #[must_use]
    pub fn attempts(&self) -> BTreeMap<(String, String), u64> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The board as it stands.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let inbound = self.inbound().clone();
        let board = self.board();
        Snapshot {
            started: self.started,
            beats: board.beats.clone(),
            clocks: board.clocks.values().cloned().collect(),
            vault: board.vault.clone(),
            store: board.store.clone(),
            disk_free: board.disk,
            disk_low_since: board.disk_low_since,
            min_free: self.min_free,
            stalled: board.stalled.clone(),
            kept: board.kept.clone(),
            nodes: board.nodes.clone(),
            inbound,
        }
    }

    /// The watchdog's finding.
    pub(super) fn set_stalled(&self, stalled: Vec<Stalled>) {
        self.board().stalled = stalled;
    }

    pub(super) fn beats(&self) -> BTreeMap<String, Beat> {
        self.board().beats.clone()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fact {
    fn set(&mut self, fault: Option<&str>, now: Timestamp) {
        if self.fault.as_deref() != fault {
            *self = Self { fault: fault.map(str::to_owned), since: now };
        }
    }
}

/// BPJS refuses timestamps that are too far off; promise 7 draws the line at 60 s.
pub(super) const fn is_off(skew: i64) -> bool {
    skew.unsigned_abs() > 60
}

fn label(word: &str) -> String {
    let ours = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
    if !word.is_empty() && word.len() <= 48 && word.chars().all(ours) { word.to_owned() } else { "other".to_owned() }
}
