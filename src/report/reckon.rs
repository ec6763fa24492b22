//! Arithmetic of the agreement: days late, penalty, ratings (working days: `contract::WorkingDays`). Exact, whole numbers only; worked by hand in
//! `docs/hitungan.md`.

use jiff::civil::Date;

use crate::contract::Penalty;
use crate::contract::figures::{Band, Indicator};

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
    use proptest::prelude::*;

    use super::super::journal::days_of_stay;
    use super::*;
    use crate::contract::figures::Kbk;
    use crate::contract::{Holidays, Money, Profile};

    fn figures() -> Money {
        Profile::shipped_bontang().unwrap().money
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// docs/hitungan.md, contoh 1, 2 dan 2a: with the holidays as shipped.
    #[test]
    fn payment_is_expected_after_fifteen_working_days_without_holidays_and_joint_leave() {
        let (working, holidays) = (Profile::shipped_bontang().unwrap().working, Holidays::shipped().unwrap());
        let due = |from: &str, count| working.after(day(from), count, &holidays);
        assert_eq!(due("2026-11-10", 15), day("2026-12-01"));
        // 24 December is joint leave, 25 December Christmas; of 2027 no decree is known.
        assert_eq!(due("2026-12-10", 15), day("2027-01-04"));
        assert_eq!(due("2024-04-01", 15), day("2024-04-30"));
        assert_eq!(due("2026-11-06", 1), day("2026-11-09"));
        let shifted = Holidays { year: Vec::new() };
        assert_eq!(working.after(day("2026-12-10"), 15, &shifted), day("2026-12-31"), "without holidays it is earlier");
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

    /// Any day of 1999 to 2103.
    fn any_day() -> impl Strategy<Value = Date> {
        (1999..2104_i16, 1..=12_i8, 1..=31_i8).prop_map(|(year, month, day)| {
            Date::new(year, month, 1)
                .unwrap()
                .with()
                .day(day.min(Date::new(year, month, 1).unwrap().days_in_month()))
                .build()
                .unwrap()
        })
    }

    proptest! {
        /// The penalty lies within half a rupiah of the exact fraction, grows with days and amount, and is what the profile's
        /// own sum says.
        #[test]
        fn a_penalty_is_the_fraction_to_half_a_rupiah(days in 0..5_000_i64, rupiah in 0..10_000_000_000_i64) {
            let rule = figures().penalty.unwrap();
            let got = i128::from(penalty(days, rupiah, &rule));
            // days × 12 ÷ 36 500 × amount, both sides times 36 500.
            let exact = i128::from(days) * 12 * i128::from(rupiah);
            prop_assert!((got * 36_500 - exact).abs() * 2 <= 36_500);
            prop_assert!(penalty(days + 1, rupiah, &rule) >= penalty(days, rupiah, &rule));
            prop_assert!(penalty(days, rupiah + 1, &rule) >= penalty(days, rupiah, &rule));
            let own = rule.due(u64::try_from(rupiah).unwrap(), u32::try_from(days).unwrap());
            prop_assert_eq!(i128::from(own), got);
        }

        /// Every fraction has exactly one rating, a better one is never rated lower, and floating numbers agree with it away
        /// from the limits.
        #[test]
        fn a_better_fraction_is_never_rated_lower(whole in 1..500_000_i64, a in 0..500_000_i64, b in 0..500_000_i64) {
            let table = figures().kbk.unwrap();
            let kbk = Kbk::of(&table).unwrap();
            let (less, more) = (a.min(b).min(whole), a.max(b).min(whole));
            for (indicator, times, rising) in
                [(&kbk.contact, 1000, true), (&kbk.referral, 100, false), (&kbk.prolanis, 100, true)]
            {
                let of = |part| Ratio::of(part, whole, times).unwrap();
                let holds = indicator.bands.iter().filter(|band| band.holds(of(more).over, of(more).under)).count();
                prop_assert_eq!(holds, 1);
                let (low, high) = (rating(indicator, of(less)), rating(indicator, of(more)));
                let (worse, better) = if rising { (low, high) } else { (high, low) };
                prop_assert!(worse <= better);
            }
        }

        /// Every score is between 1 and 4 and pays a part that rises with it.
        #[test]
        fn a_score_pays_what_its_range_says(a in 1..=4_i64, b in 1..=4_i64, c in 1..=4_i64) {
            let kbk = Kbk::of(&figures().kbk.unwrap()).unwrap();
            let score = score(&[(&kbk.contact, a), (&kbk.referral, b), (&kbk.prolanis, c)]);
            prop_assert_eq!(score, 400 * a + 500 * b + 100 * c);
            let share = given(&kbk.pay, Ratio { over: score, under: 1 });
            prop_assert_eq!(share, Some(if score == 4_000 { 100 } else { 80 + score / 1_000 * 5 }));
        }

        /// Days late count calendar days, whatever months and leap years lie between.
        #[test]
        fn days_late_are_calendar_days(due in any_day(), days in 0..4_000_i64) {
            let mut paid = due;
            for _ in 0..days { paid = paid.tomorrow().unwrap(); }
            prop_assert_eq!(days_late(due, paid), days);
            prop_assert_eq!(days_late(paid, due), 0);
        }

        /// The length of stay is the number of nights, and at least one day.
        #[test]
        fn a_stay_counts_nights(came in any_day(), nights in 0..800_i64) {
            let mut left = came;
            for _ in 0..nights { left = left.tomorrow().unwrap(); }
            prop_assert_eq!(days_of_stay(came, left), Some(nights.max(1)));
            prop_assert_eq!(days_of_stay(left, came), if nights == 0 { Some(1) } else { None });
        }

        /// A working day after: working itself, later than the day, with exactly so many working days up to it.
        #[test]
        fn so_many_working_days_lie_up_to_the_due_day(year in 2024..=2026_i16, month in 1..=12_i8, at in 1..=28_i8, count in 1..30_u16) {
            let (working, holidays) = (Profile::shipped_bontang().unwrap().working, Holidays::shipped().unwrap());
            let from = Date::constant(year, month, at);
            let due = working.after(from, count, &holidays);
            let free = |day: Date| working.free(day, &holidays).is_some();
            prop_assert!(due > from && !free(due));
            let (mut day, mut worked) = (from, 0);
            while day < due {
                day = day.tomorrow().unwrap();
                worked += u16::from(!free(day));
            }
            prop_assert_eq!(worked, count);
        }
    }

    /// docs/hitungan.md, lama rawat.
    #[test]
    fn a_stay_over_the_end_of_a_month_and_of_february_is_counted_through() {
        let stay = |came: &str, left: &str| days_of_stay(day(came), day(left));
        assert_eq!(stay("2026-11-20", "2026-11-23"), Some(3));
        assert_eq!(stay("2024-02-28", "2024-03-01"), Some(2), "leap year");
        assert_eq!(stay("2026-02-28", "2026-03-01"), Some(1));
        assert_eq!(stay("2026-12-31", "2027-01-02"), Some(2));
        assert_eq!(stay("2026-11-20", "2026-11-20"), Some(1), "the same day");
        assert_eq!(stay("2026-11-20", "2026-11-19"), None);
    }
}
