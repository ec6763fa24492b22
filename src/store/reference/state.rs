//! Everything the store knows, as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::table::Table;
use crate::audit;
use crate::catalogue::Catalogue;
use crate::contract;
use crate::queue::{Delivery, DeliveryId, Purpose};
use crate::store::antrean::{Booking, Registration, Session};
use crate::store::{
    AttemptEnd, CircuitRow, DayRow, KeptMember, KeptRow, LaneStop, MemberName, OutagePlan, OutageRow, PauseRow,
    ReconciliationRow, Settlement, SubmissionRow, TermRow,
};

/// An id at BPJS: facility, operation that made it, scope, value.
pub(super) type RemoteKey = (String, String, Vec<String>, String);

/// A session: facility, day, poli, doctor, hours.
pub(super) type SessionKey = (String, Date, String, i64, String);

/// The whole store.
#[derive(Clone)]
pub(super) struct State {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) submissions: Table<i64, Submission>,
    pub(super) entries: Table<i64, Entry>,
    /// Numbers of the entries by id, by lane, and by what they come after: none of it changes after acceptance.
    pub(super) numbers: Table<DeliveryId, i64>,
    pub(super) lanes: Table<String, Vec<i64>>,
    pub(super) children: Table<i64, Vec<i64>>,
    pub(super) owners: Table<RemoteKey, DeliveryId>,
    /// By client, facility and number: whose id it stands for, and its name.
    pub(super) provisional: Table<(String, String, String), (DeliveryId, String)>,
    pub(super) tokens: i64,
    pub(super) changes: Table<i64, ChangeRow>,
    pub(super) pauses: Table<String, PauseRow>,
    pub(super) stops: Table<(String, String), LaneStop>,
    pub(super) circuits: Table<(String, String), CircuitRow>,
    pub(super) outages: Table<i64, OutageRow>,
    /// With whether it was withdrawn.
    pub(super) plans: Table<i64, (OutagePlan, bool)>,
    pub(super) reconciliations: Table<String, ReconciliationRow>,
    pub(super) settlements: Table<i64, Settlement>,
    /// By facility, run and day.
    pub(super) days: Table<(String, String, Date), DayRow>,
    pub(super) events: Table<i64, contract::Event>,
    pub(super) marks: Table<String, contract::Done>,
    pub(super) log: Table<i64, audit::Entry>,
    /// By facility, operation and scope.
    pub(super) lists: Table<(String, String, String), List>,
    pub(super) members: Table<i64, Member>,
    /// With the number called last.
    pub(super) sessions: Table<SessionKey, (Session, Option<String>)>,
    /// The last number by facility, day, poli and prefix.
    pub(super) counters: Table<(String, Date, String, String), i64>,
    /// With its card.
    pub(super) bookings: Table<i64, (Booking, Option<String>)>,
    /// Record numbers by facility and card.
    pub(super) patients: Table<(String, String), String>,
    /// With its card.
    pub(super) registrations: Table<i64, (Registration, Option<String>)>,
}

impl State {
    pub(super) fn new(catalogue: Arc<Catalogue>) -> Self {
        Self {
            catalogue,
            submissions: Table::default(),
            entries: Table::default(),
            numbers: Table::default(),
            lanes: Table::default(),
            children: Table::default(),
            owners: Table::default(),
            provisional: Table::default(),
            tokens: 0,
            changes: Table::default(),
            pauses: Table::default(),
            stops: Table::default(),
            circuits: Table::default(),
            outages: Table::default(),
            plans: Table::default(),
            reconciliations: Table::default(),
            settlements: Table::default(),
            days: Table::default(),
            events: Table::default(),
            marks: Table::default(),
            log: Table::default(),
            lists: Table::default(),
            members: Table::default(),
            sessions: Table::default(),
            counters: Table::default(),
            bookings: Table::default(),
            patients: Table::default(),
            registrations: Table::default(),
        }
    }
}

#[derive(Clone)]
pub(super) struct Submission {
    pub(super) row: SubmissionRow,
    pub(super) canonical: String,
    pub(super) patient: Option<Value>,
}

/// A delivery with everything that belongs to it.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) delivery: Delivery,
    pub(super) service: String,
    pub(super) position: usize,
    pub(super) natural_key: Option<Vec<String>>,
    /// Numbers of the entries it comes after, in order of acceptance.
    pub(super) after: Vec<i64>,
    /// As handed in; `None` past the retention.
    pub(super) original: Option<Value>,
    pub(super) amended: Option<Value>,
    pub(super) attempts: Vec<Attempt>,
    /// Whether a delivered delete took it away at BPJS.
    pub(super) released: bool,
}

#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) token: i64,
    pub(super) purpose: Purpose,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) credential_version: i64,
    pub(super) end: AttemptEnd,
}

/// A row of the feed.
#[derive(Clone)]
pub(super) struct ChangeRow {
    pub(super) facility: String,
    pub(super) at: Timestamp,
    pub(super) what: Changed,
}

/// What changed, by its number.
#[derive(Clone, Copy)]
pub(super) enum Changed {
    Delivery(i64),
    Booking(i64),
    Registration(i64),
}

/// A kept reference list.
#[derive(Clone)]
pub(super) struct List {
    /// In which order it was kept first.
    pub(super) number: i64,
    pub(super) service: String,
    pub(super) frame: Value,
    pub(super) as_of: Timestamp,
    pub(super) terms: BTreeMap<String, TermRow>,
    pub(super) rows: BTreeMap<String, KeptRow>,
}

#[derive(Clone)]
pub(super) struct Member {
    pub(super) name: MemberName,
    pub(super) kept: KeptMember,
}
