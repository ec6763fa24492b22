//! The schema: numbered steps, each of which expands it or contracts it.
//!
//! A file begins with `-- expand` or `-- contract`. What expands leaves everything that older programs know; what contracts
//! takes away what no program of this version needs any more. So nodes are replaced one by one: the first of the new version expands,
//! and the last contraction waits until no node of an older version is alive. All of it in one transaction, under a lock.

use super::connection::SCHEMA;
use super::errors;
use crate::store::StoreError;

/// Every step in order; its place is the schema's version after it.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("migrations/0001.sql")];
/// A node that has not been seen for so long is not alive.
const ALIVE_MILLIS: i64 = 60_000;
/// The first line of a step that takes something away.
const CONTRACT: &str = "-- contract";

/// What bringing the schema up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Migrated {
    /// There was none.
    pub(super) fresh: bool,
    /// Version now; lower than the newest known while a contraction waits for older nodes.
    pub(super) version: i64,
}

fn version_of(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

/// Brings the schema up as far as other nodes allow.
///
/// # Errors
/// [`StoreError::Newer`] if a newer program took something away that this one needs; [`StoreError::Database`] if what this one
/// needs has to wait for an older node.
pub(super) async fn migrate(client: &mut tokio_postgres::Client, steps: &[&str]) -> Result<Migrated, StoreError> {
    let done = migrate_in_one(client, steps).await;
    done.map_err(|error| match error {
        Failed::Server(error) => errors::of(&error),
        Failed::Store(error) => error,
    })
}

enum Failed {
    Server(tokio_postgres::Error),
    Store(StoreError),
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

async fn migrate_in_one(client: &mut tokio_postgres::Client, steps: &[&str]) -> Result<Migrated, Failed> {
    let transaction = client.transaction().await?;
    // Waited for longer than other locks: another node may be at work on a large table.
    transaction.batch_execute("SET LOCAL lock_timeout = '10min'; SET LOCAL statement_timeout = 0").await?;
    transaction.batch_execute(&format!("SELECT pg_advisory_xact_lock({SCHEMA})")).await?;
    transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS migration (version BIGINT PRIMARY KEY, contracts BIGINT NOT NULL, \
             applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
        )
        .await?;
    let row = transaction
        .query_one(
            "SELECT coalesce(max(version), 0), coalesce(max(version) FILTER (WHERE contracts = 1), 0) FROM migration",
            &[],
        )
        .await?;
    let (found, contracted): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let known = version_of(steps);
    if contracted > known {
        return Err(Failed::Store(StoreError::Newer { found: contracted, known }));
    }
    let mut version = found;
    for (number, sql) in (1_i64..).zip(steps).filter(|(number, _)| *number > found) {
        let contracts = sql.starts_with(CONTRACT);
        if contracts && older_alive(&transaction, number).await? {
            tracing::warn!(step = number, "the schema is not contracted yet: a node of an older version is alive");
            break;
        }
        transaction.batch_execute(sql).await?;
        let contracts = i64::from(contracts);
        transaction
            .execute("INSERT INTO migration (version, contracts) VALUES ($1, $2)", &[&number, &contracts])
            .await?;
        version = number;
    }
    transaction.commit().await?;
    // What expands behind a contraction that waits is needed by this program and not there.
    let needs_more = (1_i64..).zip(steps).any(|(number, sql)| number > version && !sql.starts_with(CONTRACT));
    if needs_more {
        let why = "a node of a version before the last is alive: replace it by the version between, or stop it, and start again";
        return Err(Failed::Store(StoreError::Database(why.to_owned())));
    }
    Ok(Migrated { fresh: found == 0, version })
}

async fn older_alive(transaction: &tokio_postgres::Transaction<'_>, step: i64) -> Result<bool, tokio_postgres::Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM node WHERE version < $1 \
               AND seen_at > (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $2)";
    transaction.query_one(sql, &[&step, &ALIVE_MILLIS]).await?.try_get(0)
}
