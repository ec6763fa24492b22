//! A connection as `sql` sees it: synchronous, on a thread that may wait, statements prepared once and kept.
//!
//! Invariants: after a statement failed nothing more runs in its transaction and it is never committed, whatever the job
//! makes of the error; every statement has an end, on the server (`statement_timeout`) and here.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use deadpool_postgres::Client;
use tokio::runtime::Handle;
use tokio_postgres::types::{FromSql, IsNull, ToSql as Wire, Type, to_sql_checked};

use super::errors;
use crate::store::StoreError;
use crate::store::sql::db::{Columns, Db, Each, Kind, Row, ToSql, ValueRef};

/// A statement is given up here after so long: the server gives it up before.
pub(super) const PATIENCE: Duration = Duration::from_secs(45);
/// The lock of everything: shared by who writes rows of one facility, alone by who writes those of several.
const EVERYTHING: i64 = 0x6a65_6d62_0000_0001;
/// The lock of the security log's chain, taken last.
const LOG: i64 = 0x6a65_6d62_0000_0002;
/// The lock under which the feed is numbered.
pub(super) const FEED: i64 = 0x6a65_6d62_0000_0003;
/// The lock under which the schema changes.
pub(super) const SCHEMA: i64 = 0x6a65_6d62_0000_0004;
/// Seeds the hash that turns a facility into its lock.
const SEED: i64 = 0x6a65_6d62;

/// Texts of statements as PostgreSQL wants them, by the text `sql` has.
#[derive(Debug, Default)]
pub(super) struct Texts {
    kept: Mutex<HashMap<String, Arc<str>>>,
    /// The pages that they touched.
    #[cfg(test)]
    pub(super) pages: super::seen::Pages,
}

impl Texts {
    fn of(&self, sql: &str) -> Arc<str> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = kept.get(sql) {
            return Arc::clone(text);
        }
        let text: Arc<str> = numbered(sql).into();
        kept.insert(sql.to_owned(), Arc::clone(&text));
        text
    }
}

/// `?1` becomes `$1`, and a bare `?` the number after the largest so far, as SQLite counts.
fn numbered(sql: &str) -> String {
    let (mut text, mut largest, mut quoted) = (String::with_capacity(sql.len()), 0_usize, false);
    let mut rest = sql.chars().peekable();
    while let Some(letter) = rest.next() {
        quoted ^= letter == '\'';
        if letter != '?' || quoted {
            text.push(letter);
            continue;
        }
        let mut digits = String::new();
        while let Some(digit) = rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        let number = digits.parse().unwrap_or(largest + 1);
        largest = largest.max(number);
        text.push('$');
        text.push_str(&number.to_string());
    }
    text
}

/// Which advisory locks a transaction begins with.
pub(super) enum Locks {
    /// Everything, alone.
    Everything,
    /// The security log.
    Log,
    /// This one.
    Of(i64),
    /// The facility that this query names with its one parameter.
    Facility(&'static str, String),
    /// None: conditions of its own keep the rows apart.
    Nothing,
}

/// A client for one job, with what became of its transaction.
pub(super) struct Session {
    runtime: Handle,
    client: Option<Client>,
    texts: Arc<Texts>,
    failed: RefCell<Option<StoreError>>,
    changed: Cell<bool>,
}

impl Session {
    pub(super) fn new(client: Client, texts: Arc<Texts>) -> Self {
        let (failed, changed) = (RefCell::new(None), Cell::new(false));
        Self { runtime: Handle::current(), client: Some(client), texts, failed, changed }
    }

    /// Whether a statement touched rows.
    pub(super) fn changed(&self) -> bool {
        self.changed.get()
    }

    /// Gives the client back to the pool; without it the connection is closed and the server rolls back.
    pub(super) fn give_back(mut self) {
        drop(self.client.take());
    }

    fn client(&self) -> Result<&Client, StoreError> {
        self.client.as_ref().ok_or(StoreError::Closed)
    }

    /// Waits for the server; a failure is remembered.
    fn wait<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
        if let Some(error) = self.failed.borrow().as_ref() {
            return Err(error.clone());
        }
        let answered = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await });
        let answered = answered.map_or_else(
            |_| Err(StoreError::Unavailable("no answer from the server".to_owned())),
            |answer| answer.map_err(|error| errors::of(&error)),
        );
        answered.inspect_err(|error| drop(self.failed.replace(Some(error.clone()))))
    }

    /// Begins a transaction; its locks are waited for in one order, so that no two wait for each other.
    pub(super) fn begin(&self, locks: &Locks) -> Result<(), StoreError> {
        let all = match locks {
            Locks::Everything => format!("SELECT pg_advisory_xact_lock({EVERYTHING})"),
            Locks::Log => format!("SELECT pg_advisory_xact_lock_shared({EVERYTHING}), pg_advisory_xact_lock({LOG})"),
            Locks::Facility(..) => format!("SELECT pg_advisory_xact_lock_shared({EVERYTHING})"),
            Locks::Nothing => "SELECT 1".to_owned(),
            Locks::Of(key) => format!("SELECT pg_advisory_xact_lock({key})"),
        };
        let begin = format!("BEGIN ISOLATION LEVEL READ COMMITTED; {all}");
        let client = self.client()?;
        let Locks::Facility(facility, key) = locks else { return self.wait(client.batch_execute(&begin)) };
        let own = format!("SELECT pg_advisory_xact_lock(hashtextextended(facility, {SEED})) FROM ({facility}) AS own");
        // Sent together: the server does one after the other.
        self.wait(async {
            let began = client.batch_execute(&begin);
            let locked = async {
                let statement = client.prepare_typed_cached(&own, &[Type::TEXT]).await?;
                client.execute(&statement, &[key]).await
            };
            tokio::try_join!(began, locked).map(|_| ())
        })
    }

    /// Ends the transaction as its job did. Only a COMMIT of which nothing is known is [`StoreError::Unknown`].
    pub(super) fn end<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        let failed = self.failed.borrow().clone();
        let done = done.and_then(|value| failed.map_or(Ok(value), Err));
        let client = self.client()?;
        let Ok(value) = done else {
            self.failed.replace(None);
            // Where even that fails the connection goes, and the transaction with it.
            drop(self.wait(client.batch_execute("ROLLBACK")));
            return done;
        };
        let commit =
            self.runtime.block_on(async { tokio::time::timeout(PATIENCE, client.batch_execute("COMMIT")).await });
        let error = match commit {
            Ok(Ok(())) => return Ok(value),
            Ok(Err(error)) if errors::is_refusal(&error) => errors::of(&error),
            Ok(Err(error)) => StoreError::Unknown(errors::of(&error).to_string()),
            Err(_) => StoreError::Unknown("no answer to COMMIT".to_owned()),
        };
        self.failed.replace(Some(error.clone()));
        Err(error)
    }

    /// Whether the connection is fit for another job.
    pub(super) fn is_sound(&self) -> bool {
        self.failed.borrow().is_none()
    }

    #[cfg(test)]
    fn see(&self, text: &str, types: &[Type], values: &[&(dyn Wire + Sync)]) -> Result<(), StoreError> {
        super::seen::note(text, types);
        if self.texts.pages.are_counted() {
            self.texts.pages.add(self.wait(super::seen::pages(self.client()?, text, types, values))?);
        }
        Ok(())
    }

    fn run(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let (client, text) = (self.client()?, self.texts.of(sql));
        let types: Vec<Type> = values.iter().map(|value| type_of(value.kind())).collect();
        let values: Vec<Bound<'_>> = values.iter().map(|value| Bound(value.value())).collect();
        let values: Vec<&(dyn Wire + Sync)> = values.iter().map(|value| value as &(dyn Wire + Sync)).collect();
        #[cfg(test)]
        self.see(&text, &types, &values)?;
        self.wait(async {
            let statement = client.prepare_typed_cached(&text, &types).await?;
            client.query(&statement, &values).await
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A panic, or a connection of which nothing good is known: it does not go back among the others.
        if let Some(client) = self.client.take() {
            drop(Client::take(client));
        }
    }
}

impl Db for Session {
    fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<usize, StoreError> {
        let (client, text) = (self.client()?, self.texts.of(sql));
        let types: Vec<Type> = values.iter().map(|value| type_of(value.kind())).collect();
        let values: Vec<Bound<'_>> = values.iter().map(|value| Bound(value.value())).collect();
        let values: Vec<&(dyn Wire + Sync)> = values.iter().map(|value| value as &(dyn Wire + Sync)).collect();
        #[cfg(test)]
        self.see(&text, &types, &values)?;
        let touched = self.wait(async {
            let statement = client.prepare_typed_cached(&text, &types).await?;
            client.execute(&statement, &values).await
        })?;
        self.changed.set(self.changed.get() || touched > 0);
        Ok(usize::try_from(touched).unwrap_or(usize::MAX))
    }

    fn query(&self, sql: &str, values: &[&dyn ToSql], each: Each<'_>) -> Result<(), StoreError> {
        let rows = self.run(sql, values)?;
        let writes = !["SELECT", "WITH"].iter().any(|word| sql.trim_start().starts_with(word));
        self.changed.set(self.changed.get() || (writes && !rows.is_empty()));
        for row in &rows {
            if each(&Row::new(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn skip_locked(&self) -> &'static str {
        " FOR UPDATE SKIP LOCKED"
    }

    fn hold_log(&self) -> Result<(), StoreError> {
        let client = self.client()?;
        self.wait(client.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOG})")))
    }
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Integer => Type::INT8,
        Kind::Text => Type::TEXT,
        Kind::Blob => Type::BYTEA,
    }
}

/// A parameter on its way to the server.
#[derive(Debug)]
struct Bound<'v>(ValueRef<'v>);

impl Wire for Bound<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            ValueRef::Null => Ok(IsNull::Yes),
            ValueRef::Integer(number) => number.to_sql(kind, out),
            ValueRef::Text(text) => text.to_sql(kind, out),
            ValueRef::Blob(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

/// A column as it came.
struct Column<'v>(ValueRef<'v>);

impl<'v> FromSql<'v> for Column<'v> {
    fn from_sql(kind: &Type, raw: &'v [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *kind {
            Type::INT8 => ValueRef::Integer(i64::from_sql(kind, raw)?),
            Type::INT4 => ValueRef::Integer(i32::from_sql(kind, raw)?.into()),
            Type::BOOL => ValueRef::Integer(bool::from_sql(kind, raw)?.into()),
            Type::BYTEA => ValueRef::Blob(raw),
            _ => ValueRef::Text(<&str>::from_sql(kind, raw)?),
        }))
    }

    fn from_sql_null(_kind: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(ValueRef::Null))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::INT4 | Type::BOOL | Type::BYTEA | Type::TEXT | Type::VARCHAR | Type::NAME)
    }
}

impl Columns for tokio_postgres::Row {
    fn at(&self, index: usize) -> Result<ValueRef<'_>, StoreError> {
        let column: Column<'_> = self.try_get(index).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        Ok(column.0)
    }

    fn index_of(&self, name: &str) -> Result<usize, StoreError> {
        let found = self.columns().iter().position(|column| column.name() == name);
        found.ok_or_else(|| StoreError::Unreadable(format!("no column {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn marks_become_numbers_as_sqlite_counts_them() {
        for (sql, text) in [
            ("SELECT 1", "SELECT 1"),
            ("a = ?1 AND b = ?2 AND c = ?1", "a = $1 AND b = $2 AND c = $1"),
            ("a IN (?, ?) LIMIT ?", "a IN ($1, $2) LIMIT $3"),
            ("a = ?12 OR b = ?", "a = $12 OR b = $13"),
            ("a LIKE '%?%' ESCAPE '!' AND b = '''?' AND c = ?", "a LIKE '%?%' ESCAPE '!' AND b = '''?' AND c = $1"),
        ] {
            assert_eq!(numbered(sql), text);
        }
    }
}
