//! Questions: listings, counts, the changes feed, the journal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::Tx;
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
        let mut filter = Where::default();
        filter.one_of("facility", facilities);
        if let Some(reference) = reference {
            filter.and("ref = ?", reference.to_owned());
        }
        if let Some(state) = state {
            let clause = "EXISTS (SELECT 1 FROM delivery d WHERE d.submission = submission.id AND d.state = ?)";
            filter.and(clause, state.word().to_owned());
        }
        if let Some(after) = after {
            filter.and("seq > ?", after);
        }
        let sql = format!("SELECT {SUBMISSION} FROM submission {} ORDER BY seq LIMIT ?", filter.sql());
        filter.values.push(one_more(limit).into());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(&filter.values, Self::submission_of)?;
        Ok(page(rows.collect::<Result<_, _>>()?, limit, |row| row.seq))
    }

    pub(super) fn deliveries_of(self, id: SubmissionId) -> Result<Vec<Delivery>, StoreError> {
        self.select("WHERE submission = ?1 ORDER BY position", &[&id.to_string()])
    }

    pub(super) fn deliveries(self, asked: &DeliveryFilter) -> Result<Page<Delivery>, StoreError> {
        let mut filter = Where::default();
        filter.one_of("facility", &asked.facilities);
        if let Some(state) = asked.state {
            filter.and("state = ?", state.word().to_owned());
        }
        if let Some(operation) = &asked.operation {
            filter.and("operation = ?", operation.clone());
        }
        if let Some(why) = &asked.why {
            filter.and("why_code = ?", why.clone());
        }
        if let Some((late, now)) = asked.late {
            let is_late = "(state <> 'cancelled' AND late IS NOT NULL AND \
                           (CASE state WHEN 'delivered' THEN updated_at ELSE ? END) > late)";
            let clause = if late { is_late.to_owned() } else { format!("NOT {is_late}") };
            filter.and(&clause, millis(now));
        }
        if let Some(after) = asked.after {
            filter.and("seq > ?", after);
        }
        let sql = format!("SELECT {DELIVERY} FROM delivery {} ORDER BY seq LIMIT ?", filter.sql());
        filter.values.push(one_more(asked.limit).into());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(&filter.values, |row| Ok(self.delivery_of(row)))?;
        let items = rows.map(|row| row?).collect::<Result<Vec<_>, StoreError>>()?;
        Ok(page(items, asked.limit, |delivery| delivery.seq))
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
        let mut filter = Where::default();
        filter.and("delivery IS NOT NULL AND cursor > ?", cursor);
        filter.one_of("facility", facilities);
        let sql = format!("SELECT cursor, delivery, at FROM change {} ORDER BY cursor LIMIT ?", filter.sql());
        filter.values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(&filter.values, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Parsed<DeliveryId>>(1)?.0, row.get::<_, Millis>(2)?.0))
        })?;
        let mut changes = Vec::new();
        for row in rows {
            let (cursor, id, at) = row?;
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
        let lane = self.shared.sealer.index("lane", &[facility, "noKartu", card]);
        let days = days.map(|day| day.to_string());
        let mut rows = BTreeMap::new();
        for pattern in operations {
            let found = self.select(
                "WHERE lane = ?1 AND facility = ?2 AND service_date BETWEEN ?3 AND ?4 AND operation LIKE ?5 ESCAPE '!' \
                 ORDER BY seq",
                &[&lane, &facility, &days[0], &days[1], &like(pattern)],
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

    pub(super) fn load(self, since: Timestamp, limit: usize) -> Result<Vec<LaneLoad>, StoreError> {
        let mut lanes: BTreeMap<(String, String), LaneLoad> = BTreeMap::new();
        let mut unfinished = self.connection.prepare_cached(
            "SELECT facility, service, id, seq, rank, late, due_at FROM delivery \
             WHERE state IN ('waiting', 'sending', 'unanswered') ORDER BY rank, seq LIMIT ?1",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = unfinished.query_map([limit], |row| {
            let queued = QueuedRow {
                id: row.get::<_, Parsed<DeliveryId>>(2)?.0,
                seq: row.get(3)?,
                rank: row.get::<_, Millis>(4)?.0,
                late: row.get::<_, Option<Millis>>(5)?.map(|at| at.0),
                due_at: row.get::<_, Millis>(6)?.0,
            };
            Ok(((row.get(0)?, row.get(1)?), queued))
        })?;
        for row in rows {
            let ((facility, service), queued): ((String, String), QueuedRow) = row?;
            let key = (facility.clone(), service.clone());
            let lane = lanes.entry(key).or_insert_with(|| LaneLoad { facility, service, ..LaneLoad::default() });
            lane.queue.push(queued);
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
        const UNFINISHED: &str = "state IN ('waiting', 'sending', 'unanswered')";
        let late = format!("SELECT count(*) FROM delivery WHERE {UNFINISHED} AND late < ?1");
        Ok(Totals {
            counts: self.counts()?,
            oldest_unfinished: instant(&format!("SELECT min(accepted_at) FROM delivery WHERE {UNFINISHED}"), &[])?,
            oldest_due: instant(
                "SELECT min(due_at) FROM delivery WHERE state IN ('waiting', 'unanswered') AND blocked_kind IS NULL \
                 AND lease_token IS NULL AND due_at <= ?1",
                &[&millis(now)],
            )?,
            nearest_deadline: instant(
                &format!("SELECT min(late) FROM delivery WHERE {UNFINISHED} AND late >= ?1"),
                &[&millis(now)],
            )?,
            late: self.connection.prepare_cached(&late)?.query_row([millis(now)], |row| row.get(0))?,
            // The backend knows, and says so after this.
            bytes: 0,
        })
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
