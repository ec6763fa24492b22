//! One connection that writes: jobs that wait share one COMMIT.
//!
//! Job: run jobs in order, each in a savepoint, commit them together, and answer only after the commit. Invariants: an
//! answer is sent after COMMIT returned; a failed COMMIT answers [`StoreError::Unknown`] to every job of the group and
//! ends the writing, unless the disk was full and SQLite took it back: then every job is told so and the writing goes on.
//! Checkpoints happen off the commit path, when nothing waits. The daemon's store writes on a thread of its own, an
//! inline one on its callers' ([`Running`]).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::Shared;
use super::medium::{Medium, Running};
use super::open::Progress;
use crate::bell::Bell;
use crate::store::StoreError;
use crate::store::sql::Tx;

/// Jobs of one commit at most: bounds the latency of the first.
const GROUP: usize = 512;
/// Jobs waiting at most; beyond it callers are told that the store is busy.
const QUEUE: usize = 8192;
/// Pages in the log from which a writer checkpoints as soon as nothing waits, if only for a moment (32 MiB).
const CHECKPOINT_SOON: i64 = 8_000;
/// Pages in the log from which even a busy writer checkpoints (64 MiB): well below the room that `store.min_free` keeps for
/// outcomes by default, or a long drain's own log would use it up.
const CHECKPOINT_CAP: i64 = 16_384;
/// Bytes of the log's file from which an idle writer gives its room back.
const LOG_KEPT: u64 = 16 << 20;
/// How long the writing connection waits for readers, as `open` sets it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Free pages that stay in the file for what comes next (4 MiB), besides a sixteenth of it.
const KEEP_FREE: i64 = 1024;
/// Pages that an idle writer gives back to the disk at a time (2 MiB).
const VACUUM_PAGES: i64 = 512;

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Without a connection (no transaction could begin) a job does nothing and its answer is the error given.
type Job = Box<dyn FnOnce(Option<&Connection>) -> Answer + Send>;

/// The way to the one writing connection.
pub(super) struct Writer {
    hand: Hand,
    wake: Arc<Bell>,
    fatal: watch::Sender<Option<String>>,
    turn: Turn,
}

/// Who writes.
enum Hand {
    /// A thread.
    Thread { jobs: Mutex<Option<SyncSender<Job>>>, thread: Mutex<Option<std::thread::JoinHandle<()>>> },
    /// Whoever waits for an answer first: no pen after a failed COMMIT or closing.
    Inline { jobs: Mutex<VecDeque<Job>>, pen: Mutex<Option<Pen>> },
}

/// Told at every turn of the thread: it took what waited, or found that nothing does.
type Turn = Arc<std::sync::OnceLock<Box<dyn Fn() + Send + Sync>>>;

impl Writer {
    pub(super) fn start(connection: Connection, progress: Progress, medium: &Medium) -> Result<Self, StoreError> {
        let (wake, fatal) = (Arc::new(Bell::default()), watch::Sender::new(None));
        let checkpoint_pages = medium.checkpoint_pages;
        let turn = Turn::default();
        let (wakes, fails, turns) = (Arc::clone(&wake), fatal.clone(), Arc::clone(&turn));
        let pen = Pen { connection, progress, checkpoint_pages, wake: wakes, fatal: fails, turn: turns };
        let hand = match medium.running {
            Running::Inline => Hand::Inline { jobs: Mutex::default(), pen: Mutex::new(Some(pen)) },
            Running::Threads => {
                let (jobs, waiting) = mpsc::sync_channel::<Job>(QUEUE);
                let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
                    let _watch = PanicWatch(pen.fatal.clone());
                    pen.write_until_closed(&waiting);
                });
                let thread = thread.map_err(|error| StoreError::Database(error.to_string()))?;
                Hand::Thread { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) }
            }
        };
        Ok(Self { hand, wake, fatal, turn })
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
        if let Hand::Inline { jobs, pen } = &self.hand {
            // Others that ask in this turn of the scheduler come into the same group.
            tokio::task::yield_now().await;
            write_waiting(jobs, pen);
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Unknown("the writer stopped".to_owned())))
    }

    fn queue(&self, job: Job) -> Result<(), StoreError> {
        match &self.hand {
            Hand::Inline { jobs, pen } => {
                if locked(pen).is_none() {
                    return Err(StoreError::Closed);
                }
                locked(jobs).push_back(job);
                Ok(())
            }
            Hand::Thread { jobs, .. } => match locked(jobs).as_ref().map(|jobs| jobs.try_send(job)) {
                Some(Ok(())) => Ok(()),
                Some(Err(TrySendError::Full(_))) => Err(StoreError::Busy("too many writes wait".to_owned())),
                Some(Err(TrySendError::Disconnected(_))) | None => Err(StoreError::Closed),
            },
        }
    }

    pub(super) fn close(&self) {
        match &self.hand {
            Hand::Inline { jobs, pen } => {
                write_waiting(jobs, pen);
                if let Some(pen) = locked(pen).take() {
                    checkpoint(&pen.connection, 1);
                    pen.progress.flush();
                }
            }
            Hand::Thread { jobs, thread } => {
                locked(jobs).take();
                if let Some(thread) = locked(thread).take() {
                    // A panic of the thread was reported by the panic hook already.
                    drop(thread.join());
                }
            }
        }
    }

    pub(super) fn rest(&self) {
        if let Hand::Inline { jobs, pen } = &self.hand {
            write_waiting(jobs, pen);
            if let Some(pen) = locked(pen).as_ref() {
                checkpoint(&pen.connection, pen.checkpoint_pages);
                pen.progress.flush();
            }
        }
    }

    pub(super) fn wake_ups(&self) -> watch::Receiver<u64> {
        self.wake.listen()
    }

    /// Whom to tell at every turn; the first who asks.
    pub(super) fn on_turn(&self, tell: Box<dyn Fn() + Send + Sync>) {
        drop(self.turn.set(tell));
    }

    pub(super) fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.fatal.subscribe()
    }
}

#[cfg(test)]
impl Writer {
    /// The writing connection of an inline store, outside any transaction.
    pub(super) fn with_connection<T>(&self, look: impl FnOnce(&Connection) -> T) -> Option<T> {
        match &self.hand {
            Hand::Inline { pen, .. } => locked(pen).as_ref().map(|pen| look(&pen.connection)),
            Hand::Thread { .. } => None,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes, on this thread, what waits; a failed COMMIT puts the pen away for good.
fn write_waiting(jobs: &Mutex<VecDeque<Job>>, pen: &Mutex<Option<Pen>>) {
    let mut pen = locked(pen);
    let _watch = pen.as_ref().map(|pen| PanicWatch(pen.fatal.clone()));
    loop {
        let Some(first) = locked(jobs).pop_front() else { return };
        let is_well = pen.as_ref().is_some_and(|pen| pen.write(first, || locked(jobs).pop_front()));
        if !is_well {
            // Whoever still waits is told that the writer stopped.
            *pen = None;
            locked(jobs).clear();
        }
    }
}

/// Tells when a job panics: a store that silently takes nothing any more would be a stall nobody sees.
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
    // A job that panics costs itself alone: what it wrote is rolled back, its neighbours and the writer go on.
    let result = catch_unwind(AssertUnwindSafe(|| job(connection)))
        .unwrap_or_else(|_panic| Err(StoreError::Database("a job of the store panicked".to_owned())));
    let back = if result.is_ok() { Ok(()) } else { said(connection, "ROLLBACK TO job") };
    // An error that already rolled the transaction back leaves no savepoint; the COMMIT then tells.
    match (result, back.and_then(|()| said(connection, "RELEASE job"))) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) => Err(error.into()),
        (Err(error), _) => Err(error),
    }
}

/// The writing connection and whom it tells.
struct Pen {
    connection: Connection,
    progress: Progress,
    checkpoint_pages: i64,
    wake: Arc<Bell>,
    fatal: watch::Sender<Option<String>>,
    turn: Turn,
}

impl Pen {
    fn write_until_closed(&self, waiting: &Receiver<Job>) {
        loop {
            if let Some(tell) = self.turn.get() {
                tell();
            }
            let waits = match waiting.try_recv() {
                Ok(job) => Ok(job),
                Err(mpsc::TryRecvError::Disconnected) => Err(mpsc::RecvTimeoutError::Disconnected),
                Err(mpsc::TryRecvError::Empty) => {
                    checkpoint(&self.connection, CHECKPOINT_SOON);
                    waiting.recv_timeout(Duration::from_millis(200))
                }
            };
            match waits {
                Ok(first) => {
                    failpoint!("loop.writer");
                    if !self.write(first, || waiting.try_recv().ok()) {
                        return;
                    }
                    self.progress.flush_in_time();
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    // The file becomes shorter only when the log is moved into it.
                    let from = if vacuum(&self.connection) { 1 } else { self.checkpoint_pages };
                    checkpoint(&self.connection, from);
                    give_room_back(&self.connection);
                    self.progress.flush();
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    checkpoint(&self.connection, 1);
                    return self.progress.flush();
                }
            }
        }
    }

    /// Writes one group; `false` means that its outcome is unknown and nothing may be written any more.
    fn write(&self, first: Job, next: impl FnMut() -> Option<Job>) -> bool {
        let before = self.connection.total_changes();
        let committed = match write_group(&self.connection, first, next) {
            Ok(committed) => committed,
            Err(error) => {
                self.fatal.send_replace(Some(error));
                return false;
            }
        };
        // A claim that found nothing changes nothing: waking for it would wake the claimer again.
        if committed && self.connection.total_changes() != before {
            self.progress.note(&self.connection);
            self.wake.ring();
        }
        checkpoint(&self.connection, CHECKPOINT_CAP);
        true
    }
}

/// Runs one group and tells whether it was committed; `Err` means that its outcome is unknown and nothing may be written
/// any more.
fn write_group(connection: &Connection, first: Job, mut next: impl FnMut() -> Option<Job>) -> Result<bool, String> {
    let mut answers = Vec::new();
    if let Err(error) = said(connection, "BEGIN IMMEDIATE") {
        // Nothing was written: this group alone is refused.
        first(None)(Err(StoreError::from(error)));
        return Ok(false);
    }
    answers.push(first(Some(connection)));
    // A full disk makes SQLite roll the whole transaction back by itself: nothing may then run outside it.
    while answers.len() < GROUP
        && !connection.is_autocommit()
        && let Some(job) = next()
    {
        answers.push(job(Some(connection)));
    }
    failpoint!("break.answer_before_commit", {
        answers.drain(..).for_each(|answer| answer(Ok(())));
        std::thread::sleep(Duration::from_millis(20));
    });
    failpoint!("commit.before", return unknown(answers, "failpoint"));
    match said(connection, "COMMIT") {
        Ok(()) => {
            failpoint!("commit.after");
            answers.into_iter().for_each(|answer| answer(Ok(())));
            Ok(true)
        }
        Err(error) if is_undone(connection, &error) => {
            tracing::error!(%error, "the disk is full: nothing of this commit was written");
            let said = error.to_string();
            answers.into_iter().for_each(|answer| answer(Err(StoreError::Full(said.clone()))));
            // It may be the log that fills the disk: what is in the database file already need not stay there.
            checkpoint(connection, 1);
            Ok(false)
        }
        Err(error) => unknown(answers, &error.to_string()),
    }
}

/// Whether a COMMIT failed for want of room and is taken back. That is the one failure whose outcome is known: a write to
/// the log was refused, so the frame that would make the transaction valid is not whole; a *sync* that found no room
/// is an I/O error to SQLite, and unknown. A claim that was refused so has sent nothing, an accept has promised nothing.
fn is_undone(connection: &Connection, error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
        && (connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok())
        && connection.is_autocommit()
}

/// Nobody knows whether this group is on disk: everyone in it is told so.
fn unknown(answers: Vec<Answer>, said: &str) -> Result<bool, String> {
    answers.into_iter().for_each(|answer| answer(Err(StoreError::Unknown(said.to_owned()))));
    Err(said.to_owned())
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
    if pages.is_ok_and(|pages| pages >= from) {
        failpoint!("checkpoint.before");
        let done = pragma(connection, "PRAGMA wal_checkpoint(PASSIVE)");
        failpoint!("checkpoint.after");
        if let Err(error) = done {
            tracing::warn!(%error, "checkpoint put off");
        }
    }
}

/// Gives free pages at the end of the file back to the disk, a slice at a time and only while nothing waits: after the
/// retention the file becomes smaller. What fails is tried again at the next idle moment. Whether pages were given back.
fn vacuum(connection: &Connection) -> bool {
    let count = |sql: &str| pragma(connection, sql).map_or(0, |(_, count)| count);
    let (free, pages) = (count("PRAGMA freelist_count"), count("PRAGMA page_count"));
    if free <= KEEP_FREE + pages / 16 {
        return false;
    }
    // Each page is a row of the answer: it has to be read to its end.
    let slice = format!("PRAGMA incremental_vacuum({VACUUM_PAGES})");
    let given = connection.prepare_cached(&slice).and_then(|mut statement| {
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    });
    if let Err(error) = &given {
        tracing::warn!(%error, "free pages stay in the file for now");
    }
    given.is_ok()
}

/// Cuts a log that a busy time has left long; a reader that still needs it is not waited for, the next idle moment tries
/// again.
fn give_room_back(connection: &Connection) {
    let log = connection.path().map(|path| format!("{path}-wal"));
    let bytes = log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |meta| meta.len());
    if bytes <= LOG_KEPT {
        return;
    }
    let cut = connection
        .busy_timeout(Duration::ZERO)
        .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)));
    if let Err(error) = connection.busy_timeout(PATIENCE).and(cut) {
        tracing::warn!(%error, "the log keeps its room");
    }
}
