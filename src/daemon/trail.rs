//! Which entries claims open this very moment, said where it outlives the process.
//!
//! Job: a small file beside the database with a line for every claim that is opening an entry; a start that follows a
//! crash reads there whom the last process never finished opening (`queue::crash`). Invariants: written before the entry
//! is opened; never synced, as `last_run`; a file that cannot be written costs the knowledge, never the claim. What it
//! does not do: decide what it means.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::last_run::own_file;
use crate::queue::DeliveryId;
use crate::store;

/// Bytes of a line, its end included: an id has 36.
const LINE: usize = 40;
/// Claims at a time that are noted at most; more are not.
const PLACES: usize = 64;
const NOBODY: [u8; LINE] = {
    let mut line = [b' '; LINE];
    line[LINE - 1] = b'\n';
    line
};

/// The present run's file.
pub(super) struct Trail {
    file: Option<File>,
    taken: Mutex<[bool; PLACES]>,
}

/// Beside the file that says that the process runs.
pub(super) fn beside(run_file: &Path) -> PathBuf {
    run_file.with_extension("opening")
}

/// Whom the last run was opening when it ended.
pub(super) fn left(path: &Path) -> Vec<DeliveryId> {
    let mut found = Vec::new();
    for id in std::fs::read_to_string(path).unwrap_or_default().lines().take(PLACES) {
        found.extend(id.trim().parse::<DeliveryId>().ok().filter(|id| !found.contains(id)));
    }
    found
}

impl Trail {
    /// Begins this run's, which forgets the last one's.
    pub(super) fn begin(path: &Path) -> Self {
        let opened = own_file(path);
        if let Err(error) = &opened {
            tracing::warn!(%error, "not noted which entry a claim opens: one that kills the claim would not be found");
        }
        Self { file: opened.ok(), taken: Mutex::new([false; PLACES]) }
    }

    fn write(&self, place: usize, line: &[u8; LINE]) {
        let at = u64::try_from(place * LINE).unwrap_or(u64::MAX);
        // A claim goes on without it: the disk that refuses this refuses the claim's commit too.
        if let Some(file) = &self.file {
            file.write_all_at(line, at).unwrap_or_default();
        }
    }
}

impl store::Trail for Trail {
    fn enter(&self, id: DeliveryId) -> usize {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((place, free)) = taken.iter_mut().enumerate().find(|(_, taken)| !**taken) else { return PLACES };
        *free = true;
        drop(taken);
        let mut line = NOBODY;
        line.iter_mut().zip(id.to_string().bytes()).for_each(|(own, byte)| *own = byte);
        self.write(place, &line);
        place
    }

    fn leave(&self, place: usize) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(place) {
            self.write(place, &NOBODY);
            *own = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Trail as _;

    fn id(n: u8) -> DeliveryId {
        DeliveryId::new(jiff::Timestamp::UNIX_EPOCH, &[n; 10])
    }

    #[test]
    fn who_was_not_left_stands_there_for_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside(&folder.path().join("jembatan.db.run"));
        assert_eq!(left(&path), []);
        let trail = Trail::begin(&path);
        let first = trail.enter(id(1));
        let second = trail.enter(id(2));
        assert_eq!(left(&path), [id(1), id(2)]);
        trail.leave(first);
        assert_eq!(left(&path), [id(2)]);
        let third = trail.enter(id(3));
        assert_eq!((third, left(&path)), (first, vec![id(3), id(2)]), "places are used again");
        trail.leave(second);
        trail.leave(third);
        assert_eq!(left(&path), []);
        trail.enter(id(4));
        drop(Trail::begin(&path));
        assert_eq!(left(&path), []);
    }

    #[test]
    fn more_claims_than_places_and_a_damaged_file_harm_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.opening");
        let trail = Trail::begin(&path);
        let places: Vec<usize> = (0..=PLACES).map(|_| trail.enter(id(9))).collect();
        assert_eq!(places.last(), Some(&PLACES));
        places.into_iter().for_each(|place| trail.leave(place));
        std::fs::write(&path, b"rusak\n\xff\n").unwrap();
        assert_eq!(left(&path), []);
        let nowhere = Trail::begin(&folder.path().join("tidak/ada"));
        let place = nowhere.enter(id(1));
        nowhere.leave(place);
    }
}
