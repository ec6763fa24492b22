//! Leases whose holder is dead: the attempt's outcome is unknown, so the entry is in doubt, never failed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::observe::{Observe, Seen};
use crate::store::{Base, SharedStore};

/// Steps of the clock longer ago than this concern no lease that is still held.
const LONGEST: Duration = Duration::from_mins(10);
/// How often leases are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Reclaims leases that ran out, until `stop`; not within ten minutes of a step of the clock. At start the owner reclaims all of them once, because every holder died
/// with the last process.
pub async fn run(store: SharedStore, clock: Clock, base: Base, observe: Observe, stop: CancellationToken) {
    while !stop.is_cancelled() {
        observe(Seen::Beat("reconcile.leases"));
        failpoint!(await "loop.leases");
        // A clock set forward does not kill the holders, and an instant of before the step would count what it jumped over
        // as waited for BPJS: no lease is looked at until none is left from before it.
        let now = clock.now();
        let has_jumped = now.checked_sub(LONGEST).is_ok_and(|then| !clock.jumped_since(then).is_zero());
        if !has_jumped {
            match store.reclaim(now, false, base).await {
                Ok(0) => {}
                Ok(lost) => tracing::warn!(lost, "leases ran out: the entries are looked up"),
                Err(error) => tracing::warn!(%error, "leases not looked at"),
            }
        }
        tokio::select! { biased; () = stop.cancelled() => {} () = clock.sleep(EVERY) => {} }
    }
}
