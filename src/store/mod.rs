//! Everything that must survive: submissions, deliveries, attempts, outages, reconciliations, the security log.
//!
//! Job: one trait whose methods are transitions and questions, and the backends behind it ([`sqlite`] is the embedded
//! default). Invariants: only this module has SQL; a delivery changes only through `queue::transition` and one
//! conditional UPDATE in one transaction; nothing is answered before it is on disk; a failed COMMIT is *unknown*, never
//! *failed* ([`StoreError::Unknown`]); payloads, answers and BPJS's words are sealed per row, with row, column and
//! facility as associated data; card numbers and remote ids are found again by keyed hashes. Neighbours: every stage
//! holds an `Arc<dyn Store>`. What it does not do: decide (that is `queue`), talk to BPJS, read the clock.

pub mod antrean;
#[cfg(test)]
pub(crate) mod conformance;
mod declared;
#[cfg(test)]
pub(crate) mod differential;
mod gateway;
mod keep;
pub mod moving;
mod nodes;
mod outage;
pub mod postgres;
#[cfg(test)]
pub(crate) mod reference;
mod sealing;
mod sql;
pub mod sqlite;
mod types;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::catalogue::RemoteIds;
use crate::contract;
use crate::queue::{Delivery, DeliveryId, Mark, SubmissionId};
use crate::secret::Private;

pub use declared::{Redate, circumstances, never_earlier, redating};
pub use gateway::{NumberForm, ProvisionalId, Standing, StandingAsk};
pub use keep::{
    KeepLimits, KeptList, KeptMember, KeptRow, KeptTotals, ListName, ListSummary, MemberName, NewRow, NewRows, TermRow,
};
pub use nodes::{NodeRow, NodeTurn, Nodes, OwnerChange, OwnerRow};
pub use outage::{OutageChange, OutageClass, OutageEffect, OutagePlan, OutageRow, Verdict};
pub use sealing::{Sealer, SealingError};
pub use types::{
    Acceptance, Act, Acted, AttemptEnd, AttemptRecord, AuditEntry, Base, Blamed, Change, CircuitRow, ClaimAsk, Claimed,
    ClientCount, Counts, DayChange, DayRow, DeliveryFilter, EntryBody, Given, JournalRow, LaneLoad, LaneStop, NewEntry,
    NewSubmission, Page, PauseRow, Prerequisite, QueuedRow, ReconciliationRow, Recorded, Refused, Settled, Settlement,
    SubmissionRow, Totals,
};

/// What can go wrong with the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A COMMIT failed: whether it is on disk is unknown. Stop, reopen, look up.
    #[error("outcome of a commit unknown: {0}")]
    Unknown(String),
    /// The disk is full or nearly so.
    #[error("disk full: {0}")]
    Full(String),
    /// A row cannot be read (wrong key, damaged, written by another version).
    #[error("row unreadable: {0}")]
    Unreadable(String),
    /// The schema is newer than this program.
    #[error("the database has schema {found}, this program knows {known}: install the newer program")]
    Newer {
        /// Version found.
        found: i64,
        /// Newest version known.
        known: i64,
    },
    /// Another process holds the database.
    #[error("another jembatan runs on this database: {0}")]
    Busy(String),
    /// The database cannot be reached, or has to refuse for the moment. Nothing was written: the same may work soon.
    #[error("database not available: {0}")]
    Unavailable(String),
    /// The entries were moved to another database, or are being moved.
    #[error("database moved: {0}")]
    Moved(String),
    /// Another process has taken this node's name: this one must stop.
    #[error("another process runs under this node's name: {0}")]
    Replaced(String),
    /// Anything else the database says.
    #[error("database: {0}")]
    Database(String),
    /// The store was closed.
    #[error("store closed")]
    Closed,
}

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// There was no database yet.
    pub fresh: bool,
    /// The schema was older and has been brought up. Said at every start until `distrust` was carried out.
    pub upgraded: bool,
    /// The database is older than what is remembered of it: it came out of a backup, or from another machine. Said at
    /// every start until `distrust` was carried out.
    pub restored: bool,
}

/// The port to a backend. Every method is one transaction; `now` always comes from outside. Instants are kept in whole
/// milliseconds: callers bring none that are finer. Numbers that a store gives out (places, tokens, cursors) rise and may
/// leave gaps; only the security log has none. `reference` is this trait in the plainest words.
#[async_trait]
pub trait Store: antrean::AntreanStore {
    // ---- intake -------------------------------------------------------------------------------------------------

    /// Accepts a submission whole or not at all. The same key with an equal body is [`Acceptance::Same`], with another
    /// body [`Acceptance::Conflict`]; a duplicate inside one group commit answers as the first did.
    async fn accept(&self, submission: NewSubmission) -> Result<Acceptance, StoreError>;

    /// The delivery of `entry_ref` in the earlier submission `reference` of the same client and facility.
    async fn find_entry(
        &self,
        client: &str,
        facility: &str,
        reference: &str,
        entry_ref: &str,
    ) -> Result<Option<Prerequisite>, StoreError>;

    /// Where a gateway write stands: the newest entry of the same key, and which generation it is.
    async fn standing(&self, ask: StandingAsk) -> Result<Standing, StoreError>;

    /// The provisional numbers of a delivery's ids, made if they are not there yet; the same ones every time, in the order
    /// of `wanted`.
    async fn provisional_ids(
        &self,
        client: &str,
        delivery: DeliveryId,
        wanted: Vec<(String, NumberForm)>,
    ) -> Result<Vec<(String, String)>, StoreError>;

    /// What a provisional number of this client and facility stands for.
    async fn provisional(&self, client: &str, facility: &str, value: &str)
    -> Result<Option<ProvisionalId>, StoreError>;

    // ---- push ---------------------------------------------------------------------------------------------------

    /// Leases up to `ask.limit` deliveries that are due, in dispatch order (what can still be in time by its date, what
    /// has no date, what is late already by its date; then by target or acceptance), each with the attempt's row written:
    /// when this returns, the intention is on disk.
    async fn claim(&self, ask: ClaimAsk) -> Result<Vec<Claimed>, StoreError>;

    /// Ends a claimed attempt: the event goes through `queue::transition`. `None` if the lease is no longer held.
    async fn record(&self, recorded: Recorded) -> Result<Option<Delivery>, StoreError>;

    /// Which of `ids` (primary ids of `operation` within `scope`) are owned by a delivery, in the same order.
    async fn owners(
        &self,
        facility: &str,
        operation: &str,
        scope: &[String],
        ids: &[String],
    ) -> Result<Vec<Option<DeliveryId>>, StoreError>;

    /// The earliest instant at which something of this facility and service becomes due, if anything waits.
    async fn next_due(&self, facility: &str, service: &str) -> Result<Option<Timestamp>, StoreError>;

    // ---- people and reconciliation ------------------------------------------------------------------------------

    /// Applies a person's (or the reconciliation's) event to one delivery, with its row in the security log.
    async fn act(&self, act: Act) -> Result<Acted, StoreError>;

    /// Puts every lease that ran out before `now` (or all of them, at start) into doubt; returns how many.
    async fn reclaim(&self, now: Timestamp, all: bool, base: Base) -> Result<usize, StoreError>;

    /// Counts a crash of the last process against every delivery that it held, and puts each into doubt
    /// (`queue::crash`); asked once, at a start that follows a crash, before anything is claimed.
    async fn blame(&self, now: Timestamp, base: Base) -> Result<Blamed, StoreError>;

    /// Counts a crash of the last process against deliveries that a claim was about to open ([`Trail`]) and that nobody holds;
    /// none of them is opened for that. Who is unknown, held by somebody or final is passed over.
    async fn blame_opened(&self, ids: Vec<DeliveryId>, now: Timestamp, base: Base) -> Result<Blamed, StoreError>;

    /// Expires waiting deliveries whose last date has passed, at most `limit`: what is not in doubt first, then by last date;
    /// returns how many moved.
    async fn expire(&self, now: Timestamp, limit: usize, base: Base) -> Result<usize, StoreError>;

    /// Reckons the late and last dates of what is not final anew, all in one transaction, for facilities for which
    /// something was declared; what is expired stays so. Returns how many moved.
    async fn redate(&self, now: Timestamp, redate: Redate) -> Result<usize, StoreError>;

    /// Makes every unfinished delivery look before it sends (restored or upgraded store); returns how many. Some at a
    /// time; until the last, the next start says again that the store is not trusted.
    async fn distrust(&self, now: Timestamp, base: Base) -> Result<usize, StoreError>;

    /// Destroys the payloads of entries delivered or cancelled before `before`, at most `limit` (which of more is not said),
    /// and of them what BPJS said and what the submission says of the patient; keys and ids stay. Returns how many payloads.
    async fn retire(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    // ---- lanes, circuits, outages -------------------------------------------------------------------------------

    /// Pauses (`Some`) or resumes (`None`) a facility, or everything (`facility` = `*`), with its row in the log. Paused
    /// again, it is paused since the first time, for the newer reason.
    async fn set_pause(&self, facility: &str, pause: Option<PauseRow>, audit: AuditEntry) -> Result<(), StoreError>;

    /// What is paused.
    async fn pauses(&self) -> Result<Vec<PauseRow>, StoreError>;

    /// Stops (`Some`) or frees (`None`) the lane of a facility's service because of its credentials. Stopped again, it is
    /// stopped since the first time, for the newest credentials that were refused.
    async fn set_lane_stop(&self, facility: &str, service: &str, stop: Option<LaneStop>) -> Result<(), StoreError>;

    /// Which lanes are stopped.
    async fn lane_stops(&self) -> Result<Vec<LaneStop>, StoreError>;

    /// Remembers a circuit's state across restarts.
    async fn set_circuit(&self, row: CircuitRow) -> Result<(), StoreError>;

    /// Every circuit known.
    async fn circuits(&self) -> Result<Vec<CircuitRow>, StoreError>;

    /// Opens, amends or closes an outage episode; closing counts the entries it touched.
    async fn change_outage(&self, change: OutageChange) -> Result<OutageRow, StoreError>;

    /// Outage episodes, newest first.
    async fn outages(&self, limit: usize) -> Result<Vec<OutageRow>, StoreError>;

    /// The same with null for their evidence, which is the larger part of them: for who only asks when they were.
    async fn outage_spans(&self, limit: usize) -> Result<Vec<OutageRow>, StoreError>;

    /// Enters maintenance that was announced ahead, with its row in the log; answers it with its id.
    async fn plan_outage(&self, plan: OutagePlan, audit: AuditEntry) -> Result<OutagePlan, StoreError>;

    /// Takes an announcement back, with its row in the log; none where there is no such one, or no longer.
    async fn withdraw_plan(&self, id: i64, audit: AuditEntry) -> Result<Option<OutagePlan>, StoreError>;

    /// Announced maintenance, not withdrawn, that ends at `since` or later, in order of its beginning.
    async fn outage_plans(&self, since: Timestamp) -> Result<Vec<OutagePlan>, StoreError>;

    /// What became, until `now`, of the entries that an outage touched.
    async fn outage_effect(&self, id: i64, now: Timestamp) -> Result<Option<OutageEffect>, StoreError>;

    // ---- reconciliation -----------------------------------------------------------------------------------------

    /// Delivered edits of a facility's later days: they lie over what earlier days' adds made.
    async fn later_edits(&self, facility: &str, after: jiff::civil::Date) -> Result<Vec<JournalRow>, StoreError>;

    /// Keeps how an item of a report was settled, with its row in the log.
    async fn settle(&self, row: Settlement) -> Result<(), StoreError>;

    /// Settlements of a reconciliation, oldest first.
    async fn settlements(&self, reconciliation: &str) -> Result<Vec<Settlement>, StoreError>;

    /// Changes the days of a run.
    async fn change_days(&self, change: DayChange) -> Result<(), StoreError>;

    /// The days of a run of all facilities.
    async fn days(&self, run: &str) -> Result<Vec<DayRow>, StoreError>;

    /// The journal of a facility and days: every delivery with its current payload, in order of acceptance.
    async fn journal(
        &self,
        facility: &str,
        from: jiff::civil::Date,
        to: jiff::civil::Date,
    ) -> Result<Vec<JournalRow>, StoreError>;

    /// As [`Store::journal`], of operations that fit one of these patterns (`*` stands for anything).
    async fn journal_of(
        &self,
        facility: &str,
        from: jiff::civil::Date,
        to: jiff::civil::Date,
        operations: &[&str],
    ) -> Result<Vec<JournalRow>, StoreError>;

    /// As [`Store::journal_of`], patterns included, of one patient: found by the keyed hash that orders the patient's entries.
    async fn journal_of_patient(
        &self,
        facility: &str,
        card: &Private<String>,
        from: jiff::civil::Date,
        to: jiff::civil::Date,
        operations: &[&str],
    ) -> Result<Vec<JournalRow>, StoreError>;

    /// Keeps a reconciliation's report.
    async fn put_reconciliation(&self, row: ReconciliationRow) -> Result<(), StoreError>;

    /// Reconciliations without their reports, newest first; of those that began together the last by id.
    async fn reconciliations(&self, facility: Option<&str>, limit: usize)
    -> Result<Vec<ReconciliationRow>, StoreError>;

    /// One reconciliation with its report.
    async fn reconciliation(&self, id: &str) -> Result<Option<ReconciliationRow>, StoreError>;

    // ---- kept for outages ---------------------------------------------------------------------------------------

    /// Keeps an answer's rows and how much of the list is read now.
    async fn keep_rows(&self, rows: NewRows) -> Result<(), StoreError>;

    /// A kept list with all its rows.
    async fn kept_list(&self, list: &ListName) -> Result<Option<KeptList>, StoreError>;

    /// What is kept of references, of one facility (or all), without rows.
    async fn kept_lists(&self, facility: Option<&str>) -> Result<Vec<ListSummary>, StoreError>;

    /// Keeps a member's standing in place of whatever was kept of the same card or NIK; `None` forgets it.
    async fn keep_member(&self, member: MemberName, kept: Option<KeptMember>) -> Result<(), StoreError>;

    /// A member's standing, by card or NIK; the newest if there are two.
    async fn kept_member(&self, member: &MemberName) -> Result<Option<KeptMember>, StoreError>;

    /// How much is kept, by facility and service.
    async fn kept_totals(&self) -> Result<Vec<KeptTotals>, StoreError>;

    /// Lets go what is too old or too much, the oldest first (of one age any); returns how many rows and standings went.
    async fn prune_kept(&self, limits: KeepLimits) -> Result<u64, StoreError>;

    /// Lets go everything kept of a facility, with its row in the log; returns how many rows and standings went.
    async fn clear_kept(&self, facility: &str, audit: AuditEntry) -> Result<u64, StoreError>;

    // ---- obligations --------------------------------------------------------------------------------------------

    /// Records an event that dates obligations (its `id` is ignored), with its row in the log; returns it numbered.
    async fn record_event(&self, event: contract::Event) -> Result<contract::Event, StoreError>;

    /// Every recorded event, oldest first.
    async fn events(&self) -> Result<Vec<contract::Event>, StoreError>;

    /// Marks a duty as done, with its row in the log; a mark that is there already stays and is the answer.
    async fn mark_done(&self, done: contract::Done) -> Result<contract::Done, StoreError>;

    /// Every mark.
    async fn marks(&self) -> Result<Vec<contract::Done>, StoreError>;

    // ---- questions ----------------------------------------------------------------------------------------------

    /// One submission.
    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionRow>, StoreError>;

    /// Submissions by facility, reference or the state of one of their deliveries, in order of acceptance; pages as of
    /// [`Store::deliveries`].
    async fn submissions(
        &self,
        facilities: &[String],
        reference: Option<&str>,
        state: Option<crate::queue::State>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<SubmissionRow>, StoreError>;

    /// The deliveries of a submission, in the order of its entries.
    async fn deliveries_of(&self, id: SubmissionId) -> Result<Vec<Delivery>, StoreError>;

    /// One delivery.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// Deliveries by filter, in order of acceptance. What no index finds is looked for in a bounded number of rows: a page
    /// may be short and still say where to go on.
    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Page<Delivery>, StoreError>;

    /// A delivery's attempts and look-ups, oldest first.
    async fn attempts(&self, id: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError>;

    /// A delivery's payload: as handed in, and as it stands now.
    async fn entry_body(&self, id: DeliveryId) -> Result<Option<EntryBody>, StoreError>;

    /// What became final after `cursor` (0: from the beginning), oldest first.
    async fn changes(&self, facilities: &[String], cursor: i64, limit: usize) -> Result<Vec<Change>, StoreError>;

    /// Entries with a mark, of these days of service.
    async fn marked(
        &self,
        facility: &str,
        mark: Mark,
        from: jiff::civil::Date,
        to: jiff::civil::Date,
    ) -> Result<Vec<JournalRow>, StoreError>;

    /// Entries of these days of service by the client that handed them in.
    async fn client_counts(
        &self,
        facility: &str,
        from: jiff::civil::Date,
        to: jiff::civil::Date,
    ) -> Result<Vec<ClientCount>, StoreError>;

    /// Counts and the few instants that health, status and metrics show.
    async fn totals(&self, now: Timestamp) -> Result<Totals, StoreError>;

    /// Of every lane among the first `limit` unfinished deliveries in dispatch order as it was at `since`: these, and how
    /// many were delivered since then (a store may look no further back than some thousand rows of the feed).
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<LaneLoad>, StoreError>;

    /// The security log from `after` on, oldest first.
    async fn audit(&self, after: i64, limit: usize) -> Result<Vec<crate::audit::Entry>, StoreError>;

    /// The newest row of the security log: the journal's checkpoint on paper.
    async fn audit_head(&self) -> Result<Option<crate::audit::Entry>, StoreError>;

    /// Adds a row to the security log.
    async fn log(&self, entry: AuditEntry) -> Result<(), StoreError>;

    // ---- several nodes ------------------------------------------------------------------------------------------

    /// This process's name among those that share the database; `None`: it is alone and owns every facility, and the
    /// three methods below are not called.
    fn node(&self) -> Option<String> {
        None
    }

    /// Says that this node lives, renews what it holds and answers how all stand. [`StoreError::Replaced`] if another
    /// process has taken this node's name.
    async fn stand(&self, _turn: NodeTurn) -> Result<Nodes, StoreError> {
        Err(StoreError::Closed)
    }

    /// Carries one step out, if the row still allows it; returns whether it was.
    async fn change_owner(&self, _change: OwnerChange, _turn: NodeTurn) -> Result<bool, StoreError> {
        Err(StoreError::Closed)
    }

    /// Says that this node ends: what it holds is free at once.
    async fn leave(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Wakes up whenever a commit may have made something due, final or visible. Losing one costs latency only.
    fn wake_ups(&self) -> watch::Receiver<u64>;

    /// Whether a commit failed and the process must stop; `Some` says why.
    fn fatal(&self) -> watch::Receiver<Option<String>>;

    /// What makes the database less durable than this program needs, in words for health; empty where all is well.
    fn concerns(&self) -> Vec<String>;

    /// Whom the store's own thread or task tells that it is still at work, a few seconds apart at most: the watchdog. Only
    /// the first who asks is told.
    fn on_turn(&self, tell: Tell);

    /// Whom a claim tells which entry it opens, before it does: what is said there must outlive the process. Only the first
    /// who asks is told.
    fn leave_trail(&self, trail: Arc<dyn Trail>);

    /// Stops writing after what waits; later writes answer [`StoreError::Closed`].
    fn close(&self);
}

/// See [`Store::on_turn`].
pub type Tell = Box<dyn Fn() + Send + Sync>;

/// See [`Store::leave_trail`]. Several claims may be under way at a time.
pub trait Trail: Send + Sync {
    /// This entry is about to be opened; answers the place that [`Trail::leave`] takes.
    fn enter(&self, id: DeliveryId) -> usize;

    /// What was opened at this place is closed again.
    fn leave(&self, place: usize);
}

/// A handle on the store that stages share.
pub type SharedStore = Arc<dyn Store>;

/// Ids by the operation that gave them: what a delivery's prerequisites know.
pub type GivenIds = Vec<(String, Private<RemoteIds>)>;
