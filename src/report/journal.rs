//! The journal as documents read it: entries as they stand after delivered edits, without what was deleted again.
//!
//! Job: from journal rows to entries, visits and their fields. Pure. Invariants: a cancelled entry is nowhere; a deleted
//! one only until its delete is delivered; nothing is guessed: what the data do not tell is `None`. What it does not do:
//! query.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use crate::queue::{DeliveryId, State};
use crate::store::JournalRow;

/// Adds with the name of their id and the fields that a delete repeats.
const RELEASES: [(&str, &[&str]); 6] = [
    ("pcare.pendaftaran", &["noUrut", "noKartu", "tglDaftar"]),
    ("pcare.kunjungan", &["noKunjungan"]),
    ("pcare.tindakan", &["kdTindakanSK"]),
    ("pcare.mcu", &["kdMCU"]),
    ("pcare.kelompok.kegiatan", &["eduId"]),
    ("pcare.kelompok.peserta", &["eduId", "noKartu"]),
];

/// An entry as it stands.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Its row.
    pub row: &'a JournalRow,
    edits: Vec<&'a JournalRow>,
}

/// The journal of a facility and days.
#[derive(Debug)]
pub struct Journal<'a> {
    rows: &'a [JournalRow],
    gone: BTreeSet<DeliveryId>,
}

/// A number or a text as a text; `None` for null, nothing and anything else.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A field of a row: from its payload, else what BPJS assigned or a prerequisite gave.
fn field(row: &JournalRow, name: &str) -> Option<String> {
    let ids = row.delivery.progress.remote.expose();
    let given = || row.given.iter().find_map(|given| given.ids.expose().get(name)).cloned();
    // An id of zero is a placeholder on additions.
    let own = text(row.payload.expose().get(name)).filter(|value| value != "0" || !name.ends_with("SK"));
    own.or_else(|| ids.get(name).cloned()).or_else(given)
}

/// A day as BPJS writes it, `31-12-2026`.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// Day of leaving minus day of coming, at least 1; `None` if it lies before it.
#[must_use]
pub fn days_of_stay(came: Date, left: Date) -> Option<i64> {
    let days = i64::from(left.since(came).ok()?.get_days());
    (days >= 0).then(|| days.max(1))
}

impl<'a> Journal<'a> {
    /// Reads the rows of [`crate::store::Store::journal`].
    #[must_use]
    pub fn new(rows: &'a [JournalRow]) -> Self {
        let key =
            |row: &JournalRow, names: &[&str]| names.iter().map(|name| field(row, name)).collect::<Option<Vec<_>>>();
        let mut gone = BTreeSet::new();
        for (stem, names) in RELEASES {
            let of = |kind: &str| format!("{stem}.{kind}");
            let (add, delete) = (of("add"), of("delete"));
            let deleted: BTreeSet<Vec<String>> = rows
                .iter()
                .filter(|row| row.delivery.operation == delete && row.delivery.progress.state == State::Delivered)
                .filter_map(|row| key(row, names))
                .collect();
            let released = |row: &&JournalRow| {
                row.delivery.operation == add && key(row, names).is_some_and(|key| deleted.contains(&key))
            };
            gone.extend(rows.iter().filter(released).map(|row| row.delivery.id));
        }
        Self { rows, gone }
    }

    /// Every row, whatever became of it.
    pub const fn rows(&self) -> &'a [JournalRow] {
        self.rows
    }

    /// How many entries that stand have lost their content to the retention rule.
    #[must_use]
    pub fn retired(&self, stems: &[&str]) -> usize {
        stems.iter().flat_map(|stem| self.entries(stem)).filter(Entry::retired).count()
    }

    /// The entries of an adding operation that stand, e.g. of `pcare.kunjungan`, in order of acceptance.
    #[must_use]
    pub fn entries(&self, stem: &str) -> Vec<Entry<'a>> {
        let (add, edit) = (format!("{stem}.add"), format!("{stem}.edit"));
        let id = RELEASES.iter().find(|(name, _)| *name == stem).and_then(|(_, names)| names.first());
        let mut edits: BTreeMap<String, Vec<&'a JournalRow>> = BTreeMap::new();
        for row in self.rows {
            let done = row.delivery.operation == edit && row.delivery.progress.state == State::Delivered;
            if let Some(id) = id.filter(|_| done).and_then(|name| field(row, name)) {
                edits.entry(id).or_default().push(row);
            }
        }
        let stands = |row: &&JournalRow| {
            row.delivery.operation == add
                && row.delivery.progress.state != State::Cancelled
                && !self.gone.contains(&row.delivery.id)
        };
        let entry = |row: &'a JournalRow| {
            let own = id.and_then(|name| field(row, name)).and_then(|id| edits.get(&id));
            Entry { row, edits: own.cloned().unwrap_or_default() }
        };
        self.rows.iter().filter(stands).map(entry).collect()
    }

    /// The visits with what their registration tells.
    #[must_use]
    pub fn visits(&self) -> Vec<Visit<'a>> {
        let registered = self.entries("pcare.pendaftaran");
        let key = |entry: &Entry<'_>| Some((entry.text("noKartu")?, entry.text("tglDaftar")?));
        let mut by_key: BTreeMap<(String, String), Vec<Entry<'a>>> = BTreeMap::new();
        for entry in registered {
            if let Some(key) = key(&entry) {
                by_key.entry(key).or_default().push(entry);
            }
        }
        let visit = |entry: Entry<'a>| {
            let candidates = key(&entry).and_then(|key| by_key.get(&key)).map_or(&[][..], Vec::as_slice);
            let same = |other: &&Entry<'_>| other.text("kdPoli") == entry.text("kdPoli");
            // Without a polyclinic (special referrals) only a single registration of the day is certain.
            let only = candidates.first().filter(|_| candidates.len() == 1 && entry.text("kdPoli").is_none());
            let registration = candidates.iter().find(same).or(only).cloned();
            Visit { entry, registration }
        };
        let mut visits: Vec<Visit<'a>> = self.entries("pcare.kunjungan").into_iter().map(visit).collect();
        visits.sort_by_key(|visit| (visit.day(), visit.entry.row.delivery.seq));
        visits
    }
}

impl Entry<'_> {
    /// A field as it stands.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let edited = self.edits.iter().rev().find_map(|row| text(row.payload.expose().get(name)));
        edited.or_else(|| field(self.row, name))
    }

    /// Rupiah of `biaya`, as entered, without what follows the decimal sign.
    #[must_use]
    pub fn cost(&self) -> i64 {
        let whole = self.text("biaya").and_then(|text| text.split(['.', ',']).next().map(str::to_owned));
        whole.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Day of service.
    #[must_use]
    pub const fn day(&self) -> Option<Date> {
        self.row.delivery.service_date
    }

    /// Whether BPJS has it.
    #[must_use]
    pub fn delivered(&self) -> bool {
        self.row.delivery.progress.state == State::Delivered
    }

    /// Whether its content was destroyed as the retention rule says.
    #[must_use]
    pub fn retired(&self) -> bool {
        self.row.payload.expose().is_null()
    }

    /// The patient's name, if the submission gave it.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        text(self.row.patient.as_ref()?.expose().get("nama"))
    }
}

/// A visit with its registration.
#[derive(Debug, Clone)]
pub struct Visit<'a> {
    /// The visit.
    pub entry: Entry<'a>,
    /// Its registration, if the journal has it.
    pub registration: Option<Entry<'a>>,
}

impl Visit<'_> {
    /// Day of registration.
    #[must_use]
    pub fn day(&self) -> Option<Date> {
        self.entry.text("tglDaftar").as_deref().and_then(day).or_else(|| self.entry.day())
    }

    /// `kdTkp` of the registration: 10 RJTP, 20 RITP.
    #[must_use]
    pub fn care(&self) -> Option<String> {
        self.registration.as_ref()?.text("kdTkp")
    }

    /// Referred on: `kdStatusPulang` 4.
    #[must_use]
    pub fn referred(&self) -> bool {
        self.entry.text("kdStatusPulang").as_deref() == Some("4")
    }

    /// Day of leaving, if it was entered.
    #[must_use]
    pub fn left(&self) -> Option<Date> {
        self.entry.text("tglPulang").as_deref().and_then(day)
    }

    /// Days of stay: day of leaving minus day of coming, at least 1; `None` without both.
    #[must_use]
    pub fn stay(&self) -> Option<i64> {
        days_of_stay(self.day()?, self.left()?)
    }

    /// The patient's name, from the visit's submission or the registration's.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.entry.name().or_else(|| self.registration.as_ref()?.name())
    }
}
