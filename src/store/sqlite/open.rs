//! Opening: creation, migrations, the instance lock, and what a restore or an upgrade looks like.

use std::cell::Cell;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::medium::{Folder, Medium, SideFile};
use super::writer::Writer;
use super::{Shared, SqliteStore};
use crate::catalogue::Catalogue;
use crate::chance::Chance;
use crate::store::sql::{self, LOOK_FIRST, Tx};
use crate::store::{Opened, Sealer, StoreError};

/// Every migration in order; its number is the schema version it leads to.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001.sql")];
/// First release of SQLite without the WAL-reset corruption.
const SQLITE_MIN: i32 = 3_051_003;
const UPGRADED: &str = "upgraded";
const RESTORED: &str = "restored";
/// How often the instance lock is tried before somebody else is believed to hold it, and the wait between.
const LOCK_TRIES: u32 = 20;
/// Between two tries: a second in all.
const LOCK_WAIT: Duration = Duration::from_millis(50);
/// Reading connections kept for reuse.
const READERS: usize = 4;

/// How to open a store.
#[derive(Debug)]
pub struct Settings {
    /// The database file.
    pub path: PathBuf,
    /// Seals its rows.
    pub sealer: Sealer,
    /// For the policies of transitions.
    pub catalogue: Arc<Catalogue>,
}

impl SqliteStore {
    /// Opens or creates the store on the system's files and takes the instance lock.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if another process holds it, [`StoreError::Newer`] if a newer program wrote it,
    /// [`StoreError::Unreadable`] if the key is another one.
    pub fn open(settings: Settings) -> Result<(Self, Opened), StoreError> {
        Self::open_on(settings, Medium::system())
    }

    /// As [`SqliteStore::open`], on another medium.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_on(settings: Settings, medium: Medium) -> Result<(Self, Opened), StoreError> {
        let Settings { path, sealer, catalogue } = settings;
        let lock = instance_lock(&path, &medium)?;
        let connection = connect(&path, &medium)?;
        let fresh = migrate(&connection)? == 0;
        super::moving::refuse_moved(&connection)?;
        check_key(&connection, &sealer)?;
        name_start(&connection, &path, &medium, fresh)?;
        let progress = Progress::keep(&connection, &path, &medium)?;
        let look_first = meta(&connection, LOOK_FIRST)?;
        let (upgraded, restored) = (look_first.as_deref() == Some(UPGRADED), look_first.as_deref() == Some(RESTORED));
        let writer = Writer::start(connection, progress, &medium)?;
        let common = sql::Shared::new(sealer, catalogue);
        let shared = Arc::new(Shared { common, path, medium, readers: Mutex::new(Vec::new()) });
        Ok((Self { writer, shared, _lock: lock }, Opened { fresh, upgraded, restored }))
    }
}

impl Shared {
    pub(super) fn reader(&self) -> Result<Connection, StoreError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(|| open_reader(&self.path, &self.medium), Ok)
    }

    /// Answers a question on a reading connection, on this thread.
    pub(super) fn ask<T>(&self, question: impl FnOnce(Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let connection = self.reader()?;
        let answer = question(Tx { connection: &connection, shared: &self.common });
        self.give_back(connection);
        answer
    }

    pub(super) fn give_back(&self, connection: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(connection);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let size = |suffix: &str| self.medium.folder.size(&beside(&self.path, suffix)).unwrap_or(0);
        size("") + size("-wal")
    }
}

fn open_connection(path: &Path, medium: &Medium, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = match medium.vfs.as_deref() {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    // A plan by the statement alone: otherwise SQLite prepares anew, for each value, what a partial index might fit.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn open_reader(path: &Path, medium: &Medium) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open_connection(path, medium, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What is wrong with a file, and what to do about it.
fn io(error: &std::io::Error, path: &Path) -> StoreError {
    let said = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreError::Full(format!("{said}; free some space on this disk, then start again"))
        }
        ErrorKind::ReadOnlyFilesystem => StoreError::Database(format!(
            "{said}; the disk is mounted for reading only: see in the kernel's log (dmesg) whether it failed, then mount it \
             for writing again (mount -o remount,rw), or move [store] url to another disk"
        )),
        ErrorKind::PermissionDenied => StoreError::Database(format!(
            "{said}; the user that runs jembatan must own this file and its directory (chown jembatan: …)"
        )),
        _ => StoreError::Database(said),
    }
}

pub(super) fn instance_lock(path: &Path, medium: &Medium) -> Result<Box<dyn SideFile>, StoreError> {
    let lock_path = beside(path, ".lock");
    let file = medium.folder.open(&lock_path).map_err(|error| io(&error, &lock_path))?;
    // A predecessor that was killed may take a moment to be gone; so may a copy of its handle in a child being started.
    for _ in 0..LOCK_TRIES {
        if file.try_lock().map_err(|error| io(&error, &lock_path))? {
            return Ok(file);
        }
        std::thread::sleep(LOCK_WAIT);
    }
    Err(StoreError::Busy(lock_path.display().to_string()))
}

/// Opens the writing connection and creates the file if it is not there or a crash left it empty. The caller holds the
/// instance lock: nobody else may write the log meanwhile.
///
/// It is created under `synchronous=EXTRA`, and the directory is synced before and after: whatever order a file system
/// keeps, the rollback journal of the switch to WAL cannot come back after a power cut and undo the database.
pub(super) fn connect(path: &Path, medium: &Medium) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(StoreError::Database(format!("SQLite {} is too old", rusqlite::version())));
    }
    // Before SQLite makes it: readable by its owner alone.
    drop(medium.folder.open(path).map_err(|error| io(&error, path))?);
    renew_log(path, medium)?;
    let connection = open_connection(path, medium, OpenFlags::default())?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(192);
    connection.execute_batch("PRAGMA synchronous=EXTRA")?;
    // With this SQLite has undone what a crash while creating left by half: only now is it known to be empty.
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let folder = folder_of(path);
    let settle = || medium.folder.sync(folder).map_err(|error| io(&error, folder));
    if pages == 0 {
        settle()?;
        connection.execute_batch("PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL;")?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Database(format!("journal mode {mode} instead of wal on {}", path.display())));
    }
    if pages == 0 {
        settle()?;
        failpoint!("open.created");
    }
    connection.execute_batch(
        "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0;
         PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY;",
    )?;
    Ok(connection)
}

/// Makes the log that an earlier process left durable before anything is built on it.
///
/// A sync that fails leaves its pages in the system's cache, marked clean: whoever reads them finds a whole commit that is
/// not on the disk, and no later sync writes them. Commits that follow it in the log would be durable and yet lost with
/// a power cut, since the chain of checksums ends at the hole. The same bytes written once more close it.
fn renew_log(path: &Path, medium: &Medium) -> Result<(), StoreError> {
    let log = beside(path, "-wal");
    match medium.folder.size(&log) {
        Ok(0) => Ok(()),
        Ok(_) => medium.folder.renew(&log).map_err(|error| io(&error, &log)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(&error, &log)),
    }
}

pub(super) fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the schema up; returns the version found.
fn migrate(connection: &Connection) -> Result<i64, StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known_version() {
        return Err(StoreError::Newer { found, known: known_version() });
    }
    let pending = (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found);
    for (version, sql) in pending {
        // Said in the same transaction, so that a crash before the daemon has acted on it does not lose it.
        let note = if found == 0 {
            String::new()
        } else {
            format!("INSERT INTO meta (key, value) VALUES ('{LOOK_FIRST}', '{UPGRADED}') ON CONFLICT (key) DO NOTHING;")
        };
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {sql} {note} PRAGMA user_version={version};"))?;
        failpoint!("migrate.written");
        connection.execute_batch("COMMIT")?;
        failpoint!("migrate.applied");
    }
    Ok(found)
}

fn meta(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let found = connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
    Ok(found.optional()?)
}

/// Names this start in the database and beside it. If the database's last name is not among those kept beside it, it is
/// not the one this machine last wrote: promise 13 then wants it paused and distrusted. Names are random, so that a
/// copy from another machine is never taken for ours; two are kept, so that a crash between the writes is no alarm.
fn name_start(connection: &Connection, path: &Path, medium: &Medium, fresh: bool) -> Result<(), StoreError> {
    let beside_path = beside(path, ".starts");
    let last = meta(connection, "start")?;
    let known = text_of(medium.folder.as_ref(), &beside_path)?;
    let next = format!("{:016x}", Chance::system().bits());
    let foreign = last.as_deref().is_some_and(|last| !known.lines().any(|line| line == last));
    let restored = !fresh && (foreign || Progress::is_behind(connection, path, medium)?);
    if restored {
        connection.execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [LOOK_FIRST, RESTORED],
        )?;
    }
    replace(medium.folder.as_ref(), &beside_path, &format!("{}\n{next}\n", last.unwrap_or_default()))?;
    failpoint!("start.beside");
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('start', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [next],
    )?;
    failpoint!("start.named");
    Ok(())
}

/// How far the database had come, kept beside it after every commit: a copy made and put back within one start has that
/// start's name and is told by this alone.
///
/// The number grows with every row that a submission or an attempt makes. It is written after the commit, and flushed
/// when the writer rests or closes and twice a minute while it works: a killed process leaves it exact, a power cut at most
/// too low by what was written since, so that a copy younger than that would not be noticed.
pub(super) struct Progress {
    file: Box<dyn SideFile>,
    /// What it says, and whether that is on the disk.
    noted: Cell<Option<i64>>,
    flushed: Cell<bool>,
    /// When it was flushed last, and whether that failed.
    flushed_at: Cell<Instant>,
    failed: Cell<bool>,
}

/// How long a busy writer leaves its progress to the machine's cache.
const FLUSH_EVERY: Duration = Duration::from_secs(30);

impl Progress {
    fn path(database: &Path) -> PathBuf {
        beside(database, ".progress")
    }

    fn of(connection: &Connection) -> Result<i64, StoreError> {
        let mut statement = connection.prepare_cached("SELECT coalesce(sum(seq), 0) FROM sqlite_sequence")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Whether the database is behind what this machine last wrote into it.
    fn is_behind(connection: &Connection, database: &Path, medium: &Medium) -> Result<bool, StoreError> {
        let kept = text_of(medium.folder.as_ref(), &Self::path(database))?;
        let kept: i64 = kept.trim().parse().unwrap_or(0);
        Ok(kept > Self::of(connection)?)
    }

    fn keep(connection: &Connection, database: &Path, medium: &Medium) -> Result<Self, StoreError> {
        let path = Self::path(database);
        let file = medium.folder.open(&path).map_err(|error| io(&error, &path))?;
        let (flushed, flushed_at) = (Cell::new(true), Cell::new(Instant::now()));
        let progress = Self { file, noted: Cell::default(), flushed, flushed_at, failed: Cell::new(false) };
        let is_new = text_of(medium.folder.as_ref(), &path)?.is_empty();
        progress.note(connection);
        if is_new {
            // Its name too: flushed alone it would be gone after a power cut.
            progress.flush();
            medium.folder.sync(folder_of(&path)).map_err(|error| io(&error, &path))?;
        }
        Ok(progress)
    }

    /// Notes how far it has come, in place: a reader never meets an empty file.
    pub(super) fn note(&self, connection: &Connection) {
        let noted = Self::of(connection).map_err(|error| error.to_string()).and_then(|now| {
            if self.noted.get() == Some(now) {
                return Ok(());
            }
            self.flushed.set(false);
            self.file.write_all_at(line(now).as_bytes(), 0).map_err(|error| error.to_string())?;
            self.noted.set(Some(now));
            Ok(())
        });
        if let Err(error) = noted {
            tracing::warn!(error, "progress not noted: an old copy put back might not be noticed");
        }
    }

    /// Makes durable what was noted since the last time: a copy of an hour ago that is put back after a power cut is
    /// noticed too.
    pub(super) fn flush(&self) {
        let Some(noted) = self.noted.get().filter(|_| !self.flushed.get()) else { return };
        // Written once more: after a sync that failed the cache calls clean what is not on the disk.
        let done = self.file.write_all_at(line(noted).as_bytes(), 0).and_then(|()| self.file.sync_all());
        self.flushed.set(done.is_ok());
        self.flushed_at.set(Instant::now());
        match done {
            Ok(()) => self.failed.set(false),
            Err(error) if !self.failed.replace(true) => {
                tracing::warn!(%error, "progress not flushed: an old copy put back might not be noticed");
            }
            Err(_told_already) => {}
        }
    }

    /// As [`Progress::flush`], for a writer that does not rest.
    pub(super) fn flush_in_time(&self) {
        if !self.flushed.get() && self.flushed_at.get().elapsed() >= FLUSH_EVERY {
            self.flush();
        }
    }
}

fn line(progress: i64) -> String {
    format!("{progress:020}\n")
}

/// A small file; nothing if it is not there. One that cannot be read is an error: taken for missing it would make this
/// machine's own database look like a restored one.
fn text_of(folder: &dyn Folder, path: &Path) -> Result<String, StoreError> {
    match folder.read(path) {
        Ok(bytes) => Ok(String::from_utf8(bytes).unwrap_or_default()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(io(&error, path)),
    }
}

/// Replaces a small file whole: a power cut leaves the old or the new one.
fn replace(folder: &dyn Folder, path: &Path, text: &str) -> Result<(), StoreError> {
    let fresh = beside(path, ".new");
    let write = || -> std::io::Result<()> {
        let file = folder.open(&fresh)?;
        file.set_len(0)?;
        file.write_all_at(text.as_bytes(), 0)?;
        file.sync_all()?;
        folder.rename(&fresh, path)?;
        folder.sync(folder_of(path))
    };
    write().map_err(|error| io(&error, path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// A sealed word tells a wrong key at once, before anything is accepted under it.
fn check_key(connection: &Connection, sealer: &Sealer) -> Result<(), StoreError> {
    let kept = meta(connection, "key_check")?;
    let expected = sealer.index("key_check", &[]);
    match kept {
        None => {
            connection.execute("INSERT INTO meta (key, value) VALUES ('key_check', ?1)", [expected])?;
            Ok(())
        }
        Some(kept) if kept == expected => Ok(()),
        Some(_) => Err(StoreError::Unreadable(
            "the database was written under another vault key: restore that key, or use another database".to_owned(),
        )),
    }
}

/// What can be told of a database file without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// Schema version in the file's header; `None` if it is still in the write-ahead log.
    pub schema: Option<i64>,
    /// Newest schema this program knows.
    pub known: i64,
    /// Whether a running process holds the database.
    pub in_use: bool,
}

/// Looks at a database from outside: no connection, so that no file of another owner is left beside it. `None` if there
/// is no such file yet.
///
/// # Errors
/// [`StoreError::Database`] if the file cannot be read, [`StoreError::Unreadable`] if it is no database.
pub fn inspect(path: &Path) -> Result<Option<Inspection>, StoreError> {
    use std::io::Read as _;
    // Of SQLite's header: a magic text, and at 60 the user version, big endian.
    let mut header = [0_u8; 64];
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(&error, path)),
    };
    file.read_exact(&mut header).map_err(|error| io(&error, path))?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(StoreError::Unreadable(format!("{}: not an SQLite database", path.display())));
    }
    let version = u32::from_be_bytes([header[60], header[61], header[62], header[63]]);
    let in_use = File::open(beside(path, ".lock")).is_ok_and(|lock| lock.try_lock_shared().is_err());
    Ok(Some(Inspection { schema: (version > 0).then_some(i64::from(version)), known: known_version(), in_use }))
}
