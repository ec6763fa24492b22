//! One number for everything in a database.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// A number that is equal for equal contents: every value of every row of every table, in the tables' own order, except the
/// rows of `except` (a table, and what stands in the row's first column).
///
/// # Errors
/// SQLite's.
pub fn digest(connection: &Connection, except: &[(&str, &str)]) -> rusqlite::Result<u64> {
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let tables = tables.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut sum = Sum(0xcbf2_9ce4_8422_2325);
    for table in tables {
        sum.add(table.as_bytes());
        let mut rows = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let columns = rows.column_count();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let first = row.get_ref(0)?.as_str().unwrap_or_default();
            if except.iter().any(|(own, value)| *own == table && *value == first) {
                continue;
            }
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => sum.add(b"\0"),
                    ValueRef::Integer(number) => sum.add(&number.to_le_bytes()),
                    ValueRef::Real(number) => sum.add(&number.to_le_bytes()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => sum.add(bytes),
                }
            }
        }
    }
    Ok(sum.0)
}

struct Sum(u64);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let mut mix = |value: u64| {
            self.0 = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.0 ^= self.0 >> 29;
        };
        mix(bytes.len() as u64);
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            mix(u64::from_le_bytes(word));
        }
    }
}
