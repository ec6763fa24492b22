//! What the contract wants kept beside the queue: announced maintenance, what an outage did, days reconciled,
//! settlements, the books of the network and of telekonsultasi.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::Tx;
use super::db::{OptionalExtension, Row, params};
use super::move_on::Walk;
use super::rows::{Millis, Parsed, Word, millis};
use crate::contract::Circumstance;
use crate::queue::{Mark, State};
use crate::secret::Private;
use crate::store::Verdict;
use crate::store::{
    AuditEntry, ClientCount, DayChange, DayRow, JournalRow, OutageEffect, OutagePlan, Redate, Settled, Settlement,
    StoreError, circumstances,
};

/// Outages read for what was declared: the newest.
const OUTAGES: usize = 10_000;

/// States whose dates may move.
const DATED: [State; 5] = [State::Waiting, State::Sending, State::Unanswered, State::Held, State::Refused];

impl Tx<'_> {
    // ---- outages ------------------------------------------------------------------------------------------------

    pub(super) fn plan_outage(self, plan: &OutagePlan, audit: &AuditEntry) -> Result<OutagePlan, StoreError> {
        let values = params![
            plan.facility,
            millis(plan.from),
            millis(plan.to),
            plan.verdict.word(),
            plan.reason,
            plan.actor,
            millis(plan.announced_at)
        ];
        let id: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO outage_plan (facility, from_at, to_at, verdict, reason, actor, announced_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            )?
            .query_row(values, |row| row.get(0))?;
        self.log(&AuditEntry { object: id.to_string(), ..audit.clone() })?;
        Ok(OutagePlan { id, ..plan.clone() })
    }

    pub(super) fn withdraw_plan(self, id: i64, audit: &AuditEntry) -> Result<Option<OutagePlan>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE outage_plan SET withdrawn_at = ?2 WHERE id = ?1 AND withdrawn_at IS NULL \
             RETURNING id, facility, from_at, to_at, verdict, reason, actor, announced_at",
        )?;
        let plan = statement.query_row(params![id, millis(audit.at)], plan_of).optional()?;
        if plan.is_some() {
            self.log(audit)?;
        }
        Ok(plan)
    }

    pub(super) fn outage_plans(self, since: Timestamp) -> Result<Vec<OutagePlan>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, facility, from_at, to_at, verdict, reason, actor, announced_at FROM outage_plan \
             WHERE to_at >= ?1 AND withdrawn_at IS NULL ORDER BY from_at, id",
        )?;
        let rows = statement.query_map([millis(since)], plan_of)?;
        rows.collect::<Result<_, _>>()
    }

    pub(super) fn outage_effect(self, id: i64, now: Timestamp) -> Result<Option<OutageEffect>, StoreError> {
        // Read first, so that the span is known to whoever plans the rest.
        let outage = "SELECT facility, service, opened_at, closed_at FROM outage WHERE id = ?1";
        let outage = self.connection.prepare_cached(outage)?.query_row([id], |row| {
            let closed = row.get::<_, Option<Millis>>(3)?.map(|at| at.0);
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Millis>(2)?.0, closed))
        });
        let Some((facility, service, opened, closed)) = outage.optional()? else { return Ok(None) };
        // Accepted meanwhile, or the day before and not yet through when it began.
        let sql = "WITH touched AS (SELECT d.accepted_at, d.state, d.updated_at, d.late, (SELECT min(a.ended_at) \
             FROM attempt a WHERE a.delivery = d.id AND a.started_at >= ?6) AS after FROM delivery d \
             WHERE d.facility = ?1 AND d.service = ?2 AND d.accepted_at BETWEEN ?3 - 86400000 AND ?4 \
             AND (d.accepted_at >= ?3 OR d.state IN ('waiting', 'sending', 'unanswered') OR EXISTS (SELECT 1 FROM attempt a \
               WHERE a.delivery = d.id AND coalesce(a.ended_at, ?5) >= ?3))) \
             SELECT count(*) FILTER (WHERE accepted_at >= ?3), count(after), \
             count(*) FILTER (WHERE state <> 'cancelled' \
               AND (CASE state WHEN 'delivered' THEN updated_at ELSE ?5 END) > late), \
             count(*) FILTER (WHERE state IN ('waiting', 'sending', 'unanswered')), max(after) FROM touched";
        let (from, now) = (millis(opened), millis(now));
        let values = params![facility, service, from, closed.map_or(now, millis), now, closed.map(millis)];
        let effect = self.connection.prepare_cached(sql)?.query_row(values, |row| {
            let (unfinished, last): (i64, _) = (row.get(3)?, row.get::<_, Option<Millis>>(4)?.map(|at| at.0));
            let drained_at = closed.zip(last).map(|(closed, last)| last.max(closed)).filter(|_| unfinished == 0);
            Ok(OutageEffect { accepted: row.get(0)?, delayed: row.get(1)?, late: row.get(2)?, unfinished, drained_at })
        })?;
        Ok(Some(effect))
    }

    // ---- dates --------------------------------------------------------------------------------------------------

    pub(super) fn redate(self, now: Timestamp, redate: &Redate) -> Result<usize, StoreError> {
        let (events, outages, plans) =
            (self.events()?, self.outage_spans(OUTAGES)?, self.outage_plans(Timestamp::UNIX_EPOCH)?);
        let declared: BTreeMap<String, Vec<Circumstance>> = self
            .lanes()?
            .into_iter()
            .map(|(facility, _)| (facility.clone(), circumstances(&facility, &events, &outages, &plans)))
            .filter(|(_, here)| !here.is_empty())
            .collect();
        let (mut moved, mut place) = (0, Walk::default());
        // Nothing declared: nothing is read.
        while !declared.is_empty()
            && let Some((some, next)) = self.some_of(&DATED, place)?
        {
            for delivery in some.iter().filter(|delivery| delivery.service_date.is_some()) {
                let deadline = declared.get(&delivery.facility).and_then(|here| redate(delivery, here, now));
                if let Some(deadline) = deadline {
                    self.move_dates(delivery, &deadline)?;
                    moved += 1;
                    failpoint!("redate.written");
                }
            }
            place = next;
        }
        Ok(moved)
    }

    // ---- settlements --------------------------------------------------------------------------------------------

    pub(super) fn settle(self, row: &Settlement) -> Result<(), StoreError> {
        let object = format!("{}/{}", row.reconciliation, row.item);
        let sealed = self.seal("", "settlement", &object, row.reason.expose())?;
        self.connection
            .prepare_cached(
                "INSERT INTO settlement (reconciliation, item, how, reason, actor, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![row.reconciliation, row.item, row.how.word(), sealed, row.actor, millis(row.at)])?;
        failpoint!("settle.written");
        self.log(&AuditEntry {
            at: row.at,
            actor: row.actor.clone(),
            action: "reconciliation.settle".to_owned(),
            object,
            detail: row.how.word().to_owned(),
        })
    }

    pub(super) fn settlements(self, reconciliation: &str) -> Result<Vec<Settlement>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT item, how, reason, actor, at FROM settlement WHERE reconciliation = ?1 ORDER BY seq",
        )?;
        let rows = statement.query_map([reconciliation], |row| {
            let row_of = Settlement {
                reconciliation: reconciliation.to_owned(),
                item: row.get(0)?,
                how: row.get::<_, Word<Settled>>(1)?.0,
                reason: Private::new(String::new()),
                actor: row.get(3)?,
                at: row.get::<_, Millis>(4)?.0,
            };
            Ok((row_of, row.get::<_, Vec<u8>>(2)?))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (row, sealed) = row?;
            let object = format!("{}/{}", row.reconciliation, row.item);
            let reason = self.unseal("", "settlement", &object, Some(sealed))?.unwrap_or_default();
            found.push(Settlement { reason: Private::new(reason), ..row });
        }
        Ok(found)
    }

    // ---- days ---------------------------------------------------------------------------------------------------

    pub(super) fn change_days(self, change: &DayChange) -> Result<(), StoreError> {
        match change {
            DayChange::Want { facility, run, days, cause, at } => {
                let mut statement = self.connection.prepare_cached(
                    "INSERT INTO reconciliation_day (facility, run, day, cause, wanted_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                     ON CONFLICT (facility, run, day) DO UPDATE SET cause = excluded.cause, \
                     wanted_at = excluded.wanted_at, finished_at = NULL, id = NULL, report = NULL \
                     WHERE reconciliation_day.finished_at IS NOT NULL \
                     AND reconciliation_day.wanted_at < excluded.wanted_at",
                )?;
                for day in days {
                    statement.execute(params![facility, run, day.to_string(), cause, millis(*at)])?;
                }
            }
            DayChange::Done { facility, run, day, at, id, report } => {
                let sealed =
                    report.as_ref().map(|report| self.seal(facility, "reconciliation_day", id, report.expose()));
                self.connection
                    .prepare_cached(
                        "UPDATE reconciliation_day SET finished_at = ?4, id = ?5, report = ?6 \
                         WHERE facility = ?1 AND run = ?2 AND day = ?3",
                    )?
                    .execute(params![facility, run, day.to_string(), millis(*at), id, sealed.transpose()?])?;
            }
            DayChange::Forget { facility, run } => {
                self.connection
                    .prepare_cached("DELETE FROM reconciliation_day WHERE facility = ?1 AND run = ?2")?
                    .execute([facility, run])?;
            }
        }
        failpoint!("days.written");
        Ok(())
    }

    pub(super) fn days(self, run: &str) -> Result<Vec<DayRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT facility, day, cause, wanted_at, finished_at, id, report FROM reconciliation_day WHERE run = ?1 \
             ORDER BY facility, day",
        )?;
        let rows = statement.query_map([run], |row| {
            let finished = row.get::<_, Option<Millis>>(4)?.map(|at| at.0);
            let found = DayRow {
                facility: row.get(0)?,
                run: run.to_owned(),
                day: row.get::<_, Parsed<_>>(1)?.0,
                cause: row.get(2)?,
                wanted_at: row.get::<_, Millis>(3)?.0,
                done: finished.zip(row.get(5)?),
                report: None,
            };
            Ok((found, row.get::<_, Option<Vec<u8>>>(6)?))
        })?;
        let mut days = Vec::new();
        for row in rows {
            let (row, sealed) = row?;
            let id = row.done.as_ref().map(|(_, id)| id.clone()).unwrap_or_default();
            let report = self.unseal(&row.facility, "reconciliation_day", &id, sealed)?;
            days.push(DayRow { report: report.map(Private::new), ..row });
        }
        Ok(days)
    }

    // ---- books --------------------------------------------------------------------------------------------------

    pub(super) fn later_edits(self, facility: &str, after: Date) -> Result<Vec<JournalRow>, StoreError> {
        let rest = "WHERE facility = ?1 AND service_date > ?2 AND state = 'delivered' AND operation LIKE '%.edit' \
                    ORDER BY seq";
        let deliveries = self.select(rest, &[&facility, &after.to_string()])?;
        deliveries.into_iter().map(|delivery| self.journal_row(delivery)).collect()
    }

    pub(super) fn marked(
        self,
        facility: &str,
        mark: Mark,
        from: Date,
        to: Date,
    ) -> Result<Vec<JournalRow>, StoreError> {
        let rest = "WHERE facility = ?1 AND service_date BETWEEN ?2 AND ?3 AND mark = ?4 ORDER BY service_date, seq";
        let deliveries = self.select(rest, &[&facility, &from.to_string(), &to.to_string(), &mark.word()])?;
        deliveries.into_iter().map(|delivery| self.journal_row(delivery)).collect()
    }

    pub(super) fn client_counts(self, facility: &str, from: Date, to: Date) -> Result<Vec<ClientCount>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT s.client, d.operation, d.state, d.why_code, count(*) FROM delivery d \
             JOIN submission s ON s.id = d.submission WHERE d.facility = ?1 AND d.service_date BETWEEN ?2 AND ?3 \
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        )?;
        let rows = statement.query_map(params![facility, from.to_string(), to.to_string()], |row| {
            Ok(ClientCount {
                client: row.get(0)?,
                operation: row.get(1)?,
                state: row.get::<_, Word<State>>(2)?.0,
                why: row.get(3)?,
                count: row.get(4)?,
            })
        })?;
        rows.collect::<Result<_, _>>()
    }
}

fn plan_of(row: &Row<'_>) -> Result<OutagePlan, StoreError> {
    Ok(OutagePlan {
        id: row.get(0)?,
        facility: row.get(1)?,
        from: row.get::<_, Millis>(2)?.0,
        to: row.get::<_, Millis>(3)?.0,
        verdict: row.get::<_, Word<Verdict>>(4)?.0,
        reason: row.get(5)?,
        actor: row.get(6)?,
        announced_at: row.get::<_, Millis>(7)?.0,
    })
}
