//! Outages: opened and closed by evidence, on record with their cause.
//!
//! Job: one loop per lane that probes when the circuit wants it, opens an episode when the probe fails, closes it when
//! the probe passes, and tries new credentials on a stopped lane. Invariants: an outage is opened only by our own failed
//! probe and closed only by a passing one (or a person); refused credentials are never probed twice in the same version
//! (they could lock the account). Neighbours: `remote` probes, `store` keeps the episodes, `push` waits for the circuit.
//! What it does not do: send entries.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::observe::{Observe, Seen};
use crate::remote::circuit::State;
use crate::remote::{Lane, ProbeReport, Remote, Verdict as ProbeVerdict};
use crate::secret::Private;
use crate::store::{CircuitRow, LaneStop, OutageChange, OutageRow, SharedStore, StoreError, Verdict};

/// How often the circuit is asked whether it wants a probe.
const TICK: Duration = Duration::from_millis(250);
/// Cause of an outage within an announced window.
const MAINTENANCE: &str = "maintenance";
/// Probes kept as evidence of one episode: the first of them and the latest.
const EVIDENCE_MAX: usize = 20;

/// The watch over one lane.
pub struct Watch {
    /// Keeps episodes, circuits and stopped lanes.
    pub store: SharedStore,
    /// Probes.
    pub remote: Remote,
    /// Time.
    pub clock: Clock,
    /// The lane.
    pub lane: Arc<Lane>,
    /// Health and metrics.
    pub observe: Observe,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl Watch {
    /// Watches until `stop`. A failure to write is tried again at the next tick, and logged when it begins or changes.
    pub async fn run(self, stop: CancellationToken) {
        let name = format!("outages.{}.{}", self.lane.facility, self.lane.service.word());
        if let Err(error) = self.remember().await {
            tracing::warn!(%error, lane = %name, "earlier outage not read");
        }
        let mut failing = None;
        while !stop.is_cancelled() {
            (self.observe)(Seen::Beat(&name));
            failpoint!(await "loop.outages");
            let failed = self.tick().await.err().map(|error| error.to_string());
            if let Some(error) = failed.as_ref().filter(|_| failed != failing) {
                tracing::warn!(error, lane = %name, "outage not recorded; tried again until it is");
            }
            failing = failed;
            let mut changed = self.lane.changes();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = changed.changed() => {}
                () = self.clock.sleep(TICK) => {}
            }
        }
    }

    /// After a restart an episode that was open is still open until a probe passes.
    async fn remember(&self) -> Result<(), StoreError> {
        if self.open_episode().await?.is_some() {
            self.lane.suspect(self.clock.now());
        }
        Ok(())
    }

    async fn tick(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        if let Some(stop) = self.stopped().await? {
            return self.try_new_credentials(&stop).await;
        }
        if self.lane.wants_probe(now) {
            let report = self.probe().await;
            self.judge(&report).await?;
        }
        Ok(())
    }

    async fn probe(&self) -> ProbeReport {
        let report = self.remote.probe(&self.lane.facility, self.lane.service).await;
        self.lane.probed(&report, self.clock.now());
        if let Some(seconds) = report.skew_seconds {
            (self.observe)(Seen::Skew { facility: &self.lane.facility, seconds });
        }
        report
    }

    async fn judge(&self, report: &ProbeReport) -> Result<(), StoreError> {
        let episode = self.open_episode().await?;
        match (report.cause(), episode) {
            (None, Some(episode)) => {
                // The passing probe is the evidence of its end.
                self.add_evidence(&episode, report).await?;
                self.close(&episode, report).await
            }
            (None, None) => self.mend_circuit().await,
            (Some("credentials"), episode) => {
                self.stop_lane(report).await?;
                // BPJS answers again, only not to us: the outage is over, the lane stays stopped.
                if let Some(episode) = episode { self.close(&episode, report).await } else { Ok(()) }
            }
            (Some("clock" | "config"), _) => Ok(()),
            (Some(cause), None) => self.open(cause, report).await,
            (Some(_), Some(episode)) => self.add_evidence(&episode, report).await,
        }
    }

    // ---- episodes -----------------------------------------------------------------------------------------------

    async fn open_episode(&self) -> Result<Option<OutageRow>, StoreError> {
        let ours = |row: &OutageRow| {
            row.closed_at.is_none() && row.facility == self.lane.facility && row.service == self.lane.service.word()
        };
        // Evidence is large: it is read of few more episodes than it takes to come to the open one (others may be opened
        // between the two reads).
        let Some(place) = self.store.outage_spans(64).await?.iter().position(ours) else { return Ok(None) };
        Ok(self.store.outages(place + 4).await?.into_iter().find(ours))
    }

    async fn open(&self, cause: &str, report: &ProbeReport) -> Result<(), StoreError> {
        let at = match self.lane.circuit() {
            State::Open { since, .. } | State::Suspect { since } => since,
            State::Closed => self.clock.now(),
        };
        // Announced maintenance is recorded as such; what the probe saw stays in the evidence.
        let plans = self.store.outage_plans(at).await?;
        let plan = plans.iter().find(|plan| plan.covers(&self.lane.facility, at));
        let (cause, verdict) = plan.map_or((cause, verdict_of(report.verdict())), |plan| (MAINTENANCE, plan.verdict));
        let row = self
            .store
            .change_outage(OutageChange::Open {
                facility: self.lane.facility.clone(),
                service: self.lane.service.word().to_owned(),
                cause: cause.to_owned(),
                verdict,
                evidence: serde_json::json!([report]),
                at,
                actor: "jembatan".to_owned(),
            })
            .await?;
        tracing::warn!(outage = row.id, facility = %row.facility, service = %row.service, cause, "outage opened");
        self.keep_circuit(true, at).await
    }

    async fn add_evidence(&self, episode: &OutageRow, report: &ProbeReport) -> Result<(), StoreError> {
        let mut evidence = episode.evidence.as_array().cloned().unwrap_or_default();
        if evidence.len() >= EVIDENCE_MAX {
            evidence.remove(EVIDENCE_MAX / 2);
        }
        evidence.push(serde_json::json!(report));
        let change = OutageChange::Evidence { id: episode.id, evidence: evidence.into() };
        self.store.change_outage(change).await.map(|_| ())
    }

    /// Over since the probe that passed began: what is sent from then on was sent after the outage.
    async fn close(&self, episode: &OutageRow, report: &ProbeReport) -> Result<(), StoreError> {
        let at = report.at;
        let close = OutageChange::Close { id: episode.id, at, actor: "jembatan: probe lolos".to_owned() };
        let row = self.store.change_outage(close).await?;
        tracing::info!(outage = row.id, accepted = row.accepted, affected = row.affected, "outage closed");
        self.keep_circuit(false, at).await
    }

    /// An episode that a person closed, or whose end a crash cut short, leaves the remembered circuit open.
    async fn mend_circuit(&self) -> Result<(), StoreError> {
        let ours = |row: &CircuitRow| {
            row.open && row.facility == self.lane.facility && row.service == self.lane.service.word()
        };
        if self.store.circuits().await?.iter().any(ours) {
            return self.keep_circuit(false, self.clock.now()).await;
        }
        Ok(())
    }

    async fn keep_circuit(&self, open: bool, since: Timestamp) -> Result<(), StoreError> {
        let row = CircuitRow {
            facility: self.lane.facility.clone(),
            service: self.lane.service.word().to_owned(),
            open,
            since,
        };
        self.store.set_circuit(row).await
    }

    // ---- credentials --------------------------------------------------------------------------------------------

    async fn stopped(&self) -> Result<Option<LaneStop>, StoreError> {
        let ours = |stop: &LaneStop| stop.facility == self.lane.facility && stop.service == self.lane.service.word();
        Ok(self.store.lane_stops().await?.into_iter().find(ours))
    }

    async fn stop_lane(&self, report: &ProbeReport) -> Result<(), StoreError> {
        let stop = LaneStop {
            facility: self.lane.facility.clone(),
            service: self.lane.service.word().to_owned(),
            message: Private::new(format!("probe: {}", report.code.map_or_else(String::new, |code| code.to_string()))),
            since: self.clock.now(),
            credential_version: i64::try_from(report.credential_version).unwrap_or(i64::MAX),
        };
        tracing::warn!(facility = %stop.facility, service = %stop.service, "BPJS refuses the credentials: lane stopped");
        self.store.set_lane_stop(&self.lane.facility, self.lane.service.word(), Some(stop)).await
    }

    /// One probe per new version; it passes, and the lane goes on.
    async fn try_new_credentials(&self, stop: &LaneStop) -> Result<(), StoreError> {
        let version = self.remote.credential_version(&self.lane.facility, self.lane.service);
        let tried = i64::try_from(version).unwrap_or(i64::MAX) <= stop.credential_version;
        let now = self.clock.now();
        let may_ask = self.lane.allows_sending(now) || self.lane.wants_probe(now);
        if tried || !may_ask {
            return Ok(());
        }
        let report = self.probe().await;
        match report.cause() {
            None => {
                tracing::info!(facility = %stop.facility, service = %stop.service, "credentials accepted: lane goes on");
                self.store.set_lane_stop(&self.lane.facility, self.lane.service.word(), None).await
            }
            Some("credentials") => self.stop_lane(&report).await,
            // The probe met something else; the same version may be tried again once that is over.
            Some(_) => self.judge(&report).await,
        }
    }
}

const fn verdict_of(verdict: ProbeVerdict) -> Verdict {
    match verdict {
        ProbeVerdict::None => Verdict::None,
        ProbeVerdict::Us => Verdict::Us,
        ProbeVerdict::Network => Verdict::Network,
        ProbeVerdict::Bpjs => Verdict::Bpjs,
    }
}
