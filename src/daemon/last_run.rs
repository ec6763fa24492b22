//! How the last run of the process ended: told to, by a crash, or with the whole machine.
//!
//! Job: a small file beside the database, readable by the service alone, that stands while the process runs and goes when
//! it is told to end. A start that finds it knows that the last run ended without a word; the kernel's boot id, or where a sandbox hides that, the time
//! since the machine came up, tells a crash of the process from a power cut (`queue::crash` counts only the former). It
//! also keeps how often in a row the process ended itself over a stall (`status::watchdog::patience`). Invariants: never
//! synced (a process that dies leaves the page cache, a machine that dies makes it worthless); a file that cannot be
//! written costs the distinction, never the start. What it does not do: decide what a crash means.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A run that lasted this long was a good one: earlier ends over a stall count no more.
const GOOD_RUN: Duration = Duration::from_hours(2);
/// Where Linux says which boot this is; hidden where `ProcSubset=pid` is set.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How the last run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It was told to, or there was none.
    Told,
    /// The process died: a crash, a kill, the OOM killer, or itself over a stall.
    Crashed,
    /// The machine went down, or restarted.
    MachineDown,
}

/// The present run's file.
#[derive(Debug)]
pub(super) struct LastRun {
    path: PathBuf,
    boot: String,
    begun: Duration,
    quits: AtomicU32,
}

/// What the file says: boot id (or `-`), milliseconds since the machine came up when it was last written, and how often
/// in a row the process ended itself.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    boot: String,
    up: Duration,
    quits: u32,
}

impl Kept {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (boot, up, quits) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { boot: boot.to_owned(), up: Duration::from_millis(up), quits })
    }

    fn text(&self) -> String {
        format!("{} {} {}\n", self.boot, self.up.as_millis(), self.quits)
    }
}

/// Judges what the last run left, at a start `up` after the machine came up under `boot`. A boot id decides; without one,
/// a machine that has been up for less long than it had been then was restarted in between.
fn judge(kept: Option<&Kept>, boot: &str, up: Duration) -> Before {
    let Some(kept) = kept else { return Before::Told };
    let same = if kept.boot == "-" || boot == "-" { up >= kept.up } else { kept.boot == boot };
    if same { Before::Crashed } else { Before::MachineDown }
}

fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

fn boot_id() -> String {
    let kept = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    let id: String = kept.trim().chars().filter(char::is_ascii_graphic).take(64).collect();
    if id.is_empty() { "-".to_owned() } else { id }
}

/// An empty file for writing, readable by the service alone.
pub(super) fn own_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

impl LastRun {
    /// Reads how the last run ended and begins this one; asked by whoever holds the store, so that no second process does.
    pub(super) fn begin(path: PathBuf) -> (Self, Before) {
        let kept = std::fs::read_to_string(&path).ok().and_then(|text| Kept::read(&text));
        let (boot, up) = (boot_id(), since_boot());
        let before = judge(kept.as_ref(), &boot, up);
        let quits = AtomicU32::new(kept.map_or(0, |kept| kept.quits));
        let run = Self { path, boot, begun: up, quits };
        run.write(up);
        (run, before)
    }

    /// Beside a database file.
    pub(super) fn beside(database: &Path) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(".run");
        PathBuf::from(name)
    }

    /// How often in a row the process has ended itself over a stall.
    pub(super) fn quits(&self) -> u32 {
        self.quits.load(Ordering::Relaxed)
    }

    /// The run goes on: said once a minute, so that a later start can tell how long the machine had been up.
    pub(super) fn goes_on(&self) {
        let up = since_boot();
        if up.saturating_sub(self.begun) >= GOOD_RUN {
            self.quits.store(0, Ordering::Relaxed);
        }
        self.write(up);
    }

    /// The process ends itself over a stall; how often in a row it has now.
    pub(super) fn quit(&self) -> u32 {
        let quits = self.quits.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.write(since_boot());
        quits
    }

    /// The process was told to end.
    pub(super) fn end(&self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "the next start will take this end for a crash");
        }
    }

    fn write(&self, up: Duration) {
        let kept = Kept { boot: self.boot.clone(), up, quits: self.quits() };
        if let Err(error) = own_file(&self.path).and_then(|mut file| file.write_all(kept.text().as_bytes())) {
            tracing::warn!(%error, "not noted that the process runs: a crash would not be told from a clean end");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn kept(boot: &str, up: u64) -> Kept {
        Kept { boot: boot.to_owned(), up: s(up), quits: 2 }
    }

    #[test]
    fn a_crash_is_told_from_a_clean_end_and_from_a_power_cut() {
        assert_eq!(judge(None, "a", s(100)), Before::Told);
        assert_eq!(judge(Some(&kept("a", 900)), "a", s(5000)), Before::Crashed);
        assert_eq!(judge(Some(&kept("a", 900)), "b", s(5000)), Before::MachineDown, "another boot, however long ago");
    }

    #[test]
    fn where_the_boot_id_is_hidden_the_time_since_the_boot_tells() {
        assert_eq!(judge(Some(&kept("-", 900)), "-", s(901)), Before::Crashed);
        assert_eq!(judge(Some(&kept("-", 900)), "-", s(20)), Before::MachineDown);
        assert_eq!(judge(Some(&kept("-", 900)), "b", s(20)), Before::MachineDown);
    }

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_nothing() {
        let one = kept("0c1e", 77);
        assert_eq!(Kept::read(&one.text()), Some(one));
        for text in ["", "a", "a b c", "a 1"] {
            assert_eq!(Kept::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_file_stands_while_the_process_runs_and_counts_its_ends_over_a_stall() {
        let folder = tempfile::tempdir().unwrap();
        let path = LastRun::beside(&folder.path().join("jembatan.db"));
        let (run, before) = LastRun::begin(path.clone());
        assert_eq!((before, run.quits()), (Before::Told, 0));
        assert_eq!(run.quit(), 1);
        drop(run);
        let (again, before) = LastRun::begin(path.clone());
        assert_eq!((before, again.quits()), (Before::Crashed, 1));
        again.goes_on();
        again.end();
        assert!(!path.exists());
        assert_eq!(LastRun::begin(path).1, Before::Told);
    }
}
