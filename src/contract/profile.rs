//! A contract profile: one agreement with its term, its service hours and its rules.

use std::path::Path;
use std::time::Duration;

use jiff::civil::{Date, Time, Weekday};
use jiff::{SignedDuration, Timestamp};

use super::area::OutOfArea;
use super::calendar::{WorkingDays, end_of_day, months_later, start_of_day};
use super::money::Money;
use super::read::{self, ProfileError};
use super::{Deadline, ServiceTime};
use crate::words::words;

/// One agreement as data.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// Its name, e.g. `bontang-2024`.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// Number of the document.
    pub number: String,
    /// First day of its term.
    pub from: Date,
    /// Last day of its term; it still applies afterwards, with a warning, until it is replaced.
    pub to: Date,
    /// When services are given.
    pub hours: Vec<ServiceHours>,
    /// Which days count as working days.
    pub working: WorkingDays,
    /// Its rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// Its figures in rupiah: tariffs, KBK, capitation, penalty.
    pub money: Money,
    /// How visits of participants from elsewhere are counted.
    pub area: Option<OutOfArea>,
}

/// Service hours of some weekdays, in the facility's zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceHours {
    /// On these days.
    pub days: Vec<Day>,
    /// Opening.
    pub from: Time,
    /// Closing.
    pub to: Time,
    /// Where the agreement says so.
    pub clause: String,
}

words! {
    /// A weekday in a profile.
    Day {
        /// Monday.
        Mon = "mon",
        /// Tuesday.
        Tue = "tue",
        /// Wednesday.
        Wed = "wed",
        /// Thursday.
        Thu = "thu",
        /// Friday.
        Fri = "fri",
        /// Saturday.
        Sat = "sat",
        /// Sunday.
        Sun = "sun",
    }
}

/// One rule with its clause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Stable name, e.g. `entry.immediate`.
    pub id: String,
    /// Where the agreement says so.
    pub clause: String,
    /// What it says, in Indonesian.
    pub text: String,
    /// What kind of rule it is, with its figures.
    pub kind: RuleKind,
    /// Days before its date from which it is reminded of; only a rule that has this stands in the obligations calendar.
    pub remind: Option<u16>,
    /// Whose duty it is: once for the agreement, or once for each facility.
    pub each: Each,
    /// Rules of one group speak of the same duty with different figures: all are shown, the strictest reminds.
    pub group: Option<String>,
}

words! {
    /// Whose duty a rule is.
    Each {
        /// Once for the agreement.
        Contract = "contract",
        /// Once for every facility.
        Facility = "facility",
    }
}

/// Kinds of rules. Only [`RuleKind::Entry`] dates deliveries; the others are data for the obligations calendar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RuleKind {
    /// Dates an entry.
    Entry {
        /// So long before `late` somebody is warned.
        warn: Option<Duration>,
        /// The monthly rule by which what was entered is counted or filed, e.g. `claim.submit`.
        month: Option<String>,
        /// What moves `late` and `last`, where a clause says so.
        moves: Vec<Moves>,
        /// When it should be there.
        target: Option<Offset>,
        /// From when it is late.
        late: Option<Offset>,
        /// After this it can never be filed.
        last: Option<Offset>,
    },
    /// A day of the month after.
    Monthly {
        /// Day of the month, 1 to 31 (31: its last day).
        day: u8,
        /// 0: of the month itself, 1: of the next one.
        months_after: u8,
        /// What a holiday does.
        shift: Shift,
    },
    /// A span after an event that a person records.
    Within {
        /// How many.
        count: u16,
        /// Of what.
        unit: Unit,
        /// After (or before) what, in Indonesian.
        after: String,
        /// The event that sets it going, if the bridge knows or is told of it.
        trigger: Option<Trigger>,
        /// Counted backwards from the event.
        before: bool,
    },
    /// A day of every year.
    Yearly {
        /// 1 to 12.
        month: u8,
        /// Day of the month, 1 to 31 (31: its last day).
        day: u8,
    },
    /// So many in a span.
    Limit {
        /// At most this many.
        count: u16,
        /// In one of these.
        per: Unit,
    },
    /// A duty without a figure.
    Duty,
}

/// A clause that moves the dates of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moves {
    /// What moves them.
    pub by: Trigger,
    /// Where the agreement says so.
    pub clause: String,
}

words! {
    /// Events from which dates are reckoned.
    Trigger {
        /// The last day of the agreement's term.
        ContractEnd = "contract_end",
        /// The P-Care password was put into the vault.
        PcarePassword = "pcare_password",
        /// A TLS certificate of ours runs out.
        TlsCertificate = "tls_certificate",
        /// The Lembar Komitmen of the integration was signed.
        Commitment = "commitment",
        /// The vendor of the SIM changes.
        VendorChange = "vendor_change",
        /// One side changes something that may disturb the exchange.
        SystemChange = "system_change",
        /// The PIC goes on leave.
        PicLeave = "pic_leave",
        /// The PIC is transferred.
        PicTransfer = "pic_transfer",
        /// A holder of an account leaves, or the entry clerk changes.
        Leaver = "leaver",
        /// Force majeure began.
        ForceMajeure = "force_majeure",
        /// An announced maintenance began.
        Maintenance = "maintenance",
        /// Feedback of the verification arrived.
        Feedback = "feedback",
        /// A claim's file is complete.
        ClaimComplete = "claim_complete",
        /// A Prolanis group met.
        ProlanisActivity = "prolanis_activity",
        /// A written warning arrived.
        Warning = "warning",
        /// A letter was dispatched.
        NoticeSent = "notice_sent",
        /// A handover of hospital claims was signed.
        Handover = "handover",
    }
}

impl Trigger {
    /// Whether a person records it; the others the bridge knows by itself.
    #[must_use]
    pub const fn is_recorded(self) -> bool {
        !matches!(self, Self::ContractEnd | Self::PcarePassword | Self::TlsCertificate)
    }
}

words! {
    /// What a date that falls on a holiday does.
    Shift {
        /// Stays.
        None = "none",
        /// Moves to the next working day.
        NextWorkingDay = "next_working_day",
    }
}

words! {
    /// A span of the calendar.
    Unit {
        /// Hour.
        Hour = "hour",
        /// Calendar day.
        Day = "day",
        /// Working day.
        WorkingDay = "working_day",
        /// Month.
        Month = "month",
        /// Year.
        Year = "year",
    }
}

/// An instant reckoned from a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offset {
    /// `"15m after service"`: so long after the service itself.
    After(Duration),
    /// `"end of service day"`: the last millisecond of the calendar day of service in the facility's zone.
    EndOfDay,
    /// `"6 months after service day"`: the end of that day, so many months later.
    Months(u16),
}

impl Profile {
    /// Reads a profile from a file.
    ///
    /// # Errors
    /// All mistakes together, in Indonesian and English.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        read::load(path)
    }

    /// As [`Profile::load`], but where the shipped profile is named and not (yet) on disk, the one inside the binary.
    ///
    /// # Errors
    /// As [`Profile::load`].
    pub fn load_or_shipped(path: &Path) -> Result<Self, ProfileError> {
        read::load_or_shipped(path)
    }

    /// Whether a path names a profile that the binary carries.
    #[must_use]
    pub fn is_shipped(path: &Path) -> bool {
        super::shipped(path).is_some()
    }

    /// The profile of Bontang 2024 as shipped inside the binary.
    ///
    /// # Errors
    /// Its mistakes: a defect that the tests of this module exclude.
    pub fn shipped_bontang() -> Result<Self, ProfileError> {
        let name = "config/contracts/bontang-2024.toml";
        read::parse(Path::new(name), super::BONTANG)
    }

    /// The rule of that name.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Dates of an entry of `service` under `rule`; without dates if the profile has no such rule, or it dates no entry.
    #[must_use]
    pub fn deadline(&self, rule: &str, service: &ServiceTime) -> Deadline {
        let undated = Deadline { rule: rule.to_owned(), ..Deadline::default() };
        match self.rule(rule).map(|rule| &rule.kind) {
            Some(RuleKind::Entry { target, late, last, .. }) => {
                let at = |offset: &Option<Offset>| offset.and_then(|offset| offset.instant(service));
                let last = at(last);
                let late = no_later_than(at(late), last);
                Deadline { target: no_later_than(at(target), late.or(last)), late, last, ..undated }
            }
            Some(
                RuleKind::Monthly { .. }
                | RuleKind::Within { .. }
                | RuleKind::Yearly { .. }
                | RuleKind::Limit { .. }
                | RuleKind::Duty,
            )
            | None => undated,
        }
    }

    /// Whether `date` lies after the term.
    #[must_use]
    pub fn is_past_term(&self, date: Date) -> bool {
        date > self.to
    }

    /// The service hours of a day, if services are given on it.
    #[must_use]
    pub fn hours_of(&self, date: Date) -> Option<&ServiceHours> {
        let day = Day::of(date.weekday());
        self.hours.iter().find(|hours| hours.days.contains(&day))
    }
}

impl Day {
    /// The word of a weekday.
    #[must_use]
    pub const fn of(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

impl Offset {
    fn instant(self, service: &ServiceTime) -> Option<Timestamp> {
        match self {
            Self::After(span) => begins(service)?.checked_add(SignedDuration::try_from(span).ok()?).ok(),
            Self::EndOfDay => end_of_day(service.service_date, &service.zone),
            Self::Months(months) => end_of_day(months_later(service.service_date, months)?, &service.zone),
        }
    }
}

/// The instant of the service. Without `occurred_at` it is the acceptance, moved into the day of service: who hands in
/// yesterday's entry is past its target, and who hands in tomorrow's has until tomorrow.
fn begins(service: &ServiceTime) -> Option<Timestamp> {
    let first = start_of_day(service.service_date, &service.zone)?;
    let last = end_of_day(service.service_date, &service.zone)?;
    Some(service.occurred_at.unwrap_or_else(|| service.accepted_at.clamp(first, last)))
}

fn no_later_than(date: Option<Timestamp>, bound: Option<Timestamp>) -> Option<Timestamp> {
    match (date, bound) {
        (Some(date), Some(bound)) => Some(date.min(bound)),
        (date, _) => date,
    }
}
