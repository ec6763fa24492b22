//! Reconciliations by themselves: every day at the configured time, and after every outage.
//!
//! Job: write the days that are wanted into the store and work them off, one at a time per facility. Invariants: what is
//! wanted is on disk, so a restart goes on with the days not done; a day whose lists were not all read is tried again.
//! What it does not do: compare.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use tokio_util::sync::CancellationToken;

use super::day::{Order, Reconciler};
use crate::observe::{Observe, Seen};
use crate::queue::State;
use crate::store::{DayChange, DayRow, OutageRow, StoreError, Totals};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5);
/// After an outage the backlog is waited for at most this long.
const DRAIN_MAX: Duration = Duration::from_mins(30);
/// A day that could not be read whole is tried again after this.
const AGAIN: Duration = Duration::from_mins(10);
/// Outages that ended longer ago than this are history.
const OUTAGE_MAX_AGE: Duration = Duration::from_hours(7 * 24);
/// A reconciliation that ends no read for this long stands still: longer than any read's time limits together.
const STUCK: Duration = Duration::from_mins(5);
/// Outages looked at.
const OUTAGES: usize = 256;

/// A facility and its zone.
#[derive(Debug, Clone)]
pub struct Place {
    /// kdProvider.
    pub facility: String,
    /// Its zone.
    pub zone: TimeZone,
}

/// The schedule.
pub struct Schedule {
    /// Does the work.
    pub reconciler: Arc<Reconciler>,
    /// For whom.
    pub places: Vec<Place>,
    /// Time of day at the facility, if daily.
    pub daily: Option<Time>,
    /// Whether outages are followed by a reconciliation.
    pub after_outage: bool,
    /// Whether this process is the one that does it for a facility; another node may be.
    pub ours: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Health.
    pub observe: Observe,
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule").field("daily", &self.daily).finish_non_exhaustive()
    }
}

/// The day that the daily time makes due, if it is not on the list yet. A schedule that has never run does not reach
/// back before `since`, the start of this process.
#[must_use]
pub fn daily_due(now: Timestamp, since: Timestamp, zone: &TimeZone, daily: Time, rows: &[DayRow]) -> Option<Date> {
    let local = now.to_zoned(zone.clone()).datetime();
    let day = if local.time() >= daily { local.date() } else { local.date().yesterday().ok()? };
    let at = day.to_datetime(daily).to_zoned(zone.clone()).ok()?.timestamp();
    let ran_before = rows.iter().any(|row| row.cause == "daily" && row.wanted_at < at);
    let wanted = rows.iter().any(|row| row.day == day && row.wanted_at >= at);
    ((at > since || ran_before) && !wanted).then_some(day)
}

/// The days that ended outages make due, with the instant since when. `rows` are the facility's days.
#[must_use]
pub fn outage_due(
    now: Timestamp,
    zone: &TimeZone,
    outages: &[OutageRow],
    rows: &[DayRow],
) -> Vec<(Timestamp, Vec<Date>)> {
    let date = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let ended = outages.iter().filter_map(|outage| Some((outage.opened_at, outage.closed_at?)));
    let recent = ended.filter(|(_, closed)| *closed + OUTAGE_MAX_AGE >= now);
    recent
        .filter_map(|(opened, closed)| {
            let days = date(opened).series(1.day()).take_while(|day| *day <= date(closed));
            let known = |day: &Date| rows.iter().any(|row| row.day == *day && row.wanted_at >= closed);
            let days: Vec<Date> = days.filter(|day| !known(day)).collect();
            (!days.is_empty()).then_some((closed, days))
        })
        .collect()
}

/// Whether a wanted day may be worked on: after an outage the backlog goes first, for a while.
#[must_use]
pub fn ready(row: &DayRow, totals: &Totals, now: Timestamp) -> bool {
    let unfinished = |state: State| matches!(state, State::Waiting | State::Sending | State::Unanswered);
    let ours = |facility: &str| facility == row.facility;
    let drained = !totals.counts.iter().any(|c| ours(&c.facility) && unfinished(c.state) && c.count > 0);
    row.done.is_none() && (row.cause != "outage" || drained || now >= row.wanted_at + DRAIN_MAX)
}

/// Whether a reconciliation gets on: its reads have time limits of their own, so that one without any end of a read for
/// [`STUCK`] stands still, and its heart with it.
#[derive(Debug)]
struct Pace {
    steps: u64,
    since: Timestamp,
}

impl Pace {
    const fn begin(steps: u64, now: Timestamp) -> Self {
        Self { steps, since: now }
    }

    fn gets_on(&mut self, steps: u64, now: Timestamp) -> bool {
        if steps != self.steps {
            *self = Self::begin(steps, now);
        }
        now < self.since + STUCK
    }
}

impl Schedule {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let since = self.reconciler.clock.now();
        let mut not_before: BTreeMap<(String, Date), Timestamp> = BTreeMap::new();
        while !stop.is_cancelled() {
            (self.observe)(Seen::Beat("reconcile.schedule"));
            failpoint!(await "loop.schedule");
            if let Err(error) = self.look(since).await {
                tracing::warn!(%error, "scheduled reconciliations not looked at");
            }
            {
                // A reconciliation may take long; the watchdog must see meanwhile that it gets on.
                let mut pace = Pace::begin(self.reconciler.turns.steps(), self.reconciler.clock.now());
                let mut work = std::pin::pin!(self.work(&mut not_before));
                loop {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        worked = &mut work => {
                            if let Err(error) = worked {
                                tracing::warn!(%error, "scheduled reconciliation not made");
                            }
                            break;
                        }
                        () = self.reconciler.clock.sleep(EVERY) => {
                            if pace.gets_on(self.reconciler.turns.steps(), self.reconciler.clock.now()) {
                                (self.observe)(Seen::Beat("reconcile.schedule"));
                            }
                        }
                    }
                }
            }
            tokio::select! { biased; () = stop.cancelled() => {} () = self.reconciler.clock.sleep(EVERY) => {} }
        }
    }

    /// Puts what has become due on the list.
    async fn look(&self, since: Timestamp) -> Result<(), StoreError> {
        let (now, store) = (self.reconciler.clock.now(), &self.reconciler.store);
        let rows = store.days("").await?;
        let outages = if self.after_outage { store.outage_spans(OUTAGES).await? } else { Vec::new() };
        for place in self.places.iter().filter(|place| (self.ours)(&place.facility)) {
            let own: Vec<DayRow> = rows.iter().filter(|row| row.facility == place.facility).cloned().collect();
            let its: Vec<OutageRow> = outages.iter().filter(|row| row.facility == place.facility).cloned().collect();
            let want = |days, cause: &str, at| DayChange::Want {
                facility: place.facility.clone(),
                run: String::new(),
                days,
                cause: cause.to_owned(),
                at,
            };
            let due = self.daily.and_then(|daily| daily_due(now, since, &place.zone, daily, &own));
            if let Some(day) = due {
                store.change_days(want(vec![day], "daily", now)).await?;
            }
            for (at, days) in outage_due(now, &place.zone, &its, &own) {
                store.change_days(want(days, "outage", at)).await?;
            }
        }
        Ok(())
    }

    /// Works the list off; facilities with an open outage wait.
    async fn work(&self, not_before: &mut BTreeMap<(String, Date), Timestamp>) -> Result<(), StoreError> {
        let (store, clock) = (&self.reconciler.store, &self.reconciler.clock);
        let wanted: Vec<DayRow> = store.days("").await?.into_iter().filter(|row| row.done.is_none()).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let totals = store.totals(clock.now()).await?;
        let outages = store.outage_spans(OUTAGES).await?;
        let open: BTreeSet<&str> =
            outages.iter().filter(|row| row.closed_at.is_none()).map(|row| row.facility.as_str()).collect();
        for row in wanted {
            let (now, key) = (clock.now(), (row.facility.clone(), row.day));
            let waits = not_before.get(&key).is_some_and(|at| *at > now) || open.contains(row.facility.as_str());
            let served = self.places.iter().any(|place| place.facility == row.facility) && (self.ours)(&row.facility);
            if waits || !served || !ready(&row, &totals, now) {
                continue;
            }
            if self.one(&row).await? {
                not_before.remove(&key);
            } else {
                not_before.insert(key, clock.now() + AGAIN);
            }
        }
        Ok(())
    }

    async fn one(&self, row: &DayRow) -> Result<bool, StoreError> {
        let order = Order {
            facility: row.facility.clone(),
            from: row.day,
            to: row.day,
            sim: None,
            actor: format!("jembatan: {}", row.cause),
        };
        let report = self.reconciler.run(order).await?;
        let complete = report["complete"] == serde_json::json!(true);
        tracing::info!(facility = %row.facility, day = %row.day, cause = %row.cause, complete, "reconciled by itself");
        if complete {
            let id = report["id"].as_str().unwrap_or_default().to_owned();
            let (facility, run, day) = (row.facility.clone(), String::new(), row.day);
            let at = self.reconciler.clock.now();
            self.reconciler.store.change_days(DayChange::Done { facility, run, day, at, id, report: None }).await?;
        }
        Ok(complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Counts, Verdict};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone() -> TimeZone {
        TimeZone::get("Asia/Makassar").unwrap()
    }

    fn row(day: i8, cause: &str, wanted: &str) -> DayRow {
        DayRow {
            facility: "0114A026".to_owned(),
            run: String::new(),
            day: jiff::civil::date(2026, 11, day),
            cause: cause.to_owned(),
            wanted_at: at(wanted),
            done: None,
            report: None,
        }
    }

    #[test]
    fn the_day_is_due_from_its_time_at_the_facility_on_and_once() {
        let (daily, since) = (Time::constant(20, 30, 0, 0), at("2026-11-21T00:00:00Z"));
        let due = |now: &str, rows: &[DayRow]| daily_due(at(now), since, &zone(), daily, rows).map(|day| day.day());
        assert_eq!(due("2026-11-21T12:29:59Z", &[]), None, "20.29 WITA, and yesterday was before the start");
        assert_eq!(due("2026-11-21T12:30:00Z", &[]), Some(21));
        let done = row(21, "daily", "2026-11-21T12:30:05Z");
        assert_eq!(due("2026-11-21T12:31:00Z", std::slice::from_ref(&done)), None);
        assert_eq!(due("2026-11-22T12:30:00Z", &[done]), Some(22));
    }

    #[test]
    fn a_reconciliation_beats_while_it_gets_on_and_no_longer() {
        let begun = at("2026-11-21T01:00:00Z");
        let mut pace = Pace::begin(7, begun);
        let later = |seconds| begun + jiff::SignedDuration::from_secs(seconds);
        assert!(pace.gets_on(7, later(299)), "a slow read");
        assert!(pace.gets_on(8, later(300)), "it ended");
        assert!(pace.gets_on(8, later(599)) && !pace.gets_on(8, later(600)), "nothing for five minutes");
        assert!(pace.gets_on(9, later(601)), "and on it goes");
    }

    #[test]
    fn a_day_missed_while_the_bridge_was_down_is_made_up_for() {
        let (daily, since) = (Time::constant(20, 30, 0, 0), at("2026-11-21T22:00:00Z"));
        let before = row(20, "daily", "2026-11-20T12:30:00Z");
        let due = daily_due(at("2026-11-21T23:00:00Z"), since, &zone(), daily, &[before]);
        assert_eq!(due, Some(jiff::civil::date(2026, 11, 21)), "07.00 WITA the next morning");
    }

    #[test]
    fn an_outage_over_midnight_makes_both_days_due_once_and_an_open_one_none() {
        let outage = |closed: Option<&str>| OutageRow {
            id: 1,
            facility: "0114A026".to_owned(),
            service: "pcare".to_owned(),
            opened_at: at("2026-11-20T15:00:00Z"),
            closed_at: closed.map(at),
            cause: "tcp".to_owned(),
            verdict: Verdict::Bpjs,
            evidence: serde_json::Value::Null,
            opened_by: "jembatan".to_owned(),
            closed_by: None,
            accepted: 0,
            affected: 0,
            late: 0,
            class: None,
        };
        let (now, ended) = (at("2026-11-21T03:00:00Z"), outage(Some("2026-11-20T17:00:00Z")));
        let due = outage_due(now, &zone(), std::slice::from_ref(&ended), &[]);
        let days: Vec<i8> = due.iter().flat_map(|(_, days)| days.iter().map(|day| day.day())).collect();
        assert_eq!(days, [20, 21]);
        let known = [row(20, "outage", "2026-11-20T17:00:00Z"), row(21, "daily", "2026-11-21T02:00:00Z")];
        assert!(outage_due(now, &zone(), &[ended], &known).is_empty());
        assert!(outage_due(now, &zone(), &[outage(None)], &[]).is_empty());
        let old = outage(Some("2026-11-10T17:00:00Z"));
        assert!(outage_due(now, &zone(), &[old], &[]).is_empty(), "history");
    }

    #[test]
    fn after_an_outage_the_backlog_goes_first_for_half_an_hour() {
        let wanted = row(21, "outage", "2026-11-21T03:00:00Z");
        let counts = |count| Counts {
            facility: "0114A026".to_owned(),
            service: "pcare".to_owned(),
            state: State::Waiting,
            how: None,
            count,
        };
        let totals = |count| Totals { counts: vec![counts(count)], ..Totals::default() };
        let soon = at("2026-11-21T03:10:00Z");
        assert!(!ready(&wanted, &totals(1), soon) && ready(&wanted, &totals(0), soon));
        assert!(ready(&wanted, &totals(1), at("2026-11-21T03:30:00Z")));
        assert!(ready(&row(21, "daily", "2026-11-21T03:00:00Z"), &totals(1), soon));
    }
}
