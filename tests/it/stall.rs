//! What stands still and what kills: every long-lived task is stopped in turn, and an entry aborts the process whenever it
//! is worked on. With the real time limits, on the built binary, with a supervisor that only starts it again.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use jembatan::simulator::faults::{Fault, Kind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::bridge::{Bridge, FACILITY, Setup, card, daftar, is_final, submission, whole_visit, yesterday};

/// Exit code of a process that ended itself over a stall (`docs/cli.md`).
const STALLED: i32 = 5;
/// How long a test waits for the alarm: the task first has to come to where it is stopped.
const ALARM: Duration = Duration::from_secs(75);
/// From the last beat of a task to the alarm, by the promise.
const A_MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn armed(failpoint: &str) -> Bridge {
    let mut bridge = Bridge::stopped(&Setup::default());
    bridge.env.push(("JEMBATAN_FAILPOINT".to_owned(), failpoint.to_owned()));
    bridge.env.push(("JEMBATAN__RECONCILE__AFTER_OUTAGE".to_owned(), "true".to_owned()));
    bridge.env.retain(|(name, _)| name != "JEMBATAN__KEEP__REFRESH");
    bridge
}

/// What a supervisor sees: how it ended by itself.
fn end_of(bridge: &mut Bridge, patience: Duration) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = bridge.ended() {
            return status;
        }
        assert!(began.elapsed() < patience, "still up after {patience:?}\n{}", bridge.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Both instants of an alarm in the log: when the task beat last, and when that was told.
fn instants(line: &str) -> [Timestamp; 2] {
    let words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-:.+".contains(letter)));
    let mut found: Vec<Timestamp> = words.filter_map(|word| word.parse().ok()).collect();
    found.sort();
    found.try_into().unwrap_or_else(|found| panic!("two instants: {found:?} in {line}"))
}

fn workers(health: &Value) -> Value {
    let checks = health["checks"].as_array().cloned().unwrap_or_default();
    checks.into_iter().find(|check| check["name"] == "workers").unwrap_or_default()
}

/// Stops one task; the alarm, the end and the return.
fn stopped(failpoint: &'static str, task: &'static str) {
    let mut bridge = armed(failpoint);
    bridge.start();
    // Some work, so that every loop turns; what is not accepted before the writer stands still is not owed.
    let bodies: Vec<Value> = (0..4).map(|n| whole_visit(&format!("s{n}"), &card(n), yesterday())).collect();
    let token = bridge.sim.clone();
    std::thread::scope(|scope| {
        // Whoever waits for the writer waits until the process ends.
        scope.spawn(|| bodies.iter().for_each(|body| drop(bridge.raw("POST", "/v1/submissions", &token, Some(body)))));
        if task != "api" {
            let health = bridge.until(&format!("{task} is told"), ALARM, || {
                let health = bridge.health();
                let told = workers(&health)["detail"].as_str().is_some_and(|detail| detail.contains(task));
                told.then_some(health)
            });
            assert_eq!((&health["status"], &health["verdict"]), (&json!("down"), &json!("us")), "{health:#}");
            let detail = workers(&health)["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("Berhenti:") && detail.contains("systemctl restart jembatan"), "{detail}");
        }
        let alarm = bridge.until(&format!("{task} is in the log"), ALARM, || {
            let logs = bridge.logs();
            let mut lines = logs.lines();
            lines.find(|line| line.contains("a task stands still") && line.contains(task)).map(str::to_owned)
        });
        let [last, raised] = instants(&alarm);
        assert!(raised.duration_since(last) <= A_MINUTE, "{task}: {last} to {raised}");
    });
    let status = end_of(&mut bridge, ALARM);
    assert_eq!(status.code(), Some(STALLED), "{task}: {status}\n{}", bridge.logs());
    assert!(bridge.logs().contains("it did not recover"), "{task}");
    bridge.env.retain(|(name, _)| name != "JEMBATAN_FAILPOINT");
    bridge.start();
    // The SIM repeats what it was not told of; nothing is lost and nothing twice.
    let ids: Vec<String> = bodies.iter().map(|body| bridge.submit(body)).collect();
    for id in &ids {
        let entries = bridge.finished(id);
        assert!(entries.values().all(|one| one["state"] == "delivered"), "{task}: {entries:#?}");
    }
    crate::day::exactly_once(&bridge, &bridge.deliveries());
    let health = bridge.health();
    assert_eq!(workers(&health)["status"], "ok", "{task}: {health:#}");
}

/// Defect 11 of other bridges: a silent stall of one part, told by nothing.
#[test]
fn defect_11_every_task_that_stands_still_is_told_and_the_process_comes_back() {
    const TASKS: [(&str, &str); 9] = [
        ("loop.writer:12:stall", "store.writer"),
        ("loop.api:12:stall", "api"),
        ("loop.push:6:stall", "push.0114A026.pcare"),
        ("loop.leases:2:stall", "reconcile.leases"),
        ("loop.overdue:1:stall", "reconcile.overdue"),
        ("loop.outages:6:stall", "outages.0114A026.pcare"),
        ("loop.schedule:2:stall", "reconcile.schedule"),
        ("loop.housekeeping:3:stall", "housekeeping"),
        ("loop.prefetch:1:stall", "prefetch.0114A026.pcare"),
    ];
    let threads = TASKS.map(|(failpoint, task)| (task, std::thread::spawn(move || stopped(failpoint, task))));
    let failed: Vec<&str> =
        threads.into_iter().filter_map(|(task, thread)| thread.join().is_err().then_some(task)).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_task_that_panics_is_told_at_once_does_not_vanish_and_is_there_again_after_the_restart() {
    let mut bridge = armed("loop.leases:2:panic");
    bridge.start();
    let health = bridge.until("the task is told to be gone", Duration::from_secs(20), || {
        let health = bridge.health();
        workers(&health)["detail"].as_str().is_some_and(|detail| detail.contains("reconcile.leases")).then_some(health)
    });
    assert_eq!(health["verdict"], "us");
    assert!(bridge.logs().contains("a task is gone"), "{}", bridge.logs());
    assert_eq!(end_of(&mut bridge, ALARM).code(), Some(STALLED));
    bridge.env.retain(|(name, _)| name != "JEMBATAN_FAILPOINT");
    bridge.start();
    assert_eq!(workers(&bridge.health())["status"], "ok");
}

/// Entries that never give the thread back stop the whole runtime: nobody answers any more, and the process still ends.
#[test]
fn a_runtime_that_stands_still_as_a_whole_ends_the_process_too() {
    let mut bridge = Bridge::stopped(&Setup::default());
    bridge.env.push(("JEMBATAN_POISON".to_owned(), "macet:hang".to_owned()));
    bridge.start();
    let hang = |n: u32| {
        let mut entry = daftar(&card(n), yesterday());
        entry["ref"] = json!("macet");
        submission(&format!("m{n}"), &[entry])
    };
    bridge.pause(FACILITY, true);
    let ids: Vec<String> = (0..4).map(|n| bridge.submit(&hang(n))).collect();
    let operator = bridge.operator.clone();
    let body = json!({ "facility": FACILITY, "reason": "uji" });
    std::thread::scope(|scope| {
        // Its answer may never come: the runtime that would give it stands still.
        scope.spawn(|| bridge.raw("DELETE", "/v1/pauses", &operator, Some(&body)));
        bridge.until("the watchdog tells", ALARM, || bridge.logs().contains("a task stands still").then_some(()));
        bridge.until("it gives up", ALARM, || bridge.logs().contains("it did not recover").then_some(()));
    });
    assert_eq!(end_of(&mut bridge, ALARM).code(), Some(STALLED));
    bridge.env.retain(|(name, _)| name != "JEMBATAN_POISON");
    bridge.start();
    for id in &ids {
        assert_eq!(bridge.finished(id)["macet"]["state"], "delivered");
    }
}

/// Starts the daemon again whenever it ended, until `done` says so; how often it had to.
fn supervise(bridge: &mut Bridge, patience: Duration, mut done: impl FnMut(&Bridge) -> bool) -> u32 {
    let (began, mut restarts) = (Instant::now(), 0);
    loop {
        if bridge.ended().is_some() {
            restarts += 1;
            assert!(restarts < 12, "a restart loop\n{}", bridge.logs());
            bridge.spawn();
        }
        if done(bridge) {
            return restarts;
        }
        assert!(began.elapsed() < patience, "not within {patience:?}\n{}", bridge.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Every delivery, where the daemon answers.
fn all_of(bridge: &Bridge) -> Vec<Value> {
    let answer = bridge.raw("GET", "/v1/deliveries?limit=1000", &bridge.operator, None);
    let items = answer.and_then(|answer| answer.body["items"].as_array().cloned());
    items.unwrap_or_default()
}

/// Six patients and one entry that kills, all in flight together.
fn hand_in_with_poison(bridge: &Bridge) -> (Vec<String>, String) {
    let day = yesterday();
    let mut poison = daftar(&card(99), day);
    poison["ref"] = json!("racun");
    bridge.pause(FACILITY, true);
    let ids = (0..6).map(|n| bridge.submit(&whole_visit(&format!("s{n}"), &card(n), day))).collect();
    let poisoned = bridge.submit(&submission("p", &[poison]));
    (ids, poisoned)
}

fn let_go(bridge: &Bridge) {
    let body = json!({ "facility": FACILITY, "reason": "uji" });
    // The process may die before it has answered.
    drop(bridge.raw("DELETE", "/v1/pauses", &bridge.operator, Some(&body)));
}

fn all_delivered(bridge: &Bridge, ids: &[String], action: &str) {
    for id in ids {
        let entries = bridge.entries(id);
        assert!(entries.values().all(|one| one["state"] == "delivered"), "{action}: {entries:#?}");
    }
}

/// The program was mended: a person sets the entry going, and everything is at BPJS once.
fn mended(bridge: &mut Bridge, poison: &str, entry: &Value, submission: &str) {
    assert!(bridge.terminate().0.success());
    bridge.env.retain(|(name, _)| name != poison);
    bridge.start();
    assert_eq!(bridge.act(entry, "retry", &json!({})).status, 200);
    assert_eq!(bridge.entry_in(submission, "racun", "delivered")["state"], "delivered");
    crate::day::exactly_once(bridge, &bridge.deliveries());
}

/// Defect 10 of other bridges: one poisoned entry blocks all; here one that kills the very process.
#[test]
fn defect_10_an_entry_that_kills_the_process_three_times_is_set_aside_and_the_others_go_on() {
    for action in ["abort", "kill"] {
        let mut bridge = Bridge::stopped(&Setup::default());
        bridge.env.push(("JEMBATAN_POISON".to_owned(), format!("racun:{action}")));
        bridge.start();
        let (ids, poisoned) = hand_in_with_poison(&bridge);
        let_go(&bridge);
        let restarts = supervise(&mut bridge, Duration::from_secs(120), |bridge| {
            let all = all_of(bridge);
            all.len() == 19 && all.iter().all(is_final)
        });
        assert_eq!(restarts, 3, "{action}: three crashes and no more\n{}", bridge.logs());
        let entry = bridge.entries(&poisoned)["racun"].clone();
        assert_eq!((&entry["state"], &entry["why"]["code"]), (&json!("held"), &json!("crashed")), "{entry:#}");
        let ends: Vec<Value> = bridge.attempts(&entry).iter().map(|one| one["outcome"].clone()).collect();
        assert!(ends.iter().filter(|end| **end == "crashed").count() == 3, "{ends:?}");
        all_delivered(&bridge, &ids, action);
        assert!(bridge.logs().contains("set aside"), "{}", bridge.logs());
        // It is looked for before it is sent.
        mended(&mut bridge, "JEMBATAN_POISON", &entry, &poisoned);
    }
}

/// The claim's transaction leaves nothing of a crash inside it; whom it was opening stands in a file of its own.
#[test]
fn an_entry_that_kills_the_claim_itself_is_set_aside_after_three_crashes_and_the_others_go_on() {
    for (action, crashes, code) in [("abort", 3, "crashed"), ("panic", 0, "unreadable")] {
        let mut bridge = Bridge::stopped(&Setup::default());
        bridge.env.push(("JEMBATAN_POISON_CLAIM".to_owned(), format!("racun:{action}")));
        bridge.start();
        let (ids, poisoned) = hand_in_with_poison(&bridge);
        let_go(&bridge);
        let restarts = supervise(&mut bridge, Duration::from_secs(120), |bridge| {
            let all = all_of(bridge);
            all.len() == 19 && all.iter().all(is_final)
        });
        assert_eq!(restarts, crashes, "{action}\n{}", bridge.logs());
        let entry = bridge.entries(&poisoned)["racun"].clone();
        assert_eq!((&entry["state"], &entry["why"]["code"]), (&json!("held"), &json!(code)), "{entry:#}");
        assert_eq!(bridge.attempts(&entry), Vec::<Value>::new(), "nothing was ever sent");
        all_delivered(&bridge, &ids, action);
        mended(&mut bridge, "JEMBATAN_POISON_CLAIM", &entry, &poisoned);
    }
}

/// Told to end, by the manager or by hand, is no crash, however often and whatever is in flight; three kills by hand while
/// the same entry is in flight are, and the reason says what to do.
#[test]
fn a_restart_never_counts_as_a_crash_and_three_kills_by_hand_are_told_as_such() {
    let mut bridge = Bridge::up();
    bridge.fault(Fault::new("write", Kind::TimeoutBeforeLand).lasting(60_000));
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    let in_flight = |bridge: &Bridge| {
        bridge.until("it is in flight", ALARM, || {
            let entry = bridge.entries(&id)["daftar"].clone();
            (entry["state"] == "sending").then_some(())
        });
    };
    for _ in 0..4 {
        in_flight(&bridge);
        assert!(bridge.terminate().0.success());
        bridge.start();
        let entry = bridge.entries(&id)["daftar"].clone();
        assert_ne!(entry["state"], "held", "{entry:#}");
        assert!(!bridge.logs().contains("the last run ended without a word"), "{}", bridge.logs());
    }
    for _ in 0..3 {
        in_flight(&bridge);
        bridge.kill_9();
        bridge.start();
    }
    let entry = bridge.entry_in(&id, "daftar", "held");
    assert_eq!(entry["why"]["code"], "crashed", "{entry:#}");
    let next = entry["why"]["next"].as_str().unwrap_or_default();
    assert!(next.contains("kill -9") && next.contains("'retry'"), "{next}");
    bridge.simulator.clear_faults();
    assert_eq!(bridge.act(&entry, "retry", &json!({})).status, 200);
    bridge.entry_in(&id, "daftar", "delivered");
    crate::day::exactly_once(&bridge, &bridge.deliveries());
}

#[test]
fn an_attempt_that_panics_three_times_is_set_aside_and_the_process_lives() {
    let mut bridge = Bridge::stopped(&Setup::default());
    bridge.env.push(("JEMBATAN_POISON".to_owned(), "racun:panic".to_owned()));
    bridge.start();
    let (ids, poisoned) = hand_in_with_poison(&bridge);
    let_go(&bridge);
    let entry = bridge.entry_in(&poisoned, "racun", "held");
    assert_eq!(entry["why"]["code"], "crashed", "{entry:#}");
    let ends: Vec<Value> = bridge.attempts(&entry).iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(ends.iter().filter(|end| **end == "panicked").count(), 3, "{ends:?}");
    for id in &ids {
        assert!(bridge.finished(id).values().all(|one| one["state"] == "delivered"));
    }
    assert!(bridge.ended().is_none(), "the process lives");
}
