//! Moving from SQLite to PostgreSQL: whole or not at all, one of the two, and the day goes on.

use std::process::{Command, Stdio};
use std::time::Duration;

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use super::cluster::{Cluster, DATABASE, FACILITIES, entries, spread_day_in_doubt};
use super::server::Server;
use crate::bridge::{PATIENCE, Setup, is_final, yesterday};
use crate::day::exactly_once;

/// A bridge on SQLite with a day's work in every state: delivered, refused, held behind it, waiting in an outage,
/// unanswered, in flight when it was killed, cancelled.
fn worked(cluster: &mut Cluster) -> Vec<Value> {
    let bridge = cluster.alone();
    bridge.start();
    let mut day = spread_day_in_doubt(4);
    poison(&mut day[3]);
    let (first, rest) = day.split_at(day.len() / 2);
    for answer in bridge.submit_all(first, 4) {
        assert!(answer.is_some_and(|answer| answer.status < 300));
    }
    bridge.until("the first half is final", PATIENCE, || bridge.deliveries().iter().all(is_final).then_some(()));
    // The second half meets lost answers, then an outage, then the kill. What is handed in during the outage waits, and
    // a person holds one of it.
    bridge.fault(Fault::new("write", Kind::LandThenTimeout).lasting(60_000).times(3));
    let (unanswered, waiting) = rest.split_at(rest.len() / 2);
    for answer in bridge.submit_all(unanswered, 4) {
        assert!(answer.is_some_and(|answer| answer.status < 300));
    }
    bridge.simulator.down(DownMode::Hang, None);
    for answer in bridge.submit_all(waiting, 4) {
        assert!(answer.is_some_and(|answer| answer.status < 300));
    }
    bridge.until("one is held by a person", PATIENCE, || {
        let one = bridge.deliveries().into_iter().find(|one| one["state"] == "waiting")?;
        (bridge.act(&one, "hold", &json!({})).status == 200).then_some(())
    });
    bridge.kill_9();
    bridge.simulator.up();
    day
}

/// 412 is for the doctor.
fn poison(body: &mut Value) {
    for entry in body["entries"].as_array_mut().unwrap() {
        if entry["operation"] == "pcare.kunjungan.add" {
            entry["payload"]["kdDokter"] = json!("999999");
        }
    }
}

fn migrate(cluster: &Cluster, more: &[&str]) -> (Option<i32>, String, String) {
    let url = cluster.server.url(DATABASE);
    let mut arguments = vec!["store", "migrate", "--to", &url];
    arguments.extend(more);
    cluster.bridge.cli_says(&arguments, "")
}

/// A command with the configuration of the nodes.
fn on_postgres(cluster: &Cluster, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jembatan"));
    command.args(arguments).arg("--config").arg(cluster.bridge.config()).stdin(Stdio::null());
    command.envs(cluster.nodes[0].env.iter().cloned());
    command.env("JEMBATAN__HTTP__LISTEN", format!("127.0.0.1:{}", cluster.nodes[0].port));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_day_in_every_state_moves_to_postgres_and_goes_on_without_loss_or_double() {
    let mut cluster = Cluster::stopped(&["a", "b"], &Setup { seed: 3, timeout_ms: 800, ..Setup::default() }, &[]);
    let day = worked(&mut cluster);
    let (code, out, err) = migrate(&cluster, &["--json"]);
    assert_eq!(code, Some(0), "{err}");
    let said: Value = serde_json::from_str(&out).unwrap();
    let rows = |table: &str| {
        said["tables"].as_array().unwrap().iter().find(|one| one["table"] == table).unwrap()["rows"].as_u64().unwrap()
    };
    assert_eq!(rows("delivery"), entries(&day) as u64, "{said:#}");
    assert!(rows("attempt") > 0 && rows("audit") > 0 && rows("change") > 0, "{said:#}");
    // The old database is closed to daemons, with the remedy.
    cluster.bridge.spawn();
    cluster.bridge.until("the daemon refuses", PATIENCE, || {
        cluster.bridge.logs().contains("moved to another database").then_some(())
    });
    cluster.bridge.kill_9();
    // Again changes nothing.
    let (code, out, _) = migrate(&cluster, &["--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["before"].clone()), (Some(0), json!(true)));

    cluster.start(0);
    cluster.start(1);
    cluster.settled();
    let bridge = cluster.on(0);
    let pauses = bridge.get("/v1/pauses");
    assert_eq!(pauses["items"], json!([]), "a move is no restore: {pauses:#}");
    let held: Vec<Value> = bridge
        .deliveries()
        .into_iter()
        .filter(|one| one["state"] == "held" && one["why"]["code"] == "operator")
        .collect();
    for one in &held {
        assert_eq!(bridge.act(one, "release", &json!({})).status, 200);
    }
    // The SIM hands everything in once more, and something new.
    cluster.hand_in(&day, &[0, 1]);
    let all = cluster.all_final(1, entries(&day));
    assert_eq!(all.len(), entries(&day), "references are known");
    let expected =
        |one: &Value| one["state"] == "delivered" || one["state"] == "refused" || one["why"]["code"] == "prerequisite";
    let odd: Vec<&Value> = all.iter().filter(|one| !expected(one)).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    assert!(all.iter().any(|one| one["state"] == "refused") && all.iter().any(|one| one["how"] == "adopted"));
    exactly_once(&cluster.bridge, &all);
    let log = cluster.bridge.get("/v1/audit?limit=1000");
    let lines = log["items"].as_array().cloned().unwrap_or_default();
    let moves: Vec<&Value> = lines.iter().filter(|line| line["action"] == "store.migrate").collect();
    assert!(lines.len() > 2 && moves.len() == 1, "the security log has moved too, and says so once: {log:#}");
    let (from, said) = (moves[0]["object"].as_str().unwrap(), moves[0]["detail"].as_str().unwrap());
    assert!(moves[0]["actor"].as_str().is_some_and(|actor| actor.starts_with("operator")), "{log:#}");
    assert!(from.starts_with("sqlite:/") && said.contains(&format!("delivery {}", entries(&day))), "{from}: {said}");
    // The chain goes on over the move without a break, and the day compares with BPJS entry for entry.
    let (code, out, err) = on_postgres(&cluster, &["audit", "verify", "--json"]);
    assert!(code == Some(0) && out.contains("\"ok\":true"), "{code:?} {out} {err}");
    let delivered = all.iter().filter(|one| one["state"] == "delivered").count() as u64;
    let mut equal = 0;
    for facility in FACILITIES {
        let body = json!({ "facility": facility, "date": yesterday().to_string() });
        let told = cluster.bridge.call("POST", "/v1/reconciliations", Some(&body));
        assert_eq!((told.status, &told.body["complete"]), (200, &json!(true)), "{told:?}");
        let count = |class: &str| told.body["counts"][class].as_u64().unwrap();
        // The simulator keeps one list for the four: what the others registered is only there. What is only here was
        // refused, or is held behind what was.
        assert_eq!(count("unanswered"), 0, "{:#}", told.body);
        let missing = |item: &&Value| item["class"] == "only_here" && item["state"] == "delivered";
        let lost: Vec<&Value> = told.body["items"].as_array().unwrap().iter().filter(missing).collect();
        assert!(lost.is_empty(), "{lost:#?}");
        equal += count("equal");
    }
    assert_eq!(equal, delivered, "everything delivered is there");
    assert_eq!(FACILITIES.len(), cluster.owned(0) + cluster.owned(1));
}

#[test]
fn a_move_that_is_killed_leaves_nothing_half_and_can_be_run_again_or_given_up() {
    let mut cluster = Cluster::stopped(&["a"], &Setup { seed: 4, ..Setup::default() }, &[]);
    let day = worked(&mut cluster);
    let url = cluster.server.url(DATABASE);
    let count = |server: &Server, table: &str| {
        server.try_ask(DATABASE, &format!("SELECT count(*) FROM {table}")).unwrap_or_else(|| "0".to_owned())
    };
    let mut killed_at_work = 0;
    for pause in [5_u64, 20, 60, 120, 200] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_jembatan"))
            .args(["store", "migrate", "--to", &url, "--config"])
            .arg(cluster.bridge.config())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        drop(child.kill());
        let ended_well = child.wait().unwrap().success();
        if ended_well {
            break;
        }
        killed_at_work += 1;
        let here = count(&cluster.server, "delivery");
        assert!(here == "0" || here == entries(&day).to_string(), "half a move: {here}");
    }
    assert!(killed_at_work > 0);
    let (code, _, err) = migrate(&cluster, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(count(&cluster.server, "delivery"), entries(&day).to_string());
    let (code, _, err) = migrate(&cluster, &["--give-up"]);
    assert_eq!(code, Some(4), "what has arrived is not given up: {err}");
}

#[test]
fn a_move_is_refused_while_either_side_is_in_use_and_given_up_only_where_nothing_arrived() {
    let mut cluster = Cluster::stopped(&["a"], &Setup::default(), &[]);
    // The source runs.
    cluster.alone().start();
    let (code, _, err) = migrate(&cluster, &[]);
    assert!(code == Some(1) && err.contains("another jembatan runs"), "{err}");
    cluster.bridge.kill_9();
    // The target runs.
    cluster.start(0);
    let (code, _, err) = migrate(&cluster, &[]);
    assert_eq!(code, Some(1), "{err}");
    // Now the source is marked; a daemon refuses until it is given up.
    cluster.bridge.spawn();
    cluster.bridge.until("the daemon refuses", PATIENCE, || cluster.bridge.logs().contains("--give-up").then_some(()));
    cluster.bridge.kill_9();
    let (code, _, err) = migrate(&cluster, &["--give-up"]);
    assert_eq!(code, Some(0), "{err}");
    cluster.alone().start();
    cluster.bridge.kill_9();
    cluster.terminate(0);
}
