//! What a delivery waits for: the deliveries it comes after, and the entries of its lane whose turn comes before.

use jiff::Timestamp;

use super::delivery::{Blocked, BlockedKind, DeliveryId, HeldCode, How, State};

/// A delivery's turn in its lane, taken at acceptance and never changed: the smaller `(at, seq)` goes first (promise 4).
///
/// It is the order of acceptance but for what was dated ahead of BPJS's day when it was accepted: that waits for its day,
/// so it takes its turn when that begins, and what is accepted before goes before. Whoever comes after another has no
/// earlier turn than that one, so lanes and prerequisites together never wait in a circle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// When the day begins that it was dated ahead to, its own or of what it comes after; `None` if it was not.
    pub opens: Option<Timestamp>,
    /// That beginning, else the acceptance.
    pub at: Timestamp,
}

impl Turn {
    /// The turn of what is accepted at `accepted_at` and not sent before `due_at`, after deliveries with the turns
    /// `before`. `last` is the latest turn of what in the lane was not ahead: nobody passes it, even if the clock was set
    /// back since. In milliseconds, as rows keep instants.
    #[must_use]
    pub fn taken(accepted_at: Timestamp, due_at: Timestamp, before: &[Self], last: Option<Timestamp>) -> Self {
        let (accepted_at, due_at) = (in_millis(accepted_at), in_millis(due_at));
        let days = before.iter().filter_map(|turn| turn.opens).chain([due_at]);
        let opens = days.filter(|day| *day > accepted_at).max();
        let own = opens.unwrap_or(accepted_at);
        let at = before.iter().map(|turn| turn.at).chain(last).fold(own, Timestamp::max);
        Self { opens, at }
    }
}

fn in_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

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

/// Judges prerequisites first (a failed one decides at once), then the lane: `earlier` is the first unfinished entry of
/// the same lane whose turn comes before this one's, or that is under way ([`super::Progress::is_under_way`]).
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
