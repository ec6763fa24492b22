//! What is known of each facility's services while the process runs: the circuit, and whether entries pass.
//!
//! Job: one [`Lane`] per facility and service, shared by the stages that call BPJS there. Invariants: every answer and
//! every probe is told to the circuit; a change of the circuit wakes who waits; where another node sends, this process
//! neither claims nor probes. Neighbours: `push` asks before it claims,
//! `reconcile` probes. What it does not do: remember across restarts (`store`), decide (that is [`Circuit`]).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::circuit::{Circuit, State};
use super::client::Evidence;
use super::probe::ProbeReport;
use crate::bell::Bell;
use crate::catalogue::Service;
use crate::config::RemoteConfig;

/// For this long after an entry was accepted, others are said to pass (promise 8).
const PASSED_LATELY: Duration = Duration::from_mins(10);

/// One facility's way to one service.
#[derive(Debug)]
pub struct Lane {
    /// kdProvider.
    pub facility: String,
    /// The service.
    pub service: Service,
    circuit: Mutex<Circuit>,
    passed: Mutex<Option<Timestamp>>,
    /// Whether this process sends here; another node does where several share the database.
    ours: AtomicBool,
    changed: Bell,
}

impl Lane {
    /// A lane from which nothing was heard yet.
    #[must_use]
    pub fn new(facility: &str, service: Service, config: &RemoteConfig) -> Arc<Self> {
        Arc::new(Self {
            facility: facility.to_owned(),
            service,
            circuit: Mutex::new(Circuit::closed(config.circuit_retry_max, config.probe_interval)),
            passed: Mutex::new(None),
            ours: AtomicBool::new(true),
            changed: Bell::default(),
        })
    }

    fn change<T>(&self, act: impl FnOnce(&mut Circuit) -> T) -> T {
        let mut circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        let before = circuit.state();
        let result = act(&mut circuit);
        if circuit.state() != before {
            self.changed.ring();
        }
        result
    }

    /// An attempt or read ended.
    pub fn heard(&self, evidence: Evidence, now: Timestamp) {
        self.change(|circuit| match evidence {
            Evidence::Alive => circuit.on_success(now),
            Evidence::Failing => circuit.on_failure(now),
            Evidence::Nothing => {}
        });
    }

    /// A probe ended.
    pub fn probed(&self, report: &ProbeReport, now: Timestamp) {
        self.change(|circuit| circuit.on_probe(now, report.service_works()));
    }

    /// Nothing is believed until a probe has answered (an outage was open when the process stopped).
    pub fn suspect(&self, now: Timestamp) {
        self.change(|circuit| circuit.on_failure(now));
    }

    /// An entry was accepted by BPJS.
    pub fn passed(&self, now: Timestamp) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Whether entries passed lately.
    #[must_use]
    pub fn others_pass(&self, now: Timestamp) -> bool {
        let passed = *self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.is_some_and(|at| now <= at + PASSED_LATELY)
    }

    /// This process sends here from now on (`true`), or another node does. Who begins believes nothing until its own
    /// probe has answered.
    pub fn set_ours(&self, ours: bool, now: Timestamp) {
        if self.ours.swap(ours, Ordering::AcqRel) == ours {
            return;
        }
        if ours {
            self.change(|circuit| circuit.on_failure(now));
        }
        self.changed.ring();
    }

    /// Whether this process sends here.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.ours.load(Ordering::Acquire)
    }

    /// Where another node sends, its record of the circuit is this one's too.
    pub fn follow(&self, open: bool, now: Timestamp) {
        if !self.is_ours() {
            self.change(|circuit| circuit.follow(now, open));
        }
    }

    /// Whether a send or look-up may begin.
    #[must_use]
    pub fn allows_sending(&self, now: Timestamp) -> bool {
        self.is_ours() && self.change(|circuit| circuit.allows_sending(now))
    }

    /// Whether a probe is due.
    #[must_use]
    pub fn wants_probe(&self, now: Timestamp) -> bool {
        self.is_ours() && self.change(|circuit| circuit.wants_probe(now))
    }

    /// Where the circuit stands.
    #[must_use]
    pub fn circuit(&self) -> State {
        self.change(|circuit| circuit.state())
    }

    /// Wakes at every change of the circuit's state.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.listen()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    #[test]
    fn where_another_node_sends_nothing_is_claimed_or_probed_and_who_takes_over_probes_first() {
        let lane = Lane::new("0114A026", Service::Pcare, &RemoteConfig::default());
        assert!(lane.allows_sending(at(0)) && lane.wants_probe(at(0)));
        let mut changed = lane.changes();
        lane.set_ours(false, at(1));
        assert!(changed.has_changed().unwrap(), "who waits looks again");
        changed.mark_unchanged();
        assert!(!lane.allows_sending(at(1)) && !lane.wants_probe(at(3600)));
        lane.follow(true, at(2));
        assert!(matches!(lane.circuit(), State::Open { .. }), "reads learn of the outage");
        lane.follow(false, at(3));
        assert_eq!(lane.circuit(), State::Closed);
        lane.set_ours(true, at(4));
        assert!(!lane.allows_sending(at(4)) && lane.wants_probe(at(4)), "nothing is believed before its own probe");
        lane.follow(false, at(5));
        assert!(!lane.allows_sending(at(5)), "an owner follows nobody");
        lane.set_ours(true, at(6));
        assert!(changed.has_changed().unwrap());
    }
}
