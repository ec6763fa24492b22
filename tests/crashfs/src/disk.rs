//! A disk that is switched on: operations, faults, crashes, and the record of all of it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use crate::model::folder_of;
use crate::shm::Shm;
use crate::{Content, Dice, Image, Model, Op, Order, Survival};

/// Every disk there is, by name.
static DISKS: LazyLock<Mutex<HashMap<String, Weak<Inner>>>> = LazyLock::new(Mutex::default);
static NAMES: AtomicU64 = AtomicU64::new(0);

/// What goes wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No space: a write may have got through by half.
    Full,
    /// Input/output error. A sync that fails leaves by chance a part durable, and the rest is never written any more.
    Io,
    /// A write gets through by half and then fails.
    Short,
    /// The power is cut before it: everything fails from here on, until [`Disk::crash`].
    Crash,
}

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Io,
    Full,
    ReadOnly,
    Missing,
    /// The power is off, or the handle is from before the last crash.
    Off,
}

impl From<Trouble> for std::io::Error {
    fn from(trouble: Trouble) -> Self {
        // EIO, ENOSPC, EROFS, ENOENT.
        Self::from_raw_os_error(match trouble {
            Trouble::Io | Trouble::Off => 5,
            Trouble::Full => 28,
            Trouble::ReadOnly => 30,
            Trouble::Missing => 2,
        })
    }
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes: creating, writing, cutting, syncing, deleting, renaming.
    pub changes: u64,
    /// Reads.
    pub reads: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Syncs of directories.
    pub folder_syncs: u64,
    /// Bytes written.
    pub written: u64,
}

/// Everything that was done to a disk from an instant on.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The disk at that instant.
    pub start: Model,
    /// What was done.
    pub ops: Vec<Op>,
}

impl Recording {
    /// Calls `look` before every operation, and once after the last, with the number of the operation, the disk as it is
    /// there and the last mark passed.
    pub fn walk(&self, mut look: impl FnMut(usize, &Model, u64)) {
        let (mut model, mut mark) = (self.start.clone(), 0);
        for (number, op) in self.ops.iter().enumerate() {
            if let Op::Mark(new) = op {
                mark = *new;
                continue;
            }
            look(number, &model, mark);
            model.apply(op);
        }
        look(self.ops.len(), &model, mark);
    }
}

/// A disk in memory. Clones are the same disk; it is gone with the last of them.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

pub(crate) struct Inner {
    name: String,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) model: Model,
    /// Handles of an earlier one are dead.
    pub(crate) generation: u64,
    on: bool,
    pub(crate) counts: Counts,
    log: Option<Recording>,
    faults: BTreeMap<u64, Fault>,
    read_faults: BTreeMap<u64, Fault>,
    from: Option<(u64, Fault)>,
    room: Option<usize>,
    read_only: bool,
    /// Syncing a directory does nothing.
    folders_unsynced: bool,
    /// Pragmas (`name=value`) that are swallowed.
    pub(crate) deaf: Vec<String>,
    /// By file: the level of SQLite's lock that each handle has.
    pub(crate) locks: HashMap<u64, HashMap<u64, i32>>,
    /// By file: who holds it for the process.
    pub(crate) side_locks: HashMap<u64, u64>,
    pub(crate) shms: HashMap<u64, Arc<Shm>>,
    dice: Dice,
    handles: u64,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disk({})", self.0.name)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        DISKS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(order: Order, seed: u64) -> Self {
        Self::with(Model::new(order), seed)
    }

    /// A disk that holds what a crash left.
    #[must_use]
    pub fn holding(image: &Image, seed: u64) -> Self {
        Self::with(Model::holding(image), seed)
    }

    fn with(model: Model, seed: u64) -> Self {
        let name = format!("/crashfs-{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let state = State {
            model,
            generation: 0,
            on: true,
            counts: Counts::default(),
            log: None,
            faults: BTreeMap::new(),
            read_faults: BTreeMap::new(),
            from: None,
            room: None,
            read_only: false,
            folders_unsynced: false,
            deaf: Vec::new(),
            locks: HashMap::new(),
            side_locks: HashMap::new(),
            shms: HashMap::new(),
            dice: Dice::new(seed),
            handles: 0,
        };
        let inner = Arc::new(Inner { name: name.clone(), state: Mutex::new(state) });
        DISKS.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::downgrade(&inner));
        Self(inner)
    }

    /// The disk that an absolute path of the program leads to, and the path on it: the same in every disk's images.
    pub(crate) fn of(path: &str) -> Option<(Self, &str)> {
        let end = path.get(1..)?.find('/')? + 1;
        let found = DISKS.lock().unwrap_or_else(PoisonError::into_inner).get(&path[..end])?.upgrade()?;
        Some((Self(found), &path[end..]))
    }

    /// Where it is mounted: paths below it are files on this disk, for SQLite ([`crate::VFS`]) and for the rest.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        PathBuf::from(&self.0.name)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path on this disk.
    pub(crate) fn inside(&self, path: &Path) -> Result<Arc<str>, Trouble> {
        let text = path.to_str().ok_or(Trouble::Missing)?;
        Ok(Arc::from(text.strip_prefix(&self.0.name).ok_or(Trouble::Missing)?))
    }

    // ---- faults -------------------------------------------------------------------------------------------------

    /// Lets the `number`th change from the beginning ([`Counts::changes`], the first is 0) go wrong, once.
    pub fn fail_change(&self, number: u64, fault: Fault) {
        self.state().faults.insert(number, fault);
    }

    /// Lets every change from the `number`th on go wrong, until [`Disk::repair`].
    pub fn fail_from(&self, number: u64, fault: Fault) {
        self.state().from = Some((number, fault));
    }

    /// Lets the `number`th read from the beginning go wrong, once.
    pub fn fail_read(&self, number: u64) {
        self.state().read_faults.insert(number, Fault::Io);
    }

    /// Takes back every fault that has not happened yet, the limit of space and the protection against writing.
    pub fn repair(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.read_faults.clear();
        state.from = None;
        state.room = None;
        state.read_only = false;
    }

    /// Bytes that all files have together.
    #[must_use]
    pub fn used(&self) -> usize {
        self.state().used()
    }

    /// Bytes that all files may have together; `None`: no limit.
    pub fn set_room(&self, bytes: Option<usize>) {
        self.state().room = bytes;
    }

    /// Mounts it for reading only, or for writing again.
    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    /// Lets a pragma (`name=value`) have no effect on connections to this disk: what would a program be worth without it?
    pub fn ignore_pragma(&self, pragma: &str) {
        self.state().deaf.push(pragma.to_ascii_lowercase());
    }

    /// Lets syncing a directory have no effect, though it says that it had.
    pub fn ignore_folder_syncs(&self) {
        self.state().folders_unsynced = true;
    }

    /// Whether the power is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state().on
    }

    // ---- crashes ------------------------------------------------------------------------------------------------

    /// Cuts the power and switches it on again: of what was not synced `survival` remains, chosen by the disk's seed. Every
    /// handle from before is dead, every lock and all shared memory gone.
    pub fn crash(&self, survival: Survival) {
        let mut state = self.state();
        let mut dice = state.dice.clone();
        let image = state.model.image(survival, &mut dice);
        state.dice = dice;
        state.model = Model::holding(&image);
        state.restart();
    }

    /// The process dies, the machine does not: what was written is there, synced or not.
    pub fn kill(&self) {
        let mut state = self.state();
        state.restart();
        state.model.forget_nameless();
    }

    /// What it holds if the power is cut now.
    #[must_use]
    pub fn image(&self, survival: Survival) -> Image {
        let mut state = self.state();
        let mut dice = state.dice.clone();
        let image = state.model.image(survival, &mut dice);
        state.dice = dice;
        image
    }

    // ---- record -------------------------------------------------------------------------------------------------

    /// Records from here on.
    pub fn record(&self) {
        let mut state = self.state();
        state.log = Some(Recording { start: state.model.clone(), ops: Vec::new() });
    }

    /// Notes in the record what the program under test was told.
    pub fn mark(&self, mark: u64) {
        if let Some(log) = &mut self.state().log {
            log.ops.push(Op::Mark(mark));
        }
    }

    /// Ends the record.
    #[must_use]
    pub fn recording(&self) -> Option<Recording> {
        self.state().log.take()
    }

    /// What was done since it was made.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The bytes of a file, as a program sees them.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let path = self.inside(path).ok()?;
        let state = self.state();
        state.model.content(state.model.file(&path)?).map(Content::to_vec)
    }

    /// Puts durable bytes in place of a file, as somebody who copies a backup back does.
    pub fn put(&self, path: &Path, bytes: Option<&[u8]>) {
        let Ok(path) = self.inside(path) else { return };
        let mut state = self.state();
        let folder: Arc<str> = Arc::from(folder_of(&path));
        match bytes {
            Some(bytes) => {
                let file = state.model.next();
                state.note(Op::Create { path, file });
                state.note(Op::Write { file, at: 0, data: Arc::from(bytes) });
                state.note(Op::Sync { file });
            }
            None => state.note(Op::Delete { path }),
        }
        state.note(Op::SyncFolder { folder });
    }
}

impl State {
    fn restart(&mut self) {
        self.generation += 1;
        self.on = true;
        self.faults.clear();
        self.read_faults.clear();
        self.from = None;
        self.locks.clear();
        self.side_locks.clear();
        self.shms.clear();
    }

    pub(crate) const fn handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    fn note(&mut self, op: Op) {
        self.model.apply(&op);
        if let Some(log) = &mut self.log {
            log.ops.push(op);
        }
    }

    pub(crate) fn live(&self, generation: u64) -> Result<(), Trouble> {
        if self.on && self.generation == generation { Ok(()) } else { Err(Trouble::Off) }
    }

    /// A read is about to happen.
    pub(crate) fn reading(&mut self) -> Result<(), Trouble> {
        let number = self.counts.reads;
        self.counts.reads += 1;
        self.read_faults.remove(&number).map_or(Ok(()), |_| Err(Trouble::Io))
    }

    pub(crate) const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Makes a file; its number.
    pub(crate) fn create(&mut self, path: Arc<str>) -> Result<u64, Trouble> {
        let file = self.model.next();
        self.change(Op::Create { path, file })?;
        Ok(file)
    }

    /// Carries out a change, or what the fault at this place makes of it.
    pub(crate) fn change(&mut self, op: Op) -> Result<(), Trouble> {
        if !self.on {
            return Err(Trouble::Off);
        }
        if self.read_only {
            return Err(Trouble::ReadOnly);
        }
        if self.folders_unsynced && matches!(op, Op::SyncFolder { .. }) {
            return Ok(());
        }
        let number = self.counts.changes;
        self.counts.changes += 1;
        match &op {
            Op::Sync { .. } | Op::SyncFailed { .. } => self.counts.syncs += 1,
            Op::SyncFolder { .. } => self.counts.folder_syncs += 1,
            Op::Write { data, .. } => self.counts.written += data.len() as u64,
            Op::Create { .. } | Op::Resize { .. } | Op::Delete { .. } | Op::Rename { .. } | Op::Mark(_) => {}
        }
        let lasting = self.from.filter(|(from, _)| number >= *from).map(|(_, fault)| fault);
        let fault = self.faults.remove(&number).or(lasting);
        let fault = fault.or_else(|| self.is_beyond_room(&op).then_some(Fault::Full));
        let Some(fault) = fault else {
            self.note(op);
            return Ok(());
        };
        self.fault(op, fault)
    }

    fn fault(&mut self, op: Op, fault: Fault) -> Result<(), Trouble> {
        match (op, fault) {
            (_, Fault::Crash) => {
                self.on = false;
                return Err(Trouble::Off);
            }
            (Op::Write { file, at, data }, Fault::Full | Fault::Short) => {
                let through = self.dice.below(data.len() + 1);
                let fits = self.room.is_none_or(|room| self.used() + through <= room);
                if through > 0 && fits {
                    self.note(Op::Write { file, at, data: Arc::from(&data[..through]) });
                }
            }
            // No space for a sync, where blocks are allocated late, is as bad as an error.
            (Op::Sync { file }, Fault::Io | Fault::Short | Fault::Full) => {
                let seed = self.dice.bits();
                self.note(Op::SyncFailed { file, seed });
            }
            // These need no space.
            (op @ (Op::Delete { .. } | Op::SyncFolder { .. } | Op::Resize { .. }), Fault::Full) => {
                self.note(op);
                return Ok(());
            }
            (_, Fault::Full | Fault::Io | Fault::Short) => {}
        }
        Err(if fault == Fault::Full { Trouble::Full } else { Trouble::Io })
    }

    fn used(&self) -> usize {
        self.model.files().map(|(_, content)| content.len()).sum()
    }

    fn is_beyond_room(&self, op: &Op) -> bool {
        let Some(room) = self.room else { return false };
        match op {
            Op::Write { file, at, data } => {
                let len = self.model.content(*file).map_or(0, Content::len);
                let more = (at + data.len()).saturating_sub(len);
                more > 0 && self.used() + more > room
            }
            Op::Create { .. } => self.used() >= room,
            _ => false,
        }
    }
}
