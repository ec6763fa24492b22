//! Plain files on the disk, for what a program keeps beside its database.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::Trouble;
use crate::model::folder_of;
use crate::{Content, Disk, Op};

/// An open file. Dropping it lets its lock go.
#[derive(Debug)]
pub struct SideFile {
    disk: Disk,
    generation: u64,
    file: u64,
    handle: u64,
}

impl Disk {
    /// Opens a file for writing, made if it is not there.
    ///
    /// # Errors
    /// As the disk is.
    pub fn open_side(&self, path: &Path) -> io::Result<SideFile> {
        let path = self.inside(path)?;
        let mut state = self.state();
        state.live(state.generation)?;
        if state.is_read_only() {
            return Err(Trouble::ReadOnly.into());
        }
        let file = match state.model.file(&path) {
            Some(file) => file,
            None => state.create(path)?,
        };
        Ok(SideFile { disk: self.clone(), generation: state.generation, file, handle: state.handle() })
    }

    /// All bytes of a file.
    ///
    /// # Errors
    /// As the disk is.
    pub fn read_side(&self, path: &Path) -> io::Result<Vec<u8>> {
        let path = self.inside(path)?;
        let mut state = self.state();
        state.live(state.generation)?;
        let file = state.model.file(&path).ok_or(Trouble::Missing)?;
        state.reading()?;
        Ok(state.model.content(file).map(Content::to_vec).unwrap_or_default())
    }

    /// Length of a file.
    ///
    /// # Errors
    /// As the disk is.
    pub fn size_side(&self, path: &Path) -> io::Result<u64> {
        let path = self.inside(path)?;
        let state = self.state();
        state.live(state.generation)?;
        let file = state.model.file(&path).ok_or(Trouble::Missing)?;
        Ok(state.model.content(file).map_or(0, Content::len) as u64)
    }

    /// Gives a file another name, in place of what had it.
    ///
    /// # Errors
    /// As the disk is.
    pub fn rename_side(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.inside(from)?, self.inside(to)?);
        let mut state = self.state();
        state.model.file(&from).ok_or(Trouble::Missing)?;
        Ok(state.change(Op::Rename { from, to })?)
    }

    /// Makes a directory's entries durable.
    ///
    /// # Errors
    /// As the disk is.
    pub fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let path = self.inside(&folder.join("x"))?;
        let folder: Arc<str> = Arc::from(folder_of(&path));
        Ok(self.state().change(Op::SyncFolder { folder })?)
    }
}

impl SideFile {
    fn change(&self, op: Op) -> io::Result<()> {
        let mut state = self.disk.state();
        state.live(self.generation)?;
        Ok(state.change(op)?)
    }

    /// Writes at a place.
    ///
    /// # Errors
    /// As the disk is.
    pub fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        self.change(Op::Write { file: self.file, at, data: Arc::from(bytes) })
    }

    /// Cuts it or fills it with zeros.
    ///
    /// # Errors
    /// As the disk is.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.change(Op::Resize { file: self.file, len })
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// As the disk is.
    pub fn sync_all(&self) -> io::Result<()> {
        self.change(Op::Sync { file: self.file })
    }

    /// Takes the lock that a process has on it; whether it was free.
    ///
    /// # Errors
    /// As the disk is.
    pub fn try_lock(&self) -> io::Result<bool> {
        let mut state = self.disk.state();
        state.live(self.generation)?;
        Ok(*state.side_locks.entry(self.file).or_insert(self.handle) == self.handle)
    }
}

impl Drop for SideFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.generation == self.generation && state.side_locks.get(&self.file) == Some(&self.handle) {
            state.side_locks.remove(&self.file);
        }
    }
}
