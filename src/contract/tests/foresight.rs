use super::forecast::{Drain, Miss, Queued, forecast};
use super::*;

const NOW: &str = "2026-11-21T08:00:00+08:00";

fn minutes(count: i64) -> Timestamp {
    at(NOW) + SignedDuration::from_mins(count)
}

fn queued(late: Option<Timestamp>) -> Queued {
    Queued { late, not_before: at(NOW) }
}

const FIVE: SignedDuration = SignedDuration::from_mins(5);

#[test]
fn at_ten_a_minute_the_eleventh_entry_misses_a_date_one_minute_away() {
    let lane = vec![queued(Some(minutes(1))); 12];
    let outlook = forecast(&lane, Drain::of(50, FIVE, None), at(NOW));
    let second = |count: i64| at(NOW) + SignedDuration::from_secs(count);
    let miss = |place, seconds| Miss { place, late: minutes(1), done: Some(second(seconds)) };
    assert_eq!(outlook.misses, [miss(10, 66), miss(11, 72)]);
    assert_eq!((outlook.at_risk(), outlook.first()), (2, Some(minutes(1))));
    assert_eq!((outlook.nearest, outlook.late), (Some(minutes(1)), 0));
    assert_eq!(outlook.empty_at, Some(second(72)));
}

#[test]
fn an_entry_that_is_not_sent_before_its_own_time_can_miss_a_date_on_an_empty_lane() {
    let tomorrow = Queued { late: Some(minutes(60)), not_before: minutes(60) };
    let outlook = forecast(&[tomorrow, queued(Some(minutes(1)))], Drain::of(50, FIVE, None), at(NOW));
    assert_eq!(outlook.misses.iter().map(|miss| miss.place).collect::<Vec<_>>(), [0], "it stops nobody behind it");
    assert_eq!(outlook.empty_at, Some(minutes(60) + SignedDuration::from_secs(6)));
}

#[test]
fn nothing_is_promised_while_the_lane_stands_still_or_nothing_was_accepted() {
    let lane = [queued(Some(minutes(600))), queued(None), queued(Some(minutes(-1)))];
    for drain in
        [Drain::of(500, FIVE, Some(minutes(-3))), Drain::of(0, FIVE, None), Drain::of(5, SignedDuration::ZERO, None)]
    {
        let outlook = forecast(&lane, drain, at(NOW));
        assert_eq!((outlook.at_risk(), outlook.late, outlook.empty_at), (1, 1, None), "{drain:?}");
        assert_eq!(outlook.misses[0].done, None);
    }
}

#[test]
fn an_empty_backlog_has_nothing_to_miss() {
    let outlook = forecast(&[], Drain::of(0, FIVE, None), at(NOW));
    assert_eq!(outlook, Default::default());
}

fn lanes() -> impl Strategy<Value = Vec<Queued>> {
    let entry = (prop::option::of(-30_i64..600), -10_i64..300)
        .prop_map(|(late, not_before)| Queued { late: late.map(minutes), not_before: minutes(not_before) });
    prop::collection::vec(entry, 0..40)
}

proptest! {
    #[test]
    fn every_entry_with_a_date_is_late_or_missed_or_made_in_lane_order(lane in lanes(), accepted in 0_usize..60) {
        let outlook = forecast(&lane, Drain::of(accepted, FIVE, None), at(NOW));
        prop_assert!(outlook.misses.is_sorted_by(|a, b| a.place < b.place));
        let missed = |place: usize| outlook.misses.iter().find(|miss| miss.place == place);
        for (place, entry) in lane.iter().enumerate() {
            // Reckoned anew: so many minutes for each entry up to this one, and one for itself after its own time.
            let own = |entries: f64| entries / (accepted as f64 / 5.0) * 60.0;
            let turn = own(place as f64 + 1.0).max((entry.not_before.duration_since(at(NOW))).as_secs_f64() + own(1.0));
            let span = entry.late.map(|late| late.duration_since(at(NOW)).as_secs_f64());
            match span {
                None => prop_assert!(missed(place).is_none()),
                Some(span) if span < 0.0 => prop_assert!(missed(place).is_none()),
                Some(_) if accepted == 0 => prop_assert!(missed(place).is_some_and(|miss| miss.done.is_none())),
                Some(span) if (turn - span).abs() < 0.001 => {}
                Some(span) => prop_assert_eq!(missed(place).is_some(), turn > span, "{} {} {}", place, turn, span),
            }
        }
        let past = lane.iter().filter(|entry| entry.late.is_some_and(|late| late < at(NOW))).count();
        prop_assert_eq!(outlook.late, past);
        prop_assert_eq!(outlook.first(), outlook.misses.iter().map(|miss| miss.late).min());
        prop_assert!(outlook.first().is_none_or(|first| outlook.nearest.is_some_and(|nearest| nearest <= first)));
    }

    #[test]
    fn a_faster_lane_misses_no_more_and_what_comes_behind_changes_nothing_before(
        lane in lanes(), more in lanes(), slow in 0_usize..30, faster in 0_usize..30,
    ) {
        let places = |lane: &[Queued], accepted| {
            let outlook = forecast(lane, Drain::of(accepted, FIVE, None), at(NOW));
            outlook.misses.into_iter().map(|miss| miss.place).collect::<Vec<_>>()
        };
        let (before, quick) = (places(&lane, slow), places(&lane, slow + faster));
        prop_assert!(quick.iter().all(|place| before.contains(place)), "{:?} {:?}", before, quick);
        let longer = [lane.clone(), more].concat();
        let kept: Vec<usize> = places(&longer, slow).into_iter().filter(|place| *place < lane.len()).collect();
        prop_assert_eq!(kept, before);
        let stopped = forecast(&lane, Drain::of(slow, FIVE, Some(at(NOW))), at(NOW));
        prop_assert!(stopped.at_risk() >= places(&lane, slow).len());
    }
}

fn with_moving_clause() -> Contracts {
    let clause = "moves = [{ by = \"force_majeure\", clause = \"Pasal uji\" }]\nmonth = \"claim.submit\"";
    let text = BONTANG.replace("month = \"claim.submit\"", clause);
    Contracts::new(read::parse(Path::new("p.toml"), &text).unwrap(), None, Holidays::shipped().unwrap())
}

#[test]
fn force_majeure_moves_dates_only_where_a_clause_says_so_and_names_it() {
    let day = date(2024, 11, 21);
    let seen = service(day, Some("2024-11-21T08:00:00+08:00"), "2024-11-21T08:00:00+08:00", "Asia/Makassar");
    let declared = Circumstance {
        kind: Trigger::ForceMajeure,
        from: at("2024-11-21T10:00:00+08:00"),
        to: Some(at("2024-11-21T12:00:00+08:00")),
    };
    let now = at("2024-11-21T13:00:00+08:00");
    let shipped = Contracts::new(bontang(), None, Holidays::shipped().unwrap());
    let plain = shipped.explain("claim.entry", &seen, std::slice::from_ref(&declared), now);
    assert_eq!((plain.deadline.clone(), plain.moved.len()), (bontang().deadline("claim.entry", &seen), 0));
    assert_eq!(plain.warn, Some(at("2024-11-21T22:59:59.999+08:00")));
    let month = plain.month.unwrap();
    assert_eq!((month.rule.as_str(), month.due), ("claim.submit", date(2024, 12, 10)));
    let moving = with_moving_clause();
    let moved = moving.explain("claim.entry", &seen, std::slice::from_ref(&declared), now);
    assert_eq!(moved.deadline.late, Some(at("2024-11-22T01:59:59.999+08:00")));
    assert_eq!((moved.moved.len(), moved.moved[0].clause.as_str()), (1, "Pasal uji"));
    let other = Circumstance { kind: Trigger::Maintenance, ..declared.clone() };
    assert!(moving.explain("claim.entry", &seen, &[other], now).moved.is_empty());
    let before = Circumstance { to: Some(at("2024-11-20T00:00:00Z")), from: at("2024-11-19T00:00:00Z"), ..declared };
    assert!(moving.explain("claim.entry", &seen, &[before], now).moved.is_empty(), "over before the service");
}

fn with_both_clauses() -> Contracts {
    let clauses = "moves = [{ by = \"force_majeure\", clause = \"Pasal uji 1\" }, \
                   { by = \"maintenance\", clause = \"Pasal uji 2\" }]\nmonth = \"claim.submit\"";
    let text = BONTANG.replace("month = \"claim.submit\"", clauses);
    Contracts::new(read::parse(Path::new("p.toml"), &text).unwrap(), None, Holidays::shipped().unwrap())
}

#[test]
fn a_date_that_falls_into_a_circumstance_goes_on_after_it_with_what_was_left() {
    let seen = service(date(2024, 11, 21), Some(NOV), NOV, "Asia/Makassar");
    let flood =
        |from: &str, to: Option<&str>| Circumstance { kind: Trigger::ForceMajeure, from: at(from), to: to.map(at) };
    let late = |declared: &[Circumstance], now: &str| {
        with_moving_clause().explain("claim.entry", &seen, declared, at(now)).deadline.late.unwrap()
    };
    let night = flood("2024-11-21T22:00:00+08:00", Some("2024-11-23T10:00:00+08:00"));
    let left = at("2024-11-23T11:59:59.999+08:00");
    assert_eq!(late(std::slice::from_ref(&night), "2024-11-24T00:00:00+08:00"), left, "two hours were left of the day");
    let open = flood("2024-11-21T22:00:00+08:00", None);
    assert_eq!(late(std::slice::from_ref(&open), "2024-11-23T10:00:00+08:00"), left, "what goes on counts until now");
    let after = flood("2024-11-22T00:00:00+08:00", Some("2024-11-23T00:00:00+08:00"));
    assert_eq!(
        late(&[after], "2024-11-24T00:00:00+08:00"),
        at("2024-11-21T23:59:59.999+08:00"),
        "late before it began"
    );
}

const NOV: &str = "2024-11-21T08:00:00+08:00";

#[test]
fn no_shipped_profile_moves_the_dates_of_an_entry() {
    for (name, _) in SHIPPED {
        let contracts = Contracts::load(Path::new(name), None).unwrap();
        assert!(!contracts.move_dates(), "{name}");
    }
    assert!(with_moving_clause().move_dates());
}

fn declarations() -> impl Strategy<Value = Vec<Circumstance>> {
    let one = (any::<bool>(), -600_i64..4000, 0_i64..600).prop_map(|(flood, from, length)| {
        let from = at(NOV) + SignedDuration::from_mins(from);
        let kind = if flood { Trigger::ForceMajeure } else { Trigger::Maintenance };
        Circumstance { kind, from, to: Some(from + SignedDuration::from_mins(length)) }
    });
    prop::collection::vec(one, 0..7)
}

proptest! {
    #[test]
    fn dates_move_by_the_time_that_stood_still_whatever_the_order(
        declared in declarations(),
        (name, _label) in prop::sample::select(ZONES.to_vec()),
    ) {
        let seen = service(date(2024, 11, 21), Some(NOV), NOV, name);
        let (contracts, now) = (with_both_clauses(), at("2024-12-01T00:00:00Z"));
        let plain = bontang().deadline("claim.entry", &seen);
        let moved = contracts.explain("claim.entry", &seen, &declared, now);
        // Minute by minute: the clock of the date runs only while nothing is declared.
        let late = plain.late.unwrap();
        let stands = |minute: Timestamp| declared.iter().any(|one| one.from <= minute && minute < one.to.unwrap());
        let (mut left, mut minute) = (late.duration_since(at(NOV)), at(NOV));
        while left.is_positive() {
            if !stands(minute) {
                left -= SignedDuration::from_mins(1).min(left);
            }
            minute += SignedDuration::from_mins(1);
        }
        let reached = moved.deadline.late.unwrap();
        let apart = minute.duration_since(reached).as_secs();
        prop_assert!((0..=60).contains(&apart), "{reached} {minute} {declared:?}");
        prop_assert!(reached >= late && moved.deadline.last >= plain.last && moved.deadline.target == plain.target);
        let span: i64 = moved.moved.iter().map(|one| one.span.as_secs()).sum();
        prop_assert_eq!(moved.moved.is_empty(), moved.deadline == plain);
        prop_assert_eq!(moved.deadline.last.unwrap().duration_since(plain.last.unwrap()).as_secs(), span);
        prop_assert!(moved.moved.iter().all(|one| one.clause.starts_with("Pasal uji")));
        let mut turned = declared.clone();
        turned.reverse();
        turned.extend(declared.clone());
        let again = contracts.explain("claim.entry", &seen, &turned, now);
        prop_assert_eq!(again.deadline, moved.deadline, "declared twice, in another order");
        let shipped = Contracts::new(bontang(), None, Holidays::shipped().unwrap());
        prop_assert_eq!(shipped.explain("claim.entry", &seen, &declared, now).deadline, plain);
    }
}
