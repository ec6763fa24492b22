//! How an agreement is claimed under: which code earns which tariff, what is expected of a visit, who may claim.
//!
//! Job: types of `[claims]`, `[[procedure]]`, `[[activity]]` and `[[expect]]`. Pure. Invariants: every row carries its
//! clause; a code that stands in no row has no tariff, for nothing is guessed. Neighbours: `read` fills them and checks that
//! the tariffs named are there, `report` uses them. What it does not do: decide who is owed.

use serde::Deserialize;

use super::money::{Money, Tariff};

/// How claims are watched.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Where the agreement says so.
    pub clause: String,
    /// Days before its last date from which a claim is pointed out.
    pub near_days: u16,
    /// Kinds of the network that claim at all (`client add --kind`).
    pub claimants: Vec<String>,
    /// Where the agreement says so.
    pub claimants_clause: String,
    /// Least and most participants of a group activity, where the agreement has a limit.
    pub group: Option<GroupSize>,
}

/// How many participants a group activity has.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSize {
    /// At least.
    pub least: u16,
    /// At most.
    pub most: u16,
    /// Where the agreement says so.
    pub clause: String,
}

/// The tariff that a code of P-Care earns.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coded {
    /// The code: `kdTindakan` or `kdKegiatan`.
    pub id: String,
    /// The tariff's `id`.
    pub tariff: String,
    /// How often the tariff is earned.
    #[serde(default)]
    pub times: Times,
    /// Where that is known from.
    pub clause: String,
}

/// How often one entry earns its tariff.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// Once.
    #[default]
    Once,
    /// Once for each day of stay of its visit.
    Stay,
}

/// A kind of visit that should have a procedure. Conditions that are present must all hold; of a list one is enough.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Stable name.
    pub id: String,
    /// What is missing, in Indonesian.
    pub text: String,
    /// `kdTkp` of the registration.
    #[serde(default)]
    pub care: Vec<String>,
    /// `kdPoli`.
    #[serde(default)]
    pub poli: Vec<String>,
    /// Beginnings of ICD-10 codes, of any of the three diagnoses; dots do not count.
    #[serde(default)]
    pub diagnosis: Vec<String>,
    /// The visit has an entry of this operation, e.g. `pcare.mcu`.
    pub with: Option<String>,
    /// Where that is known from.
    pub clause: String,
}

/// What a visit shows of itself to [`Expected::fits`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// `kdTkp`, if its registration is known.
    pub care: Option<String>,
    /// `kdPoli`.
    pub poli: Option<String>,
    /// Its diagnoses.
    pub diagnoses: Vec<String>,
    /// Operations of which it has entries.
    pub with: Vec<String>,
}

impl Expected {
    /// Whether a visit is of this kind; a row without any condition fits nothing.
    #[must_use]
    pub fn fits(&self, seen: &Seen) -> bool {
        let some = !(self.care.is_empty() && self.poli.is_empty() && self.diagnosis.is_empty() && self.with.is_none());
        let one =
            |wanted: &[String], own: Option<&String>| wanted.is_empty() || own.is_some_and(|own| wanted.contains(own));
        let plain = |code: &str| code.replace('.', "").to_uppercase();
        let begins = |code: &String| self.diagnosis.iter().any(|wanted| plain(code).starts_with(&plain(wanted)));
        some && one(&self.care, seen.care.as_ref())
            && one(&self.poli, seen.poli.as_ref())
            && (self.diagnosis.is_empty() || seen.diagnoses.iter().any(begins))
            && self.with.as_ref().is_none_or(|wanted| seen.with.contains(wanted))
    }
}

impl Money {
    /// The tariff of a procedure's code, and how often it is earned; `None`: the code stands in no row.
    #[must_use]
    pub fn of_procedure(&self, code: &str) -> Option<(&Tariff, Times)> {
        self.coded(&self.procedures, code)
    }

    /// As [`Money::of_procedure`], of a group activity.
    #[must_use]
    pub fn of_activity(&self, code: &str) -> Option<(&Tariff, Times)> {
        self.coded(&self.activities, code)
    }

    fn coded(&self, rows: &[Coded], code: &str) -> Option<(&Tariff, Times)> {
        let row = rows.iter().find(|row| row.id == code)?;
        Some((self.tariffs.iter().find(|tariff| tariff.id == row.tariff)?, row.times))
    }
}
