//! How fast BPJS is called.
//!
//! Job: a token bucket as the generic cell rate algorithm (one number, the time at which the bucket would be full again)
//! under a cap: in no window of one second more calls than the rate. Pure. Invariants: never more than `burst` calls at
//! once, never more than `rate` per second in the long run, and never more than `rate` in any one second, a burst
//! included (BPJS counts windows that nobody knows); a clock set back costs at most one window's wait. Neighbours:
//! [`super::client`] keeps one per facility and service, shared by sends, reads and probes. What it does not do: wait.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// The cap's window: a second, and some more for what lies between being let through and arriving at BPJS (the claim's
/// commit, the connection), which differs from call to call.
const WINDOW: Duration = Duration::from_millis(1020);

/// A token bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct Bucket {
    /// Time one call takes up; zero is no limit.
    step: Duration,
    /// How far the bucket may run ahead of the clock.
    tolerance: Duration,
    /// When all calls let through so far are paid for.
    paid_at: Option<Timestamp>,
    /// Calls in a window at most.
    cap: usize,
    /// The last `cap` calls let through, oldest first.
    lately: VecDeque<Timestamp>,
    /// Until then somebody else called, how often is not known.
    others_until: Option<Timestamp>,
}

impl Bucket {
    /// A full bucket of `burst` calls (at least one), filled at `rate_per_second`; a rate that is not a positive number
    /// is no limit.
    #[must_use]
    pub fn new(rate_per_second: f64, burst: u32) -> Self {
        let limited = rate_per_second.is_finite() && rate_per_second > 0.0;
        let step = if limited { Duration::try_from_secs_f64(1.0 / rate_per_second) } else { Ok(Duration::ZERO) };
        // A rate so small that its step does not fit is one call a day.
        let step = step.unwrap_or(Duration::from_hours(24)).min(Duration::from_hours(24));
        // A little more than a second, because the step is rounded to nanoseconds.
        let a_second = Duration::from_micros(1_000_001).as_nanos().checked_div(step.as_nanos()).unwrap_or_default();
        let cap = usize::try_from(a_second).unwrap_or(usize::MAX).clamp(1, 100_000);
        let tolerance = step.saturating_mul(burst.saturating_sub(1).min(100_000));
        Self { step, tolerance, paid_at: None, cap, lately: VecDeque::new(), others_until: None }
    }

    /// The same bucket at another rate: what was let through so far stays paid for, and a debt does not grow.
    #[must_use]
    pub fn at_rate(&self, rate_per_second: f64, burst: u32) -> Self {
        let (lately, others_until) = (self.lately.clone(), self.others_until);
        Self { paid_at: self.paid_at, lately, others_until, ..Self::new(rate_per_second, burst) }
    }

    /// The same bucket, where somebody else called until `now` and how often is not known here: the next call is let
    /// through one window later.
    #[must_use]
    pub const fn spent(mut self, now: Timestamp) -> Self {
        self.others_until = Some(now);
        self
    }

    /// Takes one token.
    ///
    /// # Errors
    /// When the next token will be there; nothing is taken.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        if self.step.is_zero() {
            return Ok(());
        }
        let paid_at = self.paid_at(now);
        let free_at = paid_at.checked_sub(self.tolerance).unwrap_or(now).max(self.window_free_at(now));
        if free_at > now {
            // Kept, so that the promise holds after the clock was set back.
            self.paid_at = Some(paid_at);
            return Err(free_at);
        }
        self.paid_at = paid_at.checked_add(self.step).ok();
        self.note(now);
        Ok(())
    }

    /// Puts a token back that was taken and not used. A full bucket stays full: time past is not given back.
    pub fn give_back(&mut self, now: Timestamp) {
        if let Some(paid_at) = self.paid_at {
            self.paid_at = Some(paid_at.checked_sub(self.step).unwrap_or(now).max(now));
        }
        self.lately.pop_back();
    }

    /// Takes one token even if there is none: a probe must not wait, later calls pay for it. The debt never exceeds one
    /// burst, so that probes cannot starve the sends.
    pub fn force(&mut self, now: Timestamp) {
        if self.step.is_zero() {
            return;
        }
        let most = now.checked_add(self.tolerance.saturating_add(self.step)).unwrap_or(now);
        let paid_at = self.paid_at(now).checked_add(self.step).unwrap_or(most);
        self.paid_at = Some(paid_at.min(most));
        self.note(now);
    }

    /// Not before now (the bucket is never fuller than full), and not further ahead than a full burst (after the clock
    /// was set back).
    fn paid_at(&self, now: Timestamp) -> Timestamp {
        let most = now.checked_add(self.tolerance.saturating_add(self.step)).unwrap_or(now);
        self.paid_at.unwrap_or(now).clamp(now, most.max(now))
    }

    /// When the window has room: a window after the oldest of the last `cap` calls. A call noted after now was let
    /// through before the clock was set back, and counts as if it were made now.
    fn window_free_at(&mut self, now: Timestamp) -> Timestamp {
        let window = WINDOW.max(self.step);
        self.others_until = self.others_until.map(|then| then.min(now));
        let others = self.others_until.and_then(|then| then.checked_add(window).ok()).unwrap_or(now);
        if self.lately.len() < self.cap {
            return now.max(others);
        }
        for call in &mut self.lately {
            *call = (*call).min(now);
        }
        // The last `cap` of them: more are there where the rate became smaller.
        let counts = self.lately.iter().rev().nth(self.cap.saturating_sub(1));
        counts.and_then(|oldest| oldest.checked_add(window).ok()).unwrap_or(now).max(others)
    }

    fn note(&mut self, now: Timestamp) {
        while self.lately.len() >= self.cap {
            self.lately.pop_front();
        }
        self.lately.push_back(now);
    }
}

#[cfg(test)]
mod tests;
