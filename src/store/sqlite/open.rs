//! Opening: creation, migrations, the instance lock, and what a restore or an upgrade looks like.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::writer::Writer;
use super::{Shared, SqliteStore};
use crate::catalogue::Catalogue;
use crate::store::{Sealer, StoreError};

/// Every migration in order; its number is the schema version it leads to.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001.sql")];
/// First release of SQLite without the WAL-reset corruption.
const SQLITE_MIN: i32 = 3_051_003;
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

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The file did not exist.
    pub fresh: bool,
    /// The schema was older and has been brought up.
    pub upgraded: bool,
    /// The file is older than this machine's own memory of it: it came out of a backup, or from another machine.
    pub restored: bool,
}

impl SqliteStore {
    /// Opens or creates the store and takes the instance lock.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if another process holds it, [`StoreError::Newer`] if a newer program wrote it,
    /// [`StoreError::Unreadable`] if the key is another one.
    pub fn open(settings: Settings) -> Result<(Self, Opened), StoreError> {
        let lock = instance_lock(&settings.path)?;
        let fresh = !settings.path.exists();
        if fresh {
            create(&settings.path)?;
        }
        let connection = connect(&settings.path)?;
        let found = migrate(&connection)?;
        let upgraded = !fresh && found < known_version();
        let restored = count_start(&connection, &settings.path, fresh)?;
        check_key(&connection, &settings.sealer)?;
        let Settings { path, sealer, catalogue } = settings;
        let shared = Arc::new(Shared { sealer, catalogue, path, readers: Mutex::new(Vec::new()) });
        let store = Self { writer: Writer::start(connection)?, shared, _lock: Some(lock) };
        Ok((store, Opened { fresh, upgraded, restored }))
    }
}

impl Shared {
    pub(super) fn reader(&self) -> Result<Connection, StoreError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(|| open_reader(&self.path), Ok)
    }

    pub(super) fn give_back(&self, connection: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(connection);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let size = |suffix: &str| std::fs::metadata(beside(&self.path, suffix)).map_or(0, |meta| meta.len());
        size("") + size("-wal")
    }
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn io(error: &std::io::Error, path: &Path) -> StoreError {
    StoreError::Database(format!("{}: {error}", path.display()))
}

fn instance_lock(path: &Path) -> Result<File, StoreError> {
    let lock_path = beside(path, ".lock");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
    let file = opened.map_err(|error| io(&error, &lock_path))?;
    file.try_lock().map_err(|_| StoreError::Busy(lock_path.display().to_string()))?;
    Ok(file)
}

/// Creates the file under `synchronous=EXTRA`: the switch to WAL then survives a power cut on any file system
/// (with FULL the rollback journal's unlink may come back and undo the whole database).
fn create(path: &Path) -> Result<(), StoreError> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(|error| io(&error, path))?;
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA synchronous=EXTRA; PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL;")?;
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Database(format!("journal mode {mode} instead of wal on {}", path.display())));
    }
    drop(connection);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| io(&error, folder))
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(StoreError::Database(format!("SQLite {} is too old", rusqlite::version())));
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0;
         PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY;",
    )?;
    Ok(connection)
}

fn known_version() -> i64 {
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
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {sql} PRAGMA user_version={version}; COMMIT;"))?;
    }
    Ok(found)
}

/// Counts this start in the database and beside it. If the two disagree the database is not the one this machine last
/// wrote: promise 13 then wants it paused and distrusted.
fn count_start(connection: &Connection, path: &Path, fresh: bool) -> Result<bool, StoreError> {
    let beside_path = beside(path, ".starts");
    let ours: i64 = connection
        .query_row("SELECT value FROM meta WHERE key = 'starts'", [], |row| row.get::<_, String>(0))
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let machines: Option<i64> = std::fs::read_to_string(&beside_path).ok().and_then(|text| text.trim().parse().ok());
    let next = ours.max(machines.unwrap_or(0)) + 1;
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('starts', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [next.to_string()],
    )?;
    std::fs::write(&beside_path, next.to_string()).map_err(|error| io(&error, &beside_path))?;
    // A crash between the two writes leaves the database one ahead, which is not a restore.
    let known = machines.is_some_and(|machines| machines <= ours);
    Ok(!fresh && ours > 0 && !known)
}

/// A sealed word tells a wrong key at once, before anything is accepted under it.
fn check_key(connection: &Connection, sealer: &Sealer) -> Result<(), StoreError> {
    let kept: Option<String> =
        connection.query_row("SELECT value FROM meta WHERE key = 'key_check'", [], |row| row.get(0)).ok();
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
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
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
