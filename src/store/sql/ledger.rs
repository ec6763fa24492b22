//! The small tables: pauses, lanes, circuits, outages, reconciliations, the security log.

use jiff::Timestamp;
use serde_json::Value;

use super::Tx;
use super::db::{OptionalExtension, Row, ToSql, params};
use super::rows::{Millis, Parsed, Word, millis};
use crate::audit::{self, Entry};
use crate::secret::Private;
use crate::store::Verdict;
use crate::store::{
    AuditEntry, CircuitRow, LaneStop, OutageChange, OutageClass, OutageRow, PauseRow, ReconciliationRow, StoreError,
};

const OUTAGE: &str = "id, facility, service, opened_at, closed_at, cause, verdict, evidence, opened_by, closed_by, \
                      accepted, affected, late, class, class_by";

/// So far a clock may have been set back since, and what happened is still counted.
const CLOCK_STEPS: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

impl Tx<'_> {
    pub(super) fn set_pause(
        self,
        facility: &str,
        pause: Option<&PauseRow>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        match pause {
            Some(pause) => self
                .connection
                .prepare_cached(
                    "INSERT INTO pause (facility, reason, actor, since) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (facility) DO UPDATE SET reason = excluded.reason, actor = excluded.actor",
                )?
                .execute(params![facility, pause.reason, pause.actor, millis(pause.since)])?,
            None => self.connection.prepare_cached("DELETE FROM pause WHERE facility = ?1")?.execute([facility])?,
        };
        self.log(audit)
    }

    pub(super) fn pauses(self) -> Result<Vec<PauseRow>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT facility, reason, actor, since FROM pause ORDER BY facility")?;
        let rows = statement.query_map(params![], |row| {
            Ok(PauseRow {
                facility: row.get(0)?,
                reason: row.get(1)?,
                actor: row.get(2)?,
                since: row.get::<_, Millis>(3)?.0,
            })
        })?;
        rows.collect::<Result<_, _>>()
    }

    pub(super) fn set_lane_stop(
        self,
        facility: &str,
        service: &str,
        stop: Option<&LaneStop>,
    ) -> Result<(), StoreError> {
        let Some(stop) = stop else {
            self.connection
                .prepare_cached("DELETE FROM lane_stop WHERE facility = ?1 AND service = ?2")?
                .execute([facility, service])?;
            return Ok(());
        };
        let message = self.seal(facility, "lane_stop", service, stop.message.expose())?;
        self.connection
            .prepare_cached(
                "INSERT INTO lane_stop (facility, service, message, since, credential_version) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (facility, service) DO UPDATE \
                 SET message = excluded.message, \
                 credential_version = CASE WHEN excluded.credential_version > lane_stop.credential_version \
                 THEN excluded.credential_version ELSE lane_stop.credential_version END",
            )?
            .execute(params![facility, service, message, millis(stop.since), stop.credential_version])?;
        Ok(())
    }

    pub(super) fn lane_stops(self) -> Result<Vec<LaneStop>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT facility, service, message, since, credential_version FROM lane_stop ORDER BY facility, service",
        )?;
        let rows = statement.query_map(params![], |row| {
            let message: Vec<u8> = row.get(2)?;
            let stop = LaneStop {
                facility: row.get(0)?,
                service: row.get(1)?,
                message: Private::new(String::new()),
                since: row.get::<_, Millis>(3)?.0,
                credential_version: row.get(4)?,
            };
            Ok((stop, message))
        })?;
        let mut stops = Vec::new();
        for row in rows {
            let (stop, sealed) = row?;
            let message = self.unseal(&stop.facility, "lane_stop", &stop.service, Some(sealed))?.unwrap_or_default();
            stops.push(LaneStop { message: Private::new(message), ..stop });
        }
        Ok(stops)
    }

    pub(super) fn set_circuit(self, row: &CircuitRow) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO circuit (facility, service, open, since) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (facility, service) DO UPDATE SET open = excluded.open, since = excluded.since",
            )?
            .execute(params![row.facility, row.service, row.open, millis(row.since)])?;
        Ok(())
    }

    pub(super) fn circuits(self) -> Result<Vec<CircuitRow>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT facility, service, open, since FROM circuit ORDER BY 1, 2")?;
        let rows = statement.query_map(params![], |row| {
            Ok(CircuitRow {
                facility: row.get(0)?,
                service: row.get(1)?,
                open: row.get(2)?,
                since: row.get::<_, Millis>(3)?.0,
            })
        })?;
        rows.collect::<Result<_, _>>()
    }

    // ---- outages ------------------------------------------------------------------------------------------------

    pub(super) fn change_outage(self, change: &OutageChange) -> Result<OutageRow, StoreError> {
        let id = match change {
            OutageChange::Open { facility, service, cause, verdict, evidence, at, actor } => {
                self.open_outage(facility, service, cause, *verdict, evidence, *at, actor)?
            }
            OutageChange::Evidence { id, evidence } => {
                self.connection
                    .prepare_cached("UPDATE outage SET evidence = ?2 WHERE id = ?1")?
                    .execute(params![id, evidence.to_string()])?;
                *id
            }
            OutageChange::Close { id, at, actor } => {
                self.close_outage(*id, *at, actor)?;
                *id
            }
            OutageChange::Classify { id, class, actor } => {
                self.connection
                    .prepare_cached("UPDATE outage SET class = ?2, class_by = ?3 WHERE id = ?1")?
                    .execute(params![id, class.word(), actor])?;
                *id
            }
        };
        failpoint!("outage.written");
        let sql = format!("SELECT {OUTAGE} FROM outage WHERE id = ?1");
        let found = self.connection.prepare_cached(&sql)?.query_row([id], outage_of).optional()?;
        found.ok_or_else(|| StoreError::Database(format!("no outage {id}")))
    }

    /// Opens an episode; where one is open already, that one is the answer (one open per service).
    #[expect(clippy::too_many_arguments, reason = "the columns of one row, named by the caller's enum")]
    fn open_outage(
        self,
        facility: &str,
        service: &str,
        cause: &str,
        verdict: Verdict,
        evidence: &Value,
        at: Timestamp,
        actor: &str,
    ) -> Result<i64, StoreError> {
        let open: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM outage WHERE facility = ?1 AND service = ?2 AND closed_at IS NULL")?
            .query_row([facility, service], |row| row.get(0))
            .optional()?;
        if let Some(open) = open {
            return Ok(open);
        }
        let id = self
            .connection
            .prepare_cached(
                "INSERT INTO outage (facility, service, opened_at, cause, verdict, evidence, opened_by) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            )?
            .query_row(
                params![facility, service, millis(at), cause, verdict.word(), evidence.to_string(), actor],
                |row| row.get(0),
            )?;
        self.log(&outage_line(at, actor, "outage.open", id, cause))?;
        Ok(id)
    }

    /// Closes an episode and counts what it touched: accepted meanwhile, unfinished meanwhile, late because of it.
    fn close_outage(self, id: i64, at: Timestamp, actor: &str) -> Result<(), StoreError> {
        let open = "SELECT facility, service, opened_at FROM outage WHERE id = ?1 AND closed_at IS NULL";
        let open = self.connection.prepare_cached(open)?.query_row([id], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Millis>(2)?.0))
        });
        let Some((facility, service, opened)) = open.optional()? else { return Ok(()) };
        let count = |sql: &str, values: &[&dyn ToSql]| -> Result<i64, StoreError> {
            Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
        };
        // What ended since it opened stands in the feed, from here on.
        let since = self.cursor_at(opened - CLOCK_STEPS)?;
        let ended = "FROM change c JOIN delivery d ON d.id = c.delivery WHERE c.facility = ?1 AND c.cursor >= ?5 \
                     AND d.service = ?2 AND d.state NOT IN ('waiting', 'sending', 'unanswered')";
        let accepted = "SELECT count(*) FROM delivery WHERE facility = ?1 AND service = ?2 \
                        AND accepted_at BETWEEN ?3 AND ?4";
        let unfinished = "SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM tally WHERE facility = ?1 AND service = ?2 \
                          AND state IN ('waiting', 'sending', 'unanswered')";
        let finished = format!(
            "SELECT count(DISTINCT d.id) {ended} AND d.state <> 'cancelled' AND d.accepted_at <= ?4 AND d.updated_at >= ?3"
        );
        let waiting_late = "SELECT count(*) FROM delivery WHERE facility = ?1 AND service = ?2 \
                            AND state IN ('waiting', 'sending', 'unanswered') AND late BETWEEN ?3 AND ?4";
        let ended_late =
            format!("SELECT count(DISTINCT d.id) {ended} AND d.late BETWEEN ?3 AND ?4 AND d.updated_at > d.late");
        let (opened, closed) = (millis(opened), millis(at));
        let feed = params![facility, service, opened, closed, since];
        let span = params![facility, service, opened, closed];
        let affected = count(unfinished, params![facility, service])? + count(&finished, feed)?;
        let late = count(waiting_late, span)? + count(&ended_late, feed)?;
        let accepted = count(accepted, span)?;
        self.connection
            .prepare_cached(
                "UPDATE outage SET closed_at = ?2, closed_by = ?3, accepted = ?4, affected = ?5, late = ?6 WHERE id = ?1",
            )?
            .execute(params![id, closed, actor, accepted, affected, late])?;
        self.log(&outage_line(at, actor, "outage.close", id, ""))
    }

    /// The first place in the feed from which on everything happened at `at` or later, as far as clocks go forward:
    /// found by halving, because the feed has no index by time.
    fn cursor_at(self, at: Timestamp) -> Result<i64, StoreError> {
        let newest = "SELECT coalesce(max(cursor), 0) FROM change";
        let newest: i64 = self.connection.prepare_cached(newest)?.query_row(params![], |row| row.get(0))?;
        let (mut low, mut high) = (0, newest + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let next = "SELECT at FROM change WHERE cursor >= ?1 ORDER BY cursor LIMIT 1";
            let next = self.connection.prepare_cached(next)?.query_row([middle], |row| Ok(row.get::<_, Millis>(0)?.0));
            if next.optional()?.is_some_and(|then| then < at) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    pub(super) fn outages(self, limit: usize) -> Result<Vec<OutageRow>, StoreError> {
        self.outages_with(OUTAGE, limit)
    }

    pub(super) fn outage_spans(self, limit: usize) -> Result<Vec<OutageRow>, StoreError> {
        self.outages_with(&OUTAGE.replace("evidence", "'null' AS evidence"), limit)
    }

    fn outages_with(self, columns: &str, limit: usize) -> Result<Vec<OutageRow>, StoreError> {
        let sql = format!("SELECT {columns} FROM outage ORDER BY opened_at DESC, id DESC LIMIT ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], outage_of)?;
        rows.collect::<Result<_, _>>()
    }

    // ---- reconciliations ----------------------------------------------------------------------------------------

    pub(super) fn put_reconciliation(self, row: &ReconciliationRow) -> Result<(), StoreError> {
        let report = row.report.as_ref().map_or(&Value::Null, Private::expose);
        let sealed = self.seal(&row.facility, "reconciliation", &row.id, report)?;
        let counts = serde_json::to_string(&row.counts).unwrap_or_else(|_| "{}".to_owned());
        self.connection
            .prepare_cached(
                "INSERT INTO reconciliation (id, facility, from_day, to_day, started_at, finished_at, counts, report) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                row.id,
                row.facility,
                row.from.to_string(),
                row.to.to_string(),
                millis(row.started_at),
                millis(row.finished_at),
                counts,
                sealed
            ])?;
        failpoint!("reconciliation.written");
        Ok(())
    }

    pub(super) fn reconciliations(
        self,
        facility: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ReconciliationRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, facility, from_day, to_day, started_at, finished_at, counts FROM reconciliation \
             WHERE ?1 IS NULL OR facility = ?1 ORDER BY started_at DESC, id DESC LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![facility, limit], reconciliation_of)?;
        rows.collect::<Result<_, _>>()
    }

    pub(super) fn reconciliation(self, id: &str) -> Result<Option<ReconciliationRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, facility, from_day, to_day, started_at, finished_at, counts, report FROM reconciliation \
             WHERE id = ?1",
        )?;
        let found = statement
            .query_row([id], |row| Ok((reconciliation_of(row)?, row.get::<_, Vec<u8>>("report")?)))
            .optional()?;
        let Some((row, sealed)) = found else { return Ok(None) };
        let report = self.unseal::<Value>(&row.facility, "reconciliation", id, Some(sealed))?;
        Ok(Some(ReconciliationRow { report: report.map(Private::new), ..row }))
    }

    // ---- the security log ---------------------------------------------------------------------------------------

    pub(super) fn log(self, line: &AuditEntry) -> Result<(), StoreError> {
        self.connection.hold_log()?;
        let (seq, previous) = self.audit_head()?.map_or_else(|| (0, audit::genesis()), |head| (head.seq, head.hash));
        let mut entry = Entry {
            seq: seq + 1,
            at: line.at,
            actor: line.actor.clone(),
            action: line.action.clone(),
            object: line.object.clone(),
            detail: line.detail.clone(),
            hash: String::new(),
        };
        entry.hash = audit::link(&previous, &entry);
        self.connection
            .prepare_cached(
                "INSERT INTO audit (seq, at, actor, action, object, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                entry.seq,
                millis(entry.at),
                entry.actor,
                entry.action,
                entry.object,
                entry.detail,
                entry.hash
            ])?;
        failpoint!("audit.written");
        Ok(())
    }

    pub(super) fn audit_rows(self, after: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, at, actor, action, object, detail, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let rows = statement.query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], entry_of)?;
        rows.collect::<Result<_, _>>()
    }

    pub(super) fn audit_head(self) -> Result<Option<Entry>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, at, actor, action, object, detail, hash FROM audit ORDER BY seq DESC LIMIT 1",
        )?;
        statement.query_row(params![], entry_of).optional()
    }
}

fn entry_of(row: &Row<'_>) -> Result<Entry, StoreError> {
    Ok(Entry {
        seq: row.get(0)?,
        at: row.get::<_, Millis>(1)?.0,
        actor: row.get(2)?,
        action: row.get(3)?,
        object: row.get(4)?,
        detail: row.get(5)?,
        hash: row.get(6)?,
    })
}

fn outage_line(at: Timestamp, actor: &str, action: &str, id: i64, detail: &str) -> AuditEntry {
    AuditEntry {
        at,
        actor: actor.to_owned(),
        action: action.to_owned(),
        object: id.to_string(),
        detail: detail.to_owned(),
    }
}

pub(super) fn outage_of(row: &Row<'_>) -> Result<OutageRow, StoreError> {
    let (verdict, evidence): (String, String) = (row.get("verdict")?, row.get("evidence")?);
    Ok(OutageRow {
        id: row.get("id")?,
        facility: row.get("facility")?,
        service: row.get("service")?,
        opened_at: row.get::<_, Millis>("opened_at")?.0,
        closed_at: row.get::<_, Option<Millis>>("closed_at")?.map(|at| at.0),
        cause: row.get("cause")?,
        verdict: Verdict::of_word(&verdict).unwrap_or_default(),
        evidence: serde_json::from_str(&evidence).unwrap_or(Value::Null),
        opened_by: row.get("opened_by")?,
        closed_by: row.get("closed_by")?,
        accepted: row.get("accepted")?,
        affected: row.get("affected")?,
        late: row.get("late")?,
        class: row
            .get::<_, Option<Word<OutageClass>>>("class")?
            .map(|class| class.0)
            .zip(row.get::<_, Option<String>>("class_by")?),
    })
}

fn reconciliation_of(row: &Row<'_>) -> Result<ReconciliationRow, StoreError> {
    let counts: String = row.get("counts")?;
    Ok(ReconciliationRow {
        id: row.get("id")?,
        facility: row.get("facility")?,
        from: row.get::<_, Parsed<_>>("from_day")?.0,
        to: row.get::<_, Parsed<_>>("to_day")?.0,
        started_at: row.get::<_, Millis>("started_at")?.0,
        finished_at: row.get::<_, Millis>("finished_at")?.0,
        counts: serde_json::from_str(&counts).unwrap_or_default(),
        report: None,
    })
}
