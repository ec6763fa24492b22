//! Questions: listings, counts, the changes feed, the journal.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::Tx;
use super::claim::DISPATCH;
use super::db::{OptionalExtension, Row, ToSql, Value as Sql, params};
use super::rows::{DELIVERY, Millis, Parsed, Word, millis};
use crate::queue::{Delivery, DeliveryId, How, Purpose, State, SubmissionId};
use crate::secret::Private;
use crate::store::{
    AttemptEnd, AttemptRecord, Change, Counts, DeliveryFilter, EntryBody, JournalRow, LaneLoad, Page, QueuedRow,
    StoreError, SubmissionRow, Totals,
};

const SUBMISSION: &str = "seq, id, client, facility, ref, accepted_at, warnings";

/// A WHERE clause with its values.
#[derive(Default)]
pub(super) struct Where {
    clauses: Vec<String>,
    pub(super) values: Vec<Sql>,
}

impl Where {
    pub(super) fn and(&mut self, clause: &str, value: impl Into<Sql>) {
        self.clauses.push(clause.to_owned());
        self.values.push(value.into());
    }

    pub(super) fn one_of(&mut self, column: &str, values: &[String]) {
        if !values.is_empty() {
            let marks = vec!["?"; values.len()].join(", ");
            self.clauses.push(format!("{column} IN ({marks})"));
            self.values.extend(values.iter().cloned().map(Sql::from));
        }
    }

    pub(super) fn sql(&self) -> String {
        if self.clauses.is_empty() { String::new() } else { format!("WHERE {}", self.clauses.join(" AND ")) }
    }
}

/// A pattern in which `*` stands for anything, as LIKE wants it.
fn like(pattern: &str) -> String {
    pattern.replace('!', "!!").replace('%', "!%").replace('_', "!_").replace('*', "%")
}

/// One row more than asked tells whether there is a next page.
pub(super) fn page<T>(mut items: Vec<T>, limit: usize, seq: impl Fn(&T) -> i64) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().map(seq).filter(|_| more);
    Page { items, next }
}

pub(super) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX)
}

/// Late entries of a lane counted at most; where there are more, the count says "at least".
const LATE_COUNTED: i64 = 10_000;

/// A row's place in the dispatch order of all lanes: as [`DISPATCH`] has it.
fn turn(row: &QueuedRow, now: Timestamp) -> (u8, Option<Timestamp>, Timestamp, i64) {
    let class = row.late.map_or(1, |late| if late >= now { 0 } else { 2 });
    (class, row.late, row.rank, row.seq)
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Rows looked at for one page: one more than asked for or, where a filter has no index of its own, so many at most that a
/// page costs the same however large the store is. Such a page may be short, or empty, and still say where to go on.
const LOOKED_AT: i64 = 10_000;

fn window(limit: usize, narrowed: bool) -> i64 {
    let asked = one_more(limit);
    if narrowed { asked.max(LOOKED_AT) } else { asked }
}

/// A page being read, row after row in order of acceptance.
struct Listing<T> {
    limit: usize,
    window: i64,
    items: Vec<T>,
    looked: i64,
    last: i64,
}

impl<T> Listing<T> {
    fn new(limit: usize, narrowed: bool) -> Self {
        Self { limit, window: window(limit, narrowed), items: Vec::new(), looked: 0, last: 0 }
    }

    /// One row was looked at; `found` if it is asked for. Breaks off once there is one more than the page holds.
    fn looked_at(&mut self, seq: i64, found: Option<T>) -> ControlFlow<()> {
        self.looked += 1;
        self.last = seq;
        self.items.extend(found);
        if self.items.len() > self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn page(self, seq: impl Fn(&T) -> i64) -> Page<T> {
        let on = (self.looked >= self.window && self.items.len() <= self.limit).then_some(self.last);
        let page = page(self.items, self.limit, seq);
        Page { next: page.next.or(on), ..page }
    }
}

/// Whether a row is one that the filter asks for, as far as no index says it.
fn fits(asked: &DeliveryFilter, row: &Row<'_>) -> Result<bool, StoreError> {
    let text = |name: &str| row.get::<_, Option<String>>(name).map(Option::unwrap_or_default);
    if !asked.facilities.is_empty() && !asked.facilities.contains(&text("facility")?) {
        return Ok(false);
    }
    if let Some(operation) = &asked.operation
        && *operation != text("operation")?
    {
        return Ok(false);
    }
    if let Some(why) = &asked.why
        && *why != text("why_code")?
    {
        return Ok(false);
    }
    let Some((wanted, now)) = asked.late else { return Ok(true) };
    let state: State = row.get::<_, Word<State>>("state")?.0;
    let until = if state == State::Delivered { row.get::<_, Millis>("updated_at")?.0 } else { now };
    let late = row.get::<_, Option<Millis>>("late")?;
    let is_late = state != State::Cancelled && late.is_some_and(|late| until > late.0);
    Ok(is_late == wanted)
}

impl Tx<'_> {
    pub(super) fn submission_of(row: &Row<'_>) -> Result<SubmissionRow, StoreError> {
        let warnings: String = row.get("warnings")?;
        Ok(SubmissionRow {
            id: row.get::<_, Parsed<SubmissionId>>("id")?.0,
            seq: row.get("seq")?,
            client: row.get("client")?,
            facility: row.get("facility")?,
            reference: row.get("ref")?,
            accepted_at: row.get::<_, Millis>("accepted_at")?.0,
            warnings: serde_json::from_str(&warnings).unwrap_or_default(),
        })
    }

    pub(super) fn submission(self, id: SubmissionId) -> Result<Option<SubmissionRow>, StoreError> {
        let sql = format!("SELECT {SUBMISSION} FROM submission WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([id.to_string()], Self::submission_of).optional()
    }

    pub(super) fn submissions(
        self,
        facilities: &[String],
        reference: Option<&str>,
        state: Option<State>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<SubmissionRow>, StoreError> {
        let after = after.unwrap_or(0);
        let mut list = Listing::new(limit, !facilities.is_empty() || reference.is_some() || state.is_some());
        let each = |list: &mut Listing<SubmissionRow>, row: &Row<'_>| {
            let found = Self::submission_of(row)?;
            let here = facilities.is_empty() || facilities.contains(&found.facility);
            let asked = here && found.seq > after && reference.is_none_or(|reference| found.reference == reference);
            // Several entries of one submission may be in the state.
            let again = list.items.last().is_some_and(|last| last.seq == found.seq);
            Ok(list.looked_at(found.seq, (asked && !again).then_some(found)))
        };
        let window = list.window;
        match (reference, state) {
            (Some(reference), state) => {
                let sql = format!(
                    "SELECT {SUBMISSION} FROM submission WHERE ref = ?1 AND (?2 = '' OR EXISTS (SELECT 1 FROM delivery d \
                     WHERE d.submission = submission.id AND d.state = ?2)) ORDER BY seq LIMIT ?3"
                );
                let state = state.map_or("", State::word);
                self.connection.query(&sql, params![reference, state, window], &mut |row| each(&mut list, row))?;
            }
            (None, Some(state)) => {
                // Entries follow one another as their submissions do.
                let sql = "SELECT s.seq, s.id, s.client, s.facility, s.ref, s.accepted_at, s.warnings FROM delivery d \
                           JOIN submission s ON s.id = d.submission WHERE d.state = ?1 AND d.seq > ?2 \
                           ORDER BY d.seq LIMIT ?3";
                let from = self.last_entry_of(after)?;
                self.connection.query(sql, params![state.word(), from, window], &mut |row| each(&mut list, row))?;
            }
            (None, None) => {
                let sql = format!("SELECT {SUBMISSION} FROM submission WHERE seq > ?1 ORDER BY seq LIMIT ?2");
                self.connection.query(&sql, params![after, window], &mut |row| each(&mut list, row))?;
            }
        }
        Ok(list.page(|row| row.seq))
    }

    /// The number of the last entry of the submission of this number.
    fn last_entry_of(self, submission: i64) -> Result<i64, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT coalesce(max(d.seq), 0) FROM submission s JOIN delivery d ON d.submission = s.id WHERE s.seq = ?1",
        )?;
        Ok(statement.query_row([submission], |row| row.get(0))?)
    }

    pub(super) fn deliveries_of(self, id: SubmissionId) -> Result<Vec<Delivery>, StoreError> {
        self.select("WHERE submission = ?1 ORDER BY position", &[&id.to_string()])
    }

    pub(super) fn deliveries(self, asked: &DeliveryFilter) -> Result<Page<Delivery>, StoreError> {
        let narrowed =
            !asked.facilities.is_empty() || asked.operation.is_some() || asked.why.is_some() || asked.late.is_some();
        let mut list = Listing::new(asked.limit, narrowed);
        let mut each = |row: &Row<'_>| {
            let fits = fits(asked, row)?;
            let found = fits.then(|| self.delivery_of(row)).transpose()?;
            Ok(list.looked_at(row.get("seq")?, found))
        };
        let (after, window) = (asked.after.unwrap_or(0), window(asked.limit, narrowed));
        match asked.state {
            Some(state) => {
                let sql =
                    format!("SELECT {DELIVERY} FROM delivery WHERE state = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
                self.connection.query(&sql, params![state.word(), after, window], &mut each)?;
            }
            None => {
                let sql = format!("SELECT {DELIVERY} FROM delivery WHERE seq > ?1 ORDER BY seq LIMIT ?2");
                self.connection.query(&sql, params![after, window], &mut each)?;
            }
        }
        Ok(list.page(|delivery| delivery.seq))
    }

    pub(super) fn attempts(self, id: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        let Some(delivery) = self.delivery(id)? else { return Ok(Vec::new()) };
        let mut statement = self.connection.prepare_cached(
            "SELECT token, number, purpose, started_at, ended_at, credential_version, stamp, outcome, status, code, \
             detail, answer FROM attempt WHERE delivery = ?1 ORDER BY number",
        )?;
        let rows = statement.query_map([id.to_string()], |row| Ok(self.attempt_of(&delivery.facility, row)))?;
        rows.map(|row| row?).collect()
    }

    fn attempt_of(self, facility: &str, row: &Row<'_>) -> Result<AttemptRecord, StoreError> {
        let token: i64 = row.get("token")?;
        let detail = self.unseal::<String>(facility, "attempt", &token.to_string(), row.get("detail")?)?;
        let answer = self.unseal::<Value>(facility, "answer", &token.to_string(), row.get("answer")?)?;
        Ok(AttemptRecord {
            number: row.get("number")?,
            purpose: row.get::<_, Word<Purpose>>("purpose")?.0,
            started_at: row.get::<_, Millis>("started_at")?.0,
            ended_at: row.get::<_, Option<Millis>>("ended_at")?.map(|at| at.0),
            credential_version: row.get("credential_version")?,
            end: AttemptEnd {
                outcome: row.get::<_, Option<String>>("outcome")?.unwrap_or_default(),
                status: row.get("status")?,
                code: row.get("code")?,
                stamp: row.get("stamp")?,
                credential_version: None,
                detail: Private::new(detail.unwrap_or_default()),
                answer: answer.map(Private::new),
                owns: None,
                frees: None,
            },
        })
    }

    pub(super) fn entry_body(self, id: DeliveryId) -> Result<Option<EntryBody>, StoreError> {
        let key = id.to_string();
        let mut statement = self.connection.prepare_cached(
            "SELECT d.facility, b.original, b.current FROM entry_body b JOIN delivery d ON d.id = b.delivery \
             WHERE b.delivery = ?1",
        )?;
        let found = statement.query_row([&key], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
        });
        let Some((facility, original, current)) = found.optional()? else { return Ok(None) };
        let Some(original) = self.unseal::<Value>(&facility, "original", &key, original)? else {
            return Ok(None);
        };
        let current = self.unseal(&facility, "current", &key, current)?.unwrap_or_else(|| original.clone());
        Ok(Some(EntryBody { original: Private::new(original), current: Private::new(current) }))
    }

    pub(super) fn changes(self, facilities: &[String], cursor: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        let limited = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = |row: &Row<'_>| -> Result<(i64, DeliveryId, Timestamp), StoreError> {
            Ok((row.get(0)?, row.get::<_, Parsed<DeliveryId>>(1)?.0, row.get::<_, Millis>(2)?.0))
        };
        let mut found = Vec::new();
        if facilities.is_empty() {
            let mut statement = self.connection.prepare_cached(
                "SELECT cursor, delivery, at FROM change WHERE cursor > ?1 AND delivery IS NOT NULL \
                 ORDER BY cursor LIMIT ?2",
            )?;
            found = statement.query_map(params![cursor, limited], read)?.collect::<Result<_, _>>()?;
        }
        // One facility after the other: a quiet one among busy ones must not make a reader walk past all of theirs.
        for facility in facilities {
            let mut statement = self.connection.prepare_cached(
                "SELECT cursor, delivery, at FROM change WHERE facility = ?1 AND cursor > ?2 AND delivery IS NOT NULL \
                 ORDER BY cursor LIMIT ?3",
            )?;
            let rows = statement.query_map(params![facility, cursor, limited], read)?;
            found.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        found.sort_unstable_by_key(|(cursor, _, _)| *cursor);
        found.dedup_by_key(|(cursor, _, _)| *cursor);
        found.truncate(limit);
        let mut changes = Vec::with_capacity(found.len());
        for (cursor, id, at) in found {
            changes.extend(self.delivery(id)?.map(|delivery| Change { cursor, at, delivery }));
        }
        Ok(changes)
    }

    pub(super) fn journal(self, facility: &str, from: Date, to: Date) -> Result<Vec<JournalRow>, StoreError> {
        let days = [from.to_string(), to.to_string()];
        let deliveries = self.select(
            "WHERE facility = ?1 AND service_date BETWEEN ?2 AND ?3 ORDER BY seq",
            &[&facility, &days[0], &days[1]],
        )?;
        deliveries.into_iter().map(|delivery| self.journal_row(delivery)).collect()
    }

    pub(super) fn journal_of(
        self,
        facility: &str,
        from: Date,
        to: Date,
        operations: &[String],
    ) -> Result<Vec<JournalRow>, StoreError> {
        let (from, to) = (from.to_string(), to.to_string());
        let mut rows = BTreeMap::new();
        for pattern in operations {
            let found = self.select(
                "WHERE facility = ?1 AND service_date BETWEEN ?2 AND ?3 AND operation LIKE ?4 ESCAPE '!' ORDER BY seq",
                &[&facility, &from, &to, &like(pattern)],
            )?;
            rows.extend(found.into_iter().map(|delivery| (delivery.seq, delivery)));
        }
        rows.into_values().map(|delivery| self.journal_row(delivery)).collect()
    }

    pub(super) fn journal_of_patient(
        self,
        facility: &str,
        card: &str,
        days: [Date; 2],
        operations: &[String],
    ) -> Result<Vec<JournalRow>, StoreError> {
        // A lane is of one facility: naming that too would have the database walk the facility's days.
        let lane = self.shared.sealer.index("lane", &[facility, "noKartu", card]);
        let days = days.map(|day| day.to_string());
        let mut rows = BTreeMap::new();
        for pattern in operations {
            let found = self.select(
                "WHERE lane = ?1 AND service_date BETWEEN ?2 AND ?3 AND operation LIKE ?4 ESCAPE '!' ORDER BY seq",
                &[&lane, &days[0], &days[1], &like(pattern)],
            )?;
            rows.extend(found.into_iter().map(|delivery| (delivery.seq, delivery)));
        }
        rows.into_values().map(|delivery| self.journal_row(delivery)).collect()
    }

    pub(super) fn journal_row(self, delivery: Delivery) -> Result<JournalRow, StoreError> {
        let submission = self.submission(delivery.submission)?;
        let (reference, client) = submission.map(|row| (row.reference, row.client)).unwrap_or_default();
        let payload = self.entry_body(delivery.id)?.map(|body| body.current).unwrap_or_default();
        let patient = self.patient(&delivery)?.map(Private::new);
        Ok(JournalRow { payload, reference, client, patient, given: self.given(&delivery)?, delivery })
    }

    fn patient(self, delivery: &Delivery) -> Result<Option<Value>, StoreError> {
        let id = delivery.submission.to_string();
        let mut statement = self.connection.prepare_cached("SELECT patient FROM submission WHERE id = ?1")?;
        let sealed = statement.query_row([&id], |row| row.get::<_, Option<Vec<u8>>>(0)).optional()?;
        self.unseal(&delivery.facility, "patient", &id, sealed.flatten())
    }

    /// Facilities and services that ever had an entry.
    pub(super) fn lanes(self) -> Result<Vec<(String, String)>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT DISTINCT facility, service FROM tally")?;
        statement.query_map(params![], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// What is unfinished in a lane, in dispatch order as it was at `since`, at most `limit`.
    fn queue_of(self, lane: &(String, String), since: Timestamp, limit: i64) -> Result<Vec<QueuedRow>, StoreError> {
        let mut queue = Vec::new();
        for class in DISPATCH {
            let sql = format!(
                "SELECT id, seq, rank, late, due_at FROM delivery WHERE facility = ?1 AND service = ?2 \
                 AND state IN ('waiting', 'sending', 'unanswered') AND {class} LIMIT ?4"
            );
            let left = limit.saturating_sub(i64::try_from(queue.len()).unwrap_or(i64::MAX));
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![lane.0, lane.1, millis(since), left], |row| {
                Ok(QueuedRow {
                    id: row.get::<_, Parsed<DeliveryId>>(0)?.0,
                    seq: row.get(1)?,
                    rank: row.get::<_, Millis>(2)?.0,
                    late: row.get::<_, Option<Millis>>(3)?.map(|at| at.0),
                    due_at: row.get::<_, Millis>(4)?.0,
                })
            })?;
            queue.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(queue)
    }

    pub(super) fn load(self, since: Timestamp, limit: usize) -> Result<Vec<LaneLoad>, StoreError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut queued = Vec::new();
        for lane in self.lanes()? {
            let queue = self.queue_of(&lane, since, most)?;
            queued.extend(queue.into_iter().map(|row| (turn(&row, since), lane.clone(), row)));
        }
        queued.sort_by_key(|(turn, _, _)| *turn);
        queued.truncate(limit);
        let mut lanes: BTreeMap<(String, String), LaneLoad> = BTreeMap::new();
        for (_, lane, row) in queued {
            let (facility, service) = lane.clone();
            let load = lanes.entry(lane).or_insert_with(|| LaneLoad { facility, service, ..LaneLoad::default() });
            load.queue.push(row);
        }
        if lanes.is_empty() {
            return Ok(Vec::new());
        }
        // The newest rows only: the feed grows without end, and a rate needs no more.
        let mut delivered = self.connection.prepare_cached(
            "SELECT d.facility, d.service, count(DISTINCT d.id) FROM change c JOIN delivery d ON d.id = c.delivery \
             WHERE c.cursor > (SELECT coalesce(max(cursor), 0) - 5000 FROM change) AND c.at >= ?1 \
             AND d.state = 'delivered' GROUP BY d.facility, d.service",
        )?;
        let rows =
            delivered.query_map([millis(since)], |row| Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?)))?;
        for row in rows {
            let (key, count): ((String, String), i64) = row?;
            if let Some(lane) = lanes.get_mut(&key) {
                lane.delivered = usize::try_from(count).unwrap_or(0);
            }
        }
        Ok(lanes.into_values().collect())
    }

    pub(super) fn totals(self, now: Timestamp) -> Result<Totals, StoreError> {
        let instant = |sql: &str, values: &[&dyn ToSql]| -> Result<Option<Timestamp>, StoreError> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let found = statement.query_row(values, |row| row.get::<_, Option<Millis>>(0))?;
            Ok(found.map(|at| at.0))
        };
        let mut totals = Totals { counts: self.counts()?, ..Totals::default() };
        // Lane by lane and state by state: each is one step into an index, however many entries there are.
        for state in [State::Waiting, State::Sending, State::Unanswered] {
            let first =
                "SELECT min(accepted_at) FROM delivery WHERE seq = (SELECT min(seq) FROM delivery WHERE state = ?1)";
            let first = instant(first, params![state.word()])?;
            totals.oldest_unfinished = earlier(totals.oldest_unfinished, first);
        }
        for (facility, service) in self.lanes()? {
            let due = "SELECT min(due_at) FROM delivery WHERE facility = ?1 AND service = ?2 \
                       AND state IN ('waiting', 'unanswered') AND blocked_kind IS NULL AND lease_token IS NULL";
            let due = instant(due, params![facility, service])?.filter(|due| *due <= now);
            totals.oldest_due = earlier(totals.oldest_due, due);
            let nearest = "SELECT min(late) FROM delivery WHERE facility = ?1 AND service = ?2 AND late >= ?3 \
                           AND state IN ('waiting', 'sending', 'unanswered')";
            let nearest = instant(nearest, params![facility, service, millis(now)])?;
            totals.nearest_deadline = earlier(totals.nearest_deadline, nearest);
            let mut late = self.connection.prepare_cached(
                "SELECT count(*) FROM (SELECT seq FROM delivery WHERE facility = ?1 AND service = ?2 AND late < ?3 \
                 AND state IN ('waiting', 'sending', 'unanswered') LIMIT ?4) AS counted",
            )?;
            let values = params![facility, service, millis(now), LATE_COUNTED];
            totals.late += late.query_row(values, |row| row.get::<_, i64>(0))?;
        }
        Ok(totals)
    }

    fn counts(self) -> Result<Vec<Counts>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT facility, service, state, how, count FROM tally WHERE count > 0 ORDER BY facility, service, state",
        )?;
        let rows = statement.query_map(params![], |row| {
            let how: String = row.get(3)?;
            Ok(Counts {
                facility: row.get(0)?,
                service: row.get(1)?,
                state: row.get::<_, Word<State>>(2)?.0,
                how: How::of_word(&how),
                count: row.get(4)?,
            })
        })?;
        rows.collect::<Result<_, _>>()
    }
}
