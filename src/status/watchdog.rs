//! A thread that watches the other tasks without tokio, the store or the wall clock.
//!
//! Job: count the beats on [`Live`] once per interval; a task whose count stands still for longer than its limit has
//! stalled, one that is gone has too. Say so on the board (so `/health` turns red though every task hangs), once to the
//! caller and to the service manager's status line, and stop feeding the manager's watchdog. What does not recover within
//! its patience ([`patience`]) ends the process, so that whoever supervises it starts it again, with a watchdog of its own
//! or without. Invariants: a wall clock that jumps neither hides nor invents a stall; a stall that a restart does not cure
//! makes the process end ever more rarely, so that what still works goes on working. What it does not do: end the process
//! itself (the caller does), cure anything.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::live::{Beat, Live, Stalled};
use super::systemd;

/// The running watchdog; dropping it ends it.
#[derive(Debug)]
pub struct Watchdog {
    /// Closed by dropping: that ends the thread at once.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the watchdog tells, from its own thread.
pub trait Keeper: Send + 'static {
    /// The set of stalled tasks changed; empty: every task beats again.
    fn stalled(&self, stalled: &[Stalled]);
    /// They did not recover within the patience: the process is to end, for its supervisor to start it again.
    fn give_up(&self, stalled: &[Stalled]);
}

impl<F: Fn(&[Stalled]) + Send + 'static> Keeper for F {
    fn stalled(&self, stalled: &[Stalled]) {
        self(stalled);
    }

    fn give_up(&self, _: &[Stalled]) {}
}

/// How long a stall may last after the alarm before the process ends, when it has ended for one `quits` times in a row:
/// the first time soon, then ever more rarely.
#[must_use]
pub const fn patience(quits: u32) -> Duration {
    match quits {
        0 => Duration::from_secs(20),
        1 => Duration::from_mins(5),
        2 => Duration::from_mins(30),
        _ => Duration::from_hours(1),
    }
}

/// Starts the watchdog. It looks every `interval` (1 s in the daemon); `keeper` is told once when the set of stalled
/// tasks changes, and once when they did not recover within `patience` (as given by [`patience`]). A patience longer than
/// the first one means that a restart did not help: the manager's watchdog is then fed until it is over.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(live: Arc<Live>, interval: Duration, patience: Duration, keeper: impl Keeper) -> io::Result<Watchdog> {
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let began = Instant::now();
        let mut watch = Watch::new(systemd::feeding_interval(), patience);
        while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            let seen = watch.look(&live.beats(), began.elapsed());
            if seen.changed {
                live.set_stalled(seen.stalled.clone());
                // A manager that does not listen will find out by itself.
                drop(systemd::status(&status_line(&seen.stalled)));
                keeper.stalled(&seen.stalled);
            }
            if seen.feed {
                drop(systemd::watchdog());
            }
            if seen.give_up {
                keeper.give_up(&seen.stalled);
            }
        }
    })?;
    Ok(Watchdog { stop: Some(stop), thread: Some(thread) })
}

fn status_line(stalled: &[Stalled]) -> String {
    let names: Vec<&str> = stalled.iter().map(|one| one.task.as_str()).collect();
    if names.is_empty() { "every task beats".to_owned() } else { format!("stands still: {}", names.join(", ")) }
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
    /// Since when something has been stalled without a break.
    since: Option<Duration>,
    given_up: bool,
    patience: Duration,
    feed_every: Option<Duration>,
    fed: Option<Duration>,
}

/// What one look found.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    stalled: Vec<Stalled>,
    /// The set differs from the last look's.
    changed: bool,
    /// It is time to feed systemd, and every task beats (or a restart would not help).
    feed: bool,
    /// The stall has outlasted the patience; said once.
    give_up: bool,
}

impl Watch {
    fn new(feed_every: Option<Duration>, patience: Duration) -> Self {
        Self { feed_every, patience, ..Self::default() }
    }

    fn look(&mut self, beats: &BTreeMap<String, Beat>, elapsed: Duration) -> Look {
        self.seen.retain(|task, _| beats.contains_key(task));
        let mut stalled = Vec::new();
        for (task, beat) in beats {
            let known = self.seen.entry(task.clone()).or_insert((beat.count, elapsed));
            if known.0 != beat.count {
                *known = (beat.count, elapsed);
            }
            if beat.gone || elapsed.saturating_sub(known.1) > beat.limit {
                stalled.push(Stalled { task: task.clone(), last: beat.at, gone: beat.gone });
            }
        }
        let named = |all: &[Stalled]| all.iter().map(|one| (one.task.clone(), one.gone)).collect::<Vec<_>>();
        let changed = named(&stalled) != named(&self.stalled);
        self.stalled.clone_from(&stalled);
        self.since = if stalled.is_empty() { None } else { self.since.or(Some(elapsed)) };
        let over = self.since.is_some_and(|since| elapsed.saturating_sub(since) >= self.patience);
        let give_up = over && !self.given_up;
        self.given_up = over;
        Look { changed, feed: self.feeds(elapsed, over), give_up, stalled }
    }

    fn feeds(&mut self, elapsed: Duration, over: bool) -> bool {
        let due = self.feed_every.is_some_and(|every| self.fed.is_none_or(|fed| elapsed.saturating_sub(fed) >= every));
        // A restart did not help the last time: the manager must not be quicker with the next one than we are.
        let bears_with_it = self.patience > patience(0) && !over;
        let feed = due && (self.stalled.is_empty() || bears_with_it);
        if feed {
            self.fed = Some(elapsed);
        }
        feed
    }
}

#[cfg(test)]
mod tests;
