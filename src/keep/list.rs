//! Reference lists: which one a read is about, what an answer brought of it, and how much is read now.
//!
//! Job: pure functions between an operation's paging and words (`search` of the catalogue) and what the store keeps.
//! Invariants: rows of a list that is read from its beginning are known by their place, rows of one that is searched by
//! words by their code; a list without a count is complete only if it is not paged or a page came short. What it does not
//! do: search (`super::shelf`).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Answer, Ask};
use crate::catalogue::{Operation, at};
use crate::secret::Private;
use crate::store::{ListName, NewRow, TermRow};

/// Pages of one reading lie at most so far apart.
const ONE_READING: Duration = Duration::from_hours(12);
/// Rows of one answer at most.
const MOST: usize = 20_000;

/// Where in which list a read stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The list.
    pub list: ListName,
    /// Words searched for, in small letters; empty in a list that is read from its beginning.
    pub words: Private<String>,
    /// The first row, counted from 0 (wire facts §4.2: whether BPJS counts from 0 is written nowhere).
    pub start: u64,
    /// How many rows, where the read is paged.
    pub limit: Option<u64>,
    searched: bool,
}

/// The answer without its rows, and how it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame(pub Value);

/// What an answer brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The answer without its rows.
    pub frame: Frame,
    /// The rows.
    pub rows: Vec<Value>,
    /// How many there are, where the service says so.
    pub count: Option<u64>,
}

impl Place {
    /// The place of a read; `None` if its paging cannot be understood.
    #[must_use]
    pub fn of(ask: Ask<'_>) -> Option<Self> {
        let search = ask.operation.search.clone().unwrap_or_default();
        let value = |name: &Option<String>| {
            let name = name.as_ref()?;
            ask.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.trim())
        };
        let number = |name: &Option<String>| value(name).map(str::parse::<u64>).transpose().ok();
        let (start, limit) = (number(&search.start)?, number(&search.limit)?);
        let own = [&search.term, &search.start, &search.limit];
        let is_own = |name: &str| own.iter().any(|own| own.as_deref() == Some(name));
        let scope: Vec<String> = ask
            .params
            .iter()
            .filter(|(name, _)| !is_own(name))
            .map(|(name, value)| format!("{name}={}", value.trim()))
            .collect();
        let list = ListName {
            facility: ask.facility.to_owned(),
            operation: ask.operation.name.clone(),
            scope: Private::new(scope.join("&")),
        };
        let words = Private::new(value(&search.term).map(str::to_lowercase).unwrap_or_default());
        Some(Self { list, words, start: start.unwrap_or(0), limit, searched: search.term.is_some() })
    }

    /// Whether the list is searched by words.
    #[must_use]
    pub const fn is_searched(&self) -> bool {
        self.searched
    }

    pub(super) fn whole(self) -> Self {
        Self { start: 0, limit: None, ..self }
    }
}

impl Frame {
    /// A whole answer.
    pub(super) fn whole(answer: &Answer) -> Value {
        Self::with(answer, answer.value.expose().clone()).0
    }

    fn with(answer: &Answer, value: Value) -> Self {
        Self(json!({
            "status": answer.status,
            "code": answer.code,
            "message": answer.message.expose(),
            "sealed": answer.sealed,
            "value": value,
        }))
    }

    /// The answer again, with `value` in place of what was kept.
    pub(super) fn answer(kept: &Value, value: Value) -> Option<Answer> {
        Some(Answer {
            status: u16::try_from(kept.get("status")?.as_u64()?).ok()?,
            code: kept.get("code")?.as_i64()?,
            message: Private::new(kept.get("message")?.as_str()?.to_owned()),
            sealed: kept.get("sealed")?.as_bool()?,
            value: Private::new(value),
        })
    }

    /// The answer with these rows, and `count` where the service gives one.
    pub(super) fn filled(&self, operation: &Operation, rows: Vec<Value>, count: u64) -> Option<Answer> {
        let mut value = self.0.get("value")?.clone();
        match value.get_mut("count") {
            Some(Value::String(text)) => *text = count.to_string(),
            Some(other) => *other = count.into(),
            None => {}
        }
        if value.is_array() {
            value = Value::Array(rows);
        } else {
            *slot(&mut value, place_of(operation))? = Value::Array(rows);
        }
        Self::answer(&self.0, value)
    }
}

impl Read {
    /// The service says that there is nothing.
    pub(super) fn nothing(operation: &Operation, answer: &Answer) -> Self {
        let mut empty = Value::Object(Map::new());
        let _made = slot(&mut empty, place_of(operation)).map(|slot| *slot = Value::Array(Vec::new()));
        // As an empty list, under the code of success: an answer of 204 has no body that could say where it is from.
        let code = operation.dialect().success.first().copied().unwrap_or(200);
        let message = Private::new("OK".to_owned());
        let answer = Answer { status: 200, code, message, sealed: operation.dialect().sealed, ..answer.clone() };
        Self { frame: Frame::with(&answer, empty), rows: Vec::new(), count: Some(0) }
    }
}

fn place_of(operation: &Operation) -> &str {
    operation.rows.as_deref().unwrap_or("list")
}

/// The value under a dotted name, made if need be; `None` where something else stands in the way.
fn slot<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    name.split('.').try_fold(value, |value, step| {
        value.as_object_mut().map(|map| map.entry(step).or_insert_with(|| Value::Object(Map::new())))
    })
}

/// What a successful answer brought of a list; `None` if there is no list in it.
#[must_use]
pub fn read(operation: &Operation, answer: &Answer) -> Option<Read> {
    let value = answer.value.expose();
    let count = value.get("count").and_then(|count| match count {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    });
    let mut frame = value.clone();
    let rows = if let Value::Array(rows) = value {
        frame = Value::Array(Vec::new());
        rows.clone()
    } else {
        let rows = match at(value, place_of(operation))? {
            Value::Array(rows) => rows.clone(),
            Value::Null => Vec::new(),
            // Where several are usual one may come alone.
            Value::Object(row) => vec![Value::Object(row.clone())],
            Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
        *slot(&mut frame, place_of(operation))? = Value::Array(Vec::new());
        rows
    };
    (rows.len() <= MOST).then(|| Read { frame: Frame::with(answer, frame), rows, count })
}

/// How much is read after a passed read, and from where on rows are no longer there.
#[must_use]
pub fn extended(before: Option<&TermRow>, place: &Place, read: &Read, now: Timestamp) -> (TermRow, Option<u64>) {
    let brought = read.rows.len() as u64;
    let end = place.start + brought;
    // A page that comes short is the last one; a read that is not paged brings all.
    let last = place.limit.is_none_or(|limit| brought < limit && brought > 0);
    let complete = |upto: u64| read.count.map_or(last, |count| upto >= count);
    let fresh = |upto: u64, complete: bool| TermRow {
        words: place.words.clone(),
        upto,
        count: read.count,
        complete,
        begun_at: now,
        as_of: now,
    };
    let same = before.filter(|before| before.count == read.count);
    let term = match same {
        // All of it is known, and its length did not change: a look at a part of it takes nothing away.
        Some(before) if before.complete && !(place.start == 0 && complete(end)) => before.clone(),
        Some(before) if place.start > 0 && place.start <= before.upto && now < before.begun_at + ONE_READING => {
            let upto = before.upto.max(end);
            TermRow { upto, complete: complete(upto), as_of: now, ..before.clone() }
        }
        Some(before) if place.start > 0 => TermRow { as_of: now, ..before.clone() },
        Some(_) | None if place.start == 0 => fresh(end, complete(end)),
        Some(_) | None => fresh(0, false),
    };
    let beyond = (term.complete && !place.searched).then(|| term.count.unwrap_or(term.upto).max(term.upto));
    (term, beyond)
}

/// How much is read after a whole list was read page by page.
#[must_use]
pub fn whole(place: &Place, read: &Read, complete: bool, began: Timestamp, now: Timestamp) -> (TermRow, Option<u64>) {
    let upto = read.rows.len() as u64;
    let complete = complete && read.count.is_none_or(|count| upto >= count);
    let words = place.words.clone();
    let term = TermRow { words, upto, count: read.count, complete, begun_at: began, as_of: now };
    (term, (complete && !place.searched).then_some(upto))
}

/// The rows as the store takes them.
#[must_use]
pub fn new_rows(operation: &Operation, place: &Place, rows: &[Value]) -> Vec<NewRow> {
    let row = |(index, row): (usize, &Value)| {
        let at = if place.searched { 0 } else { place.start + index as u64 };
        let key = key_of(operation, place.searched, at, row);
        NewRow { key: Private::new(key), place: at, body: Private::new(row.to_string()) }
    };
    rows.iter().enumerate().map(row).collect()
}

/// What makes a row the same row: its place, or its code. Sorts as the rows do.
#[must_use]
pub fn key_of(operation: &Operation, searched: bool, place: u64, row: &Value) -> String {
    if !searched {
        return format!("{place:012}");
    }
    let first = operation.search.as_ref().and_then(|search| search.fields.first());
    let code = first.and_then(|field| text_of(at(row, field)?));
    code.unwrap_or_else(|| row.to_string())
}

/// A value as text, where it is a text or a number.
#[must_use]
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
