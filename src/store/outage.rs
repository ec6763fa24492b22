//! Outages as the store keeps them: episodes, announced maintenance, what an episode did to the entries it touched.

use jiff::Timestamp;
use serde_json::Value;

use crate::words::words;

words! {
    /// Whose fault an outage is.
    #[derive(Default)]
    Verdict {
        /// Nobody's: nothing is wrong.
        #[default]
        None = "none",
        /// Ours: this server, its clock, its credentials.
        Us = "us",
        /// The network between.
        Network = "network",
        /// BPJS.
        Bpjs = "bpjs",
    }
}

/// An outage episode.
#[derive(Debug, Clone, PartialEq)]
pub struct OutageRow {
    /// Its id.
    pub id: i64,
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// First evidence.
    pub opened_at: Timestamp,
    /// Evidence of its end.
    pub closed_at: Option<Timestamp>,
    /// The layer that failed: `dns`, `tcp`, `tls`, `http`, `business`, or `manual`.
    pub cause: String,
    /// Whose fault.
    pub verdict: Verdict,
    /// What the probes saw, as JSON.
    pub evidence: Value,
    /// Who opened it.
    pub opened_by: String,
    /// Who closed it, with the reason.
    pub closed_by: Option<String>,
    /// Entries accepted while it lasted.
    pub accepted: i64,
    /// Entries unfinished while it lasted.
    pub affected: i64,
    /// Entries that became late because of it.
    pub late: i64,
    /// What a person made of it, with who and why.
    pub class: Option<(OutageClass, String)>,
}

impl OutageRow {
    /// It without its evidence.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self {
            id: self.id,
            facility: self.facility.clone(),
            service: self.service.clone(),
            opened_at: self.opened_at,
            closed_at: self.closed_at,
            cause: self.cause.clone(),
            verdict: self.verdict,
            evidence: Value::Null,
            opened_by: self.opened_by.clone(),
            closed_by: self.closed_by.clone(),
            accepted: self.accepted,
            affected: self.affected,
            late: self.late,
            class: self.class.clone(),
        }
    }
}

/// What happens to an outage.
#[derive(Debug, Clone)]
pub enum OutageChange {
    /// It begins.
    Open {
        /// kdProvider.
        facility: String,
        /// Service word.
        service: String,
        /// The layer that failed.
        cause: String,
        /// Whose fault.
        verdict: Verdict,
        /// What the probes saw.
        evidence: Value,
        /// When.
        at: Timestamp,
        /// Who says so.
        actor: String,
    },
    /// More evidence.
    Evidence {
        /// Which.
        id: i64,
        /// What the probes saw.
        evidence: Value,
    },
    /// It ends.
    Close {
        /// Which.
        id: i64,
        /// When.
        at: Timestamp,
        /// Who says so, and why.
        actor: String,
    },
    /// A person classifies it.
    Classify {
        /// Which.
        id: i64,
        /// As what.
        class: OutageClass,
        /// Who says so, and why.
        actor: String,
    },
}

words! {
    /// What an outage is under the contract.
    OutageClass {
        /// A disturbance like others.
        Ordinary = "ordinary",
        /// Force majeure (Pasal 19): notified in writing by the parties.
        ForceMajeure = "force_majeure",
    }
}

/// Maintenance that was announced ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutagePlan {
    /// Its id; 0 before it is stored.
    pub id: i64,
    /// kdProvider, or `*` for all.
    pub facility: String,
    /// First instant.
    pub from: Timestamp,
    /// Last instant.
    pub to: Timestamp,
    /// Whose maintenance it is.
    pub verdict: Verdict,
    /// What was announced.
    pub reason: String,
    /// Who entered it.
    pub actor: String,
    /// When it was entered.
    pub announced_at: Timestamp,
}

impl OutagePlan {
    /// Whether it covers a facility at an instant.
    #[must_use]
    pub fn covers(&self, facility: &str, at: Timestamp) -> bool {
        (self.facility == "*" || self.facility == facility) && self.from <= at && at <= self.to
    }
}

/// What became of the entries that an outage touched: accepted while it lasted, or within the day before and not yet
/// through when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutageEffect {
    /// Accepted while it lasted.
    pub accepted: i64,
    /// Touched: tried after its end, so delayed by it.
    pub delayed: i64,
    /// Touched: late.
    pub late: i64,
    /// Touched: not finished yet.
    pub unfinished: i64,
    /// When the last of them was first tried after the end; only once none is unfinished.
    pub drained_at: Option<Timestamp>,
}
