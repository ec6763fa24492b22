use super::forecast::{Drain, forecast};
use super::*;

const NOW: &str = "2026-11-21T08:00:00+08:00";

fn minutes(count: i64) -> Timestamp {
    at(NOW) + SignedDuration::from_mins(count)
}

#[test]
fn at_ten_a_minute_the_eleventh_entry_misses_a_date_one_minute_away() {
    let dates = vec![Some(minutes(1)); 12];
    let drain = Drain::of(50, SignedDuration::from_mins(5), None);
    let outlook = forecast(&dates, drain, at(NOW));
    assert_eq!((outlook.at_risk, outlook.misses.clone()), (2, vec![10, 11]));
    assert_eq!((outlook.nearest, outlook.late), (Some(minutes(1)), 0));
    assert_eq!(outlook.empty_at, Some(at(NOW) + SignedDuration::from_secs(72)));
}

#[test]
fn nothing_is_promised_while_the_circuit_is_open_or_nothing_was_accepted() {
    let dates = [Some(minutes(600)), None, Some(minutes(-1))];
    for drain in [
        Drain::of(500, SignedDuration::from_mins(5), Some(minutes(-3))),
        Drain::of(0, SignedDuration::from_mins(5), None),
        Drain::of(5, SignedDuration::ZERO, None),
    ] {
        let outlook = forecast(&dates, drain, at(NOW));
        assert_eq!((outlook.at_risk, outlook.late, outlook.empty_at), (1, 1, None), "{drain:?}");
    }
}

#[test]
fn an_empty_backlog_has_nothing_to_miss() {
    let outlook = forecast(&[], Drain::of(0, SignedDuration::from_mins(5), None), at(NOW));
    assert_eq!(outlook, Default::default());
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
