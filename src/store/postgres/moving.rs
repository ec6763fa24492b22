//! Taking in a SQLite database whole: the target's side of `jembatan store migrate`.
//!
//! Job: copy every table of a [`Source`] into an empty database, compare counts and sums of all rows as they can be read
//! back, carry the counters on. Invariants: all of it is one transaction, so that the target has everything or nothing,
//! whenever the program or the machine dies; no node can start meanwhile (it would have to enter its name into a table
//! that is locked); sealed columns travel sealed, under the same key. Neighbours: `sqlite::moving` closes the source to
//! daemons before the first row is read. What it does not do: decide that it may, tell people.

use std::io::Cursor;
use std::pin::pin;

use futures_util::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Transaction};

use super::open::{Settings, connect};
use super::{PostgresStore, errors};
use crate::audit;
use crate::store::moving::{Cell, Sum, Table, in_order};
use crate::store::sqlite::moving::Source;
use crate::store::{Store as _, StoreError};

/// Bytes of rows sent at once.
const BATCH: usize = 256 * 1024;
/// Row of `meta` that names the database the rows came from.
const FROM: &str = "moved_from";

/// A table that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its name.
    pub table: String,
    /// Its rows, alike on both sides.
    pub sum: Sum,
}

/// Who moves, for the security log.
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// The source, for people: its path.
    pub from: String,
}

/// What a move found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// Everything has arrived.
    Now(Vec<Arrived>),
    /// It had arrived before: an earlier run was cut off after the target's commit.
    Before,
}

/// Moves everything; the source must have been closed to daemons ([`Source::begin`]).
///
/// # Errors
/// [`StoreError::Busy`] if a node lives on the target, [`StoreError::Database`] if the target has rows already or the two
/// sides do not agree (nothing is kept then), [`StoreError::Unknown`] if the answer to COMMIT was lost: run it again.
pub async fn take_in(
    source: &Source,
    settings: Settings,
    by: &By,
    mut tell: impl FnMut(&Arrived),
) -> Result<Moved, StoreError> {
    let mut client = prepared(settings).await?;
    let failed = |error: tokio_postgres::Error| errors::of(&error);
    let transaction = client.transaction().await.map_err(failed)?;
    let quiet = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
                 LOCK TABLE node IN EXCLUSIVE MODE";
    transaction.batch_execute(quiet).await.map_err(failed)?;
    let name = source.name()?;
    let tables = in_order(source.tables()?);
    if stands(&transaction, &name, &tables).await? {
        return Ok(Moved::Before);
    }
    let mut sent = Vec::with_capacity(tables.len());
    for table in &tables {
        sent.push(copy(&transaction, source, table).await?);
        carry_on(&transaction, table).await?;
    }
    let mut arrived = Vec::with_capacity(tables.len());
    for (table, sum) in tables.iter().zip(sent) {
        if read_back(&transaction, table).await? != sum {
            return Err(StoreError::Database(format!("table {} is not the same on both sides", table.name)));
        }
        let one = Arrived { table: table.name.clone(), sum };
        tell(&one);
        arrived.push(one);
    }
    log(&transaction, by, &name, &arrived).await?;
    for (key, value) in source.notes()?.into_iter().chain([(FROM.to_owned(), name)]) {
        note(&transaction, &key, &value).await?;
    }
    transaction.commit().await.map_err(|error| match errors::of(&error) {
        refused if errors::is_refusal(&error) => refused,
        other => StoreError::Unknown(other.to_string()),
    })?;
    Ok(Moved::Now(arrived))
}

/// Whether the target has what this source once began to move there.
///
/// # Errors
/// The target cannot be asked.
pub async fn has_arrived(source: &Source, settings: Settings) -> Result<bool, StoreError> {
    let mut client = prepared(settings).await?;
    let transaction = client.transaction().await.map_err(|error| errors::of(&error))?;
    Ok(came_from(&transaction).await?.as_deref() == Some(source.name()?.as_str()))
}

/// The schema is made and the key compared, as a daemon does; then one connection of our own.
async fn prepared(settings: Settings) -> Result<Client, StoreError> {
    let client = connect(&settings).await?;
    let (store, _opened) = PostgresStore::open(settings).await?;
    store.close();
    Ok(client)
}

async fn came_from(transaction: &Transaction<'_>) -> Result<Option<String>, StoreError> {
    let found = transaction.query_opt("SELECT value FROM meta WHERE key = $1", &[&FROM]).await;
    let row = found.map_err(|error| errors::of(&error))?;
    row.map(|row| row.try_get(0)).transpose().map_err(|error| errors::of(&error))
}

/// `true` if the rows of this very source are there; an error if the target is anything but empty otherwise.
async fn stands(transaction: &Transaction<'_>, name: &str, tables: &[Table]) -> Result<bool, StoreError> {
    let failed = |error: tokio_postgres::Error| errors::of(&error);
    let lives = "SELECT EXISTS (SELECT 1 FROM node WHERE until_at > extract(epoch FROM clock_timestamp()) * 1000)";
    if transaction.query_one(lives, &[]).await.and_then(|row| row.try_get(0)).map_err(failed)? {
        return Err(StoreError::Busy("a node runs on the target: stop it first".to_owned()));
    }
    match came_from(transaction).await? {
        Some(from) if from == name => return Ok(true),
        Some(_) => return Err(StoreError::Database("the target has the rows of another database".to_owned())),
        None => {}
    }
    for table in tables {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM \"{}\")", table.name);
        if transaction.query_one(&sql, &[]).await.and_then(|row| row.try_get(0)).map_err(failed)? {
            return Err(StoreError::Database(format!("the target is not empty: table {} has rows", table.name)));
        }
    }
    Ok(false)
}

async fn copy(transaction: &Transaction<'_>, source: &Source, table: &Table) -> Result<Sum, StoreError> {
    let failed = |error: tokio_postgres::Error| named(&table.name, &errors::of(&error));
    let sql = format!("COPY \"{}\" ({}) FROM STDIN", table.name, columns(table));
    let sink = transaction.copy_in::<_, Cursor<Vec<u8>>>(&sql).await.map_err(failed)?;
    let mut sink = pin!(sink);
    let runtime = Handle::current();
    // Rows are read on this thread, and each batch waits for the server: nothing piles up.
    let sum = tokio::task::block_in_place(|| {
        source.each(table, BATCH, |bytes| runtime.block_on(sink.send(Cursor::new(bytes))).map_err(failed))
    })?;
    let taken = sink.finish().await.map_err(failed)?;
    if taken == sum.rows {
        Ok(sum)
    } else {
        Err(named(&table.name, &StoreError::Database("rows are missing".to_owned())))
    }
}

fn named(table: &str, error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("table {table}: {why}")),
        other => StoreError::Database(format!("table {table}: {other}")),
    }
}

fn columns(table: &Table) -> String {
    table.columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")
}

/// Numbers go on after the last one the source gave, also where its row is gone.
async fn carry_on(transaction: &Transaction<'_>, table: &Table) -> Result<(), StoreError> {
    let Some((column, last)) = &table.counter else { return Ok(()) };
    let own = if table.columns.iter().any(|column| column == "seq") { "seq" } else { column };
    let sql = "SELECT setval(pg_get_serial_sequence($1, $2), greatest($3, 1), $3 > 0) \
               WHERE pg_get_serial_sequence($1, $2) IS NOT NULL";
    let statement = transaction.prepare_typed(sql, &[Type::TEXT, Type::TEXT, Type::INT8]).await;
    let statement = statement.map_err(|error| errors::of(&error))?;
    let asked = transaction.query(&statement, &[&table.name, &own, last]).await;
    asked.map(|_| ()).map_err(|error| named(&table.name, &errors::of(&error)))
}

async fn read_back(transaction: &Transaction<'_>, table: &Table) -> Result<Sum, StoreError> {
    let failed = |error: tokio_postgres::Error| named(&table.name, &errors::of(&error));
    let sql = format!("SELECT {} FROM \"{}\"", columns(table), table.name);
    let nothing: [&(dyn ToSql + Sync); 0] = [];
    let rows = transaction.query_raw(&sql, nothing).await.map_err(failed)?;
    let mut rows = pin!(rows);
    let mut sum = Sum::default();
    while let Some(row) = rows.next().await {
        let row = row.map_err(failed)?;
        let cells: Result<Vec<Cell<'_>>, StoreError> = (0..row.len()).map(|n| cell(&row, n)).collect();
        sum.add(&cells?);
    }
    Ok(sum)
}

fn cell(row: &Row, n: usize) -> Result<Cell<'_>, StoreError> {
    let unread = |error: tokio_postgres::Error| errors::of(&error);
    let kind = row.columns().get(n).map(|column| column.type_().clone());
    let cell = match kind {
        Some(Type::INT8) => row.try_get::<_, Option<i64>>(n).map_err(unread)?.map(Cell::Integer),
        Some(Type::BYTEA) => row.try_get::<_, Option<&[u8]>>(n).map_err(unread)?.map(Cell::Blob),
        Some(_) | None => row.try_get::<_, Option<&str>>(n).map_err(unread)?.map(Cell::Text),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

/// The next row of the security log that has just arrived: who moved what from where, and how much of it.
async fn log(transaction: &Transaction<'_>, by: &By, name: &str, arrived: &[Arrived]) -> Result<(), StoreError> {
    let failed = |error: tokio_postgres::Error| errors::of(&error);
    let head = transaction.query_opt("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", &[]).await;
    let (last, previous) = match head.map_err(failed)? {
        Some(row) => (row.try_get::<_, i64>(0).map_err(failed)?, row.try_get::<_, String>(1).map_err(failed)?),
        None => (0, audit::genesis()),
    };
    let counts = arrived.iter().map(|one| format!("{} {}", one.table, one.sum.rows)).collect::<Vec<_>>().join(", ");
    let mut entry = audit::Entry {
        seq: last + 1,
        at: by.at,
        actor: by.actor.clone(),
        action: "store.migrate".to_owned(),
        object: by.from.clone(),
        detail: format!("basis data {name} dipindahkan ke PostgreSQL; baris: {counts}"),
        hash: String::new(),
    };
    // As it is read again: in whole milliseconds.
    entry.hash = audit::link(&previous, &entry);
    let at = entry.at.as_millisecond();
    let sql = "INSERT INTO audit (seq, at, actor, action, object, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let row: [&(dyn ToSql + Sync); 7] =
        [&entry.seq, &at, &entry.actor, &entry.action, &entry.object, &entry.detail, &entry.hash];
    transaction.execute(sql, &row).await.map(|_| ()).map_err(failed)
}

async fn note(transaction: &Transaction<'_>, key: &str, value: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    transaction.execute(sql, &[&key, &value]).await.map(|_| ()).map_err(|error| errors::of(&error))
}
