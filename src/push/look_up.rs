//! Looking up: ask BPJS whether it has the entry before anything else happens.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Push;
use super::attempt::{Ended, owns, scope_of};
use super::confirm::{About, hint};
use super::send::known_ids;
use crate::catalogue::{Candidate, Operation, candidates};
use crate::protocol::sign::Stamp;
use crate::queue::transition::Event;
use crate::queue::{DeliveryId, Finding, Outcome, Suspicion};
use crate::remote::{Evidence, Lane, ReadFailure, Rows};
use crate::secret::Private;
use crate::store::{AttemptEnd, Claimed, StoreError};

/// How much longer than one call a look-up may take; below the lease, whose spare time is more.
const LOOK_UP_SPARE: Duration = Duration::from_secs(20);

/// Why a look-up came to no finding.
pub(super) enum Stopped {
    /// An argument of its read is open.
    Open,
    /// A read failed.
    Read(Box<ReadFailure>),
    /// BPJS's answers contradict one another.
    Shown(&'static str),
    /// The store did not say who owns what.
    Store(StoreError),
    /// It took too long.
    Late,
}

impl Push {
    pub(super) async fn look_up(
        &self,
        lane: &Lane,
        claimed: &Claimed,
        operation: &Operation,
        payload: &Value,
    ) -> Ended {
        let (begun, stamp) = (self.clock.now(), self.stamp());
        // Taken before the answer: a newer version put in meanwhile was not refused.
        let version = self.remote.credential_version(&lane.facility, lane.service);
        let about = About { lane, operation, payload, delivery: &claimed.delivery };
        let found = tokio::select! {
            biased;
            found = self.find(about, stamp) => found,
            // A long list from a slow service must not outlive the lease.
            () = self.clock.sleep(self.attempt_timeout + LOOK_UP_SPARE) => Err(Stopped::Late),
        };
        let failed = |why: &str| Finding::Failed { why: why.to_owned() };
        let (finding, evidence) = match found {
            Ok(Finding::Absent) if self.is_too_soon(claimed, operation, begun) => {
                (failed("clock set forward"), Evidence::Alive)
            }
            Ok(finding) => (finding, Evidence::Alive),
            Err(Stopped::Read(failure)) => self.failed(lane, &failure, version).await,
            Err(Stopped::Open) => (failed("argument open"), Evidence::Nothing),
            Err(Stopped::Shown(why)) => (failed(why), Evidence::Alive),
            Err(Stopped::Store(error)) => (failed(&error.to_string()), Evidence::Alive),
            Err(Stopped::Late) => (failed("timeout"), Evidence::Failing),
        };
        let mut ended = looked(finding, begun, Some(stamp.seconds()), evidence);
        if let Event::Looked { finding: Finding::Found { ids, .. }, .. } = &mut ended.event {
            ended.end.owns = owns(operation, payload, ids.expose());
            let known = known_ids(operation, payload, ids.expose().clone());
            *ids = Private::new(known);
        }
        ended
    }

    /// Whether settle has passed by the clock only, because it was set forward since the attempt ended: what was not found
    /// may still be on its way.
    fn is_too_soon(&self, claimed: &Claimed, operation: &Operation, begun: Timestamp) -> bool {
        let doubt = &claimed.delivery.progress.doubt;
        let Some(since) = doubt.since.filter(|_| doubt.marked) else { return false };
        let jumped = self.clock.jumped_since(since);
        let settle = self.settle.unwrap_or_else(|| operation.settle());
        let wait = if doubt.absent == 0 || operation.is_unique() { settle } else { settle.saturating_mul(3) };
        !jumped.is_zero()
            && begun.duration_since(since).saturating_sub(jumped) < SignedDuration::try_from(wait).unwrap_or_default()
    }

    /// First what BPJS's own words name, then the list of the plan.
    async fn find(&self, about: About<'_>, stamp: Stamp) -> Result<Finding, Stopped> {
        let About { lane, operation, payload, delivery } = about;
        let Some(plan) = &operation.look_up else { return Err(Stopped::Open) };
        if let Some(confirm) = &plan.confirm
            && let Some((_, number)) = hint(&self.catalogue, operation, delivery).filter(|(id, _)| *id == confirm.id)
        {
            let candidate =
                Candidate { ids: [(confirm.id.clone(), number.clone())].into(), same: true, differs: Vec::new() };
            let owner = self.owners(about, std::slice::from_ref(&candidate)).await?.first().copied().flatten();
            if let Some(owner) = owner.filter(|owner| *owner != delivery.id) {
                return Ok(Finding::Owned { owner });
            }
            if let Some(finding) = self.by_number(about, confirm, &number).await? {
                return Ok(finding);
            }
        }
        let today = self.clock.now().to_zoned(self.bpjs_zone.clone()).date();
        let args = plan.arguments(operation, payload, today).ok_or(Stopped::Open)?;
        let rows = self.remote.read(&lane.facility, &plan.read, &args, stamp).await;
        let rows = rows.map_err(|failure| Stopped::Read(Box::new(failure)))?;
        self.among(about, &rows).await
    }

    /// What the rows of the plan's list say.
    async fn among(&self, about: About<'_>, rows: &Rows) -> Result<Finding, Stopped> {
        let About { operation, payload, delivery, .. } = about;
        let found = candidates(operation, payload, &delivery.facility, &rows.rows);
        let owners = self.owners(about, &found).await?;
        let Some(confirm) = operation.look_up.as_ref().and_then(|plan| plan.confirm.as_ref()) else {
            return Ok(judge(operation, delivery.id, &found, &owners, rows.is_complete()));
        };
        let found = found.into_iter().zip(owners).collect();
        Ok(match self.confirmed(about, confirm, found).await? {
            Ok(left) => {
                let (found, owners): (Vec<_>, Vec<_>) = left.into_iter().unzip();
                judge(operation, delivery.id, &found, &owners, rows.is_complete())
            }
            Err(finding) => finding,
        })
    }

    async fn owners(&self, about: About<'_>, found: &[Candidate]) -> Result<Vec<Option<DeliveryId>>, Stopped> {
        let About { operation, payload, delivery, .. } = about;
        let ids: Vec<String> = found.iter().map(|candidate| primary_id(operation, candidate)).collect();
        let scope = scope_of(operation, payload);
        let owners = self.store.owners(&delivery.facility, &operation.family(), &scope, &ids).await;
        owners.map_err(Stopped::Store)
    }

    /// A refusal of access stops the lane as it does for a send (promise 7).
    async fn failed(&self, lane: &Lane, failure: &ReadFailure, version: u64) -> (Finding, Evidence) {
        if let Outcome::NotAuthorised(refusal, suspicion) = failure.outcome.as_ref() {
            let refused = match suspicion {
                Suspicion::Credentials => true,
                Suspicion::Unknown => {
                    self.remote.probe(&lane.facility, lane.service).await.cause() == Some("credentials")
                }
                Suspicion::Clock => false,
            };
            if refused {
                self.stop_lane(lane, refusal, version).await;
            }
        }
        (Finding::Failed { why: failure.why.clone() }, failure.evidence)
    }
}

fn primary_id(operation: &Operation, candidate: &Candidate) -> String {
    let name = operation.gives.first().or(operation.own_id.as_ref());
    name.and_then(|name| candidate.ids.get(name)).cloned().unwrap_or_default()
}

/// What the rows with the entry's key say, given who owns them (promises 1 and 2).
///
/// Where BPJS keeps the entry unique, one row decides: it is ours, another delivery's, or something else in our place.
/// Where it does not, copies are counted by the ids that nobody owns: an equal one is ours; one with the same key but
/// other content might be ours, so a person decides. A list that BPJS cut short (`complete` is false) cannot show that
/// something is absent.
#[must_use]
pub fn judge(
    operation: &Operation,
    id: DeliveryId,
    found: &[Candidate],
    owners: &[Option<DeliveryId>],
    complete: bool,
) -> Finding {
    let others = |owner: &Option<DeliveryId>| owner.filter(|owner| *owner != id);
    let free: Vec<&Candidate> =
        found.iter().zip(owners).filter(|(_, owner)| others(owner).is_none()).map(|(candidate, _)| candidate).collect();
    if let Some(ours) = free.iter().find(|candidate| candidate.same) {
        return Finding::Found { ids: Private::new(ours.ids.clone()), differs: ours.differs.clone() };
    }
    if let Some(other) = free.first() {
        let detail =
            format!("BPJS memiliki entri dengan kunci yang sama, isinya berbeda pada: {}", other.differs.join(", "));
        return Finding::Ambiguous { detail };
    }
    match owners.iter().find_map(others) {
        Some(owner) if operation.is_unique() => Finding::Owned { owner },
        Some(_) | None if complete => Finding::Absent,
        Some(_) | None => Finding::Failed { why: "list incomplete".to_owned() },
    }
}

fn looked(finding: Finding, begun: Timestamp, stamp: Option<i64>, evidence: Evidence) -> Ended {
    let detail = match &finding {
        Finding::Found { differs, .. } if !differs.is_empty() => format!("berbeda: {}", differs.join(", ")),
        Finding::Ambiguous { detail } => detail.clone(),
        Finding::Failed { why } => why.clone(),
        Finding::Foreign(refusal) => refusal.message.expose().clone(),
        Finding::Owned { owner } => owner.to_string(),
        Finding::Found { .. } | Finding::Absent => String::new(),
    };
    let end =
        AttemptEnd { outcome: finding.word().to_owned(), stamp, detail: Private::new(detail), ..AttemptEnd::default() };
    Ended { event: Event::Looked { finding, begun }, end, evidence }
}
