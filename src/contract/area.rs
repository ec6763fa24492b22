//! Participants registered outside the area (Pasal 4 ayat 4 huruf f): how visits are counted.
//!
//! Job: the type of `[out_of_area]` and the days that count together. Pure. Invariants: the figure and its clause are those
//! of the rule `out-of-area`; whether "1 month" is a calendar month or 30 days is data, for the agreement does not say.
//! Neighbours: `intake` counts and warns. What it does not do: refuse.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::Deserialize;

use super::profile::{Profile, RuleKind};

/// The rule with figure and clause.
const RULE: &str = "out-of-area";

/// How visits of participants from elsewhere are counted.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutOfArea {
    /// Whether a submission beyond the limit is answered with a warning.
    pub warn: bool,
    /// What a month is.
    pub window: Window,
    /// kdProvider of other facilities of the same kota/kabupaten: their participants are not from elsewhere.
    pub same_area: Vec<String>,
    /// Where the agreement says so, and what is our reading.
    pub clause: String,
}

/// What "1 month" means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// From the first to the last day of the month.
    CalendarMonth,
    /// The day and the 29 before it.
    ThirtyDays,
}

/// The limit as it holds on a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AreaLimit {
    /// At most so many visits.
    pub count: u16,
    /// First day that counts.
    pub from: Date,
    /// Last day that counts.
    pub to: Date,
    /// Facilities that are not elsewhere.
    pub same_area: Vec<String>,
    /// Where the agreement says so.
    pub clause: String,
}

impl Profile {
    /// The limit for a visit on `day`, if the agreement has one and wants to be warned.
    #[must_use]
    pub fn area_limit(&self, day: Date) -> Option<AreaLimit> {
        let area = self.area.as_ref().filter(|area| area.warn)?;
        let rule = self.rule(RULE)?;
        let RuleKind::Limit { count, .. } = rule.kind else { return None };
        let (from, to) = match area.window {
            Window::CalendarMonth => (day.first_of_month(), day.last_of_month()),
            Window::ThirtyDays => (day.saturating_sub(29.days()), day),
        };
        Some(AreaLimit { count, from, to, same_area: area.same_area.clone(), clause: rule.clause.clone() })
    }
}

impl AreaLimit {
    /// Whether a participant of `provider` is from elsewhere for the facility `own`.
    #[must_use]
    pub fn is_elsewhere(&self, own: &str, provider: &str) -> bool {
        !provider.is_empty() && provider != own && !self.same_area.iter().any(|near| near == provider)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::contract::Contracts;

    #[test]
    fn a_month_is_the_calendars_or_thirty_days_as_the_agreement_is_read() {
        let contracts = Contracts::load(std::path::Path::new("bontang-2024.toml"), None).unwrap();
        let mut profile = contracts.of(date(2024, 2, 29)).clone();
        let limit = profile.area_limit(date(2024, 2, 29)).unwrap();
        assert_eq!((limit.count, limit.from, limit.to), (3, date(2024, 2, 1), date(2024, 2, 29)));
        assert!(limit.clause.contains("Pasal 4 ayat 4 huruf f"));
        profile.area.as_mut().unwrap().window = Window::ThirtyDays;
        let limit = profile.area_limit(date(2024, 3, 1)).unwrap();
        assert_eq!((limit.from, limit.to), (date(2024, 2, 1), date(2024, 3, 1)));
        profile.area.as_mut().unwrap().same_area = vec!["0114A027".to_owned()];
        let limit = profile.area_limit(date(2024, 3, 1)).unwrap();
        let elsewhere = |provider| limit.is_elsewhere("0114A026", provider);
        assert!(elsewhere("0199Z001") && !elsewhere("0114A026") && !elsewhere("0114A027") && !elsewhere(""));
        profile.area.as_mut().unwrap().warn = false;
        assert!(profile.area_limit(date(2024, 3, 1)).is_none());
    }
}
