//! The store on a disk in memory that forgets what was not synced.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crashfs::{Content, Dice, Disk, Order, Survival};

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

#[test]
fn a_file_of_the_disk_is_what_a_vector_of_bytes_would_be() {
    let (mut content, mut plain, mut dice) = (Content::default(), Vec::new(), Dice::new(3));
    for _ in 0..500 {
        if dice.below(5) == 0 {
            let len = dice.below(20_000);
            content.resize(len);
            plain.resize(len, 0);
        } else {
            let (at, data) = (dice.below(15_000), vec![dice.bits().to_le_bytes()[0]; dice.below(6000)]);
            content.write(at, &data);
            plain.resize(plain.len().max(at + data.len()), 0);
            plain[at..at + data.len()].copy_from_slice(&data);
        }
        assert_eq!(content.to_vec(), plain);
    }
}

#[test]
fn a_power_cut_takes_what_was_not_synced_and_nothing_else() {
    for order in [Order::Strict, Order::Journaled] {
        let disk = Disk::new(order, 1);
        let [kept, lost] = ["kept", "lost"].map(|name| disk.root().join(name));
        let file = disk.open_side(&kept).unwrap();
        file.write_all_at(b"synced", 0).unwrap();
        file.sync_all().unwrap();
        disk.sync_folder(&disk.root()).unwrap();
        file.write_all_at(b"not yet", 0).unwrap();
        disk.open_side(&lost).unwrap().write_all_at(b"gone", 0).unwrap();
        assert_eq!(disk.content(&kept).unwrap(), b"not yet");
        let image = disk.image(Survival::Everything);
        assert_eq!(Disk::holding(&image, 1).used(), b"not yet".len() + b"gone".len());
        disk.crash(Survival::Nothing);
        assert_eq!(disk.content(&kept).unwrap(), b"synced");
        assert_eq!(disk.content(&lost), None);
        assert!(file.write_all_at(b"x", 0).is_err(), "a handle from before the crash is dead");
    }
}

#[test]
fn an_entry_is_durable_with_its_directory_and_on_ext4_with_any_sync() {
    for (order, survives) in [(Order::Strict, false), (Order::Journaled, true)] {
        let disk = Disk::new(order, 1);
        let path = disk.root().join("new");
        let file = disk.open_side(&path).unwrap();
        file.write_all_at(b"synced", 0).unwrap();
        file.sync_all().unwrap();
        disk.crash(Survival::Nothing);
        assert_eq!(disk.content(&path).is_some(), survives, "{order:?}");
    }
}
