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

/// Reclaims leases that ran out, until `stop`; not within ten minutes of a step of the clock. At start the owner reclaims
/// all of them once, because every holder died with the last process.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::queue::State;
    use crate::store::conformance::desk::{CARD, DAFTAR, Desk, at};
    use crate::store::reference::ReferenceStore;

    /// The clock goes a minute forward while an attempt is under way. Its lease runs out by that clock; the entry comes into
    /// doubt only when the step is long past, and settle is counted from then.
    #[tokio::test(start_paused = true)]
    async fn what_the_clock_jumped_over_is_not_counted_as_waited_for_after_a_lost_lease() {
        let desk = Desk::new(Arc::new(ReferenceStore::new(Arc::new(Catalogue::shipped().unwrap()))));
        let id = desk.accept_one("r", DAFTAR, CARD).await;
        desk.claim_only(id, 0).await;
        let (clock, stop) = (Clock::simulated(at(0)), CancellationToken::new());
        tokio::time::sleep(Duration::from_secs(1)).await;
        clock.set_ahead(60_000);
        let observe: Observe = Arc::new(|_| {});
        let running = tokio::spawn(run(desk.store.clone(), clock.clone(), desk.base(), observe, stop.clone()));
        tokio::time::sleep(Duration::from_secs(500)).await;
        assert_eq!(desk.state(id).await, State::Sending, "nothing is said of it so soon after the step");
        tokio::time::sleep(Duration::from_secs(120)).await;
        let progress = desk.get(id).await.progress;
        assert_eq!(progress.state, State::Unanswered);
        let since = progress.doubt.since.unwrap();
        assert!(since > at(600), "in doubt since {since}, and not since before the step");
        stop.cancel();
        running.await.unwrap();
    }
}
