//! Entries whose last date has passed: they go to the manual report, never away.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::observe::{Observe, Seen};
use crate::store::{Base, Redate, SharedStore};

/// How often dates are looked at.
const EVERY: Duration = Duration::from_secs(20);
/// Entries moved in one transaction.
const BATCH: usize = 200;

/// Moves the dates of what waits where a clause says so (`redate`), and expires overdue
/// entries until `stop`, but not before `clock_confirmed` says that the clock was compared with BPJS's
/// since the start (promise 9): a wrong clock must not expire anything.
pub async fn run(
    store: SharedStore,
    clock: Clock,
    base: Base,
    clock_confirmed: impl Fn() -> bool + Send,
    redate: Option<Redate>,
    observe: Observe,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        observe(Seen::Beat("reconcile.overdue"));
        failpoint!(await "loop.overdue");
        if let Some(redate) = &redate {
            match store.redate(clock.now(), Arc::clone(redate)).await {
                Ok(0) => {}
                Ok(moved) => tracing::info!(moved, "dates moved by a clause of the agreement"),
                // A date that could not be moved must not expire anything.
                Err(error) => {
                    tracing::warn!(%error, "dates not moved");
                    tokio::select! { () = stop.cancelled() => {} () = clock.sleep(EVERY) => {} }
                    continue;
                }
            }
        }
        if clock_confirmed() {
            match store.expire(clock.now(), BATCH, base).await {
                Ok(0) => {}
                Ok(moved) => tracing::warn!(moved, "last date passed: entries expired or looked up"),
                Err(error) => tracing::warn!(%error, "dates not looked at"),
            }
        }
        tokio::select! { () = stop.cancelled() => {} () = clock.sleep(EVERY) => {} }
    }
}
