//! Zones and days: where a day ends at the facility.
//!
//! Job: instants from civil days. Pure. What it does not do: working days and holidays.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// The last millisecond of `day` in `zone`; `None` only at the end of the calendar (year 9999).
pub(super) fn end_of_day(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let next = start_of_day(day.tomorrow().ok()?, zone)?;
    next.checked_sub(SignedDuration::from_millis(1)).ok()
}

/// The first instant of `day` in `zone`.
pub(super) fn start_of_day(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    day.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// The same day `months` later; where that month is shorter, its last day (31 August + 6 months is 28 or 29 February).
pub(super) fn months_later(day: Date, months: u16) -> Option<Date> {
    day.checked_add(i32::from(months).months()).ok()
}

/// WIB, WITA or WIT for Indonesia's zones, and plain words for any other.
#[must_use]
pub fn zone_label(zone: &TimeZone) -> &'static str {
    match zone.iana_name() {
        Some("Asia/Jakarta" | "Asia/Pontianak") => "WIB",
        Some("Asia/Makassar" | "Asia/Ujung_Pandang") => "WITA",
        Some("Asia/Jayapura") => "WIT",
        Some("UTC" | "Etc/UTC") => "UTC",
        Some(_) | None => "waktu setempat",
    }
}
