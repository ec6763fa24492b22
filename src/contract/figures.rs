//! The figures of an agreement that documents reckon with: penalty for late payment, and performance (KBK).
//!
//! Job: types and their reading. Invariant: whole numbers only (thousandths), so that no result depends on rounding inside
//! a machine. What it does not do: reckon.

use serde::{Deserialize, Serialize};

/// `[figures]` of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Late payment of claims.
    pub penalty: Penalty,
    /// Performance-based capitation.
    pub kbk: Kbk,
}

/// Late payment: days × (percent a month × 12) ÷ days of a year × amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    /// Percent a month.
    pub percent_per_month: u32,
    /// Days of a year.
    pub days_per_year: u32,
    /// Where the agreement says so.
    pub clause: String,
}

/// Performance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indicator {
    /// Percent of the score.
    pub weight: u32,
    /// What to reach, in words.
    pub target: String,
    /// Ratings, the first band that holds; otherwise the rating is 1.
    pub bands: Vec<Band>,
}

/// A range in thousandths of the unit, and what it is worth. Limits that are absent hold always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// At least.
    #[serde(default)]
    pub from: Option<i64>,
    /// More than.
    #[serde(default)]
    pub over: Option<i64>,
    /// At most.
    #[serde(default)]
    pub upto: Option<i64>,
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
    }
}
