//! The power is cut before every single operation of the disk, and whatever the disk may then hold is opened again.
//!
//! A random walk over the real store code runs inline on a disk in memory that records every operation, while a digest of
//! the whole database is taken after every answer. Before each operation some of the states that a power cut could leave are
//! made (nothing, everything, parts, torn parts of what was not synced) and opened by the real `open`. What is found must be,
//! to the last byte of every row, what stood there after the last answer, or what the job under way was making of it:
//! nothing acknowledged is lost, nothing is there by half. Of some the power is cut again, while they are being opened.
//!
//! `JEMBATAN_IMAGES` says how many images each run looks at, `JEMBATAN_SEED` where its seeds begin.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use std::time::Instant;

use crashfs::{Dice, Disk, Image, Order, Recording, Survival};

use super::on_disk::inline_on;
use super::*;
use crate::chance::Chance;
use crate::queue::transition::Event;
use crate::secret::Private;
use crate::store::conformance::desk::{DAFTAR, FACILITY, at, cancel, hold, ids};
use crate::store::conformance::walk::{Memory, accept_some, below, end_one};
use crate::store::{Claimed, NewEntry};

/// Images a run looks at, unless the environment says otherwise.
const IMAGES: u64 = 10_000;
/// Of one image in so many the power is cut again while it is being opened.
const AGAIN: usize = 500;
/// Steps of a walk.
const STEPS: i64 = 24;

static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| Arc::new(Catalogue::shipped().unwrap()));

pub(super) fn open_on(disk: &Disk) -> Result<(SqliteStore, Opened), StoreError> {
    let path = disk.root().join("jembatan.db");
    SqliteStore::open_on(Settings { path, sealer: sealer(7), catalogue: Arc::clone(&CATALOGUE) }, inline_on(disk))
}

/// Work that needs no reactor: an inline store waits for nobody.
pub(super) fn now<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Each must count nothing.
const NOTHING_OF: &[(&str, &str)] = &[
    (
        "a tally that is off",
        "SELECT count(*) FROM (SELECT facility, service, state, coalesce(how, '') AS how, count(*) AS n FROM delivery \
         GROUP BY 1, 2, 3, 4 EXCEPT SELECT * FROM tally WHERE count > 0)",
    ),
    (
        "a lease without its attempt",
        "SELECT count(*) FROM delivery d WHERE d.lease_token IS NOT NULL AND NOT EXISTS (SELECT 1 FROM attempt a \
         WHERE a.token = d.lease_token AND a.delivery = d.id AND a.ended_at IS NULL)",
    ),
    (
        "an open attempt without its lease",
        "SELECT count(*) FROM attempt a WHERE a.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM delivery d \
         WHERE d.lease_token = a.token)",
    ),
    (
        "a submission without entries",
        "SELECT count(*) FROM submission s WHERE s.id NOT IN (SELECT submission FROM delivery)",
    ),
    (
        "an entry without its body, or with one that was to be destroyed",
        "SELECT count(*) FROM delivery d WHERE d.retired = (d.id IN (SELECT delivery FROM entry_body))",
    ),
];

/// What is wrong with the rows, if anything.
pub(super) fn faults_of(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Some(verdict));
    }
    for (what, sql) in NOTHING_OF {
        if connection.query_row(sql, [], |row| row.get::<_, i64>(0))? != 0 {
            return Ok(Some((*what).to_owned()));
        }
    }
    Ok(None)
}

fn digest_of(store: &SqliteStore) -> rusqlite::Result<u64> {
    store.writer.with_connection(|connection| crashfs::digest(connection, &[("meta", "start")])).unwrap()
}

/// A random day on a disk, with what stood in the database after every answer.
struct Day {
    disk: Disk,
    store: Option<Arc<SqliteStore>>,
    desk: Desk,
    memory: Memory,
    open: Vec<Claimed>,
    states: Vec<u64>,
    /// What the writing connection is told after opening, for the controls.
    pragma: &'static str,
}

impl Day {
    fn begin(disk: Disk, seed: u64, pragma: &'static str) -> Self {
        let store = Arc::new(open_on(&disk).unwrap().0);
        let desk = Desk { chance: Chance::seeded(seed), ..Desk::new(store.clone()) };
        let memory = Memory::default();
        let mut day = Self { disk, store: Some(store), desk, memory, open: Vec::new(), states: Vec::new(), pragma };
        day.tell();
        day.note();
        day
    }

    fn store(&self) -> &SqliteStore {
        self.store.as_deref().unwrap()
    }

    fn tell(&self) {
        self.store().writer.with_connection(|connection| connection.execute_batch(self.pragma)).unwrap().unwrap();
    }

    /// An answer was given: what stands there now must survive from here on.
    fn note(&mut self) {
        let faults = self.store().writer.with_connection(faults_of).unwrap().unwrap();
        assert_eq!(faults, None);
        let state = digest_of(self.store()).unwrap();
        if self.states.last() != Some(&state) {
            self.states.push(state);
        }
        self.disk.mark(self.states.len() as u64 - 1);
    }

    /// The process ends and starts again: by itself, or killed.
    fn restart(&mut self, killed: bool) {
        if killed {
            self.disk.kill();
        }
        self.desk.store = no_store();
        self.store = None;
        let (store, opened) = open_on(&self.disk).unwrap();
        assert!(!opened.restored && !opened.fresh, "{opened:?}");
        let store = Arc::new(store);
        (self.desk.store, self.store) = (store.clone(), Some(store));
        self.tell();
        assert_eq!(Some(&digest_of(self.store()).unwrap()), self.states.last(), "nothing changes by starting");
    }

    fn group(&mut self, number: i64) {
        let new = (0..3).map(|member| {
            let entry =
                NewEntry { no_kartu: Some(Private::new(format!("{member:013}"))), ..self.desk.entry("a", DAFTAR) };
            self.desk.store.accept(self.desk.submission(&format!("g{number}-{member}"), vec![entry]))
        });
        let answers = now(futures_util::future::join_all(new.collect::<Vec<_>>()));
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }

    fn act(&self, time: i64) {
        let Some(id) = self.memory.ids.get(below(&self.desk, self.memory.ids.len().max(1))) else { return };
        let event = match below(&self.desk, 7) {
            0 => Event::Retry,
            1 => cancel(),
            2 => hold(),
            3 => Event::Amend,
            4 => Event::DeclareAbsent,
            5 => Event::Release,
            _ => Event::Adopt { ids: ids("x", "2") },
        };
        now(self.desk.store.act(self.desk.doing(*id, event, time))).unwrap();
    }

    /// The disk is full for one commit: refused, and nothing of it is there.
    fn full(&mut self, number: i64) {
        self.disk.set_room(Some(self.disk.used() + below(&self.desk, 9000)));
        let new = self.desk.submission(&format!("f{number}"), vec![self.desk.entry("a", DAFTAR)]);
        let answer = now(self.desk.store.accept(new));
        self.disk.set_room(None);
        if let Err(error) = answer {
            assert!(matches!(error, StoreError::Full(_)), "{error:?}");
            assert_eq!(Some(&digest_of(self.store()).unwrap()), self.states.last());
        }
    }

    /// As `Store::distrust` does it: some at a time, each part in a transaction of its own that must survive as it is.
    fn distrust(&mut self, time: i64) {
        let (time, mut place) = (at(time), Some(Default::default()));
        while let Some(from) = place {
            let base = self.desk.base();
            (_, place) = now(self.store().write(move |tx| tx.distrust(from, time, &base))).unwrap();
            self.note();
        }
    }

    fn step(&mut self, number: i64) {
        let time = number * 50;
        match below(&self.desk, 17) {
            0..=2 => now(accept_some(&self.desk, &mut self.memory, number)),
            3 => self.group(number),
            4..=6 => self.open.extend(now(self.desk.claim(time))),
            7..=9 if !self.open.is_empty() => {
                let claimed = self.open.swap_remove(below(&self.desk, self.open.len()));
                now(end_one(&self.desk, &claimed, time));
            }
            7..=10 => self.act(time),
            11 => {
                now(self.desk.store.reclaim(at(time), true, self.desk.base())).unwrap();
                self.open.clear();
            }
            12 => drop(now(self.desk.store.expire(at(time), 10, self.desk.base())).unwrap()),
            13 => match below(&self.desk, 3) {
                0 => self.distrust(time),
                1 => now(self.desk.store.set_lane_stop(FACILITY, "vclaim", None)).unwrap(),
                _ => drop(now(self.desk.store.retire(at(time), 3)).unwrap()),
            },
            14 => {
                self.store()
                    .writer
                    .with_connection(|c| c.execute_batch("PRAGMA incremental_vacuum(8)"))
                    .unwrap()
                    .unwrap();
                self.store().rest();
            }
            15 => self.full(number),
            _ => self.restart(below(&self.desk, 2) == 0),
        }
        self.note();
    }
}

/// Stands in for the store between two starts: one on a disk of its own.
fn no_store() -> Arc<dyn Store> {
    Arc::new(open_on(&Disk::new(Order::Strict, 0)).unwrap().0)
}

/// What looking at images found.
#[derive(Default)]
struct Found {
    /// States of the disk that were made.
    images: u64,
    /// Of those, different ones: each was opened.
    opened: u64,
    violations: BTreeMap<&'static str, u64>,
    first: Option<String>,
    /// With a violation of this kind enough was seen.
    until: &'static str,
}

impl Found {
    fn is_enough(&self) -> bool {
        self.violations.contains_key(self.until)
    }

    fn violation(&mut self, kind: &'static str, what: String) {
        *self.violations.entry(kind).or_default() += 1;
        self.first.get_or_insert(what);
    }
}

/// What was found on an image, by its key.
type Seen = HashMap<u64, Result<u64, (&'static str, String)>>;

/// Opens an image with the real code; the digest of what is there.
fn open_image(image: &Image, record: bool) -> (Result<u64, (&'static str, String)>, Option<Recording>) {
    let disk = Disk::holding(image, 1);
    if record {
        disk.record();
    }
    let (store, opened) = match open_on(&disk) {
        Ok(opened) => opened,
        Err(error) => return (Err(("does not open", error.to_string())), None),
    };
    let recording = disk.recording();
    let looked = store.writer.with_connection(|connection| -> rusqlite::Result<_> {
        let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        let vacuum: i64 = connection.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
        Ok((verdict, vacuum, crashfs::digest(connection, &[("meta", "start")])?))
    });
    // Its handles die, so that closing it costs nothing.
    disk.kill();
    let found = match looked.unwrap() {
        Err(error) => Err(("does not read", error.to_string())),
        Ok((verdict, _, _)) if verdict != "ok" => Err(("is damaged", verdict)),
        Ok((_, vacuum, _)) if vacuum != 2 => Err(("cannot shrink", format!("auto_vacuum {vacuum}"))),
        Ok(_) if opened.restored || opened.upgraded => Err(("raises a false alarm", format!("{opened:?}"))),
        Ok((_, _, digest)) => Ok(digest),
    };
    (found, recording)
}

const WAYS: [Survival; 8] = [
    Survival::Nothing,
    Survival::Everything,
    Survival::Part { torn: false },
    Survival::Part { torn: false },
    Survival::Part { torn: true },
    Survival::Part { torn: true },
    Survival::Part { torn: true },
    Survival::Part { torn: true },
];

/// Looks at what every power cut of a recording may leave. Of one in `again` images the power is cut again while it is
/// being opened (0: of none).
fn cut_everywhere(recording: &Recording, states: &[u64], again: usize, dice: &mut Dice, found: &mut Found) {
    let mut seen = Seen::new();
    let mut inner = Vec::new();
    recording.walk(|op, model, mark| {
        if found.is_enough() {
            return;
        }
        let ways = if model.is_settled() { &WAYS[..1] } else { &WAYS[..] };
        for way in ways {
            let image = model.image(*way, dice);
            found.images += 1;
            let mark = usize::try_from(mark).unwrap();
            let allowed = &states[mark..states.len().min(mark + 2)];
            let what = seen.entry(image.key).or_insert_with(|| {
                found.opened += 1;
                let record = again > 0 && dice.below(again) == 0;
                let (what, recording) = open_image(&image, record);
                inner.extend(recording.map(|recording| (recording, allowed.to_vec())));
                what
            });
            match what {
                Ok(digest) if allowed.contains(digest) => {}
                Ok(digest) if states[..mark].contains(digest) => {
                    found.violation("has lost what was acknowledged", format!("op {op}, {way:?}, mark {mark}"));
                }
                Ok(_) => found.violation("has something by half", format!("op {op}, {way:?}, mark {mark}")),
                Err((kind, why)) => found.violation(kind, format!("op {op}, {way:?}, mark {mark}: {why}")),
            }
        }
    });
    for (recording, allowed) in inner {
        cut_everywhere(&recording, &allowed, 0, dice, found);
    }
}

/// One day and all its power cuts; `creating`: the creation of the file is cut too.
fn one_day(order: Order, seed: u64, creating: bool, found: &mut Found) {
    let disk = Disk::new(order, seed);
    if creating {
        disk.record();
    }
    let mut day = Day::begin(disk.clone(), seed, "");
    if !creating {
        disk.record();
    }
    for number in 0..STEPS {
        day.step(number);
    }
    let recording = disk.recording().unwrap();
    let mut dice = Dice::new(seed);
    cut_everywhere(&recording, &day.states, AGAIN, &mut dice, found);
}

fn many_days(order: Order) {
    let (images, began) = (setting("JEMBATAN_IMAGES", IMAGES), Instant::now());
    let first = setting("JEMBATAN_SEED", 1);
    let (mut found, mut seed) = (Found::default(), first);
    while found.images < images {
        one_day(order, seed, seed % 4 == 1, &mut found);
        if let Some(what) = &found.first {
            panic!("seed {seed}, {order:?}: {:?}, first {what}", found.violations);
        }
        seed += 1;
    }
    let (Found { images, opened, .. }, took) = (found, began.elapsed());
    println!(
        "{order:?}: {images} images, {opened} different ones opened, seeds {first}..{seed}, {took:?}, 0 violations"
    );
    assert!(opened > 1000, "{opened}");
}

#[test]
fn promise_10_whenever_the_power_is_cut_what_was_acknowledged_is_there_whole_on_posix() {
    many_days(Order::Strict);
}

#[test]
fn promise_10_whenever_the_power_is_cut_what_was_acknowledged_is_there_whole_on_ext4() {
    many_days(Order::Journaled);
}

/// The enumeration must find what is wrong with a store that syncs less: the first days until it does.
fn control(order: Order, weaken: impl Fn(&Disk), pragma: &'static str, until: &'static str) {
    let mut found = Found { until, ..Found::default() };
    for seed in 1..20 {
        let disk = Disk::new(order, seed);
        weaken(&disk);
        disk.record();
        let mut day = Day::begin(disk.clone(), seed, pragma);
        for number in 0..6 {
            day.step(number);
        }
        let recording = disk.recording().unwrap();
        cut_everywhere(&recording, &day.states, 0, &mut Dice::new(seed), &mut found);
        if found.is_enough() {
            break;
        }
    }
    println!("control {pragma:?} {order:?}: {} images, {:?}", found.images, found.violations);
    assert!(found.is_enough(), "{:?}", found.violations);
}

#[test]
fn control_synchronous_normal_is_found_to_lose_what_was_acknowledged() {
    control(Order::Journaled, |_| {}, "PRAGMA synchronous=NORMAL", "has lost what was acknowledged");
}

#[test]
fn control_synchronous_off_is_found_to_damage_the_database() {
    control(Order::Journaled, |_| {}, "PRAGMA synchronous=OFF", "does not open");
}

/// Creating with FULL instead of EXTRA is made good by the directory's sync after it, ours and SQLite's own with the log's
/// first sync. Without all of them the journal of the creation comes back and undoes the database.
#[test]
fn control_a_directory_that_is_never_synced_is_found_on_posix() {
    let weaken = |disk: &Disk| {
        disk.ignore_pragma("synchronous=EXTRA");
        disk.ignore_folder_syncs();
    };
    control(Order::Strict, weaken, "", "has lost what was acknowledged");
}

#[test]
fn promise_13_an_old_copy_put_back_is_noticed_after_any_power_cut() {
    let disk = Disk::new(Order::Strict, 5);
    let [path, log] = ["jembatan.db", "jembatan.db-wal"].map(|name| disk.root().join(name));
    let mut day = Day::begin(disk.clone(), 5, "");
    for number in 0..10 {
        day.step(number);
    }
    day.restart(false);
    disk.kill();
    let copy = disk.content(&path).unwrap();
    for _ in 0..2 {
        day.restart(true);
    }
    disk.record();
    for number in 10..20 {
        day.step(number);
    }
    let (recording, mut dice, mut noticed) = (disk.recording().unwrap(), Dice::new(5), 0);
    recording.walk(|op, model, _| {
        if op % 7 != 0 {
            return;
        }
        let disk = Disk::holding(&model.image(Survival::Part { torn: true }, &mut dice), 1);
        let [path, log] = [&path, &log].map(|path| disk.root().join(path.file_name().unwrap()));
        disk.put(&path, Some(&copy));
        disk.put(&log, None);
        let (store, opened) = open_on(&disk).unwrap();
        disk.kill();
        drop(store);
        assert!(opened.restored, "op {op}");
        noticed += 1;
    });
    assert!(noticed > 20, "{noticed}");
}
