//! The embedded store: SQLite in WAL mode, `synchronous=FULL`, one writer with group commit.
//!
//! Job: the [`Store`](super::Store) trait on one file. Invariants: one writer owns the only writing connection; jobs that wait
//! share one COMMIT, each in its own savepoint; a failed COMMIT poisons the store (the process must stop and reopen);
//! the file is created under `synchronous=EXTRA` so that no file system order can undo it; an instance lock keeps a
//! second process out. Neighbours: `daemon` opens it. What it does not do: retry, decide, read the clock.

mod connection;
mod medium;
pub mod moving;
mod open;
#[cfg(test)]
pub(crate) mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::watch;

pub use medium::{Folder, Medium, Running, SideFile, SystemFolder};
pub use open::{Inspection, Settings, inspect};

pub use super::Opened;
use super::StoreError;
use super::sql::{self, Backend, Scope, Tx};

/// A store on one SQLite file.
pub struct SqliteStore {
    writer: writer::Writer,
    shared: Arc<Shared>,
    /// Keeps other processes out for as long as the store lives.
    _lock: Box<dyn SideFile>,
}

/// What writer and readers share.
pub(super) struct Shared {
    common: sql::Shared,
    path: PathBuf,
    medium: Medium,
    readers: std::sync::Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStore({})", self.shared.path.display())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full(error.to_string()),
            Some(_) | None => Self::Database(error.to_string()),
        }
    }
}

impl SqliteStore {
    async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(Arc::clone(&self.shared), job).await
    }

    async fn read<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        match self.shared.medium.running {
            Running::Inline => self.shared.ask(question),
            Running::Threads => {
                let shared = Arc::clone(&self.shared);
                tokio::task::spawn_blocking(move || shared.ask(question)).await.unwrap_or(Err(StoreError::Closed))
            }
        }
    }

    /// On an inline medium: what a writing thread does by itself when nothing waits, that is move the log into the database
    /// if it is long. Elsewhere it does nothing.
    pub fn rest(&self) {
        self.writer.rest();
    }

    /// Stops the writer after what waits; later calls answer [`StoreError::Closed`].
    pub fn close(&self) {
        self.writer.close();
    }
}

/// One writing thread does one job after the other: nothing else has to be kept apart.
impl Backend for SqliteStore {
    async fn write<T, F>(&self, _scope: Scope, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        Self::write(self, job).await
    }

    async fn read<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        Self::read(self, question).await
    }

    async fn glance<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.shared.ask(question)
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.shared.bytes())
    }

    fn woken(&self) -> watch::Receiver<u64> {
        self.writer.wake_ups()
    }

    fn broken(&self) -> watch::Receiver<Option<String>> {
        self.writer.fatal()
    }

    fn tell_turns(&self, tell: super::Tell) {
        self.writer.on_turn(tell);
    }

    fn mark_trail(&self, trail: Arc<dyn super::Trail>) {
        drop(self.shared.common.trail.set(trail));
    }

    fn shut(&self) {
        self.close();
    }
}
