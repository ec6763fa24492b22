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
/// Pages in the log from which a writer checkpoints as soon as nothing waits, if only for a moment (32 MiB).
const CHECKPOINT_SOON: i64 = 8_000;
/// Pages in the log from which even a busy writer checkpoints (160 MiB): the start after a crash reads it once.
const CHECKPOINT_CAP: i64 = 40_000;
/// Free pages that stay in the file for what comes next (4 MiB), besides a sixteenth of it.
const KEEP_FREE: i64 = 1024;
/// Pages that an idle writer gives back to the disk at a time (2 MiB).
const VACUUM_PAGES: i64 = 512;

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

/// Runs a statement of the transaction itself; the connection keeps it prepared.
fn said(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.raw_execute().map(|_| ())
}

fn in_savepoint<T>(
    connection: &Connection,
    job: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    said(connection, "SAVEPOINT job")?;
    let result = job(connection);
    let back = if result.is_ok() { Ok(()) } else { said(connection, "ROLLBACK TO job") };
    // An error that already rolled the transaction back leaves no savepoint; the COMMIT then tells.
    match (result, back.and_then(|()| said(connection, "RELEASE job"))) {
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
        let waits = match waiting.try_recv() {
            Ok(job) => Ok(job),
            Err(mpsc::TryRecvError::Disconnected) => Err(mpsc::RecvTimeoutError::Disconnected),
            Err(mpsc::TryRecvError::Empty) => {
                checkpoint(connection, CHECKPOINT_SOON);
                waiting.recv_timeout(Duration::from_millis(200))
            }
        };
        let first = match waits {
            Ok(job) => job,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                vacuum(connection);
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
    if let Err(error) = said(connection, "BEGIN IMMEDIATE") {
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
    match said(connection, "COMMIT") {
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

/// The last two numbers that a PRAGMA answers with.
fn pragma(connection: &Connection, sql: &str) -> rusqlite::Result<(i64, i64)> {
    let mut statement = connection.prepare_cached(sql)?;
    let last = statement.column_count().saturating_sub(1);
    statement.query_row([], |row| Ok((row.get(last.saturating_sub(1))?, row.get(last)?)))
}

/// Moves the log into the database file once it has `from` pages. A checkpoint that fails loses nothing: the log stays.
fn checkpoint(connection: &Connection, from: i64) {
    let pages = pragma(connection, "PRAGMA wal_checkpoint(NOOP)").map(|(log, moved)| log - moved);
    if pages.is_ok_and(|pages| pages >= from)
        && let Err(error) = pragma(connection, "PRAGMA wal_checkpoint(PASSIVE)")
    {
        tracing::warn!(%error, "checkpoint put off");
    }
}

/// Gives free pages at the end of the file back to the disk, a slice at a time and only while nothing waits: after the
/// retention the file becomes smaller. What fails is tried again at the next idle moment.
fn vacuum(connection: &Connection) {
    let count = |sql: &str| pragma(connection, sql).map_or(0, |(_, count)| count);
    let (free, pages) = (count("PRAGMA freelist_count"), count("PRAGMA page_count"));
    if free > KEEP_FREE + pages / 16 {
        let slice = format!("PRAGMA incremental_vacuum({VACUUM_PAGES})");
        if let Err(error) = connection.execute_batch(&slice) {
            tracing::warn!(%error, "free pages stay in the file for now");
        }
    }
}
