//! Which entries will miss their date if the backlog goes on draining as it does now.
//!
//! Job: a pure queue of one server: entries in dispatch order (the order of slack), so many a minute, each not before its
//! own time. Invariants: without a rate (nothing was accepted lately, or the lane stands still without an expected end)
//! nothing is promised: whatever has a date is at risk; a faster lane misses no more than a slower one, and an entry
//! added behind changes nothing before it. What it does not do: count attempts, know circuits.

use jiff::{SignedDuration, Timestamp};

/// The drain rate is what was delivered in this span.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// So many unfinished entries, the first in dispatch order, are looked at: beyond it counts are "at least".
pub const LOOKED_AT: usize = 10_000;

/// How fast the backlog drains.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Drain {
    /// Entries accepted by BPJS a minute; 0: none lately.
    pub per_minute: f64,
    /// Since when the lane stands still (circuit open, paused, credentials refused); `None`: it does not.
    pub stopped_since: Option<Timestamp>,
}

/// An unfinished entry in its lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Queued {
    /// Its late date.
    pub late: Option<Timestamp>,
    /// It is not sent before this.
    pub not_before: Timestamp,
}

/// An entry that will miss its date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Miss {
    /// Its place in the lane, from 0.
    pub place: usize,
    /// The date it misses.
    pub late: Timestamp,
    /// When it is expected to be through; `None`: nothing can be promised.
    pub done: Option<Timestamp>,
}

/// One lane's outlook.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forecast {
    /// Nearest late date that has not passed.
    pub nearest: Option<Timestamp>,
    /// Past their date already.
    pub late: usize,
    /// When the backlog is gone at the present rate; `None`: it does not drain, or there is none.
    pub empty_at: Option<Timestamp>,
    /// Those that will miss it at the present rate, in the order of the lane.
    pub misses: Vec<Miss>,
}

impl Drain {
    /// From entries accepted in the last `window`.
    #[must_use]
    pub fn of(accepted: usize, window: SignedDuration, stopped_since: Option<Timestamp>) -> Self {
        let minutes = window.as_secs_f64() / 60.0;
        let count = u32::try_from(accepted).unwrap_or(u32::MAX);
        let per_minute = if minutes > 0.0 { f64::from(count) / minutes } else { 0.0 };
        Self { per_minute, stopped_since }
    }
}

impl Forecast {
    /// Will miss their date at the present rate.
    #[must_use]
    pub const fn at_risk(&self) -> usize {
        self.misses.len()
    }

    /// The nearest date that will be missed.
    #[must_use]
    pub fn first(&self) -> Option<Timestamp> {
        self.misses.iter().map(|miss| miss.late).min()
    }
}

/// Foretells a lane: its unfinished entries in dispatch order.
#[must_use]
pub fn forecast(lane: &[Queued], drain: Drain, now: Timestamp) -> Forecast {
    let moves = drain.stopped_since.is_none() && drain.per_minute > 0.0;
    let mut outlook = Forecast::default();
    for (place, entry) in lane.iter().enumerate() {
        let done = moves.then(|| finishes(place, entry.not_before, drain.per_minute, now)).flatten();
        outlook.empty_at = if place == 0 { done } else { outlook.empty_at.zip(done).map(|(a, b)| a.max(b)) };
        let Some(late) = entry.late else { continue };
        if late < now {
            outlook.late += 1;
            continue;
        }
        outlook.nearest = Some(outlook.nearest.map_or(late, |nearest| nearest.min(late)));
        if done.is_none_or(|done| done > late) {
            outlook.misses.push(Miss { place, late, done });
        }
    }
    outlook
}

/// When the entry at `place` (from 0) is through: after those before it, and not before its own time.
fn finishes(place: usize, not_before: Timestamp, per_minute: f64, now: Timestamp) -> Option<Timestamp> {
    let span = |entries: f64| SignedDuration::try_from_secs_f64(entries / per_minute * 60.0).ok();
    let in_turn = now.checked_add(span(f64::from(u32::try_from(place).ok()?) + 1.0)?).ok()?;
    let own_time = not_before.checked_add(span(1.0)?).ok()?;
    Some(if not_before > now { in_turn.max(own_time) } else { in_turn })
}
