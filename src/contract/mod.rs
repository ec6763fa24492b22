//! What the agreement with BPJS demands, as data and pure functions.
//!
//! Job: the dates of a delivery from its rule and its service time. Pure: the present is an argument. Invariants: no
//! figure of the agreement stands in code; every rule carries its clause. Neighbours: `intake` asks for dates, `queue`
//! carries them. What it does not do: send, store, remind.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The dates of a delivery under the contract.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Deadline {
    /// Rule of the contract profile, e.g. `entry.immediate`.
    pub rule: String,
    /// When it should be there.
    pub target: Option<Timestamp>,
    /// From when it counts as late.
    pub late: Option<Timestamp>,
    /// After this instant it can no longer be filed at all.
    pub last: Option<Timestamp>,
}

/// What the dates of an entry are counted from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceTime {
    /// When the service happened, if the SIM said so.
    pub occurred_at: Option<Timestamp>,
    /// Day of service at the facility.
    pub service_date: Date,
    /// When the bridge accepted the entry.
    pub accepted_at: Timestamp,
    /// The facility's zone.
    pub zone: TimeZone,
}
