//! Kept lists in memory, opened: what is searched and paged.
//!
//! Job: one [`Table`] per list that was asked for lately, and the search over it. Invariants: a search compares as the
//! service does as far as that is known (words anywhere, regardless of case, codes also without their dot); `count` is
//! the number of all that fit, not of the page; what may be incomplete says so, and what is not there at all is no
//! answer. The least used tables go when there are too many rows. What it does not do: touch the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::Value;

use super::list::{Frame, Place, key_of, text_of};
use super::{Caution, Served, locked};
use crate::catalogue::{Operation, at};
use crate::secret::Private;
use crate::store::{KeptList, ListName, NewRows, TermRow};

/// Rows in memory at most, of all lists together.
const ROWS: usize = 300_000;

/// The name of a table: facility, operation, scope.
type Name = (String, String, String);

/// Tables by name, with the number of the look at which each was used last.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    looks: u64,
    tables: HashMap<Name, (u64, Arc<Mutex<Table>>)>,
}

/// One list.
pub(super) struct Table {
    frame: Frame,
    terms: Vec<TermRow>,
    /// By [`key_of`].
    rows: BTreeMap<Box<str>, Row>,
}

struct Row {
    body: Box<str>,
    /// What is searched: the fields in small letters, a line each.
    text: Box<str>,
    place: u64,
    as_of: Timestamp,
}

/// What fits a question.
struct Found<'t> {
    rows: Vec<&'t Row>,
    count: u64,
    as_of: Option<Timestamp>,
    complete: bool,
}

fn name_of(list: &ListName) -> Name {
    (list.facility.clone(), list.operation.clone(), list.scope.expose().clone())
}

impl Shelf {
    pub(super) fn find(&self, list: &ListName) -> Option<Arc<Mutex<Table>>> {
        let mut shelf = locked(&self.0);
        shelf.looks += 1;
        let looks = shelf.looks;
        let (used, table) = shelf.tables.get_mut(&name_of(list))?;
        *used = looks;
        Some(Arc::clone(table))
    }

    pub(super) fn put(&self, list: &ListName, table: Table) -> Arc<Mutex<Table>> {
        let table = Arc::new(Mutex::new(table));
        let mut shelf = locked(&self.0);
        shelf.looks += 1;
        let used = shelf.looks;
        shelf.tables.insert(name_of(list), (used, Arc::clone(&table)));
        while shelf.tables.len() > 1
            && shelf.tables.values().map(|(_, table)| locked(table).rows.len()).sum::<usize>() > ROWS
        {
            let oldest = shelf.tables.iter().min_by_key(|(_, (used, _))| *used).map(|(name, _)| name.clone());
            oldest.map(|name| shelf.tables.remove(&name));
        }
        table
    }

    pub(super) fn forget(&self, facility: &str) {
        locked(&self.0).tables.retain(|(own, ..), _| own != facility);
    }

    pub(super) fn forget_all(&self) {
        locked(&self.0).tables.clear();
    }
}

impl Table {
    pub(super) fn of(operation: &Operation, kept: KeptList) -> Self {
        let searched = is_searched(operation);
        let rows = kept.rows.into_iter().filter_map(|row| {
            let body = row.body.into_inner();
            let value = serde_json::from_str::<Value>(&body).ok()?;
            let text = searched_text(operation, &value);
            let key = key_of(operation, searched, row.place, &value).into();
            Some((key, Row { body: body.into(), text, place: row.place, as_of: row.as_of }))
        });
        Self { frame: Frame(kept.frame.into_inner()), terms: kept.terms, rows: rows.collect() }
    }

    pub(super) const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// How much was read with these words.
    pub(super) fn term(&self, words: &Private<String>) -> Option<TermRow> {
        self.terms.iter().find(|term| term.words == *words).cloned()
    }

    /// Takes over what the store has just taken.
    pub(super) fn take(&mut self, operation: &Operation, frame: Frame, new: &NewRows) {
        self.frame = frame;
        self.terms.retain(|term| term.words != new.term.words);
        self.terms.push(new.term.clone());
        for row in &new.rows {
            let body: Box<str> = row.body.expose().as_str().into();
            let value = serde_json::from_str::<Value>(&body).unwrap_or_default();
            let text = searched_text(operation, &value);
            let kept = Row { body, text, place: row.place, as_of: new.at };
            self.rows.insert(row.key.expose().as_str().into(), kept);
        }
        if let Some(beyond) = new.beyond {
            self.rows.retain(|_, row| row.place < beyond);
        }
    }

    /// The answer to a read of this list.
    pub(super) fn answer(&self, operation: &Operation, place: &Place) -> Option<Served> {
        let found = if place.is_searched() { self.search(place) } else { self.part(place) }?;
        let rows = found.rows.iter().filter_map(|row| serde_json::from_str(&row.body).ok()).collect();
        let answer = self.frame.filled(operation, rows, found.count)?;
        let caution = (!found.complete).then_some(Caution::Incomplete);
        Some(Served { answer, as_of: found.as_of?, caution })
    }

    /// Rows in which the words stand. Complete if all rows with the beginning of these words were read, because a row
    /// that has the longer has the shorter too; of a service that gives no count only for the very words, because
    /// whether it cuts long lists short is not known.
    fn search(&self, place: &Place) -> Option<Found<'_>> {
        let words = place.words.expose();
        let covers = |term: &&TermRow| {
            let own = term.words.expose();
            term.complete && (own == words || (term.count.is_some() && words.starts_with(own.as_str())))
        };
        let since = self.terms.iter().filter(covers).map(|term| term.begun_at).max();
        let bare = without_dots(words);
        let fits = |row: &&Row| {
            row.text.contains(words.as_str()) || bare.as_ref().is_some_and(|bare| row.text.contains(bare.as_str()))
        };
        let all: Vec<&Row> = self.rows.values().filter(fits).collect();
        if all.is_empty() && since.is_none() {
            return None;
        }
        let count = all.len() as u64;
        let as_of = since.or_else(|| all.iter().map(|row| row.as_of).min());
        let (start, limit) = (usize::try_from(place.start).ok()?, place.limit);
        let most = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let rows = all.into_iter().skip(start).take(most).collect();
        Some(Found { rows, count, as_of, complete: since.is_some() })
    }

    /// Rows by their place.
    fn part(&self, place: &Place) -> Option<Found<'_>> {
        let term = self.term(&place.words);
        let end = place.limit.map_or(u64::MAX, |limit| place.start.saturating_add(limit));
        let rows: Vec<&Row> = self.rows.values().filter(|row| (place.start..end).contains(&row.place)).collect();
        let whole = term.as_ref().filter(|term| term.complete);
        let total = term.as_ref().and_then(|term| term.count.or_else(|| whole.map(|whole| whole.upto)));
        let wanted = total.map(|total| total.min(end).saturating_sub(place.start));
        let complete = wanted.is_some_and(|wanted| rows.len() as u64 >= wanted);
        if rows.is_empty() && !complete {
            return None;
        }
        let oldest = rows.iter().map(|row| row.as_of).min();
        let as_of = whole.map(|term| term.begun_at).filter(|_| complete).or(oldest).or(term.map(|term| term.as_of));
        Some(Found { count: total.unwrap_or(rows.len() as u64), rows, as_of, complete })
    }
}

fn is_searched(operation: &Operation) -> bool {
    operation.search.as_ref().is_some_and(|search| search.term.is_some())
}

fn searched_text(operation: &Operation, row: &Value) -> Box<str> {
    if !is_searched(operation) {
        return Box::default();
    }
    let fields = operation.search.iter().flat_map(|search| &search.fields);
    let mut text = String::new();
    for value in fields.filter_map(|field| text_of(at(row, field)?)) {
        let value = value.to_lowercase();
        let bare = without_dots(&value);
        for line in std::iter::once(value).chain(bare) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.into()
}

/// A code without its dot; `None` where that is the same or nothing. Codes are short and have no blanks.
fn without_dots(text: &str) -> Option<String> {
    let is_code = text.len() <= 10 && text.contains('.') && !text.contains(char::is_whitespace);
    let bare = is_code.then(|| text.replace('.', ""))?;
    (!bare.is_empty()).then_some(bare)
}
