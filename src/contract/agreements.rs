//! The agreement in force and its successor, with the holidays they share.
//!
//! Job: which profile a day belongs to: a service on the last day of the old one is dated by the old one, from the
//! successor's first day on by the new one. What it does not do: reckon (`dates`, `obligation`).

use std::path::Path;

use jiff::civil::Date;

use super::holidays::Holidays;
use super::profile::{Profile, RuleKind};
use super::read::{ProfileError, ProfileFault, single};
use super::{Deadline, ServiceTime};

/// One profile, or two that follow each other.
#[derive(Clone, PartialEq, Debug)]
pub struct Contracts {
    current: Profile,
    next: Option<Profile>,
    holidays: Holidays,
}

impl Contracts {
    /// Reads profile, successor and holidays; shipped files need not be on disk.
    ///
    /// # Errors
    /// The mistakes of the first file that has any, or a successor that does not begin later.
    pub fn load(profile: &Path, next: Option<&Path>) -> Result<Self, ProfileError> {
        let current = Profile::load_or_shipped(profile)?;
        let following = next.map(Profile::load_or_shipped).transpose()?;
        if let (Some(path), Some(later)) = (next, &following)
            && later.from <= current.from
        {
            return Err(single(path, "from", ProfileFault::Successor));
        }
        Ok(Self { current, next: following, holidays: Holidays::beside(profile)? })
    }

    /// From parts that are there already.
    #[must_use]
    pub const fn new(current: Profile, next: Option<Profile>, holidays: Holidays) -> Self {
        Self { current, next, holidays }
    }

    /// The profile of today, with a clause that lets force majeure and announced maintenance move the dates of every entry.
    #[cfg(test)]
    pub(crate) fn moving(&self) -> Self {
        let mut profile = self.current.clone();
        for rule in &mut profile.rules {
            if let RuleKind::Entry { moves, .. } = &mut rule.kind {
                let by = [super::Trigger::ForceMajeure, super::Trigger::Maintenance];
                moves.extend(by.map(|by| super::Moves { by, clause: "uji".to_owned() }));
            }
        }
        Self { current: profile, next: None, holidays: self.holidays.clone() }
    }

    /// The profile of a day.
    #[must_use]
    pub fn of(&self, day: Date) -> &Profile {
        self.next.as_ref().filter(|next| day >= next.from).unwrap_or(&self.current)
    }

    /// Both profiles, oldest first.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        std::iter::once(&self.current).chain(&self.next)
    }

    /// National holidays and joint leave.
    #[must_use]
    pub const fn holidays(&self) -> &Holidays {
        &self.holidays
    }

    /// Dates of an entry of `service` under `rule` of its day's profile.
    #[must_use]
    pub fn deadline(&self, rule: &str, service: &ServiceTime) -> Deadline {
        self.of(service.service_date).deadline(rule, service)
    }

    /// Whether any clause moves the dates of an entry.
    #[must_use]
    pub fn move_dates(&self) -> bool {
        let mut rules = self.profiles().flat_map(|profile| &profile.rules);
        rules.any(|rule| matches!(&rule.kind, RuleKind::Entry { moves, .. } if !moves.is_empty()))
    }

    /// What somebody should know on `today`, in Indonesian: a profile past its term, a year without holidays.
    #[must_use]
    pub fn warnings(&self, today: Date) -> Vec<String> {
        let profile = self.of(today);
        let mut warnings = Vec::new();
        if profile.is_past_term(today) {
            warnings.push(format!(
                "perjanjian {} berakhir {}: masih dipakai sampai diganti ([contract] profile, next)",
                profile.id, profile.to
            ));
        }
        warnings.extend(self.holiday_warnings(today));
        warnings
    }

    /// What is not known for certain about the holidays of `today`'s year, and of the next one a month before it begins.
    #[must_use]
    pub fn holiday_warnings(&self, today: Date) -> Vec<String> {
        let mut warnings = Vec::new();
        // Dates of the coming month are reckoned already.
        let soon = super::calendar::months_later(today, 1).unwrap_or(today);
        let mut years = vec![today.year()];
        years.extend((soon.year() != today.year()).then(|| soon.year()));
        for year in &years {
            let count = self.holidays.uncertain(*year);
            if count > 0 {
                warnings.push(format!(
                    "{count} hari libur tahun {year} belum dicocokkan dengan SKB (certain = false): cocokkan {}, lalu hapus tandanya",
                    Holidays::FILE
                ));
            }
        }
        for year in years.into_iter().filter(|year| !self.holidays.knows(*year)) {
            warnings.push(format!(
                "hari libur tahun {year} tidak ada dalam {}: hanya akhir pekan yang dihitung",
                Holidays::FILE
            ));
        }
        warnings
    }
}
