//! Offline reads: what BPJS's reads brought is kept, and given again while BPJS is away.
//!
//! Job: keep reference lists ([`list`]) and members' standing ([`member`]) as the catalogue says (`keep`), fetch
//! references ahead ([`prefetch`]), and answer from what is kept, searched and paged as the service would (`shelf`).
//! Invariants: an operation that the catalogue does not name for keeping is never kept, one that it calls `never_kept`
//! whatever else it says; a list is called complete only if every row of it was read; a standing is given unaltered, with
//! its age, and across a month's end never without saying so. Neighbours: `http::gateway` asks when a read failed and
//! tells what was read; `store` has the rows, sealed. What it does not do: decide when BPJS is away (the circuit, and
//! whoever passed the read), write anything to BPJS.

pub mod list;
pub mod member;
pub mod prefetch;
mod shelf;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use self::list::{Frame, Place};
use self::shelf::{Shelf, Table};
use crate::catalogue::{AnswerClass, Catalogue, Keep as Kind, Operation};
use crate::config::KeepConfig;
use crate::remote;
use crate::secret::Private;
use crate::store::{AuditEntry, KeepLimits, KeptMember, ListSummary, NewRows, SharedStore, StoreError};

/// Largest answer that is kept, as JSON.
const LARGEST: usize = 8 * 1024 * 1024;
/// For this long the same answer is not written again.
const SAME: Duration = Duration::from_hours(1);
/// Answers remembered as written lately.
const REMEMBERED: usize = 10_000;

/// Which read: an operation with the values of its path.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// kdProvider.
    pub facility: &'a str,
    /// The operation.
    pub operation: &'a Operation,
    /// Placeholders of the path, decoded.
    pub params: &'a [(String, String)],
}

/// An answer as the service gives it, in the clear.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `metaData.code`.
    pub code: i64,
    /// `metaData.message`.
    pub message: Private<String>,
    /// Whether `response` comes sealed.
    pub sealed: bool,
    /// `response`.
    pub value: Private<Value>,
}

/// What a kept answer needs said along with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caution {
    /// Not every row was read: there may be more at BPJS.
    Incomplete,
    /// BPJS was not asked about this member in this month.
    MonthNotChecked,
}

/// A kept answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// As BPJS gave it, its rows searched and paged anew.
    pub answer: Answer,
    /// Since when it is known so: of several rows the oldest.
    pub as_of: Timestamp,
    /// What must be said with it.
    pub caution: Option<Caution>,
}

/// What is kept, and the way to it.
pub struct Keep {
    store: SharedStore,
    catalogue: Arc<Catalogue>,
    config: KeepConfig,
    /// The zone of BPJS's day.
    zone: TimeZone,
    shelf: Shelf,
    /// One answer is worked in at a time: how much is read is read, extended and written.
    turn: tokio::sync::Mutex<()>,
    lately: Mutex<BTreeMap<u64, Timestamp>>,
    wanted: Mutex<BTreeMap<String, Timestamp>>,
    wake: tokio::sync::Notify,
}

impl std::fmt::Debug for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keep").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Answer {
    /// What a passed read brought; `None` if it did not open.
    #[must_use]
    pub fn of(passed: &remote::Passed) -> Option<Self> {
        let sealed = match passed.response.expose() {
            remote::Answer::Shut(_) => return None,
            remote::Answer::Sealed(_) => true,
            remote::Answer::Absent | remote::Answer::Plain(_) => false,
        };
        let value = Private::new(passed.response.expose().value());
        Some(Self { status: passed.status, code: passed.code, message: passed.message.clone(), sealed, value })
    }
}

impl Keep {
    /// What is kept in `store`; `zone` is that of BPJS's day.
    #[must_use]
    pub fn new(store: SharedStore, catalogue: Arc<Catalogue>, config: KeepConfig, zone: TimeZone) -> Self {
        Self {
            store,
            catalogue,
            config,
            zone,
            shelf: Shelf::default(),
            turn: tokio::sync::Mutex::new(()),
            lately: Mutex::default(),
            wanted: Mutex::default(),
            wake: tokio::sync::Notify::new(),
        }
    }

    /// Whether answers of this operation are kept at all.
    #[must_use]
    pub fn keeps(&self, operation: &Operation) -> bool {
        self.config.enabled && !operation.never_kept && operation.keep.is_some() && !operation.is_write()
    }

    /// A read was answered: keeps what may be kept. Whether anything was written.
    ///
    /// # Errors
    /// The store's.
    pub async fn heard(&self, ask: Ask<'_>, passed: &remote::Passed, now: Timestamp) -> Result<bool, StoreError> {
        let Some(kind) = ask.operation.keep.filter(|_| self.keeps(ask.operation)) else { return Ok(false) };
        let Some(answer) = Answer::of(passed) else { return Ok(false) };
        let nothing = self.says_no_data(ask.operation, passed);
        if !(passed.success || nothing) || self.was_lately(ask, &answer, now) {
            return Ok(false);
        }
        let _turn = self.turn.lock().await;
        match kind {
            Kind::Eligibility => self.heard_member(ask, answer, nothing, now).await,
            Kind::Reference => self.heard_rows(ask, answer, nothing, now).await,
        }
    }

    /// The kept answer to a read, if there is one. `zone` is the facility's.
    ///
    /// # Errors
    /// The store's.
    pub async fn served(&self, ask: Ask<'_>, zone: &TimeZone, now: Timestamp) -> Result<Option<Served>, StoreError> {
        let Some(kind) = ask.operation.keep.filter(|_| self.keeps(ask.operation)) else { return Ok(None) };
        match kind {
            Kind::Reference => {
                let Some(place) = Place::of(ask) else { return Ok(None) };
                let Some(table) = self.table(ask, &place).await? else { return Ok(None) };
                Ok(locked(&table).answer(ask.operation, &place))
            }
            Kind::Eligibility => {
                let Some(name) = member::asked(ask) else { return Ok(None) };
                let kept = self.store.kept_member(&name).await?;
                Ok(kept.and_then(|kept| member::served(ask, &kept, [zone, &self.zone], now)))
            }
        }
    }

    /// What is kept of references.
    ///
    /// # Errors
    /// The store's.
    pub async fn lists(&self, facility: Option<&str>) -> Result<Vec<ListSummary>, StoreError> {
        self.store.kept_lists(facility).await
    }

    /// Everything of a facility that is fetched ahead is fetched anew, as soon as the lane has room.
    pub fn refresh(&self, facility: &str, now: Timestamp) {
        locked(&self.wanted).insert(facility.to_owned(), now);
        self.wake.notify_waiters();
    }

    /// Lets go everything of a facility; how much went.
    ///
    /// # Errors
    /// The store's.
    pub async fn clear(&self, facility: &str, audit: AuditEntry) -> Result<u64, StoreError> {
        let _turn = self.turn.lock().await;
        let gone = self.store.clear_kept(facility, audit).await?;
        self.shelf.forget(facility);
        locked(&self.lately).clear();
        Ok(gone)
    }

    /// Lets go what is too old or too much; how much went.
    ///
    /// # Errors
    /// The store's.
    pub async fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        let _turn = self.turn.lock().await;
        let before = |days: u32| {
            let age = Duration::from_secs(u64::from(days) * 86_400);
            now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH)
        };
        let limits = KeepLimits {
            references_before: before(self.config.reference_days),
            members_before: before(self.config.eligibility_days),
            rows: self.config.max_rows,
            members: self.config.max_members,
            bytes: self.config.max_bytes,
        };
        let gone = self.store.prune_kept(limits).await?;
        if gone > 0 {
            self.shelf.forget_all();
            locked(&self.lately).clear();
        }
        Ok(gone)
    }

    /// Whether references are fetched ahead at all.
    #[must_use]
    pub const fn fetches_ahead(&self) -> bool {
        self.config.enabled && !self.config.refresh.is_zero()
    }

    /// Since when a facility's references are asked for anew by a person.
    fn wanted_since(&self, facility: &str) -> Option<Timestamp> {
        locked(&self.wanted).get(facility).copied()
    }

    fn says_no_data(&self, operation: &Operation, passed: &remote::Passed) -> bool {
        let rule = || {
            let text = passed.message.expose();
            self.catalogue.answer_to(operation.service, operation.kind, &operation.name, passed.code, text)
        };
        let by_code = operation.dialect().says_no_data(passed.code);
        passed.status < 300
            && !passed.success
            && (by_code || rule().is_some_and(|rule| rule.class == AnswerClass::NoData))
    }

    /// Whether exactly this answer was worked in within the last hour.
    fn was_lately(&self, ask: Ask<'_>, answer: &Answer, now: Timestamp) -> bool {
        let mut hasher = DefaultHasher::new();
        let text = answer.value.expose().to_string();
        (ask.facility, &ask.operation.name, ask.params, answer.code, &text).hash(&mut hasher);
        let mut lately = locked(&self.lately);
        if text.len() > LARGEST {
            return true;
        }
        if lately.len() >= REMEMBERED {
            lately.clear();
        }
        let before = lately.insert(hasher.finish(), now);
        let same = before.filter(|at| *at <= now && now < *at + SAME);
        if let Some(at) = same {
            // The hour counts from when it was written.
            lately.insert(hasher.finish(), at);
        }
        same.is_some()
    }

    async fn heard_member(
        &self,
        ask: Ask<'_>,
        answer: Answer,
        nothing: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(name) = member::asked(ask) else { return Ok(false) };
        if nothing {
            // BPJS's last word is that it does not know the number: what was kept of it is not given any more.
            self.store.keep_member(name, None).await?;
            return Ok(true);
        }
        let Some(name) = member::answered(ask, name, answer.value.expose()) else { return Ok(false) };
        let body = Private::new(Frame::whole(&answer));
        self.store.keep_member(name, Some(KeptMember { body, as_of: now })).await?;
        Ok(true)
    }

    async fn heard_rows(
        &self,
        ask: Ask<'_>,
        answer: Answer,
        nothing: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(place) = Place::of(ask) else { return Ok(false) };
        let read = if nothing {
            Some(list::Read::nothing(ask.operation, &answer))
        } else {
            list::read(ask.operation, &answer)
        };
        let Some(read) = read else { return Ok(false) };
        let known = self.table(ask, &place).await?;
        let before = known.as_ref().and_then(|table| locked(table).term(&place.words));
        if nothing && !place.is_searched() && known.is_some() {
            // A list that everybody needs is not emptied by one answer.
            return Ok(false);
        }
        let (term, beyond) = list::extended(before.as_ref(), &place, &read, now);
        let frame =
            known.filter(|_| nothing).map_or_else(|| read.frame.clone(), |table| locked(&table).frame().clone());
        self.put(ask, &place, frame, (term, beyond), read.rows, now).await?;
        Ok(true)
    }

    /// A whole list was read, page by page: what was kept of it is replaced.
    async fn whole(
        &self,
        ask: Ask<'_>,
        read: list::Read,
        complete: bool,
        began: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(place) = Place::of(ask).map(Place::whole) else { return Ok(()) };
        let _turn = self.turn.lock().await;
        let (term, beyond) = list::whole(&place, &read, complete, began, now);
        let known = self.table(ask, &place).await?;
        let frame = match known {
            Some(table) if read.rows.is_empty() => locked(&table).frame().clone(),
            Some(_) | None => read.frame.clone(),
        };
        self.put(ask, &place, frame, (term, beyond), read.rows, now).await
    }

    async fn put(
        &self,
        ask: Ask<'_>,
        place: &Place,
        frame: Frame,
        (term, beyond): (crate::store::TermRow, Option<u64>),
        rows: Vec<Value>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let rows = list::new_rows(ask.operation, place, &rows);
        let new = NewRows {
            list: place.list.clone(),
            service: ask.operation.service.word().to_owned(),
            frame: Private::new(frame.0.clone()),
            term,
            rows,
            beyond,
            at: now,
        };
        self.store.keep_rows(new.clone()).await?;
        if let Some(table) = self.table(ask, place).await? {
            locked(&table).take(ask.operation, frame, &new);
        }
        Ok(())
    }

    async fn table(&self, ask: Ask<'_>, place: &Place) -> Result<Option<Arc<Mutex<Table>>>, StoreError> {
        if let Some(table) = self.shelf.find(&place.list) {
            return Ok(Some(table));
        }
        let Some(kept) = self.store.kept_list(&place.list).await? else { return Ok(None) };
        Ok(Some(self.shelf.put(&place.list, Table::of(ask.operation, kept))))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
