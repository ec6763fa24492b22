//! The bucket lets through what it promises, whatever the clock does.

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn at(ms: u64) -> Timestamp {
    START + Duration::from_millis(1_000_000_000_000 + ms)
}

#[test]
fn a_full_bucket_gives_its_burst_and_then_says_when_the_next_call_may_begin() {
    let mut bucket = Bucket::new(10.0, 3);
    assert_eq!([0, 0, 0].map(|ms| bucket.take(at(ms))), [Ok(()); 3]);
    assert_eq!(bucket.take(at(0)), Err(at(100)));
    assert_eq!(bucket.take(at(99)), Err(at(100)));
    assert_eq!(bucket.take(at(100)), Ok(()));
    assert_eq!(bucket.take(at(100)), Err(at(200)));
    // A second of rest fills it again, and no more than full.
    assert_eq!([1500; 3].map(|ms| bucket.take(at(ms))), [Ok(()); 3]);
    assert!(bucket.take(at(1500)).is_err());
}

#[test]
fn without_a_rate_nothing_is_held() {
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut bucket = Bucket::new(rate, 1);
        assert!((0..1000).all(|_| bucket.take(at(0)).is_ok()), "{rate}");
    }
}

#[test]
fn a_forced_call_is_paid_for_by_later_ones_but_never_by_more_than_a_burst() {
    let mut bucket = Bucket::new(10.0, 2);
    (0..1000).for_each(|_| bucket.force(at(0)));
    let free = bucket.take(at(0)).unwrap_err();
    assert_eq!(free, at(1020), "a window's worth of calls was made");
    assert_eq!(bucket.take(free), Ok(()));
}

#[test]
fn a_clock_set_back_by_a_year_costs_one_burst_at_most() {
    let mut bucket = Bucket::new(4.0, 4);
    let year = 365 * 86_400_000;
    (0..4).for_each(|_| bucket.take(at(year)).unwrap());
    let free = bucket.take(at(0)).unwrap_err();
    assert!(free <= at(2000), "{free}");
    assert_eq!(bucket.take(free), Ok(()));
}

proptest! {
    #[test]
    fn never_more_calls_than_burst_plus_rate_times_time(
        burst in 1_u32..8,
        rate in 1_u32..50,
        waits in proptest::collection::vec(0_u64..300, 1..200),
    ) {
        let mut bucket = Bucket::new(f64::from(rate), burst);
        let (mut now, mut taken) = (0, 0_u64);
        for wait in &waits {
            now += wait;
            taken += u64::from(bucket.take(at(now)).is_ok());
        }
        // One more for rounding of the step.
        prop_assert!(taken <= u64::from(burst) + now * u64::from(rate) / 1000 + 1);
    }

    #[test]
    fn no_second_has_more_calls_than_the_rate_a_burst_included(
        burst in 1_u32..20,
        rate in 1_u32..50,
        waits in proptest::collection::vec((0_u64..120, prop::bool::weighted(0.1)), 50..400),
    ) {
        let mut bucket = Bucket::new(f64::from(rate), burst);
        let (mut now, mut calls) = (0, Vec::new());
        for (wait, unused) in &waits {
            now += wait;
            if bucket.take(at(now)).is_ok() {
                if *unused { bucket.give_back(at(now)) } else { calls.push(now) }
            }
        }
        for (place, first) in calls.iter().enumerate() {
            let within = calls[place..].iter().take_while(|call| **call <= first + 1000).count();
            prop_assert!(within <= rate as usize, "{within} calls in the second from {first} at {rate} a second");
        }
    }

    #[test]
    fn a_saturated_bucket_loses_nothing_but_the_windows_margin(burst in 1_u32..8, rate in 1_u32..50) {
        let mut bucket = Bucket::new(f64::from(rate), burst);
        let (mut now, mut calls) = (at(0), 0_u32);
        while now < at(60_000) {
            match bucket.take(now) {
                Ok(()) => calls += 1,
                Err(free) => now = free,
            }
        }
        prop_assert!(f64::from(calls) >= 0.97 * 60.0 * f64::from(rate), "{calls} calls in a minute at {rate} a second");
    }

    #[test]
    fn the_promised_time_is_kept(burst in 1_u32..8, rate in 1_u32..50, calls in 1_usize..40) {
        let mut bucket = Bucket::new(f64::from(rate), burst);
        let mut now = at(0);
        for _ in 0..calls {
            if let Err(free) = bucket.take(now) {
                prop_assert!(free > now);
                now = free;
                prop_assert_eq!(bucket.take(now), Ok(()));
            }
        }
    }
}

#[test]
fn a_call_given_back_can_be_made_at_once_and_a_full_bucket_stays_full() {
    let mut bucket = Bucket::new(2.0, 2);
    assert_eq!((bucket.take(at(0)), bucket.take(at(0))), (Ok(()), Ok(())));
    assert!(bucket.take(at(0)).is_err());
    bucket.give_back(at(0));
    assert_eq!(bucket.take(at(0)), Ok(()));
    for _ in 0..5 {
        bucket.give_back(at(0));
    }
    assert_eq!((bucket.take(at(0)), bucket.take(at(0))), (Ok(()), Ok(())));
    assert!(bucket.take(at(0)).is_err());
}

#[test]
fn a_bucket_at_another_rate_keeps_the_calls_of_the_last_second() {
    let mut bucket = Bucket::new(10.0, 10);
    for _ in 0..10 {
        bucket.take(at(0)).unwrap();
    }
    // Nine of ten tokens are there again, yet the second that the ten calls began is not over.
    assert!(bucket.at_rate(10.0, 10).take(at(900)).is_err());
    assert_eq!(bucket.at_rate(10.0, 10).take(at(1_100)), Ok(()));
}

#[test]
fn a_bucket_at_another_rate_keeps_what_it_owes_and_two_halves_make_no_more_than_the_whole() {
    let mut whole = Bucket::new(10.0, 4);
    for _ in 0..4 {
        whole.take(at(0)).unwrap();
    }
    let mut part = whole.at_rate(2.5, 1);
    assert!(part.take(at(0)).is_err(), "what was let through is not forgotten");
    let (mut owner, mut reader) = (Bucket::new(7.5, 3), Bucket::new(2.5, 1));
    let taken = (0..10_000).filter(|now| owner.take(at(*now)).is_ok()).count()
        + (0..10_000).filter(|now| reader.take(at(*now)).is_ok()).count();
    assert!(taken <= 10 * 10 + 4 + 2, "{taken} in ten seconds at ten a second");
}

#[test]
fn a_spent_bucket_lets_nobody_through_for_a_second_and_forgets_nothing() {
    let mut bucket = Bucket::new(10.0, 10);
    (0..5).for_each(|_| bucket.take(at(0)).unwrap());
    let mut bucket = bucket.spent(at(0));
    // What is given back was let through here; it opens nothing to what others may have done.
    (0..3).for_each(|_| bucket.give_back(at(0)));
    assert_eq!(bucket.take(at(500)), Err(at(1_020)));
    assert_eq!(bucket.take(at(1_020)), Ok(()));
    assert_eq!(Bucket::new(0.0, 1).spent(at(0)).take(at(0)), Ok(()), "no rate is no limit");
}

#[test]
fn a_facility_that_changes_hands_gets_no_more_calls_in_any_second_than_its_rate() {
    // The rate is ten: one owner stops at 700 ms, the next takes over at once.
    let (mut first, mut second) = (Bucket::new(10.0, 10), Bucket::new(10.0, 10).spent(at(700)));
    let before = (0..700).filter(|now| first.take(at(*now)).is_ok());
    let after = (700..4_000).filter(|now| second.take(at(*now)).is_ok());
    let calls: Vec<u64> = before.chain(after).collect();
    let most = calls.iter().map(|from| calls.iter().filter(|call| (*from..from + 1_000).contains(call)).count()).max();
    assert_eq!(most, Some(10), "{calls:?}");
}
