//! What one seed turns on: drawn before anything happens and printed first, so that a failure explains itself.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::dice::Dice;

/// How much one run is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// A few patients, minutes to hours.
    Short,
    /// A puskesmas for days.
    Long,
}

/// Which store the bridge stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backing {
    /// The real SQLite code.
    Sqlite,
    /// The in-memory reference.
    Reference,
}

/// The way look-ups are believed: the real one, or one that must be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// As configured.
    Real,
    /// Settle is zero: an absent look-up is believed at once.
    Naive,
}

/// The options of one run. Chances are in thousandths.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) seed: u64,
    pub(super) backing: Backing,
    pub(super) size: Size,
    pub(super) policy: Policy,
    pub(super) start: Timestamp,
    pub(super) facilities: usize,
    pub(super) patients: u64,
    /// Over how long the work comes in.
    pub(super) span: Duration,
    pub(super) settle: Duration,
    pub(super) request_timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) rate: Option<u32>,
    /// Timers end late by at most this.
    pub(super) slack: Duration,
    /// A store call takes up to this, on each side of its commit.
    pub(super) store_delay: u64,
    pub(super) latency: u64,
    /// One request meets a fault of the network.
    pub(super) network: u64,
    /// One write meets a fault of BPJS's own.
    pub(super) mood: u64,
    /// One write is shown late.
    pub(super) hidden: u64,
    /// Whether it is shown later than settle allows: the stated assumption is broken.
    pub(super) broken: bool,
    /// Episodes of weather (outages, refused passwords, rate limits, partitions).
    pub(super) episodes: u64,
    /// The longest of them.
    pub(super) longest: Duration,
    /// How many times the process dies.
    pub(super) kills: u64,
    /// One store call meets a full or failing disk.
    pub(super) disk: u64,
    /// The end of one attempt stands still until its lease has run out, and is recorded after that.
    pub(super) stalls: u64,
    /// Steps of the wall clock.
    pub(super) steps: u64,
    /// How far they go.
    pub(super) step_most: Duration,
    /// Whether a backup is put back once.
    pub(super) restore: bool,
    /// One 202 is lost on its way to the SIM.
    pub(super) lost_accepts: u64,
    /// Staff types things of their own into P-Care, with the same keys.
    pub(super) staff: bool,
    /// A clause of the agreement moves dates, and people declare what moves them.
    pub(super) moves: bool,
}

impl Options {
    pub(super) fn of(seed: u64, backing: Backing, size: Size) -> Self {
        let dice = Dice::new(seed, "options");
        let settle = Duration::from_secs(dice.pick(&[2, 5, 10, 20, 60]));
        let calm = dice.strikes(50);
        let some = |chance: u64, list: &[u64]| if calm || !dice.strikes(chance) { 0 } else { dice.pick(list) };
        let network = some(850, &[20, 50, 100, 200, 350]);
        let mood = some(600, &[10, 40, 100, 200]);
        let hidden = some(500, &[50, 200, 500]);
        let (episodes, kills) = (some(500, &[1, 2, 4]), some(600, &[1, 2, 3, 6]));
        let (disk, steps) = (some(250, &[2, 5, 20]), some(300, &[1, 2, 4]));
        let stalls = some(250, &[10, 50]);
        let long = size == Size::Long;
        let hour = 3600;
        let span = if long {
            Duration::from_secs(24 * hour * dice.between(2, 30))
        } else {
            Duration::from_secs(dice.pick(&[20, 60, 300, 1200, hour, 6 * hour]))
        };
        // Outages of weeks are for the long ones: a short one is to take a moment.
        let longest = match (long, dice.strikes(50)) {
            (true, _) => 14 * 24 * hour,
            (false, true) => 3 * 24 * hour,
            (false, false) => dice.pick(&[60, 600, hour, 6 * hour]),
        };
        Self {
            seed,
            backing,
            size,
            policy: Policy::Real,
            start: start(&dice),
            facilities: if dice.strikes(300) { dice.pick(&[2, 3]) } else { 1 },
            patients: if long { dice.between(60, 200) } else { dice.between(1, 6) },
            span,
            settle,
            request_timeout: Duration::from_secs(dice.pick(&[1, 3, 10, 30])),
            concurrency: dice.pick(&[1, 2, 4, 8]),
            rate: dice.pick(&[None, Some(10), Some(10), Some(2)]),
            slack: Duration::from_millis(dice.pick(&[30, 100, 500, 1000])),
            store_delay: dice.pick(&[0, 2, 20, 200]),
            latency: dice.pick(&[5, 50, 300, 900]),
            network,
            mood,
            hidden,
            broken: hidden > 0 && dice.strikes(120),
            episodes,
            longest: Duration::from_secs(longest),
            kills,
            disk,
            stalls,
            steps,
            step_most: Duration::from_secs(dice.pick(&[1, 30, 120, hour, 26 * hour])),
            restore: kills > 0 && some(150, &[1]) == 1,
            lost_accepts: some(500, &[50, 200, 500]),
            staff: some(300, &[1]) == 1,
            // Dice of their own, so that the rest of a seed stays as it is.
            moves: Dice::new(seed, "moving dates").strikes(150),
        }
    }

    /// How long landing late and being shown late may take together at most: below settle, unless the assumption is
    /// broken on purpose.
    pub(super) fn late_most(&self) -> Duration {
        self.settle * 4 / 10
    }

    pub(super) fn hidden_most(&self) -> Duration {
        if self.broken { self.settle * 8 } else { self.settle * 4 / 10 }
    }
}

/// Some instant, often shortly before a midnight or the end of a month in one of the zones.
fn start(dice: &Dice) -> Timestamp {
    let base: Timestamp = dice
        .pick(&[
            "2026-11-20T22:00:00Z",
            "2026-11-30T14:55:00Z",
            "2026-11-30T16:55:00Z",
            "2026-12-31T15:50:00Z",
            "2027-02-28T16:58:00Z",
            "2026-10-14T01:00:00Z",
        ])
        .parse()
        .expect("an instant");
    base + dice.millis(0, 600_000)
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#?}")
    }
}
