//! The store as a run sees it: the real one behind a scheduler that spends virtual time on either side of every call, and
//! behind a process that can die there.
//!
//! Each call of the store below is one step: it is carried out at one virtual instant, and its result is held against the
//! model before anybody else goes on.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{Notify, watch};

use super::dice::Dice;
use super::disk::Disk;
use super::hub::Hub;
use super::steps;
use crate::contract;
use crate::queue::{Delivery, DeliveryId, Mark, SubmissionId};
use crate::secret::Private;
use crate::store::antrean::{
    AntreanStore, BookAsk, Booked, Booking, BookingCount, BookingFilter, CallAsk, CallDone, FeedKinds, FeedRow,
    KnownPatient, MoveAsk, Moved, NewRegistration, Place, Queue, Registered, Registration, RegistrationState, Session,
    Withdrawn,
};
use crate::store::{
    Acceptance, Act, Acted, AttemptRecord, AuditEntry, Base, Blamed, Change, CircuitRow, ClaimAsk, Claimed,
    ClientCount, DayChange, DayRow, DeliveryFilter, EntryBody, JournalRow, KeepLimits, KeptList, KeptMember,
    KeptTotals, LaneLoad, LaneStop, ListName, ListSummary, MemberName, NewRows, NewSubmission, NumberForm,
    OutageChange, OutageEffect, OutagePlan, OutageRow, Page, PauseRow, Prerequisite, ProvisionalId, ReconciliationRow,
    Recorded, Redate, Settlement, SharedStore, Standing, StandingAsk, Store, StoreError, SubmissionRow, Totals,
};

/// A moment at which a death proves most: chance alone rarely finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A look-up that found nothing is on disk, the send that follows is not.
    Absent,
    /// The intention to send is on disk.
    Claimed,
}

/// One life of the process.
#[derive(Debug)]
pub(super) struct Life {
    dead: AtomicBool,
    /// Calls left until it dies, negative: it does not; and whether it dies after the commit.
    left: AtomicI64,
    after: AtomicBool,
    /// It dies when this moment comes, after its commit.
    awaits: Mutex<Option<Moment>>,
    fatal_now: AtomicBool,
    /// The store said that a commit's outcome is unknown: nothing more is written.
    closed: AtomicBool,
    pub(super) ended: Notify,
}

impl Life {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            dead: AtomicBool::new(false),
            left: AtomicI64::new(-1),
            after: AtomicBool::new(false),
            awaits: Mutex::new(None),
            fatal_now: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            ended: Notify::new(),
        })
    }

    /// It dies at the `calls`-th step from now, before or after that step is done.
    pub(super) fn doom(&self, calls: i64, after: bool) {
        self.after.store(after, Ordering::Relaxed);
        self.left.store(calls, Ordering::Relaxed);
    }

    /// It lives on: what was to kill it does not.
    pub(super) fn spare(&self) {
        self.left.store(-1, Ordering::Relaxed);
        *self.awaits.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether nothing more is written, so that it is about to end.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// It dies when this moment comes next.
    pub(super) fn await_moment(&self, moment: Moment) {
        *self.awaits.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }

    /// This moment is here: whoever waits for it dies once the step is done.
    pub(super) fn moment(&self, moment: Moment) {
        let mut awaits = self.awaits.lock().unwrap_or_else(PoisonError::into_inner);
        if awaits.take_if(|awaited| *awaited == moment).is_some() {
            self.fatal_now.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.ended.notify_one();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Counts a step of the process; whether it dies before or after it.
    pub(super) fn step(&self) -> (bool, bool) {
        let left = self.left.load(Ordering::Relaxed);
        if left < 0 {
            return (false, false);
        }
        self.left.store(left - 1, Ordering::Relaxed);
        let after = self.after.load(Ordering::Relaxed);
        (left == 0 && !after, left == 0 && after)
    }
}

/// Runs a future to its end on the spot: the store below answers without anybody else's help.
pub(super) fn on_the_spot<T>(future: impl Future<Output = T>) -> T {
    struct Thread(std::thread::Thread);
    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Thread(std::thread::current())));
    let mut future = pin!(tokio::task::unconstrained(future));
    let mut polls = 0_u32;
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            // An inline store only gives way to its like, who cannot come while this runs.
            Poll::Pending if polls < 8 => polls += 1,
            Poll::Pending => std::thread::park_timeout(Duration::from_millis(1)),
        }
    }
}

pub(super) struct Watched {
    pub(super) below: SharedStore,
    pub(super) hub: Arc<Hub>,
    pub(super) life: Arc<Life>,
    disk: SharedDisk,
    dice: Dice,
    fatal: watch::Sender<Option<String>>,
}

/// The disk below, for its faults.
pub(super) type SharedDisk = Arc<Mutex<Box<dyn Disk>>>;

impl Watched {
    pub(super) fn new(
        below: SharedStore,
        hub: &Arc<Hub>,
        life: &Arc<Life>,
        disk: &SharedDisk,
        number: u64,
    ) -> Arc<Self> {
        let dice = hub.dice(&format!("store {number}"));
        let (hub, life, disk) = (Arc::clone(hub), Arc::clone(life), Arc::clone(disk));
        Arc::new(Self { below, hub, life, disk, dice, fatal: watch::Sender::new(None) })
    }

    fn disk(&self) -> MutexGuard<'_, Box<dyn Disk>> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a call takes on one side of its commit: by its name and instant, not by how many were made before, because
    /// the runtime wakes those who wait for the same thing in no certain order.
    async fn spend(&self, name: &str) {
        let most = self.hub.options.store_delay;
        let dice = Dice::new(self.hub.options.seed ^ self.hub.millis().wrapping_mul(0x9E37_79B9), name);
        if most > 0 && dice.strikes(300) {
            tokio::time::sleep(dice.millis(0, most)).await;
        }
    }

    /// What has the end of an attempt in its hands stands still past its lease: somebody else looked up meanwhile, or, which
    /// proves most, holds the delivery at this very moment.
    async fn stall(&self, recorded: &Recorded) {
        let options = &self.hub.options;
        let dice = Dice::new(options.seed ^ self.hub.millis().wrapping_mul(0x9E37_79B9), "stall");
        if !self.hub.faulty() || !dice.strikes(options.stalls) {
            return;
        }
        let place = self.hub.model().place(recorded.id);
        self.hub.event("stalled past the lease", place.unwrap_or(0), 0);
        let lease = options.request_timeout + Duration::from_secs(30);
        tokio::time::sleep(lease + dice.millis(0, 120_000)).await;
        let Some(place) = place.filter(|_| dice.strikes(700)) else { return };
        let others = || {
            let lease = self.hub.model().entries[place].last.as_ref().and_then(|last| last.progress.lease);
            lease.is_some_and(|lease| lease.token != recorded.token)
        };
        let patience = options.settle * 4 + Duration::from_mins(10);
        let until_others = async {
            while !others() {
                self.hub.claimed.notified().await;
            }
        };
        if tokio::time::timeout(patience, until_others).await.is_ok() {
            self.hub.event("stalled until another held it", place, 0);
        }
    }

    async fn die(&self) -> ! {
        self.life.end();
        std::future::pending::<()>().await;
        unreachable!("a dead process does not go on")
    }

    /// What a bad disk makes of a write: an error before anything was written, or a commit of unknown outcome.
    fn disk_fault(&self) -> Option<(bool, StoreError)> {
        if !self.hub.faulty() || !self.dice.strikes(self.hub.options.disk) {
            return None;
        }
        // A real disk fails by itself, at whatever it is doing.
        if self.disk().fault(&self.dice) {
            self.hub.event("disk fault to come", 0, 0);
            return None;
        }
        Some(match self.dice.below(4) {
            0 => (false, StoreError::Full("database or disk is full".to_owned())),
            1 => (false, StoreError::Database("disk I/O error".to_owned())),
            2 => (false, StoreError::Unknown("disk I/O error".to_owned())),
            _ => (true, StoreError::Unknown("disk I/O error".to_owned())),
        })
    }

    async fn call<T>(
        &self,
        name: &str,
        writes: bool,
        future: impl Future<Output = Result<T, StoreError>>,
        note: impl FnOnce(&Self, &T),
    ) -> Result<T, StoreError> {
        self.spend(name).await;
        if self.life.is_dead() {
            return Err(StoreError::Closed);
        }
        if writes && self.life.closed.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        let (before, after) = if writes { self.life.step() } else { (false, false) };
        if before {
            self.hub.event("killed before a commit", 0, 0);
            self.die().await;
        }
        let fault = if writes { self.disk_fault() } else { None };
        let result = match fault {
            Some((false, error)) => Err(error),
            Some((true, error)) => {
                if let Ok(value) = on_the_spot(future) {
                    note(self, &value);
                }
                self.hub.event("commit done and called failed", 0, 0);
                Err(error)
            }
            None => on_the_spot(future).inspect(|value| note(self, value)),
        };
        if !self.disk().is_on() {
            self.hub.event("power cut between two writes", 0, 0);
            self.die().await;
        }
        let gone = self.below.fatal().borrow().clone();
        if let Some(why) = gone.filter(|_| !matches!(result, Err(StoreError::Unknown(_)))) {
            self.life.closed.store(true, Ordering::Relaxed);
            self.fatal.send_replace(Some(why));
        }
        if let Err(StoreError::Unknown(why)) = &result {
            self.hub.event("commit of unknown outcome", 0, 0);
            self.life.closed.store(true, Ordering::Relaxed);
            self.fatal.send_replace(Some(why.clone()));
        } else if let Err(StoreError::Full(_)) = &result {
            self.hub.event("disk full", 0, 0);
        }
        if after || self.life.fatal_now.swap(false, Ordering::Relaxed) {
            self.hub.event("killed after a commit", 0, 0);
            self.die().await;
        }
        self.spend(name).await;
        result
    }
}

/// The methods that only pass through: `r` reads, `w` writes.
macro_rules! pass {
    (impl $trait:ident { $($kind:ident $name:ident($($arg:ident: $type:ty),*) -> $ok:ty;)* } plus { $($rest:tt)* }) => {
        #[async_trait]
        impl $trait for Watched {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$ok, StoreError> {
                self.call(stringify!($name), pass!($kind), self.below.$name($($arg),*), |_, _| {}).await
            })*
            $($rest)*
        }
    };
    (r) => { false };
    (w) => { true };
}

pass! {
    impl AntreanStore {
        w set_sessions(facility: &str, days: Vec<Date>, sessions: Vec<Session>) -> i64;
        r queues(facility: &str, poli: Option<&str>, from: Date, to: Date) -> Vec<Queue>;
        r poli_known(facility: &str, poli: &str) -> bool;
        w book(ask: BookAsk) -> Booked;
        r place(facility: &str, card: Private<String>, poli: &str, day: Date) -> Option<Place>;
        w withdraw(facility: &str, card: Private<String>, poli: &str, day: Date, reason: Option<Private<String>>, now: Timestamp) -> Withdrawn;
        w move_booking(ask: MoveAsk) -> Moved;
        w call_number(ask: CallAsk) -> CallDone;
        r booking(id: &str) -> Option<Booking>;
        r bookings(filter: BookingFilter) -> Page<Booking>;
        w put_patients(facility: &str, patients: Vec<KnownPatient>) -> ();
        w register(new: NewRegistration) -> Registered;
        w answer_registration(id: &str, answer: Result<Private<String>, Private<String>>, now: Timestamp) -> Option<Registration>;
        r registration(id: &str) -> Option<Registration>;
        r registrations(facilities: &[String], state: Option<RegistrationState>, after: Option<i64>, limit: usize) -> Page<Registration>;
        r feed(facilities: &[String], kinds: FeedKinds, cursor: i64, limit: usize) -> Vec<FeedRow>;
        r booking_counts(days: Vec<(String, Date)>) -> Vec<BookingCount>;
        w retire_antrean(before: Timestamp, limit: usize) -> usize;
    } plus {}
}

pass! {
    impl Store {
        r find_entry(client: &str, facility: &str, reference: &str, entry_ref: &str) -> Option<Prerequisite>;
        r standing(ask: StandingAsk) -> Standing;
        w provisional_ids(client: &str, delivery: DeliveryId, wanted: Vec<(String, NumberForm)>) -> Vec<(String, String)>;
        r provisional(client: &str, facility: &str, value: &str) -> Option<ProvisionalId>;
        r owners(facility: &str, operation: &str, scope: &[String], ids: &[String]) -> Vec<Option<DeliveryId>>;
        r next_due(facility: &str, service: &str) -> Option<Timestamp>;
        w retire(before: Timestamp, limit: usize) -> usize;
        r pauses() -> Vec<PauseRow>;
        r lane_stops() -> Vec<LaneStop>;
        w set_circuit(row: CircuitRow) -> ();
        r circuits() -> Vec<CircuitRow>;
        w change_outage(change: OutageChange) -> OutageRow;
        r outages(limit: usize) -> Vec<OutageRow>;
        r outage_spans(limit: usize) -> Vec<OutageRow>;
        w plan_outage(plan: OutagePlan, audit: AuditEntry) -> OutagePlan;
        w withdraw_plan(id: i64, audit: AuditEntry) -> Option<OutagePlan>;
        r outage_plans(since: Timestamp) -> Vec<OutagePlan>;
        r outage_effect(id: i64, now: Timestamp) -> Option<OutageEffect>;
        r later_edits(facility: &str, after: Date) -> Vec<JournalRow>;
        w settle(row: Settlement) -> ();
        r settlements(reconciliation: &str) -> Vec<Settlement>;
        w change_days(change: DayChange) -> ();
        r days(run: &str) -> Vec<DayRow>;
        r journal(facility: &str, from: Date, to: Date) -> Vec<JournalRow>;
        r journal_of(facility: &str, from: Date, to: Date, operations: &[&str]) -> Vec<JournalRow>;
        r journal_of_patient(facility: &str, card: &Private<String>, from: Date, to: Date, operations: &[&str]) -> Vec<JournalRow>;
        w put_reconciliation(row: ReconciliationRow) -> ();
        r reconciliations(facility: Option<&str>, limit: usize) -> Vec<ReconciliationRow>;
        r reconciliation(id: &str) -> Option<ReconciliationRow>;
        w keep_rows(rows: NewRows) -> ();
        r kept_list(list: &ListName) -> Option<KeptList>;
        r kept_lists(facility: Option<&str>) -> Vec<ListSummary>;
        w keep_member(member: MemberName, kept: Option<KeptMember>) -> ();
        r kept_member(member: &MemberName) -> Option<KeptMember>;
        r kept_totals() -> Vec<KeptTotals>;
        w prune_kept(limits: KeepLimits) -> u64;
        w clear_kept(facility: &str, audit: AuditEntry) -> u64;
        w record_event(event: contract::Event) -> contract::Event;
        r events() -> Vec<contract::Event>;
        w mark_done(done: contract::Done) -> contract::Done;
        r marks() -> Vec<contract::Done>;
        r submission(id: SubmissionId) -> Option<SubmissionRow>;
        r submissions(facilities: &[String], reference: Option<&str>, state: Option<crate::queue::State>, after: Option<i64>, limit: usize) -> Page<SubmissionRow>;
        r deliveries_of(id: SubmissionId) -> Vec<Delivery>;
        r delivery(id: DeliveryId) -> Option<Delivery>;
        r deliveries(filter: DeliveryFilter) -> Page<Delivery>;
        r attempts(id: DeliveryId) -> Vec<AttemptRecord>;
        r entry_body(id: DeliveryId) -> Option<EntryBody>;
        r changes(facilities: &[String], cursor: i64, limit: usize) -> Vec<Change>;
        r marked(facility: &str, mark: Mark, from: Date, to: Date) -> Vec<JournalRow>;
        r client_counts(facility: &str, from: Date, to: Date) -> Vec<ClientCount>;
        r totals(now: Timestamp) -> Totals;
        r load(since: Timestamp, limit: usize) -> Vec<LaneLoad>;
        r audit(after: i64, limit: usize) -> Vec<crate::audit::Entry>;
        r audit_head() -> Option<crate::audit::Entry>;
        w log(entry: AuditEntry) -> ();
    } plus {
    async fn accept(&self, submission: NewSubmission) -> Result<Acceptance, StoreError> {
        let new = submission.clone();
        self.call("accept", true, self.below.accept(submission), |own, accepted| steps::accepted(own, &new, accepted)).await
    }

    async fn claim(&self, ask: ClaimAsk) -> Result<Vec<Claimed>, StoreError> {
        self.call("claim", true, self.below.claim(ask), |own, claimed| steps::claimed(own, claimed)).await
    }

    async fn record(&self, recorded: Recorded) -> Result<Option<Delivery>, StoreError> {
        self.stall(&recorded).await;
        let (of, again) = (recorded.clone(), recorded.clone());
        let seen = |own: &Self, after: &Option<Delivery>| steps::recorded(own, &of, after.as_ref());
        let done = self.call("record", true, self.below.record(recorded), seen).await?;
        if done.is_some() && steps::is_answered_twice(self, again.id) {
            // The same answer once more: what it ends is over.
            let second = self.below.record(again).await;
            steps::recorded_again(self, of.id, &second);
        }
        Ok(done)
    }

    async fn act(&self, act: Act) -> Result<Acted, StoreError> {
        let of = act.clone();
        self.call("act", true, self.below.act(act), |own, acted| steps::acted(own, &of, acted)).await
    }

    async fn reclaim(&self, now: Timestamp, all: bool, base: Base) -> Result<usize, StoreError> {
        self.call("reclaim", true, self.below.reclaim(now, all, base), |own, count| steps::moved(own, "leases lost", *count)).await
    }

    async fn blame(&self, now: Timestamp, base: Base) -> Result<Blamed, StoreError> {
        let counted = |own: &Self, blamed: &Blamed| steps::moved(own, "blamed for a crash", blamed.suspects);
        self.call("blame", true, self.below.blame(now, base), counted).await
    }

    async fn blame_opened(&self, ids: Vec<DeliveryId>, now: Timestamp, base: Base) -> Result<Blamed, StoreError> {
        let counted = |own: &Self, blamed: &Blamed| steps::moved(own, "blamed for a crash", blamed.suspects);
        self.call("blame_opened", true, self.below.blame_opened(ids, now, base), counted).await
    }

    async fn expire(&self, now: Timestamp, limit: usize, base: Base) -> Result<usize, StoreError> {
        self.call("expire", true, self.below.expire(now, limit, base), |own, count| steps::moved(own, "expiry", *count)).await
    }

    async fn redate(&self, now: Timestamp, redate: Redate) -> Result<usize, StoreError> {
        self.call("redate", true, self.below.redate(now, redate), |own, count| steps::moved(own, "redated", *count)).await
    }

    async fn distrust(&self, now: Timestamp, base: Base) -> Result<usize, StoreError> {
        self.call("distrust", true, self.below.distrust(now, base), |own, count| steps::moved(own, "distrusted", *count)).await
    }

    async fn set_pause(&self, facility: &str, pause: Option<PauseRow>, audit: AuditEntry) -> Result<(), StoreError> {
        let action = audit.action.clone();
        self.call("set_pause", true, self.below.set_pause(facility, pause, audit), |own, ()| steps::logged(own, &action)).await
    }

    async fn set_lane_stop(&self, facility: &str, service: &str, stop: Option<LaneStop>) -> Result<(), StoreError> {
        let what = if stop.is_some() { "lane stopped" } else { "lane goes on" };
        self.call("set_lane_stop", true, self.below.set_lane_stop(facility, service, stop), |own, ()| own.hub.event(what, 0, 0)).await
    }

    fn close(&self) {
        self.below.close();
    }

    fn concerns(&self) -> Vec<String> {
        self.below.concerns()
    }

    fn on_turn(&self, tell: crate::store::Tell) {
        self.below.on_turn(tell);
    }

    fn leave_trail(&self, trail: Arc<dyn crate::store::Trail>) {
        self.below.leave_trail(trail);
    }

    fn wake_ups(&self) -> watch::Receiver<u64> {
        self.below.wake_ups()
    }

    fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.fatal.subscribe()
    }
}
}
