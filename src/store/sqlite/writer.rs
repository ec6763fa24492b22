//! One thread that writes: jobs that wait share one COMMIT.
//!
//! Job: run jobs in order, each in a savepoint, commit them together, and answer only after the commit. Invariants: an
//! answer is sent after COMMIT returned; a failed COMMIT answers [`StoreError::Unknown`] to every job of the group and
//! ends the thread. Checkpoints happen off the commit path, when nothing waits.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::Shared;
use super::open::Progress;
use crate::store::StoreError;
use crate::store::sql::Tx;

/// Jobs of one commit at most: bounds the latency of the first.
const GROUP: usize = 512;
/// Jobs waiting at most; beyond it callers are told that the store is busy.
const QUEUE: usize = 8192;
/// Pages in the log from which an idle writer checkpoints (4 MiB at 4 KiB a page).
const CHECKPOINT_PAGES: i64 = 1000;
/// Pages in the log from which even a busy writer checkpoints (256 MiB).
const CHECKPOINT_CAP: i64 = 65_536;

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Without a connection (no transaction could begin) a job does nothing and its answer is the error given.
type Job = Box<dyn FnOnce(Option<&Connection>) -> Answer + Send>;

/// The handle of the writing thread.
pub(super) struct Writer {
    jobs: std::sync::Mutex<Option<SyncSender<Job>>>,
    wake: watch::Sender<u64>,
    fatal: watch::Sender<Option<String>>,
    thread: std::sync::Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, progress: Progress) -> Result<Self, StoreError> {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(QUEUE);
        let (wake, fatal) = (watch::Sender::new(0), watch::Sender::new(None));
        let (wakes, fails) = (wake.clone(), fatal.clone());
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let _watch = PanicWatch(fails.clone());
                write_until_closed(&connection, &progress, &waiting, &wakes, &fails);
            })
            .map_err(|error| StoreError::Database(error.to_string()))?;
        let thread = std::sync::Mutex::new(Some(thread));
        Ok(Self { jobs: std::sync::Mutex::new(Some(jobs)), wake, fatal, thread })
    }

    pub(super) async fn run<T, F>(&self, shared: Arc<Shared>, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = match connection {
                Some(connection) => {
                    in_savepoint(connection, |connection| job(Tx { connection, shared: &shared.common }))
                }
                None => Err(StoreError::Closed),
            };
            Box::new(move |committed| {
                let result = committed.and(result);
                // Whoever asked may be gone (a client that disconnected); the work is done all the same.
                drop(answer.send(result));
            })
        });
        self.queue(job)?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Unknown("the writer stopped".to_owned())))
    }

    fn queue(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match jobs.as_ref().map(|jobs| jobs.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(StoreError::Busy("too many writes wait".to_owned())),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(StoreError::Closed),
        }
    }

    pub(super) fn close(&self) {
        self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the thread was reported by the panic hook already.
            drop(thread.join());
        }
    }

    pub(super) fn wake_ups(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    pub(super) fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.fatal.subscribe()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells when the thread dies of a panic: a store that silently takes nothing any more would be a stall nobody sees.
struct PanicWatch(watch::Sender<Option<String>>);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.send_replace(Some("the writing thread panicked".to_owned()));
        }
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    job: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("SAVEPOINT job")?;
    let result = job(connection);
    let end = if result.is_ok() { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
    // An error that already rolled the transaction back leaves no savepoint; the COMMIT then tells.
    match (result, connection.execute_batch(end)) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) => Err(error.into()),
        (Err(error), _) => Err(error),
    }
}

fn write_until_closed(
    connection: &Connection,
    progress: &Progress,
    waiting: &Receiver<Job>,
    wake: &watch::Sender<u64>,
    fatal: &watch::Sender<Option<String>>,
) {
    loop {
        let first = match waiting.recv_timeout(Duration::from_millis(200)) {
            Ok(job) => job,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                checkpoint(connection, CHECKPOINT_PAGES);
                continue;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                checkpoint(connection, 1);
                return;
            }
        };
        let before = connection.total_changes();
        if let Err(error) = write_group(connection, first, waiting) {
            fatal.send_replace(Some(error));
            return;
        }
        // A claim that found nothing changes nothing: waking for it would wake the claimer again.
        if connection.total_changes() != before {
            progress.note(connection);
            wake.send_modify(|count| *count = count.wrapping_add(1));
        }
        checkpoint(connection, CHECKPOINT_CAP);
    }
}

/// Runs one group; `Err` means that its outcome is unknown and nothing may be written any more.
fn write_group(connection: &Connection, first: Job, waiting: &Receiver<Job>) -> Result<(), String> {
    let mut answers = Vec::new();
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        // Nothing was written: this group alone is refused.
        first(None)(Err(StoreError::from(error)));
        return Ok(());
    }
    answers.push(first(Some(connection)));
    // A full disk makes SQLite roll the whole transaction back by itself: nothing may then run outside it.
    while answers.len() < GROUP
        && !connection.is_autocommit()
        && let Ok(job) = waiting.try_recv()
    {
        answers.push(job(Some(connection)));
    }
    match connection.execute_batch("COMMIT") {
        Ok(()) => {
            answers.into_iter().for_each(|answer| answer(Ok(())));
            Ok(())
        }
        Err(error) => {
            let said = error.to_string();
            answers.into_iter().for_each(|answer| answer(Err(StoreError::Unknown(said.clone()))));
            Err(said)
        }
    }
}

/// Moves the log into the database file once it has `from` pages. A checkpoint that fails loses nothing: the log stays.
fn checkpoint(connection: &Connection, from: i64) {
    let pages = connection
        .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?));
    if pages.is_ok_and(|pages| pages >= from) {
        let done = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(0));
        if let Err(error) = done {
            tracing::warn!(%error, "checkpoint put off");
        }
    }
}
