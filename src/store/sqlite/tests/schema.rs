//! The named constraints really refuse, one by one.

use super::*;
use crate::store::conformance::desk::{CARD, DAFTAR};

/// A database with one waiting delivery, closed again, and a connection of our own to it.
async fn raw(folder: &Path) -> Connection {
    let desk = desk_in(folder);
    desk.accept_one("r", DAFTAR, CARD).await;
    drop(desk);
    let connection = Connection::open(folder.join("jembatan.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys=ON").unwrap();
    connection
}

#[tokio::test]
async fn the_schema_repeats_the_state_diagram() {
    let folder = tempfile::tempdir().unwrap();
    let connection = raw(folder.path()).await;
    let lease = "lease_token = 1, lease_until = 1";
    for (constraint, change) in [
        ("state_is_one_of_ours", "state = 'done'".to_owned()),
        ("delivered_says_how", "state = 'delivered'".to_owned()),
        ("delivered_says_how", "how = 'accepted'".to_owned()),
        ("how_is_one_of_ours", "state = 'delivered', how = 'luck'".to_owned()),
        ("sending_is_leased", "state = 'sending'".to_owned()),
        ("sending_is_leased", format!("state = 'sending', lease_purpose = 'look_up', {lease}")),
        ("only_unfinished_is_leased", format!("state = 'cancelled', lease_purpose = 'look_up', {lease}")),
        ("a_lease_is_whole", "lease_token = 1".to_owned()),
        ("a_lease_is_whole", "lease_until = 1".to_owned()),
        ("a_send_lease_means_sending", format!("lease_purpose = 'send', {lease}")),
        ("only_waiting_is_blocked", "state = 'cancelled', blocked_kind = 'order', blocked_id = id".to_owned()),
        ("blocked_names_a_row", "blocked_kind = 'order'".to_owned()),
        (
            "blocked_is_not_leased",
            format!("blocked_kind = 'order', blocked_id = id, lease_purpose = 'look_up', {lease}"),
        ),
        ("only_delivered_clears_the_mark", "state = 'delivered', how = 'accepted', marked = 1".to_owned()),
        ("cancelled_was_never_in_doubt", "state = 'cancelled', marked = 1".to_owned()),
        ("expired_is_not_in_doubt", "state = 'expired', why_code = 'expired', marked = 1".to_owned()),
        ("unanswered_knows_its_question", "state = 'unanswered', marked = 1".to_owned()),
        ("a_stop_says_why", "state = 'refused'".to_owned()),
        ("a_stop_says_why", "state = 'held'".to_owned()),
        ("a_stop_says_why", "state = 'expired'".to_owned()),
    ] {
        let refused = connection.execute(&format!("UPDATE delivery SET {change}"), []);
        let said = refused.expect_err(change.as_str()).to_string();
        assert!(said.contains(constraint), "{change}: {said}");
    }
    assert_eq!(connection.execute("UPDATE delivery SET state = 'held', why_code = 'operator'", []).unwrap(), 1);
}

#[tokio::test]
async fn the_schema_keeps_rows_together() {
    let folder = tempfile::tempdir().unwrap();
    let connection = raw(folder.path()).await;
    for (word, sql) in [
        ("FOREIGN KEY", "DELETE FROM submission"),
        ("FOREIGN KEY", "DELETE FROM delivery"),
        ("FOREIGN KEY", "INSERT INTO remote_id VALUES ('k', 'nobody')"),
        ("FOREIGN KEY", "INSERT INTO prerequisite SELECT id, 'nobody' FROM delivery"),
        (
            "UNIQUE",
            "INSERT INTO submission SELECT 99, 'x', client, facility, ref, body, patient, accepted_at, warnings FROM submission",
        ),
        ("no_negative_count", "UPDATE tally SET count = -1"),
        (
            "an_end_has_an_outcome",
            "INSERT INTO attempt (delivery, number, purpose, started_at, credential_version, ended_at) \
             SELECT id, 1, 'send', 1, 1, 2 FROM delivery",
        ),
        (
            "a_closed_outage_says_by_whom",
            "INSERT INTO outage (facility, service, opened_at, cause, verdict, evidence, opened_by, closed_at) \
             VALUES ('f', 's', 1, 'tcp', 'us', '{}', 'x', 2)",
        ),
        (
            "verdict_is_one_of_ours",
            "INSERT INTO outage (facility, service, opened_at, cause, verdict, evidence, opened_by) \
             VALUES ('f', 's', 1, 'tcp', 'nobody', '{}', 'x')",
        ),
        ("cannot store", "UPDATE delivery SET due_at = 'soon'"),
    ] {
        let said = connection.execute(sql, []).expect_err(sql).to_string();
        assert!(said.contains(word), "{sql}: {said}");
    }
}

#[tokio::test]
async fn what_is_kept_is_found_by_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let connection = raw(folder.path()).await;
    for (sql, arguments, index) in [
        (keep::LIST, 3, "sqlite_autoindex_kept_list_1 (facility=? AND operation=? AND scope=?)"),
        (keep::ROWS, 1, "PRIMARY KEY (list=?)"),
        (keep::BY_CARD, 3, "kept_member_by_card (facility=? AND family=? AND card=?)"),
        (keep::BY_NIK, 3, "kept_member_by_nik (facility=? AND family=? AND nik=?)"),
        (keep::OLDEST_ROWS, 1, "kept_row_by_age"),
        (keep::OLDEST_MEMBERS, 1, "kept_member_by_age"),
    ] {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = rusqlite::params_from_iter(vec!["1"; arguments]);
        let plan: Vec<String> = statement.query_map(values, |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert!(plan[0].contains(index), "{sql}: {plan:?}");
    }
}
