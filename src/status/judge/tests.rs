use jiff::ToSpan;
use proptest::prelude::*;

use super::super::live::{Live, Stalled};
use super::*;

fn now() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - seconds.seconds()
}

/// Everything is well: one facility with P-Care, two tasks that beat.
fn well() -> Facts {
    let live = Live::new(ago(3600), 1000);
    live.beat("push", ago(1));
    live.beat("writer", ago(2));
    live.clock("0114A026", 1, true, ago(60));
    live.disk_free(5000, ago(60));
    Facts {
        live: live.snapshot(),
        store_fault: None,
        store_concerns: Vec::new(),
        lanes: vec![lane()],
        outages: Vec::new(),
        nearest_late: None,
        late: 0,
        unreadable: 0,
        outlook: Vec::new(),
        bookings: 0,
    }
}

fn lane() -> Lane {
    Lane {
        facility: "0114A026".to_owned(),
        service: "pcare".to_owned(),
        refused_since: None,
        open_since: None,
        paused: false,
        due: None,
    }
}

fn outage(verdict: Verdict) -> OpenOutage {
    OpenOutage {
        facility: "0114A026".to_owned(),
        service: "pcare".to_owned(),
        since: ago(120),
        cause: "tcp".to_owned(),
        verdict,
    }
}

fn live(facts: &mut Facts, change: impl Fn(&Live)) {
    let board = Live::new(ago(3600), 1000);
    change(&board);
    facts.live = board.snapshot();
}

#[test]
fn the_checks_are_exactly_these_in_this_order() {
    let report = judge(&well(), now());
    let names: Vec<&str> = report.checks.iter().map(|check| check.name.as_str()).collect();
    let wanted = [
        "store",
        "vault",
        "clock",
        "workers",
        "backlog",
        "deadline",
        "credentials.0114A026.pcare",
        "circuit.0114A026.pcare",
        "disk",
        "outage",
    ];
    assert_eq!(names, wanted);
    assert_eq!((report.status, report.verdict), (Level::Ok, Verdict::None));
}

type Case = (&'static str, fn(&mut Facts), &'static str, Level, Verdict);

/// What is wrong → the only check that shows it, how bad it is, and whose it is.
const CASES: [Case; 25] = [
    ("store silent", |f| f.store_fault = Some("timeout".into()), "store", Level::Down, Verdict::Us),
    ("commit failed", |f| live(f, |l| l.store(Some("unknown"), ago(9))), "store", Level::Down, Verdict::Us),
    ("vault shut", |f| live(f, |l| l.vault(Some("key_absent"), ago(9))), "vault", Level::Degraded, Verdict::Us),
    ("clock 61 s fast", |f| live(f, |l| l.clock("0114A026", 61, true, ago(9))), "clock", Level::Degraded, Verdict::Us),
    ("clock 61 s slow", |f| live(f, |l| l.clock("0114A026", -61, true, ago(9))), "clock", Level::Degraded, Verdict::Us),
    ("clock 60 s off", |f| live(f, |l| l.clock("0114A026", 60, true, ago(9))), "", Level::Ok, Verdict::None),
    ("clock unconfirmed", |f| live(f, |l| l.clock("0114A026", 0, false, ago(9))), "", Level::Ok, Verdict::None),
    ("beat 46 s old", |f| live(f, |l| l.beat("push", ago(46))), "workers", Level::Down, Verdict::Us),
    ("beat 45 s old", |f| live(f, |l| l.beat("push", ago(45))), "", Level::Ok, Verdict::None),
    (
        "watchdog says stalled though the wall clock jumped back",
        |f| f.live.stalled = vec![Stalled { task: "push".into(), last: now() + 3600.seconds(), gone: false }],
        "workers",
        Level::Down,
        Verdict::Us,
    ),
    ("due 5 min", |f| f.lanes[0].due = Some(ago(300)), "", Level::Ok, Verdict::None),
    ("due over 5 min", |f| f.lanes[0].due = Some(ago(301)), "backlog", Level::Degraded, Verdict::Us),
    ("due over 30 min", |f| f.lanes[0].due = Some(ago(1801)), "backlog", Level::Down, Verdict::Us),
    ("due in the future", |f| f.lanes[0].due = Some(ago(-999)), "", Level::Ok, Verdict::None),
    (
        "due long, paused",
        |f| (f.lanes[0].due, f.lanes[0].paused) = (Some(ago(9999)), true),
        "",
        Level::Ok,
        Verdict::None,
    ),
    (
        "due long, circuit open",
        |f| (f.lanes[0].due, f.lanes[0].open_since) = (Some(ago(9999)), Some(ago(60))),
        "circuit.0114A026.pcare",
        Level::Degraded,
        Verdict::None,
    ),
    (
        "due long, credentials refused",
        |f| (f.lanes[0].due, f.lanes[0].refused_since) = (Some(ago(9999)), Some(ago(60))),
        "credentials.0114A026.pcare",
        Level::Degraded,
        Verdict::Us,
    ),
    ("late in 29 min", |f| f.nearest_late = Some(ago(-1799)), "deadline", Level::Degraded, Verdict::None),
    ("late in 30 min", |f| f.nearest_late = Some(ago(-1800)), "", Level::Ok, Verdict::None),
    ("one is late", |f| f.late = 1, "deadline", Level::Degraded, Verdict::None),
    ("disk full", |f| live(f, |l| l.disk_free(249, ago(9))), "disk", Level::Down, Verdict::Us),
    ("disk low", |f| live(f, |l| l.disk_free(999, ago(9))), "disk", Level::Degraded, Verdict::Us),
    ("outage at BPJS", |f| f.outages = vec![outage(Verdict::Bpjs)], "outage", Level::Degraded, Verdict::Bpjs),
    (
        "outage of the network",
        |f| f.outages = vec![outage(Verdict::Network)],
        "outage",
        Level::Degraded,
        Verdict::Network,
    ),
    ("outage of ours", |f| f.outages = vec![outage(Verdict::Us)], "outage", Level::Degraded, Verdict::Us),
];

#[test]
fn each_fault_turns_its_own_check_and_names_its_own_side() {
    for (case, spoil, name, level, verdict) in CASES {
        let mut facts = well();
        spoil(&mut facts);
        let report = judge(&facts, now());
        let wrong: Vec<&str> =
            report.checks.iter().filter(|check| check.status > Level::Ok).map(|check| check.name.as_str()).collect();
        let wanted: Vec<&str> = if name.is_empty() { Vec::new() } else { vec![name] };
        assert_eq!(wrong, wanted, "{case}");
        assert_eq!((report.status, report.verdict), (level, verdict), "{case}");
    }
}

#[test]
fn ours_comes_before_the_network_and_the_network_before_bpjs() {
    let mut facts = well();
    facts.outages = vec![outage(Verdict::Bpjs), outage(Verdict::Network)];
    assert_eq!(judge(&facts, now()).verdict, Verdict::Network);
    facts.lanes[0].refused_since = Some(ago(5));
    assert_eq!(judge(&facts, now()).verdict, Verdict::Us);
}

#[test]
fn a_paused_lane_does_not_hide_the_backlog_of_another() {
    let mut facts = well();
    let other = Lane { facility: "0114B027".to_owned(), due: Some(ago(400)), ..lane() };
    facts.lanes[0].paused = true;
    facts.lanes[0].due = Some(ago(99_999));
    facts.lanes.push(other);
    let report = judge(&facts, now());
    let backlog = report.checks.iter().find(|check| check.name == "backlog").unwrap();
    assert_eq!((backlog.status, backlog.since), (Level::Degraded, Some(ago(400))));
    assert!(backlog.detail.contains("6 menit") && backlog.detail.contains("dijeda"), "{}", backlog.detail);
}

#[test]
fn a_fault_keeps_the_instant_at_which_it_began() {
    let live = Live::new(ago(100), 1000);
    live.vault(Some("key_absent"), ago(50));
    live.vault(Some("key_absent"), ago(10));
    live.disk_free(10, ago(40));
    live.disk_free(9, ago(5));
    live.clock("0114A026", 70, true, ago(30));
    live.clock("0114A026", 80, true, ago(3));
    let snapshot = live.snapshot();
    assert_eq!(snapshot.vault.since, ago(50));
    assert_eq!(snapshot.disk_low_since, Some(ago(40)));
    assert_eq!(snapshot.clocks[0].since, ago(30));
    live.vault(None, ago(1));
    live.disk_free(5000, ago(1));
    assert_eq!(live.snapshot().vault.fault, None);
    assert_eq!(live.snapshot().disk_low_since, None);
}

#[test]
fn words_that_are_not_ours_do_not_become_labels_or_details() {
    let live = Live::new(ago(100), 1000);
    live.attempt("pcare.obat.add", "accepted");
    live.attempt("SITI CONTOH 0009900000000", "no way");
    let labels: Vec<(String, String)> = live.attempts().into_keys().collect();
    assert_eq!(labels, [("other".into(), "other".into()), ("pcare.obat.add".into(), "accepted".into())]);
    let mut facts = well();
    facts.store_fault = Some("no such table: SITI".to_owned());
    assert!(!judge(&facts, now()).checks[0].detail.contains("SITI"));
}

proptest! {
    #[test]
    fn the_status_is_the_worst_check_whatever_happens(picks in prop::collection::vec(0..CASES.len(), 0..6)) {
        let mut facts = well();
        for pick in picks {
            CASES[pick].1(&mut facts);
        }
        let report = judge(&facts, now());
        prop_assert_eq!(Some(report.status), report.checks.iter().map(|check| check.status).max());
        prop_assert!(report.status > Level::Ok || report.verdict == Verdict::None);
        prop_assert_eq!(report.checks.len(), 10);
        for check in &report.checks {
            let digits = check.detail.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
            prop_assert!(digits < 10, "{}", check.detail);
        }
    }
}

#[test]
fn entries_that_will_be_late_at_the_present_rate_are_foretold() {
    let mut facts = well();
    facts.nearest_late = Some(now() + 3.hours());
    facts.outlook = vec![Outlook { facility: "0114A026".to_owned(), at_risk: 7, first: None }];
    let report = judge(&facts, now());
    let deadline = report.checks.iter().find(|check| check.name == "deadline").unwrap();
    assert!(deadline.detail.contains("Menurut laju sekarang 7 entri akan terlambat."), "{}", deadline.detail);
    assert_eq!(deadline.status, Level::Ok, "a forecast alone alarms nobody");
}

#[test]
fn damaged_entries_are_told_with_what_to_do_and_are_ours() {
    let report = judge(&Facts { unreadable: 2, ..well() }, now());
    let check = report.checks.iter().find(|check| check.name == "unreadable").expect("it is told");
    assert_eq!((check.status, report.status, report.verdict), (Level::Degraded, Level::Degraded, Verdict::Us));
    assert!(check.detail.starts_with("2 entri rusak") && check.detail.contains("queue list --why unreadable"));
    assert!(!judge(&well(), now()).checks.iter().any(|check| check.name == "unreadable"));
}
