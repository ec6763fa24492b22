//! What the agreement with BPJS demands, as data and pure functions.
//!
//! Job: the dates of a delivery from its rule and its service time ([`Contracts`]), the calendar of obligations
//! ([`obligations`]) and its iCalendar text ([`ics`]), the forecast of a backlog ([`forecast`]). Pure: the present is an
//! argument. Invariants: no figure of the agreement stands in code; every rule carries its clause; target ≤ late ≤ last.
//! Neighbours: `intake` asks for dates, `queue` carries them, `status` and `http` show them. What it does not do: send,
//! store, decide that a duty is done.

mod agreements;
mod area;
mod based;
mod calendar;
mod claiming;
mod dates;
pub mod figures;
pub mod forecast;
mod holidays;
pub mod ics;
mod known;
mod money;
mod obligation;
mod profile;
mod read;

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use agreements::Contracts;
pub use area::{AreaLimit, OutOfArea, Window};
pub use calendar::{WorkingDays, month_name, uncertain_words, zone_label};
pub use claiming::{Claims, Coded, Expected, GroupSize, Seen, Times};
pub use dates::{Circumstance, Dated, MonthlyDate, Moved};
pub use holidays::{Holiday, HolidayKind, HolidayYear, Holidays};
pub use known::{Calendar, Certificate, Certificates, CertificatesNow, Places};
pub use money::{Capitation, CapitationRate, Indicator, Kbk, Money, Payment, Penalty, Rating, Risk, Tariff};
pub use obligation::{Asked, Done, Event, Obligation, ObligationState, Place, obligations};
pub use profile::{Day, Each, Moves, Offset, Profile, Rule, RuleKind, ServiceHours, Shift, Trigger, Unit};
pub use read::{ProfileError, ProfileFault, ProfileProblem};

/// The profile of Bontang 2024 as text, as it is shipped under `config/contracts/`.
pub const BONTANG: &str = include_str!("../../config/contracts/bontang-2024.toml");

/// The national holidays and joint leave as shipped.
pub const HOLIDAYS: &str = include_str!("../../config/contracts/hari-libur.toml");

/// The profiles that the binary carries, by file name.
pub const SHIPPED: &[(&str, &str)] = &[
    ("bontang-2024.toml", BONTANG),
    ("empat-lawang-2020.toml", include_str!("../../config/contracts/empat-lawang-2020.toml")),
    ("pekalongan-2021.toml", include_str!("../../config/contracts/pekalongan-2021.toml")),
];

/// The shipped profile of a file's name.
fn shipped(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    SHIPPED.iter().find(|(own, _)| *own == name).map(|(_, text)| *text)
}

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
