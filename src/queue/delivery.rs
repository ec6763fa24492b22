//! A delivery: the obligation to get one entry to one remote operation, in order, by a deadline.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::gate::Turn;
use crate::catalogue::{RemoteIds, Who};
use crate::contract::Deadline;
use crate::secret::Private;
use crate::words::words;

macro_rules! id {
    ($(#[$doc:meta] $name:ident;)*) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A time-ordered id (UUIDv7) from the instant and ten bytes of chance.
            #[must_use]
            pub fn new(at: Timestamp, chance: &[u8; 10]) -> Self {
                let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, chance).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

id! {
    /// Names a delivery.
    DeliveryId;
    /// Names a submission.
    SubmissionId;
    /// Names one run of the process: a verdict *absent* is believed only in the run that reached it.
    BootId;
}

impl BootId {
    /// When the run began, to the millisecond: the id is ordered by it.
    #[must_use]
    pub fn begun(self) -> Timestamp {
        let (seconds, nanos) = self.0.get_timestamp().map_or((0, 0), |at| at.to_unix());
        let (seconds, nanos) = (i64::try_from(seconds).unwrap_or(0), i32::try_from(nanos).unwrap_or(0));
        Timestamp::new(seconds, nanos).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

words! {
    /// Where a delivery stands (`docs/queue.md` draws the moves).
    State {
        /// Ready, or waiting for its time, a prerequisite, its lane or the circuit.
        Waiting = "waiting",
        /// Leased by a worker; the intention is on disk.
        Sending = "sending",
        /// BPJS has it.
        Delivered = "delivered",
        /// Sent, outcome unknown: looked up before anything else happens.
        Unanswered = "unanswered",
        /// BPJS said no for good.
        Refused = "refused",
        /// Needs a person.
        Held = "held",
        /// The contract's last date has passed.
        Expired = "expired",
        /// Withdrawn before it was sent.
        Cancelled = "cancelled",
    }
}

impl State {
    /// Final means every state except `waiting`, `sending`, `unanswered`.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Waiting | Self::Sending | Self::Unanswered => false,
            Self::Delivered | Self::Refused | Self::Held | Self::Expired | Self::Cancelled => true,
        }
    }
}

words! {
    /// How BPJS came to have a delivered entry.
    How {
        /// BPJS answered our own request with success.
        Accepted = "accepted",
        /// It was there before we sent anything of unknown outcome.
        AlreadyThere = "already_there",
        /// Found by a look-up after an attempt of unknown outcome, by reconciliation or by a person.
        Adopted = "adopted",
    }
}

words! {
    /// Why a delivery is held.
    HeldCode {
        /// A look-up could not tell whether BPJS has it.
        Ambiguous = "ambiguous",
        /// Something it comes after was refused, expired, cancelled or is itself held for that reason.
        Prerequisite = "prerequisite",
        /// A person asked for it.
        Operator = "operator",
        /// An entry of the network waits for the puskesmas.
        Approval = "approval",
        /// The same fault five times while others pass.
        ReproducibleFault = "reproducible_fault",
        /// The process died three times while it worked on it ([`super::crash`]).
        Crashed = "crashed",
        /// Its payload on disk cannot be opened.
        Unreadable = "unreadable",
    }
}

words! {
    /// Why the next step of a delivery is a look-up.
    Question {
        /// Our own attempt ended without an answer.
        OwnAttempt = "own_attempt",
        /// BPJS says that it has it already.
        Duplicate = "duplicate",
        /// Its prerequisite was not made by us, so its own existence is unknown.
        AdoptedParent = "adopted_parent",
        /// A person or a restored store asks to look before sending.
        Operator = "operator",
    }
}

words! {
    /// What a claimed delivery is claimed for.
    Purpose {
        /// Send it to BPJS.
        Send = "send",
        /// Look it up at BPJS.
        LookUp = "look_up",
    }
}

words! {
    /// What a waiting delivery waits for.
    BlockedKind {
        /// Another delivery that it comes after.
        Prerequisite = "prerequisite",
        /// An earlier unfinished entry of the same patient.
        Order = "order",
        /// Its facility (or all sending) is paused.
        Lane = "lane",
        /// BPJS cannot be reached.
        Circuit = "circuit",
        /// BPJS refuses the credentials.
        Credentials = "credentials",
        /// The next try lies in the future.
        Time = "time",
    }
}

/// What stands in the way of a waiting delivery, as stored: only the two kinds that rows decide. Lane, circuit,
/// credentials and time are derived when somebody asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocked {
    /// `Prerequisite` or `Order`.
    pub kind: BlockedKind,
    /// The delivery waited for.
    pub id: DeliveryId,
}

/// The mark of promise 1: some attempt ended without our knowing its outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Doubt {
    /// Whether an attempt of unknown outcome was ever made and not yet cleared by *delivered*.
    pub marked: bool,
    /// Why a look-up comes next.
    pub question: Option<Question>,
    /// When the last attempt of unknown outcome ended: settle counts from here.
    pub since: Option<Timestamp>,
    /// How many look-ups of this run said *absent*.
    pub absent: u8,
    /// When the last of them began.
    pub absent_begun: Option<Timestamp>,
    /// The run of the process that reached the verdict.
    pub absent_boot: Option<BootId>,
}

/// Who holds a delivery and until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Fences the holder: a later holder has another token.
    pub token: i64,
    /// When the holder is taken for dead.
    pub until: Timestamp,
    /// What the holder does.
    pub purpose: Purpose,
}

/// Why a delivery is where it is, in BPJS's words and in ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// A stable code: a held code, or the name of a catalogue rule.
    pub code: String,
    /// BPJS's words, word for word (may name a patient).
    pub message: Private<String>,
    /// What it means, in Indonesian.
    pub meaning: String,
    /// Who must act.
    pub who: Who,
    /// What to do next, in Indonesian.
    pub next: String,
}

/// The part of a delivery that events change; the rest never changes after acceptance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Where it stands.
    pub state: State,
    /// How BPJS came to have it; only when delivered.
    pub how: Option<How>,
    /// Rises with every change: the condition of the UPDATE.
    pub revision: i64,
    /// Not before this instant.
    pub due_at: Timestamp,
    /// Rows in the way.
    pub blocked: Option<Blocked>,
    /// Whether BPJS might have it without our knowing.
    pub doubt: Doubt,
    /// A person set it going again after its last date: it does not expire a second time.
    pub past_last: bool,
    /// Sends so far.
    pub attempts: u32,
    /// Look-ups that failed in a row (for the backoff).
    pub stumbles: u32,
    /// The same fault in a row, each time absent afterwards (promise 8).
    pub faults: u8,
    /// Which fault that was.
    pub fault: Option<String>,
    /// How often the process died (or the attempt panicked) while it worked on it, without a recorded end since.
    pub crashes: u8,
    /// Present while claimed.
    pub lease: Option<Lease>,
    /// Present when somebody should know why.
    pub why: Option<Why>,
    /// What BPJS assigned, and what was filled in from prerequisites.
    pub remote: Private<RemoteIds>,
    /// Last change.
    pub updated_at: Timestamp,
}

impl Progress {
    /// A freshly accepted delivery.
    #[must_use]
    pub fn accepted(now: Timestamp, due_at: Timestamp, blocked: Option<Blocked>) -> Self {
        Self {
            state: State::Waiting,
            how: None,
            revision: 0,
            due_at,
            blocked,
            doubt: Doubt::default(),
            past_last: false,
            attempts: 0,
            stumbles: 0,
            faults: 0,
            fault: None,
            crashes: 0,
            lease: None,
            why: None,
            remote: Private::new(RemoteIds::new()),
            updated_at: now,
        }
    }

    /// Whether a request of it is on its way or may have been taken: until that is known nothing else of its lane is
    /// sent, so that a look-up finds no row of a neighbour that nobody owns yet.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        self.lease.is_some() || matches!(self.state, State::Sending | State::Unanswered)
    }
}

words! {
    /// The SIM's own mark on an entry: never sent, kept for the books.
    Mark {
        /// Two-way contact at a distance, which the contract wants in a log book too (Lampiran I, II.5).
        Telekonsultasi = "telekonsultasi",
    }
}

/// One entry on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Order of acceptance, unique in the store.
    pub seq: i64,
    /// The submission it came with.
    pub submission: SubmissionId,
    /// The entry's own name in the submission.
    pub entry_ref: String,
    /// kdProvider of the facility.
    pub facility: String,
    /// Catalogue operation, e.g. `pcare.obat.add`.
    pub operation: String,
    /// Keyed hash of what it is ordered by (the patient, a visit, or itself).
    pub lane: Private<String>,
    /// When the service happened, if the SIM said so.
    pub occurred_at: Option<Timestamp>,
    /// Day of service at the facility.
    pub service_date: Option<Date>,
    /// The SIM's own mark.
    pub mark: Option<Mark>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its turn in its lane.
    pub turn: Turn,
    /// Its dates.
    pub deadline: Deadline,
    /// What changes.
    pub progress: Progress,
}

impl Delivery {
    /// Whether it is late at `now`: past its late date and not (or too late) at BPJS.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        let at = if self.progress.state == State::Delivered { self.progress.updated_at } else { now };
        self.progress.state != State::Cancelled && self.deadline.late.is_some_and(|late| at > late)
    }
}
