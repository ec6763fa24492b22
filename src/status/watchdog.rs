//! A thread that watches the other tasks without tokio, the store or the wall clock.
//!
//! Job: count the beats on [`Live`] once per interval; a task whose count stands still for [`STALL`] has stalled; say so
//! on the board (so `/health` turns red though every task hangs), once to the caller, and stop feeding systemd's
//! watchdog. Invariant: a wall clock that jumps neither hides nor invents a stall. What it does not do: restart anything.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::judge::STALL;
use super::live::{Beat, Live, Stalled};
use super::systemd;

/// The running watchdog; dropping it ends it.
#[derive(Debug)]
pub struct Watchdog {
    /// Closed by dropping: that ends the thread at once.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the watchdog. It looks every `interval` (1 s in the daemon); `on_stall` is told once when the set of stalled
/// tasks changes, with an empty slice when all beat again.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(
    live: Arc<Live>,
    interval: Duration,
    on_stall: impl Fn(&[Stalled]) + Send + 'static,
) -> io::Result<Watchdog> {
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let began = Instant::now();
        let mut watch = Watch::new(systemd::feeding_interval());
        while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            let seen = watch.look(&live.beats(), began.elapsed());
            if seen.changed {
                live.set_stalled(seen.stalled.clone());
                on_stall(&seen.stalled);
            }
            if seen.feed {
                // A manager that does not listen will find out by itself.
                drop(systemd::watchdog());
            }
        }
    })?;
    Ok(Watchdog { stop: Some(stop), thread: Some(thread) })
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has nothing to add here.
            drop(thread.join());
        }
    }
}

/// What the watchdog remembers; pure, time since its beginning is an argument.
#[derive(Debug, Default)]
struct Watch {
    seen: BTreeMap<String, (u64, Duration)>,
    stalled: Vec<Stalled>,
    feed_every: Option<Duration>,
    fed: Option<Duration>,
}

/// What one look found.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    stalled: Vec<Stalled>,
    /// The set differs from the last look's.
    changed: bool,
    /// It is time to feed systemd, and every task beats.
    feed: bool,
}

impl Watch {
    fn new(feed_every: Option<Duration>) -> Self {
        Self { feed_every, ..Self::default() }
    }

    fn look(&mut self, beats: &BTreeMap<String, Beat>, elapsed: Duration) -> Look {
        self.seen.retain(|task, _| beats.contains_key(task));
        let mut stalled = Vec::new();
        for (task, beat) in beats {
            let known = self.seen.entry(task.clone()).or_insert((beat.count, elapsed));
            if known.0 != beat.count {
                *known = (beat.count, elapsed);
            }
            if elapsed.saturating_sub(known.1) > STALL {
                stalled.push(Stalled { task: task.clone(), last: beat.at });
            }
        }
        let changed = stalled != self.stalled;
        self.stalled.clone_from(&stalled);
        let due = self.feed_every.is_some_and(|every| self.fed.is_none_or(|fed| elapsed.saturating_sub(fed) >= every));
        let feed = due && stalled.is_empty();
        if feed {
            self.fed = Some(elapsed);
        }
        Look { stalled, changed, feed }
    }
}

#[cfg(test)]
mod tests;
