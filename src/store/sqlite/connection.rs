//! A connection as `sql` sees it: prepared statements are kept by the connection, values are bound and read in place.

use rusqlite::types::{self, ToSqlOutput};
use rusqlite::{CachedStatement, Connection};

use crate::store::StoreError;
use crate::store::sql::db::{Columns, Db, Each, Row, ToSql, ValueRef};

/// A parameter on its way into a statement.
struct Bound<'v>(ValueRef<'v>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Null => types::ValueRef::Null,
            ValueRef::Integer(number) => types::ValueRef::Integer(number),
            ValueRef::Text(text) => types::ValueRef::Text(text.as_bytes()),
            ValueRef::Blob(bytes) => types::ValueRef::Blob(bytes),
        }))
    }
}

fn bound<'c>(connection: &'c Connection, sql: &str, values: &[&dyn ToSql]) -> Result<CachedStatement<'c>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    if statement.parameter_count() != values.len() {
        return Err(StoreError::Database(format!("{} parameters for: {sql}", values.len())));
    }
    for (number, value) in (1..).zip(values) {
        statement.raw_bind_parameter(number, Bound(value.value()))?;
    }
    Ok(statement)
}

impl Db for Connection {
    fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<usize, StoreError> {
        let mut statement = bound(self, sql, values)?;
        let done = statement.raw_execute()?;
        #[cfg(test)]
        steps::note(self, sql, &statement);
        Ok(done)
    }

    fn query(&self, sql: &str, values: &[&dyn ToSql], each: Each<'_>) -> Result<(), StoreError> {
        let mut statement = bound(self, sql, values)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if each(&Row::new(row))?.is_break() {
                break;
            }
        }
        drop(rows);
        #[cfg(test)]
        steps::note(self, sql, &statement);
        Ok(())
    }
}

impl Columns for rusqlite::Row<'_> {
    fn at(&self, index: usize) -> Result<ValueRef<'_>, StoreError> {
        Ok(match self.get_ref(index)? {
            types::ValueRef::Null => ValueRef::Null,
            types::ValueRef::Integer(number) => ValueRef::Integer(number),
            types::ValueRef::Real(_) => return Err(StoreError::Unreadable("column is a fraction".to_owned())),
            types::ValueRef::Text(text) => {
                let text = std::str::from_utf8(text).map_err(|error| StoreError::Unreadable(error.to_string()))?;
                ValueRef::Text(text)
            }
            types::ValueRef::Blob(bytes) => ValueRef::Blob(bytes),
        })
    }

    fn index_of(&self, name: &str) -> Result<usize, StoreError> {
        Ok(self.as_ref().column_index(name)?)
    }
}

/// What statements did, for the tests that hold them to their indexes.
#[cfg(test)]
pub(super) mod steps {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use rusqlite::{Connection, Statement, StatementStatus};

    /// Steps of SQLite's machine, by database file and statement.
    static TAKEN: Mutex<BTreeMap<String, BTreeMap<String, i64>>> = Mutex::new(BTreeMap::new());

    pub(super) fn note(connection: &Connection, sql: &str, statement: &Statement<'_>) {
        let steps = i64::from(statement.reset_status(StatementStatus::VmStep));
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.entry(connection.path().unwrap_or_default().to_owned()).or_default();
        *here.entry(sql.to_owned()).or_default() += steps;
    }

    /// What was done on a file since the last call.
    pub(in crate::store::sqlite) fn of(path: &std::path::Path) -> BTreeMap<String, i64> {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(path.to_str().unwrap_or_default()).unwrap_or_default()
    }

    /// Every statement that was run on any file.
    pub(in crate::store::sqlite) fn statements() -> Vec<String> {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<String> = taken.values().flat_map(BTreeMap::keys).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
