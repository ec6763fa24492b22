//! What the bridge's store stands on in a run, and what a crash leaves of it.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::dice::Dice;
use super::options::Backing;
use super::process::Found;
use crate::catalogue::Catalogue;
use crate::store::reference::{ReferenceStore, Snapshot};
use crate::store::sqlite::{Settings, SqliteStore};
use crate::store::{Sealer, SharedStore, StoreError};

/// A machine's disk.
pub(super) trait Disk: Send {
    /// Opens the store as a starting process does.
    fn open(&mut self) -> Result<(SharedStore, Found), StoreError>;

    /// The process is gone; with `power`, so is what was not synced.
    fn crash(&mut self, power: bool, dice: &Dice);

    /// Takes a backup.
    fn back_up(&mut self) -> bool;

    /// Puts the backup back in place of what is there.
    fn put_back(&mut self);
}

pub(super) fn disk(backing: Backing, catalogue: &Arc<Catalogue>) -> Box<dyn Disk> {
    match backing {
        Backing::Sqlite => Box::new(InFile::new(catalogue)),
        Backing::Reference => Box::new(InMemory::new(catalogue)),
    }
}

pub(super) fn sealer() -> Sealer {
    Sealer::new(&[7; 32], &[9; 32])
}

/// SQLite on a file in memory: a crash loses nothing that was committed.
struct InFile {
    folder: TempDir,
    catalogue: Arc<Catalogue>,
    open: Option<Arc<SqliteStore>>,
}

impl InFile {
    fn new(catalogue: &Arc<Catalogue>) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { folder: folder.expect("a folder"), catalogue: Arc::clone(catalogue), open: None }
    }
}

impl Disk for InFile {
    fn open(&mut self) -> Result<(SharedStore, Found), StoreError> {
        let path = self.folder.path().join("jembatan.db");
        let settings = Settings { path, sealer: sealer(), catalogue: Arc::clone(&self.catalogue) };
        let (store, opened) = SqliteStore::open(settings)?;
        let store = Arc::new(store);
        self.open = Some(Arc::clone(&store));
        Ok((store, Found { restored: opened.restored }))
    }

    fn crash(&mut self, _power: bool, _dice: &Dice) {
        if let Some(store) = self.open.take() {
            store.close();
        }
    }

    fn back_up(&mut self) -> bool {
        false
    }

    fn put_back(&mut self) {}
}

/// The reference store: a crash loses nothing that was committed.
struct InMemory {
    kept: Snapshot,
    backup: Option<Snapshot>,
    restored: bool,
    open: Option<Arc<ReferenceStore>>,
}

impl InMemory {
    fn new(catalogue: &Arc<Catalogue>) -> Self {
        let kept = ReferenceStore::new(Arc::clone(catalogue)).snapshot().expect("a fresh store is open");
        Self { kept, backup: None, restored: false, open: None }
    }
}

impl Disk for InMemory {
    fn open(&mut self) -> Result<(SharedStore, Found), StoreError> {
        let store = Arc::new(ReferenceStore::from_snapshot(self.kept.clone()));
        self.open = Some(Arc::clone(&store));
        // Said at every start until it was distrusted: the snapshot after the next crash is past that.
        Ok((store, Found { restored: std::mem::take(&mut self.restored) }))
    }

    fn crash(&mut self, _power: bool, _dice: &Dice) {
        if let Some(kept) = self.open.take().and_then(|store| store.lose_power()) {
            self.kept = kept;
        }
    }

    fn back_up(&mut self) -> bool {
        self.backup = self.open.as_ref().and_then(|store| store.snapshot());
        self.backup.is_some()
    }

    fn put_back(&mut self) {
        if let Some(backup) = self.backup.take() {
            (self.kept, self.restored) = (backup, true);
        }
    }
}
