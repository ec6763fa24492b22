//! Moving everything from one database to another: what is compared, and how a row travels. Pure.
//!
//! Job: the cells of a row, their form in PostgreSQL's COPY, and a sum over all rows of a table that does not depend on
//! their order ([`Sum`]), so that source and target can be compared without sorting either. Neighbours:
//! `sqlite::moving` reads, `postgres::moving` writes and reads back. What it does not do: decide what may move.

use sha2::{Digest as _, Sha256};

/// One column of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'c> {
    /// NULL.
    Null,
    /// A number; truth is 0 or 1.
    Integer(i64),
    /// Text.
    Text(&'c str),
    /// Bytes.
    Blob(&'c [u8]),
}

/// A table as the source has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns as the target names them, in order.
    pub columns: Vec<String>,
    /// The source's columns that go there.
    pub from: Vec<String>,
    /// The column that counts by itself, and the last number it gave.
    pub counter: Option<(String, i64)>,
    /// Tables its rows refer to.
    pub parents: Vec<String>,
}

/// Rows of a table, counted and summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub rows: u64,
    /// The sum of their hashes, lane by lane.
    lanes: [u64; 4],
}

impl Sum {
    /// Adds a row.
    pub fn add(&mut self, cells: &[Cell<'_>]) {
        let mut hash = Sha256::new();
        let mut part = |kind: u8, bytes: &[u8]| {
            hash.update([kind]);
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(bytes);
        };
        for cell in cells {
            match cell {
                Cell::Null => part(0, &[]),
                Cell::Integer(number) => part(1, &number.to_le_bytes()),
                Cell::Text(text) => part(2, text.as_bytes()),
                Cell::Blob(bytes) => part(3, bytes),
            }
        }
        let digest = hash.finalize();
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.chunks_exact(8)) {
            *lane = lane.wrapping_add(u64::from_le_bytes(bytes.try_into().unwrap_or_default()));
        }
        self.rows += 1;
    }

    /// The sum, for people to compare.
    #[must_use]
    pub fn text(&self) -> String {
        self.lanes.iter().map(|lane| format!("{lane:016x}")).collect()
    }
}

/// Appends a row in the text form of PostgreSQL's COPY.
pub fn copy_row(cells: &[Cell<'_>], out: &mut Vec<u8>) {
    for (n, cell) in cells.iter().enumerate() {
        if n > 0 {
            out.push(b'\t');
        }
        match cell {
            Cell::Null => out.extend_from_slice(b"\\N"),
            Cell::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Cell::Text(text) => escaped(text, out),
            Cell::Blob(bytes) => {
                out.extend_from_slice(b"\\\\x");
                for byte in *bytes {
                    out.extend([byte >> 4, byte & 15].map(hex));
                }
            }
        }
    }
    out.push(b'\n');
}

fn escaped(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => out.push(other),
        }
    }
}

const fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// Tables so that each comes after those its rows refer to; a circle keeps the order of the source.
#[must_use]
pub fn in_order(mut tables: Vec<Table>) -> Vec<Table> {
    let mut done: Vec<Table> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let ready = |table: &Table| {
            table.parents.iter().all(|parent| *parent == table.name || done.iter().any(|one| one.name == *parent))
        };
        let next = tables.iter().position(ready).unwrap_or(0);
        done.push(tables.remove(next));
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, parents: &[&str]) -> Table {
        let parents = parents.iter().map(|one| (*one).to_owned()).collect();
        Table { name: name.to_owned(), columns: Vec::new(), from: Vec::new(), counter: None, parents }
    }

    #[test]
    fn the_sum_is_of_the_rows_and_not_of_their_order() {
        let rows: [&[Cell<'_>]; 3] = [
            &[Cell::Integer(1), Cell::Text("a")],
            &[Cell::Integer(2), Cell::Null],
            &[Cell::Blob(b"a"), Cell::Text("")],
        ];
        let of = |order: &[usize]| {
            let mut sum = Sum::default();
            order.iter().for_each(|n| sum.add(rows[*n]));
            sum
        };
        assert_eq!(of(&[0, 1, 2]), of(&[2, 0, 1]));
        assert_ne!(of(&[0, 1]), of(&[0, 2]));
        assert_ne!(of(&[0, 0]), of(&[1, 1]), "a row twice is no row");
        let mut shifted = Sum::default();
        shifted.add(&[Cell::Text("ab"), Cell::Text("c")]);
        let mut other = Sum::default();
        other.add(&[Cell::Text("a"), Cell::Text("bc")]);
        assert_ne!(shifted, other);
        assert_eq!(of(&[0]).text().len(), 64);
    }

    #[test]
    fn a_row_travels_whatever_is_in_it() {
        let mut out = Vec::new();
        copy_row(&[Cell::Null, Cell::Integer(-7), Cell::Text("a\tb\\N\r\n"), Cell::Blob(&[0, 255])], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\\N\t-7\ta\\tb\\\\N\\r\\n\t\\\\x00ff\n");
    }

    #[test]
    fn a_table_comes_after_those_it_refers_to() {
        let tables = vec![
            table("change", &["delivery", "booking"]),
            table("delivery", &["submission"]),
            table("submission", &[]),
            table("booking", &["booking"]),
        ];
        let names: Vec<String> = in_order(tables).into_iter().map(|one| one.name).collect();
        let place = |name: &str| names.iter().position(|one| one == name);
        assert!(place("submission") < place("delivery") && place("delivery") < place("change"));
        assert!(place("booking") < place("change"));
    }
}
