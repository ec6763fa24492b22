//! Every statement of the store has an index to go by, or a reason to walk.
//!
//! The statements are not listed here: the whole conformance suite runs, every statement that reached SQLite is kept, and
//! the plan of each is asked for. A new statement is held to the same without anybody thinking of it.

use super::super::connection::steps;
use super::*;

/// Tables that may be walked from end to end, by the names that statements give them, and why.
const SMALL: &[(&str, &str)] = &[
    ("meta", "a few rows"),
    ("sqlite_sequence", "a row a table"),
    ("tally", "a row per facility, service and state"),
    ("pause", "a row a facility"),
    ("lane_stop", "a row per facility and service"),
    ("circuit", "a row per facility and service"),
    ("outage", "a row an outage"),
    ("o", "an outage"),
    ("outage_plan", "announced maintenance"),
    ("reconciliation", "a row a day and facility, newest first by its index"),
    ("reconciliation_day", "a row a day and facility"),
    ("obligation_event", "what a person recorded"),
    ("obligation_done", "what a person marked"),
    ("l", "kept lists: dozens"),
    ("kept_list", "kept lists: dozens"),
    ("kept_term", "what is kept is bounded by [keep]"),
    ("kept_row", "what is kept is bounded by [keep]"),
    ("kept_member", "what is kept is bounded by [keep]"),
    ("touched", "made by the statement, of the entries of an outage and the day before it"),
    ("oldest", "made by the statement, as many rows as were asked for"),
    ("counted", "made by the statement, at most LATE_COUNTED rows"),
    ("CONSTANT", "no table"),
];

/// Walks of a large table that are meant: the table, a piece of the statement, and why.
const MEANT: &[(&str, &str, &str)] = &[
    ("audit", "ORDER BY seq DESC LIMIT 1", "one step from the end"),
    ("delivery", "crashes > 0 AND lease_token IS NOT NULL)", "by the index of what is leased: a few"),
    ("change", "INSERT INTO delivery", "a foreign key's check, run only while a row without its delivery stands"),
    ("released", "INSERT INTO delivery", "a foreign key's check, run only while a row without its delivery stands"),
    ("remote_id", "INSERT INTO delivery", "a foreign key's check, run only while a row without its delivery stands"),
];

/// Cases of many steps and no statement of their own.
const LONG: &[&str] = &[
    "a_chain_of_a_thousand_is_held_and_let_go",
    "whatever_happens_order_prerequisites_and_counts_hold",
    "whatever_is_booked_and_cancelled_numbers_and_quotas_hold",
];

macro_rules! all_cases {
    ($($module:ident::$case:ident,)*) => {
        /// Runs the whole suite, each case on a database of its own, but for what only says the same things more often.
        async fn everything() {$(
            if !LONG.contains(&stringify!($case)) {
                let folder = tempfile::tempdir().unwrap();
                conformance::$module::$case(&desk_in(folder.path())).await;
            }
        )*}
    };
}
for_every_case!(all_cases);

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get(3).unwrap());
    }
    lines
}

/// What of a plan is not as it should be.
fn fault(sql: &str, line: &str) -> bool {
    let walked = line.strip_prefix("SCAN ").and_then(|rest| rest.split_whitespace().next());
    let small = walked.is_none_or(|table| SMALL.iter().any(|(name, _)| *name == table));
    let meant = MEANT.iter().any(|(table, piece, _)| walked == Some(table) && sql.contains(piece));
    (!small && !meant) || line.contains("AUTOMATIC")
}

#[tokio::test]
async fn every_statement_goes_by_an_index_and_every_index_is_gone_by() {
    everything().await;
    let folder = tempfile::tempdir().unwrap();
    drop(desk_in(folder.path()));
    let connection = Connection::open(folder.path().join("jembatan.db")).unwrap();
    let (statements, mut faults, mut plans) = (steps::statements(), Vec::new(), Vec::new());
    assert!(statements.len() > 150, "only {} statements were seen", statements.len());
    for sql in &statements {
        for line in plan(&connection, sql) {
            if fault(sql, &line) {
                faults.push(format!("{line}\n    {sql}"));
            }
            plans.push(line);
        }
    }
    assert!(faults.is_empty(), "{} walks:\n{}", faults.len(), faults.join("\n"));
    let walk = "SELECT id FROM delivery WHERE rule = ?1";
    assert!(plan(&connection, walk).iter().any(|line| fault(walk, line)), "a walk would be seen");
    // An index that no statement goes by costs every write and helps nobody; those that forbid something may.
    let idle: Vec<String> =
        indexes(&connection).into_iter().filter(|name| !plans.iter().any(|line| line.contains(name))).collect();
    assert!(idle.is_empty(), "{idle:?}");
}

/// The indexes that only speed something up.
fn indexes(connection: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE INDEX%'";
    let mut named = connection.prepare(sql).unwrap();
    named.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
