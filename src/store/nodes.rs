//! Several processes on one database: who lives, and who sends for which facility. Types only.
//!
//! Job: what [`super::Store::stand`] answers and what [`super::Store::change_owner`] takes. Invariants: every instant here
//! is of the database's clock, because the clocks of nodes differ; a facility's row names at most one holder, and the
//! holder is a start of a process ([`OwnerRow::boot`]), not a name, so that a process that was replaced under its own name
//! holds nothing. Neighbours: `crate::nodes` decides from these rows, the PostgreSQL backend keeps them. What it does not
//! do: decide.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// What a node says of itself at every turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTurn {
    /// How long it counts as alive, and holds its facilities, without another turn.
    pub term: Duration,
    /// How far its clock is from the database's, as it measured it last; positive: its own is fast.
    pub skew: SignedDuration,
}

/// A process that shares the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name, one process a name.
    pub name: String,
    /// Newest schema that its program knows.
    pub schema: i64,
    /// The program's version, for people.
    pub program: String,
    /// Its last turn.
    pub seen_at: Timestamp,
    /// Until when it counts as alive.
    pub until: Timestamp,
    /// How far its clock is from the database's.
    pub skew: SignedDuration,
}

/// Who sends for a facility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRow {
    /// kdProvider.
    pub facility: String,
    /// The node; `None`: nobody.
    pub node: Option<String>,
    /// The start of the process that holds it: [`Nodes::boot`] of the holder.
    pub boot: String,
    /// Grows with every change of the holder: what an older holder does can be told from it.
    pub token: i64,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
    /// Since when the node has it.
    pub since: Timestamp,
    /// Whether the holder gives it up: nothing new is claimed.
    pub leaving: bool,
    /// Whether an attempt is in flight for it.
    pub busy: bool,
}

/// All nodes and owners, as the database has them at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// The database's clock.
    pub now: Timestamp,
    /// The node that asked.
    pub me: String,
    /// Its start.
    pub boot: String,
    /// By name.
    pub nodes: Vec<NodeRow>,
    /// By facility; one that nobody ever held has no row.
    pub owners: Vec<OwnerRow>,
}

/// A step towards owning, or no longer owning, a facility. Each is one conditional change: it is not carried out if the
/// row is no longer as it was when the step was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerChange {
    /// Holds what nobody holds, what its holder let run out, or what an earlier process of this name held.
    Take {
        /// kdProvider.
        facility: String,
    },
    /// Claims nothing more for it.
    GiveUp {
        /// kdProvider.
        facility: String,
    },
    /// Lets others take it; refused while an attempt is in flight.
    Free {
        /// kdProvider.
        facility: String,
    },
}

impl OwnerChange {
    /// The facility it is about.
    #[must_use]
    pub fn facility(&self) -> &str {
        match self {
            Self::Take { facility } | Self::GiveUp { facility } | Self::Free { facility } => facility,
        }
    }
}

impl Nodes {
    /// Whether this process holds the row, at the instant of the answer.
    #[must_use]
    pub fn is_mine(&self, row: &OwnerRow) -> bool {
        self.holds(row) && row.boot == self.boot && row.node.as_deref() == Some(self.me.as_str())
    }

    /// Whether somebody holds the row.
    #[must_use]
    pub fn holds(&self, row: &OwnerRow) -> bool {
        row.node.is_some() && row.until > self.now
    }

    /// Whether a node counts as alive.
    #[must_use]
    pub fn is_live(&self, node: &NodeRow) -> bool {
        node.until > self.now || node.name == self.me
    }
}
