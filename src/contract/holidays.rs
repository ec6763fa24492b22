//! National holidays and joint leave, as data (`hari-libur.toml`).
//!
//! Job: read the yearly decree's days. Invariants: a day belongs to its year's table; nothing is guessed for a year that
//! is missing ([`Holidays::knows`] says so). Neighbours: `calendar` asks. What it does not do: regional holidays unless
//! they stand in the file.

use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;

use super::read::{ProfileError, ProfileFault, read_text, single};

/// The days of all years known.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holidays {
    /// One table a year.
    pub year: Vec<HolidayYear>,
}

/// One year.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolidayYear {
    /// Which.
    pub year: i16,
    /// The decree.
    pub decree: String,
    /// Its days.
    pub day: Vec<Holiday>,
}

/// One day.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Which.
    pub date: Date,
    /// Its name in Indonesian.
    pub name: String,
    /// National holiday or joint leave.
    pub kind: HolidayKind,
    /// `false` where the source was not checked against the decree itself.
    #[serde(default = "yes")]
    pub certain: bool,
}

/// What kind of free day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolidayKind {
    /// Hari libur nasional.
    National,
    /// Cuti bersama.
    JointLeave,
}

const fn yes() -> bool {
    true
}

impl Holidays {
    /// Name of the file beside the profile.
    pub const FILE: &'static str = "hari-libur.toml";

    /// Reads the file beside `profile` if there is one, else the copy inside the binary.
    ///
    /// # Errors
    /// It cannot be read, or a day stands in the wrong year.
    pub fn beside(profile: &Path) -> Result<Self, ProfileError> {
        let path = profile.with_file_name(Self::FILE);
        if path.exists() { Self::parse(&path, &read_text(&path)?) } else { Self::shipped() }
    }

    /// The copy inside the binary.
    ///
    /// # Errors
    /// A defect that the tests of this module exclude.
    pub fn shipped() -> Result<Self, ProfileError> {
        Self::parse(Path::new("config/contracts/hari-libur.toml"), super::HOLIDAYS)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// As [`Holidays::beside`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ProfileError> {
        let read: Self =
            toml::from_str(text).map_err(|error| single(path, "", ProfileFault::Syntax(error.to_string())))?;
        for year in &read.year {
            if let Some(stray) = year.day.iter().find(|day| day.date.year() != year.year) {
                return Err(single(path, &format!("year[{}].day[{}]", year.year, stray.date), ProfileFault::Date));
            }
        }
        Ok(read)
    }

    /// What is free on a day.
    pub fn on(&self, date: Date) -> impl Iterator<Item = &Holiday> {
        let years = self.year.iter().filter(move |year| year.year == date.year());
        years.flat_map(|year| &year.day).filter(move |day| day.date == date)
    }

    /// How many days of a year nobody compared with the decree.
    #[must_use]
    pub fn uncertain(&self, year: i16) -> usize {
        let days = self.year.iter().filter(|own| own.year == year).flat_map(|own| &own.day);
        days.filter(|day| !day.certain).count()
    }

    /// Whether the year's decree is in the file; without it only weekdays count, and a warning is due.
    #[must_use]
    pub fn knows(&self, year: i16) -> bool {
        self.year.iter().any(|own| own.year == year)
    }
}
