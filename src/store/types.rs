//! What goes into the store and what comes out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::catalogue::RemoteIds;
use crate::contract::forecast::Queued;
use crate::queue::transition::{Event, Illegal};
use crate::queue::{BootId, Deadline, Delivery, DeliveryId, How, Mark, Purpose, State, SubmissionId};
use crate::secret::Private;
use crate::words::words;

/// A submission that intake has checked.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// Its id.
    pub id: SubmissionId,
    /// The SIM client that hands it in.
    pub client: String,
    /// kdProvider.
    pub facility: String,
    /// The client's own name for it; idempotency key together with client and facility.
    pub reference: String,
    /// The body as JSON with sorted keys: equality of bodies is equality of this (kept only as a keyed hash).
    pub canonical: Private<String>,
    /// What the bridge itself needs of the patient (`noKartu`, `nik`, `nama`); never sent.
    pub patient: Option<Private<Value>>,
    /// The instant of acceptance.
    pub accepted_at: Timestamp,
    /// Warnings for the client (an `occurred_at` in the future).
    pub warnings: Vec<String>,
    /// Whether the entries wait for the puskesmas's approval (they come from its network; Pasal 5 ayat 4–6).
    pub approval: bool,
    /// The entries, each after those it depends on.
    pub entries: Vec<NewEntry>,
}

/// An entry that intake has checked.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Its delivery's id.
    pub id: DeliveryId,
    /// Its place in the submission as handed in (0-based), which is the order of listings.
    pub position: usize,
    /// Its name in the submission.
    pub entry_ref: String,
    /// Catalogue operation.
    pub operation: String,
    /// Service word.
    pub service: String,
    /// The payload as handed in.
    pub payload: Private<Value>,
    /// When the service happened.
    pub occurred_at: Option<Timestamp>,
    /// Day of service.
    pub service_date: Option<Date>,
    /// Its dates.
    pub deadline: Deadline,
    /// Not before this instant.
    pub due_at: Timestamp,
    /// The patient's card, where the payload or the submission names one: orders it.
    pub no_kartu: Option<Private<String>>,
    /// `(operation, scope, id)` of the thing an edit or delete without a card is about: inherits its order.
    pub about: Option<(String, Vec<String>, String)>,
    /// Values of the natural key, where the operation has one and all are known.
    pub natural_key: Option<Private<Vec<String>>>,
    /// The SIM's own mark.
    pub mark: Option<Mark>,
    /// Deliveries it comes after.
    pub after: Vec<DeliveryId>,
}

/// What became of [`super::Store::accept`].
#[derive(Debug, Clone)]
pub enum Acceptance {
    /// It is on disk.
    New(SubmissionRow),
    /// It was there already, with an equal body.
    Same(SubmissionRow),
    /// The key is taken by another body.
    Conflict(SubmissionRow),
}

/// A delivery that an entry may come after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prerequisite {
    /// Its id.
    pub id: DeliveryId,
    /// Its operation.
    pub operation: String,
    /// Its day of service.
    pub service_date: Option<Date>,
}

/// What every transition needs from the running process.
#[derive(Debug, Clone, Copy)]
pub struct Base {
    /// This run.
    pub boot: BootId,
    /// Replaces every catalogue value of settle, if set.
    pub settle: Option<Duration>,
    /// A number in 0..1.
    pub chance: f64,
    /// Whether other entries of the service passed lately.
    pub others_pass: bool,
}

/// Whom a crash is counted against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blamed {
    /// How many were in flight.
    pub suspects: usize,
    /// Which of them are set aside for a person now.
    pub held: Vec<DeliveryId>,
}

impl Blamed {
    /// These too.
    pub fn add(&mut self, more: Self) {
        self.suspects += more.suspects;
        self.held.extend(more.held);
    }
}

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct ClaimAsk {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// At most this many.
    pub limit: usize,
    /// The present.
    pub now: Timestamp,
    /// When the worker is to be taken for dead.
    pub lease_until: Timestamp,
    /// Version of the credentials it will sign with.
    pub credential_version: i64,
    /// For the transitions.
    pub base: Base,
}

/// Ids that one prerequisite has.
#[derive(Debug, Clone)]
pub struct Given {
    /// The prerequisite's operation.
    pub operation: String,
    /// Its ids.
    pub ids: Private<RemoteIds>,
}

/// A delivery in a worker's hands.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The delivery, already leased.
    pub delivery: Delivery,
    /// What it is claimed for.
    pub purpose: Purpose,
    /// The lease's token.
    pub token: i64,
    /// Number of the attempt (sends and look-ups count together).
    pub attempt: i64,
    /// The payload as it stands.
    pub payload: Private<Value>,
    /// Ids of its prerequisites.
    pub given: Vec<Given>,
}

/// How an attempt ended, for its record.
#[derive(Debug, Clone, Default)]
pub struct AttemptEnd {
    /// Word of the outcome or finding.
    pub outcome: String,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// `metaData.code`, if there was one.
    pub code: Option<i64>,
    /// Unix seconds that signed it (header, signature and key alike).
    pub stamp: Option<i64>,
    /// Version of the credentials it was signed with, where it differs from the one at the claim.
    pub credential_version: Option<i64>,
    /// BPJS's words or the fault, and the names of fields filled or normalised.
    pub detail: Private<String>,
    /// BPJS's `message` and `response` as opened, where there was an envelope (sealed at rest; may name a patient).
    pub answer: Option<Private<Value>>,
    /// The primary id's scope and value when it became owned: `(operation, scope, id)`.
    pub owns: Option<(String, Vec<String>, String)>,
    /// The id a delivered delete sets free: `(operation, scope, id)`.
    pub frees: Option<(String, Vec<String>, String)>,
}

/// The end of a claimed attempt.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The delivery.
    pub id: DeliveryId,
    /// The lease's token.
    pub token: i64,
    /// Number of the attempt.
    pub attempt: i64,
    /// What happened.
    pub event: Event,
    /// The present.
    pub now: Timestamp,
    /// For the transition.
    pub base: Base,
    /// For the attempt's record.
    pub end: AttemptEnd,
}

/// A person's or the reconciliation's doing.
#[derive(Debug, Clone)]
pub struct Act {
    /// The delivery.
    pub id: DeliveryId,
    /// What is done.
    pub event: Event,
    /// A new payload (`amend`).
    pub payload: Option<Private<Value>>,
    /// The id that becomes owned by adopting: `(operation, scope, id)`.
    pub owns: Option<(String, Vec<String>, String)>,
    /// The present.
    pub now: Timestamp,
    /// For the transition.
    pub base: Base,
    /// For the security log.
    pub audit: AuditEntry,
}

/// Why an act was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The state does not allow it.
    Illegal(Illegal),
    /// The remote id belongs to this delivery.
    Owned(DeliveryId),
}

/// What became of an act.
#[derive(Debug, Clone)]
pub enum Acted {
    /// Done; the delivery as it stands.
    Done(Box<Delivery>),
    /// Refused; the delivery as it stands.
    Refused(Box<Delivery>, Refused),
    /// No such delivery.
    Unknown,
}

/// A line for the security log; ids and words only, no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who (client name, `operator`, `jembatan`).
    pub actor: String,
    /// What, e.g. `delivery.retry`.
    pub action: String,
    /// On what (an id or a facility).
    pub object: String,
    /// Reason or remark.
    pub detail: String,
}

/// A submission as kept.
#[derive(Debug, Clone)]
pub struct SubmissionRow {
    /// Its id.
    pub id: SubmissionId,
    /// Order of acceptance.
    pub seq: i64,
    /// Who handed it in.
    pub client: String,
    /// kdProvider.
    pub facility: String,
    /// The client's name for it.
    pub reference: String,
    /// When.
    pub accepted_at: Timestamp,
    /// Warnings given then.
    pub warnings: Vec<String>,
}

/// A page of a listing.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where to go on (`seq` of the last row), if there is more.
    pub next: Option<i64>,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only these facilities; empty: all.
    pub facilities: Vec<String>,
    /// Only this state.
    pub state: Option<State>,
    /// Only this operation.
    pub operation: Option<String>,
    /// Only with this code of why.
    pub why: Option<String>,
    /// Only late (`true`) or not late (`false`) at this instant.
    pub late: Option<(bool, Timestamp)>,
    /// After this `seq`.
    pub after: Option<i64>,
    /// At most this many.
    pub limit: usize,
}

/// One attempt or look-up of a delivery.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// Its number.
    pub number: i64,
    /// Send or look-up.
    pub purpose: Purpose,
    /// Beginning: the intention was on disk from here.
    pub started_at: Timestamp,
    /// End, if it is known.
    pub ended_at: Option<Timestamp>,
    /// Version of the credentials it was signed with.
    pub credential_version: i64,
    /// How it ended.
    pub end: AttemptEnd,
}

/// A delivery's payload.
#[derive(Debug, Clone)]
pub struct EntryBody {
    /// As handed in (idempotency compares with this).
    pub original: Private<Value>,
    /// As it stands after amendments.
    pub current: Private<Value>,
}

/// Something that became final.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where in the feed.
    pub cursor: i64,
    /// When.
    pub at: Timestamp,
    /// The delivery as it stands now.
    pub delivery: Delivery,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseRow {
    /// kdProvider, or `*` for all sending.
    pub facility: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when.
    pub since: Timestamp,
}

/// A lane whose credentials BPJS refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStop {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// BPJS's words.
    pub message: Private<String>,
    /// Since when.
    pub since: Timestamp,
    /// Version of the credentials refused: a newer one is tried.
    pub credential_version: i64,
}

/// A circuit as remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitRow {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// Whether it is open.
    pub open: bool,
    /// Since when.
    pub since: Timestamp,
}

words! {
    /// How a difference was settled.
    Settled {
        /// BPJS's id was taken over.
        Adopted = "adopted",
        /// It was typed into P-Care (or handed in again).
        Entered = "entered",
        /// It was withdrawn on the side that should not have it.
        Cancelled = "cancelled",
        /// One side was corrected.
        Corrected = "corrected",
        /// Both sides accept it as it is.
        Accepted = "accepted",
        /// Otherwise, as the reason says.
        Other = "other",
    }
}

/// One settlement of one item of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Id of the reconciliation.
    pub reconciliation: String,
    /// `n` of the item.
    pub item: i64,
    /// How.
    pub how: Settled,
    /// Why, in a person's words.
    pub reason: Private<String>,
    /// Who.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// A day to reconcile, or one that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRow {
    /// kdProvider.
    pub facility: String,
    /// Empty for the schedule, else the period that was asked for.
    pub run: String,
    /// The day.
    pub day: Date,
    /// `daily`, `outage` or `period`.
    pub cause: String,
    /// Since when it is wanted.
    pub wanted_at: Timestamp,
    /// When it was done, and the report's id.
    pub done: Option<(Timestamp, String)>,
    /// The day's report, while the period it belongs to is not whole.
    pub report: Option<Private<Value>>,
}

/// What happens to the days of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayChange {
    /// They are wanted (anew, if they were done before `at`).
    Want {
        /// kdProvider.
        facility: String,
        /// See [`DayRow::run`].
        run: String,
        /// Which.
        days: Vec<Date>,
        /// See [`DayRow::cause`].
        cause: String,
        /// Since when.
        at: Timestamp,
    },
    /// One is done.
    Done {
        /// kdProvider.
        facility: String,
        /// See [`DayRow::run`].
        run: String,
        /// Which.
        day: Date,
        /// When.
        at: Timestamp,
        /// The report's id.
        id: String,
        /// The report itself, if it is kept nowhere else yet.
        report: Option<Private<Value>>,
    },
    /// The run is over and its days are forgotten.
    Forget {
        /// kdProvider.
        facility: String,
        /// See [`DayRow::run`].
        run: String,
    },
}

/// Entries of one client in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCount {
    /// The client that handed in.
    pub client: String,
    /// Operation.
    pub operation: String,
    /// State.
    pub state: State,
    /// Code of why, where there is one.
    pub why: Option<String>,
    /// How many.
    pub count: i64,
}

/// A delivery with its payload, for the reconciliation.
#[derive(Debug, Clone)]
pub struct JournalRow {
    /// The delivery.
    pub delivery: Delivery,
    /// Its current payload.
    pub payload: Private<Value>,
    /// The submission's reference.
    pub reference: String,
    /// The client that handed it in.
    pub client: String,
    /// What the submission says of the patient (`nama`), if it does.
    pub patient: Option<Private<Value>>,
    /// Ids of its prerequisites.
    pub given: Vec<Given>,
}

/// A reconciliation.
#[derive(Debug, Clone)]
pub struct ReconciliationRow {
    /// Its id.
    pub id: String,
    /// kdProvider.
    pub facility: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Counts by class.
    pub counts: BTreeMap<String, i64>,
    /// The whole report; `None` in listings.
    pub report: Option<Private<Value>>,
}

/// Deliveries by facility, service and state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// State.
    pub state: State,
    /// How BPJS came to have them, when delivered.
    pub how: Option<How>,
    /// How many.
    pub count: i64,
}

/// What a forecast needs of one lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneLoad {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// Became delivered since the instant asked for.
    pub delivered: usize,
    /// What is unfinished, in dispatch order.
    pub queue: Vec<QueuedRow>,
}

/// An unfinished delivery in its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedRow {
    /// Which.
    pub id: DeliveryId,
    /// Its number of acceptance.
    pub seq: i64,
    /// What it is ordered by: its target, or its acceptance.
    pub rank: Timestamp,
    /// Its late date.
    pub late: Option<Timestamp>,
    /// Not sent before.
    pub due_at: Timestamp,
}

impl QueuedRow {
    /// What the forecast needs of it.
    #[must_use]
    pub const fn queued(&self) -> Queued {
        Queued { late: self.late, not_before: self.due_at }
    }
}

/// What health, status and metrics show.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Deliveries by facility, service and state.
    pub counts: Vec<Counts>,
    /// When the oldest unfinished delivery was accepted: of those accepted first in each state the earliest.
    pub oldest_unfinished: Option<Timestamp>,
    /// The oldest instant at which something was due and nobody took it.
    pub oldest_due: Option<Timestamp>,
    /// Nearest date of an unfinished delivery that has not passed.
    pub nearest_deadline: Option<Timestamp>,
    /// Unfinished deliveries that are late; of a lane with more than ten thousand, that many.
    pub late: i64,
    /// Deliveries that stand where they stand because their row or their payload is damaged.
    pub unreadable: i64,
    /// Bytes of the database files.
    pub bytes: u64,
}
