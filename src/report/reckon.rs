//! Arithmetic of the agreement: working days, penalty, ratings. Exact, whole numbers only; worked by hand in
//! `docs/hitungan.md`.

use jiff::civil::{Date, Weekday};

use crate::contract::Penalty;
use crate::contract::figures::{Band, Indicator};

/// The `count`th working day after `day`: Monday to Friday without `holidays`. `None` at the end of the calendar.
#[must_use]
pub fn working_days_after(day: Date, count: u16, holidays: &[Date]) -> Option<Date> {
    let mut at = day;
    let mut left = count;
    while left > 0 {
        at = at.tomorrow().ok()?;
        if !matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday) && !holidays.contains(&at) {
            left -= 1;
        }
    }
    Some(at)
}

/// Calendar days from the last day in time to the day of payment; none if it was in time.
#[must_use]
pub fn days_late(due: Date, paid: Date) -> i64 {
    i64::from(paid.since(due).map_or(0, |span| span.get_days())).max(0)
}

/// days × (percent a month × 12) ÷ days of the year × amount, to the nearest rupiah, half up.
#[must_use]
pub fn penalty(days: i64, rupiah: i64, rule: &Penalty) -> i64 {
    let over = i128::from(days.max(0)) * i128::from(rule.percent) * i128::from(rule.months) * i128::from(rupiah.max(0));
    let under = i128::from(rule.year_days.max(1)) * 100;
    i64::try_from((over * 2 + under) / (under * 2)).unwrap_or(i64::MAX)
}

/// A fraction of whole numbers, in thousandths of its unit: `over ÷ under`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// Numerator, in thousandths of the unit.
    pub over: i64,
    /// Denominator, positive.
    pub under: i64,
}

impl Ratio {
    /// `part ÷ whole × times` (1000 for per mille, 100 for percent); `None` without a whole.
    #[must_use]
    pub fn of(part: i64, whole: i64, times: i64) -> Option<Self> {
        (whole > 0).then(|| Self { over: part.saturating_mul(times).saturating_mul(1000), under: whole })
    }

    /// Thousandths of the unit, rounded half up, for showing only.
    #[must_use]
    pub fn milli(self) -> i64 {
        let (over, under) = (i128::from(self.over), i128::from(self.under));
        i64::try_from((over * 2 + under) / (under * 2)).unwrap_or(i64::MAX)
    }
}

/// The mean of two ratios in percent, exact.
#[must_use]
pub fn mean(a: Ratio, b: Ratio) -> Ratio {
    let over = a.over.saturating_mul(b.under).saturating_add(b.over.saturating_mul(a.under));
    Ratio { over, under: a.under.saturating_mul(b.under).saturating_mul(2) }
}

/// What the first band that holds gives.
#[must_use]
pub fn given(bands: &[Band], ratio: Ratio) -> Option<i64> {
    bands.iter().find(|band| band.holds(ratio.over, ratio.under)).map(|band| band.gives)
}

/// The rating, 1 to 4.
#[must_use]
pub fn rating(indicator: &Indicator, ratio: Ratio) -> i64 {
    given(&indicator.bands, ratio).unwrap_or(1)
}

/// The score in thousandths: Σ weight (percent) × rating.
#[must_use]
pub fn score(parts: &[(&Indicator, i64)]) -> i64 {
    parts.iter().map(|(indicator, rating)| i64::from(indicator.weight) * rating * 10).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::figures::Kbk;
    use crate::contract::{Money, Profile};

    fn figures() -> Money {
        Profile::shipped_bontang().unwrap().money
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// docs/hitungan.md, contoh 1 dan 2.
    #[test]
    fn payment_is_expected_after_fifteen_working_days() {
        assert_eq!(working_days_after(day("2026-11-10"), 15, &[]), Some(day("2026-12-01")));
        assert_eq!(
            working_days_after(day("2026-12-10"), 15, &[day("2026-12-25"), day("2027-01-01")]),
            Some(day("2027-01-04"))
        );
        assert_eq!(working_days_after(day("2026-11-06"), 1, &[]), Some(day("2026-11-09")));
    }

    /// docs/hitungan.md, contoh 3.
    #[test]
    fn the_penalty_is_that_of_the_formula() {
        let rule = figures().penalty.unwrap();
        assert_eq!(penalty(10, 73_000_000, &rule), 240_000);
        assert_eq!(penalty(1, 1_000_000, &rule), 329);
        assert_eq!(penalty(365, 1_000_000, &rule), 120_000);
        assert_eq!((penalty(0, 1_000_000, &rule), penalty(-3, 1_000_000, &rule)), (0, 0));
        assert_eq!(days_late(day("2026-12-01"), day("2026-12-11")), 10);
        assert_eq!(days_late(day("2026-12-01"), day("2027-12-01")), 365);
        assert_eq!(days_late(day("2026-12-01"), day("2026-11-30")), 0);
    }

    /// docs/hitungan.md, contoh 4: the limits themselves, both sides.
    #[test]
    fn ratings_change_exactly_at_their_limits() {
        let kbk = Kbk::of(&figures().kbk.unwrap()).unwrap();
        let contact = |part, whole| rating(&kbk.contact, Ratio::of(part, whole, 1000).unwrap());
        let referral = |part, whole| rating(&kbk.referral, Ratio::of(part, whole, 100).unwrap());
        let prolanis = |part, whole| rating(&kbk.prolanis, Ratio::of(part, whole, 100).unwrap());
        assert_eq!([140, 141, 145, 146, 149, 150].map(|part| contact(part, 1000)), [1, 2, 2, 3, 3, 4]);
        assert_eq!(contact(14_999_999, 100_000_000), 3);
        assert_eq!([20, 21, 25, 26, 30, 31].map(|part| referral(part, 1000)), [4, 3, 3, 2, 2, 1]);
        assert_eq!([29, 30, 39, 40, 49, 50].map(|part| prolanis(part, 1000)), [1, 2, 2, 3, 3, 4]);
    }

    /// docs/hitungan.md, contoh 5.
    #[test]
    fn score_and_share_are_those_of_the_worked_example() {
        let kbk = Kbk::of(&figures().kbk.unwrap()).unwrap();
        let contact = Ratio::of(1_180, 8_000, 1000).unwrap();
        assert_eq!((contact.milli(), rating(&kbk.contact, contact)), (147_500, 3));
        let referral = Ratio::of(2, 90, 100).unwrap();
        assert_eq!((referral.milli(), rating(&kbk.referral, referral)), (2_222, 3));
        let prolanis = mean(Ratio::of(6, 100, 100).unwrap(), Ratio::of(9, 150, 100).unwrap());
        assert_eq!((prolanis.milli(), rating(&kbk.prolanis, prolanis)), (6_000, 4));
        let score = score(&[(&kbk.contact, 3), (&kbk.referral, 3), (&kbk.prolanis, 4)]);
        assert_eq!(score, 3_100);
        assert_eq!(given(&kbk.pay, Ratio { over: score, under: 1 }), Some(95));
        for (score, share) in
            [(4_000, 100), (3_999, 95), (3_000, 95), (2_999, 90), (2_000, 90), (1_999, 85), (1_000, 85)]
        {
            assert_eq!(given(&kbk.pay, Ratio { over: score, under: 1 }), Some(share), "{score}");
        }
    }
}
