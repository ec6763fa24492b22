//! The store in memory: the executable specification of [`Store`].
//!
//! Job: say what every method of the trait means in the plainest words that are exact, for the simulation and for
//! comparison with the real stores. Invariants: shares no code with the SQL stores but the pure functions of `queue` and
//! the trait's types; a write works on a copy of the whole state and puts it in place only if it succeeded, so it happens
//! whole or not at all; nothing is counted ahead (counts, gates and places are reckoned from the rows each time); no
//! chance, no clock, no order but that of keys and numbers, so the same calls give the same answers. Neighbours:
//! `conformance` runs on it as on every backend, `differential` compares. What it does not do: persist, seal, hurry.

mod antrean;
mod gateway;
mod keep;
mod ledger;
mod port;
mod questions;
mod queue;
mod state;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use self::state::State;
use super::StoreError;
use crate::bell::Bell;
use crate::catalogue::Catalogue;

/// A store in memory.
pub(crate) struct ReferenceStore {
    /// `None` once the power is lost or it was closed.
    state: Mutex<Option<State>>,
    wake: Bell,
    fatal: watch::Sender<Option<String>>,
}

/// What a store held at one moment, as a backup holds it.
#[derive(Clone)]
pub(crate) struct Snapshot(State);

impl ReferenceStore {
    /// An empty store.
    pub(crate) fn new(catalogue: Arc<Catalogue>) -> Self {
        Self::from_snapshot(Snapshot(State::new(catalogue)))
    }

    /// A store that holds what another one held.
    pub(crate) fn from_snapshot(snapshot: Snapshot) -> Self {
        let state = Mutex::new(Some(snapshot.0));
        Self { state, wake: Bell::default(), fatal: watch::Sender::new(None) }
    }

    /// What it holds; `None` once it is closed.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone().map(Snapshot)
    }

    /// The power is lost: whoever calls from now on is answered [`StoreError::Closed`]. The answer holds what was
    /// committed, which is all of it; start the next process on it with [`ReferenceStore::from_snapshot`].
    pub(crate) fn lose_power(&self) -> Option<Snapshot> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take().map(Snapshot)
    }

    /// Asks the state.
    fn ask<T>(&self, question: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(question).ok_or(StoreError::Closed)
    }

    /// Changes the state, whole or not at all, and wakes whoever waits.
    fn write<T>(&self, change: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.write_if(change, |_| true)
    }

    /// As [`ReferenceStore::write`], of what cannot fail and answers nothing.
    fn does(&self, change: impl FnOnce(&mut State)) -> Result<(), StoreError> {
        self.write(|state| {
            change(state);
            Ok(())
        })
    }

    /// As [`ReferenceStore::write`], waking only if the answer says that something changed: a claim that found nothing
    /// must not wake the claimer again.
    fn write_if<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, StoreError>,
        changed: impl FnOnce(&T) -> bool,
    ) -> Result<T, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = state.as_ref().ok_or(StoreError::Closed)?.clone();
        let answer = change(&mut next)?;
        *state = Some(next);
        drop(state);
        if changed(&answer) {
            self.wake.ring();
        }
        Ok(answer)
    }
}

impl std::fmt::Debug for ReferenceStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReferenceStore")
    }
}
