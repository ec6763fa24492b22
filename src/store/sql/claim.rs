//! Claiming: lease what is due, with the attempt's row, before a byte leaves.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;

use super::Tx;
use super::db::{OptionalExtension, params};
use super::rows::{Millis, Parsed, millis};
use crate::catalogue::RemoteIds;
use crate::queue::transition::{Event, next_step, transition};
use crate::queue::{Delivery, DeliveryId, Lease, Purpose, crash, is_damaged};
use crate::secret::Private;
use crate::store::{ClaimAsk, Claimed, Given, StoreError};

/// Dispatch order, class after class, with the present as `?3`: what can still be in time, the nearest date first; what
/// has no date, as accepted; then what is late already, the oldest date first. So today's entries overtake a backlog
/// ("segera setelah pelayanan"), and the backlog drains in the order of its dates.
pub(super) const DISPATCH: [&str; 3] =
    ["late >= ?3 ORDER BY late, rank, seq", "late IS NULL ORDER BY rank, seq", "late < ?3 ORDER BY late, rank, seq"];
/// Rows looked at beyond those asked for.
const SPARE_ROWS: usize = 32;

impl Tx<'_> {
    pub(in crate::store) fn claim(self, ask: &ClaimAsk) -> Result<Vec<Claimed>, StoreError> {
        if self.is_stopped(ask)? {
            return Ok(Vec::new());
        }
        let mut claimed = Vec::new();
        // A suspect goes alone; what else is due is claimed by the next call.
        let (suspect, limit) = (self.suspect(ask)?, ask.limit);
        let (due, limit) = match suspect {
            Some(id) if limit > 0 => (vec![id], 1),
            Some(_) | None => (self.due(ask)?, limit),
        };
        for id in due {
            if claimed.len() >= limit {
                break;
            }
            let _opening = self.shared.opening(id);
            // What one entry does to whoever opens it must not stop the others.
            match catch_unwind(AssertUnwindSafe(|| self.take(id, ask))) {
                Ok(taken) => claimed.extend(taken?),
                Err(_panic) => self.set_aside(id, "it panicked", ask)?,
            }
        }
        failpoint!("claim.written");
        Ok(claimed)
    }

    /// What is due in dispatch order, with some more than asked for, should a row be unreadable.
    fn due(self, ask: &ClaimAsk) -> Result<Vec<DeliveryId>, StoreError> {
        let wanted = ask.limit.saturating_add(SPARE_ROWS);
        let mut due = Vec::new();
        for class in DISPATCH {
            if due.len() < wanted {
                due.extend(self.due_of(ask, class, wanted - due.len())?);
            }
        }
        Ok(due)
    }

    fn due_of(self, ask: &ClaimAsk, class: &str, wanted: usize) -> Result<Vec<DeliveryId>, StoreError> {
        // With the sum no index by due_at fits: the order is worth more than leaving out what is not due yet.
        let sql = format!(
            "SELECT id FROM delivery WHERE facility = ?1 AND service = ?2 AND state IN ('waiting', 'unanswered') \
             AND blocked_kind IS NULL AND lease_token IS NULL AND crashes = 0 AND due_at + 0 <= ?3 AND {class} LIMIT ?4{}",
            self.connection.skip_locked()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![ask.facility, ask.service, millis(ask.now), limit], |row| {
            Ok(row.get::<_, Parsed<DeliveryId>>(0)?.0)
        })?;
        rows.collect::<Result<_, _>>()
    }

    /// Opens one that is due and leases it; what is damaged is set aside.
    fn take(self, id: DeliveryId, ask: &ClaimAsk) -> Result<Option<Claimed>, StoreError> {
        let leased = match self.delivery(id) {
            Ok(None) => return Ok(None),
            Ok(Some(delivery)) if is_damaged(&delivery.progress) => Err(StoreError::Unreadable("row".to_owned())),
            Ok(Some(delivery)) => self.lease(&delivery, ask),
            Err(error) => Err(error),
        };
        match leased {
            Err(StoreError::Unreadable(why)) => self.set_aside(id, &why, ask).map(|()| None),
            leased => leased,
        }
    }

    /// What cannot be opened is shown to a person; the others go on. Nothing of it is opened for that.
    fn set_aside(self, id: DeliveryId, why: &str, ask: &ClaimAsk) -> Result<(), StoreError> {
        tracing::error!(delivery.id = %id, why, "unreadable: for a person");
        let delivery = match self.unopened(id) {
            Ok(Some(delivery)) => delivery,
            Ok(None) => return Ok(()),
            // Not even its state can be read: it stays where it is, overdue in the eyes of health.
            Err(StoreError::Unreadable(why)) => {
                tracing::error!(delivery.id = %id, why, "and it cannot be held");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        match self.apply(&delivery, &Event::Unreadable, ask.now, &ask.base) {
            Ok(Ok(_)) => self.forget_remote(id),
            Ok(Err(illegal)) => {
                tracing::error!(delivery.id = %id, %illegal, "and it cannot be held");
                Ok(())
            }
            // An operation that no catalogue knows any more: it waits for the catalogue.
            Err(StoreError::Unreadable(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The suspect of a crash whose turn it is, if none is in flight anywhere: the least suspected first, so that the
    /// innocent are cleared before the next one is tried.
    fn suspect(self, ask: &ClaimAsk) -> Result<Option<DeliveryId>, StoreError> {
        if !crash::may_try(ask.base.boot, ask.now) {
            return Ok(None);
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM delivery WHERE facility = ?1 AND service = ?2 AND crashes > 0 \
             AND state IN ('waiting', 'unanswered') AND blocked_kind IS NULL AND lease_token IS NULL AND due_at + 0 <= ?3 \
             AND NOT EXISTS (SELECT 1 FROM delivery WHERE crashes > 0 AND lease_token IS NOT NULL) \
             ORDER BY crashes, rank, seq LIMIT 1",
        )?;
        let found = statement.query_row(params![ask.facility, ask.service, millis(ask.now)], |row| {
            Ok(row.get::<_, Parsed<DeliveryId>>(0)?.0)
        });
        found.optional()
    }

    /// A pause and refused credentials hold the whole lane.
    fn is_stopped(self, ask: &ClaimAsk) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM pause WHERE facility IN (?1, '*')) OR EXISTS \
             (SELECT 1 FROM lane_stop WHERE facility = ?1 AND service = ?2 AND credential_version >= ?3)",
        )?;
        Ok(statement.query_row(params![ask.facility, ask.service, ask.credential_version], |row| row.get(0))?)
    }

    /// Leases one delivery; everything is read before anything is written. `None` if its state does not allow it.
    fn lease(self, delivery: &Delivery, ask: &ClaimAsk) -> Result<Option<Claimed>, StoreError> {
        if delivery.progress.blocked.is_some() {
            // One that was leased a moment ago stands in its way now.
            return Ok(None);
        }
        let policy = self.policy(&delivery.operation, &ask.base)?;
        #[cfg(feature = "failpoints")]
        crate::failpoint::poisoned_at_claim(&delivery.entry_ref);
        let (payload, given) = (self.payload(delivery)?, self.given(delivery)?);
        let purpose = next_step(&delivery.progress, ask.now, &policy);
        if purpose == Purpose::LookUp && self.is_lane_in_hand(delivery)? {
            return Ok(None);
        }
        let probe = Event::Claimed(Lease { token: 0, until: ask.lease_until, purpose });
        if let Err(illegal) = transition(delivery, &probe, ask.now, &policy) {
            tracing::error!(delivery.id = %delivery.id, %illegal, "due, but cannot be claimed");
            return Ok(None);
        }
        let (token, number) = self.insert_attempt(delivery, purpose, ask)?;
        let lease = Lease { token, until: ask.lease_until, purpose };
        let leased = self.apply(delivery, &Event::Claimed(lease), ask.now, &ask.base)?;
        let leased = leased.map_err(|illegal| StoreError::Database(format!("{}: {illegal}", delivery.id)))?;
        Ok(Some(Claimed { delivery: leased, purpose, token, attempt: number, payload, given }))
    }

    /// Whether another delivery of the lane is in hand: a look-up then could find its row while nobody owns it yet. What is
    /// sent waits for such a neighbour by its gate.
    fn is_lane_in_hand(self, delivery: &Delivery) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM delivery WHERE lane = ?1 AND seq <> ?2 AND lease_token IS NOT NULL \
             AND state IN ('waiting', 'sending', 'unanswered'))",
        )?;
        Ok(statement.query_row(params![delivery.lane.expose(), delivery.seq], |row| row.get(0))?)
    }

    fn insert_attempt(self, delivery: &Delivery, purpose: Purpose, ask: &ClaimAsk) -> Result<(i64, i64), StoreError> {
        let id = delivery.id.to_string();
        let number: i64 = self
            .connection
            .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM attempt WHERE delivery = ?1")?
            .query_row([&id], |row| row.get(0))?;
        let token = self
            .connection
            .prepare_cached(
                "INSERT INTO attempt (delivery, number, purpose, started_at, credential_version) \
                 VALUES (?1, ?2, ?3, ?4, ?5) RETURNING token",
            )?
            .query_row(params![id, number, purpose.word(), millis(ask.now), ask.credential_version], |row| {
                row.get(0)
            })?;
        Ok((token, number))
    }

    pub(super) fn payload(self, delivery: &Delivery) -> Result<Private<serde_json::Value>, StoreError> {
        let body = self.entry_body(delivery.id)?;
        let missing = || StoreError::Unreadable(format!("payload of {} is gone", delivery.id));
        body.map(|body| body.current).ok_or_else(missing)
    }

    /// Ids that the prerequisites have.
    pub(super) fn given(self, delivery: &Delivery) -> Result<Vec<Given>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT d.id, d.operation, d.remote FROM prerequisite p JOIN delivery d ON d.id = p.parent \
             WHERE p.child = ?1 ORDER BY d.seq DESC",
        )?;
        let rows = statement.query_map([delivery.id.to_string()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
        })?;
        let mut given = Vec::new();
        for row in rows {
            let (id, operation, sealed) = row?;
            let ids: RemoteIds = self.unseal(&delivery.facility, "remote", &id, sealed)?.unwrap_or_default();
            given.push(Given { operation, ids: Private::new(ids) });
        }
        Ok(given)
    }

    pub(super) fn next_due(self, facility: &str, service: &str) -> Result<Option<Timestamp>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT min(due_at) FROM delivery WHERE facility = ?1 AND service = ?2 \
             AND state IN ('waiting', 'unanswered') AND blocked_kind IS NULL AND lease_token IS NULL",
        )?;
        let found = statement.query_row([facility, service], |row| row.get::<_, Option<Millis>>(0)).optional()?;
        Ok(found.flatten().map(|at| at.0))
    }
}
