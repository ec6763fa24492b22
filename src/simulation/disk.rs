//! What the bridge's store stands on in a run, and what a crash leaves of it.

use std::path::PathBuf;
use std::sync::Arc;

use crashfs::{Fault, Order, Survival};

use super::dice::Dice;
use super::options::Backing;
use super::process::Found;
use crate::catalogue::Catalogue;
use crate::store::reference::{ReferenceStore, Snapshot};
use crate::store::sqlite::tests::on_disk::inline_on;
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

    /// Lets one of the next changes of the disk go wrong; false where there is no such disk.
    fn fault(&mut self, _dice: &Dice) -> bool {
        false
    }

    /// Takes back what is yet to go wrong with it.
    fn mend(&mut self) {}

    /// Whether the power is on.
    fn is_on(&self) -> bool {
        true
    }

    /// What a store does when nothing waits.
    fn rest(&mut self) {}
}

pub(super) fn disk(backing: Backing, catalogue: &Arc<Catalogue>, seed: u64) -> Box<dyn Disk> {
    match backing {
        Backing::Sqlite => Box::new(OnDisk::new(catalogue, seed)),
        Backing::Reference => Box::new(InMemory::new(catalogue)),
    }
}

pub(super) fn sealer() -> Sealer {
    Sealer::new(&[7; 32], &[9; 32])
}

/// SQLite, run by its callers, on a disk that forgets what was not synced.
struct OnDisk {
    disk: crashfs::Disk,
    catalogue: Arc<Catalogue>,
    open: Option<Arc<SqliteStore>>,
    /// The database and its log as a backup holds them.
    backup: Option<[Option<Vec<u8>>; 2]>,
}

impl OnDisk {
    fn new(catalogue: &Arc<Catalogue>, seed: u64) -> Self {
        let order = if seed.is_multiple_of(2) { Order::Strict } else { Order::Journaled };
        Self { disk: crashfs::Disk::new(order, seed), catalogue: Arc::clone(catalogue), open: None, backup: None }
    }

    fn files(&self) -> [PathBuf; 2] {
        ["jembatan.db", "jembatan.db-wal"].map(|name| self.disk.root().join(name))
    }
}

impl Disk for OnDisk {
    fn open(&mut self) -> Result<(SharedStore, Found), StoreError> {
        let [path, _] = self.files();
        let settings = Settings { path, sealer: sealer(), catalogue: Arc::clone(&self.catalogue) };
        let (store, opened) = SqliteStore::open_on(settings, inline_on(&self.disk))?;
        let store = Arc::new(store);
        self.open = Some(Arc::clone(&store));
        Ok((store, Found { restored: opened.restored }))
    }

    fn crash(&mut self, power: bool, dice: &Dice) {
        if power || !self.disk.is_on() {
            let survival = match dice.below(4) {
                0 => Survival::Nothing,
                1 => Survival::Everything,
                2 => Survival::Part { torn: false },
                _ => Survival::Part { torn: true },
            };
            self.disk.crash(survival);
        } else {
            self.disk.kill();
        }
        self.open = None;
        self.disk.repair();
    }

    fn back_up(&mut self) -> bool {
        let files = self.files().map(|path| self.disk.content(&path));
        self.backup = files[0].is_some().then_some(files);
        self.backup.is_some()
    }

    fn put_back(&mut self) {
        let Some(backup) = self.backup.take() else { return };
        for (path, bytes) in self.files().iter().zip(backup) {
            self.disk.put(path, bytes.as_deref());
        }
    }

    fn fault(&mut self, dice: &Dice) -> bool {
        let fault = dice.pick(&[Fault::Full, Fault::Io, Fault::Short, Fault::Crash, Fault::Crash]);
        self.disk.fail_change(self.disk.counts().changes + dice.below(6), fault);
        true
    }

    fn mend(&mut self) {
        self.disk.repair();
    }

    fn is_on(&self) -> bool {
        self.disk.is_on()
    }

    fn rest(&mut self) {
        if let Some(store) = &self.open {
            store.rest();
        }
    }
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
