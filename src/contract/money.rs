//! The agreement's figures in rupiah and percent: tariffs, performance-based capitation, capitation per head, penalty.
//!
//! Job: types of the tables, and the four sums that need nothing else. Pure. Invariants: every table carries its clause;
//! amounts are whole rupiah. Neighbours: `read` fills them, reports use them. What it does not do: decide who is owed.

use serde::Deserialize;

use super::claiming::{Claims, Coded, Expected};

/// Everything about money in one agreement; what the document does not have is absent.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Money {
    /// Non-capitation tariffs.
    pub tariffs: Vec<Tariff>,
    /// Performance-based capitation (KBK).
    pub kbk: Option<Kbk>,
    /// Capitation per head.
    pub capitation: Option<Capitation>,
    /// Penalty for late payment.
    pub penalty: Option<Penalty>,
    /// How claims are watched.
    pub claims: Option<Claims>,
    /// Tariffs by `kdTindakan`.
    pub procedures: Vec<Coded>,
    /// Tariffs by `kdKegiatan`.
    pub activities: Vec<Coded>,
    /// Visits that should have a procedure.
    pub expected: Vec<Expected>,
}

/// One tariff.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Stable name, e.g. `anc.midwife`.
    pub id: String,
    /// What it is for, in Indonesian.
    pub text: String,
    /// Rupiah.
    pub amount: u32,
    /// For what one amount is paid, in Indonesian: pemeriksaan, kunjungan, hari …
    pub unit: String,
    /// Whether the amount is a maximum.
    #[serde(default)]
    pub most: bool,
    /// Who and how often, in Indonesian.
    pub limit: Option<String>,
    /// Where the agreement says so.
    pub clause: String,
}

/// Performance-based capitation.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kbk {
    /// Where the agreement says so.
    pub clause: String,
    /// What it says, in Indonesian.
    pub text: String,
    /// Years of cooperation after which it applies.
    pub after_years: u8,
    /// Registered participants from which it applies.
    pub from_registered: u32,
    /// Its indicators.
    pub indicator: Vec<Indicator>,
    /// What part of the capitation is paid for a score.
    pub payment: Vec<Payment>,
}

/// One indicator of the KBK.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indicator {
    /// `ak`, `rrns`, `rppt`.
    pub id: String,
    /// How it is computed, in Indonesian.
    pub text: String,
    /// Its weight in percent.
    pub weight: u8,
    /// Its target, in `unit`.
    pub target: f64,
    /// `‰` or `%`.
    pub unit: String,
    /// Which values give which rating.
    pub rating: Vec<Rating>,
}

/// The values that give a rating: every bound that is present must hold.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    /// 1 to 4.
    pub rating: u8,
    /// Greater than.
    pub over: Option<f64>,
    /// At least.
    pub from: Option<f64>,
    /// At most.
    pub to: Option<f64>,
    /// Less than.
    pub under: Option<f64>,
}

/// What part of the capitation is paid.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// From this score on.
    pub from: f64,
    /// Percent of the capitation.
    pub percent: u8,
}

/// Capitation per head and month.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capitation {
    /// Where the agreement says so.
    pub clause: String,
    /// What it says, in Indonesian.
    pub text: String,
    /// Least, rupiah.
    pub floor: u32,
    /// Most, rupiah.
    pub ceiling: u32,
    /// By staffing.
    pub rate: Vec<CapitationRate>,
    /// Risk coefficients apply above so many participants.
    pub risk_over: u32,
    /// By age and sex.
    pub risk: Vec<Risk>,
}

/// Capitation by staffing.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapitationRate {
    /// Doctors per participants, in words: `<= 1:5000`, `> 1:5000`, `none`.
    pub doctor: String,
    /// Whether there is a dentist.
    pub dentist: bool,
    /// Rupiah per head and month.
    pub amount: u32,
}

/// A risk coefficient.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// From this age, in years.
    pub from: u8,
    /// To this age; absent: no end.
    pub to: Option<u8>,
    /// Men.
    pub male: f64,
    /// Women.
    pub female: f64,
}

/// Penalty for late payment: days × (percent × months) ÷ days of the year × amount.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    /// Where the agreement says so.
    pub clause: String,
    /// What it says, in Indonesian.
    pub text: String,
    /// Percent a month.
    pub percent: u32,
    /// Months in the formula.
    pub months: u32,
    /// Days of a year in the formula.
    pub year_days: u32,
}

impl Rating {
    /// Whether a value gets this rating.
    #[must_use]
    pub fn fits(&self, value: f64) -> bool {
        self.over.is_none_or(|bound| value > bound)
            && self.from.is_none_or(|bound| value >= bound)
            && self.to.is_none_or(|bound| value <= bound)
            && self.under.is_none_or(|bound| value < bound)
    }
}

impl Kbk {
    /// The rating of an indicator's value; `None` if there is no such indicator or its table has a hole there.
    #[must_use]
    pub fn rating(&self, indicator: &str, value: f64) -> Option<u8> {
        let indicator = self.indicator.iter().find(|own| own.id == indicator)?;
        indicator.rating.iter().find(|rating| rating.fits(value)).map(|rating| rating.rating)
    }

    /// Σ weight × rating, 1 to 4; `values` by indicator. `None` if an indicator has no value or no rating.
    #[must_use]
    pub fn score(&self, values: &[(&str, f64)]) -> Option<f64> {
        let part = |indicator: &Indicator| {
            let (_, value) = values.iter().find(|(id, _)| *id == indicator.id)?;
            Some(u32::from(indicator.weight) * u32::from(self.rating(&indicator.id, *value)?))
        };
        // Whole hundredths, so that 4 is 4 and not 3.9999….
        let hundredths: Option<u32> = self.indicator.iter().map(part).sum();
        hundredths.map(|sum| f64::from(sum) / 100.0)
    }

    /// Percent of the capitation that is paid for a score.
    #[must_use]
    pub fn percent(&self, score: f64) -> Option<u8> {
        self.payment.iter().filter(|row| score >= row.from).map(|row| row.percent).max()
    }
}

impl Penalty {
    /// Rupiah owed for `days` calendar days of delay on `amount`, rounded to the nearest rupiah (our design).
    #[must_use]
    pub fn due(&self, amount: u64, days: u32) -> u64 {
        let above = u128::from(days) * u128::from(self.percent) * u128::from(self.months) * u128::from(amount);
        let below = 100 * u128::from(self.year_days.max(1));
        u64::try_from((above + below / 2) / below).unwrap_or(u64::MAX)
    }
}
