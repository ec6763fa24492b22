//! What a delivery waits for: the deliveries it comes after, and the earlier entries of its lane.

use super::delivery::{Blocked, BlockedKind, DeliveryId, HeldCode, How, State};

/// What a delivery needs to know about another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// Its id.
    pub id: DeliveryId,
    /// Where it stands.
    pub state: State,
    /// How it got to BPJS, if it did.
    pub how: Option<How>,
    /// Why it is held, if it is.
    pub why: Option<String>,
}

/// What the neighbours say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// Nothing is in the way.
    Open {
        /// Some prerequisite was not made by us: children without uniqueness are looked up first (promise 3).
        adopted: bool,
    },
    /// Wait for this row.
    Wait(Blocked),
    /// A prerequisite failed: hold (promise 6).
    Failed(DeliveryId),
}

/// Judges prerequisites first (a failed one decides at once), then the lane: `earlier` is the oldest unfinished entry
/// of the same lane accepted before this one.
#[must_use]
pub fn judge(prerequisites: &[Neighbour], earlier: Option<DeliveryId>) -> Gate {
    if let Some(failed) = prerequisites.iter().find(|p| has_failed(p)) {
        return Gate::Failed(failed.id);
    }
    if let Some(open) = prerequisites.iter().find(|p| p.state != State::Delivered) {
        return Gate::Wait(Blocked { kind: BlockedKind::Prerequisite, id: open.id });
    }
    if let Some(id) = earlier {
        return Gate::Wait(Blocked { kind: BlockedKind::Order, id });
    }
    Gate::Open { adopted: prerequisites.iter().any(|p| matches!(p.how, Some(How::AlreadyThere | How::Adopted))) }
}

/// Refused, expired, cancelled, or held because of its own prerequisite. One that is held for a person may still be
/// delivered, so its children wait.
fn has_failed(prerequisite: &Neighbour) -> bool {
    match prerequisite.state {
        State::Refused | State::Expired | State::Cancelled => true,
        State::Held => prerequisite.why.as_deref() == Some(HeldCode::Prerequisite.word()),
        State::Waiting | State::Sending | State::Unanswered | State::Delivered => false,
    }
}
