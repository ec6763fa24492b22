//! Every single operation of the disk fails once: no space, input/output error (of a sync: the pages are gone although later
//! syncs succeed; every one of them), half a write (every third). The store says so, never claims what is not so, and keeps what it acknowledged.

use crashfs::{Disk, Fault, Image, Order, Survival};

use super::power::{faults_of, now, open_on};
use super::*;
use crate::chance::Chance;
use crate::queue::transition::Event;
use crate::queue::{DeliveryId, State};
use crate::store::conformance::desk::{DAFTAR, KUNJUNGAN, OBAT, accepted, at, cancel};
use crate::store::{Acted, Claimed};

/// What was answered with success, and how often what else.
#[derive(Default)]
struct Ledger {
    accepted: Vec<DeliveryId>,
    claimed: Vec<(DeliveryId, i64)>,
    ended: Vec<(DeliveryId, i64)>,
    cancelled: Vec<DeliveryId>,
    errors: Vec<StoreError>,
    /// Something succeeded after something had failed.
    went_on: bool,
    fatal: bool,
}

impl Ledger {
    fn keep<T>(&mut self, answer: Result<T, StoreError>) -> Option<T> {
        match answer {
            Ok(value) => {
                self.went_on |= !self.errors.is_empty();
                Some(value)
            }
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    fn accept(&mut self, desk: &Desk, names: &[String]) {
        let new: Vec<_> = names
            .iter()
            .map(|name| {
                let daftar = desk.entry("a", DAFTAR);
                let visit = crate::store::NewEntry { after: vec![daftar.id], ..desk.entry("b", KUNJUNGAN) };
                desk.submission(name, vec![daftar, visit, desk.entry("c", OBAT)])
            })
            .collect();
        let ids: Vec<Vec<DeliveryId>> =
            new.iter().map(|new| new.entries.iter().map(|entry| entry.id).collect()).collect();
        let answers = now(futures_util::future::join_all(new.into_iter().map(|new| desk.store.accept(new))));
        for (answer, ids) in answers.into_iter().zip(ids) {
            if self.keep(answer).is_some() {
                self.accepted.extend(ids);
            }
        }
    }

    fn end(&mut self, desk: &Desk, claimed: &Claimed) {
        let event = Event::Ended(accepted("x", "1"));
        if let Some(Some(_)) = self.keep(now(desk.store.record(desk.recorded(claimed, event, 2)))) {
            self.ended.push((claimed.delivery.id, claimed.attempt));
        }
    }

    /// A short day: opening, everything that writes, the log moved into the database, closing, and opening again.
    fn day(&mut self, disk: &Disk) {
        for part in 0..2 {
            let Some((store, opened)) = self.keep(open_on(disk)) else { continue };
            assert!(!opened.restored, "{opened:?}");
            let store = Arc::new(store);
            let desk = Desk { chance: Chance::seeded(part + 1), ..Desk::new(store.clone()) };
            self.accept(&desk, &[format!("r{part}")]);
            self.accept(&desk, &[format!("s{part}"), format!("t{part}")]);
            let claimed = self.keep(now(desk.store.claim(desk.ask(1)))).unwrap_or_default();
            self.claimed.extend(claimed.iter().map(|claimed| (claimed.delivery.id, claimed.attempt)));
            claimed.iter().for_each(|claimed| self.end(&desk, claimed));
            store.rest();
            if let Some(last) = self.accepted.last().copied() {
                let acted = self.keep(now(desk.store.act(desk.doing(last, cancel(), 3))));
                if matches!(acted, Some(Acted::Done(_))) {
                    self.cancelled.push(last);
                }
            }
            self.keep(now(desk.store.reclaim(at(100), true, desk.base())));
            self.fatal |= store.fatal().borrow().is_some();
        }
    }

    /// After any end, everything that was acknowledged is there.
    fn check(&self, store: &Arc<SqliteStore>, what: &str) {
        let faults = store.writer.with_connection(faults_of).unwrap().unwrap();
        assert_eq!(faults, None, "{what}");
        for id in &self.accepted {
            assert!(now(store.delivery(*id)).unwrap().is_some(), "{what}: {id} is lost");
            assert!(now(store.entry_body(*id)).unwrap().is_some(), "{what}: the body of {id} is lost");
        }
        for (id, number) in self.claimed.iter().chain(&self.ended) {
            let attempts = now(store.attempts(*id)).unwrap();
            let attempt = attempts.iter().find(|attempt| attempt.number == *number);
            let attempt = attempt.unwrap_or_else(|| panic!("{what}: the attempt {number} of {id} is lost"));
            let ended = self.ended.contains(&(*id, *number));
            assert!(!ended || attempt.end.outcome == "tested", "{what}: the end of {number} of {id} is lost");
        }
        for id in &self.cancelled {
            let state = now(store.delivery(*id)).unwrap().unwrap().progress.state;
            assert_eq!(state, State::Cancelled, "{what}");
        }
    }
}

/// How often what was seen, over all runs: a test that meets nothing shows nothing.
#[derive(Debug, Default)]
struct Seen {
    runs: u64,
    unknown: u64,
    full: u64,
    refused: u64,
    not_opened: u64,
    went_on: u64,
    fatal: u64,
}

/// One day on a disk with a fault, then the power is cut, then the disk is well again.
fn one_fault(
    image: Option<&Image>,
    order: Order,
    fault: impl Fn(&Disk),
    survival: Survival,
    what: &str,
    seen: &mut Seen,
) {
    let disk = image.map_or_else(|| Disk::new(order, 3), |image| Disk::holding(image, 3));
    fault(&disk);
    let mut ledger = Ledger::default();
    ledger.day(&disk);
    seen.runs += 1;
    seen.fatal += u64::from(ledger.fatal);
    seen.went_on += u64::from(ledger.went_on);
    for error in &ledger.errors {
        match error {
            StoreError::Unknown(_) => seen.unknown += 1,
            StoreError::Full(_) => seen.full += 1,
            StoreError::Database(_) | StoreError::Closed => seen.refused += 1,
            StoreError::Unreadable(_)
            | StoreError::Newer { .. }
            | StoreError::Busy(_)
            | StoreError::Unavailable(_)
            | StoreError::Moved(_)
            | StoreError::Replaced(_) => {
                panic!("{what}: {error:?}: the disk failed, and something else is blamed")
            }
        }
    }
    if ledger.errors.iter().any(|error| matches!(error, StoreError::Unknown(_))) {
        assert!(ledger.fatal, "{what}: a commit of unknown outcome stops the process");
    }
    seen.not_opened += u64::from(ledger.accepted.is_empty());
    disk.repair();
    disk.crash(survival);
    let (store, opened) = open_on(&disk).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert!(!opened.restored && !opened.upgraded, "{what}: {opened:?}");
    let store = Arc::new(store);
    ledger.check(&store, what);
    let desk = Desk { chance: Chance::seeded(9), ..Desk::new(store.clone()) };
    let mut after = Ledger::default();
    after.accept(&desk, &["after".to_owned()]);
    assert!(after.errors.is_empty(), "{what}: {:?}", after.errors);
}

/// A disk with an empty store on it.
fn prepared() -> Image {
    let disk = Disk::new(Order::Strict, 1);
    drop(open_on(&disk).unwrap());
    disk.image(Survival::Nothing)
}

fn every_change_fails_with(fault: Fault, stride: u64) {
    let image = prepared();
    let mut seen = Seen::default();
    for (image, every) in [(Some(&image), stride), (None, stride * 4)] {
        let whole = image.map_or_else(|| Disk::new(Order::Strict, 3), |image| Disk::holding(image, 3));
        Ledger::default().day(&whole);
        for number in (0..whole.counts().changes).filter(|number| number % every == 0) {
            let survival = [Survival::Nothing, Survival::Everything, Survival::Part { torn: true }];
            let survival = survival[usize::try_from(number % 3).unwrap()];
            let what = format!("change {number} fails with {fault:?}, new {}", image.is_none());
            one_fault(image, Order::Strict, |disk| disk.fail_change(number, fault), survival, &what, &mut seen);
        }
    }
    println!("{fault:?}: {seen:?}");
    assert!(seen.runs > 100 && seen.went_on > 0 && seen.unknown + seen.full > 0 && seen.fatal > 0, "{seen:?}");
}

#[test]
fn every_change_may_find_no_space_and_nothing_acknowledged_is_lost() {
    every_change_fails_with(Fault::Full, 2);
}

#[test]
fn every_change_and_every_sync_may_fail_and_nothing_acknowledged_is_lost() {
    every_change_fails_with(Fault::Io, 1);
}

#[test]
fn every_write_may_get_through_by_half_and_nothing_acknowledged_is_lost() {
    every_change_fails_with(Fault::Short, 3);
}

#[test]
fn every_read_may_fail_and_nothing_acknowledged_is_lost() {
    let image = prepared();
    let whole = Disk::holding(&image, 3);
    Ledger::default().day(&whole);
    let mut seen = Seen::default();
    for number in 0..whole.counts().reads {
        let what = format!("read {number} fails");
        one_fault(Some(&image), Order::Strict, |disk| disk.fail_read(number), Survival::Nothing, &what, &mut seen);
    }
    println!("reads: {seen:?}");
    assert!(seen.runs > 50 && seen.refused > 0, "{seen:?}");
}

#[test]
fn a_disk_that_fails_for_good_from_any_change_on_loses_nothing_acknowledged() {
    let image = prepared();
    let whole = Disk::holding(&image, 3);
    Ledger::default().day(&whole);
    let mut seen = Seen::default();
    for number in (0..whole.counts().changes).step_by(6) {
        for fault in [Fault::Io, Fault::Full, Fault::Crash] {
            let what = format!("{fault:?} from change {number} on");
            let fail = |disk: &Disk| disk.fail_from(number, fault);
            one_fault(Some(&image), Order::Strict, fail, Survival::Part { torn: true }, &what, &mut seen);
        }
    }
    println!("for good: {seen:?}");
    assert!(seen.runs > 100 && seen.not_opened > 0 && seen.fatal > 0, "{seen:?}");
}

/// A sync that failed leaves a whole commit in the cache that is not on the disk. The process is killed, another one finds
/// it in the log and goes on behind it, and then the power is cut: whatever was acknowledged is still there.
#[test]
fn nothing_is_built_on_what_a_failed_sync_left_in_the_log() {
    let (image, mut ghosts) = (prepared(), 0);
    for number in 0..80 {
        let disk = Disk::holding(&image, number);
        let mut ledger = Ledger::default();
        let desk = Desk::new(Arc::new(open_on(&disk).unwrap().0));
        ledger.accept(&desk, &["before".to_owned()]);
        // A reading connection is open, as in the daemon: whoever closes last but one leaves the log as it is.
        assert!(now(desk.store.delivery(ledger.accepted[0])).unwrap().is_some());
        disk.fail_change(disk.counts().changes + number, Fault::Io);
        ledger.accept(&desk, &["in doubt".to_owned()]);
        disk.kill();
        drop(desk);
        disk.repair();
        let desk = Desk { chance: Chance::seeded(8), ..Desk::new(Arc::new(open_on(&disk).unwrap().0)) };
        let found = now(desk.store.submissions(&[], Some("in doubt"), None, None, 2)).unwrap().items.len();
        ghosts += usize::from(found == 1 && !ledger.errors.is_empty());
        ledger.accept(&desk, &["after".to_owned()]);
        ledger.accept(&desk, &["at last".to_owned()]);
        disk.crash(Survival::Nothing);
        drop(desk);
        ledger.check(&Arc::new(open_on(&disk).unwrap().0), &format!("change {number} failed"));
    }
    assert!(ghosts > 0, "no sync failed");
}

#[test]
fn a_full_disk_is_named_and_with_space_the_same_process_goes_on() {
    let disk = Disk::holding(&prepared(), 1);
    let (store, _) = open_on(&disk).unwrap();
    let store = Arc::new(store);
    let desk = Desk::new(store.clone());
    let mut ledger = Ledger::default();
    ledger.accept(&desk, &["first".to_owned()]);
    disk.set_room(Some(disk.used() + 600_000));
    for number in 0..1000 {
        ledger.accept(&desk, &[format!("r{number}")]);
        if !ledger.errors.is_empty() {
            break;
        }
        store.rest();
    }
    let [StoreError::Full(_)] = &ledger.errors[..] else { panic!("{:?}", ledger.errors) };
    assert!(ledger.accepted.len() > 10 && store.fatal().borrow().is_none());
    // With space the same process goes on.
    disk.set_room(None);
    ledger.accept(&desk, &["after".to_owned()]);
    assert_eq!(ledger.errors.len(), 1, "{:?}", ledger.errors);
    // A start on a full disk says so.
    disk.crash(Survival::Nothing);
    drop((desk, store));
    disk.set_room(Some(disk.used()));
    let refused = open_on(&disk);
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    disk.set_room(None);
    let store = Arc::new(open_on(&disk).unwrap().0);
    ledger.check(&store, "after the disk was full");
}

#[test]
fn a_checkpoint_that_finds_no_space_stops_nobody_and_is_made_up_for() {
    let disk = Disk::holding(&prepared(), 1);
    let (store, _) = open_on(&disk).unwrap();
    let store = Arc::new(store);
    let desk = Desk::new(store.clone());
    let mut ledger = Ledger::default();
    for number in 0..20 {
        ledger.accept(&desk, &[format!("r{number}")]);
    }
    disk.set_room(Some(0));
    store.rest();
    disk.set_room(None);
    ledger.accept(&desk, &["after".to_owned()]);
    store.rest();
    assert!(ledger.errors.is_empty(), "{:?}", ledger.errors);
    disk.crash(Survival::Nothing);
    drop((desk, store));
    ledger.check(&Arc::new(open_on(&disk).unwrap().0), "after a checkpoint that failed");
}

#[test]
fn a_disk_for_reading_only_is_named_with_what_to_do_about_it() {
    let disk = Disk::holding(&prepared(), 1);
    disk.set_read_only(true);
    let error = open_on(&disk).unwrap_err().to_string();
    for part in ["jembatan.db.lock", "reading only", "remount,rw"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    disk.set_read_only(false);
    open_on(&disk).unwrap();
}
