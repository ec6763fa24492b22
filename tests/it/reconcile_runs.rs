//! Reconciliations as they run: broken off, two at once, of a month, by themselves at the end of the day; and outages within
//! and without announced maintenance, by the command line.

use std::process::Command;
use std::time::Duration;

use jembatan::clock::Clock;
use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use jiff::civil::{Date, Time, date, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::bridge::{Bridge, FACILITY, PATIENCE, Setup, card, daftar, instant, submission, whole_visit, yesterday};

const DAYS: u32 = 4;

/// Two visits a day and one of a stranger.
fn some_days(bridge: &Bridge) -> (Date, Date) {
    let last = yesterday();
    let first = last.checked_sub(i64::from(DAYS - 1).days()).unwrap();
    for (n, day) in (0..).zip(first.series(1.day()).take_while(|day| *day <= last)) {
        for one in [2 * n, 2 * n + 1] {
            let sent = bridge.submit(&whole_visit(&format!("r{one}"), &card(one), day));
            bridge.finished(&sent);
        }
        bridge.staff("pendaftaran", &daftar(&card(100 + n), day)["payload"]);
    }
    (first, last)
}

fn reads(bridge: &Bridge) -> u64 {
    bridge.requests("pcare.") - bridge.writes()
}

/// Everything of a report that another run must say as well.
fn said(report: &Value) -> Value {
    let names = ["complete", "counts", "items", "days", "journal", "bpjs", "moving", "unread", "from", "to"];
    names.iter().map(|name| ((*name).to_owned(), report[*name].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn slow_reads(bridge: &Bridge, ms: u64) {
    bridge.fault(Fault::new("read", Kind::Slow).lasting(ms));
}

#[test]
fn a_reconciliation_cut_off_by_kill_9_goes_on_with_the_days_not_done_and_says_the_same() {
    let mut bridge = Bridge::up();
    let (from, to) = some_days(&bridge);
    let body = json!({ "facility": FACILITY, "from": from.to_string(), "to": to.to_string() });
    let before = reads(&bridge);
    let whole = bridge.call("POST", "/v1/reconciliations", Some(&body)).body;
    let of_all = reads(&bridge) - before;
    assert_eq!((&whole["complete"], &whole["counts"]["only_bpjs"]), (&json!(true), &json!(DAYS)), "{whole:#}");

    slow_reads(&bridge, 150);
    let before = reads(&bridge);
    std::thread::scope(|scope| {
        let (bridge, body) = (&bridge, &body);
        let asked = scope.spawn(|| bridge.raw("POST", "/v1/reconciliations", &bridge.operator, Some(body)));
        bridge.until("more than half of it is read", PATIENCE, || {
            (reads(bridge) - before > of_all / 2 + 1).then_some(())
        });
        let killed = Command::new("kill").args(["-9", &bridge.pid().to_string()]).status().unwrap();
        assert!(killed.success());
        assert!(asked.join().unwrap().is_none(), "nobody answered");
    });
    bridge.kill_9();
    bridge.simulator.clear_faults();
    bridge.start();
    assert_eq!(bridge.get("/v1/reconciliations")["items"].as_array().unwrap().len(), 1, "half a report is none");
    let before = reads(&bridge);
    let again = bridge.call("POST", "/v1/reconciliations", Some(&body)).body;
    let of_rest = reads(&bridge) - before;
    assert_eq!(said(&again), said(&whole));
    assert!(of_rest < of_all, "days that were done are not read again: {of_rest} of {of_all}");
    // What was done is forgotten with the report: a third run reads everything.
    let before = reads(&bridge);
    let third = bridge.call("POST", "/v1/reconciliations", Some(&body)).body;
    assert_eq!((said(&third), reads(&bridge) - before), (said(&whole), of_all));
}

#[test]
fn two_reconciliations_of_one_facility_take_turns() {
    let bridge = Bridge::up();
    let (_, day) = some_days(&bridge);
    slow_reads(&bridge, 100);
    let body = json!({ "facility": FACILITY, "date": day.to_string() });
    let ask = || bridge.call("POST", "/v1/reconciliations", Some(&body)).body;
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(ask), scope.spawn(ask));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(said(&one), said(&other));
    let span = |report: &Value| (instant(&report["started_at"]), instant(&report["finished_at"]));
    let mut spans = [span(&one), span(&other)];
    spans.sort();
    assert!(spans[0].1 <= spans[1].0, "the second began when the first had ended: {spans:?}");
}

#[test]
fn the_command_line_reconciles_a_month_and_prints_its_minutes() {
    let bridge = Bridge::up();
    let day = yesterday();
    let month = day.to_string()[..7].to_owned();
    let sent = bridge.submit(&submission("a", &[daftar(&card(1), day)]));
    bridge.finished(&sent);
    let out = bridge.cli(&["reconcile", "--facility", FACILITY, "--month", &month, "--json"], "");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["counts"]["equal"], &report["complete"]), (&json!(1), &json!(true)), "{report:#}");
    assert_eq!(report["from"], day.first_of_month().to_string());
    assert!(report["to"].as_str().unwrap() >= day.to_string().as_str(), "{report:#}");
    // The newest of one day is not that of the month.
    bridge.cli(&["reconcile", "--facility", FACILITY, "--date", &day.first_of_month().to_string()], "");
    let minutes = ["report", "reconciliation", "--facility", FACILITY, "--month", &month, "--format", "csv"];
    let printed = bridge.cli(&minutes, "");
    assert!(
        printed.contains(report["id"].as_str().unwrap()) && printed.contains("Sama pada kedua pihak;1"),
        "{printed}"
    );

    bridge.staff("pendaftaran", &daftar(&card(2), day)["payload"]);
    let (code, out, err) = bridge.cli_says(&["reconcile", "--facility", FACILITY, "--month", &month], "");
    assert_eq!(code, Some(4), "{err}");
    assert!(out.contains("dientri langsung di P-Care") && err.contains("1 perbedaan"), "{out}{err}");
}

// ---- by itself ----------------------------------------------------------------------------------------------------

fn at(day: Date, at: Time) -> Timestamp {
    day.to_datetime(at).to_zoned(TimeZone::get("Asia/Makassar").unwrap()).unwrap().timestamp()
}

/// Sets the clock forward.
fn pass_to(bridge: &Bridge, day: Date, time: Time) {
    bridge.clock.advance(Duration::try_from(at(day, time).duration_since(bridge.clock.now())).unwrap());
}

/// The days that were reconciled, oldest first, with who asked.
fn reconciled(bridge: &Bridge) -> Vec<(String, String)> {
    let list = bridge.get("/v1/reconciliations");
    let of = |row: &Value| {
        let report = bridge.get(&format!("/v1/reconciliations/{}", row["id"].as_str().unwrap()));
        let word = |name: &str| report[name].as_str().unwrap().to_owned();
        (word("from"), word("actor"))
    };
    list["items"].as_array().unwrap().iter().rev().map(of).collect()
}

#[test]
fn every_day_is_reconciled_by_itself_at_its_time_once_and_made_up_for_after_a_night_without_the_bridge() {
    let monday = date(2024, 10, 7);
    let clock = Clock::starting(at(monday, time(9, 0, 0, 0)));
    let mut bridge = Bridge::stopped(&Setup { clock, ..Setup::default() });
    bridge.env.push(("JEMBATAN__RECONCILE__DAILY".to_owned(), "20:30".to_owned()));
    bridge.start_inside();
    let done = |days: usize| {
        let daily = move |n: i64| (monday.checked_add(n.days()).unwrap().to_string(), "jembatan: daily".to_owned());
        (0..).take(days).map(daily).collect::<Vec<_>>()
    };
    let sent = bridge.submit(&whole_visit("a", &card(1), monday));
    bridge.finished(&sent);
    bridge.staff("pendaftaran", &daftar(&card(2), monday)["payload"]);
    assert!(reconciled(&bridge).is_empty(), "before its time");
    pass_to(&bridge, monday, time(20, 31, 0, 0));
    bridge.until("Monday is reconciled", PATIENCE, || (reconciled(&bridge) == done(1)).then_some(()));
    let first = bridge.get("/v1/reconciliations")["items"][0].clone();
    assert_eq!((&first["counts"]["equal"], &first["counts"]["only_bpjs"]), (&json!(3), &json!(1)), "{first:#}");
    pass_to(&bridge, monday.tomorrow().unwrap(), time(20, 31, 0, 0));
    bridge
        .until("Tuesday is reconciled, Monday not again", PATIENCE, || (reconciled(&bridge) == done(2)).then_some(()));
    // On Wednesday the machine is switched off before its time.
    pass_to(&bridge, date(2024, 10, 9), time(17, 0, 0, 0));
    bridge.kill_9();
    pass_to(&bridge, date(2024, 10, 10), time(7, 30, 0, 0));
    bridge.start_inside();
    bridge.until("Wednesday is made up for", PATIENCE, || (reconciled(&bridge) == done(3)).then_some(()));
}

// ---- outages ------------------------------------------------------------------------------------------------------

fn json_of(bridge: &Bridge, arguments: &[&str]) -> Value {
    serde_json::from_str(&bridge.cli(&[arguments, &["--json"]].concat(), "")).unwrap()
}

/// BPJS goes away until the outage is on record, and comes back.
fn an_outage(bridge: &Bridge, name: &str) -> Value {
    bridge.simulator.down(DownMode::Http503, None);
    bridge.submit(&submission(name, &[daftar(&card(u32::try_from(name.len()).unwrap()), yesterday())]));
    let open = bridge.until("the outage is on record", PATIENCE, || {
        let list = bridge.get("/v1/outages");
        list["items"].as_array()?.iter().find(|one| one["closed_at"].is_null()).map(|one| one["id"].to_string())
    });
    bridge.simulator.up();
    bridge.until("the outage is over", PATIENCE, || {
        let shown = bridge.get(&format!("/v1/outages/{open}"));
        (!shown["closed_at"].is_null()).then_some(shown)
    })
}

#[test]
fn an_outage_within_announced_maintenance_is_named_so_until_the_announcement_is_withdrawn() {
    let bridge = Bridge::up();
    let now = bridge.clock.now();
    let (from, to) = (now.checked_sub(1.hour()).unwrap().to_string(), now.checked_add(1.hour()).unwrap().to_string());
    let plan = ["outage", "plan", "--facility", FACILITY, "--from", &from, "--to", &to, "--verdict", "network"];
    let plan = json_of(&bridge, &[plan.as_slice(), &["--reason", "surat kabel 12"]].concat());
    let id = plan["id"].to_string();
    assert_eq!(json_of(&bridge, &["outage", "plans"])["items"][0], plan);
    assert!(bridge.cli(&["outage", "plans", "--facility", FACILITY], "").contains("surat kabel 12"));

    let during = an_outage(&bridge, "a");
    assert_eq!((&during["cause"], &during["verdict"]), (&json!("maintenance"), &json!("network")), "{during:#}");
    assert_eq!(during["evaluation"]["plan"]["id"], plan["id"]);
    let seen = during["evidence"].as_array().unwrap();
    let passes = |probe: &Value| probe["checks"].as_array().unwrap().iter().all(|check| check["status"] != "fail");
    assert!(
        !passes(seen.first().unwrap()) && passes(seen.last().unwrap()),
        "from the failing probe to the passing one: {seen:#?}"
    );
    let number = during["id"].to_string();
    let paper = bridge.cli(&["report", "outage", "--id", &number, "--format", "csv"], "");
    assert!(paper.contains("surat kabel 12") && paper.contains("pemeliharaan yang diumumkan"), "{paper}");

    let withdrawn = bridge.cli(&["outage", "withdraw", &id, "--reason", "surat 13"], "");
    assert!(withdrawn.starts_with(&format!("#{id} ")), "{withdrawn}");
    assert_eq!(json_of(&bridge, &["outage", "plans"])["items"], json!([]));
    let (code, _, err) = bridge.cli_says(&["outage", "withdraw", &id, "--reason", "sekali lagi"], "");
    assert_ne!(code, Some(0), "{err}");
    let after = an_outage(&bridge, "bb");
    assert_eq!(
        (&after["cause"], &after["verdict"], &after["evaluation"]["plan"]),
        (&json!("http"), &json!("bpjs"), &Value::Null)
    );

    let number = after["id"].to_string();
    let classed =
        json_of(&bridge, &["outage", "classify", &number, "force_majeure", "--reason", "banjir, surat camat 7"]);
    assert_eq!(classed["class"], "force_majeure");
    let paper = bridge.cli(&["report", "outage", "--id", &number, "--format", "csv"], "");
    assert!(paper.contains("keadaan kahar (Pasal 19)") && paper.contains("banjir, surat camat 7"), "{paper}");
    let log = bridge.get("/v1/audit?limit=1000");
    let actions: Vec<&str> =
        log["items"].as_array().unwrap().iter().filter_map(|line| line["action"].as_str()).collect();
    assert!(
        ["outage.plan", "outage.withdraw", "outage.classify"].iter().all(|action| actions.contains(action)),
        "{actions:?}"
    );
}
