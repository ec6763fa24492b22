//! The daemon's long-lived tasks and their hearts: the only place that spawns them.
//!
//! Job: register every task with the watchdog before it runs, and tell the watchdog when one ends though nobody told it to
//! (it returned, or it panicked: a task must show as stalled, not vanish). Invariants: a task that was spawned beats or is
//! shown as stopped; only the shutdown takes it off the board. Neighbours: `status::Live` is the board, `status::watchdog`
//! counts. What it does not do: beat (each task does where it proves that it works).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::last_run::LastRun;
use crate::clock::Clock;
use crate::status::judge::STALL;
use crate::status::watchdog::Keeper;
use crate::status::{Live, Stalled};

/// Ends the process for its supervisor, when a task stands still and does not recover.
pub type GiveUp = Arc<dyn Fn() + Send + Sync>;

/// What spawns the tasks and waits for their end.
pub(super) struct Tasks {
    live: Arc<Live>,
    clock: Clock,
    stop: CancellationToken,
    running: TaskTracker,
}

impl Tasks {
    pub(super) fn new(live: &Arc<Live>, clock: &Clock, stop: &CancellationToken) -> Self {
        let (live, clock, stop) = (Arc::clone(live), clock.clone(), stop.clone());
        Self { live, clock, stop, running: TaskTracker::new() }
    }

    /// A heart that somebody else's thread beats.
    pub(super) fn register(&self, name: &str) {
        self.live.register(name, STALL, self.clock.now());
    }

    /// Spawns a task that beats under this name.
    pub(super) fn spawn(&self, name: &str, work: impl Future<Output = ()> + Send + 'static) {
        self.register(name);
        let (name, live, stop) = (name.to_owned(), Arc::clone(&self.live), self.stop.clone());
        self.running.spawn(async move {
            let ended = AssertUnwindSafe(work).catch_unwind().await;
            if stop.is_cancelled() {
                live.retire(&name);
                return;
            }
            tracing::error!(task = name, panicked = ended.is_err(), "a task is gone though nobody told it to end");
            live.gone(&name);
        });
    }

    /// No more tasks; gives back what waits for their end.
    pub(super) fn close(self) -> TaskTracker {
        self.running.close();
        self.running
    }
}

/// Hears the watchdog, on the watchdog's own thread.
pub(super) struct Alarm {
    pub(super) last_run: Arc<LastRun>,
    pub(super) give_up: Option<GiveUp>,
}

impl Keeper for Alarm {
    fn stalled(&self, stalled: &[Stalled]) {
        if stalled.is_empty() {
            tracing::info!("every task beats again");
        }
        for task in stalled {
            let what = if task.gone { "a task is gone" } else { "a task stands still" };
            tracing::error!(task = %task.task, last = %task.last, "{what}");
        }
    }

    fn give_up(&self, stalled: &[Stalled]) {
        let Some(end) = &self.give_up else { return };
        let tasks = stalled.iter().map(|one| one.task.as_str()).collect::<Vec<_>>().join(", ");
        let quits = self.last_run.quit();
        tracing::error!(
            tasks,
            quits,
            "it did not recover: the process ends itself, for its supervisor to start it again"
        );
        end();
    }
}
