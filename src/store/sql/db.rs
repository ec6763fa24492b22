//! The seam between the SQL and the database that runs it: statements, values, rows.
//!
//! Job: what `accept`, `claim` and the other files of this module say once, said to either database. The shape is
//! rusqlite's, so that a statement reads as it always did; parameters are `?1`, `?2` … everywhere. Invariants: a
//! statement's parameters have the same kinds at every call, absent ones included, so that a database that wants to know
//! types can be told them; rows are read while the statement runs, nothing is copied but what a reader asks for.
//! Neighbours: [`super::Tx`] holds a `&dyn Db`; `sqlite` and `postgres` implement it. What it does not do: transactions.

use std::ops::ControlFlow;

use crate::store::StoreError;

/// One connection, inside a transaction or reading.
pub(in crate::store) trait Db {
    /// Runs a statement without rows; how many rows it touched.
    fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<usize, StoreError>;

    /// Runs a statement and shows `each` of its rows, until it breaks off.
    fn query(&self, sql: &str, values: &[&dyn ToSql], each: Each<'_>) -> Result<(), StoreError>;

    /// What a SELECT of rows that are to be changed ends with, where several write at once: rows that another transaction
    /// holds are left to it.
    fn skip_locked(&self) -> &'static str {
        ""
    }

    /// Holds the security log's end until the transaction is over, where several write at once. Always the last lock.
    fn hold_log(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Reads one row of a running statement.
pub(in crate::store) type Each<'e> = &'e mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>;

impl<'d> dyn Db + 'd {
    /// A statement by its text; the database keeps what it prepared.
    #[expect(clippy::unnecessary_wraps, reason = "the driver's shape: see the head of this file")]
    pub(super) fn prepare_cached<'s>(&'s self, sql: &'s str) -> Result<Statement<'s>, StoreError>
    where
        'd: 's,
    {
        Ok(Statement { db: self, sql })
    }
}

/// A statement that is to run, perhaps several times.
pub(super) struct Statement<'s> {
    db: &'s (dyn Db + 's),
    sql: &'s str,
}

impl Statement<'_> {
    /// Runs it for what it does; how many rows it touched.
    pub(super) fn execute(&mut self, values: impl Params) -> Result<usize, StoreError> {
        values.with(|values| {
            refuse_nul(values)?;
            self.db.execute(self.sql, values)
        })
    }

    /// Its first row.
    pub(super) fn query_row<T>(
        &mut self,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, NoRow> {
        let (mut read, mut found) = (Some(read), None);
        values.with(|values| {
            refuse_nul(values)?;
            self.db.query(self.sql, values, &mut |row| {
                found = read.take().map(|read| read(row)).transpose()?;
                Ok(ControlFlow::Break(()))
            })
        })?;
        found.ok_or(NoRow::None)
    }

    /// All its rows.
    pub(super) fn query_map<T>(
        &mut self,
        values: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Rows<T>, StoreError> {
        let mut rows = Vec::new();
        values.with(|values| {
            refuse_nul(values)?;
            self.db.query(self.sql, values, &mut |row| {
                rows.push(read(row)?);
                Ok(ControlFlow::Continue(()))
            })
        })?;
        Ok(Rows(rows.into_iter()))
    }
}

/// PostgreSQL has no text with NUL in it, SQLite has: neither gets one. The doors refuse it with better words.
fn refuse_nul(values: &[&dyn ToSql]) -> Result<(), StoreError> {
    let has_nul = |value: &&dyn ToSql| matches!(value.value(), ValueRef::Text(text) if text.contains('\0'));
    if values.iter().any(has_nul) { Err(StoreError::Database("a text with NUL in it".to_owned())) } else { Ok(()) }
}

/// What [`Statement::query_map`] read.
pub(super) struct Rows<T>(std::vec::IntoIter<T>);

impl<T> Iterator for Rows<T> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Ok)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Why there is no first row.
pub(super) enum NoRow {
    /// The statement has none.
    None,
    /// It failed.
    Failed(StoreError),
}

impl From<StoreError> for NoRow {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<NoRow> for StoreError {
    fn from(why: NoRow) -> Self {
        match why {
            NoRow::None => Self::Database("no row where there must be one".to_owned()),
            NoRow::Failed(error) => error,
        }
    }
}

/// Having no row may be an answer.
pub(super) trait OptionalExtension<T> {
    /// `None` where there was no row.
    fn optional(self) -> Result<Option<T>, StoreError>;
}

impl<T> OptionalExtension<T> for Result<T, NoRow> {
    fn optional(self) -> Result<Option<T>, StoreError> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(NoRow::None) => Ok(None),
            Err(NoRow::Failed(error)) => Err(error),
        }
    }
}

// ---- values ---------------------------------------------------------------------------------------------------------

/// A value of a parameter or a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum ValueRef<'v> {
    /// NULL.
    Null,
    /// A whole number; truth is 0 or 1.
    Integer(i64),
    /// Text.
    Text(&'v str),
    /// Bytes.
    Blob(&'v [u8]),
}

/// What a parameter is made of, even where it is NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::store) enum Kind {
    /// INTEGER, BIGINT.
    Integer,
    /// TEXT.
    Text,
    /// BLOB, BYTEA.
    Blob,
}

/// A type whose values can be parameters.
pub(in crate::store) trait Parameter {
    /// What it is made of.
    const KIND: Kind;

    /// The value itself.
    fn value_ref(&self) -> ValueRef<'_>;
}

/// A parameter of a type that is not named.
pub(in crate::store) trait ToSql {
    /// The value itself.
    fn value(&self) -> ValueRef<'_>;

    /// What it is made of.
    fn kind(&self) -> Kind;
}

impl<T: Parameter + ?Sized> ToSql for T {
    fn value(&self) -> ValueRef<'_> {
        self.value_ref()
    }

    fn kind(&self) -> Kind {
        T::KIND
    }
}

macro_rules! whole_numbers {
    ($($name:ty),*) => {$(
        impl Parameter for $name {
            const KIND: Kind = Kind::Integer;

            fn value_ref(&self) -> ValueRef<'_> {
                ValueRef::Integer(i64::from(*self))
            }
        }
    )*};
}
whole_numbers!(i64, u32, u16, u8, bool);

impl Parameter for str {
    const KIND: Kind = Kind::Text;

    fn value_ref(&self) -> ValueRef<'_> {
        ValueRef::Text(self)
    }
}

impl Parameter for String {
    const KIND: Kind = Kind::Text;

    fn value_ref(&self) -> ValueRef<'_> {
        ValueRef::Text(self)
    }
}

impl Parameter for Vec<u8> {
    const KIND: Kind = Kind::Blob;

    fn value_ref(&self) -> ValueRef<'_> {
        ValueRef::Blob(self)
    }
}

impl<T: Parameter + ?Sized> Parameter for &T {
    const KIND: Kind = T::KIND;

    fn value_ref(&self) -> ValueRef<'_> {
        (**self).value_ref()
    }
}

impl<T: Parameter> Parameter for Option<T> {
    const KIND: Kind = T::KIND;

    fn value_ref(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, T::value_ref)
    }
}

/// A parameter of a statement that is put together while running.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl ToSql for Value {
    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Integer(_) => Kind::Integer,
            Self::Text(_) => Kind::Text,
        }
    }
}

/// The parameters of one run of a statement.
pub(super) trait Params {
    /// Shows them as one list.
    fn with<T>(&self, run: impl FnOnce(&[&dyn ToSql]) -> T) -> T;
}

impl<V: ToSql, const N: usize> Params for [V; N] {
    fn with<T>(&self, run: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        run(&self.each_ref().map(|value| value as &dyn ToSql))
    }
}

impl Params for &[&dyn ToSql] {
    fn with<T>(&self, run: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        run(self)
    }
}

impl Params for &Vec<Value> {
    fn with<T>(&self, run: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        let values: Vec<&dyn ToSql> = self.iter().map(|value| value as &dyn ToSql).collect();
        run(&values)
    }
}

/// Parameters of several types.
macro_rules! params {
    () => { &[] as &[&dyn $crate::store::sql::db::ToSql] };
    ($($value:expr),+ $(,)?) => { &[$(&$value as &dyn $crate::store::sql::db::ToSql),+] as &[&dyn $crate::store::sql::db::ToSql] };
}
pub(super) use params;

// ---- rows -----------------------------------------------------------------------------------------------------------

/// The columns of the row a statement stands on.
pub(in crate::store) trait Columns {
    /// The column of this number, from 0.
    fn at(&self, index: usize) -> Result<ValueRef<'_>, StoreError>;

    /// The number of the column of this name.
    fn index_of(&self, name: &str) -> Result<usize, StoreError>;
}

/// A row of a running statement.
pub(in crate::store) struct Row<'r>(&'r dyn Columns);

impl<'r> Row<'r> {
    /// The row whose columns these are.
    pub(in crate::store) fn new(columns: &'r dyn Columns) -> Self {
        Self(columns)
    }

    /// A column, as the value the caller wants.
    pub(super) fn get<I: Index, T: FromSql>(&self, index: I) -> Result<T, StoreError> {
        T::column_result(self.get_ref(index)?)
    }

    /// A column where it stands.
    pub(in crate::store) fn get_ref<I: Index>(&self, index: I) -> Result<ValueRef<'_>, StoreError> {
        self.0.at(index.of(self.0)?)
    }
}

/// How a column is named.
pub(in crate::store) trait Index {
    /// Its number.
    fn of(&self, columns: &dyn Columns) -> Result<usize, StoreError>;
}

impl Index for usize {
    fn of(&self, _columns: &dyn Columns) -> Result<usize, StoreError> {
        Ok(*self)
    }
}

impl Index for &str {
    fn of(&self, columns: &dyn Columns) -> Result<usize, StoreError> {
        columns.index_of(self)
    }
}

/// A type that can be read from a column.
pub(super) trait FromSql: Sized {
    /// Reads it.
    fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError>;
}

/// A column whose value is not what the program puts there.
pub(super) fn unfit(what: &str) -> StoreError {
    StoreError::Unreadable(format!("column is not {what}"))
}

impl<'v> ValueRef<'v> {
    /// The number it must be.
    pub(super) fn as_i64(self) -> Result<i64, StoreError> {
        if let ValueRef::Integer(number) = self { Ok(number) } else { Err(unfit("a number")) }
    }

    /// The text it must be.
    pub(super) fn as_str(self) -> Result<&'v str, StoreError> {
        if let ValueRef::Text(text) = self { Ok(text) } else { Err(unfit("text")) }
    }

    /// The bytes it must be.
    pub(super) fn as_blob(self) -> Result<&'v [u8], StoreError> {
        if let ValueRef::Blob(bytes) = self { Ok(bytes) } else { Err(unfit("bytes")) }
    }
}

impl FromSql for i64 {
    fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
        value.as_i64()
    }
}

macro_rules! small_numbers {
    ($($name:ty),*) => {$(
        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
                Self::try_from(value.as_i64()?).map_err(|_| unfit("a small number"))
            }
        }
    )*};
}
small_numbers!(u32, u16, u8);

impl FromSql for bool {
    fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
        Ok(value.as_i64()? != 0)
    }
}

impl FromSql for String {
    fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
        value.as_str().map(str::to_owned)
    }
}

impl FromSql for Vec<u8> {
    fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
        value.as_blob().map(<[u8]>::to_vec)
    }
}

impl<T: FromSql> FromSql for Option<T> {
    fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
        if value == ValueRef::Null { Ok(None) } else { T::column_result(value).map(Some) }
    }
}
