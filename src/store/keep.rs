//! What is kept of reads for outages: reference lists, and members' standing.
//!
//! Job: the types of the store's `keep_…` and `kept_…` methods. Invariants: rows, arguments, words and standings are
//! sealed, and found again by keyed hashes of what they are about. Neighbours: `keep` fills and reads them, `sqlite::keep`
//! has the SQL. What it does not do: search, judge what is complete, decide what may be kept.

use jiff::Timestamp;
use serde_json::Value;

use crate::secret::Private;

/// Which reference list: one operation of one facility, with its arguments besides words searched for and paging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListName {
    /// kdProvider.
    pub facility: String,
    /// Catalogue operation.
    pub operation: String,
    /// The other arguments as one canonical text; empty if there are none.
    pub scope: Private<String>,
}

/// How much of a list was read with some words (the whole list, where it is not searched by words).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermRow {
    /// The words in small letters; empty without.
    pub words: Private<String>,
    /// Rows read without a gap from the first on.
    pub upto: u64,
    /// How many there are, where the service says so.
    pub count: Option<u64>,
    /// Whether all of them were read.
    pub complete: bool,
    /// When the first of them was read.
    pub begun_at: Timestamp,
    /// When the last of them was read, or asked for in vain.
    pub as_of: Timestamp,
}

/// A row to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// What makes it the same row when it is read again.
    pub key: Private<String>,
    /// Where the service gave it, counted from 0; 0 in lists that are searched by words.
    pub place: u64,
    /// The row as JSON.
    pub body: Private<String>,
}

/// One answer to be kept.
#[derive(Debug, Clone)]
pub struct NewRows {
    /// Of which list.
    pub list: ListName,
    /// Service word.
    pub service: String,
    /// The answer without its rows, with whatever else is needed to give it again.
    pub frame: Private<Value>,
    /// How much is read now.
    pub term: TermRow,
    /// Rows that are new or seen again.
    pub rows: Vec<NewRow>,
    /// Rows from this place on are no longer there.
    pub beyond: Option<u64>,
    /// When it was read.
    pub at: Timestamp,
}

/// A kept row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRow {
    /// Where the service gave it.
    pub place: u64,
    /// The row as JSON.
    pub body: Private<String>,
    /// When the service gave it last.
    pub as_of: Timestamp,
}

/// A kept list with all its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptList {
    /// See [`NewRows::frame`].
    pub frame: Private<Value>,
    /// What was read with which words.
    pub terms: Vec<TermRow>,
    /// Its rows.
    pub rows: Vec<KeptRow>,
}

/// What is told of a kept list without opening its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSummary {
    /// Which list.
    pub list: ListName,
    /// Service word.
    pub service: String,
    /// Rows kept.
    pub rows: u64,
    /// What was read with which words.
    pub terms: Vec<TermRow>,
}

/// How much is kept, for health, status and metrics: codes, counts and instants only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTotals {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// Reference lists.
    pub lists: u64,
    /// Rows in them.
    pub rows: u64,
    /// When the oldest thing read to its end was read.
    pub oldest: Option<Timestamp>,
    /// When anything was read last.
    pub newest: Option<Timestamp>,
    /// Members whose standing is kept.
    pub members: u64,
}

/// Whose standing: at least one of card and NIK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberName {
    /// kdProvider.
    pub facility: String,
    /// Which reads answer alike (service and place of the row).
    pub family: String,
    /// Card number.
    pub card: Option<Private<String>>,
    /// NIK.
    pub nik: Option<Private<String>>,
}

/// A kept standing.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptMember {
    /// The answer, whole.
    pub body: Private<Value>,
    /// When BPJS gave it.
    pub as_of: Timestamp,
}

/// What may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepLimits {
    /// References read before then go.
    pub references_before: Timestamp,
    /// Standings read before then go.
    pub members_before: Timestamp,
    /// Rows of references in all.
    pub rows: u64,
    /// Standings in all.
    pub members: u64,
    /// Bytes of both in all, sealed.
    pub bytes: u64,
}
