//! How fast BPJS is called.
//!
//! Job: a token bucket as the generic cell rate algorithm: one number, the time at which the bucket would be full again.
//! Pure. Invariants: never more than `burst` calls at once, never more than `rate` per second in the long run; a clock
//! set back costs at most one burst's wait. Neighbours: [`super::client`] keeps one per facility and service, shared by
//! sends, reads and probes. What it does not do: wait.

use std::time::Duration;

use jiff::Timestamp;

/// A token bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct Bucket {
    /// Time one call takes up; zero is no limit.
    step: Duration,
    /// How far the bucket may run ahead of the clock.
    tolerance: Duration,
    /// When all calls let through so far are paid for.
    paid_at: Option<Timestamp>,
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
        Self { step, tolerance: step.saturating_mul(burst.saturating_sub(1).min(100_000)), paid_at: None }
    }

    /// The same bucket at another rate: what was let through so far stays paid for, and a debt does not grow.
    #[must_use]
    pub fn at_rate(&self, rate_per_second: f64, burst: u32) -> Self {
        Self { paid_at: self.paid_at, ..Self::new(rate_per_second, burst) }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// When the next token will be there; nothing is taken.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let paid_at = self.paid_at(now);
        let free_at = paid_at.checked_sub(self.tolerance).unwrap_or(now);
        if free_at > now {
            // Kept, so that the promise holds after the clock was set back.
            self.paid_at = Some(paid_at);
            return Err(free_at);
        }
        self.paid_at = paid_at.checked_add(self.step).ok();
        Ok(())
    }

    /// Puts a token back that was taken and not used. A full bucket stays full: time past is not given back.
    pub fn give_back(&mut self, now: Timestamp) {
        if let Some(paid_at) = self.paid_at {
            self.paid_at = Some(paid_at.checked_sub(self.step).unwrap_or(now).max(now));
        }
    }

    /// Takes one token even if there is none: a probe must not wait, later calls pay for it. The debt never exceeds one
    /// burst, so that probes cannot starve the sends.
    pub fn force(&mut self, now: Timestamp) {
        let most = now.checked_add(self.tolerance.saturating_add(self.step)).unwrap_or(now);
        let paid_at = self.paid_at(now).checked_add(self.step).unwrap_or(most);
        self.paid_at = Some(paid_at.min(most));
    }

    /// Not before now (the bucket is never fuller than full), and not further ahead than a full burst (after the clock
    /// was set back).
    fn paid_at(&self, now: Timestamp) -> Timestamp {
        let most = now.checked_add(self.tolerance.saturating_add(self.step)).unwrap_or(now);
        self.paid_at.unwrap_or(now).clamp(now, most.max(now))
    }
}

#[cfg(test)]
mod tests;
