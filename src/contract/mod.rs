//! What the agreement with BPJS demands, as data and pure functions.
//!
//! Job: the dates of a delivery from its rule and its service time. Pure: the present is an argument. Invariants: no
//! figure of the agreement stands in code; every rule carries its clause; target ≤ late ≤ last. Neighbours: `intake`
//! asks for dates, `queue` carries them, `status` shows them. What it does not do: send, store, remind, working days and
//! holidays (the rules that need them are read and kept, but not reckoned yet).

mod calendar;
mod figures;
mod profile;
mod read;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use calendar::zone_label;
pub use figures::{Band, Figures, Indicator, Kbk, Penalty};
pub use profile::{Day, Offset, Profile, Rule, RuleKind, ServiceHours, Shift, Unit};
pub use read::{ProfileError, ProfileFault, ProfileProblem};

/// The profile of Bontang 2024 as text, as it is shipped under `config/contracts/`.
pub const BONTANG: &str = include_str!("../../config/contracts/bontang-2024.toml");

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

/// When a service happened, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceTime {
    /// The instant, if the SIM said so.
    pub occurred_at: Option<Timestamp>,
    /// The day of service at the facility.
    pub service_date: Date,
    /// When the entry was accepted: stands in for the instant where none was given.
    pub accepted_at: Timestamp,
    /// The facility's own zone.
    pub zone: TimeZone,
}

#[cfg(test)]
mod tests;
