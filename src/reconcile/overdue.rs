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

/// Moves the dates of what waits where a clause says so (`redate`), and expires overdue entries, until `stop`, but only
/// while `clock_is_right` says that the clock was compared with BPJS's since the start and since its last step, and found
/// right (promise 9): a wrong clock must not move or expire anything.
pub async fn run(
    store: SharedStore,
    clock: Clock,
    base: Base,
    clock_is_right: impl Fn() -> bool + Send,
    redate: Option<Redate>,
    observe: Observe,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        observe(Seen::Beat("reconcile.overdue"));
        failpoint!(await "loop.overdue");
        let is_right = clock_is_right();
        if let Some(redate) = redate.as_ref().filter(|_| is_right) {
            match store.redate(clock.now(), Arc::clone(redate)).await {
                Ok(0) => {}
                Ok(moved) => tracing::info!(moved, "dates moved by a clause of the agreement"),
                // A date that could not be moved must not expire anything.
                Err(error) => {
                    tracing::warn!(%error, "dates not moved");
                    tokio::select! { biased; () = stop.cancelled() => {} () = clock.sleep(EVERY) => {} }
                    continue;
                }
            }
        }
        if is_right {
            match store.expire(clock.now(), BATCH, base).await {
                Ok(0) => {}
                Ok(moved) => tracing::warn!(moved, "last date passed: entries expired or looked up"),
                Err(error) => tracing::warn!(%error, "dates not looked at"),
            }
        }
        tokio::select! { biased; () = stop.cancelled() => {} () = clock.sleep(EVERY) => {} }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::contract::Deadline;
    use crate::queue::State;
    use crate::status::Live;
    use crate::store::NewEntry;
    use crate::store::conformance::desk::{DAFTAR, Desk, FACILITY, at};
    use crate::store::reference::ReferenceStore;

    /// Long enough for several looks at the dates.
    async fn a_while() {
        tokio::time::sleep(EVERY * 3).await;
    }

    #[tokio::test(start_paused = true)]
    async fn promise_9_nothing_expires_until_bpjs_has_found_the_clock_right_since_its_last_step() {
        let desk = Desk::new(Arc::new(ReferenceStore::new(Arc::new(Catalogue::shipped().unwrap()))));
        let dated = |name: &str, last: i64| {
            let deadline = Deadline { late: Some(at(50)), last: Some(at(last)), ..Deadline::default() };
            let card = crate::secret::Private::new(format!("00099000000{name}"));
            NewEntry { deadline, no_kartu: Some(card), ..desk.entry(name, DAFTAR) }
        };
        let entries = vec![dated("01", 60), dated("02", 60 * 60), dated("03", 2 * 60 * 60)];
        let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
        desk.accept("r", entries).await;
        let states = async || {
            let mut found = Vec::new();
            for id in &ids {
                found.push(desk.state(*id).await == State::Expired);
            }
            found
        };
        // BPJS's hour is ten minutes past the start.
        let (clock, live, stop) =
            (Clock::simulated(at(600)), Arc::new(Live::new(at(600), 0)), CancellationToken::new());
        let (seen, own) = (Arc::clone(&live), clock.clone());
        let is_right = move || seen.clock_is_right(&own);
        let observe: Observe = Arc::new(|_| {});
        let running =
            tokio::spawn(run(desk.store.clone(), clock.clone(), desk.base(), is_right, None, observe, stop.clone()));
        a_while().await;
        assert_eq!(states().await, [false, false, false], "BPJS was not heard yet");
        live.clock(FACILITY, 100_000, true, clock.now());
        a_while().await;
        assert_eq!(states().await, [false, false, false], "BPJS contradicts the clock");
        live.clock(FACILITY, 2, true, clock.now());
        a_while().await;
        assert_eq!(states().await, [true, false, false]);
        // Set an hour forward, and BPJS is not heard since.
        clock.set_ahead(60 * 60 * 1000);
        a_while().await;
        assert_eq!(states().await, [true, false, false], "what was read before the step says nothing");
        live.clock(FACILITY, 60 * 60, true, clock.now());
        a_while().await;
        assert_eq!(states().await, [true, false, false]);
        live.clock(FACILITY, 0, true, clock.now());
        a_while().await;
        assert_eq!(states().await, [true, true, false], "the hour really passed");
        stop.cancel();
        running.await.unwrap();
    }
}
