//! The facility's own queue of patients (Antrean FKTP, the part that Mobile JKN calls): rows, questions, the rules of a
//! booking.
//!
//! Job: the types and the port [`AntreanStore`], and the pure [`choose`] that a booking's transaction asks. Invariants:
//! a number is given once per facility, day, poli and prefix, cancelled or not; one card has one booking per poli and
//! day that is not cancelled; cards are found by keyed hashes, everything about a person is sealed. Neighbours:
//! `inbound` books for patients, `http` for the SIM. What it does not do: words for patients, wire forms.

mod rules;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use serde_json::Value;

use super::{Page, StoreError};
use crate::queue::Delivery;
use crate::secret::Private;
use crate::words::words;

pub use rules::{antrean_id, choose, may_move};

words! {
    /// What became of a booking.
    BookingState {
        /// Waits to be called.
        Booked = "booked",
        /// Was called.
        Called = "called",
        /// Was served.
        Served = "served",
        /// Was called and not there.
        Absent = "absent",
        /// Withdrawn by patient or facility; its number stays given.
        Cancelled = "cancelled",
    }
}

words! {
    /// Who made a booking.
    Origin {
        /// The patient, through Mobile JKN.
        MobileJkn = "mobile_jkn",
        /// The facility's own system, at the counter.
        Sim = "sim",
    }
}

words! {
    /// What became of a new patient's registration.
    RegistrationState {
        /// The SIM has not answered.
        Waiting = "waiting",
        /// The SIM gave a record number.
        Accepted = "accepted",
        /// The SIM refused.
        Refused = "refused",
    }
}

/// The hours of a doctor on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// kdProvider.
    pub facility: String,
    /// At the facility.
    pub day: Date,
    /// P-Care's code of the poli.
    pub poli: String,
    /// For people.
    pub poli_name: String,
    /// BPJS's code of the doctor.
    pub doctor: i64,
    /// For people.
    pub doctor_name: String,
    /// `jampraktek` without blanks: `08:00-12:00`.
    pub hours: String,
    /// Bookings at most, whoever makes them.
    pub quota: i64,
    /// From when on the day itself numbers are given; before that day they always are.
    pub opens: Option<Time>,
    /// Until when on the day itself.
    pub closes: Time,
    /// What stands before the number; never ends in a digit.
    pub prefix: String,
    /// A sentence for the patient.
    pub remark: String,
}

/// A session with its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Doctor, poli, hours.
    pub session: Session,
    /// Bookings that were not cancelled.
    pub total: i64,
    /// Of these, not called yet.
    pub waiting: i64,
    /// The number called last.
    pub called: Option<String>,
}

/// A booking.
#[derive(Debug, Clone, PartialEq)]
pub struct Booking {
    /// Order of acceptance.
    pub seq: i64,
    /// UUIDv7.
    pub id: String,
    /// kdProvider.
    pub facility: String,
    /// At the facility.
    pub day: Date,
    /// Code of the poli.
    pub poli: String,
    /// For people.
    pub poli_name: String,
    /// Code of the doctor.
    pub doctor: i64,
    /// For people.
    pub doctor_name: String,
    /// `jampraktek`.
    pub hours: String,
    /// The SIM's own reference.
    pub reference: Option<String>,
    /// `angkaantrean`.
    pub number: i64,
    /// `nomorantrean`: prefix and number.
    pub label: String,
    /// Who made it.
    pub origin: Origin,
    /// What became of it.
    pub state: BookingState,
    /// Card, NIK, record number, phone, complaint, as given; `None` past the retention.
    pub person: Option<Private<Value>>,
    /// Why it was cancelled.
    pub reason: Option<Private<String>>,
    /// When it was made.
    pub booked_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a booking wants; all of it is checked for form already.
#[derive(Debug, Clone)]
pub struct BookAsk {
    /// UUIDv7 of the booking to be.
    pub id: String,
    /// kdProvider.
    pub facility: String,
    /// At the facility.
    pub day: Date,
    /// Code of the poli.
    pub poli: String,
    /// Code of the doctor; `None`: any (v1 bodies).
    pub doctor: Option<i64>,
    /// `jampraktek` without blanks; `None`: any.
    pub hours: Option<String>,
    /// 13 digits; `None` for a patient without one.
    pub card: Option<Private<String>>,
    /// The SIM's own reference, for repeats.
    pub reference: Option<String>,
    /// Who asks.
    pub origin: Origin,
    /// Kept sealed with the booking.
    pub person: Private<Value>,
    /// Whether the card must be one the SIM knows, or one whose registration waits.
    pub known_only: bool,
    /// The present, and what it is at the facility.
    pub now: Timestamp,
    /// [`BookAsk::now`] at the facility.
    pub local: DateTime,
}

/// Why a number is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoNumber {
    /// The facility has no such poli.
    PoliUnknown,
    /// The poli has no session on that day, or has not opened.
    Closed,
    /// No number is given any more today: name of the poli, closing time.
    ClosedAt(String, Time),
    /// The doctor has no session in that poli on that day.
    DoctorUnknown,
    /// The doctor has, at other hours.
    HoursUnknown,
    /// The quota is used up.
    Full,
    /// The SIM does not know the card.
    PatientUnknown,
    /// The SIM refused to register the patient; its reason.
    PatientRefused(Private<String>),
    /// The day has passed.
    Past,
}

/// What a booking became.
#[derive(Debug, Clone, PartialEq)]
pub enum Booked {
    /// A number, with its queue behind it: how many are before it, which was called last.
    New(Box<Place>),
    /// The card has a number in this poli on this day, or the reference was used.
    Repeat(Box<Place>),
    /// None.
    Refused(NoNumber),
}

/// A booking's place in its queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The booking.
    pub booking: Booking,
    /// How many wait before it; 0 once it was called.
    pub ahead: i64,
    /// The number called last.
    pub called: Option<String>,
    /// The session's sentence for the patient.
    pub remark: String,
}

/// What a cancellation by card became.
#[derive(Debug, Clone, PartialEq)]
pub enum Withdrawn {
    /// Done.
    Done(Box<Booking>),
    /// There is none.
    None,
    /// It was cancelled before.
    Already,
    /// Its state does not allow it.
    Not(BookingState),
}

/// What a change of a booking's state became.
#[derive(Debug, Clone, PartialEq)]
pub enum Moved {
    /// Done (or it was so already).
    Done(Box<Booking>),
    /// There is none.
    None,
    /// From this state it cannot.
    Not(BookingState),
}

/// A booking's state is to change: the SIM says so.
#[derive(Debug, Clone)]
pub struct MoveAsk {
    /// Which.
    pub id: String,
    /// To what.
    pub to: BookingState,
    /// Why, for a cancellation.
    pub reason: Option<Private<String>>,
    /// When.
    pub now: Timestamp,
}

/// A number is called.
#[derive(Debug, Clone)]
pub struct CallAsk {
    /// kdProvider.
    pub facility: String,
    /// At the facility.
    pub day: Date,
    /// Code of the poli.
    pub poli: String,
    /// Which doctor and hours, where the number alone does not tell.
    pub doctor: Option<i64>,
    /// `jampraktek` without blanks.
    pub hours: Option<String>,
    /// `nomorantrean`.
    pub label: String,
    /// When.
    pub now: Timestamp,
}

/// What a call became.
#[derive(Debug, Clone, PartialEq)]
pub enum CallDone {
    /// The queue shows it; with the booking, if the number is one of ours.
    Done(Option<Box<Booking>>),
    /// Neither booking nor session tells which queue.
    NoQueue,
    /// The booking's state does not allow it.
    Not(BookingState),
}

/// Which bookings.
#[derive(Debug, Clone, Default)]
pub struct BookingFilter {
    /// Empty: all.
    pub facilities: Vec<String>,
    /// Days, inclusive.
    pub days: Option<(Date, Date)>,
    /// Code of the poli.
    pub poli: Option<String>,
    /// State.
    pub state: Option<BookingState>,
    /// Behind this [`Booking::seq`].
    pub after: Option<i64>,
    /// At most.
    pub limit: usize,
}

/// A new patient's registration.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Order of acceptance.
    pub seq: i64,
    /// UUIDv7.
    pub id: String,
    /// kdProvider.
    pub facility: String,
    /// What became of it.
    pub state: RegistrationState,
    /// What Mobile JKN sent; `None` past the retention.
    pub body: Option<Private<Value>>,
    /// The record number given, or why not.
    pub answer: Option<Private<String>>,
    /// When it came.
    pub asked_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A registration to be kept.
#[derive(Debug, Clone)]
pub struct NewRegistration {
    /// UUIDv7.
    pub id: String,
    /// kdProvider.
    pub facility: String,
    /// 13 digits.
    pub card: Private<String>,
    /// As sent.
    pub body: Private<Value>,
    /// When.
    pub now: Timestamp,
}

/// A card with its record number; `None`: the card is to be forgotten.
pub type KnownPatient = (Private<String>, Option<Private<String>>);

/// What a registration became.
#[derive(Debug, Clone, PartialEq)]
pub enum Registered {
    /// Kept for the SIM.
    New,
    /// One of this card waits already; its content was replaced.
    Again,
    /// The SIM knows the card.
    Known,
}

/// What the whole feed is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedKinds {
    /// Deliveries that became final.
    pub deliveries: bool,
    /// Bookings and registrations.
    pub antrean: bool,
}

/// A row of the whole feed.
#[derive(Debug, Clone)]
pub struct FeedRow {
    /// Where in the feed: the same cursors as [`super::Change`].
    pub cursor: i64,
    /// When.
    pub at: Timestamp,
    /// As it stands now.
    pub what: FeedItem,
}

/// What changed.
#[derive(Debug, Clone)]
pub enum FeedItem {
    /// A delivery.
    Delivery(Box<Delivery>),
    /// A booking.
    Booking(Box<Booking>),
    /// A registration.
    Registration(Box<Registration>),
}

/// Bookings of one facility and day by state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingCount {
    /// kdProvider.
    pub facility: String,
    /// State.
    pub state: BookingState,
    /// How many.
    pub count: i64,
}

/// The port to the queue's rows. Every method is one transaction.
#[async_trait]
pub trait AntreanStore: Send + Sync {
    /// Makes `sessions` the schedule of these days: what is not among them goes, numbers called stay. Returns how many
    /// bookings that are not cancelled are left without a session.
    async fn set_sessions(&self, facility: &str, days: Vec<Date>, sessions: Vec<Session>) -> Result<i64, StoreError>;

    /// The queues of these days, by day, poli, hours and doctor.
    async fn queues(&self, facility: &str, poli: Option<&str>, from: Date, to: Date) -> Result<Vec<Queue>, StoreError>;

    /// Whether the facility ever had a session of this poli.
    async fn poli_known(&self, facility: &str, poli: &str) -> Result<bool, StoreError>;

    /// Gives a number, or says why not.
    async fn book(&self, ask: BookAsk) -> Result<Booked, StoreError>;

    /// The place of a card in a poli's queue on a day; a cancelled booking has none.
    async fn place(
        &self,
        facility: &str,
        card: Private<String>,
        poli: &str,
        day: Date,
    ) -> Result<Option<Place>, StoreError>;

    /// Cancels the booking of a card in a poli on a day: the patient asks.
    async fn withdraw(
        &self,
        facility: &str,
        card: Private<String>,
        poli: &str,
        day: Date,
        reason: Option<Private<String>>,
        now: Timestamp,
    ) -> Result<Withdrawn, StoreError>;

    /// Changes a booking's state: the SIM says so.
    async fn move_booking(&self, ask: MoveAsk) -> Result<Moved, StoreError>;

    /// Calls a number.
    async fn call_number(&self, ask: CallAsk) -> Result<CallDone, StoreError>;

    /// One booking.
    async fn booking(&self, id: &str) -> Result<Option<Booking>, StoreError>;

    /// Bookings in order of acceptance.
    async fn bookings(&self, filter: BookingFilter) -> Result<Page<Booking>, StoreError>;

    /// Remembers record numbers by card; `None` forgets the card.
    async fn put_patients(&self, facility: &str, patients: Vec<KnownPatient>) -> Result<(), StoreError>;

    /// Keeps a new patient's registration for the SIM.
    async fn register(&self, new: NewRegistration) -> Result<Registered, StoreError>;

    /// The SIM's answer: `Ok` with the record number makes the card known, `Err` says why not. `None` if there is no
    /// such registration, or nothing of it is left.
    async fn answer_registration(
        &self,
        id: &str,
        answer: Result<Private<String>, Private<String>>,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreError>;

    /// One registration.
    async fn registration(&self, id: &str) -> Result<Option<Registration>, StoreError>;

    /// Registrations in order of acceptance.
    async fn registrations(
        &self,
        facilities: &[String],
        state: Option<RegistrationState>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<Registration>, StoreError>;

    /// What changed after `cursor` of all these kinds together, oldest first. One question, so that no row that is
    /// committed meanwhile slips in behind a later one of another kind.
    async fn feed(
        &self,
        facilities: &[String],
        kinds: FeedKinds,
        cursor: i64,
        limit: usize,
    ) -> Result<Vec<FeedRow>, StoreError>;

    /// Bookings of these facilities and days by state.
    async fn booking_counts(&self, days: Vec<(String, Date)>) -> Result<Vec<BookingCount>, StoreError>;

    /// Destroys what is known of persons in bookings for days before `before` and in registrations untouched since,
    /// at most `limit` of each; numbers and states stay. Returns how many.
    async fn retire_antrean(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}
