//! Which entries will miss their date if the backlog goes on draining as it does now.
//!
//! Job: a pure queue of one server: entries in dispatch order, so many a minute, from the instant at which sending is
//! possible again. Invariant: without a rate (nothing was accepted lately, or the circuit is open without an expected
//! end) nothing is promised: whatever has a date is at risk. What it does not do: count attempts, know circuits.

use jiff::{SignedDuration, Timestamp};

/// How fast the backlog drains.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Drain {
    /// Entries accepted by BPJS a minute; 0: none lately.
    pub per_minute: f64,
    /// Since when the circuit is open; `None`: it is closed.
    pub open_since: Option<Timestamp>,
}

/// One lane's outlook.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forecast {
    /// Nearest late date that has not passed.
    pub nearest: Option<Timestamp>,
    /// Past their date already.
    pub late: usize,
    /// Will miss it at the present rate.
    pub at_risk: usize,
    /// When the backlog is gone at the present rate; `None`: it does not drain, or there is none.
    pub empty_at: Option<Timestamp>,
    /// Positions in `dates` of those at risk, in order.
    pub misses: Vec<usize>,
}

impl Drain {
    /// From attempts accepted in the last `window`.
    #[must_use]
    pub fn of(accepted: usize, window: SignedDuration, open_since: Option<Timestamp>) -> Self {
        let minutes = window.as_secs_f64() / 60.0;
        let count = u32::try_from(accepted).unwrap_or(u32::MAX);
        let per_minute = if minutes > 0.0 { f64::from(count) / minutes } else { 0.0 };
        Self { per_minute, open_since }
    }
}

/// Foretells a lane: `dates` are the late dates of its unfinished entries in dispatch order.
#[must_use]
pub fn forecast(dates: &[Option<Timestamp>], drain: Drain, now: Timestamp) -> Forecast {
    let moves = drain.open_since.is_none() && drain.per_minute > 0.0;
    let mut outlook = Forecast::default();
    for (place, late) in dates.iter().enumerate() {
        let done = moves.then(|| finishes(place, drain.per_minute, now)).flatten();
        outlook.empty_at = done;
        let Some(late) = *late else { continue };
        if late < now {
            outlook.late += 1;
            continue;
        }
        outlook.nearest = Some(outlook.nearest.map_or(late, |nearest| nearest.min(late)));
        if done.is_none_or(|done| done > late) {
            outlook.at_risk += 1;
            outlook.misses.push(place);
        }
    }
    outlook
}

/// When the entry at `place` (from 0) is through.
fn finishes(place: usize, per_minute: f64, now: Timestamp) -> Option<Timestamp> {
    let ahead = f64::from(u32::try_from(place).ok()?) + 1.0;
    let span = SignedDuration::try_from_secs_f64(ahead / per_minute * 60.0).ok()?;
    now.checked_add(span).ok()
}
