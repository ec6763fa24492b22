//! What may happen to a delivery, decided without IO.
//!
//! Job: the states, the events, and one function [`transition::transition`] that says what an event makes of a
//! delivery; [`schedule`] says when to try again, [`gate`] what a delivery waits for, [`crash`] who killed the process.
//! Invariants: pure (time, chance and
//! policy are arguments); every state change of the program goes through [`transition::transition`]; once an attempt's
//! outcome is unknown only *delivered* clears the doubt. Neighbours: `store` applies the result in one conditional
//! UPDATE, `push` and `reconcile` bring the events. What it does not do: SQL, network, texts for people.

pub mod crash;
mod delivery;
pub mod gate;
mod outcome;
mod reasons;
pub mod schedule;
pub mod transition;

pub use crate::contract::Deadline;
pub use delivery::{
    Blocked, BlockedKind, BootId, Delivery, DeliveryId, Doubt, HeldCode, How, Lease, Mark, Progress, Purpose, Question,
    State, SubmissionId, Why,
};
pub use gate::Turn;
pub use outcome::{Finding, Outcome, Suspicion};

#[cfg(test)]
mod tests;
