//! When to try again.

use std::time::Duration;

use jiff::Timestamp;

/// First wait after a stumble.
pub const FIRST: Duration = Duration::from_secs(1);
/// Longest wait between tries; an outage is waited out by the circuit, not here.
pub const LONGEST: Duration = Duration::from_secs(60);

/// The wait after `stumbles` failures in a row: doubling, capped, with jitter over its upper half so that many entries
/// do not come back at once. `chance` lies in 0..1. In whole milliseconds, as stores keep instants.
#[must_use]
pub fn wait(stumbles: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << stumbles.saturating_sub(1).min(16));
    let top = doubled.min(LONGEST);
    let wait = top.mul_f64(chance.clamp(0.0, 1.0).mul_add(0.5, 0.5));
    Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

/// The instant after [`wait`].
#[must_use]
pub fn next(now: Timestamp, stumbles: u32, chance: f64) -> Timestamp {
    now + wait(stumbles, chance)
}
