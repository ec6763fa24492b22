//! Days and instants of an entry.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::catalogue::Operation;

/// How far ahead an `occurred_at` may lie: clocks of SIM computers are wrong, but not by more than a day.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// What an `occurred_at` is worth at `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// It lies in the past.
    No,
    /// It lies ahead, but within [`AHEAD_MAX`]: accepted with a warning.
    Little,
    /// It lies further ahead: refused.
    TooFar,
}

/// Judges an `occurred_at`.
#[must_use]
pub fn ahead(occurred_at: Timestamp, now: Timestamp) -> Ahead {
    let by = occurred_at.duration_since(now);
    if by > AHEAD_MAX {
        Ahead::TooFar
    } else if by.is_positive() {
        Ahead::Little
    } else {
        Ahead::No
    }
}

/// The day that the payload itself names.
#[must_use]
pub fn payload_date(operation: &Operation, payload: &Value) -> Option<Date> {
    operation.day_in(payload, operation.date_field.as_ref()?)
}

/// Not before this instant: now, or the start of the entry's day at BPJS where that day lies ahead (promise 9).
#[must_use]
pub fn due_at(payload_date: Option<Date>, now: Timestamp, bpjs: &TimeZone) -> Timestamp {
    let today = now.to_zoned(bpjs.clone()).date();
    let start = payload_date.filter(|date| *date > today).and_then(|date| date.to_zoned(bpjs.clone()).ok());
    start.map_or(now, |start| start.timestamp())
}
