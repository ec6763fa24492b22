use std::path::Path;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

mod calendar;
mod figures;
mod foresight;

const ZONES: [(&str, &str); 3] = [("Asia/Jakarta", "WIB"), ("Asia/Makassar", "WITA"), ("Asia/Jayapura", "WIT")];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn bontang() -> Profile {
    Profile::shipped_bontang().unwrap_or_else(|error| panic!("{error}"))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn service(day: Date, occurred_at: Option<&str>, accepted_at: &str, zone_name: &str) -> ServiceTime {
    ServiceTime {
        occurred_at: occurred_at.map(at),
        service_date: day,
        accepted_at: at(accepted_at),
        zone: zone(zone_name),
    }
}

#[test]
fn an_entry_is_due_15_minutes_after_the_service_and_late_when_the_day_ends() {
    let day = date(2024, 11, 21);
    let seen = service(day, Some("2024-11-21T08:12:00+08:00"), "2024-11-21T08:20:00+08:00", "Asia/Makassar");
    let deadline = bontang().deadline("entry.immediate", &seen);
    assert_eq!(deadline.rule, "entry.immediate");
    assert_eq!(deadline.target, Some(at("2024-11-21T08:27:00+08:00")));
    assert_eq!(deadline.late, Some(at("2024-11-21T23:59:59.999+08:00")));
    assert_eq!(deadline.last, None);
}

#[test]
fn an_entry_without_an_instant_counts_from_its_acceptance_within_the_day_of_service() {
    let day = date(2024, 11, 21);
    let target =
        |accepted: &str| bontang().deadline("entry.immediate", &service(day, None, accepted, "Asia/Makassar")).target;
    assert_eq!(target("2024-11-21T09:00:00+08:00"), Some(at("2024-11-21T09:15:00+08:00")));
    assert_eq!(
        target("2024-11-23T09:00:00+08:00"),
        Some(at("2024-11-21T23:59:59.999+08:00")),
        "yesterday's is past its target"
    );
    assert_eq!(
        target("2024-11-20T09:00:00+08:00"),
        Some(at("2024-11-21T00:15:00+08:00")),
        "tomorrow's is not due today"
    );
}

#[test]
fn claims_expire_after_six_months_and_group_activities_after_three_clamped_to_the_months_end() {
    let last = |rule: &str, day: Date| {
        let given = service(day, None, "2024-01-01T00:00:00Z", "Asia/Makassar");
        bontang().deadline(rule, &given).last.unwrap().to_zoned(zone("Asia/Makassar")).datetime().to_string()
    };
    assert_eq!(last("claim.entry", date(2024, 1, 15)), "2024-07-15T23:59:59.999");
    assert_eq!(last("claim.entry", date(2024, 8, 31)), "2025-02-28T23:59:59.999");
    assert_eq!(last("claim.entry", date(2023, 8, 31)), "2024-02-29T23:59:59.999", "leap year");
    assert_eq!(last("prolanis.entry", date(2024, 11, 30)), "2025-02-28T23:59:59.999");
    assert_eq!(last("prolanis.entry", date(2024, 3, 31)), "2024-06-30T23:59:59.999");
}

#[test]
fn a_rule_the_profile_does_not_know_or_that_dates_no_entry_gives_its_name_and_no_dates() {
    let given = service(date(2024, 5, 5), None, "2024-05-05T00:00:00Z", "Asia/Jakarta");
    for rule in ["no.such", "claim.submit", "sanction"] {
        assert_eq!(bontang().deadline(rule, &given), Deadline { rule: rule.to_owned(), ..Deadline::default() });
    }
}

#[test]
fn past_its_term_the_profile_still_dates_and_says_that_it_is_past() {
    let profile = bontang();
    assert!(!profile.is_past_term(date(2024, 12, 31)));
    assert!(profile.is_past_term(date(2025, 1, 1)));
    let given = service(date(2026, 11, 21), None, "2026-11-21T00:00:00Z", "Asia/Makassar");
    assert!(profile.deadline("entry.immediate", &given).late.is_some());
}

#[test]
fn the_shipped_profile_has_every_rule_that_the_catalogue_names_and_a_clause_for_each() {
    let profile = bontang();
    let catalogue = crate::catalogue::Catalogue::shipped().unwrap();
    for operation in catalogue.operations().filter(|operation| operation.is_write()) {
        let rule = profile.rule(&operation.deadline);
        assert!(matches!(rule.map(|rule| &rule.kind), Some(RuleKind::Entry { .. })), "{}", operation.name);
    }
    assert!(profile.rules.iter().all(|rule| !rule.clause.is_empty() && !rule.text.is_empty()));
    let claim = profile.rule("claim.submit").unwrap();
    assert_eq!(claim.kind, RuleKind::Monthly { day: 10, months_after: 1, shift: Shift::NextWorkingDay });
}

#[test]
fn services_are_given_monday_to_saturday() {
    let profile = bontang();
    let hours = |day| profile.hours_of(day).map(|hours| format!("{} {}", hours.from, hours.to));
    assert_eq!(hours(date(2024, 11, 21)).unwrap(), "07:30:00 14:30:00");
    assert_eq!(hours(date(2024, 11, 22)).unwrap(), "07:30:00 11:30:00");
    assert_eq!(hours(date(2024, 11, 23)).unwrap(), "07:30:00 13:00:00");
    assert_eq!(hours(date(2024, 11, 24)), None);
}

#[test]
fn every_mistake_of_a_profile_is_reported_at_once_in_both_languages() {
    let text = r#"
        id = "x"
        number = ""
        from = "2024-02-01"
        to = "2024-01-01"
        colour = "red"

        [[service_hours]]
        days = ["senin"]
        from = "7"
        to = "14:30"
        clause = "c"

        [[rule]]
        id = "a"
        kind = "entry"
        target = "soon"
        clause = "c"
        text = "t"
        deadline = "x"

        [[rule]]
        id = "a"
        kind = "monthly"
        day = 32
        text = "t"

        [[rule]]
        id = "b"
        kind = "weekly"
        clause = "c"
        text = "t"
    "#;
    let error = read::parse(Path::new("p.toml"), text).unwrap_err();
    let mut keys: Vec<&str> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    keys.sort_unstable();
    let wanted = [
        "colour",
        "number",
        "rule[a]",
        "rule[a].clause",
        "rule[a].day",
        "rule[a].deadline",
        "rule[a].months_after",
        "rule[a].shift",
        "rule[a].target",
        "rule[b].kind",
        "service_hours[0].days",
        "service_hours[0].from",
        "title",
        "to",
        "working_days",
    ];
    assert_eq!(keys, wanted);
    assert!(error.to_string().contains("p.toml: colour: unknown key"));
    assert!(error.indonesian().contains("p.toml: title: belum ada: tambahkan"));
}

#[test]
fn a_profile_is_read_from_its_file_and_a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("profile.toml");
    assert!(Profile::load(&path).unwrap_err().to_string().contains("profile.toml: cannot be read"));
    std::fs::write(&path, include_str!("../../config/contracts/bontang-2024.toml")).unwrap();
    assert_eq!(Profile::load(&path).unwrap(), bontang());
    std::fs::write(&path, "id = ").unwrap();
    assert!(Profile::load(&path).unwrap_err().indonesian().contains("bukan TOML"));
}

#[test]
fn zones_have_the_names_people_use() {
    for (name, label) in ZONES {
        assert_eq!(zone_label(&zone(name)), label);
    }
    assert_eq!(zone_label(&TimeZone::fixed(jiff::tz::offset(3))), "waktu setempat");
}

/// Days that are likely to go wrong as often as any others.
fn days() -> impl Strategy<Value = Date> {
    let any = (2000_i16..2100, 1_i8..=12, 1_i8..=28).prop_map(|(y, m, d)| date(y, m, d));
    let ends = (2000_i16..2100, 1_i8..=12).prop_map(|(y, m)| date(y, m, 1).last_of_month());
    prop_oneof![any, ends]
}

proptest! {
    #[test]
    fn dates_are_in_order_and_end_with_the_facilitys_day(
        day in days(),
        (name, _label) in prop::sample::select(ZONES.to_vec()),
        rule in prop::sample::select(vec!["entry.immediate", "claim.entry", "prolanis.entry"]),
        occurred in prop::option::of(-50_000_i64..200_000),
        accepted in -10_000_000_i64..10_000_000,
    ) {
        let zone = zone(name);
        let midnight = day.to_zoned(zone.clone()).unwrap().timestamp();
        let given = ServiceTime {
            occurred_at: occurred.map(|seconds| midnight + SignedDuration::from_secs(seconds)),
            service_date: day,
            accepted_at: midnight + SignedDuration::from_secs(accepted),
            zone: zone.clone(),
        };
        let deadline = bontang().deadline(rule, &given);
        let (target, late) = (deadline.target.unwrap(), deadline.late.unwrap());
        prop_assert!(target <= late);
        let shown = late.to_zoned(zone.clone());
        prop_assert_eq!(shown.date(), day);
        prop_assert_eq!(shown.time().to_string(), "23:59:59.999");
        if let Some(last) = deadline.last {
            let shown = last.to_zoned(zone);
            let months = if rule == "claim.entry" { 6 } else { 3 };
            let first = day.first_of_month().checked_add(jiff::Span::new().months(months)).unwrap();
            prop_assert!(late <= last);
            prop_assert_eq!(shown.date().first_of_month(), first);
            prop_assert_eq!(shown.date().day(), day.day().min(first.last_of_month().day()));
            prop_assert_eq!(shown.time().to_string(), "23:59:59.999");
        }
    }
}
