//! Every statement of the store has an index to go by on PostgreSQL too, or a reason to walk.
//!
//! As on SQLite the whole conformance suite runs, and every statement that reached the server is kept. Each is planned as a
//! prepared statement is that nobody knows the values of, among tens of thousands of rows in every table that grows.

use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::super::seen;
use super::scale::fill;
use super::*;

/// Tables that may be walked from end to end, and why.
const SMALL: &[(&str, &str)] = &[
    ("meta", "a few rows"),
    ("migration", "a row a version"),
    ("node", "a row a node"),
    ("facility_owner", "a row a facility"),
    ("tally", "a row per facility, service and state"),
    ("pause", "a row a facility"),
    ("lane_stop", "a row per facility and service"),
    ("circuit", "a row per facility and service"),
    ("outage", "a row an outage"),
    ("outage_plan", "announced maintenance"),
    ("reconciliation", "a row a day and facility"),
    ("reconciliation_day", "a row a day and facility"),
    ("obligation_event", "what a person recorded"),
    ("obligation_done", "what a person marked"),
    ("kept_list", "kept lists: dozens"),
    ("kept_term", "what is kept is bounded by [keep]"),
    ("kept_row", "what is kept is bounded by [keep]"),
    ("kept_member", "what is kept is bounded by [keep]"),
];

/// Walks of a large table or its index that are meant: the index (or the table), a piece of the statement, and why.
const MEANT: &[(&str, &str, &str)] = &[
    ("change_not_numbered", "cursor IS NULL", "the index has what is not numbered yet and nothing else"),
    ("delivery_suspect", "crashes > 0 AND lease_token IS NOT NULL", "the index has the suspects and nothing else"),
    ("delivery_leased", "lane = $1 AND seq <> $2 AND lease_token IS NOT NULL", "the index has what is in hand: a few"),
    ("delivery_unreadable", "why_code = 'unreadable'", "the index has what cannot be opened and nothing else"),
    ("audit_pkey", "ORDER BY seq DESC LIMIT 1", "one step from the end"),
    // Without values a third of the feed seems to be behind any cursor. PostgreSQL keeps planning these with their values,
    // because that is cheaper; the pages that they touch are counted (scale.rs).
    ("delivery", "c.cursor >= $5", "the end of the feed"),
    ("delivery", "c.cursor > (SELECT", "the end of the feed"),
    ("antrean_booking_pkey", "WHERE state = $1 ORDER BY seq LIMIT", "as many as asked for; planned with its values"),
    (
        "antrean_registration_pkey",
        "WHERE state = $1 ORDER BY seq LIMIT",
        "as many as asked for; planned with its values",
    ),
    ("antrean_session", "SELECT EXISTS", "until the first of the poli: a row a doctor and day"),
];

/// Rows of the tables that grow and that [`fill`] does not fill.
const MORE: &[&str] = &[
    "INSERT INTO prerequisite (child, parent) SELECT id, before FROM \
     (SELECT id, lag(id) OVER (ORDER BY seq) AS before FROM delivery) AS pairs WHERE before IS NOT NULL",
    "INSERT INTO provisional_id (key, delivery, name, value) SELECT md5('k' || id), id, 'noUrut', seq::text FROM delivery",
    "INSERT INTO released (delivery, by) SELECT id, id FROM delivery",
    "INSERT INTO audit SELECT n, n, 'a', 'b', 'c', 'd', md5(n::text) FROM generate_series(1, 30000) AS n",
    "INSERT INTO reconciliation SELECT 'r' || n, '0114A026', '2026-11-01', '2026-11-01', n, n, '{}', '' \
     FROM generate_series(1, 3000) AS n",
    "INSERT INTO settlement (reconciliation, item, how, reason, actor, at) SELECT 'r' || (1 + n % 3000), n, 'other', '', 'p', n \
     FROM generate_series(1, 30000) AS n",
    "INSERT INTO antrean_booking (id, facility, day, poli, poli_name, doctor, doctor_name, hours, card, ref, number, label, \
     origin, state, person, booked_at, updated_at) SELECT 'b' || n, '0114A02' || (1 + n % 6), \
     to_char(DATE '2026-01-01' + n / 200, 'YYYY-MM-DD'), '00' || (1 + n % 3), 'U', 1, 'D', '08:00-12:00', md5(n::text), \
     'r' || n, n, 'A-' || n, 'sim', CASE WHEN n > 29900 THEN 'booked' ELSE 'served' END, \
     CASE WHEN n > 29000 THEN '\\x00'::bytea END, n, n FROM generate_series(1, 30000) AS n",
    "INSERT INTO antrean_registration (id, facility, card, state, body, asked_at, updated_at) SELECT 'g' || n, \
     '0114A02' || (1 + n % 6), md5(n::text), CASE WHEN n > 29900 THEN 'waiting' ELSE 'accepted' END, \
     CASE WHEN n > 29000 THEN '\\x00'::bytea END, n, n FROM generate_series(1, 30000) AS n",
    "INSERT INTO antrean_patient (facility, card, norm) SELECT '0114A02' || (1 + n % 6), md5(n::text), '' \
     FROM generate_series(1, 30000) AS n",
    "INSERT INTO antrean_counter (facility, day, poli, prefix, last) SELECT '0114A02' || (1 + n % 6), \
     to_char(DATE '1990-01-01' + n, 'YYYY-MM-DD'), '001', 'A', n FROM generate_series(1, 12000) AS n",
    "INSERT INTO antrean_session (facility, day, poli, doctor, hours, poli_name, doctor_name, quota, closes, prefix, remark) \
     SELECT '0114A02' || (1 + n % 6), to_char(DATE '1990-01-01' + n, 'YYYY-MM-DD'), '001', 1, '08:00-12:00', 'U', 'D', 10, \
     '12:00', 'A', '' FROM generate_series(1, 12000) AS n",
    "VACUUM (ANALYZE)",
];

/// Cases of many steps and no statement of their own.
const LONG: &[&str] = &[
    "a_chain_of_a_thousand_is_held_and_let_go",
    "whatever_happens_order_prerequisites_and_counts_hold",
    "whatever_is_booked_and_cancelled_numbers_and_quotas_hold",
];

/// Empties a store between two cases: a database for each takes longer than the cases.
const EMPTY: &str = "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || \
    ' RESTART IDENTITY' FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('meta', 'migration')); END $$";

macro_rules! all_cases {
    ($($module:ident::$case:ident,)*) => {
        /// Runs the whole suite, but for what only says the same things more often.
        async fn everything() {
            let database = server::database();
            let store: Arc<dyn crate::store::Store> = Arc::new(open(&database.url()).await.0);
            $(
                if !LONG.contains(&stringify!($case)) {
                    database.run(&[EMPTY]);
                    let desk = Desk::new(Arc::clone(&store));
                    Box::pin(conformance::$module::$case(&desk)).await;
                }
            )*
        }
    };
}
for_every_case!(all_cases);

/// One step of a plan.
#[derive(Debug, Default)]
struct Step {
    kind: String,
    table: String,
    index: String,
    has_condition: bool,
}

fn steps(plan: &Value, all: &mut Vec<Step>) {
    let word = |name: &str| plan[name].as_str().unwrap_or_default().to_owned();
    let has_condition = plan.get("Index Cond").is_some();
    all.push(Step { kind: word("Node Type"), table: word("Relation Name"), index: word("Index Name"), has_condition });
    plan["Plans"].as_array().into_iter().flatten().for_each(|below| steps(below, all));
}

/// The plan of a statement whose values nobody knows.
async fn plan(client: &Client, sql: &str, types: &[Type]) -> Vec<Step> {
    let kinds = types.iter().map(Type::name).collect::<Vec<_>>().join(", ");
    let kinds = if kinds.is_empty() { kinds } else { format!("({kinds})") };
    client
        .batch_execute(&format!("PREPARE one {kinds} AS {sql}"))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let nulls = vec!["NULL"; types.len()].join(", ");
    let nulls = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    let told = client.simple_query(&format!("EXPLAIN (FORMAT JSON) EXECUTE one {nulls}")).await.unwrap();
    client.batch_execute("DEALLOCATE one").await.unwrap();
    let text = told.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    let told: Value = serde_json::from_str(&text.unwrap()).unwrap();
    let mut all = Vec::new();
    steps(&told[0]["Plan"], &mut all);
    all
}

/// Whether a step goes through all of something that grows, without leave.
fn walks(sql: &str, step: &Step, table_of: &dyn Fn(&str) -> String) -> bool {
    let through_all = match step.kind.as_str() {
        "Seq Scan" | "Sample Scan" | "Tid Range Scan" => true,
        "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => !step.has_condition,
        _ => false,
    };
    let table = if step.table.is_empty() { table_of(&step.index) } else { step.table.clone() };
    let small = SMALL.iter().any(|(name, _)| *name == table);
    let named = |name: &str| name == step.index || (step.index.is_empty() && name == table);
    through_all && !small && !MEANT.iter().any(|(name, piece, _)| named(name) && sql.contains(piece))
}

async fn client(database: &server::Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    client
}

/// The suite in one needs more room than a test's thread has.
fn run_everything() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(everything());
    };
    std::thread::Builder::new().stack_size(256 << 20).spawn(run).unwrap().join().unwrap();
}

#[tokio::test]
async fn every_statement_goes_by_an_index_on_postgresql_too() {
    run_everything();
    let statements = seen::statements();
    assert!(statements.len() > 150, "only {} statements were seen", statements.len());
    let database = server::database();
    drop(open(&database.url()).await);
    let client = client(&database).await;
    let indexes = client.query("SELECT indexname::text, tablename::text FROM pg_indexes", &[]).await.unwrap();
    let table_of = |index: &str| {
        let row = indexes.iter().find(|row| row.get::<_, &str>(0) == index);
        row.map(|row| row.get(1)).unwrap_or_default()
    };
    fill(&database, 3_000, 30_000);
    database.run(MORE);
    let mut faults = Vec::new();
    for (sql, types) in &statements {
        for step in plan(&client, sql, types).await.iter().filter(|step| walks(sql, step, &table_of)) {
            faults.push(format!("{step:?}\n    {sql}"));
        }
    }
    assert!(faults.is_empty(), "{} walks:\n{}", faults.len(), faults.join("\n"));
    let walk = "SELECT id FROM delivery WHERE rule = $1";
    let seen = plan(&client, walk, &[Type::TEXT]).await;
    assert!(seen.iter().any(|step| walks(walk, step, &table_of)), "a walk would be seen");
}
