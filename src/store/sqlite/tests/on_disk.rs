//! The store on a disk in memory that forgets what was not synced.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crashfs::Disk;

use super::super::{Folder, Medium, Running, SideFile};

/// A disk as the folder of a store.
#[derive(Debug)]
struct OnDisk(Disk);

struct Plain(crashfs::SideFile);

impl Folder for OnDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn SideFile>> {
        Ok(Box::new(Plain(self.0.open_side(path)?)))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read_side(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.0.size_side(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename_side(from, to)
    }

    fn sync(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(folder)
    }
}

impl SideFile for Plain {
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.0.try_lock()
    }
}

/// A store on this disk, run by its callers; it moves its log into the database when it rests, however short that is.
pub(crate) fn inline_on(disk: &Disk) -> Medium {
    Medium {
        vfs: Some((*crashfs::VFS).to_owned()),
        folder: Arc::new(OnDisk(disk.clone())),
        running: Running::Inline,
        checkpoint_pages: 1,
    }
}
