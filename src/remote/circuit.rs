//! When to stop sending, and when to ask again.
//!
//! Job: one small state machine per facility and service. Pure. Invariants: one failing outcome holds new sends until a
//! probe has answered; a dead service costs one probe per wait, whose length doubles from one second to the configured
//! most; anything that shows the service alive closes it. Neighbours: `push` and `reconcile` feed and ask it, with
//! [`super::probe`]. What it does not do: probe, remember outages (`store`), judge credentials (the lane).

use std::time::Duration;

use jiff::Timestamp;

/// The first wait between probes of a dead service.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// The service works as far as known.
    Closed,
    /// A failing outcome was seen: new sends are held until a probe has answered.
    Suspect {
        /// The first failing outcome.
        since: Timestamp,
    },
    /// A probe failed too.
    Open {
        /// The first failing outcome or probe.
        since: Timestamp,
        /// When to probe again.
        next_probe: Timestamp,
        /// The wait that leads there.
        wait: Duration,
    },
}

/// The circuit of one service of one facility.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Circuit {
    state: State,
    heard: Option<Timestamp>,
    retry_max: Duration,
    probe_interval: Duration,
}

impl Circuit {
    /// A closed one, from which nothing was heard yet: it wants a probe at once, but allows sending.
    #[must_use]
    pub const fn closed(retry_max: Duration, probe_interval: Duration) -> Self {
        Self { state: State::Closed, heard: None, retry_max, probe_interval }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// An attempt or a read showed no living service.
    pub const fn on_failure(&mut self, now: Timestamp) {
        match self.state {
            State::Closed => self.state = State::Suspect { since: now },
            State::Suspect { .. } | State::Open { .. } => {}
        }
    }

    /// A probe ended. Pass [`super::ProbeReport::service_works`]: a refused password is no reason to call BPJS dead.
    pub fn on_probe(&mut self, now: Timestamp, passes: bool) {
        if passes {
            return self.on_success(now);
        }
        let (since, wait) = match self.state {
            State::Closed => (now, FIRST_WAIT),
            State::Suspect { since } => (since, FIRST_WAIT),
            State::Open { since, wait, .. } => (since, wait.saturating_mul(2)),
        };
        let wait = wait.min(self.retry_max);
        self.state = State::Open { since, next_probe: now.checked_add(wait).unwrap_or(now), wait };
    }

    /// What the node that probes this service keeps on record: on all the others it goes before what they saw themselves.
    pub fn follow(&mut self, now: Timestamp, open: bool) {
        match (open, self.state) {
            (false, State::Suspect { .. } | State::Open { .. }) => self.state = State::Closed,
            (true, State::Closed | State::Suspect { .. }) => {
                let next_probe = now.checked_add(self.retry_max).unwrap_or(now);
                self.state = State::Open { since: now, next_probe, wait: self.retry_max };
            }
            (false, State::Closed) | (true, State::Open { .. }) => {}
        }
    }

    /// An attempt or a read showed a living service, even if it said no.
    pub fn on_success(&mut self, now: Timestamp) {
        self.state = State::Closed;
        self.heard = self.heard.max(Some(now));
    }

    /// Whether a new send may begin.
    #[must_use]
    pub const fn allows_sending(&self, _now: Timestamp) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether a probe is due: at once when suspect, after the wait when open, and while closed when nothing was heard
    /// for the probe interval. A clock set back does not silence it.
    #[must_use]
    pub fn wants_probe(&self, now: Timestamp) -> bool {
        match self.state {
            State::Closed => self
                .heard
                .is_none_or(|heard| heard > now || heard.checked_add(self.probe_interval).is_ok_and(|due| now >= due)),
            State::Suspect { .. } => true,
            State::Open { next_probe, wait, .. } => {
                now >= next_probe || now.checked_add(wait).is_ok_and(|latest| next_probe > latest)
            }
        }
    }
}

#[cfg(test)]
mod tests;
