//! Several processes on one database: who lives, who sends for which facility, whose lease is whose.
//!
//! Job: the statements behind [`crate::store::Store::stand`] and its neighbours, and what a claim and a reclaim are where
//! leases of several processes stand side by side. Invariants: every instant is the database's clock (the one place where
//! SQL tells the time: nodes' clocks differ); a claim looks in its own transaction, under its facility's lock, whether
//! this very start of this node still owns the facility; a holder changes only by one conditional statement under the
//! same lock; a node reclaims its own earlier leases, or any that ran out, never another's that may live. Only backends
//! with [`super::Backend::me`] come here, so the clock is spelled as PostgreSQL spells it. What it does not do: decide who
//! should own what (`crate::nodes`).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::db::{OptionalExtension, params};
use super::rows::Millis;
use super::{Node, Tx};
use crate::store::{Base, Blamed, ClaimAsk, Claimed, NodeRow, NodeTurn, Nodes, OwnerChange, OwnerRow, StoreError};

/// The database's clock, in milliseconds since 1970.
const CLOCK: &str = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
/// A silent node is forgotten after a day.
const FORGOTTEN: i64 = 24 * 3_600_000;
/// Leases that are not any longer a living process's: those that ran out; or, at the start of a node, all that its name or
/// nobody's has (rows that came out of another database): their holder died with the last process.
const LOST: &str = "lease_token IS NOT NULL AND (lease_until < ?1 OR (?2 = 1 AND EXISTS (SELECT 1 FROM attempt a \
    WHERE a.token = delivery.lease_token AND (a.node IS NULL OR a.node = ?3))))";

/// Leases of this node's name.
const OWN: &str = "lease_token IS NOT NULL AND EXISTS (SELECT 1 FROM attempt a WHERE a.token = delivery.lease_token \
    AND a.node = ?1)";

impl Tx<'_> {
    fn database_clock(self) -> Result<i64, StoreError> {
        let sql = format!("SELECT {CLOCK}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row(params![], |row| row.get(0))?)
    }

    /// A new start under a name, whose name the caller holds by the session lock.
    pub(in crate::store) fn enter(self, me: &Node) -> Result<(), StoreError> {
        let now = self.database_clock()?;
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO node (name, version, program, boot, seen_at, until_at, skew) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0) \
             ON CONFLICT (name) DO UPDATE SET version = excluded.version, program = excluded.program, \
             boot = excluded.boot, seen_at = excluded.seen_at, until_at = excluded.until_at, skew = 0",
        )?;
        statement.execute(params![me.name, me.schema, me.program, me.boot, now])?;
        Ok(())
    }

    pub(super) fn stand(self, me: &Node, turn: &NodeTurn) -> Result<Nodes, StoreError> {
        let now = self.database_clock()?;
        let until = now.saturating_add(i64::try_from(turn.term.as_millis()).unwrap_or(i64::MAX));
        let skew = i64::try_from(turn.skew.as_millis()).unwrap_or(i64::MAX);
        let mut alive = self
            .connection
            .prepare_cached("UPDATE node SET seen_at = ?3, until_at = ?4, skew = ?5 WHERE name = ?1 AND boot = ?2")?;
        if alive.execute(params![me.name, me.boot, now, until, skew])? == 0 {
            return Err(StoreError::Replaced(me.name.clone()));
        }
        let mut renew = self.connection.prepare_cached(
            "UPDATE facility_owner SET until_at = ?4 WHERE node = ?1 AND boot = ?2 AND until_at > ?3",
        )?;
        renew.execute(params![me.name, me.boot, now, until])?;
        let mut forget = self.connection.prepare_cached("DELETE FROM node WHERE until_at < ?1")?;
        forget.execute(params![now - FORGOTTEN])?;
        Ok(Nodes {
            now: instant(now)?,
            me: me.name.clone(),
            boot: me.boot.clone(),
            nodes: self.nodes()?,
            owners: self.owner_rows()?,
        })
    }

    fn nodes(self) -> Result<Vec<NodeRow>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, version, program, seen_at, until_at, skew FROM node ORDER BY name")?;
        let rows = statement.query_map(params![], |row| {
            Ok(NodeRow {
                name: row.get(0)?,
                schema: row.get(1)?,
                program: row.get(2)?,
                seen_at: row.get::<_, Millis>(3)?.0,
                until: row.get::<_, Millis>(4)?.0,
                skew: SignedDuration::from_millis(row.get(5)?),
            })
        })?;
        rows.collect()
    }

    fn owner_rows(self) -> Result<Vec<OwnerRow>, StoreError> {
        let mut leased =
            self.connection.prepare_cached("SELECT DISTINCT facility FROM delivery WHERE lease_token IS NOT NULL")?;
        let busy: BTreeSet<String> = leased.query_map(params![], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut statement = self.connection.prepare_cached(
            "SELECT facility, node, boot, token, until_at, since, leaving FROM facility_owner ORDER BY facility",
        )?;
        let rows = statement.query_map(params![], |row| {
            let facility: String = row.get(0)?;
            Ok(OwnerRow {
                busy: busy.contains(&facility),
                facility,
                node: row.get(1)?,
                boot: row.get(2)?,
                token: row.get(3)?,
                until: row.get::<_, Millis>(4)?.0,
                since: row.get::<_, Millis>(5)?.0,
                leaving: row.get(6)?,
            })
        })?;
        rows.collect()
    }

    pub(super) fn change_owner(self, me: &Node, change: &OwnerChange, turn: &NodeTurn) -> Result<bool, StoreError> {
        let now = self.database_clock()?;
        let changed = match change {
            OwnerChange::Take { facility } => {
                let until = now.saturating_add(i64::try_from(turn.term.as_millis()).unwrap_or(i64::MAX));
                let mut statement = self.connection.prepare_cached(
                    "INSERT INTO facility_owner (facility, node, boot, token, until_at, since, leaving) \
                     SELECT ?1, name, boot, 1, ?4, ?5, 0 FROM node WHERE name = ?2 AND boot = ?3 \
                     ON CONFLICT (facility) DO UPDATE SET node = excluded.node, boot = excluded.boot, \
                     token = facility_owner.token + 1, until_at = excluded.until_at, since = excluded.since, leaving = 0 \
                     WHERE facility_owner.node IS NULL OR facility_owner.until_at <= ?5 \
                     OR facility_owner.node = excluded.node",
                )?;
                statement.execute(params![facility, me.name, me.boot, until, now])?
            }
            OwnerChange::GiveUp { facility } => {
                let mut statement = self.connection.prepare_cached(
                    "UPDATE facility_owner SET leaving = 1 WHERE facility = ?1 AND node = ?2 AND boot = ?3",
                )?;
                statement.execute(params![facility, me.name, me.boot])?
            }
            OwnerChange::Free { facility } => {
                let mut statement = self.connection.prepare_cached(
                    "UPDATE facility_owner SET node = NULL, leaving = 0, until_at = ?4 WHERE facility = ?1 AND node = ?2 \
                     AND boot = ?3 AND leaving = 1 AND NOT EXISTS \
                     (SELECT 1 FROM delivery d WHERE d.facility = ?1 AND d.lease_token IS NOT NULL)",
                )?;
                statement.execute(params![facility, me.name, me.boot, now])?
            }
        };
        Ok(changed == 1)
    }

    pub(super) fn leave(self, me: &Node) -> Result<(), StoreError> {
        let now = self.database_clock()?;
        let mut free = self.connection.prepare_cached(
            "UPDATE facility_owner SET node = NULL, leaving = 0, until_at = ?3 WHERE node = ?1 AND boot = ?2",
        )?;
        free.execute(params![me.name, me.boot, now])?;
        let mut gone = self.connection.prepare_cached("DELETE FROM node WHERE name = ?1 AND boot = ?2")?;
        gone.execute(params![me.name, me.boot])?;
        Ok(())
    }

    /// A claim of this node's: nothing, unless it owns the facility now; the lease runs by the database's clock.
    pub(super) fn claim_as(self, me: &Node, mut ask: ClaimAsk) -> Result<Vec<Claimed>, StoreError> {
        let sql = format!(
            "SELECT until_at, {CLOCK} FROM facility_owner WHERE facility = ?1 AND node = ?2 AND boot = ?3 AND leaving = 0"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row(params![ask.facility, me.name, me.boot], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        match found.optional()? {
            Some((until, now)) if until > now => {
                ask.lease_until = instant(now)? + ask.lease_until.duration_since(ask.now);
                self.claim(&ask)
            }
            Some(_) | None => Ok(Vec::new()),
        }
    }

    /// Facilities with leases that are lost.
    pub(super) fn lost_facilities(self, me: &Node, all: bool) -> Result<Vec<String>, StoreError> {
        let now = self.database_clock()?;
        let sql = format!("SELECT DISTINCT facility FROM delivery WHERE {LOST} ORDER BY facility");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_map(params![now, all, me.name], |row| row.get(0))?.collect()
    }

    /// Facilities with leases of this node's.
    pub(super) fn own_facilities(self, me: &Node) -> Result<Vec<String>, StoreError> {
        let sql = format!("SELECT DISTINCT facility FROM delivery WHERE {OWN} ORDER BY facility");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_map(params![me.name], |row| row.get(0))?.collect()
    }

    /// Suspects what the last process of this name held of a facility; another node's entries did not kill it.
    pub(super) fn blame_as(self, me: &Node, facility: &str, now: Timestamp, base: &Base) -> Result<Blamed, StoreError> {
        let suspects =
            self.select(&format!("WHERE {OWN} AND facility = ?2 ORDER BY seq"), params![me.name, facility])?;
        self.blame_these(&suspects, now, base)
    }

    /// Puts a facility's lost leases into doubt.
    pub(super) fn reclaim_as(
        self,
        me: &Node,
        facility: &str,
        now: Timestamp,
        all: bool,
        base: &Base,
    ) -> Result<usize, StoreError> {
        let clock = self.database_clock()?;
        let rest = format!("WHERE {LOST} AND facility = ?4 ORDER BY seq");
        let lost = self.select(&rest, params![clock, all, me.name, facility])?;
        // Settle is counted from the end of the lease; a clock that is slow must not shorten it.
        self.lose_all(&lost, now.max(instant(clock)?), base)
    }
}

fn instant(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| StoreError::Database("the database's clock".to_owned()))
}
