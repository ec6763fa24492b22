//! The only reader of the wall clock.
//!
//! Job: hand out `now` and sleep, so that everything else takes time as an argument. A manual clock lets tests and the
//! simulation move time by hand; one that runs ahead passes by itself and can be set forward, so that a month of a whole
//! bridge takes minutes. Neighbours: every stage holds a [`Clock`]; nobody else calls `Timestamp::now`.
//! What it does not do: zones and calendars (`contract::calendar`).

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// A handle on time: the system's, or one that a test moves.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<watch::Sender<Timestamp>>),
    /// How far it is from the machine's clock.
    Shifted(Arc<watch::Sender<SignedDuration>>),
}

/// The machine's clock in whole milliseconds.
fn machine() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start))))
    }

    /// A clock that reads `start` now and passes like the machine's; [`Clock::advance`] sets it forward.
    #[must_use]
    pub fn starting(start: Timestamp) -> Self {
        let ahead = start.duration_since(machine());
        Self(Source::Shifted(Arc::new(watch::Sender::new(ahead))))
    }

    /// The present instant, in whole milliseconds: what the store keeps, so that an instant reads the same before and
    /// after it was stored.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => machine(),
            Source::Manual(now) => *now.borrow(),
            Source::Shifted(ahead) => shifted(*ahead.borrow()),
        }
    }

    /// Moves a manual or shifted clock forward; a system clock is left alone.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System => {}
            Source::Manual(now) => now.send_modify(|at| *at += by),
            Source::Shifted(ahead) => {
                ahead.send_modify(|at| *at = at.saturating_add(SignedDuration::try_from(by).unwrap_or_default()));
            }
        }
    }

    /// Waits until `duration` has passed on this clock.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Source::System => tokio::time::sleep(duration).await,
            Source::Manual(now) => {
                let until = *now.borrow() + duration;
                let mut seen = now.subscribe();
                // The sender lives in `self`, so the wait ends only when time has come.
                let _reached = seen.wait_for(|at| *at >= until).await;
            }
            Source::Shifted(ahead) => {
                let until = self.now() + duration;
                let mut seen = ahead.subscribe();
                while let Ok(left) = Duration::try_from(until.duration_since(self.now())) {
                    // Set forward meanwhile: what is left is reckoned anew.
                    if tokio::time::timeout(left, seen.changed()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

fn shifted(ahead: SignedDuration) -> Timestamp {
    let now = machine();
    now.checked_add(ahead).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_only_when_moved() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(10)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH + Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_shifted_clock_passes_by_itself_and_wakes_sleepers_when_set_forward() {
        let start: Timestamp = "2024-10-01T00:00:00Z".parse().unwrap();
        let clock = Clock::starting(start);
        clock.sleep(Duration::from_millis(5)).await;
        let soon = clock.now();
        assert!(soon >= start + Duration::from_millis(5) && soon < start + Duration::from_hours(1), "{soon}");
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_hours(24)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_hours(12));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_hours(13));
        sleeper.await.unwrap();
        assert!(clock.now() >= start + Duration::from_hours(25));
    }
}
