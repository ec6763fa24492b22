//! Events that date obligations, and marks of what is done.

use super::Tx;
use super::db::{OptionalExtension, Row, params};
use super::rows::{Millis, millis};
use crate::contract::{Done, Event, Trigger};
use crate::store::{AuditEntry, StoreError};

impl Tx<'_> {
    pub(super) fn record_event(self, event: &Event) -> Result<Event, StoreError> {
        let values = params![
            event.kind.word(),
            event.facility,
            millis(event.at),
            event.until.map(millis),
            event.remark,
            event.actor,
            millis(event.recorded_at)
        ];
        let id = self
            .connection
            .prepare_cached(
                "INSERT INTO obligation_event (kind, facility, at, until, remark, actor, recorded_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            )?
            .query_row(values, |row| row.get(0))?;
        let recorded = Event { id, ..event.clone() };
        self.log(&AuditEntry {
            at: event.recorded_at,
            actor: event.actor.clone(),
            action: "obligation.event".to_owned(),
            object: recorded.id.to_string(),
            detail: format!("{} {}: {}", event.kind, event.facility, event.remark),
        })?;
        Ok(recorded)
    }

    pub(super) fn events(self) -> Result<Vec<Event>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, kind, facility, at, until, remark, actor, recorded_at FROM obligation_event ORDER BY id",
        )?;
        let rows = statement.query_map(params![], |row| Ok((row.get::<_, String>("kind")?, event_of(row)?)))?;
        let mut events = Vec::new();
        for row in rows {
            let (kind, event) = row?;
            let kind = Trigger::of_word(&kind).ok_or_else(|| StoreError::Unreadable(format!("event {kind}")))?;
            events.push(Event { kind, ..event });
        }
        Ok(events)
    }

    pub(super) fn mark_done(self, done: &Done) -> Result<Done, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT id, at, actor, remark FROM obligation_done WHERE id = ?1")?;
        if let Some(there) = statement.query_row([&done.id], done_of).optional()? {
            return Ok(there);
        }
        self.connection
            .prepare_cached("INSERT INTO obligation_done (id, at, actor, remark) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![done.id, millis(done.at), done.actor, done.remark])?;
        self.log(&AuditEntry {
            at: done.at,
            actor: done.actor.clone(),
            action: "obligation.done".to_owned(),
            object: done.id.clone(),
            detail: done.remark.clone(),
        })?;
        Ok(done.clone())
    }

    pub(super) fn marks(self) -> Result<Vec<Done>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT id, at, actor, remark FROM obligation_done ORDER BY id")?;
        let rows = statement.query_map(params![], done_of)?;
        rows.collect::<Result<_, _>>()
    }
}

/// Everything but the kind, which the caller reads.
fn event_of(row: &Row<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        id: row.get("id")?,
        kind: Trigger::Commitment,
        facility: row.get("facility")?,
        at: row.get::<_, Millis>("at")?.0,
        until: row.get::<_, Option<Millis>>("until")?.map(|at| at.0),
        remark: row.get("remark")?,
        actor: row.get("actor")?,
        recorded_at: row.get::<_, Millis>("recorded_at")?.0,
    })
}

fn done_of(row: &Row<'_>) -> Result<Done, StoreError> {
    Ok(Done {
        id: row.get("id")?,
        at: row.get::<_, Millis>("at")?.0,
        actor: row.get("actor")?,
        remark: row.get("remark")?,
    })
}
