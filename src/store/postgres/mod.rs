//! The store on PostgreSQL, for several nodes and for whoever has one already.
//!
//! Job: the same [`Store`](super::Store) as `sqlite`, over the same statements (`sql`). Invariants: within a facility
//! writes happen one after the other, because each begins by taking the facility's lock; what spans facilities takes the
//! lock of all; nothing is answered before its COMMIT was; a COMMIT whose answer was lost is [`StoreError::Unknown`], and
//! everything else that went wrong on the way means that nothing was written. Unlike SQLite's, such a COMMIT does not
//! end the process: what was written is found again by leases, references and look-ups. Neighbours: `daemon` opens it.
//! What it does not do: retry, decide, read the clock, own a facility (that is the nodes' affair).

mod connection;
mod errors;
mod feed;
mod listen;
mod migrate;
pub mod moving;
mod name;
mod open;
#[cfg(test)]
mod seen;
#[cfg(test)]
pub(in crate::store) mod tests;
mod tls;

use std::sync::{Arc, OnceLock};

use deadpool_postgres::{Client, Pool};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub use open::Settings;

use self::connection::{Locks, Session, Texts};
use super::StoreError;
use super::sql::{self, Backend, Scope, Tx};

/// A store on one PostgreSQL database.
pub struct PostgresStore {
    shared: Arc<Shared>,
    concerns: Vec<String>,
}

/// What jobs and the listener share.
struct Shared {
    common: sql::Shared,
    texts: Arc<Texts>,
    pool: Pool,
    writes: Semaphore,
    wake: watch::Sender<u64>,
    tell: Notify,
    broken: watch::Sender<Option<String>>,
    closed: CancellationToken,
    turn: OnceLock<super::Tell>,
    /// Names this process among those that listen.
    name: String,
    /// This process among the nodes; `None` where it is alone.
    node: Option<sql::Node>,
}

impl Shared {
    /// Something may have become due, final or visible.
    fn woke(&self) {
        self.wake.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The task that listens is at work.
    fn turn(&self) {
        if let Some(tell) = self.turn.get() {
            tell();
        }
    }
}

impl PostgresStore {
    async fn client(&self) -> Result<Client, StoreError> {
        self.shared.pool.get().await.map_err(errors::of_pool)
    }

    /// Runs a job with a session on a thread that may wait; it goes on if nobody waits for its answer any more.
    async fn blocking<T, F>(&self, client: Client, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Session, &Shared) -> Result<T, StoreError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let ran = tokio::task::spawn_blocking(move || {
            let session = Session::new(client, Arc::clone(&shared.texts));
            let done = job(&session, &shared);
            if session.is_sound() {
                session.give_back();
            }
            done
        });
        // A job that panicked had not committed: its connection is gone, and with it the transaction.
        ran.await.unwrap_or_else(|_| Err(StoreError::Database("a job of the store panicked".to_owned())))
    }
}

impl PostgresStore {
    /// Enters this start of the node, whose name is held.
    async fn enter(&self) -> Result<(), StoreError> {
        let Some(me) = self.shared.node.clone() else { return Ok(()) };
        Backend::write(self, Scope::Nodes, move |tx| tx.enter(&me)).await
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

fn locks(scope: Scope) -> Locks {
    match scope {
        Scope::Facility(facility) => Locks::Facility("SELECT $1::text AS facility", facility),
        Scope::Delivery(id) => Locks::Facility("SELECT facility FROM delivery WHERE id = $1", id.to_string()),
        Scope::Outage(id) => {
            Locks::Facility("SELECT facility FROM outage WHERE id = CAST($1 AS BIGINT)", id.to_string())
        }
        Scope::Booking(id) => Locks::Facility("SELECT facility FROM antrean_booking WHERE id = $1", id),
        Scope::Registration(id) => Locks::Facility("SELECT facility FROM antrean_registration WHERE id = $1", id),
        Scope::Everything => Locks::Everything,
        Scope::Log => Locks::Log,
        Scope::Nodes => Locks::Nothing,
    }
}

impl Backend for PostgresStore {
    async fn write<T, F>(&self, scope: Scope, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        if self.shared.closed.is_cancelled() {
            return Err(StoreError::Closed);
        }
        let _turn = self.shared.writes.acquire().await.map_err(|_| StoreError::Closed)?;
        let client = self.client().await?;
        let locks = locks(scope);
        self.blocking(client, move |session, shared| {
            session.begin(&locks)?;
            let done = session.end(job(Tx { connection: session, shared: &shared.common }));
            // Of an unknown COMMIT the others had better look.
            if session.changed() && matches!(done, Ok(_) | Err(StoreError::Unknown(_))) {
                shared.woke();
                shared.tell.notify_one();
            }
            done
        })
        .await
    }

    async fn read<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let client = self.client().await?;
        self.blocking(client, |session, shared| question(Tx { connection: session, shared: &shared.common })).await
    }

    async fn number_feed(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        self.blocking(client, |session, _shared| feed::number(session)).await
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let asked = client.query_one("SELECT pg_database_size(current_database())", &[]).await;
        let bytes: i64 = asked.and_then(|row| row.try_get(0)).map_err(|error| errors::of(&error))?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    fn me(&self) -> Option<sql::Node> {
        self.shared.node.clone()
    }

    fn woken(&self) -> watch::Receiver<u64> {
        self.shared.wake.subscribe()
    }

    fn broken(&self) -> watch::Receiver<Option<String>> {
        self.shared.broken.subscribe()
    }

    fn worries(&self) -> Vec<String> {
        self.concerns.clone()
    }

    fn tell_turns(&self, tell: super::Tell) {
        drop(self.shared.turn.set(tell));
    }

    fn mark_trail(&self, trail: Arc<dyn super::Trail>) {
        drop(self.shared.common.trail.set(trail));
    }

    fn shut(&self) {
        self.shared.closed.cancel();
    }
}
