//! Leases whose holder is dead: the attempt's outcome is unknown, so the entry is in doubt, never failed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::observe::{Observe, Seen};
use crate::store::{Base, SharedStore};

/// How often leases are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Reclaims leases that ran out, until `stop`. At start the owner reclaims all of them once, because every holder died
/// with the last process.
pub async fn run(store: SharedStore, clock: Clock, base: Base, observe: Observe, stop: CancellationToken) {
    while !stop.is_cancelled() {
        observe(Seen::Beat("reconcile.leases"));
        failpoint!(await "loop.leases");
        match store.reclaim(clock.now(), false, base).await {
            Ok(0) => {}
            Ok(lost) => tracing::warn!(lost, "leases ran out: the entries are looked up"),
            Err(error) => tracing::warn!(%error, "leases not looked at"),
        }
        tokio::select! { () = stop.cancelled() => {} () = clock.sleep(EVERY) => {} }
    }
}
