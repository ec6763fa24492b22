//! What a store stands on: SQLite's file system, the files beside the database, and whose thread does the work.
//!
//! Job: the seam through which everything that the store keeps outside SQLite goes, and the choice of threads. Invariants:
//! the daemon's store is on [`Medium::system`]; on another medium the very same code runs. Neighbours: `open` keeps the
//! lock, the names of starts and the progress through a [`Folder`]; `writer` runs as [`Running`] says. What it does not do:
//! know what the files mean.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

/// Where a store lies and how it runs.
#[derive(Debug, Clone)]
pub struct Medium {
    /// Name of a file system registered with SQLite (a VFS); `None`: the operating system's.
    pub vfs: Option<String>,
    /// The files beside the database. They must lie where the VFS puts the database.
    pub folder: Arc<dyn Folder>,
    /// Whose thread writes and reads.
    pub running: Running,
    /// Pages (4 KiB) in the log from which a writer that has nothing else to do moves it into the database.
    pub checkpoint_pages: i64,
}

/// Whose thread does the store's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// A writing thread; readers on the runtime's threads for blocking work.
    Threads,
    /// The caller's: no thread is started, so that whoever schedules the callers decides every order. Writes asked for in
    /// the same turn of the scheduler share one COMMIT, as waiting ones do with a writing thread.
    Inline,
}

impl Medium {
    /// The operating system's files and threads of its own.
    #[must_use]
    pub fn system() -> Self {
        let folder = Arc::new(SystemFolder);
        Self { vfs: None, folder, running: Running::Threads, checkpoint_pages: CHECKPOINT_PAGES }
    }
}

impl Default for Medium {
    fn default() -> Self {
        Self::system()
    }
}

/// 4 MiB.
const CHECKPOINT_PAGES: i64 = 1000;

/// The files beside the database. Errors are the system's.
pub trait Folder: Send + Sync + std::fmt::Debug {
    /// Opens a file for writing; it is made, readable by its owner alone, if it is not there, and never cut.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SideFile>>;

    /// A whole file.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Length of a file in bytes.
    ///
    /// # Errors
    /// The system's.
    fn size(&self, path: &Path) -> io::Result<u64>;

    /// Gives a file another name in the same directory, in place of what had it.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable.
    ///
    /// # Errors
    /// The system's.
    fn sync(&self, folder: &Path) -> io::Result<()>;

    /// Writes a file over itself, the same bytes, and makes them durable, whatever became of an earlier sync.
    ///
    /// # Errors
    /// The system's.
    fn renew(&self, path: &Path) -> io::Result<()> {
        let (bytes, file) = (self.read(path)?, self.open(path)?);
        file.write_all_at(&bytes, 0)?;
        file.sync_all()
    }
}

/// An open file of a [`Folder`]. Closing it lets its lock go.
pub trait SideFile: Send + Sync {
    /// Writes at a place.
    ///
    /// # Errors
    /// The system's.
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Cuts it to a length.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes its content durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_all(&self) -> io::Result<()>;

    /// Takes the lock on it for this process; whether it was free.
    ///
    /// # Errors
    /// The system's.
    fn try_lock(&self) -> io::Result<bool>;
}

/// Bytes of a file in memory while it is renewed.
const RENEWED_AT_ONCE: usize = 1 << 18;

/// The operating system's files.
#[derive(Debug, Clone, Copy)]
pub struct SystemFolder;

impl Folder for SystemFolder {
    fn open(&self, path: &Path) -> io::Result<Box<dyn SideFile>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(std::fs::metadata(path)?.len())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn renew(&self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let (mut part, mut at) = (vec![0; RENEWED_AT_ONCE], 0);
        loop {
            let read = file.read_at(&mut part, at)?;
            let Some(same) = part.get(..read).filter(|same| !same.is_empty()) else { break };
            SideFile::write_all_at(&file, same, at)?;
            at += same.len() as u64;
        }
        file.sync_data()
    }
}

impl SideFile for File {
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn sync_all(&self) -> io::Result<()> {
        Self::sync_all(self)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match Self::try_lock(self) {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}
