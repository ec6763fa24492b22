//! Sending: one signed request, one outcome.

use serde_json::Value;

use super::Push;
use super::attempt::{Ended, owns, scope_of, text};
use crate::catalogue::{Filled, Kind, Operation, Refusal, RemoteIds};
use crate::observe::Seen;
use crate::queue::transition::Event;
use crate::queue::{Outcome, Suspicion};
use crate::remote::{Attempted, Lane, ProbeReport};
use crate::secret::Private;
use crate::store::{AttemptEnd, Claimed, LaneStop};

impl Push {
    pub(super) async fn send(&self, lane: &Lane, claimed: &Claimed, operation: &Operation, filled: &Filled) -> Ended {
        let stamp = self.stamp();
        let attempted = self.remote.send(&lane.facility, operation, &filled.payload, stamp).await;
        self.tell_skew(lane, attempted.skew_seconds);
        let outcome = self.settle_suspicion(lane, &attempted).await;
        let outcome = with_filled(outcome, operation, &filled.payload);
        let end = AttemptEnd {
            outcome: outcome.word().to_owned(),
            status: attempted.status,
            code: attempted.code,
            stamp: Some(stamp.seconds()),
            credential_version: i64::try_from(attempted.credential_version).ok(),
            detail: Private::new(detail(&outcome, &filled.changed)),
            answer: attempted.answer.clone(),
            owns: accepted_ids(&outcome).and_then(|ids| owns(operation, &filled.payload, ids)),
            frees: frees(operation, &filled.payload, claimed, &self.catalogue),
        };
        Ended { event: Event::Ended(outcome), end, evidence: attempted.evidence }
    }

    pub(super) fn tell_skew(&self, lane: &Lane, skew: Option<i64>) {
        if let Some(seconds) = skew {
            (self.observe)(Seen::Skew { facility: &lane.facility, seconds });
        }
    }

    /// Promise 7: credentials that BPJS refuses stop the lane, not the entry; an unknown 401 is decided by the probe.
    async fn settle_suspicion(&self, lane: &Lane, attempted: &Attempted) -> Outcome {
        let Outcome::NotAuthorised(refusal, suspicion) = &attempted.outcome else {
            return attempted.outcome.clone();
        };
        let version = attempted.credential_version;
        match suspicion {
            Suspicion::Clock => attempted.outcome.clone(),
            Suspicion::Credentials => {
                self.stop_lane(lane, refusal, version).await;
                attempted.outcome.clone()
            }
            Suspicion::Unknown => {
                let report = self.remote.probe(&lane.facility, lane.service).await;
                self.judge_unknown(lane, refusal, version, &report).await
            }
        }
    }

    async fn judge_unknown(&self, lane: &Lane, refusal: &Refusal, version: u64, report: &ProbeReport) -> Outcome {
        if report.passes() {
            return Outcome::Refused(refusal.clone());
        }
        match report.cause() {
            Some("credentials") => {
                self.stop_lane(lane, refusal, version).await;
                Outcome::NotAuthorised(refusal.clone(), Suspicion::Credentials)
            }
            Some("clock") => Outcome::NotAuthorised(refusal.clone(), Suspicion::Clock),
            // The probe itself met an outage: it says nothing about the 401, so the entry waits.
            Some(_) | None => Outcome::NotAuthorised(refusal.clone(), Suspicion::Unknown),
        }
    }

    /// Stops the lane for this version of the credentials; a newer version is tried by the outage task.
    pub(super) async fn stop_lane(&self, lane: &Lane, refusal: &Refusal, version: u64) {
        let stop = LaneStop {
            facility: lane.facility.clone(),
            service: lane.service.word().to_owned(),
            message: refusal.message.clone(),
            since: self.clock.now(),
            credential_version: i64::try_from(version).unwrap_or(i64::MAX),
        };
        let service = stop.service.clone();
        if let Err(error) = self.store.set_lane_stop(&lane.facility, &service, Some(stop)).await {
            tracing::error!(%error, facility = %lane.facility, "lane not stopped");
        }
        tracing::warn!(facility = %lane.facility, service, rule = %refusal.rule, "BPJS refuses the credentials: lane stopped");
    }
}

const fn accepted_ids(outcome: &Outcome) -> Option<&RemoteIds> {
    if let Outcome::Accepted(ids) = outcome { Some(ids.expose()) } else { None }
}

/// What was filled in from prerequisites belongs to what is known of the entry at BPJS.
fn with_filled(outcome: Outcome, operation: &Operation, payload: &Value) -> Outcome {
    match outcome {
        Outcome::Accepted(ids) => Outcome::Accepted(Private::new(known_ids(operation, payload, ids.into_inner()))),
        other => other,
    }
}

/// The ids given, and those filled in.
pub(super) fn known_ids(operation: &Operation, payload: &Value, mut ids: RemoteIds) -> RemoteIds {
    for need in &operation.needs {
        if let Some(value) = text(payload, &need.field)
            && !ids.contains_key(&need.id)
        {
            ids.insert(need.id.clone(), value);
        }
    }
    ids
}

/// The id that a delivered delete sets free.
fn frees(
    operation: &Operation,
    payload: &Value,
    claimed: &Claimed,
    catalogue: &crate::catalogue::Catalogue,
) -> Option<(String, Vec<String>, String)> {
    if operation.kind != Kind::Delete {
        return None;
    }
    let made = catalogue.operation(operation.releases.as_ref()?)?;
    let field = made.gives.first().or(made.own_id.as_ref())?;
    let id = text(payload, field).or_else(|| claimed.delivery.progress.remote.expose().get(field).cloned())?;
    Some((made.family(), scope_of(operation, payload), id))
}

fn detail(outcome: &Outcome, changed: &[String]) -> String {
    let words = match outcome {
        Outcome::AlreadyThere(no)
        | Outcome::NotFound(no)
        | Outcome::Refused(no)
        | Outcome::NotAuthorised(no, _)
        | Outcome::Fault(no) => no.message.expose().clone(),
        Outcome::NotSent { why } | Outcome::AcceptedUnread { why } | Outcome::Unreadable { why } => why.clone(),
        Outcome::NoAnswer { after } => format!("tidak ada jawaban setelah {} ms", after.as_millis()),
        Outcome::Unavailable { status } => format!("HTTP {status}"),
        Outcome::RateLimited { .. } | Outcome::Accepted(_) => String::new(),
    };
    match (words.is_empty(), changed.is_empty()) {
        (_, true) => words,
        (true, false) => format!("diisi atau dinormalkan: {}", changed.join(", ")),
        (false, false) => format!("{words} (diisi atau dinormalkan: {})", changed.join(", ")),
    }
}
