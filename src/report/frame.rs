//! What every document is made within: for whom, when, by whom, and how days and instants are written.
//!
//! Job: the facts, the footer and the signatures that documents share. Pure. What it does not do: read a clock.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::paper::{Cell, Fact, Signature};
use crate::contract::{month_name, zone_label};

/// The surroundings of a document.
#[derive(Debug, Clone)]
pub struct Frame {
    /// kdProvider.
    pub facility: String,
    /// Its name.
    pub facility_name: String,
    /// Its zone.
    pub zone: TimeZone,
    /// When the document is made.
    pub now: Timestamp,
    /// Who asked for it.
    pub actor: String,
    /// The last entry of the security log then: number and hash.
    pub checkpoint: Option<(i64, String)>,
}

/// Days, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First.
    pub from: Date,
    /// Last.
    pub to: Date,
}

/// `20 November 2026`.
#[must_use]
pub fn day(date: Date) -> String {
    format!("{} {} {}", date.day(), month_name(date), date.year())
}

impl Period {
    /// A month written `2026-11`; `None` if it is none.
    #[must_use]
    pub fn month(text: &str) -> Option<Self> {
        let from: Date = format!("{text}-01").parse().ok().filter(|_| text.len() == 7)?;
        Some(Self { from, to: from.last_of_month() })
    }

    /// Every day.
    pub fn days(self) -> impl Iterator<Item = Date> {
        self.from.series(1.day()).take_while(move |day| *day <= self.to)
    }

    /// Whether it holds the day.
    #[must_use]
    pub fn has(self, day: Date) -> bool {
        self.from <= day && day <= self.to
    }

    /// As people write it: a month by its name.
    #[must_use]
    pub fn words(self) -> String {
        if self.from == self.to {
            day(self.from)
        } else if self.from == self.from.first_of_month() && self.to == self.from.last_of_month() {
            format!("{} {}", month_name(self.from), self.from.year())
        } else {
            format!("{} sampai {}", day(self.from), day(self.to))
        }
    }
}

impl Frame {
    /// `20 November 2026 08.12 WITA`.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        format!("{} {:02}.{:02} {}", day(local.date()), local.hour(), local.minute(), zone_label(&self.zone))
    }

    /// The day at the facility.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// Facility and period.
    #[must_use]
    pub fn facts(&self, period: Period) -> Vec<Fact> {
        vec![
            Fact::new("Nama Faskes", Cell::text(self.facility_name.clone())),
            Fact::new("Kode Faskes", Cell::text(self.facility.clone())),
            Fact::new("Periode", Cell::text(period.words())),
        ]
    }

    /// Who made it when, and the journal's checkpoint.
    #[must_use]
    pub fn footer(&self) -> Vec<String> {
        let made = format!("Dibuat oleh jembatan pada {} atas permintaan {}.", self.instant(self.now), self.actor);
        let none = || "Cap jurnal: log keamanan masih kosong pada saat itu.".to_owned();
        let cap = self.checkpoint.as_ref().map_or_else(none, |(seq, hash)| {
            let short: String = hash.chars().take(16).collect();
            format!("Cap jurnal {seq}:{short} (diperiksa dengan: jembatan audit verify --checkpoint {seq}:{short}).")
        });
        vec![made, cap]
    }

    /// Both parties.
    #[must_use]
    pub fn both(&self) -> Vec<Signature> {
        vec![
            Signature {
                role: "PIHAK KESATU".to_owned(),
                party: "BPJS Kesehatan".to_owned(),
                under: "Nama / NPP".to_owned(),
            },
            self.facility_signs("PIHAK KEDUA"),
        ]
    }

    /// The facility's head.
    #[must_use]
    pub fn head_signs(&self) -> Vec<Signature> {
        vec![self.facility_signs("Kepala Puskesmas")]
    }

    fn facility_signs(&self, role: &str) -> Signature {
        Signature { role: role.to_owned(), party: self.facility_name.clone(), under: "Nama / NIP".to_owned() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An invented facility.
    pub(in crate::report) fn frame() -> Frame {
        Frame {
            facility: "0114A026".into(),
            facility_name: "PKM Contoh".into(),
            zone: TimeZone::get("Asia/Makassar").unwrap(),
            now: "2026-12-05T02:00:00Z".parse().unwrap(),
            actor: "operator".into(),
            checkpoint: Some((12, "ab".repeat(32))),
        }
    }

    #[test]
    fn a_month_is_written_by_its_name_and_days_as_a_span() {
        let month = Period::month("2024-02").unwrap();
        assert_eq!((month.words().as_str(), month.days().count()), ("Februari 2024", 29));
        let some = Period { from: month.from, to: Date::constant(2024, 2, 3) };
        assert_eq!(some.words(), "1 Februari 2024 sampai 3 Februari 2024");
        assert_eq!(Period::month("2024-2"), None);
        assert_eq!(Period::month("2024-13"), None);
    }

    #[test]
    fn the_checkpoint_is_number_and_sixteen_digits() {
        assert!(frame().footer()[1].contains(" 12:abababababababab "));
        assert!(frame().footer()[0].contains("5 Desember 2026 10.00 WITA"));
    }
}
