//! Push: claim what is due, send or look it up, record how it ended.
//!
//! Job: one loop per lane (facility and service) that keeps up to `concurrency` attempts in flight. Invariants: the
//! intention is on disk before a byte leaves (the claim's commit); one stamp per attempt; every attempt is recorded with
//! one outcome or, if the process dies, put into doubt by `reconcile`; nothing is sent twice without a look-up begun at
//! most 30 s before. Neighbours: `store` hands out and takes back, `remote` sends, `queue` decides. What it does not do:
//! choose (the store's order does), retry by itself, open outages (`reconcile::outages`).

mod attempt;
mod confirm;
mod flights;
mod look_up;
mod send;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Catalogue;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::observe::{Observe, Seen};
use crate::queue::BootId;
use crate::remote::{Lane, Remote};
use crate::store::{Base, ClaimAsk, SharedStore, StoreError};

use flights::Flights;
pub use look_up::judge;

/// A loop looks around at least this often, whatever it waits for.
const LOOK_AROUND: Duration = Duration::from_secs(2);
/// Spare time between the end of an attempt and the moment its holder is taken for dead.
const LEASE_SPARE: Duration = Duration::from_secs(30);

/// The stage, shared by its lanes.
pub struct Push {
    /// Hands out and takes back.
    pub store: SharedStore,
    /// The way out.
    pub remote: Remote,
    /// The operations.
    pub catalogue: Arc<Catalogue>,
    /// Time.
    pub clock: Clock,
    /// Jitter.
    pub chance: Chance,
    /// This run.
    pub boot: BootId,
    /// The zone of BPJS's day.
    pub bpjs_zone: TimeZone,
    /// Replaces every catalogue value of settle, if set.
    pub settle: Option<Duration>,
    /// Attempts in flight per lane.
    pub concurrency: usize,
    /// The longest an attempt may take (connect and request together).
    pub attempt_timeout: Duration,
    /// Health and metrics.
    pub observe: Observe,
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Push").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}

impl Push {
    /// Runs one lane until `stop`, then waits for what is in flight.
    pub async fn run(self: Arc<Self>, lane: Arc<Lane>, stop: CancellationToken) {
        let name = format!("push.{}.{}", lane.facility, lane.service.word());
        let (mut wakes, mut circuit) = (self.store.wake_ups(), lane.changes());
        let mut busy = JoinSet::new();
        let flights = Flights::default();
        while !stop.is_cancelled() {
            // An attempt that outlives its lease has lost its own time limits: the lane's heart stands still with it.
            if flights.all_in_time(self.clock.now()) {
                (self.observe)(Seen::Beat(&name));
            }
            failpoint!(await "loop.push");
            wakes.mark_unchanged();
            circuit.mark_unchanged();
            while busy.try_join_next().is_some() {}
            let wait = match self.fill(&lane, &mut busy, &flights).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, lane = %name, "nothing claimed");
                    LOOK_AROUND
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                _ = busy.join_next(), if !busy.is_empty() => {}
                _ = wakes.changed() => {}
                _ = circuit.changed() => {}
                () = self.clock.sleep(wait.min(LOOK_AROUND)) => {}
            }
        }
        while busy.join_next().await.is_some() {
            (self.observe)(Seen::Beat(&name));
        }
    }

    /// Starts as many attempts as slots, rate and circuit allow; returns how long there is nothing to do.
    async fn fill(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        busy: &mut JoinSet<()>,
        flights: &Flights,
    ) -> Result<Duration, StoreError> {
        let now = self.clock.now();
        let slots = self.concurrency.saturating_sub(busy.len());
        if slots == 0 || !lane.allows_sending(now) {
            return Ok(LOOK_AROUND);
        }
        match self.store.next_due(&lane.facility, lane.service.word()).await? {
            None => return Ok(LOOK_AROUND),
            Some(due) if due > now => return Ok(until(now, due)),
            Some(_) => {}
        }
        let admitted = match self.admitted(lane, slots) {
            Ok(admitted) => admitted,
            Err(free_at) => return Ok(until(now, free_at)),
        };
        let claimed = self.store.claim(self.ask(lane, admitted, now)).await;
        let unused = admitted - claimed.as_ref().map_or(0, Vec::len).min(admitted);
        self.remote.give_back(&lane.facility, lane.service, unused);
        let claimed = claimed?;
        // Due but not claimable: paused, or the lane is stopped.
        let wait = if claimed.is_empty() { LOOK_AROUND } else { Duration::ZERO };
        for claimed in claimed {
            failpoint!(await "claim.committed");
            let (push, lane) = (Arc::clone(self), Arc::clone(lane));
            let until = claimed.delivery.progress.lease.map_or(now, |lease| lease.until);
            let flight = flights.board(until);
            busy.spawn(async move {
                let _landed = flight;
                push.survive(&lane, claimed, now + LEASE_SPARE).await;
            });
        }
        Ok(wait)
    }

    /// How many calls the rate allows now, at most `slots`.
    fn admitted(&self, lane: &Lane, slots: usize) -> Result<usize, Timestamp> {
        self.remote.try_admit(&lane.facility, lane.service)?;
        let more = (1..slots).take_while(|_| self.remote.try_admit(&lane.facility, lane.service).is_ok()).count();
        Ok(1 + more)
    }

    fn ask(&self, lane: &Lane, limit: usize, now: Timestamp) -> ClaimAsk {
        let version = self.remote.credential_version(&lane.facility, lane.service);
        ClaimAsk {
            facility: lane.facility.clone(),
            service: lane.service.word().to_owned(),
            limit,
            now,
            lease_until: now + self.attempt_timeout + LEASE_SPARE,
            credential_version: i64::try_from(version).unwrap_or(i64::MAX),
            base: self.base(lane, now),
        }
    }

    fn base(&self, lane: &Lane, now: Timestamp) -> Base {
        Base {
            boot: self.boot,
            settle: self.settle,
            chance: self.chance.fraction(),
            others_pass: lane.others_pass(now),
        }
    }
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
