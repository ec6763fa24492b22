//! A disk in memory that forgets, at a power cut, what was not synced.
//!
//! Job: play the file system under SQLite (as a VFS, [`VFS`]) and under plain files ([`SideFile`]) of a program under test,
//! so that a test can cut the power before any operation, look at each state that the disk might then be in, fill it, break
//! it, or make it read-only. Invariants: what was synced survives; of the rest any part may, down to sectors of 512 bytes;
//! an entry of a directory survives as [`Order`] says; a crash takes locks and shared memory with it; the same seed gives
//! the same disk. Neighbours: tests only. What it does not do: know what is stored on it.
//!
//! This crate is the one place with `unsafe`: SQLite's VFS is a table of C functions.

mod content;
mod dice;
mod digest;
mod disk;
mod model;
mod shm;
mod side;
mod vfs;

pub use content::Content;
pub use dice::Dice;
pub use digest::digest;
pub use disk::{Counts, Disk, Fault, Recording};
pub use model::{Image, Model, Op, Order, Survival};
pub use side::SideFile;
pub use vfs::VFS;
