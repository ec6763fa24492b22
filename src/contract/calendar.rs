//! Zones, days, working days: where a day ends at the facility, and which day counts.
//!
//! Job: instants from civil days, and working days from weekdays and [`Holidays`]. Pure. What it does not do: know any
//! holiday by itself.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::holidays::{HolidayKind, Holidays};
use super::profile::Day;

/// Which days count as working days under an agreement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkingDays {
    /// These weekdays.
    pub days: Vec<Day>,
    /// Whether joint leave (cuti bersama) is free, as national holidays are.
    pub joint_leave: bool,
    /// Where that is known from.
    pub clause: String,
}

impl WorkingDays {
    /// Why `day` is no working day, in Indonesian; `None` if it is one.
    #[must_use]
    pub fn free<'a>(&self, day: Date, holidays: &'a Holidays) -> Option<&'a str> {
        let holiday = holidays.on(day).find(|holiday| self.counts(holiday.kind));
        let named = holiday.map(|holiday| holiday.name.as_str());
        named.or_else(|| (!self.days.contains(&Day::of(day.weekday()))).then_some("bukan hari kerja"))
    }

    /// `day` itself, or the next working day after it.
    #[must_use]
    pub fn on_or_after(&self, mut day: Date, holidays: &Holidays) -> Date {
        // No span of holidays is longer; a calendar without any working day must not hang.
        for _day in 0..60 {
            if self.free(day, holidays).is_none() {
                break;
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        day
    }

    /// Days from `first` to `last` that are free only because of holidays that nobody compared with the decree yet.
    #[must_use]
    pub fn uncertain(&self, first: Date, last: Date, holidays: &Holidays) -> Vec<Date> {
        let doubtful = |day: &Date| {
            let mut counted = holidays.on(*day).filter(|holiday| self.counts(holiday.kind)).peekable();
            let works = self.days.contains(&Day::of(day.weekday()));
            works && counted.peek().is_some() && counted.all(|holiday| !holiday.certain)
        };
        first.series(1.day()).take_while(|day| *day <= last).filter(doubtful).collect()
    }

    const fn counts(&self, kind: HolidayKind) -> bool {
        match kind {
            HolidayKind::National => true,
            HolidayKind::JointLeave => self.joint_leave,
        }
    }

    /// The `count`-th working day after `day` (which itself does not count).
    #[must_use]
    pub fn after(&self, mut day: Date, count: u16, holidays: &Holidays) -> Date {
        for _day in 0..count {
            let Ok(next) = day.tomorrow() else { break };
            day = self.on_or_after(next, holidays);
        }
        day
    }
}

/// Says, in Indonesian, that a date rests on holidays nobody compared with the decree; `None` if it does not.
#[must_use]
pub fn uncertain_words(days: &[Date]) -> Option<String> {
    let days: Vec<String> = days.iter().map(Date::to_string).collect();
    let file = Holidays::FILE;
    (!days.is_empty()).then(|| {
        format!(
            "bergantung pada hari libur yang belum dicocokkan dengan SKB: {} (certain = false, {file})",
            days.join(", ")
        )
    })
}

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

/// The same day `months` earlier; where that month is shorter, its last day.
pub(super) fn months_earlier(day: Date, months: u16) -> Option<Date> {
    day.checked_sub(i32::from(months).months()).ok()
}

/// Day `day` of the month of `any`, or its last day where the month is shorter.
pub(super) fn day_of_month(any: Date, day: u8) -> Option<Date> {
    let wanted = i8::try_from(day).ok()?.clamp(1, any.days_in_month());
    Date::new(any.year(), any.month(), wanted).ok()
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

const MONTHS: [&str; 12] = [
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
];

/// The month of a day as people write it, in Indonesian.
#[must_use]
pub fn month_name(date: Date) -> &'static str {
    usize::try_from(date.month() - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or("")
}
