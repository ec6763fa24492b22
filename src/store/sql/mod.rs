//! What every SQL database is told, once: the queue's rules as statements.
//!
//! Job: the bodies of the [`Store`](super::Store) methods, each inside a transaction that the backend began. Invariants:
//! the SQL here is understood alike by every backend (RETURNING, ON CONFLICT, numbered parameters; what one of them lacks
//! is done in Rust or named in [`db::Db`]); a delivery's state changes in the one UPDATE of `rows`, through
//! `queue::transition`. Neighbours: `sqlite` and `postgres` are [`Backend`]s: they open, lock, commit and say what went
//! wrong; `store` turns every one of them into a `Store`. What it does not do: begin or end a transaction.

mod accept;
mod antrean;
mod antrean_people;
mod claim;
mod contract;
pub(super) mod db;
mod gateway;
pub(super) mod keep;
mod ledger;
mod move_on;
mod nodes;
mod obligations;
mod questions;
mod rows;
mod store;

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use super::{Sealer, SealingError, StoreError, Trail};
use crate::catalogue::Catalogue;
use crate::queue::DeliveryId;

/// Row of `meta` that stands until [`crate::store::Store::distrust`] has been carried out (promise 13).
pub(super) const LOOK_FIRST: &str = "look_first";

/// What statements need besides a connection.
pub(super) struct Shared {
    /// Seals and opens columns, makes keyed hashes.
    pub(super) sealer: Sealer,
    /// For the policies of transitions.
    pub(super) catalogue: Arc<Catalogue>,
    /// Told which entries are being opened, if anybody is.
    pub(super) trail: OnceLock<Arc<dyn Trail>>,
}

impl Shared {
    pub(super) const fn new(sealer: Sealer, catalogue: Arc<Catalogue>) -> Self {
        Self { sealer, catalogue, trail: OnceLock::new() }
    }

    /// Says that a claim opens this entry, until the guard goes.
    fn opening(&self, id: DeliveryId) -> Opening<'_> {
        let trail = self.trail.get().map(|trail| (&**trail, trail.enter(id)));
        Opening(trail)
    }
}

/// An entry is being opened.
struct Opening<'t>(Option<(&'t dyn Trail, usize)>);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some((trail, place)) = self.0 {
            trail.leave(place);
        }
    }
}

/// A connection inside a transaction (or a reader), with what is needed to read and write rows.
#[derive(Clone, Copy)]
pub(super) struct Tx<'c> {
    pub(super) connection: &'c dyn db::Db,
    pub(super) shared: &'c Shared,
}

impl From<SealingError> for StoreError {
    fn from(error: SealingError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// What a write touches: a database on which several write at once serialises those that touch the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Rows of this facility only. Nothing is ordered across facilities; within one everything is.
    Facility(String),
    /// Rows of this delivery's facility.
    Delivery(DeliveryId),
    /// Rows of this outage's facility.
    Outage(i64),
    /// Rows of this booking's facility.
    Booking(String),
    /// Rows of this registration's facility.
    Registration(String),
    /// Rows of several facilities.
    Everything,
    /// The security log and tables of no facility.
    Log,
    /// Rows of nodes, which keep each other apart by their own conditions.
    Nodes,
}

impl Scope {
    /// A facility's, or everything where the word stands for all of them.
    pub(super) fn of(facility: &str) -> Self {
        if facility == "*" { Self::Everything } else { Self::Facility(facility.to_owned()) }
    }
}

/// This process among those that share the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Its name, one process a name.
    pub(super) name: String,
    /// This start of it: unlike any other.
    pub(super) boot: String,
    /// Newest schema that this program knows.
    pub(super) schema: i64,
    /// This program's version, for people.
    pub(super) program: String,
}

/// A database that runs jobs in transactions. Whoever is one is a [`super::Store`].
pub(super) trait Backend: Send + Sync + 'static {
    /// Runs a job in one transaction and answers after its commit.
    fn write<T, F>(&self, scope: Scope, job: F) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static;

    /// Runs a question.
    fn read<T, F>(&self, question: F) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static;

    /// Makes the feed readable up to the last commit.
    fn number_feed(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Runs a question of a few rows that are at hand (small tables, what was just written). A backend for which handing
    /// a question over costs more than answering it answers at once.
    fn glance<T, F>(&self, question: F) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.read(question)
    }

    /// Bytes the database takes on its disk.
    fn bytes(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// This process among those that share the database; `None` where it is alone.
    fn me(&self) -> Option<Node> {
        None
    }

    /// See [`super::Store::wake_ups`].
    fn woken(&self) -> watch::Receiver<u64>;

    /// See [`super::Store::fatal`].
    fn broken(&self) -> watch::Receiver<Option<String>>;

    /// See [`super::Store::concerns`].
    fn worries(&self) -> Vec<String> {
        Vec::new()
    }

    /// See [`super::Store::on_turn`].
    fn tell_turns(&self, tell: super::Tell);

    /// See [`super::Store::leave_trail`].
    fn mark_trail(&self, trail: Arc<dyn Trail>);

    /// See [`super::Store::close`].
    fn shut(&self);
}
