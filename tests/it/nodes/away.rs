//! The database goes away after BPJS has answered: what BPJS said is written down when it is back, not asked for again.

use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use super::cluster::{Cluster, DATABASE};
use crate::bridge::{Setup, card, daftar, submission, yesterday};

/// One node and an entry that BPJS has, whose answer comes in three seconds.
fn answer_under_way() -> (Cluster, String) {
    let mut cluster = Cluster::stopped(&["a"], &Setup { timeout_ms: 10_000, ..Setup::default() }, &[]);
    cluster.start(0);
    cluster.settled();
    let mut slow = Fault::new("pcare.pendaftaran.add", Kind::Slow).times(1);
    slow.ms = Some(3_000);
    cluster.bridge.fault(slow);
    let id = cluster.on(0).submit(&submission("r-1", &[daftar(&card(1), yesterday())]));
    cluster.until("it has landed", || (cluster.bridge.ledger("pendaftaran").len() == 1).then_some(()));
    (cluster, id)
}

/// The answer itself was kept: no look-up was needed, and nothing was sent again.
fn kept_as_answered(cluster: &Cluster, id: &str) {
    let entry = cluster.bridge.finished(id)["daftar"].clone();
    assert_eq!((&entry["state"], &entry["how"]), (&json!("delivered"), &json!("accepted")), "{entry:#}");
    let attempts: Vec<Value> = cluster.bridge.attempts(&entry).iter().map(|one| one["purpose"].clone()).collect();
    assert_eq!(attempts, ["send"], "one attempt, and its end");
    assert_eq!(cluster.bridge.requests("pcare.pendaftaran.add"), 1);
}

fn until_it_tried(cluster: &Cluster) {
    cluster.until("the end could not be recorded", || cluster.logs(0).contains("end not recorded yet").then_some(()));
}

#[test]
fn an_answer_that_comes_while_the_database_is_down_is_recorded_when_it_is_back() {
    let (mut cluster, id) = answer_under_way();
    cluster.server.crash();
    until_it_tried(&cluster);
    cluster.server.start();
    kept_as_answered(&cluster, &id);
}

#[test]
fn an_answer_that_comes_while_nobody_is_let_in_is_recorded_afterwards() {
    let (cluster, id) = answer_under_way();
    let allow =
        |yes: bool| cluster.server.ask("postgres", &format!("ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS {yes}"));
    allow(false);
    assert!(cluster.server.cut_from("postgres", DATABASE, "true") > 0);
    until_it_tried(&cluster);
    allow(true);
    kept_as_answered(&cluster, &id);
}

/// The connection breaks inside the COMMIT of the end: nobody knows whether it was written, so it is written again.
#[test]
fn an_answer_whose_commit_is_cut_is_recorded_by_the_next_try() {
    let (cluster, id) = answer_under_way();
    cluster.server.ask(
        DATABASE,
        "CREATE SEQUENCE tries; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF nextval(''tries'') = 1 THEN PERFORM pg_sleep(20); END IF; RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON attempt DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    cluster.until("it commits", || (cluster.server.cut(DATABASE, "wait_event = 'PgSleep'") == 1).then_some(()));
    kept_as_answered(&cluster, &id);
    assert!(cluster.logs(0).contains("end not recorded yet"));
}
