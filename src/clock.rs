//! The only reader of the wall clock.
//!
//! Job: hand out `now` and sleep, so that everything else takes time as an argument. A manual clock lets tests and the
//! simulation move time by hand; one that runs ahead passes by itself and can be set forward, so that a month of a whole
//! bridge takes minutes. Neighbours: every stage holds a [`Clock`]; nobody else calls `Timestamp::now`.
//! What it does not do: zones and calendars (`contract::calendar`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    #[cfg(test)]
    Virtual(Arc<Virtual>),
}

/// Time of a simulated run: the paused clock of tokio, which jumps to the next timer when nothing is left to do.
#[cfg(test)]
#[derive(Debug)]
struct Virtual {
    start: Timestamp,
    began: tokio::time::Instant,
    /// How far this clock is off, milliseconds: a step of the wall clock changes it, a wait does not see it.
    ahead: std::sync::atomic::AtomicI64,
    steps: Mutex<Steps>,
    /// Waits end at multiples of this many milliseconds (timers of a busy machine are late, never early).
    slack: std::sync::atomic::AtomicU64,
}

/// Steps of the machine's clock are noticed from this size on; smaller ones are slews and delays of the scheduler.
const STEP_LEAST: SignedDuration = SignedDuration::from_secs(1);
/// Steps remembered.
const STEPS_MOST: usize = 64;

/// When the clock was set forward, and by how much.
type Step = (Timestamp, SignedDuration);

/// What the machine's clock and its steady counter showed last, and the steps seen between them.
#[derive(Debug)]
struct Steps {
    last: Option<(Instant, Timestamp)>,
    forward: VecDeque<Step>,
}

static STEPS: Mutex<Steps> = Mutex::new(Steps { last: None, forward: VecDeque::new() });

impl Steps {
    fn compare(&mut self, steady: Instant, wall: Timestamp) {
        if let Some((then, before)) = self.last.replace((steady, wall)) {
            let passed = SignedDuration::try_from(steady.duration_since(then)).unwrap_or_default();
            let by = wall.duration_since(before) - passed;
            if by >= STEP_LEAST {
                self.forward.push_back((wall, by));
                if self.forward.len() > STEPS_MOST {
                    self.forward.pop_front();
                }
            }
        }
    }

    fn since(&self, then: Timestamp) -> SignedDuration {
        self.forward
            .iter()
            .filter(|(at, _)| *at > then)
            .map(|(_, by)| *by)
            .fold(SignedDuration::ZERO, |sum, by| sum + by)
    }
}

fn steps() -> MutexGuard<'static, Steps> {
    STEPS.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// A clock on tokio's own time, which reads `start` now. For runs under a runtime whose time is paused.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn simulated(start: Timestamp) -> Self {
        Self(Source::Virtual(Arc::new(Virtual {
            start,
            began: tokio::time::Instant::now(),
            ahead: std::sync::atomic::AtomicI64::new(0),
            slack: std::sync::atomic::AtomicU64::new(0),
            steps: Mutex::new(Steps { last: None, forward: VecDeque::new() }),
        })))
    }

    /// Sets how far a simulated clock is off, in milliseconds: a step of the wall clock. Waits go on as they were. The
    /// milliseconds that it went forward without being noticed, because they are less than a step.
    #[cfg(test)]
    pub(crate) fn set_ahead(&self, millis: i64) -> u64 {
        let Source::Virtual(time) = &self.0 else { return 0 };
        let before = time.ahead.swap(millis, std::sync::atomic::Ordering::Relaxed);
        let by = SignedDuration::from_millis(millis - before);
        if by < STEP_LEAST {
            return u64::try_from(millis - before).unwrap_or(0);
        }
        time.steps.lock().unwrap_or_else(PoisonError::into_inner).forward.push_back((time.now(), by));
        0
    }

    /// Lets waits of a simulated clock end late, at multiples of `slack`.
    #[cfg(test)]
    pub(crate) fn set_slack(&self, slack: Duration) {
        if let Source::Virtual(time) = &self.0 {
            let millis = u64::try_from(slack.as_millis()).unwrap_or(u64::MAX);
            time.slack.store(millis, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// The present instant, in whole milliseconds: what the store keeps, so that an instant reads the same before and
    /// after it was stored.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let now = machine();
                steps().compare(Instant::now(), now);
                now
            }
            Source::Manual(now) => *now.borrow(),
            Source::Shifted(ahead) => shifted(*ahead.borrow()),
            #[cfg(test)]
            Source::Virtual(time) => time.now(),
        }
    }

    /// How far the clock was set forward since `then`: time that it shows as passed and that did not pass (or that the
    /// machine slept through). Waits for somebody else, as settle is, are longer by it. Other clocks than the machine's are
    /// moved on purpose.
    #[must_use]
    pub fn jumped_since(&self, then: Timestamp) -> SignedDuration {
        match &self.0 {
            Source::System => steps().since(then),
            Source::Manual(_) | Source::Shifted(_) => SignedDuration::ZERO,
            #[cfg(test)]
            Source::Virtual(time) => time.steps.lock().unwrap_or_else(PoisonError::into_inner).since(then),
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
            #[cfg(test)]
            Source::Virtual(time) => {
                let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
                time.ahead.fetch_add(by, std::sync::atomic::Ordering::Relaxed);
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
            #[cfg(test)]
            Source::Virtual(time) => time.sleep(duration).await,
        }
    }
}

#[cfg(test)]
impl Virtual {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ahead = self.ahead.load(std::sync::atomic::Ordering::Relaxed);
        self.start + SignedDuration::from_millis(passed + ahead)
    }

    async fn sleep(&self, duration: Duration) {
        let slack = self.slack.load(std::sync::atomic::Ordering::Relaxed);
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let until = passed.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let until = if slack == 0 || duration.is_zero() { until } else { until.div_ceil(slack) * slack };
        tokio::time::sleep_until(self.began + Duration::from_millis(until)).await;
    }
}

fn shifted(ahead: SignedDuration) -> Timestamp {
    let now = machine();
    now.checked_add(ahead).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_forward_is_told_from_time_that_passed() {
        let mut steps = Steps { last: None, forward: VecDeque::new() };
        let (steady, wall): (Instant, Timestamp) = (Instant::now(), "2026-11-21T00:00:00Z".parse().unwrap());
        let at = |seconds: u64| Duration::from_secs(seconds);
        steps.compare(steady, wall);
        steps.compare(steady + at(60), wall + at(60));
        assert!(steps.since(wall).is_zero(), "a minute passed");
        steps.compare(steady + at(61), wall + at(361));
        assert_eq!(steps.since(wall), SignedDuration::from_secs(300), "five minutes were jumped over");
        assert!(steps.since(wall + at(361)).is_zero(), "before that");
        steps.compare(steady + at(62), wall + at(62));
        assert_eq!(steps.since(wall), SignedDuration::from_secs(300), "set back: nothing seems to have passed");
    }

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
