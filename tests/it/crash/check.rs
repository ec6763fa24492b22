//! What must be true after any number of crashes: compared are the SIM's ledger, the bridge's database and BPJS's own
//! account, so that no one of them is believed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::sim::{Ledger, at_bpjs};
use crate::bridge::Bridge;

/// BPJS's log and the bridge's rows are of one machine's clock; a request may be read a moment after its sender died.
const SLACK_MS: i64 = 3_000;

/// The database, read beside the daemon or after it.
pub(crate) fn database(bridge: &Bridge) -> Connection {
    let path = bridge.state().join("jembatan.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    connection
}

/// Deliveries that are not final.
pub(crate) fn unfinished(bridge: &Bridge) -> i64 {
    count(&database(bridge), "SELECT count(*) FROM delivery WHERE state IN ('waiting', 'sending', 'unanswered')")
}

pub(crate) fn count(database: &Connection, sql: &str) -> i64 {
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn rows<const N: usize>(database: &Connection, sql: &str) -> Vec<[String; N]> {
    let mut statement = database.prepare(sql).unwrap();
    let text = |row: &rusqlite::Row<'_>, n: usize| -> rusqlite::Result<String> {
        Ok(match row.get_ref(n)? {
            rusqlite::types::ValueRef::Null => String::new(),
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap_or("?").to_owned(),
        })
    };
    let rows = statement.query_map([], |row| {
        let mut all = [const { String::new() }; N];
        for (n, cell) in all.iter_mut().enumerate() {
            *cell = text(row, n)?;
        }
        Ok(all)
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Everything that is wrong, in words; empty: the promises held. The daemon runs and has nothing left to do.
pub(crate) fn problems(bridge: &Bridge, ledger: &Ledger) -> Vec<String> {
    let database = database(bridge);
    let mut wrong = ledger.faults.clone();
    wrong.extend(lost(&database, ledger));
    wrong.extend(not_delivered(&database));
    wrong.extend(copies(bridge, ledger));
    wrong.extend(without_attempt(bridge, &database));
    wrong.extend(disagreeing(&database));
    wrong.extend(not_audited(bridge, &database, ledger));
    wrong
}

/// Every 202 is found, under the id that it was told.
fn lost(database: &Connection, ledger: &Ledger) -> Vec<String> {
    let known: BTreeMap<String, String> =
        rows(database, "SELECT ref, id FROM submission").into_iter().map(|[reference, id]| (reference, id)).collect();
    let missing = ledger.accepted.iter().filter(|(reference, id)| known.get(*reference) != Some(id));
    missing.map(|(reference, id)| format!("lost: {reference} ({id}) was acknowledged")).collect()
}

/// Everything is delivered: nothing that these SIMs hand in is anybody's to decide.
fn not_delivered(database: &Connection) -> Vec<String> {
    let odd = rows(
        database,
        "SELECT s.ref, d.entry_ref, d.state, d.why_code FROM delivery d JOIN submission s ON s.id = d.submission \
         WHERE d.state <> 'delivered'",
    );
    odd.into_iter().map(|[a, b, state, why]| format!("not delivered: {a}/{b} is {state} ({why})")).collect()
}

/// BPJS has what was wanted, each once, and nothing else.
fn copies(bridge: &Bridge, ledger: &Ledger) -> Vec<String> {
    let there = at_bpjs(bridge);
    let mut wrong = Vec::new();
    for (key, wanted) in &ledger.wanted {
        let found = there.get(key).copied().unwrap_or(0);
        if found != *wanted {
            wrong.push(format!(
                "{}: {key} stands {found} times at BPJS, wanted {wanted}",
                if found < *wanted { "missing" } else { "copy" }
            ));
        }
    }
    let unasked = there.keys().filter(|key| !ledger.wanted.contains_key(*key));
    wrong.extend(unasked.map(|key| format!("copy: nobody wanted {key}")));
    wrong
}

/// Every writing request that BPJS saw has an attempt of its own on record, begun before it and not ended before it.
fn without_attempt(bridge: &Bridge, database: &Connection) -> Vec<String> {
    let sql = "SELECT d.operation, a.started_at, coalesce(a.ended_at, 9000000000000) FROM attempt a \
               JOIN delivery d ON d.id = a.delivery WHERE a.purpose = 'send' ORDER BY a.started_at";
    let mut attempts: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for [operation, began, ended] in rows(database, sql) {
        attempts.entry(operation).or_default().push((began.parse().unwrap(), ended.parse().unwrap()));
    }
    let mut seen: Vec<(Timestamp, String, String)> = bridge.simulator.log_of_requests();
    seen.retain(|(_, operation, _)| [".add", ".edit", ".delete"].iter().any(|end| operation.ends_with(end)));
    seen.sort();
    let mut wrong = Vec::new();
    for (at, operation, outcome) in seen {
        let (at, own) = (at.as_millisecond(), attempts.entry(operation.clone()).or_default());
        // Of those under way the one that ended first: the others may still be another request's.
        let under_way = own.iter().enumerate().filter(|(_, (began, ended))| *began <= at && at <= *ended + SLACK_MS);
        match under_way.min_by_key(|(_, (_, ended))| *ended).map(|(place, _)| place) {
            Some(place) => drop(own.swap_remove(place)),
            None => wrong.push(format!("no attempt on record: {operation} ({outcome}) at {at}")),
        }
    }
    wrong
}

/// The file is whole, and its own sums agree with its rows.
fn disagreeing(database: &Connection) -> Vec<String> {
    let mut wrong = Vec::new();
    let checked = rows::<1>(database, "PRAGMA integrity_check");
    if checked != [["ok".to_owned()]] {
        wrong.push(format!("integrity: {checked:?}"));
    }
    let counted = "SELECT state, coalesce(how, ''), count(*) FROM delivery GROUP BY 1, 2 ORDER BY 1, 2";
    let tallied = "SELECT state, how, sum(count) FROM tally WHERE count <> 0 GROUP BY 1, 2 ORDER BY 1, 2";
    let (counted, tallied) = (rows::<3>(database, counted), rows::<3>(database, tallied));
    if counted != tallied {
        wrong.push(format!("counts: {counted:?} in rows, {tallied:?} in the tally"));
    }
    let sums = [
        ("foreign keys", "SELECT count(*) FROM pragma_foreign_key_check"),
        ("leases left", "SELECT count(*) FROM delivery WHERE lease_token IS NOT NULL"),
        ("attempts without an end", "SELECT count(*) FROM attempt WHERE ended_at IS NULL"),
        (
            "final entries that the feed does not name",
            "SELECT count(*) FROM delivery d WHERE NOT EXISTS (SELECT 1 FROM change c WHERE c.delivery = d.id)",
        ),
        (
            "delivered without a send or a finding",
            "SELECT count(*) FROM delivery d WHERE NOT EXISTS (SELECT 1 FROM attempt a WHERE a.delivery = d.id)",
        ),
    ];
    for (what, sql) in sums {
        let n = count(database, sql);
        if n != 0 {
            wrong.push(format!("{what}: {n}"));
        }
    }
    wrong
}

/// The chain of the security log is whole, and every acknowledged act stands in it once.
fn not_audited(bridge: &Bridge, database: &Connection, ledger: &Ledger) -> Vec<String> {
    let mut wrong = Vec::new();
    let (code, out, err) = bridge.cli_says(&["audit", "verify", "--json"], "");
    if code != Some(0) || !out.contains("\"ok\":true") {
        wrong.push(format!("audit: {code:?} {out} {err}"));
    }
    let known: Vec<String> = rows(database, "SELECT detail FROM audit").into_iter().map(|[detail]| detail).collect();
    for act in &ledger.acts {
        let times = known.iter().filter(|detail| *detail == act).count();
        if times != 1 {
            wrong.push(format!("act {act} stands {times} times in the security log"));
        }
    }
    wrong
}
