//! A database that is to be moved elsewhere: read whole, then closed to daemons.
//!
//! Job: the source's side of `jembatan store migrate`. Invariants: while a [`Source`] lives no daemon runs on the file
//! (the instance lock); nothing of the file changes but one mark in `meta`; under either mark
//! [`super::SqliteStore::open`] refuses, so that the entries are never sent from two databases. Neighbours:
//! `postgres::moving` is the other side. What it does not do: copy.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};

use super::open::{connect, instance_lock, known_version};
use super::{Medium, SideFile};
use crate::store::StoreError;
use crate::store::moving::{Cell, Sum, Table};

/// Row of `meta` that closes the database to daemons.
const MARK: &str = "moved";
/// The move has begun and may not be complete.
const BEGUN: &str = "begun";
/// The move is complete.
const DONE: &str = "done";

/// Refuses a database that was, or is being, moved.
///
/// # Errors
/// [`StoreError::Moved`], with the remedy.
pub(super) fn refuse_moved(connection: &Connection) -> Result<(), StoreError> {
    match mark(connection)?.as_deref() {
        None => Ok(()),
        Some(BEGUN) => Err(StoreError::Moved(
            "a move to another database has begun and is not complete: run `jembatan store migrate` again, or \
             `jembatan store migrate --give-up`"
                .to_owned(),
        )),
        Some(_done) => {
            Err(StoreError::Moved("its entries were moved to another database: set store.url to that one".to_owned()))
        }
    }
}

fn mark(connection: &Connection) -> Result<Option<String>, StoreError> {
    Ok(connection.query_row("SELECT value FROM meta WHERE key = ?1", [MARK], |row| row.get(0)).optional()?)
}

/// The database to be moved.
pub struct Source {
    connection: Connection,
    _lock: Box<dyn SideFile>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source(…)")
    }
}

impl Source {
    /// Opens a stopped database.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if a daemon runs on it; [`StoreError::Database`] if it is not there or its schema is not this
    /// program's ([`StoreError::Newer`] if it is a newer one's).
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.is_file() {
            return Err(StoreError::Database(format!("{}: no such database", path.display())));
        }
        let medium = Medium::system();
        let lock = instance_lock(path, &medium)?;
        let connection = connect(path, &medium)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found.cmp(&known_version()) {
            std::cmp::Ordering::Equal => Ok(Self { connection, _lock: lock }),
            std::cmp::Ordering::Greater => Err(StoreError::Newer { found, known: known_version() }),
            std::cmp::Ordering::Less => Err(StoreError::Database(
                "an older schema: start this program's daemon on it once, then stop it".to_owned(),
            )),
        }
    }

    /// What names this database among all others: a random word of its last start.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn name(&self) -> Result<String, StoreError> {
        let name = self.connection.query_row("SELECT value FROM meta WHERE key = 'start'", [], |row| row.get(0));
        name.optional()?.ok_or_else(|| StoreError::Database("no daemon has ever run on this database".to_owned()))
    }

    /// The keyed word that tells under which key its rows are sealed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn key_check(&self) -> Result<Option<String>, StoreError> {
        let found = self.connection.query_row("SELECT value FROM meta WHERE key = 'key_check'", [], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// Rows of `meta` that belong to the entries and not to this file.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn notes(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut statement =
            self.connection.prepare("SELECT key, value FROM meta WHERE key NOT IN ('start', 'key_check', ?1)")?;
        let rows = statement.query_map([MARK], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether it was moved completely.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn is_moved(&self) -> Result<bool, StoreError> {
        Ok(mark(&self.connection)?.as_deref() == Some(DONE))
    }

    /// Closes it to daemons: a move begins.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(&self) -> Result<(), StoreError> {
        self.set(Some(BEGUN))
    }

    /// The move is complete: it stays closed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn done(&self) -> Result<(), StoreError> {
        self.set(Some(DONE))
    }

    /// The move is given up: daemons may run on it again. Only after the target was found without its rows.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn give_up(&self) -> Result<(), StoreError> {
        self.set(None)
    }

    fn set(&self, word: Option<&str>) -> Result<(), StoreError> {
        match word {
            Some(word) => self.connection.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [MARK, word],
            )?,
            None => self.connection.execute("DELETE FROM meta WHERE key = ?1", [MARK])?,
        };
        Ok(())
    }

    /// Every table but `meta`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn tables(&self) -> Result<Vec<Table>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'meta' \
             ORDER BY rowid",
        )?;
        let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        names.into_iter().map(|name| self.table(name)).collect()
    }

    fn table(&self, name: String) -> Result<Table, StoreError> {
        let texts = |sql: &str| -> Result<Vec<String>, StoreError> {
            let mut statement = self.connection.prepare(sql)?;
            Ok(statement.query_map([&name], |row| row.get(0))?.collect::<Result<_, _>>()?)
        };
        let columns = texts("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
        let parents = texts("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)")?;
        let key = texts("SELECT name FROM pragma_table_info(?1) WHERE pk = 1 AND type = 'INTEGER'")?;
        let last =
            self.connection.query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1", [&name], |row| row.get(0));
        let counter = last.optional()?.and_then(|last| Some((key.into_iter().next()?, last)));
        // The feed's cursor is also the order of its rows, which the target keeps in a column of its own.
        let (mut from, mut columns) = (columns.clone(), columns);
        if name == "change" {
            from.push("cursor".to_owned());
            columns.push("seq".to_owned());
        }
        Ok(Table { name, columns, from, counter, parents })
    }

    /// Shows every row of a table, in batches of its form for COPY, and sums them up.
    ///
    /// # Errors
    /// The database cannot be read, or `take` fails.
    pub fn each(
        &self,
        table: &Table,
        batch: usize,
        mut take: impl FnMut(Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<Sum, StoreError> {
        let columns: Vec<String> = table.from.iter().map(|column| format!("\"{column}\"")).collect();
        let mut statement =
            self.connection.prepare(&format!("SELECT {} FROM \"{}\"", columns.join(", "), table.name))?;
        let mut rows = statement.query([])?;
        let (mut sum, mut out) = (Sum::default(), Vec::with_capacity(batch.saturating_mul(2)));
        while let Some(row) = rows.next()? {
            let mut cells = Vec::with_capacity(columns.len());
            for n in 0..columns.len() {
                cells.push(cell(row.get_ref(n)?)?);
            }
            sum.add(&cells);
            crate::store::moving::copy_row(&cells, &mut out);
            if out.len() >= batch {
                take(std::mem::replace(&mut out, Vec::with_capacity(batch.saturating_mul(2))))?;
            }
        }
        if !out.is_empty() {
            take(out)?;
        }
        Ok(sum)
    }
}

fn cell(value: ValueRef<'_>) -> Result<Cell<'_>, StoreError> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(_) => return Err(StoreError::Unreadable("a fraction where there are none".to_owned())),
        ValueRef::Text(text) => Cell::Text(
            std::str::from_utf8(text).map_err(|_| StoreError::Unreadable("text that is not UTF-8".to_owned()))?,
        ),
        ValueRef::Blob(bytes) => Cell::Blob(bytes),
    })
}
