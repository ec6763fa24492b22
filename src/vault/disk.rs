//! Files that hold secrets: read only if nobody else may, written whole or not at all.
//!
//! Job: guarded reads, atomic replacement (temporary file beside the target, fsync, rename, fsync of the directory), the
//! lock that keeps two writers apart, and the stamp by which a reader notices a change. Invariants: mode 0600 from the
//! first byte; a crash leaves either the old file or the new one. Neighbours: the whole of `vault`.
//! What it does not do: know what is inside.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::VaultError;

/// No file of ours comes near this; a larger one is not ours.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// What tells one version of a file from the next. A replaced file has another inode, so even two writes within one tick
/// of the file system's clock differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of the file as it is now; `None` if it is not there.
    pub(super) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|meta| Self::from_metadata(&meta))
    }

    fn from_metadata(meta: &fs::Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            len: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Reads a file that only its owner may touch. The stamp belongs to the very bytes that were read.
pub(super) fn read_private(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Stamp), VaultError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => VaultError::Absent { path: path.to_owned() },
        _ => VaultError::io(path, "open", &error),
    })?;
    let meta = file.metadata().map_err(|error| VaultError::io(path, "look at", &error))?;
    let mode = meta.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(VaultError::LoosePermissions { path: path.to_owned(), mode });
    }
    Ok((read_bounded(path, &file, meta.len())?, Stamp::from_metadata(&meta)))
}

/// Reads a file whose permissions are somebody else's business (a systemd credential, a sealed backup).
pub(super) fn read_any(path: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let file = File::open(path).map_err(|error| VaultError::io(path, "open", &error))?;
    let len = file.metadata().map_err(|error| VaultError::io(path, "look at", &error))?.len();
    read_bounded(path, &file, len)
}

fn read_bounded(path: &Path, file: &File, len: u64) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    // Room for everything at once: a growing buffer would leave copies of secrets behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(len.min(MAX_FILE)).unwrap_or_default() + 1));
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(|error| VaultError::io(path, "read", &error))?;
    Ok(bytes)
}

/// Replaces `path` by `bytes`, mode 0600. The caller holds the [`Lock`].
pub(super) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let temporary = beside(path, ".tmp");
    write_new_or_leftover(&temporary, bytes)?;
    rename(&temporary, path)
}

/// Writes a file that must not exist yet, mode 0600, and makes it durable.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => VaultError::AlreadyThere { path: path.to_owned() },
            _ => VaultError::io(path, "create", &error),
        })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| VaultError::io(path, "write", &error))?;
    sync_directory(path)
}

/// Like [`write_new`], after removing what a crashed writer left behind.
pub(super) fn write_new_or_leftover(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(VaultError::io(path, "remove", &error)),
        Ok(()) | Err(_) => {}
    }
    write_new(path, bytes)
}

/// Renames within a directory and makes the new name durable.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), VaultError> {
    fs::rename(from, to).map_err(|error| VaultError::io(to, "replace", &error))?;
    sync_directory(to)
}

fn sync_directory(path: &Path) -> Result<(), VaultError> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| VaultError::io(directory, "sync", &error))
}

/// The path with `suffix` added to its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Keeps other writers out until dropped; readers need no lock because files are replaced whole.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lock {
    /// Waits until no other process writes `path`.
    pub(super) fn take(path: &Path) -> Result<Self, VaultError> {
        let lock = beside(path, ".lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock)
            .map_err(|error| VaultError::io(&lock, "open", &error))?;
        file.lock().map_err(|error| VaultError::io(&lock, "lock", &error))?;
        Ok(Self(file))
    }
}
