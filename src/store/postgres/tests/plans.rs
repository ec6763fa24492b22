//! Every statement of the store has an index to go by on PostgreSQL too, or a reason to walk.
//!
//! As on SQLite the whole conformance suite runs, and every statement that reached the server is kept. Each is planned as a
//! prepared statement is (without its values), twice: with walks forbidden wherever there is another way, which shows what
//! is possible at any size, and as PostgreSQL chooses among tens of thousands of rows.

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
const MEANT: &[(&str, &str, &str)] = &[];

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
                let database = server::database();
                conformance::$module::$case(&Desk::new(Arc::new(open(&database.url()).await.0))).await;
            }
        )*}
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
    client.batch_execute(&format!("PREPARE one {kinds} AS {sql}")).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
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

#[tokio::test]
async fn every_statement_goes_by_an_index_on_postgresql_too() {
    everything().await;
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
    let mut faults = Vec::new();
    for walking in ["off", "on"] {
        client.batch_execute(&format!("SET enable_seqscan = {walking}")).await.unwrap();
        for (sql, types) in &statements {
            for step in plan(&client, sql, types).await {
                // Tables without rows are walked, and rightly: only where walks cost something does the choice count.
                let full = ["delivery", "submission", "attempt", "change", "remote_id", "entry_body"];
                if walks(sql, &step, &table_of) && (walking == "off" || full.contains(&step.table.as_str())) {
                    faults.push(format!("walks {walking}: {step:?}\n    {sql}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} walks:\n{}", faults.len(), faults.join("\n"));
    let walk = "SELECT id FROM delivery WHERE rule = $1";
    let seen = plan(&client, walk, &[Type::TEXT]).await;
    assert!(seen.iter().any(|step| walks(walk, step, &table_of)), "a walk would be seen");
}
