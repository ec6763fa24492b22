//! What is on the disk, what is only in memory, and what a power cut may leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Content, Dice};

/// Smallest piece of a write that is there whole or not at all.
const SECTOR: usize = 512;

/// How entries of directories become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As POSIX has it: an entry is durable once its directory was synced; until then any part of the changes may survive.
    Strict,
    /// As ext4 and XFS do it: changes of entries survive in their order, and syncing any file makes all before it durable.
    Journaled,
}

/// One change of the disk.
#[derive(Debug, Clone)]
pub enum Op {
    /// A new empty file.
    Create {
        /// Its name.
        path: Arc<str>,
        /// Its number, never used again.
        file: u64,
    },
    /// Bytes into a file.
    Write {
        /// Which.
        file: u64,
        /// Where.
        at: usize,
        /// What.
        data: Arc<[u8]>,
    },
    /// Another length.
    Resize {
        /// Which.
        file: u64,
        /// How long.
        len: usize,
    },
    /// A file's content is to be durable.
    Sync {
        /// Which.
        file: u64,
    },
    /// A sync that failed: by chance a part is durable, and the rest counts as clean although it is not. A program goes on
    /// seeing it until the power is cut.
    SyncFailed {
        /// Which.
        file: u64,
        /// Of the part.
        seed: u64,
    },
    /// A directory's entries are to be durable.
    SyncFolder {
        /// Which.
        folder: Arc<str>,
    },
    /// A name goes.
    Delete {
        /// Which.
        path: Arc<str>,
    },
    /// A name becomes another, in place of what had it.
    Rename {
        /// Old.
        from: Arc<str>,
        /// New.
        to: Arc<str>,
    },
    /// Nothing happens to the disk: the program under test was told this.
    Mark(u64),
}

/// What a power cut leaves of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// All of it, as if only the process had died.
    Everything,
    /// A part by chance; `torn`: of some writes only some sectors.
    Part {
        /// Whether writes may survive by half.
        torn: bool,
    },
}

/// What a disk holds after a power cut: everything in it is durable.
#[derive(Debug, Clone)]
pub struct Image {
    /// Names and contents.
    pub files: BTreeMap<Arc<str>, Content>,
    /// Equal keys of images of one recording mean equal images.
    pub key: u64,
    /// How entries go on becoming durable.
    pub order: Order,
}

#[derive(Debug, Clone)]
enum Piece {
    Write { at: usize, data: Arc<[u8]> },
    Resize(usize),
}

impl Piece {
    fn apply(&self, content: &mut Content) {
        match self {
            Self::Write { at, data } => content.write(*at, data),
            Self::Resize(len) => content.resize(*len),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Body {
    /// As a program sees it.
    now: Content,
    durable: Content,
    /// Names the durable content: one number, one content.
    version: u64,
    pending: Vec<(u64, Piece)>,
}

#[derive(Debug, Clone)]
enum Entry {
    Create { path: Arc<str>, file: u64 },
    Delete { path: Arc<str> },
    Rename { from: Arc<str>, to: Arc<str>, file: u64 },
}

impl Entry {
    fn apply(&self, names: &mut BTreeMap<Arc<str>, u64>) {
        match self {
            Self::Create { path, file } => drop(names.insert(Arc::clone(path), *file)),
            Self::Delete { path } => drop(names.remove(path)),
            Self::Rename { from, to, file } => {
                names.remove(from);
                names.insert(Arc::clone(to), *file);
            }
        }
    }

    fn folder(&self) -> &str {
        match self {
            Self::Create { path, .. } | Self::Delete { path } | Self::Rename { to: path, .. } => folder_of(path),
        }
    }
}

/// The directory that a path stands in.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The state of a disk.
#[derive(Debug, Clone)]
pub struct Model {
    order: Order,
    names: BTreeMap<Arc<str>, u64>,
    durable_names: BTreeMap<Arc<str>, u64>,
    entries: Vec<(u64, Entry)>,
    bodies: BTreeMap<u64, Body>,
    stamp: u64,
}

impl Model {
    pub(crate) const fn new(order: Order) -> Self {
        Self {
            order,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            entries: Vec::new(),
            bodies: BTreeMap::new(),
            stamp: 0,
        }
    }

    pub(crate) fn holding(image: &Image) -> Self {
        let mut model = Self::new(image.order);
        for (path, content) in &image.files {
            let file = model.next();
            let body = Body { now: content.clone(), durable: content.clone(), version: file, pending: Vec::new() };
            model.bodies.insert(file, body);
            model.names.insert(Arc::clone(path), file);
        }
        model.durable_names = model.names.clone();
        model
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    pub(crate) fn file(&self, path: &str) -> Option<u64> {
        self.names.get(path).copied()
    }

    pub(crate) fn content(&self, file: u64) -> Option<&Content> {
        self.bodies.get(&file).map(|body| &body.now)
    }

    /// Names and contents as a program sees them.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.names.iter().filter_map(|(path, file)| Some((&**path, &self.bodies.get(file)?.now)))
    }

    /// Whether anything would be lost with the power.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.entries.is_empty() && self.names.values().all(|file| self.bodies[file].pending.is_empty())
    }

    /// Carries out one operation.
    pub fn apply(&mut self, op: &Op) {
        let stamp = self.next();
        match op {
            Op::Create { path, file } => {
                self.stamp = self.stamp.max(*file);
                self.bodies.entry(*file).or_default();
                self.enter(stamp, Entry::Create { path: Arc::clone(path), file: *file });
            }
            Op::Write { file, at, data } => {
                self.put(stamp, *file, Piece::Write { at: *at, data: Arc::clone(data) });
            }
            Op::Resize { file, len } => self.put(stamp, *file, Piece::Resize(*len)),
            Op::Sync { file } => {
                if let Some(body) = self.bodies.get_mut(file).filter(|body| !body.pending.is_empty()) {
                    for (_, piece) in body.pending.drain(..) {
                        piece.apply(&mut body.durable);
                    }
                    body.version = stamp;
                }
                if self.order == Order::Journaled {
                    self.entries.clear();
                    self.durable_names = self.names.clone();
                }
            }
            Op::SyncFailed { file, seed } => self.fail_sync(stamp, *file, &mut Dice::new(*seed)),
            Op::SyncFolder { folder } => self.sync_folder(folder),
            Op::Delete { path } => self.enter(stamp, Entry::Delete { path: Arc::clone(path) }),
            Op::Rename { from, to } => {
                if let Some(file) = self.file(from) {
                    self.enter(stamp, Entry::Rename { from: Arc::clone(from), to: Arc::clone(to), file });
                }
            }
            Op::Mark(_) => {}
        }
    }

    fn enter(&mut self, stamp: u64, entry: Entry) {
        entry.apply(&mut self.names);
        self.entries.push((stamp, entry));
    }

    fn put(&mut self, stamp: u64, file: u64, piece: Piece) {
        if let Some(body) = self.bodies.get_mut(&file) {
            piece.apply(&mut body.now);
            body.pending.push((stamp, piece));
        }
    }

    fn sync_folder(&mut self, folder: &str) {
        if self.order == Order::Journaled {
            self.entries.clear();
            self.durable_names = self.names.clone();
            return;
        }
        let (own, others) = std::mem::take(&mut self.entries).into_iter().partition(|(_, e)| e.folder() == folder);
        let own: Vec<(u64, Entry)> = own;
        own.iter().for_each(|(_, entry)| entry.apply(&mut self.durable_names));
        self.entries = others;
    }

    fn fail_sync(&mut self, stamp: u64, file: u64, dice: &mut Dice) {
        if let Some(body) = self.bodies.get_mut(&file) {
            for (_, piece) in body.pending.drain(..) {
                if dice.coin() {
                    piece.apply(&mut body.durable);
                }
            }
            body.version = stamp;
        }
    }

    /// Lets go of files that nothing names any more.
    pub(crate) fn forget_nameless(&mut self) {
        let named: Vec<u64> = self.names.values().chain(self.durable_names.values()).copied().collect();
        let entered = |file: &u64| {
            self.entries.iter().any(|(_, entry)| match entry {
                Entry::Create { file: own, .. } | Entry::Rename { file: own, .. } => own == file,
                Entry::Delete { .. } => false,
            })
        };
        let kept: Vec<u64> = self.bodies.keys().copied().filter(|file| named.contains(file) || entered(file)).collect();
        self.bodies.retain(|file, _| kept.contains(file));
    }

    /// What the disk may hold if the power is cut now.
    #[must_use]
    pub fn image(&self, survival: Survival, dice: &mut Dice) -> Image {
        let mut key = Key(0xcbf2_9ce4_8422_2325);
        let mut names = self.durable_names.clone();
        let entries = match (survival, self.order) {
            (Survival::Part { .. }, Order::Journaled) => {
                let until = dice.below(self.entries.len() + 1);
                (0..self.entries.len()).map(|place| place < until).collect()
            }
            (Survival::Part { .. } | Survival::Nothing | Survival::Everything, _) => {
                choose(survival, self.entries.len(), dice)
            }
        };
        for ((_, entry), kept) in self.entries.iter().zip(entries) {
            if kept {
                entry.apply(&mut names);
            }
        }
        let mut files = BTreeMap::new();
        for (path, file) in names {
            let Some(body) = self.bodies.get(&file) else { continue };
            key.add(file);
            path.bytes().for_each(|byte| key.add(u64::from(byte)));
            files.insert(path, body.surviving(survival, dice, &mut key));
        }
        Image { files, key: key.0, order: self.order }
    }
}

impl Body {
    fn surviving(&self, survival: Survival, dice: &mut Dice, key: &mut Key) -> Content {
        let mut content = self.durable.clone();
        key.add(self.version);
        for ((stamp, piece), kept) in self.pending.iter().zip(choose(survival, self.pending.len(), dice)) {
            if !kept {
                continue;
            }
            key.add(*stamp);
            match piece {
                Piece::Write { at, data }
                    if survival == (Survival::Part { torn: true }) && data.len() > SECTOR && dice.below(3) == 0 =>
                {
                    tear(&mut content, *at, data, dice, key);
                }
                piece => piece.apply(&mut content),
            }
        }
        content
    }
}

/// Which of `count` changes survive.
fn choose(survival: Survival, count: usize, dice: &mut Dice) -> Vec<bool> {
    if survival == Survival::Nothing || survival == Survival::Everything || count == 0 {
        return vec![survival == Survival::Everything; count];
    }
    let (way, one) = (dice.below(5), dice.below(count));
    (0..count)
        .map(|place| match way {
            0 => place < one,
            1 => place != one,
            2 => place == one,
            3 => dice.below(4) != 0,
            _ => dice.coin(),
        })
        .collect()
}

/// Writes some sectors of a write.
fn tear(content: &mut Content, at: usize, data: &[u8], dice: &mut Dice, key: &mut Key) {
    let mask = dice.bits();
    key.add(mask);
    let mut place = 0;
    while place < data.len() {
        let size = (SECTOR - (at + place) % SECTOR).min(data.len() - place);
        if mask >> ((at + place) / SECTOR % 64) & 1 == 1 {
            content.write(at + place, &data[place..place + size]);
        }
        place += size;
    }
}

struct Key(u64);

impl Key {
    const fn add(&mut self, value: u64) {
        let mut z = (self.0 ^ value).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.0 = z ^ (z >> 31);
    }
}
