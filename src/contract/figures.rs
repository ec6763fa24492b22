//! The agreement's performance table (KBK) as documents reckon with it: in whole thousandths.
//!
//! Job: turn the profile's table ([`super::Kbk`]) into bands of whole numbers. Invariant: whole numbers only, so that no
//! result depends on rounding inside a machine. What it does not do: reckon (`report::reckon`), read files.

use super::money::{self, Rating};

/// Performance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kbk {
    /// Where the agreement says so.
    pub clause: String,
    /// AK, per mille.
    pub contact: Indicator,
    /// RRNS, percent.
    pub referral: Indicator,
    /// RPPT, percent.
    pub prolanis: Indicator,
    /// Percent of the capitation by score, the first that holds.
    pub pay: Vec<Band>,
}

/// One indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    /// Percent of the score.
    pub weight: u32,
    /// What to reach, in words.
    pub target: String,
    /// Ratings, the first band that holds; otherwise the rating is 1.
    pub bands: Vec<Band>,
}

/// A range in thousandths of the unit, and what it is worth. Limits that are absent hold always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// At least.
    pub from: Option<i64>,
    /// More than.
    pub over: Option<i64>,
    /// At most.
    pub upto: Option<i64>,
    /// Less than.
    pub under: Option<i64>,
    /// Rating or percent.
    pub gives: i64,
}

impl Band {
    /// Whether the fraction `over ÷ under` (times 1000, in thousandths of the unit) lies in the range; exact.
    #[must_use]
    pub fn holds(&self, over: i64, under: i64) -> bool {
        let (value, under) = (i128::from(over), i128::from(under));
        self.from.is_none_or(|limit| value >= i128::from(limit) * under)
            && self.over.is_none_or(|limit| value > i128::from(limit) * under)
            && self.upto.is_none_or(|limit| value <= i128::from(limit) * under)
            && self.under.is_none_or(|limit| value < i128::from(limit) * under)
    }
}

impl Kbk {
    /// The profile's table in whole thousandths; `None` if one of its three indicators is missing.
    #[must_use]
    pub fn of(table: &money::Kbk) -> Option<Self> {
        let indicator = |id: &str| table.indicator.iter().find(|own| own.id == id).map(indicator);
        let mut pay: Vec<Band> = table.payment.iter().map(|row| payment(row.from, row.percent)).collect();
        pay.sort_by_key(|band| std::cmp::Reverse(band.from));
        Some(Self {
            clause: table.clause.clone(),
            contact: indicator("ak")?,
            referral: indicator("rrns")?,
            prolanis: indicator("rppt")?,
            pay,
        })
    }
}

fn indicator(table: &money::Indicator) -> Indicator {
    // An indicator whose best rating has an upper bound is to be kept low.
    let low = table.rating.iter().max_by_key(|row| row.rating).is_some_and(|row| row.to.or(row.under).is_some());
    let word = if low { "paling banyak" } else { "paling sedikit" };
    Indicator {
        weight: u32::from(table.weight),
        target: format!("{word} {}{}", table.target, table.unit),
        bands: table.rating.iter().map(band).collect(),
    }
}

fn band(row: &Rating) -> Band {
    let limit = |bound: Option<f64>| bound.map(thousandths);
    Band {
        from: limit(row.from),
        over: limit(row.over),
        upto: limit(row.to),
        under: limit(row.under),
        gives: i64::from(row.rating),
    }
}

fn payment(from: f64, percent: u8) -> Band {
    Band { from: Some(thousandths(from)), over: None, upto: None, under: None, gives: i64::from(percent) }
}

/// The table's decimals are short: a thousandth holds each exactly.
#[expect(clippy::cast_possible_truncation, reason = "bounds of ratings are far below the range of i64")]
fn thousandths(bound: f64) -> i64 {
    (bound * 1000.0).round() as i64
}
