//! Shared memory of one file, for SQLite's write-ahead index: one process, so it is plain memory.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Locks that SQLite has on it.
const SLOTS: usize = 8;

/// The regions and their locks. A crash gives the file another one; handles from before keep this one, so that no pointer
/// of theirs dangles.
#[derive(Default)]
pub(crate) struct Shm(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    regions: Vec<(usize, Layout)>,
    /// By handle: what it holds of every slot.
    held: BTreeMap<u64, [Held; SLOTS]>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Held {
    #[default]
    No,
    Shared,
    Exclusive,
}

impl Shm {
    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Address of a region; `None` if it is not there and may not be made.
    pub(crate) fn region(&self, number: usize, size: usize, make: bool) -> Option<*mut u8> {
        let mut inside = self.inside();
        while inside.regions.len() <= number {
            if !make {
                return None;
            }
            let layout = Layout::from_size_align(size.max(1), 4096).ok()?;
            // SAFETY: the layout has a size above zero.
            let region = unsafe { alloc_zeroed(layout) };
            if region.is_null() {
                return None;
            }
            inside.regions.push((region as usize, layout));
        }
        inside.regions.get(number).map(|(region, _)| *region as *mut u8)
    }

    /// Takes slots; whether they were free.
    pub(crate) fn lock(&self, handle: u64, first: usize, count: usize, exclusive: bool) -> bool {
        let mut inside = self.inside();
        let slots = first..(first + count).min(SLOTS);
        let blocked = inside.held.iter().filter(|(own, _)| **own != handle).any(|(_, held)| {
            held[slots.clone()].iter().any(|held| *held == Held::Exclusive || (exclusive && *held == Held::Shared))
        });
        if !blocked {
            let kind = if exclusive { Held::Exclusive } else { Held::Shared };
            inside.held.entry(handle).or_default()[slots].fill(kind);
        }
        !blocked
    }

    /// Lets slots go.
    pub(crate) fn unlock(&self, handle: u64, first: usize, count: usize) {
        if let Some(held) = self.inside().held.get_mut(&handle) {
            held[first..(first + count).min(SLOTS)].fill(Held::No);
        }
    }

    /// Lets everything of a handle go.
    pub(crate) fn leave(&self, handle: u64) {
        self.inside().held.remove(&handle);
    }
}

impl Drop for Shm {
    fn drop(&mut self) {
        for (region, layout) in self.inside().regions.drain(..) {
            // SAFETY: it was allocated with this layout, and whoever had its address held this `Shm`.
            unsafe { dealloc(region as *mut u8, layout) };
        }
    }
}
